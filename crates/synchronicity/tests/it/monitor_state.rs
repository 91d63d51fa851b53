//! `monitor`: what survives a crash, who is told, and what a hostile server achieves.
#![allow(clippy::unwrap_used, reason = "a trial that panics is a failed trial, as in any test")]

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;

use libtest_mimic::{Failed, Trial};
use serde_json::Value;

use crate::logs::{Log, file_at, history};
use crate::monitor::{events, once};
use crate::schema::held;
use crate::server::{Answer, Server, head};

type Outcome = Result<(), Failed>;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        Trial::test("monitor::nothing_that_was_told_is_lost_when_it_is_killed_at_any_time", killed),
        Trial::test("monitor::a_damaged_copy_is_refused_and_a_damaged_tile_of_it_is_mended", damaged),
        Trial::test("monitor::two_monitors_do_not_share_a_state", locked),
        Trial::test("monitor::a_hostile_node_neither_hangs_it_nor_keeps_it_from_the_others", hostile),
        Trial::test("monitor::alarms_are_posted_again_until_they_are_taken_and_their_end_too", webhook),
        Trial::test("monitor::it_runs_until_a_signal_serves_its_numbers_and_exits_by_what_it_found", continuous),
    ]
}

/// A monitor that does not outlive its test, however that ends.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start(log: &Log, node: &str, more: &[&str]) -> Running {
    let child = Command::new(env!("CARGO_BIN_EXE_synchronicity"))
        .args(["monitor", "--policy", "policy", "--state", "state", "--json", node])
        .args(more)
        .current_dir(log.dir.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    Running(child.unwrap())
}

fn told(line: &str) -> Value {
    held(line)
}

fn killed() -> Outcome {
    let log = Log::of(history(600, "the binary"), &[0, 1, 2]);
    let node = log.serve();
    let (mut entries, mut largest) = (BTreeSet::new(), 0);
    for round in 0..30 {
        log.publish((round + 1) * 20, &[0, 1, 2]);
        let mut child = start(&log, &node.address, &["--once"]);
        let mut lines = BufReader::new(child.0.stdout.take().unwrap()).lines();
        // Each time a little later: after so many lines, or so many requests.
        for line in lines.by_ref().take(round % 23) {
            note(&told(&line?), &mut entries, &mut largest);
        }
        child.0.kill()?;
        child.0.wait()?;
        for line in lines.map_while(Result::ok) {
            if let Ok(event) = serde_json::from_str(&line) {
                note(&event, &mut entries, &mut largest);
            }
        }
        // Whatever was told is there.
        let path = log.dir.path().join("state/log/checkpoint");
        let copy = fs::read_to_string(path).map_or(0, |note| note.lines().nth(1).unwrap().parse().unwrap());
        assert!(copy >= largest, "round {round}: told {largest}, and the copy has {copy}");
    }
    let (ran, last) = once(log.dir.path(), &[&node.address], &[]);
    ran.expect(0);
    last.iter().for_each(|event| note(event, &mut entries, &mut largest));
    assert_eq!(entries, (0..600).collect(), "each entry was told at least once");
    Ok(())
}

fn note(event: &Value, entries: &mut BTreeSet<u64>, largest: &mut u64) {
    match event["event"].as_str().unwrap() {
        "entry" => {
            let index = event["index"].as_u64().unwrap();
            entries.insert(index);
            *largest = index.saturating_add(1).max(*largest);
        }
        "checkpoint" => *largest = event["size"].as_u64().unwrap().max(*largest),
        "alarm" => panic!("{event}"),
        _ => {}
    }
}

fn damaged() -> Outcome {
    let log = Log::new(300);
    let node = log.serve();
    once(log.dir.path(), &[&node.address], &[]).0.expect(0);
    let copy = log.dir.path().join("state/log");
    fs::write(copy.join("tile/0/000"), b"damaged")?;
    once(log.dir.path(), &[&node.address], &[]).0.expect(0);
    assert_eq!(fs::read(copy.join("tile/0/000"))?, fs::read(log.file("tile/0/000"))?);
    let bundle = copy.join("tile/entries/000");
    let mut bytes = fs::read(&bundle)?;
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&bundle, bytes)?;
    let (ran, _) = once(log.dir.path(), &[&node.address], &[]);
    let ran = ran.expect(1);
    assert!(ran.err.contains("is not what this monitor wrote"), "{}", ran.err);
    Ok(())
}

fn locked() -> Outcome {
    let log = Log::new(3);
    let node = log.serve();
    let mut first = start(&log, &node.address, &[]);
    let mut lines = BufReader::new(first.0.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| told(&line.unwrap())["event"] == "pass"));
    let arguments = ["monitor", "--policy", "policy", "--state", "state", "--once", &node.address];
    let second = crate::program::run(log.dir.path(), arguments).expect(2);
    assert!(second.err.contains("another monitor works with state"), "{}", second.err);
    drop(first);
    once(log.dir.path(), &[&node.address], &[]).0.expect(0);
    Ok(())
}

fn hostile() -> Outcome {
    let ok = |length: &str| head(200, length);
    let log = Log::new(3);
    let good = log.serve();
    let folder = log.path();
    let note = fs::read(log.file("checkpoint"))?;
    let bundles = |answer: fn() -> Answer| {
        let folder = folder.clone();
        Server::start(move |path| if path.starts_with("/tile/entries") { answer() } else { file_at(&folder, path) })
    };
    let lie = [ok("Content-Length: 100000"), note.clone()].concat();
    let endless = ok("Transfer-Encoding: chunked");
    let drip = [ok("Content-Length: 1000000"), b"s".to_vec()].concat();
    let servers = [
        Server::start(|_| Answer::Silence(Vec::new())),
        Server::start(move |_| Answer::Raw(lie.clone())),
        Server::start(move |_| Answer::Flood(endless.clone(), [b"2000\r\n", &[b'a'; 0x2000][..], b"\r\n"].concat())),
        Server::start(move |_| Answer::Drip(drip.clone())),
        Server::start(|path| Answer::Raw(head(302, &format!("Location: {path}\r\nContent-Length: 0")))),
        Server::start(|_| Answer::Raw(b"\0\xff\r\n\r\n".to_vec())),
        Server::start(|_| Answer::Status(500)),
        bundles(|| Answer::Silence(head(200, "Content-Length: 9"))),
        bundles(|| Answer::Flood(head(200, "Connection: close"), vec![0xff; 1 << 16])),
        bundles(|| Answer::Raw(head(200, "Content-Length: 999999999999"))),
    ];
    let mut nodes: Vec<&str> = servers.iter().map(|server| server.address.as_str()).collect();
    nodes.push(&good.address);
    let (ran, told) = once(log.dir.path(), &nodes, &["--patience", "1s"]);
    ran.expect(40);
    let checkpoints = events(&told, "checkpoint");
    assert!(checkpoints.iter().any(|event| event["node"] == good.address.as_str()), "the good one was checked");
    assert_eq!(events(&told, "entry").len(), 3);
    // Each bad one was noticed, as away or as wrong.
    for server in &servers {
        let noticed = |event: &&Value| event["node"] == server.address.as_str() && event["event"] != "checkpoint";
        assert!(told.iter().any(|event| noticed(&event)), "{}", server.address);
    }
    Ok(())
}

/// A listener that takes events, and gives them on; the first request it refuses.
fn hook() -> (String, mpsc::Receiver<Value>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}/hook", listener.local_addr().unwrap());
    let (send, receive) = mpsc::channel();
    std::thread::spawn(move || {
        for (count, stream) in listener.incoming().enumerate() {
            let mut stream = stream.unwrap();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let (mut length, mut line) = (0, String::new());
            while reader.read_line(&mut line).unwrap() > 2 {
                if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                    length = value.trim().parse().unwrap();
                }
                line.clear();
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).unwrap();
            let status = if count == 0 { 503 } else { 204 };
            stream.write_all(&head(status, "Content-Length: 0")).unwrap();
            if count > 0 {
                send.send(serde_json::from_slice(&body).unwrap()).unwrap();
            }
        }
    });
    (address, receive)
}

fn webhook() -> Outcome {
    let log = Log::new(3);
    let node = log.serve();
    let (address, posted) = hook();
    let good = fs::read(log.file("checkpoint"))?;
    log.publish(3, &[0]);
    once(log.dir.path(), &[&node.address], &["--webhook", &address]).0.expect(40);
    let event = posted.try_recv()?;
    assert_eq!((event["event"].as_str(), event["kind"].as_str()), (Some("alarm"), Some("checkpoint")));
    fs::write(log.file("checkpoint"), good)?;
    once(log.dir.path(), &[&node.address], &["--webhook", &address]).0.expect(0);
    let events: Vec<_> = posted.try_iter().map(|event| event["event"].clone()).collect();
    assert_eq!(events, ["alarm", "recovered"], "what is open is told again at the start");
    // One that nobody takes changes nothing of what is found.
    log.publish(3, &[0]);
    once(log.dir.path(), &[&node.address], &["--webhook", "http://127.0.0.1:1/"]).0.expect(40);
    Ok(())
}

fn scrape(address: &str, request: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

fn continuous() -> Outcome {
    let log = Log::new(3);
    let node = log.serve();
    let mut child = start(&log, &node.address, &["--every", "1s", "--metrics", "127.0.0.1:0"]);
    let mut first = String::new();
    BufReader::new(child.0.stderr.take().unwrap()).read_line(&mut first)?;
    let address = first.trim().strip_prefix("metrics at http://").unwrap().strip_suffix("/metrics").unwrap().to_owned();
    let mut lines = BufReader::new(child.0.stdout.take().unwrap()).lines();
    assert!(lines.by_ref().any(|line| told(&line.unwrap())["event"] == "pass"));
    // Somebody who says nothing does not keep others from the numbers.
    let silent = TcpStream::connect(&address)?;
    let numbers = scrape(&address, "GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n");
    let line = format!("\nsynchronicity_monitor_node_size{{node=\"{}\"}} 3\n", node.address);
    assert!(numbers.contains(&line) && numbers.contains("_alarms{kind=\"fork\"} 0\n"), "{numbers}");
    assert!(numbers.starts_with("HTTP/1.1 200") && numbers.contains("# TYPE synchronicity_monitor_node_up gauge\n"));
    assert!(scrape(&address, "GET / HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 404"));
    drop(silent);
    // Something goes wrong, and is over.
    let good = fs::read(log.file("checkpoint"))?;
    log.publish(3, &[0]);
    assert!(lines.by_ref().any(|line| told(&line.unwrap())["event"] == "alarm"));
    fs::write(log.file("checkpoint"), good)?;
    assert!(lines.by_ref().any(|line| told(&line.unwrap())["event"] == "recovered"));
    let stop = Command::new("kill").arg(child.0.id().to_string()).status()?;
    assert!(stop.success());
    assert_eq!(child.0.wait()?.code(), Some(40), "it says that something was wrong");
    Ok(())
}

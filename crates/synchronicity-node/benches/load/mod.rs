//! A server in a process of its own, so that its memory and its processors' time are its own; and `wrk`, which asks it.

use std::future::Future;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use axum::Router;
use synchronicity_node::http::Served;

/// Whether this machine has a program.
pub(crate) fn is_there(program: &str) -> bool {
    Command::new(program).arg("-v").output().is_ok()
}

/// This benchmark once more, as the server.
pub(crate) struct Server {
    child: Child,
    pub(crate) address: String,
}

impl Server {
    /// Has it started with `--serve`, where it must end in [`serve`].
    pub(crate) fn start() -> Server {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .arg("--serve")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut address = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut address).unwrap();
        Server { child, address: address.trim().to_owned() }
    }

    pub(crate) fn process(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn stop(mut self) {
        drop(self.child.stdin.take());
        self.child.wait().unwrap();
    }
}

/// Serves with two threads until standard input ends, and does `beside` at the same time.
pub(crate) fn serve(routes: Router, beside: impl Future<Output = ()> + Send + 'static) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let served = Served::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
        println!("{}", served.address);
        let beside = tokio::spawn(beside);
        let ended = tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new()));
        synchronicity_node::http::serve(served, routes, async {
            let _ = ended.await;
        })
        .await;
        beside.abort();
    });
}

/// Requests answered per second; the script is of this folder, and gets `arguments`.
pub(crate) fn wrk(address: &str, script: &str, arguments: &[&str], time: Duration) -> f64 {
    // Connections of the run before count until the server has seen them end.
    std::thread::sleep(Duration::from_secs(1));
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches").join(script);
    let output = Command::new("wrk")
        .args(["-t2", "-c60", &format!("-d{}s", time.as_secs()), "-s"])
        .arg(script)
        .arg(format!("http://{address}"))
        .arg("--")
        .args(arguments)
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    // Refused connections would flatter whoever refuses.
    assert!(!text.contains("Non-2xx") && !text.contains("Socket errors"), "{text}");
    let rate = text.lines().find_map(|line| line.strip_prefix("Requests/sec:"));
    rate.unwrap_or_else(|| panic!("{text}")).trim().parse().unwrap()
}

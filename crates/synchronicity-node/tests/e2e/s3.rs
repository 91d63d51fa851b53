//! `log export` into a real server of the S3 protocol (moto, which scripts/s3-tools.sh installs), read back by plain
//! GETs and checked with the verifier's own code.

use std::fs;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use synchronicity_node::devnet::ports;
use synchronicity_node::durable::Synced;
use synchronicity_node::keys::Seed;
use synchronicity_node::publish::PublishedLog;
use synchronicity_verify::checkpoint::Checkpoint;
use synchronicity_verify::merkle::{Frontier, leaf_hash, verify_inclusion};
use synchronicity_verify::note::{self, KeyKind, SignedNote, Signer};
use synchronicity_verify::tile::{TileLevel, parse_bundle, tiles_between};
use synchronicity_verify::tiled;

use crate::Test;
use crate::devnet::PROGRAM;
use crate::machine::Need;
use crate::node::Process;

const ORIGIN: &str = "test.invalid/exported";

pub(crate) fn tests() -> Vec<Test> {
    vec![
        Test::new("a_log_exported_to_s3_is_read_back_and_verified", &[Need::S3], read_back),
        Test::new("an_export_to_s3_cut_off_by_the_network_keeps_the_old_log", &[Need::S3], cut_off),
    ]
}

/// The program of the server.
pub(crate) fn moto() -> PathBuf {
    let target = Path::new(PROGRAM).ancestors().nth(2).unwrap();
    target.join("s3/python/bin/moto_server")
}

struct Bucket {
    _server: Process,
    port: u16,
}

impl Bucket {
    fn serve() -> Self {
        let port = ports::free(1).unwrap()[0];
        let mut command = Command::new(moto());
        command.args(["-H", "127.0.0.1", "-p", &port.to_string()]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let bucket = Self { _server: Process::of(command.spawn().unwrap()), port };
        let deadline = Instant::now() + Duration::from_secs(120);
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < deadline, "the server does not start");
            thread::sleep(Duration::from_millis(100));
        }
        ureq::put(bucket.url("")).send_empty().unwrap();
        // Everybody may read, as an operator would say it; and write, for the test that spoils an object.
        let policy = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":["s3:GetObject","s3:PutObject"],"Resource":"arn:aws:s3:::rebuilders/*"}]}"#;
        ureq::put(bucket.url("?policy")).send(policy).unwrap();
        bucket
    }

    fn url(&self, name: &str) -> String {
        format!("http://127.0.0.1:{}/rebuilders/{name}", self.port)
    }

    /// An object of the exported log, with its content type and caching.
    fn get(&self, name: &str) -> (Vec<u8>, String, String) {
        let mut answer = ureq::get(self.url(&format!("log/{name}"))).call().unwrap_or_else(|e| panic!("{name}: {e}"));
        let header = |name: &str| answer.headers()[name].to_str().unwrap().to_owned();
        let (kind, caching) = (header("content-type"), header("cache-control"));
        (answer.body_mut().read_to_vec().unwrap(), kind, caching)
    }

    /// Reads the whole log and compares it with its checkpoint; gives the size.
    fn verified(&self, log_key: &Signer) -> u64 {
        let (note, kind, caching) = self.get("checkpoint");
        assert_eq!((kind.as_str(), caching.contains("immutable")), ("text/plain; charset=utf-8", false));
        let note = SignedNote::parse(&note).unwrap();
        note::verify(log_key.verifier_key(), &note.text, &note.signatures[0]).unwrap();
        let checkpoint: Checkpoint = note.text.parse().unwrap();
        let (mut frontier, mut leaves) = (Frontier::new(), Vec::new());
        for path in tiles_between(0, checkpoint.size) {
            let (bytes, kind, caching) = self.get(&path.path());
            assert_eq!((kind.as_str(), caching.contains("immutable")), ("application/octet-stream", true), "{path}");
            match path.level {
                TileLevel::Entries => {
                    leaves.extend(parse_bundle(&bytes, path.width).unwrap().into_iter().map(leaf_hash))
                }
                TileLevel::Hashes(_) => assert_eq!(bytes, path.hashes(&leaves).unwrap(), "{path}"),
            }
        }
        leaves.iter().for_each(|leaf| frontier.append(*leaf));
        assert_eq!((frontier.size(), frontier.root()), (checkpoint.size, checkpoint.root));

        let read = |path| Ok::<_, std::io::Error>(self.get(&synchronicity_verify::tile::TilePath::path(&path)).0);
        let proof = tiled::inclusion_proof(checkpoint.size, 77, checkpoint.size, read).unwrap();
        verify_inclusion(&leaves[77], 77, checkpoint.size, &proof, &checkpoint.root).unwrap();
        checkpoint.size
    }
}

/// Publishes entries up to `size` in `folder`.
fn grow(folder: &Path, log_key: &Signer, size: u64) {
    let entry = |index: u64| format!("entry {index}").into_bytes();
    let mut log = PublishedLog::open(folder, Synced).unwrap();
    let mut frontier = Frontier::new();
    (0..size).for_each(|index| frontier.append(leaf_hash(&entry(index))));
    let text = Checkpoint { origin: ORIGIN.to_owned(), size, root: frontier.root() }.to_string();
    let line = note::sign(log_key, &text).unwrap();
    let new: Vec<Vec<u8>> = (log.size()..size).map(entry).collect();
    log.append(log.size(), &new).unwrap();
    log.publish(SignedNote { text, signatures: vec![line] }).unwrap();
}

fn export(from: &Path, port: u16, words: &[&str]) -> Output {
    let mut command = Command::new(PROGRAM);
    command.args(["log", "export", "--json", "--to", "s3://rebuilders/log", "--from"]).arg(from).args(words);
    command.env("AWS_ENDPOINT_URL", format!("http://127.0.0.1:{port}")).env("AWS_REGION", "us-east-1");
    command.env("AWS_ACCESS_KEY_ID", "exporter").env("AWS_SECRET_ACCESS_KEY", "a secret of no worth");
    command.stdin(Stdio::null()).output().unwrap()
}

fn told(output: &Output) -> Value {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn log_key() -> Signer {
    Signer::from_seed(ORIGIN, KeyKind::Log, Seed::generate().unwrap().expose()).unwrap()
}

fn read_back() {
    let (bucket, dir, log_key) = (Bucket::serve(), tempfile::tempdir().unwrap(), log_key());
    grow(dir.path(), &log_key, 258);
    told(&export(dir.path(), bucket.port, &[]));
    assert_eq!(bucket.verified(&log_key), 258);

    grow(dir.path(), &log_key, 600);
    let grown = told(&export(dir.path(), bucket.port, &[]));
    assert_eq!(grown["copied"].as_u64(), Some(tiles_between(258, 600).count() as u64), "{grown}");
    assert_eq!(bucket.verified(&log_key), 600);

    // Same size and other content: only the ETag tells.
    let sound = fs::read(dir.path().join("tile/0/001")).unwrap();
    ureq::put(bucket.url("log/tile/0/001")).send(&vec![0_u8; sound.len()][..]).unwrap();
    let mended = told(&export(dir.path(), bucket.port, &["--recheck"]));
    assert_eq!(mended["copied"].as_u64(), Some(1), "{mended}");
    assert_eq!(bucket.verified(&log_key), 600);

    let smaller = tempfile::tempdir().unwrap();
    grow(smaller.path(), &log_key, 300);
    assert_eq!(export(smaller.path(), bucket.port, &[]).status.code(), Some(40));
    assert_eq!(bucket.verified(&log_key), 600);
}

fn cut_off() {
    let (bucket, dir, log_key) = (Bucket::serve(), tempfile::tempdir().unwrap(), log_key());
    grow(dir.path(), &log_key, 258);
    told(&export(dir.path(), bucket.port, &[]));
    grow(dir.path(), &log_key, 600);
    for bytes in [300, 6_000, 12_000] {
        let output = export(dir.path(), wire(bucket.port, bytes), &["--retries", "0"]);
        assert_eq!(output.status.code(), Some(75), "{bytes}: {}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(bucket.verified(&log_key), 258, "{bytes}");
    }
    told(&export(dir.path(), bucket.port, &[]));
    assert_eq!(bucket.verified(&log_key), 600);
}

/// A way to the server that is cut for good once so many bytes have gone there.
fn wire(server: u16, bytes: i64) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let left = Arc::new(AtomicI64::new(bytes));
    thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            let Ok(server) = TcpStream::connect(("127.0.0.1", server)) else { return };
            let (from_client, to_client) = (client.try_clone().unwrap(), client);
            let (from_server, to_server) = (server.try_clone().unwrap(), server);
            let left = Arc::clone(&left);
            thread::spawn(move || {
                carry(from_client, to_server, |bytes| left.fetch_sub(bytes, Ordering::SeqCst) > bytes)
            });
            thread::spawn(move || carry(from_server, to_client, |_| true));
        }
    });
    port
}

fn carry(mut from: TcpStream, mut to: TcpStream, may_pass: impl Fn(i64) -> bool) {
    let mut piece = [0; 512];
    while let Ok(read @ 1..) = from.read(&mut piece) {
        if !may_pass(read as i64) || to.write_all(&piece[..read]).is_err() {
            break;
        }
    }
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}

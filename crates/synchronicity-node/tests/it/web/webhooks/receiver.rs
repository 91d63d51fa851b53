//! Somebody who is told: a real HTTP server that answers as it is told to, and checks signatures by itself.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use base64ct::{Base64, Encoding};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha2::Sha256;

use crate::nodes::PATIENCE;

/// 32 bytes, as a file has them.
pub(super) const SECRET: &str = "whsec_c3luY2hyb25pY2l0eSBzeW5jaHJvbmljaXR5IQ==";

/// How a request is answered.
#[derive(Clone, Copy)]
pub(super) enum Answer {
    Status(u16),
    /// With a place on the same server.
    Redirect,
    /// Never.
    Silence,
    /// With a body that does not end.
    Flood,
}

/// What came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Came {
    pub(super) path: String,
    headers: Vec<(String, String)>,
    pub(super) body: String,
}

pub(super) struct Server {
    pub(super) url: String,
    came: Receiver<Came>,
}

impl Server {
    /// Listens on a port (0 for any); the answer is a function of how many requests came before.
    pub(super) fn start(port: u16, answer: impl Fn(usize) -> Answer + Send + 'static) -> Server {
        let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let (send, came) = mpsc::channel();
        thread::spawn(move || {
            let mut silent = Vec::new();
            for (count, stream) in listener.incoming().enumerate() {
                let mut stream = stream.unwrap();
                let Some(one) = read(&stream) else { continue };
                // The test may be over.
                let _ = send.send(one);
                let head = |rest: &str| format!("HTTP/1.1 {rest}\r\nConnection: close\r\n");
                let _ = match answer(count) {
                    Answer::Status(status) => {
                        write!(stream, "{}Content-Length: 0\r\n\r\n", head(&format!("{status} told")))
                    }
                    Answer::Redirect => {
                        write!(stream, "{}Location: /other\r\nContent-Length: 0\r\n\r\n", head("307 there"))
                    }
                    Answer::Silence => {
                        silent.push(stream);
                        Ok(())
                    }
                    Answer::Flood => flood(stream, &head("200 OK")),
                };
            }
        });
        Server { url, came }
    }

    /// The next that comes.
    pub(super) fn next(&self) -> Came {
        self.came.recv_timeout(PATIENCE).unwrap()
    }

    /// Whether nothing comes for a while.
    pub(super) fn is_quiet(&self) -> bool {
        matches!(self.came.recv_timeout(Duration::from_millis(500)), Err(RecvTimeoutError::Timeout))
    }
}

fn flood(mut stream: TcpStream, head: &str) -> std::io::Result<()> {
    write!(stream, "{head}\r\n")?;
    thread::spawn(move || while stream.write_all(&[b'x'; 65_536]).is_ok() {});
    Ok(())
}

fn read(stream: &TcpStream) -> Option<Came> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let path = line.split(' ').nth(1)?.to_owned();
    let mut headers = Vec::new();
    loop {
        line.clear();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        headers.push((name.to_ascii_lowercase(), value.to_owned()));
    }
    let length = headers.iter().find(|(name, _)| name == "content-length")?.1.parse().ok()?;
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Came { path, headers, body: String::from_utf8(body).ok()? })
}

impl Came {
    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(named, _)| named == name).map(|(_, value)| value.as_str()).unwrap()
    }

    pub(super) fn id(&self) -> &str {
        self.header("webhook-id")
    }

    /// The event, once its signature holds: computed from the bytes that came, by the words of the specification.
    pub(super) fn event(&self) -> Value {
        let key = Base64::decode_vec(SECRET.strip_prefix("whsec_").unwrap()).unwrap();
        let mut mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
        for part in [self.id(), ".", self.header("webhook-timestamp"), ".", &self.body] {
            mac.update(part.as_bytes());
        }
        let signature = self.header("webhook-signature").strip_prefix("v1,").unwrap();
        mac.verify_slice(&Base64::decode_vec(signature).unwrap()).expect("the signature holds");
        assert_eq!(self.header("content-type"), "application/json");
        serde_json::from_str(&self.body).unwrap()
    }
}

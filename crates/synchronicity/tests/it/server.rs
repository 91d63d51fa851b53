//! Servers of these tests, on loopback, and whatever a server can do to whoever reads from it.
#![allow(clippy::unwrap_used, reason = "a trial that panics is a failed trial, as in any test")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What a server does with one request.
pub(crate) enum Answer {
    /// Status 200 and these bytes.
    Whole(Vec<u8>),
    /// Only a status.
    Status(u16),
    /// These bytes, head and all, and the connection is closed.
    Raw(Vec<u8>),
    /// These bytes, head and all, and then nothing, without an end.
    Silence(Vec<u8>),
    /// These bytes, head and all, and then the last of them again and again, one now and then.
    Drip(Vec<u8>),
    /// These bytes, head and all, and then the second piece again and again, as fast as it is taken.
    Flood(Vec<u8>, Vec<u8>),
}

/// A running server. It ends with the test's process.
pub(crate) struct Server {
    /// `http://HOST:PORT`.
    pub(crate) address: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// Answers each GET as `answer` says of its path, which begins with a slash.
    pub(crate) fn start(answer: impl Fn(&str) -> Answer + Send + Sync + 'static) -> Self {
        Self::start_in_parts(move |path, _| answer(path))
    }

    /// The same of its path and of the part of the file that it asks for.
    pub(crate) fn start_in_parts(answer: impl Fn(&str, Option<Part>) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (answer, paths) = (Arc::new(answer), Arc::clone(&asked));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (answer, paths) = (Arc::clone(&answer), Arc::clone(&paths));
                // A client that has enough hangs up.
                std::thread::spawn(move || drop(serve(stream.unwrap(), &paths, &*answer)));
            }
        });
        Self { address, asked }
    }

    /// Every path that was asked for, in order.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

/// The part of a file that a request asks for: its first byte and its last.
pub(crate) type Part = (usize, usize);

/// That part of `bytes`; all of them if none is asked for.
pub(crate) fn part_of(bytes: &[u8], part: Option<Part>) -> Answer {
    let Some((first, last)) = part else { return Answer::Whole(bytes.to_vec()) };
    let last = last.min(bytes.len() - 1);
    let range = format!("Content-Range: bytes {first}-{last}/{}\r\nContent-Length: {}", bytes.len(), last + 1 - first);
    Answer::Raw([head(206, &range), bytes[first..=last].to_vec()].concat())
}

fn serve(
    mut stream: TcpStream,
    paths: &Mutex<Vec<String>>,
    answer: &dyn Fn(&str, Option<Part>) -> Answer,
) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let (mut request, mut line, mut part) = (String::new(), String::new(), None);
    reader.read_line(&mut request)?;
    while reader.read_line(&mut line)? > 2 {
        let range = line.to_ascii_lowercase();
        let range = range.trim_end().strip_prefix("range: bytes=").and_then(|range| range.split_once('-'));
        part = range.map(|(first, last)| (first.parse().unwrap(), last.parse().unwrap())).or(part);
        line.clear();
    }
    let path = request.split(' ').nth(1).unwrap_or_default();
    paths.lock().unwrap().push(path.to_owned());
    match answer(path, part) {
        Answer::Whole(body) => {
            stream.write_all(&head(200, &format!("Content-Length: {}", body.len())))?;
            stream.write_all(&body)
        }
        Answer::Status(status) => stream.write_all(&head(status, "Content-Length: 0")),
        Answer::Raw(bytes) => stream.write_all(&bytes),
        Answer::Silence(bytes) => {
            stream.write_all(&bytes)?;
            reader.read_to_end(&mut Vec::new()).map(drop)
        }
        Answer::Drip(bytes) => {
            stream.write_all(&bytes)?;
            loop {
                stream.write_all(&bytes[bytes.len() - 1..])?;
                std::thread::sleep(Duration::from_millis(5));
            }
        }
        Answer::Flood(bytes, again) => {
            stream.write_all(&bytes)?;
            loop {
                stream.write_all(&again)?;
            }
        }
    }
}

/// The head of an answer.
pub(crate) fn head(status: u16, header: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status} X\r\nConnection: close\r\n{header}\r\n\r\n").into_bytes()
}

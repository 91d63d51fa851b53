//! The way from a namespace without any route to the world: a proxy that connects to whatever it is told.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread;

/// Serves at this address for as long as this process lives: the address for `HTTPS_PROXY`.
pub(crate) fn serve(host: &str) -> String {
    let listener = TcpListener::bind((host, 0)).unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for stream in listener.incoming().filter_map(Result::ok) {
            // A node that was killed has nobody left to tell.
            thread::spawn(move || drop(tunnel(stream)));
        }
    });
    address
}

fn tunnel(client: TcpStream) -> io::Result<()> {
    let mut reader = BufReader::new(client.try_clone()?);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let target = line.strip_prefix("CONNECT ").and_then(|rest| rest.split(' ').next()).map(str::to_owned);
    while line.trim_end() != "" {
        line.clear();
        reader.read_line(&mut line)?;
    }
    let server = TcpStream::connect(target.ok_or(io::ErrorKind::InvalidData)?)?;
    (&client).write_all(b"HTTP/1.1 200 Connected\r\n\r\n")?;
    let (mut up, mut down) = (server.try_clone()?, client.try_clone()?);
    thread::spawn(move || {
        let _ = io::copy(&mut reader, &mut up);
        let _ = up.shutdown(Shutdown::Write);
    });
    io::copy(&mut &server, &mut down)?;
    down.shutdown(Shutdown::Both)
}

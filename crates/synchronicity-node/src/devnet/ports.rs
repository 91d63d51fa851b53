//! Ports of loopback for nodes that come and go.

use std::fs;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::net::{Ipv4Addr, TcpListener};

/// Below are the ports of well-known services.
const FIRST: u16 = 10_000;
/// Where Linux begins to take ports for outgoing connections, unless it is configured otherwise.
const USUAL_END: u16 = 32_768;

/// Ports that are free now, all different: each is held until all are known. Where the kernel's configuration leaves room
/// for that, none is one that it gives to outgoing connections, or a node that is killed and started again might find its
/// own port taken. Between here and the start of its node another program may still take one; the node then says so.
pub fn free(count: usize) -> io::Result<Vec<u16>> {
    let range = FIRST..end();
    let start = RandomState::new().hash_one("ports") as usize % range.len();
    let candidates = range.clone().cycle().skip(start).take(range.len());
    let held = candidates.filter_map(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).ok());
    let held: Vec<TcpListener> = held.take(count).collect();
    if held.len() < count {
        return Err(io::Error::new(io::ErrorKind::AddrInUse, format!("no {count} ports of {range:?} are free")));
    }
    held.iter().map(|listener| Ok(listener.local_addr()?.port())).collect()
}

/// Where the range of the kernel begins, if that leaves any room.
fn end() -> u16 {
    let range = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or_default();
    let first = range.split_whitespace().next().and_then(|first| first.parse().ok());
    first.filter(|first| *first >= 2 * FIRST).unwrap_or(USUAL_END)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_port_is_given_twice_or_to_an_outgoing_connection() {
        let ports = free(16).unwrap();
        let held: Vec<_> = ports.iter().map(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).unwrap()).collect();
        assert_eq!(held.len(), 16);
        let range = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap();
        let first: u16 = range.split_whitespace().next().unwrap().parse().unwrap();
        assert!(first < 2 * FIRST || ports.iter().all(|port| *port < first), "{ports:?}");
    }
}

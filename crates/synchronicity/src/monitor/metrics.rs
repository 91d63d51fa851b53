//! Numbers for Prometheus, in its text format, on a listener of this machine only.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::error::MonitorError;
use super::events::Kind;
use crate::age::now_s;

/// Bytes of a request that are read.
const REQUEST_MAX: usize = 8 << 10;
/// Time that one request gets. They are answered one after the other.
const TIME: Duration = Duration::from_secs(2);

/// What the last pass left.
#[derive(Default)]
pub(super) struct View {
    pub(super) nodes: Vec<NodeView>,
    /// Entries of the monitor's own copy.
    pub(super) size: u64,
    /// How many are open.
    pub(super) alarms: BTreeMap<(String, Kind), u64>,
    pub(super) passes: u64,
    pub(super) last_pass_s: u64,
    /// Events that the webhook did not take; none without one.
    pub(super) undelivered: Option<u64>,
}

pub(super) struct NodeView {
    pub(super) url: String,
    pub(super) reachable: bool,
    pub(super) size: Option<u64>,
    pub(super) vouched_s: Option<u64>,
    pub(super) stale: bool,
}

/// Serves the numbers until the program ends, and gives the address.
pub(super) fn serve(address: &str, view: Arc<Mutex<View>>) -> Result<SocketAddr, MonitorError> {
    let parsed: Option<SocketAddr> = address.parse().ok();
    let wrong = || MonitorError::Usage(format!("--metrics: {address:?} is no loopback address with a port"));
    let wanted = parsed.filter(|address| address.ip().is_loopback()).ok_or_else(wrong)?;
    let failed = |error| MonitorError::Listen { address: address.to_owned(), error };
    let listener = TcpListener::bind(wanted).map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    thread::spawn(move || {
        for stream in listener.incoming() {
            let text = || render(&view.lock().unwrap_or_else(PoisonError::into_inner), now_s());
            match stream.and_then(|stream| answer(stream, text)) {
                Ok(()) => {}
                // Without a pause a machine without file descriptors would be kept busy by this.
                Err(_) => thread::sleep(Duration::from_millis(10)),
            }
        }
    });
    Ok(bound)
}

fn answer(mut stream: TcpStream, text: impl Fn() -> String) -> io::Result<()> {
    let until = Instant::now() + TIME;
    stream.set_write_timeout(Some(TIME))?;
    let (mut request, mut piece) = (Vec::new(), [0; 1024]);
    while !request.windows(4).any(|end| end == b"\r\n\r\n") {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() || request.len() > REQUEST_MAX {
            return Ok(());
        }
        stream.set_read_timeout(Some(left))?;
        match stream.read(&mut piece)? {
            0 => return Ok(()),
            count => request.extend_from_slice(&piece[..count]),
        }
    }
    let (status, body) = match request.starts_with(b"GET /metrics ") {
        true => ("200 OK", text()),
        false => ("404 Not Found", "only GET /metrics\n".to_owned()),
    };
    let kind = "text/plain; version=0.0.4; charset=utf-8";
    let length = body.len();
    let head =
        format!("HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
    stream.write_all((head + &body).as_bytes())
}

fn render(view: &View, now_s: u64) -> String {
    let mut text = Text(String::new());
    text.single("entries", "gauge", "Entries that were verified.", view.size);
    text.single("passes_total", "counter", "Passes over all nodes.", view.passes);
    text.single("last_pass_timestamp_seconds", "gauge", "When the last pass ended.", view.last_pass_s);
    if let Some(count) = view.undelivered {
        text.single("webhook_undelivered_total", "counter", "Events that the webhook did not take.", count);
    }
    let nodes = |value: fn(&NodeView, u64) -> Option<u64>| {
        let line = move |node: &NodeView| Some((label("node", &node.url), value(node, now_s)?));
        view.nodes.iter().filter_map(line).collect::<Vec<_>>()
    };
    text.family("node_up", "Whether all of the node could be checked.", nodes(|n, _| Some(n.reachable.into())));
    text.family("node_size", "Entries of the node's newest good checkpoint.", nodes(|n, _| n.size));
    let age = nodes(|node, now_s| node.vouched_s.map(|vouched_s| now_s.saturating_sub(vouched_s)));
    text.family("node_age_seconds", "How long ago a quorum vouched for what the node shows.", age);
    text.family("node_stale", "Whether that is longer ago than --max-age.", nodes(|n, _| Some(n.stale.into())));
    let alarms = Kind::ALL.into_iter().map(|kind| {
        let count = view.alarms.iter().filter(|((_, other), _)| *other == kind).map(|(_, count)| count).sum();
        (label("kind", kind.as_str()), count)
    });
    text.family("alarms", "Alarms that are open, by kind.", alarms.collect());
    let by_node = view
        .alarms
        .iter()
        .map(|((node, kind), count)| (format!("{},{}", label("node", node), label("kind", kind.as_str())), *count));
    text.family("node_alarms", "Alarms that are open, by node and kind.", by_node.collect());
    text.0
}

struct Text(String);

impl Text {
    fn single(&mut self, name: &str, kind: &str, help: &str, value: u64) {
        self.head(name, kind, help);
        self.line(name, "", value);
    }

    fn family(&mut self, name: &str, help: &str, lines: Vec<(String, u64)>) {
        self.head(name, "gauge", help);
        lines.into_iter().for_each(|(labels, value)| self.line(name, &format!("{{{labels}}}"), value));
    }

    // Writing to a string does not fail.
    fn head(&mut self, name: &str, kind: &str, help: &str) {
        let _ =
            write!(self.0, "# HELP synchronicity_monitor_{name} {help}\n# TYPE synchronicity_monitor_{name} {kind}\n");
    }

    fn line(&mut self, name: &str, labels: &str, value: u64) {
        let _ = writeln!(self.0, "synchronicity_monitor_{name}{labels} {value}");
    }
}

fn label(name: &str, value: &str) -> String {
    format!("{name}=\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"))
}

//! `monitor`: follows the nodes of a log, and finds out when they, or their group, do not keep their word.
//!
//! ```text
//! checkpoint ── signatures, quorum, age                     each node
//!     │
//! entries ───── replayed, hashed up to the signed root      each node, on top of the monitor's own copy
//!     │
//! the copy ──── grows by the longest good log               written, synced, renamed, then told
//!     │
//! comparison ── roots, tiles, entries, lookups              each node, against the copy
//! ```
//!
//! `docs/monitoring.md` says what it finds and what it cannot.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use clap::Args;

use crate::age::Age;
use crate::exit::{self, Stop};
use crate::policies::choice::Choice;

mod error;
mod events;
mod extend;
mod lookup;
mod metrics;
mod node;
mod own;
mod pass;
mod reader;
mod seen;
mod state;
mod tell;
mod trusted;
mod webhook;

use error::MonitorError;

/// The most nodes that are followed: each has a thread.
const NODES_MAX: usize = 64;

#[derive(Debug, Args)]
#[command(after_help = exit::HELP)]
pub(crate) struct MonitorArgs {
    /// Nodes of one log, or copies of it, as in http://127.0.0.1:8080
    #[arg(value_name = "URL", required = true)]
    nodes: Vec<String>,
    #[command(flatten)]
    policy: Choice,
    /// Where the monitor keeps its copy of the log, what it saw, and its evidence
    #[arg(long, value_name = "DIR")]
    state: PathBuf,
    /// Check once, and exit: 0 if all is well, 40 if something is wrong, 75 if no node was good and fresh
    #[arg(long)]
    once: bool,
    /// Time between the beginnings of two passes
    #[arg(long, value_name = "TIME", default_value = "60s", conflicts_with = "once")]
    every: Age,
    /// Call a node stale if no quorum vouched for its checkpoint within this time, as in 36h or 7d
    #[arg(long, value_name = "TIME")]
    max_age: Option<Age>,
    /// Time that each node has in a pass, besides a quarter of a second for each file that is due
    #[arg(long, value_name = "TIME", default_value = "2m")]
    patience: Age,
    /// Post each alarm, and its end, to this address as JSON
    #[arg(long, value_name = "URL")]
    webhook: Option<String>,
    /// Serve numbers for Prometheus here, as in 127.0.0.1:9190
    #[arg(long, value_name = "ADDR")]
    metrics: Option<String>,
    /// Print a line of JSON for each event
    #[arg(long)]
    pub(crate) json: bool,
}

/// Checks once, or again and again until a signal, and gives the exit code for what was found.
pub(crate) fn monitor(args: &MonitorArgs) -> Result<u8, Stop> {
    let policy = args.policy.one()?;
    let stop = signals()?;
    let patience = Duration::from_secs(args.patience.seconds);
    let sources = sources(&args.nodes, patience)?;
    let view = Arc::new(Mutex::new(metrics::View::default()));
    if let Some(address) = &args.metrics {
        let bound = metrics::serve(address, Arc::clone(&view))?;
        note!("metrics at http://{bound}/metrics");
    }
    let webhook = args.webhook.as_deref().map(web).transpose()?.map(webhook::Webhook::new);
    let state = state::State::open(&args.state)?;
    let trusted = state.trusted(trusted::Trusted::new(policy))?;
    let own = own::Own::open(args.state.join("log"), &trusted)?;
    let node = |(url, source): (String, _)| {
        let (last, done) = state.node(&url, &trusted)?;
        Ok(node::Node { url, source, last, done, told_no_lookup: false })
    };
    let nodes = sources.into_iter().map(node).collect::<Result<_, MonitorError>>()?;
    let rules = node::Rules { trusted, max_age: args.max_age, patience };
    let teller = tell::Teller { json: args.json, webhook, view };
    let mut monitor = pass::Monitor { rules, state, own, nodes, teller };
    monitor.tell_open()?;
    let answer = follow(&mut monitor, args, &stop);
    // What waits is delivered also when the monitor cannot go on.
    if let Some(webhook) = monitor.teller.webhook.take() {
        webhook.end();
    }
    Ok(answer?)
}

/// The worst that was found: something wrong before nothing reached before all well.
fn follow(monitor: &mut pass::Monitor, args: &MonitorArgs, stop: &AtomicBool) -> Result<u8, MonitorError> {
    let mut wrong = false;
    loop {
        let begin = Instant::now();
        let code = monitor.pass()?;
        wrong |= code == exit::INVALID;
        while !args.once && !stop.load(Ordering::Relaxed) && begin.elapsed().as_secs() < args.every.seconds {
            thread::sleep(Duration::from_millis(50));
        }
        if args.once || stop.load(Ordering::Relaxed) {
            return Ok(if wrong { exit::INVALID } else { code });
        }
    }
}

fn signals() -> Result<Arc<AtomicBool>, MonitorError> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        // The second one ends the program at once: what was told is kept whenever it ends.
        signal_hook::flag::register_conditional_default(signal, Arc::clone(&stop)).map_err(MonitorError::Signals)?;
        signal_hook::flag::register(signal, Arc::clone(&stop)).map_err(MonitorError::Signals)?;
    }
    Ok(stop)
}

fn sources(urls: &[String], patience: Duration) -> Result<Vec<(String, crate::source::Source)>, MonitorError> {
    let urls: Vec<String> = urls.iter().map(|url| url.trim_end_matches('/').to_owned()).collect();
    if urls.len() > NODES_MAX || urls.iter().collect::<BTreeSet<_>>().len() < urls.len() {
        return Err(MonitorError::Usage(format!("name at most {NODES_MAX} nodes, each once")));
    }
    let source = |url: String| {
        let source = reader::source(&url, patience).map_err(|error| MonitorError::Usage(error.to_string()))?;
        Ok((url, source))
    };
    urls.into_iter().map(source).collect()
}

fn web(url: &str) -> Result<String, MonitorError> {
    let good = ["http://", "https://"].iter().any(|scheme| url.starts_with(scheme));
    if good { Ok(url.to_owned()) } else { Err(MonitorError::Usage(format!("--webhook: {url:?} is no address"))) }
}

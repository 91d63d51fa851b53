//! What the nodes say about why a request diverged: waits for the first of them that has an explanation.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::LOOK_EVERY;
use super::children::{Children, Node};
use super::event::Event;
use super::interrupt::Interrupt;
use super::outcome::OutcomeError;
use super::stop::DevnetError;
use super::watch::Watch;

/// How long the nodes get: they fetch from each other and compare, next to nothing else.
const PATIENCE: Duration = Duration::from_secs(90);

/// A node that failed so often has said why. The first attempt may come before the others have seen the verdict.
const ATTEMPTS: u64 = 2;

/// Waits, writes what is told to `to`, and gives it as an event.
pub(super) fn wait(
    (name_version, request, to): (&str, &str, PathBuf),
    watch: &Watch,
    children: &Children,
    interrupt: &Interrupt,
) -> Result<Event, DevnetError> {
    let since = Instant::now();
    loop {
        interrupt.check()?;
        let told: Vec<Option<Value>> = children.nodes.iter().map(|node| ask(watch, node, request)).collect();
        let is = |told: &&Value, state: &str| told["state"] == state;
        let explained = told.iter().flatten().find(|told| is(told, "explained"));
        let is_hopeless = !told
            .iter()
            .flatten()
            .any(|told| is(&told, "pending") && told["attempts"].as_u64().is_none_or(|attempts| attempts < ATTEMPTS));
        if explained.is_some() || is_hopeless || since.elapsed() > PATIENCE {
            let told = explained.or_else(|| told.iter().flatten().next()).cloned().unwrap_or_default();
            fs::write(&to, format!("{told:#}\n")).map_err(|source| OutcomeError::Write { path: to, source })?;
            return Ok(Event::Explained { name_version: name_version.to_owned(), told });
        }
        std::thread::sleep(LOOK_EVERY);
    }
}

fn ask(watch: &Watch, node: &Node, request: &str) -> Option<Value> {
    serde_json::from_slice(&watch.get(node, &format!("/explanations/{request}")).ok()?).ok()
}

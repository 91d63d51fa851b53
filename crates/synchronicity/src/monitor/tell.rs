//! Who is told what was found.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::error::MonitorError;
use super::events::Event;
use super::metrics::{NodeView, View};
use super::node::{Findings, Node};
use super::state::Open;
use super::webhook::Webhook;
use crate::age::now_s;

pub(super) struct Teller {
    pub(super) json: bool,
    pub(super) webhook: Option<Webhook>,
    pub(super) view: Arc<Mutex<View>>,
}

impl Teller {
    pub(super) fn tell(&self, event: &Event) -> Result<(), MonitorError> {
        if let Some(webhook) = self.webhook.as_ref().filter(|_| matches!(event.name, "alarm" | "recovered")) {
            webhook.send(event.json().to_string());
        }
        event.print(self.json).map_err(MonitorError::Output)
    }

    /// What the metrics say from now on.
    pub(super) fn show(&self, size: u64, nodes: &[Node], all: &[Findings], alarms: &BTreeMap<String, Open>) {
        let nodes = nodes.iter().zip(all).map(|(node, findings)| NodeView {
            url: node.url.clone(),
            reachable: findings.seen.is_some() && findings.away.is_none(),
            size: node.last.as_ref().map(|last| last.size()),
            vouched_s: findings.seen.as_ref().and_then(|seen| seen.vouched_s),
            stale: findings.stale.is_some(),
        });
        let mut counts = BTreeMap::new();
        for open in alarms.values() {
            *counts.entry((open.node.clone(), open.kind)).or_insert(0) += 1;
        }
        let mut view = self.view.lock().unwrap_or_else(PoisonError::into_inner);
        let passes = view.passes + 1;
        let undelivered = self.webhook.as_ref().map(Webhook::undelivered);
        *view = View { nodes: nodes.collect(), size, alarms: counts, passes, last_pass_s: now_s(), undelivered };
    }
}

//! One pass over all nodes: fetch, take over, compare, keep, tell. In this order, so that nothing is told that is not kept.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::thread;

use serde_json::json;
use synchronicity_verify::entry::Entry;
use synchronicity_verify::leaf::Leaf;
use synchronicity_verify::membership::MembershipEntry;
use synchronicity_verify::tile::TILE_WIDTH;

use super::error::MonitorError;
use super::events::{Alarm, Event, Kind};
use super::extend::contradiction;
use super::node::{Findings, Node, Rules, first, refused, second};
use super::own::Own;
use super::reader::{Reader, Trouble};
use super::seen::relate;
use super::state::State;
use super::tell::Teller;
use super::trusted::Trusted;
use crate::age::how_fresh;
use crate::exit;

pub(super) struct Monitor {
    pub(super) rules: Rules,
    pub(super) state: State,
    pub(super) own: Own,
    pub(super) nodes: Vec<Node>,
    pub(super) teller: Teller,
}

impl Monitor {
    /// Checks everything once, and gives the exit code for what is known then.
    pub(super) fn pass(&mut self) -> Result<u8, MonitorError> {
        let spool = self.state.spool()?;
        let start = self.nodes.iter().map(|node| Findings { done: node.done, ..Findings::default() }).collect();
        let mut all = self.each(start, |at, node, findings| {
            first(node, &self.own, &self.rules, spool.join(at.to_string()), findings)
        })?;
        self.follow(&mut all)?;
        self.take_over(&mut all)?;
        let mut all = self.each(all, |_, node, findings| match findings.seen.clone() {
            Some(seen) if findings.away.is_none() => second(node, &seen, &self.own, &self.rules, findings),
            _ => Ok(()),
        })?;
        self.compare_each_other(&mut all)?;
        self.keep_and_tell(&all)
    }

    /// Does something for each node, all at once. A node that is slow or wrong does not keep the others waiting longer
    /// than its own time.
    fn each(
        &self,
        all: Vec<Findings>,
        check: impl Fn(usize, &Node, &mut Findings) -> Result<(), Trouble> + Sync,
    ) -> Result<Vec<Findings>, MonitorError> {
        let check = &check;
        thread::scope(|scope| {
            let nodes = self.nodes.iter().zip(all).enumerate();
            let threads: Vec<_> = nodes
                .map(|(at, (node, mut findings))| {
                    scope.spawn(move || {
                        if let Err(trouble) = check(at, node, &mut findings) {
                            findings.take(trouble)?;
                        }
                        Ok(findings)
                    })
                })
                .collect();
            let join = |thread: thread::ScopedJoinHandle<'_, _>| match thread.join() {
                Ok(findings) => findings,
                Err(panic) => std::panic::resume_unwind(panic),
            };
            threads.into_iter().map(join).collect()
        })
    }

    /// The members that most changes lead to are those in force: kept before a checkpoint of theirs is.
    fn follow(&mut self, all: &mut [Findings]) -> Result<(), MonitorError> {
        let found = all.iter_mut().filter_map(|findings| findings.followed.take());
        let Some((trusted, succession)) = found.max_by_key(|(trusted, _)| trusted.changes()) else { return Ok(()) };
        self.state.keep_succession(&succession)?;
        self.teller.tell(&followed(&trusted))?;
        self.rules.trusted = trusted;
        // What was read under the policy before may be of members who have left.
        for (node, findings) in self.nodes.iter().zip(all) {
            let Some(note) = findings.seen.as_ref().map(|seen| seen.note.to_string()) else { continue };
            if let Err(error) = self.rules.trusted.checkpoint(note.as_bytes()) {
                (findings.seen, findings.candidate) = (None, None);
                let reader = Reader::new(&node.url, &node.source, self.rules.patience);
                findings.alarms.push(refused(&reader, &error, note));
            }
        }
        Ok(())
    }

    /// The longest good log becomes the copy.
    fn take_over(&mut self, all: &mut [Findings]) -> Result<(), MonitorError> {
        let candidates = all.iter_mut().filter_map(|findings| findings.candidate.take());
        match candidates.max_by_key(|candidate| candidate.seen.size()) {
            Some(longest) => self.own.commit(longest),
            None => Ok(()),
        }
    }

    /// Those that are ahead of the copy, because an entry broke a rule or was not there, are held against one another.
    fn compare_each_other(&self, all: &mut [Findings]) -> Result<(), MonitorError> {
        let ahead = |findings: &Findings| findings.seen.clone().filter(|seen| seen.size() > self.own.size());
        let longest = (0..all.len()).max_by_key(|at| ahead(&all[*at]).map(|seen| seen.size()));
        let Some((at, newest)) = longest.and_then(|at| Some((at, ahead(&all[at])?))) else { return Ok(()) };
        let node = &self.nodes[at];
        for other in (0..all.len()).filter(|other| *other != at) {
            let Some(older) = ahead(&all[other]) else { continue };
            let mut reader = Reader::new(&node.url, &node.source, self.rules.patience);
            reader.grant(64);
            let read = |path| reader.tile(path, Kind::Tiles);
            let found = relate(&older, &newest, newest.size(), &self.rules.trusted, read);
            let here = Reader::new(&self.nodes[other].url, &self.nodes[other].source, self.rules.patience);
            match found {
                Ok(relation) => all[other].alarms.extend(contradiction(&here, &older, &newest, relation)),
                Err(trouble) => all[at].take(trouble)?,
            }
        }
        Ok(())
    }

    fn keep_and_tell(&mut self, all: &[Findings]) -> Result<u8, MonitorError> {
        for (at, findings) in all.iter().enumerate() {
            let fresh = self.keep_node(at, findings)?;
            if fresh && let Some(event) = checkpoint(&self.nodes[at]) {
                self.teller.tell(&event)?;
            }
        }
        self.tell_entries()?;
        for alarm in all.iter().flat_map(|findings| &findings.alarms) {
            if self.state.raise(alarm)? {
                self.teller.tell(&told(&self.state.evidence(&alarm.id()), alarm))?;
            }
        }
        self.recover(all)?;
        for (node, findings) in self.nodes.iter_mut().zip(all) {
            for (name, words) in [("unreachable", &findings.away), ("stale", &findings.stale)] {
                let Some(words) = words else { continue };
                self.teller.tell(&Event::of_node(name, &node.url, words))?;
            }
            if !(findings.no_lookup && node.told_no_lookup) {
                for words in &findings.warnings {
                    self.teller.tell(&Event::of_node("warning", &node.url, words))?;
                }
            }
            node.told_no_lookup |= findings.no_lookup;
        }
        self.sum_up(all)
    }

    /// Whether the node has a good checkpoint of a size that it had not before.
    fn keep_node(&mut self, at: usize, findings: &Findings) -> Result<bool, MonitorError> {
        let node = &mut self.nodes[at];
        let Some(seen) = findings.seen.as_ref().filter(|_| findings.related) else { return Ok(false) };
        let last = node.last.as_ref();
        if last.is_some_and(|last| last.size() > seen.size()) || (last == Some(seen) && node.done == findings.done) {
            return Ok(false);
        }
        self.state.keep_node(&node.url, seen, findings.done)?;
        let fresh = last.is_none_or(|last| last.checkpoint != seen.checkpoint);
        (node.last, node.done) = (Some(seen.clone()), findings.done);
        Ok(fresh)
    }

    /// Each entry is told at least once: after a crash perhaps again.
    fn tell_entries(&mut self) -> Result<(), MonitorError> {
        let width = u64::from(TILE_WIDTH);
        while self.state.told() < self.own.size() {
            let from = self.state.told();
            let to = (from / width * width + width).min(self.own.size());
            // One bundle at a time: the log may be long.
            for (index, bytes) in (from..).zip(self.own.entries(from, to)?) {
                match Leaf::from_bytes(&bytes) {
                    Ok(Leaf::Build(entry)) => self.teller.tell(&logged(index, &entry))?,
                    Ok(Leaf::Membership(entry)) => self.teller.tell(&succeeded(index, &entry))?,
                    // Nothing gets into the copy that cannot be read.
                    Err(_) => {}
                }
            }
            self.state.keep_told(to)?;
        }
        Ok(())
    }

    /// Ends the alarms of nodes at which all was checked and nothing found, and of those that are not followed any more.
    fn recover(&mut self, all: &[Findings]) -> Result<(), MonitorError> {
        let nodes = self.nodes.iter().zip(all);
        let bad = nodes.filter(|(_, findings)| findings.away.is_some() || !findings.alarms.is_empty());
        let bad: BTreeSet<&str> = bad.map(|(node, _)| node.url.as_str()).collect();
        for (id, open) in self.state.end(|_, open| !open.kind.lasts() && !bad.contains(open.node.as_str()))? {
            let fields = json!({ "id": id, "kind": open.kind.as_str(), "node": open.node, "since": open.since_s });
            let words = format!("{}: {} is over: {}", open.node, open.kind.as_str(), open.words);
            self.teller.tell(&Event::new("recovered", words, fields))?;
        }
        Ok(())
    }

    fn sum_up(&mut self, all: &[Findings]) -> Result<u8, MonitorError> {
        let good = |findings: &&Findings| {
            findings.related && findings.away.is_none() && findings.stale.is_none() && findings.alarms.is_empty()
        };
        let good = all.iter().filter(good).count();
        let alarms = self.state.alarms().len();
        let code = match (alarms, good) {
            (0, 0) => exit::TRY_LATER,
            (0, _) => exit::OK,
            _ => exit::INVALID,
        };
        self.teller.show(self.own.size(), &self.nodes, all, self.state.alarms());
        let (size, nodes) = (self.own.size(), all.len());
        let words = format!("{size} entries verified; {good} of {nodes} nodes good and fresh; {alarms} alarms");
        let fields = json!({ "size": size, "good": good, "nodes": nodes, "alarms": alarms, "exit": code });
        self.teller.tell(&Event::new("pass", words, fields))?;
        Ok(code)
    }

    /// The alarms that a monitor before this one left open.
    pub(super) fn tell_open(&mut self) -> Result<(), MonitorError> {
        for (id, open) in self.state.alarms() {
            let event = alarm_event(id, open.kind, &open.node, &open.words, self.state.evidence(id), true);
            self.teller.tell(&event)?;
        }
        Ok(())
    }
}

fn checkpoint(node: &Node) -> Option<Event> {
    let seen = node.last.as_ref()?;
    let words = format!("{}: {}, {}", node.url, seen.in_words(), how_fresh(seen.vouched_s));
    let (size, root) = (seen.size(), seen.root().to_string());
    let fields = json!({ "node": node.url, "size": size, "root": root, "vouched": seen.vouched_s });
    Some(Event::new("checkpoint", words, fields))
}

fn logged(index: u64, entry: &Entry) -> Event {
    let (purl, verdict) = (entry.request.source.purl(), entry.verdict.as_str());
    let fields = json!({
        "index": index,
        "purl": purl,
        "verdict": verdict,
        "attempt": entry.round + 1,
        "request": entry.request.id().to_string(),
        "agreeing": entry.agreeing().count(),
        "members": entry.members.len(),
    });
    Event::new("entry", format!("{index}: {verdict} {purl}"), fields)
}

/// By whose signatures the log is followed from here on.
fn followed(trusted: &Trusted) -> Event {
    let (policy, changes) = (trusted.newest(), trusted.changes());
    let (quorum, text) = (policy.quorum_in_words(), policy.to_string());
    let words = format!("followed the group through {changes} changes of members: {quorum} must sign now");
    Event::new("policy", words, json!({ "changes": changes, "quorum": quorum, "policy": text }))
}

/// Clients that follow the log by a policy need another one from here on.
fn succeeded(index: u64, entry: &MembershipEntry) -> Event {
    let next = &entry.next;
    let names: Vec<&str> = next.members.iter().map(|member| member.name.as_str()).collect();
    let approvals = entry.members.iter().filter(|voter| voter.approval.is_some()).count();
    let fields = json!({
        "index": index,
        "epoch": next.epoch,
        "group": entry.next_group.to_string(),
        "threshold": next.threshold,
        "members": names,
        "approvals": approvals,
        "voters": entry.members.len(),
    });
    let words = format!("{index}: epoch {} begins, threshold {} of {}", next.epoch, next.threshold, names.join(" "));
    Event::new("membership", words, fields)
}

fn told(evidence: &std::path::Path, alarm: &Alarm) -> Event {
    alarm_event(&alarm.id(), alarm.kind, &alarm.node, &alarm.words, evidence.to_owned(), false)
}

fn alarm_event(id: &str, kind: Kind, node: &str, words: &str, evidence: PathBuf, again: bool) -> Event {
    let fields = json!({
        "id": id,
        "kind": kind.as_str(),
        "node": node,
        "words": words,
        "evidence": evidence.display().to_string(),
        "again": again,
    });
    Event::new("alarm", format!("{node}: {}: {words}; see {}", kind.as_str(), evidence.display()), fields)
}

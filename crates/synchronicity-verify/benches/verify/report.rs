//! The tables, and whether the bounds hold.

use std::process::ExitCode;

use serde_json::json;

use crate::turns::Turns;

/// What a ratio may be.
#[derive(Clone, Copy)]
pub(crate) enum Bound {
    AtMost(f64),
    /// Shown only.
    None,
}

/// How costs grow with the tree.
pub(crate) struct Growth {
    pub(crate) log2: u32,
    pub(crate) append_ns: f64,
    pub(crate) check_ns: f64,
    /// Of a path.
    pub(crate) hashes: usize,
    pub(crate) proof_bytes: usize,
    /// By which the process grew while our tree was filled.
    pub(crate) resident_kib: i64,
    /// The same for the peer's, which keeps every hash: the measure does see memory.
    pub(crate) peer_resident_kib: i64,
}

/// Prints rows as they come and remembers whether all bounds hold.
pub(crate) struct Report {
    json: bool,
    broken: Vec<String>,
    growth: Vec<Growth>,
}

impl Report {
    pub(crate) fn new(json: bool) -> Self {
        if !json {
            println!("{:<50} {:>11}  {:<24} {:>11} {:>6}  bound", "what", "ours, ns", "peer", "peer, ns", "ratio");
        }
        Self { json, broken: Vec::new(), growth: Vec::new() }
    }

    /// One comparison: of contender `pair.0` (ours) with `pair.1`, who each made `calls` calls a round.
    pub(crate) fn row(
        &mut self,
        what: &str,
        peer: &str,
        turns: &Turns,
        pair: (usize, usize),
        calls: usize,
        bound: Bound,
    ) {
        let (ours_ns, peer_ns) = (turns.nanos(pair.0, calls), turns.nanos(pair.1, calls));
        let ratio = turns.ratio(pair.0, pair.1);
        let (limit, holds) = match bound {
            Bound::AtMost(limit) => (Some(limit), ratio <= limit),
            Bound::None => (None, true),
        };
        if !holds {
            self.broken.push(format!("{what} / {peer}: {ratio:.3}"));
        }
        if self.json {
            let row = json!({
                "what": what, "peer": peer, "ours_ns": ours_ns, "peer_ns": peer_ns, "ratio": ratio, "at_most": limit,
            });
            println!("{row}");
        } else {
            let limit = limit.map_or_else(|| "-".to_owned(), |limit| format!("{limit}"));
            println!("{what:<50} {ours_ns:>11.0}  {peer:<24} {peer_ns:>11.0} {ratio:>6.3}  {limit}");
        }
    }

    pub(crate) fn growth(&mut self, growth: Growth) {
        self.growth.push(growth);
    }

    /// Prints how costs grow, and which bounds are broken: status 1 if any is.
    pub(crate) fn finish(self) -> ExitCode {
        if !self.json {
            println!();
            let (ours, peer) = ("resident, KiB", "tlog_tiles', KiB");
            println!("leaves  append, ns   check, ns  path, hashes  proof, bytes  {ours:>13}  {peer:>16}");
        }
        for at in &self.growth {
            if self.json {
                let row = json!({
                    "size_log2": at.log2, "append_ns": at.append_ns, "check_ns": at.check_ns, "path_hashes": at.hashes,
                    "proof_bytes": at.proof_bytes, "resident_kib": at.resident_kib,
                    "peer_resident_kib": at.peer_resident_kib,
                });
                println!("{row}");
            } else {
                let Growth { log2, append_ns, check_ns, hashes, proof_bytes, resident_kib, peer_resident_kib } = at;
                print!("{:>6}  {append_ns:>10.0}  {check_ns:>10.0}  {hashes:>12}", format!("2^{log2}"));
                println!("  {proof_bytes:>12}  {resident_kib:>13}  {peer_resident_kib:>16}");
            }
        }
        for broken in &self.broken {
            eprintln!("bound broken: {broken}");
        }
        if self.broken.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}

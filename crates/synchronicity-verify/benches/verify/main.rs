//! What the log and the verifier cost, as ratios to peers in the same run: `cargo bench -p synchronicity-verify`.
//!
//! One thread, CPU time, contenders in turns: whatever else the machine does hits all alike. Ends with status 1 if a
//! ratio breaks its bound. `-- --json` prints one JSON object for each row instead of the tables.

mod append;
mod decision;
mod inclusion;
mod report;
#[path = "../../tests/it/sample.rs"]
#[allow(dead_code, clippy::unwrap_used, reason = "made for the tests, which use the rest")]
mod sample;
mod stored;
mod turns;

use std::process::ExitCode;

use report::{Growth, Report};
use stored::Stored;

/// Sizes of the tree, as powers of two, at which costs are compared.
const SIZES_LOG2: [u32; 4] = [10, 16, 20, 24];
/// Beyond this the peer that keeps every leaf, and hashes a whole path for each, is left out: it would need minutes.
const CT_MERKLE_LOG2_MAX: u32 = 20;
/// The size that the bounds are for.
const BOUND_LOG2: u32 = 20;

fn main() -> ExitCode {
    let mut report = Report::new(std::env::args().any(|argument| argument == "--json"));
    for signatures in [3, 7, 21] {
        decision::compare(signatures, &mut report);
    }
    for log2 in SIZES_LOG2 {
        // Ours first: memory that a peer gave back must not hide what ours takes.
        let ours = append::Ours::grown_to(append::start(log2));
        let before = append::resident_kib();
        let mut stored = Stored::with_room_for(1 << log2);
        stored.grow_to(append::start(log2));
        let peer_resident_kib = append::resident_kib() - before;
        let append_ns = append::compare(log2, &ours, &mut stored, &mut report);
        stored.grow_to(1 << log2);
        let (check_ns, hashes, proof_bytes) = inclusion::compare(log2, &stored, &mut report);
        let resident_kib = ours.resident_kib;
        let growth = Growth { log2, append_ns, check_ns, hashes, proof_bytes, resident_kib, peer_resident_kib };
        report.growth(growth);
    }
    report.finish()
}

//! How long an explanation of a large pair takes, as a ratio to hashing both files in the same run: a reader of a
//! difference waits for it, and hashing is what everybody waits for anyway. `--json` prints one object instead.
#![allow(clippy::unwrap_used, reason = "a benchmark that cannot read its own executable has nothing to measure")]

use std::fs;
use std::hint::black_box;
use std::time::Instant;

use sha2::{Digest, Sha256};
use synchronicity_explain::facts::Facts;
use synchronicity_explain::{Limits, explain};

const ROUNDS: usize = 5;
const BYTES: usize = 50 << 20;
/// In `.rodata` of this very executable, where the second file has another.
const MARK: &[u8] = b"explained at 2026-11-24 by the benchmark";
/// Above this ratio the status is 1.
const RATIO_MAX: f64 = 20.0;

fn main() {
    let folder = tempfile::tempdir().unwrap();
    let mut bytes = fs::read("/proc/self/exe").unwrap();
    bytes.resize(bytes.len().max(BYTES), 0);
    let paths = [folder.path().join("first"), folder.path().join("second")];
    fs::write(&paths[0], &bytes).unwrap();
    let at = bytes.windows(MARK.len()).position(|window| window == black_box(MARK)).unwrap();
    bytes[at + 22] = b'9';
    fs::write(&paths[1], &bytes).unwrap();
    let mut ratios: Vec<(f64, f64, f64)> = (0..ROUNDS)
        .map(|_| {
            let since = Instant::now();
            let explanation = explain(&paths[0], &paths[1], &Facts::default(), &Limits::default()).unwrap();
            assert_eq!(explanation.causes().len(), 1, "{explanation:?}");
            let ours = since.elapsed().as_secs_f64();
            let since = Instant::now();
            for path in &paths {
                black_box(Sha256::digest(fs::read(path).unwrap()));
            }
            let peer = since.elapsed().as_secs_f64();
            (ours / peer, ours, peer)
        })
        .collect();
    ratios.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (ratio, ours, peer) = ratios[ROUNDS / 2];
    if std::env::args().any(|word| word == "--json") {
        println!("{{\"bytes\":{},\"explain_s\":{ours:.3},\"hash_s\":{peer:.3},\"ratio\":{ratio:.2}}}", bytes.len());
    } else {
        println!("a pair of {} bytes: explained in {ours:.3} s, hashed in {peer:.3} s, ratio {ratio:.2}", bytes.len());
    }
    std::process::exit(i32::from(ratio > RATIO_MAX));
}

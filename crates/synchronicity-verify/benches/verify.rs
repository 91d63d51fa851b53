//! The cost of one decision, against that of its signatures: `cargo bench -p synchronicity-verify`.
//!
//! A proof with four cosignatures (and the log's own, which makes five) is verified, alternating with four bare
//! strict Ed25519 verifications of messages of the same size, so that whatever else the machine does hits both alike.
//! Ends with status 1 if the ratio of the medians is above 1.5 or a decision takes a millisecond.

#[path = "../tests/it/sample.rs"]
#[allow(dead_code, clippy::unwrap_used, reason = "made for the tests, which use the rest")]
mod sample;

use std::hint::black_box;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use synchronicity_verify::digest::Digest;
use synchronicity_verify::verify::verify;

const ROUNDS: usize = 5;
const SAMPLES: usize = 1000;
const RATIO_MAX: f64 = 1.5;
const DECISION_MAX: Duration = Duration::from_millis(1);

fn main() -> ExitCode {
    // Rounds differ by what else the machine does and by where their data lies; the calmest is the code's own cost.
    let rounds = (0..ROUNDS).map(|_| round());
    let cost = |(decision, four): &(Duration, Duration)| decision.as_secs_f64() / four.as_secs_f64();
    let Some((decision, four)) = rounds.min_by(|a, b| cost(a).total_cmp(&cost(b))) else { return ExitCode::FAILURE };
    let ratio = cost(&(decision, four));
    println!(
        "verify, four cosigners and the log: {:6.1} µs (calmest of {ROUNDS} rounds of {SAMPLES})",
        micros(decision)
    );
    println!("four bare strict verifications:     {:6.1} µs", micros(four));
    println!("ratio: {ratio:.2} (at most {RATIO_MAX}); a decision may take {DECISION_MAX:?}");
    if ratio <= RATIO_MAX && decision < DECISION_MAX { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Median times of a decision and of four bare verifications, taken in turns.
fn round() -> (Duration, Duration) {
    let (proof, policy) = (sample::good_proof().to_string(), sample::policy(3));
    let message = format!("cosignature/v1\ntime {}\n{}", sample::TIME_S, sample::good_proof().checkpoint.text);
    let bare: Vec<(VerifyingKey, Signature)> = (0..4_u8)
        .map(|member| SigningKey::from_bytes(&Digest::of(&[member]).0))
        .map(|key| (key.verifying_key(), key.sign(message.as_bytes())))
        .collect();
    let mut decisions = Vec::new();
    let mut signatures = Vec::new();
    for _ in 0..SAMPLES {
        decisions.push(time(|| assert!(verify(black_box(proof.as_bytes()), black_box(&policy), None).is_ok())));
        signatures.push(time(|| {
            for (key, signature) in black_box(&bare) {
                assert!(key.verify_strict(black_box(message.as_bytes()), signature).is_ok());
            }
        }));
    }
    (median(decisions), median(signatures))
}

fn time(call: impl Fn()) -> Duration {
    let start = Instant::now();
    call();
    start.elapsed()
}

fn median(mut samples: Vec<Duration>) -> Duration {
    samples.sort();
    samples[samples.len() / 2]
}

fn micros(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}

//! What must hold after every event, judged from outside: from the chain, from what nodes show, and by the verifier.
//!
//! Each invariant is one function named `invariant_…`. It remembers what it needs between events and answers with a
//! sentence if the world breaks it. Nothing here calls the code that it judges to decide what is right.

mod agreement;
mod bounds;
mod conduct;
mod evidence;
mod growth;
mod history;
mod liveness;
mod phases;
mod restart;
mod seals;
mod signatures;
mod submissions;
mod truth;

use core::fmt;

use crate::world::World;

/// One invariant that does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Name of the function.
    pub invariant: &'static str,
    /// What was seen.
    pub what: String,
}

/// All invariants, with what they remember of one run.
#[derive(Default)]
pub struct Invariants {
    agreement: agreement::Seen,
    growth: growth::Seen,
    evidence: evidence::Seen,
    seals: seals::Seen,
    truth: truth::Seen,
    signatures: signatures::Seen,
    conduct: conduct::Seen,
    phases: phases::Seen,
    history: history::Seen,
    submissions: submissions::Seen,
}

impl Invariants {
    /// Evaluates every invariant; to be called after every event.
    pub fn check(&mut self, world: &World) -> Vec<Violation> {
        let outcomes = [
            ("same_height_same_log", agreement::invariant_same_height_same_log(world, &mut self.agreement)),
            ("the_log_only_grows", growth::invariant_the_log_only_grows(world, &mut self.growth)),
            ("every_entry_reads", evidence::invariant_every_entry_reads(world, &mut self.evidence)),
            ("published_entries_verify", evidence::invariant_published_entries_verify(world, &mut self.evidence)),
            ("nobody_honest_seals_twice", seals::invariant_nobody_honest_seals_twice(world, &mut self.seals)),
            ("nobody_seals_after_an_opening", seals::invariant_nobody_seals_after_an_opening(world, &mut self.seals)),
            ("what_was_sealed_can_be_opened", seals::invariant_what_was_sealed_can_be_opened(world)),
            ("no_seal_opens_for_another", seals::invariant_no_seal_opens_for_another(world, &mut self.seals)),
            ("agreement_needs_threshold", truth::invariant_agreement_needs_threshold(world, &mut self.truth)),
            ("never_false_hashes", truth::invariant_never_false_hashes(world, &mut self.truth)),
            ("nothing_is_cosigned_twice", signatures::invariant_nothing_is_cosigned_twice(world, &mut self.signatures)),
            ("nobody_honest_is_at_fault", conduct::invariant_nobody_honest_is_at_fault(world, &mut self.conduct)),
            ("a_restart_restores", restart::invariant_a_restart_restores(world)),
            ("windows_are_kept", phases::invariant_windows_are_kept(world, &mut self.phases)),
            ("the_first_seal_counts", phases::invariant_the_first_seal_counts(world, &mut self.phases)),
            ("a_verdict_stands", history::invariant_a_verdict_stands(world, &mut self.history)),
            ("no_submission_is_lost", submissions::invariant_no_submission_is_lost(world, &mut self.submissions)),
            ("redelivery_changes_nothing", restart::invariant_redelivery_changes_nothing(world)),
            ("state_is_bounded", bounds::invariant_state_is_bounded(world)),
        ];
        violations(outcomes)
    }

    /// Evaluates what must hold once the faults are over and the group had time: to be called at the end.
    pub fn check_end(&mut self, world: &World, last_request: &str) -> Vec<Violation> {
        violations([
            ("every_request_concludes", liveness::invariant_every_request_concludes(world)),
            ("what_is_reproducible_is_reproduced", liveness::invariant_what_is_reproducible_is_reproduced(world)),
            ("the_group_still_works", liveness::invariant_the_group_still_works(world, last_request)),
        ])
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "invariant_{}: {}", self.invariant, self.what)
    }
}

fn violations<const N: usize>(outcomes: [(&'static str, Result<(), String>); N]) -> Vec<Violation> {
    let broken = outcomes.into_iter().filter_map(|(invariant, outcome)| Some((invariant, outcome.err()?)));
    broken.map(|(invariant, what)| Violation { invariant, what }).collect()
}

/// Fails with this sentence unless the condition holds.
fn require(holds: bool, what: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(what()) }
}

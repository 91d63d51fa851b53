//! An invariant that nobody has seen fail is a hope: each one is shown a bug that it must report.

use synchronicity_sim::plant::Plant;
use synchronicity_sim::run::{Options, run};
use synchronicity_sim::script::Course;

fn reports(plant: Plant, invariant: &'static str) {
    reports_in(Course::Usual, plant, invariant);
}

/// Runs seeds with the bug until one breaks this invariant. A bug that few seeds show wants another course of events.
fn reports_in(course: Course, plant: Plant, invariant: &'static str) {
    let options = Options { steps: 300, course, plant: Some(plant), heed: Some(invariant), ..Options::default() };
    let seen = (0..40).any(|seed| run(seed, &options).is_err());
    assert!(seen, "invariant_{invariant} did not report {plant:?}");
}

#[test]
fn a_node_that_loses_a_command_breaks_agreement() {
    reports(Plant::LosesACommand, "same_height_same_log");
}

#[test]
fn a_node_that_loses_a_block_in_a_crash_shrinks_its_log() {
    // The block must be lost that has just made an entry.
    reports_in(Course::Crashing, Plant::LosesABlock, "the_log_only_grows");
}

#[test]
fn a_node_that_loses_a_block_in_a_crash_does_not_come_back_as_it_was() {
    reports(Plant::LosesABlock, "a_restart_restores");
}

#[test]
fn cosigners_that_do_not_look_publish_what_no_client_accepts() {
    reports(Plant::CosignsAnyRoot, "published_entries_verify");
}

#[test]
fn a_second_root_for_one_size_is_seen() {
    reports(Plant::CosignsTwice, "nothing_is_cosigned_twice");
}

#[test]
fn a_forgotten_journal_seals_twice() {
    reports(Plant::ForgetsTheJournal, "nobody_honest_seals_twice");
}

#[test]
fn an_early_reveal_lets_others_seal_after_it() {
    reports(Plant::RevealsEarly, "nobody_seals_after_an_opening");
}

#[test]
fn an_early_reveal_is_a_fault_of_its_author() {
    reports(Plant::RevealsEarly, "nobody_honest_is_at_fault");
}

#[test]
fn seals_that_are_never_dropped_grow_without_bound() {
    reports(Plant::NeverPrunes, "state_is_bounded");
}

#[test]
fn a_lower_threshold_agrees_with_too_few() {
    reports(Plant::LowersTheThreshold, "agreement_needs_threshold");
}

#[test]
fn a_lower_threshold_lets_colluders_name_false_hashes() {
    reports(Plant::LowersTheThreshold, "never_false_hashes");
}

#[test]
fn a_copy_that_opens_is_seen() {
    reports(Plant::CountsCopies, "no_seal_opens_for_another");
}

#[test]
fn an_entry_that_claims_what_its_openings_do_not_say_is_not_read() {
    reports(Plant::ClaimsReproduced, "every_entry_reads");
}

#[test]
fn a_clock_that_stalls_leaves_requests_open() {
    reports(Plant::StallsTime, "every_request_concludes");
}

#[test]
fn a_group_that_publishes_nothing_does_not_work() {
    reports(Plant::LosesCosignatures, "the_group_still_works");
}

#[test]
fn a_feed_in_another_order_counts_a_later_seal() {
    reports(Plant::ReversesBlocks, "the_first_seal_counts");
}

#[test]
fn a_machine_with_a_fast_clock_cuts_builders_off() {
    reports(Plant::HurriesTime, "windows_are_kept");
}

#[test]
fn a_block_that_counts_again_is_seen() {
    reports(Plant::AppliesAgain, "redelivery_changes_nothing");
}

#[test]
fn a_verdict_that_stood_and_is_followed_by_another_is_seen() {
    reports(Plant::FinalTooSoon, "a_verdict_stands");
}

#[test]
fn a_forgotten_journal_cannot_open_what_was_sealed() {
    reports(Plant::ForgetsTheJournal, "what_was_sealed_can_be_opened");
}

#[test]
fn a_round_that_is_dropped_after_it_was_accepted_is_missed() {
    reports(Plant::DropsARound, "no_submission_is_lost");
}

#[test]
fn a_builder_that_never_tries_again_leaves_a_reproducible_request_without_its_verdict() {
    reports(Plant::BuildsOnceOnly, "what_is_reproducible_is_reproduced");
}

#[test]
fn a_panic_of_a_machine_is_seen() {
    reports(Plant::Panics, "nothing_panics");
}

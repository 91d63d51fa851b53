//! The program as a person runs it: arguments in, text and exit code out.

use libtest_mimic::{Arguments, run};

mod attest;
mod audit;
mod audit_hostile;
mod bench;
mod cargo;
mod check;
mod diff;
mod diff_builds;
mod equivocation;
mod feel;
mod fsck;
mod gate;
mod groups;
mod install;
mod install_hostile;
mod install_place;
mod install_together;
mod installed;
mod logs;
mod look_up;
mod look_up_hostile;
mod lookup;
mod monitor;
mod monitor_state;
mod policies;
mod policies_hostile;
mod program;
mod progress;
mod prove;
mod rebuild;
mod recipe;
mod repository;
#[path = "../../../synchronicity-verify/tests/it/sample.rs"]
#[allow(dead_code, clippy::unwrap_used, reason = "shared with the verifier's tests, which use all of it")]
mod sample;
mod schema;
mod server;
mod slow_log;
mod source;
mod store;
mod succeed;
mod survey;
mod survey_ends;
mod terminal;
mod three;
mod together;
mod transcripts;
mod trust;
mod verify;

fn main() {
    let arguments = Arguments::from_args();
    let trials = [
        attest::trials(),
        audit::trials(),
        audit_hostile::trials(),
        cargo::trials(),
        source::trials(),
        check::trials(),
        survey::trials(),
        survey_ends::trials(),
        diff::trials(),
        diff_builds::trials(),
        equivocation::trials(),
        feel::trials(),
        fsck::trials(),
        gate::trials(),
        install::trials(),
        install_hostile::trials(),
        install_place::trials(),
        install_together::trials(),
        installed::trials(),
        look_up::trials(),
        look_up_hostile::trials(),
        lookup::trials(),
        monitor::trials(),
        monitor_state::trials(),
        together::trials(),
        succeed::trials(),
        slow_log::trials(),
        terminal::trials(),
        transcripts::trials(),
        trust::trials(),
        verify::trials(),
        policies::trials(),
        policies_hostile::trials(),
        progress::trials(),
        prove::trials(),
        rebuild::trials(),
        recipe::trials(),
        schema::trials(),
    ];
    let trials = trials.into_iter().flatten().collect();
    run(&arguments, trials).exit();
}

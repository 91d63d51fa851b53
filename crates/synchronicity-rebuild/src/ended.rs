//! How the command of a build ended, and what that says: alike for both sandboxes.

use nix::sys::signal::Signal;
use synchronicity_verify::result::Failure;

use crate::cgroup::{Counters, machine_memory_kills};
use crate::sandbox::Finished;

/// From here up a status is that of the program before cargo, which did not find it, or of Docker.
const NOT_CARGOS: i32 = 125;
/// From here up it is 128 and the number of a signal, as shells and Docker have it.
const SIGNALS: i32 = 128;

/// Said of a build that suffered from what others did.
const STARVED: &str = "this machine ran out of memory during the build: give it more, or build less at a time";

/// What is counted from the start of a build on.
pub(crate) struct Reckoning {
    machine_kills: u64,
}

impl Reckoning {
    pub(crate) fn begin() -> Self {
        Self { machine_kills: machine_memory_kills() }
    }

    /// What the exit status of a build's command means; an error is trouble of this machine.
    ///
    /// `counters` are those of the build's own group, if it has one; `note` takes a line for the transcript.
    pub(crate) fn finish(
        &self,
        status: i32,
        counters: Option<&Counters>,
        note: &mut dyn FnMut(&str),
    ) -> Result<Finished, String> {
        // A process that was refused memory or a fork is the build's own doing, whatever the command made of it.
        if let Some(failure) = counters.and_then(Counters::exceeded) {
            return Ok(Finished::Stopped(failure));
        }
        let starved = counters.map_or_else(|| machine_memory_kills() > self.machine_kills, Counters::starved);
        match status {
            0 => Ok(Finished::Succeeded),
            _ if starved => Err(STARVED.into()),
            1..NOT_CARGOS => Ok(Finished::Failed),
            NOT_CARGOS..=SIGNALS => Err(format!("cargo could not be run: status {status}")),
            _ => Ok(killed(status - SIGNALS, note)),
        }
    }
}

fn killed(signal: i32, note: &mut dyn FnMut(&str)) -> Finished {
    match Signal::try_from(signal) {
        Ok(Signal::SIGXFSZ) => return Finished::Stopped(Failure::Disk),
        Ok(Signal::SIGSYS) => note("cargo made a system call that the sandbox does not know and was ended"),
        // Nobody outside did it, so the build did.
        _ => note(&format!("cargo was ended by signal {signal}, which the build itself sent")),
    }
    Finished::Failed
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finish(status: i32, machine_kills: u64) -> (Result<Finished, String>, String) {
        let mut said = String::new();
        let finished = Reckoning { machine_kills }.finish(status, None, &mut |line| said.push_str(line));
        (finished, said)
    }

    #[test]
    fn a_status_means_success_failure_or_trouble_and_a_signal_from_inside_is_a_failure() {
        // The machine that runs the tests may kill for memory at any time; this count cannot be exceeded.
        let finish = |status| finish(status, u64::MAX);
        assert_eq!(finish(0).0, Ok(Finished::Succeeded));
        assert_eq!(finish(101).0, Ok(Finished::Failed));
        let note = "cargo was ended by signal 9, which the build itself sent";
        assert_eq!(finish(137), (Ok(Finished::Failed), note.into()));
        assert_eq!(finish(128 + 25).0, Ok(Finished::Stopped(Failure::Disk)));
        for status in [125, 126, 127, 128] {
            assert!(finish(status).0.is_err(), "{status}");
        }
    }

    #[test]
    fn a_failure_while_the_machine_was_out_of_memory_is_no_result() {
        for status in [101, 137] {
            // Where the machine never killed anybody for memory, the build did it.
            assert_eq!(finish(status, 0).0.is_err(), machine_memory_kills() > 0);
        }
        assert_eq!(finish(0, 0).0, Ok(Finished::Succeeded), "it did no harm");
    }
}

//! Whole groups as operating-system processes, driven through the program as a person would.
//!
//! What a machine cannot run (no Docker daemon, no user namespaces, no registry) is ignored with the reason, and
//! counted as ignored, never as passed.

// This harness is a program of tests: a broken expectation must end the test, wherever it is noticed.
#![allow(clippy::unwrap_used)]

mod api_document;
mod append_path;
mod attest;
mod browser;
mod chaos;
mod clients;
mod crash;
mod devnet;
mod epochs;
mod every_call;
mod idle;
mod killed;
mod left_over;
mod machine;
mod machine_trouble;
mod new_user;
mod node;
mod quartet;
mod real;
mod recovered;
mod s3;
mod stop;
mod tracer;
mod upgrade;
mod verdict;
mod verifier;
mod webdriver;
mod witness_path;
#[path = "../it/world.rs"]
#[allow(dead_code, reason = "what only the other tests need")]
mod world;

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use libtest_mimic::{Arguments, Failed, Trial};
use machine::{Machine, Need};

fn main() -> std::process::ExitCode {
    // Two of the tests trace a life of a node in a process of this same program.
    if let Some(code) = append_path::main().or_else(witness_path::main) {
        return code;
    }
    let mut arguments = Arguments::from_args();
    let machine = Machine::look();
    let of_groups = [killed::tests(), machine_trouble::tests(), recovered::tests(), epochs::tests(), chaos::tests()];
    let of_groups = of_groups.into_iter().chain([upgrade::tests()]);
    let of_nodes = [node::tests(), every_call::tests(), witness_path::tests(), s3::tests()];
    let of_clients = [clients::tests(), attest::tests(), api_document::tests(), browser::tests()];
    let devnets = [verdict::tests(), crash::tests(), stop::tests(), real::tests(), idle::tests(), new_user::tests()];
    let devnets = devnets.into_iter().flatten().map(|test| (&DEVNETS, test));
    let nodes = of_groups.chain(of_nodes).chain(of_clients).flatten().map(|test| (&NODES, test));
    let tests: Vec<(&'static Lane, Test)> = devnets.chain(nodes).collect();
    let names: BTreeSet<&str> = tests.iter().map(|(_, test)| test.name).collect();
    assert_eq!(names.len(), tests.len(), "a test is listed twice");
    // The lanes say what runs, not the number of threads.
    arguments.test_threads = Some(tests.len());
    let trials = tests.into_iter().map(|(lane, test)| test.on(&machine, lane)).collect();
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// Tests that run one after another: each is four nodes that compile at the same time, and shares a folder with the others.
type Lane = Mutex<()>;

/// Those of `devnet`, which has the processors busy.
static DEVNETS: Lane = Mutex::new(());

/// Those that start their nodes themselves, and mostly wait for them.
static NODES: Lane = Mutex::new(());

/// A test, and what it needs of the machine.
pub(crate) struct Test {
    name: &'static str,
    needs: &'static [Need],
    run: fn(),
}

impl Test {
    pub(crate) fn new(name: &'static str, needs: &'static [Need], run: fn()) -> Self {
        Self { name, needs, run }
    }

    fn on(self, machine: &Machine, lane: &'static Lane) -> Trial {
        let missing = self.needs.iter().find_map(|need| Some((*need, machine.misses(*need)?.to_owned())));
        let Some((need, why)) = missing else {
            let run = self.run;
            return Trial::test(self.name, move || {
                // A test that failed says nothing about the next.
                let _alone = lane.lock().unwrap_or_else(PoisonError::into_inner);
                run();
                Ok(())
            });
        };
        eprintln!("IGNORED {}: {why}", self.name);
        // What the set-up has seen to work must not be missed: a broken sandbox would turn its tests into skips.
        let required = need.is_required();
        Trial::test(self.name, move || Err(Failed::from(why))).with_ignored_flag(!required)
    }
}

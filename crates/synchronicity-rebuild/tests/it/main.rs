//! Tests that need more than this process: Docker, namespaces, the network. Each that cannot run is counted as ignored.

use libtest_mimic::{Arguments, run};

mod registry;

fn main() {
    let arguments = Arguments::from_args();
    let trials = registry::trials();
    run(&arguments, trials).exit();
}

//! Tests that need more than this process: Docker, namespaces, the network. Each that cannot run is counted as ignored.

use libtest_mimic::{Arguments, run};

mod builds;
mod by_hand;
mod hostile;
mod orphans;
mod packages;
mod registry;
mod require;
mod room;
mod side_by_side;
mod unbuildable;

fn main() {
    // Builds start this executable again.
    synchronicity_rebuild::worker::main();
    orphans::main();
    let arguments = Arguments::from_args();
    let trials = [registry::trials(), room::trials(), builds::trials()].into_iter().flatten().collect();
    run(&arguments, trials).exit();
}

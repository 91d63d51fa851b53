//! The program as a person runs it: arguments in, text and exit code out.

use libtest_mimic::{Arguments, run};

mod program;
mod prove;
mod rebuild;
mod server;
mod source;
mod verify;

fn main() {
    let arguments = Arguments::from_args();
    let trials = [source::trials(), verify::trials(), prove::trials(), rebuild::trials()].into_iter().flatten().collect();
    run(&arguments, trials).exit();
}

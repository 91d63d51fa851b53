//! `cargo synchronicity`: the client, as a command of cargo.

fn main() -> std::process::ExitCode {
    // Builds run in processes that are this executable again.
    synchronicity_rebuild::worker::main();
    synchronicity::cli::run_for_cargo()
}

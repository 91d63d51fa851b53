//! `synchronicity`: the program of a client.

fn main() -> std::process::ExitCode {
    // Builds run in processes that are this executable again.
    synchronicity_rebuild::worker::main();
    synchronicity::cli::run()
}

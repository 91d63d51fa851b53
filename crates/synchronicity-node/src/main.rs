//! The program of a builder. Everything is in the library, so that tests reach it.

fn main() -> std::process::ExitCode {
    synchronicity_node::main()
}

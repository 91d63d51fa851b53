//! The transcripts are real: cargo 1.95 in a sandbox, shortened where they repeat.

use super::*;

fn of(transcript: &str) -> Diagnosis {
    diagnose(&transcript.lines().map(str::to_owned).collect::<Vec<_>>())
}

fn failure(transcript: &str) -> Failure {
    match of(transcript) {
        Diagnosis::Crate(failure) => failure,
        Diagnosis::Ours(line) => panic!("not the crate's: {line}"),
    }
}

#[test]
fn a_crate_for_a_newer_compiler_needs_newer_rust() {
    let by_version = "error: rustc 1.95.0 is not supported by the following package:\n  a@0.1.0 requires rustc 1.99\n";
    assert_eq!(failure(by_version), Failure::RustVersion);
    let by_edition = "error: failed to parse manifest at `/opt/rustwide/workdir/Cargo.toml`\n\nCaused by:\n  \
        failed to parse the `edition` key\n\nCaused by:\n  this version of Cargo is older than the `2027` edition, \
        and only supports `2015`, `2018`, `2021`, and `2024` editions.\n";
    assert_eq!(failure(by_edition), Failure::RustVersion);
}

#[test]
fn a_lock_that_does_not_fit_is_named() {
    let outdated = "error: cannot update the lock file /opt/rustwide/workdir/Cargo.lock because --locked was passed to \
        prevent this\nhelp: to generate the lock file without accessing the network, remove the --locked flag and \
        use --offline instead.\n";
    assert_eq!(failure(outdated), Failure::Lock);
    let wrong = "error: checksum for `anyhow v1.0.50` changed between lock files\n\nthis could be indicative of a few \
        possible errors:\n\n    * the lock file is corrupt\n";
    assert_eq!(failure(wrong), Failure::Lock);
}

#[test]
fn a_build_script_without_network_needs_the_network() {
    let script = |error: &str| {
        format!(
            "   Compiling netw v0.1.0 (/opt/rustwide/workdir)\nerror: failed to run custom build command for `netw \
             v0.1.0 (/opt/rustwide/workdir)`\n\nCaused by:\n  process didn't exit successfully: \
             `/opt/rustwide/target/release/build/netw-1/build-script-build` (exit status: 101)\n  --- stderr\n\n  \
             thread 'main' (26) panicked at build.rs:1:60:\n  download failed: {error}\n"
        )
    };
    for error in [
        r#"Custom { kind: Uncategorized, error: "failed to lookup address information: Temporary failure in name resolution" }"#,
        r#"Os { code: 101, kind: NetworkUnreachable, message: "Network is unreachable" }"#,
        r#"Os { code: 111, kind: ConnectionRefused, message: "Connection refused" }"#,
        "curl: (6) Could not resolve host: example.org",
    ] {
        assert_eq!(failure(&script(error)), Failure::Network, "{error}");
    }
}

#[test]
fn exhausted_memory_disk_and_processes_are_named_though_the_compiler_reports_them() {
    let script = "error: failed to run custom build command for `a v0.1.0 (/opt/rustwide/workdir)`\n";
    let of_script = |line: &str| failure(&format!("{script}{line}\n"));
    assert_eq!(of_script("  memory allocation of 104857600 bytes failed"), Failure::Memory);
    assert_eq!(
        of_script("  process didn't exit successfully: `rustc --crate-name a` (signal: 9, SIGKILL: kill)"),
        Failure::Memory
    );
    assert_eq!(of_script(r#"  Os { code: 28, kind: StorageFull, message: "No space left on device" }"#), Failure::Disk);
    assert_eq!(
        of_script(r#"  Os { code: 11, kind: WouldBlock, message: "Resource temporarily unavailable" }"#),
        Failure::Processes
    );
}

#[test]
fn a_crate_that_this_builder_failed_to_fetch_is_no_result() {
    let missing = "error: no matching package named `not-there-at-all` found\nlocation searched: crates.io index\n\
        required by package `missing v0.1.0 (/opt/rustwide/workdir)`\nAs a reminder, you're using offline mode \
        (--offline) which can sometimes cause surprising resolution failures, if this error is too confusing you may \
        wish to retry without `--offline`.\n";
    assert!(matches!(of(missing), Diagnosis::Ours(_)));
    let unfetched = "error: failed to download `itoa v1.0.1`\n\nCaused by:\n  attempting to make an HTTP request, but \
        --offline was specified\n";
    assert!(matches!(of(unfetched), Diagnosis::Ours(line) if line.starts_with("attempting")));
}

#[test]
fn everything_else_is_a_compile_error() {
    let error = "   Compiling a v0.1.0 (/opt/rustwide/workdir)\nerror[E0425]: cannot find value `x` in this scope\n \
        --> src/main.rs:1:12\nerror: could not compile `a` (bin \"a\") due to 1 previous error\n";
    assert_eq!(failure(error), Failure::Compile);
    assert_eq!(failure(""), Failure::Compile);
}

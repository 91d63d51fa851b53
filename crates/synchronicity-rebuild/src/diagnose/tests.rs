//! The transcripts are real: cargo 1.95 in a sandbox, shortened where they repeat.

use super::*;

fn of(transcript: &str) -> Diagnosis {
    let lines: Vec<_> = transcript.lines().map(str::to_owned).collect();
    let began = lines.iter().any(|line| line.trim_start().starts_with("Compiling "));
    diagnose(&lines, began)
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
fn a_crate_cannot_make_this_builder_try_for_ever() {
    let lines: Vec<String> =
        ["error: failed to run custom build command for `a`", "  using offline mode"].map(str::to_owned).into();
    // The line that tells of the compiler has left the tail by then.
    assert_eq!(diagnose(&lines, true), Diagnosis::Crate(Failure::Compile));
    assert!(matches!(diagnose(&lines, false), Diagnosis::Ours(_)));
    let manifest = "warning: unused manifest key: package.using offline mode\nerror: no\n";
    assert_eq!(failure(manifest), Failure::Compile);
}

#[test]
fn what_is_not_on_the_system_is_a_system_package() {
    for line in [
        "  Package synchronicity was not found in the pkg-config search path.",
        "  The system library `alsa` required by crate `alsa-sys` was not found.",
        "  could not find system library 'openssl' required by the 'openssl-sys' crate",
        "  Could not run `PKG_CONFIG_ALLOW_SYSTEM_CFLAGS=1 pkg-config --libs --cflags alsa`: No such file or directory (os error 2)",
        "  = note: /usr/bin/ld: cannot find -lasound: No such file or directory",
        "  = note: rust-lld: error: unable to find library -lasound",
        "error: could not find native static library `asound`, perhaps an -L flag is missing?",
        "  cargo:warning=src/shim.c:1:10: fatal error: alsa/asoundlib.h: No such file or directory",
        "  wrapper.h:1:10: fatal error: 'alsa/asoundlib.h' file not found",
        "  Unable to find libclang: \"couldn't find any valid shared libraries matching: ['libclang.so']\"",
        "  is `cmake` not installed?",
        "  sh: 1: gperf: not found",
        "  /bin/sh: line 1: gperf: command not found",
        "  make: cmake: No such file or directory",
        "  cannot run protoc: No such file or directory (os error 2)",
        "  Error: Custom { kind: NotFound, error: \"Could not find `protoc`. If `protoc` is installed, try setting the \
         `PROTOC` environment variable\" }",
        "  error occurred in cc-rs: failed to find tool \"nasm\": No such file or directory (os error 2)",
    ] {
        assert_eq!(failure(&after_an_error(line)), Failure::SystemPackage, "{line}");
    }
}

#[test]
fn a_build_that_asks_for_git_or_its_repository_needs_git() {
    for line in [
        "  fatal: not a git repository (or any of the parent directories): .git",
        "  could not find repository at '/opt/rustwide/workdir'; class=Repository (6); code=NotFound (-3)",
        "  cannot run git: No such file or directory (os error 2)",
        "  failed to execute git: Os { code: 2, kind: NotFound, message: \"No such file or directory\" }",
        "  sh: 1: git: not found",
        "error: couldn't read `src/../.git/HEAD`: No such file or directory (os error 2)",
    ] {
        assert_eq!(failure(&after_an_error(line)), Failure::Git, "{line}");
    }
}

#[test]
fn a_downloader_that_is_not_there_needs_the_network_as_one_that_is() {
    assert_eq!(failure(&after_an_error("  sh: 1: curl: not found")), Failure::Network);
    assert_eq!(
        failure(&after_an_error("  failed to run wget: No such file or directory (os error 2)")),
        Failure::Network
    );
}

#[test]
fn what_a_script_did_without_and_what_only_looks_alike_is_no_cause() {
    let did_without = "   Compiling a v0.1.0\nwarning: a@0.1.0: Package alsa was not found in the pkg-config search path\n\
        error[E0425]: cannot find value `x` in this scope\n";
    assert_eq!(failure(did_without), Failure::Compile);
    for line in [
        "  digit not found in `legit`",
        "  /usr/share/cmake/Modules/FindX: No such file or directory",
        "error[E0432]: unresolved import `git2`: not found",
        "error[E0583]: file not found for module `git`",
        "error[E0000]: make: not found",
        "  couldn't read `src/table.rs`: No such file or directory (os error 2)",
    ] {
        assert_eq!(failure(&after_an_error(line)), Failure::Compile, "{line}");
    }
}

#[test]
fn a_crash_is_told_from_an_error() {
    let crashed = |line: &str| crashed(&[line.to_owned()]);
    assert!(crashed("  process didn't exit successfully: `rustc` (signal: 11, SIGSEGV: invalid memory reference)"));
    assert!(crashed("cargo was ended by signal 9, which the build itself sent"));
    assert!(!crashed("  process didn't exit successfully: `build-script-build` (exit status: 101)"));
}

fn after_an_error(line: &str) -> String {
    format!(
        "   Compiling a v0.1.0 (/opt/rustwide/workdir)\nerror: failed to run custom build command for `a`\n{line}\n"
    )
}

#[test]
fn everything_else_is_a_compile_error() {
    let error = "   Compiling a v0.1.0 (/opt/rustwide/workdir)\nerror[E0425]: cannot find value `x` in this scope\n \
        --> src/main.rs:1:12\nerror: could not compile `a` (bin \"a\") due to 1 previous error\n";
    assert_eq!(failure(error), Failure::Compile);
    assert_eq!(failure(""), Failure::Compile);
}

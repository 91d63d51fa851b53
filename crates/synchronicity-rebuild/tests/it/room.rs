//! What a build can see and do in the embedded sandbox, tried by shell commands in its place.
#![allow(clippy::unwrap_used, reason = "a trial that panics is a failed trial, as in any test")]

use std::collections::BTreeMap;
use std::fs;
use std::ops::ControlFlow;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use libtest_mimic::{Failed, Trial};
use synchronicity_rebuild::containment::{Wall, Walls};
use synchronicity_rebuild::embedded::EmbeddedSandbox;
use synchronicity_rebuild::probe::{State, probe};
use synchronicity_rebuild::sandbox::{Finished, Identity, Job, Sandbox};
use synchronicity_verify::request::Limits;
use synchronicity_verify::result::Failure;

use crate::require::may_skip;

type Answer = Result<(), Failed>;

pub(crate) fn trials() -> Vec<Trial> {
    let tried = Room::new().run("true");
    if let Err(failed) = &tried {
        eprintln!("SKIPPED: the embedded sandbox is not tested: {}", failed.message().unwrap_or("no reason given"));
    }
    let skip = may_skip("embedded", tried.is_err());
    let trial = |name: &str, test: fn() -> Answer| Trial::test(format!("room::{name}"), test).with_ignored_flag(skip);
    vec![
        trial("the_fixed_paths_and_names_are_what_a_build_sees", names),
        trial("only_the_target_and_the_private_temporary_folder_can_be_written", writing),
        trial("nothing_of_the_hosts_users_is_visible", hidden),
        trial("files_that_a_parent_left_open_are_closed", inherited),
        trial("there_is_no_network", network),
        trial("a_build_has_no_rights_and_cannot_get_any", rights),
        trial("a_process_left_behind_is_gone_when_the_build_has_ended", leftovers),
        trial("each_limit_ends_the_build_with_its_own_failure", limits),
        trial("every_wall_that_stands_is_told_and_one_that_is_required_and_missing_ends_the_build", walls),
        trial("system_calls_that_no_build_needs_are_refused_or_absent", calls),
        trial("a_build_cannot_end_the_sandbox_and_its_own_end_is_a_failure", signals),
        trial("a_build_that_is_stopped_by_its_watcher_ends_at_once", stopped),
        trial("the_probe_finds_what_builds_here_need", probed),
    ]
}

struct Room {
    folder: tempfile::TempDir,
    limits: Limits,
}

/// How a command ended and what it printed.
type Ran = (Finished, Vec<String>);

impl Room {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["source", "cargo-home", "rustup-home", "scratch", "target"] {
            let part = folder.path().join(name);
            fs::create_dir(&part).unwrap();
            fs::set_permissions(&part, fs::Permissions::from_mode(0o755)).unwrap();
        }
        let limits = Limits {
            memory_bytes: 1 << 30,
            time_seconds: 60,
            disk_bytes: 1 << 30,
            processes: 100,
            transcript_bytes: 1 << 20,
            jobs: 1,
        };
        Self { folder, limits }
    }

    fn job(&self, command: &str) -> Job {
        let part = |name: &str| self.folder.path().join(name);
        Job {
            source: part("source"),
            cargo_home: part("cargo-home"),
            rustup_home: part("rustup-home"),
            scratch: part("scratch"),
            target: part("target"),
            command: ["/bin/sh", "-c", command].map(String::from).to_vec(),
            env: BTreeMap::from([("PATH".to_owned(), "/usr/bin:/bin".to_owned())]),
            limits: self.limits,
            identity: Identity::default(),
        }
    }

    fn run(&self, command: &str) -> Result<Ran, Failed> {
        self.run_in(&sandbox(), command)
    }

    fn run_in(&self, sandbox: &EmbeddedSandbox, command: &str) -> Result<Ran, Failed> {
        let mut lines = Vec::new();
        let finished = sandbox.build(&self.job(command), &mut |line| {
            lines.push(line.to_owned());
            ControlFlow::Continue(())
        })?;
        Ok((finished, lines))
    }
}

fn sandbox() -> EmbeddedSandbox {
    EmbeddedSandbox::new(std::env::current_exe().unwrap())
}

fn prints(command: &str) -> String {
    Room::new().run(command).unwrap().1.join("\n")
}

fn names() -> Answer {
    assert_eq!(
        prints("pwd; hostname; id -u; id -g; echo $PATH; env | wc -l; umask"),
        "/opt/rustwide/workdir\nbuilder\n59999\n59999\n/usr/bin:/bin\n2\n0022"
    );
    assert_eq!(prints("echo out; echo err >&2"), "out\nerr");
    assert_eq!(Room::new().run("exit 3")?.0, Finished::Failed);
    Ok(())
}

fn writing() -> Answer {
    let room = Room::new();
    let places = "/opt/rustwide/workdir /opt/rustwide/cargo-home /opt/rustwide/rustup-home /opt/rustwide / /usr /etc \
                  /dev /usr/local /opt/rustwide/target /tmp";
    let (_, lines) = room.run(&format!("for p in {places}; do touch $p/x 2>/dev/null && echo $p; done"))?;
    assert_eq!(lines, ["/opt/rustwide/target", "/tmp"]);
    assert!(room.folder.path().join("target/x").exists());
    assert!(!Path::new("/tmp/x").exists());
    assert_eq!(prints("echo 1 > /proc/sys/kernel/core_pattern && echo changed").lines().last().unwrap_or(""), {
        "/bin/sh: 1: cannot create /proc/sys/kernel/core_pattern: Permission denied"
    });
    Ok(())
}

fn hidden() -> Answer {
    assert_eq!(prints("ls /"), "bin\ndev\netc\nlib\nlib64\nopt\nproc\nsbin\ntmp\nusr".replace("lib64", &lib64()));
    assert_eq!(prints("ls /home /root /var /run /mnt /sys 2>/dev/null; cat /etc/shadow 2>/dev/null; ls /tmp"), "");
    assert_eq!(prints("echo /proc/[0-9]*"), "/proc/1 /proc/2", "the sandbox's own process and the shell");
    Ok(())
}

fn inherited() -> Answer {
    let room = Room::new();
    let careless = room.folder.path().join("careless");
    let open = room.folder.path().join("open");
    fs::write(&open, "secret")?;
    let program = std::env::current_exe()?;
    fs::write(&careless, format!("#!/bin/sh\nexec 7<{}\nexec {} \"$@\"\n", open.display(), program.display()))?;
    fs::set_permissions(&careless, fs::Permissions::from_mode(0o755))?;
    let mut lines = Vec::new();
    EmbeddedSandbox::new(careless).build(&room.job("cat <&7; ls /proc/self/fd"), &mut |line| {
        lines.push(line.to_owned());
        ControlFlow::Continue(())
    })?;
    // The third is the folder that `ls` reads.
    assert_eq!(lines[lines.len().saturating_sub(4)..], ["0", "1", "2", "3"], "{lines:?}");
    assert!(!lines.concat().contains("secret"));
    Ok(())
}

/// Which folders of libraries there are depends on the host.
fn lib64() -> String {
    let there = ["lib32", "lib64", "libx32"].into_iter().filter(|name| Path::new("/").join(name).exists());
    there.collect::<Vec<_>>().join("\n")
}

fn network() -> Answer {
    assert_eq!(prints("cat /proc/net/dev | tail -n +3 | cut -d: -f1 | tr -d ' '"), "lo");
    assert_eq!(prints("tail -n +2 /proc/net/route | wc -l"), "0", "there is a route");
    Ok(())
}

fn rights() -> Answer {
    let status = prints("grep -E '^(CapEff|CapPrm|CapAmb|NoNewPrivs)' /proc/self/status");
    for line in ["CapEff:\t0000000000000000", "CapPrm:\t0000000000000000", "NoNewPrivs:\t1"] {
        assert!(status.contains(line), "{status}");
    }
    let room = Room::new();
    room.run("touch /opt/rustwide/target/mine")?;
    let owner = fs::metadata(room.folder.path().join("target/mine"))?.uid();
    assert_ne!(owner, 0, "the build is root outside");
    Ok(())
}

fn leftovers() -> Answer {
    let room = Room::new();
    let late = "setsid sh -c 'sleep 1; echo late > /opt/rustwide/target/late' >/dev/null 2>&1 & sleep 0.2";
    assert_eq!(room.run(late)?.0, Finished::Succeeded);
    std::thread::sleep(Duration::from_millis(1500));
    assert!(!room.folder.path().join("target/late").exists(), "a process outlived the build");
    // One that keeps the output open must not keep the build open.
    let started = Instant::now();
    assert_eq!(room.run("setsid sleep 30 & true")?.0, Finished::Succeeded);
    assert!(started.elapsed() < Duration::from_secs(10));
    Ok(())
}

/// With a control group, where this machine lets one be made, and with the worker's own eyes alone.
fn limits() -> Answer {
    for grouped in [true, false] {
        let ended = |change: fn(&mut Limits), command: &str| {
            let mut room = Room::new();
            change(&mut room.limits);
            room.run_in(&EmbeddedSandbox { grouped, ..sandbox() }, command).unwrap().0
        };
        assert_eq!(ended(|it| it.time_seconds = 1, "sleep 30"), Finished::Stopped(Failure::Time));
        // Four processes that are each within the limit.
        let hungry = "for i in 1 2 3 4; do perl -e '$x = \"x\" x 30_000_000; sleep 30' & done; wait";
        assert_eq!(ended(|it| it.memory_bytes = 80 << 20, hungry), Finished::Stopped(Failure::Memory), "{grouped}");
        let many = "for i in $(seq 30); do sleep 30 & done; wait";
        assert_eq!(ended(|it| it.processes = 20, many), Finished::Stopped(Failure::Processes), "{grouped}");
        let large = "for i in $(seq 40); do head -c 1000000 /dev/zero > /opt/rustwide/target/$i; done; sleep 30";
        assert_eq!(ended(|it| it.disk_bytes = 20 << 20, large), Finished::Stopped(Failure::Disk));
        let empty = "i=0; while true; do i=$((i+1)); : > /opt/rustwide/target/$i; done";
        assert_eq!(ended(|it| it.disk_bytes = 4 << 20, empty), Finished::Stopped(Failure::Disk), "empty files");
    }
    Ok(())
}

fn walls() -> Answer {
    let (_, walls) = sandbox().run(&Room::new().job("true"), &mut |_| ControlFlow::Continue(()))?;
    eprintln!("walls here: {walls:?}");
    assert!(walls.contains(&Wall::Seccomp), "{walls:?}");
    assert!(!walls.contains(&Wall::Gvisor));
    assert!(prints("grep ^Seccomp: /proc/self/status").ends_with('2'));
    // What was required and is there is no hindrance; what is not there is the end.
    let asking = |required| EmbeddedSandbox { required, ..sandbox() };
    assert_eq!(Room::new().run_in(&asking(walls), "true")?.0, Finished::Succeeded);
    let refused = Room::new().run_in(&asking(Walls::from([Wall::Gvisor])), "true").unwrap_err();
    assert!(refused.message().is_some_and(|text| text.contains("asks for gvisor")), "{refused:?}");
    let refused = EmbeddedSandbox { grouped: false, ..asking(Walls::from([Wall::Cgroups])) };
    assert!(Room::new().run_in(&refused, "true").is_err(), "no group was made");
    Ok(())
}

/// Numbers are those of x86-64: name, arguments, and the error that they end with.
const CALLS: [(&str, &str, i32); 20] = [
    ("unshare", "272, 0x10000000", EPERM),
    ("clone into a namespace", "56, 0x10000011, 0, 0, 0, 0", EPERM),
    ("clone3", "435, 0, 0", ENOSYS),
    ("setns", "308, 0, 0", EPERM),
    ("mount", "165, 0, 0, 0, 0, 0", EPERM),
    ("open_tree", "428, -100, 0, 0", EPERM),
    ("pivot_root", "155, 0, 0", EPERM),
    ("ptrace", "101, 0, 0, 0, 0", EPERM),
    ("keyctl", "250, 0, -3, 0", EPERM),
    ("bpf", "321, 0, 0, 0", EPERM),
    ("perf_event_open", "298, 0, 0, -1, -1, 0", EPERM),
    ("open_by_handle_at", "304, 0, 0, 0", EPERM),
    ("clock_settime", "227, 0, 0", EPERM),
    ("userfaultfd", "323, 0", ENOSYS),
    ("io_uring_setup", "425, 1, 0", ENOSYS),
    ("a socket to the hypervisor", "41, 40, 1, 0", EPERM),
    ("a socket into the kernel's ciphers", "41, 38, 5, 0", EPERM),
    ("personality", "135, 0x0040000", EPERM),
    ("a call that is not known yet", "463, 0, 0, 0, 0, 0, 0", ENOSYS),
    ("getpid of the x32 table", "0x40000027", ENOSYS),
];
const EPERM: i32 = 1;
const ENOSYS: i32 = 38;

fn calls() -> Answer {
    for (name, arguments, errno) in CALLS {
        let said = prints(&format!("perl -e '$! = 0; syscall({arguments}); print 0 + $!'"));
        assert_eq!(said, errno.to_string(), "{name}");
    }
    // What ordinary builds do goes on.
    assert_eq!(prints("perl -e '$! = 0; syscall(41, 2, 1, 0); print 0 + $!'"), "0", "a socket of the internet");
    assert_eq!(prints("perl -e '$! = 0; syscall(135, 0xffffffff); print 0 + $!'"), "0", "asking for the personality");
    Ok(())
}

fn signals() -> Answer {
    assert_eq!(prints("kill -9 1; kill -15 1; sleep 0.2; echo still here").lines().last(), Some("still here"));
    let (finished, lines) = Room::new().run("kill -9 -1; kill -9 $$; sleep 30")?;
    assert_eq!(finished, Finished::Failed);
    assert_eq!(lines.last().map(String::as_str), Some("cargo was ended by signal 9, which the build itself sent"));
    // Orphans end as children of the first process, which takes note of their end.
    let orphans = "for i in 1 2 3; do (sleep 0.1 &); done; sleep 0.6; cat /proc/[0-9]*/status | grep -c '^State:.*Z'";
    assert_eq!(prints(orphans), "0", "dead processes stay in the table");
    Ok(())
}

fn stopped() -> Answer {
    let room = Room::new();
    let started = Instant::now();
    let finished = sandbox()
        .build(&room.job("while true; do echo spam; done"), &mut |_| ControlFlow::Break(Failure::Transcript))?;
    assert_eq!(finished, Finished::Stopped(Failure::Transcript));
    assert!(started.elapsed() < Duration::from_secs(10));
    let left = Command::new("pgrep").args(["-f", "echo spam"]).output()?;
    assert_eq!(String::from_utf8_lossy(&left.stdout).lines().count(), 0);
    Ok(())
}

fn probed() -> Answer {
    let findings = probe(&std::env::temp_dir().join("not/yet/there"));
    let names: Vec<_> = findings.iter().map(|finding| finding.what).collect();
    let walls = Wall::ALL.map(Wall::name);
    let others = ["rust", "c compiler", "docker daemon", "docker image", "embedded sandbox", "disk"];
    assert_eq!(names, [&others[..], &walls].concat());
    for finding in &findings {
        eprintln!("{:16} {:?}", finding.what, finding.state);
        if ["rust", "c compiler", "embedded sandbox"].contains(&finding.what) {
            assert!(matches!(finding.state, State::Good(_)), "{finding:?}");
        }
        assert!(!matches!(finding.state, State::Bad(_)), "one sandbox is enough: {finding:?}");
    }
    Ok(())
}

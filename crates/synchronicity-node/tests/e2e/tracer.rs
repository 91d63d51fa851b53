//! A process that is stopped at each of its system calls, and has one of them go wrong.

use std::io::Read;
use std::process::{Command, Stdio};

use nix::errno::Errno;
use nix::sys::ptrace::{self, Options};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

/// How a system call goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// SIGKILL before it is done.
    KilledBefore,
    /// SIGKILL when it is done and nobody has heard of it.
    KilledAfter,
    /// It is not done and gives an error.
    Failed,
    /// It is done and gives an error.
    FailedButDone,
}

pub(crate) const FAULTS: [Fault; 4] = [Fault::KilledBefore, Fault::KilledAfter, Fault::Failed, Fault::FailedButDone];

/// What a traced process did.
#[derive(Debug)]
pub(crate) struct Life {
    /// The numbers of its system calls, from the first one that wrote to standard output, in order.
    pub(crate) calls: Vec<u64>,
    /// Exit code; `None` if a signal ended it.
    pub(crate) code: Option<i32>,
    /// What it wrote to standard output.
    pub(crate) said: String,
}

/// A process that makes more calls than this repeats something for ever.
const CALLS_MAX: usize = 100_000;

const WRITE: u64 = 1;
const STDOUT: u64 = 1;
/// No system call has this number: the kernel does nothing.
const NONE: u64 = u64::MAX;

/// Runs `command`, which must ask to be traced and stop itself, to its end. `strike` is the place among the
/// [`Life::calls`] of the one that goes wrong; later than the last, none does.
#[expect(clippy::zombie_processes, reason = "its tracer waits for it, by its number: see `wait`")]
pub(crate) fn trace(command: &mut Command, strike: Option<(usize, Fault)>) -> Life {
    let piped = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    // The thread that starts it is its tracer, and waits for it below.
    let mut child = piped.spawn().unwrap();
    let pid = Pid::from_raw(i32::try_from(child.id()).unwrap());
    assert_eq!(wait(pid), WaitStatus::Stopped(pid, Signal::SIGSTOP));
    ptrace::setoptions(pid, Options::PTRACE_O_TRACESYSGOOD | Options::PTRACE_O_EXITKILL).unwrap();
    let mut traced = Traced { pid, strike, calls: Vec::new(), begun: false, inside: false };
    let code = traced.run();
    let mut said = String::new();
    child.stdout.take().unwrap().read_to_string(&mut said).unwrap();
    Life { calls: traced.calls, code, said }
}

struct Traced {
    pid: Pid,
    strike: Option<(usize, Fault)>,
    calls: Vec<u64>,
    begun: bool,
    /// Between the beginning of a system call and its end.
    inside: bool,
}

impl Traced {
    fn run(&mut self) -> Option<i32> {
        let mut signal = None;
        loop {
            match ptrace::syscall(self.pid, signal.take()) {
                // Killed between two looks.
                Ok(()) | Err(Errno::ESRCH) => {}
                Err(error) => panic!("the traced process cannot go on: {error}"),
            }
            match wait(self.pid) {
                WaitStatus::PtraceSyscall(_) => self.stopped(),
                WaitStatus::Stopped(_, delivered) => signal = Some(delivered),
                WaitStatus::Exited(_, code) => return Some(code),
                WaitStatus::Signaled(..) => return None,
                _ => {}
            }
        }
    }

    fn stopped(&mut self) {
        self.inside = !self.inside;
        let mut registers = ptrace::getregs(self.pid).unwrap();
        if self.inside {
            self.begun |= (registers.orig_rax, registers.rdi) == (WRITE, STDOUT);
            if !self.begun {
                return;
            }
            self.calls.push(registers.orig_rax);
            if self.struck_by(Fault::KilledBefore) || self.calls.len() > CALLS_MAX {
                self.kill();
            } else if self.struck_by(Fault::Failed) {
                registers.orig_rax = NONE;
                ptrace::setregs(self.pid, registers).unwrap();
            }
        } else if self.struck_by(Fault::KilledAfter) {
            self.kill();
        } else if self.struck_by(Fault::Failed) || self.struck_by(Fault::FailedButDone) {
            registers.rax = (-(Errno::EIO as i64)).cast_unsigned();
            ptrace::setregs(self.pid, registers).unwrap();
        }
    }

    /// Whether the last call is the one that goes wrong in this way.
    fn struck_by(&self, fault: Fault) -> bool {
        self.strike.is_some_and(|(at, planned)| planned == fault && self.calls.len() == at + 1)
    }

    fn kill(&self) {
        kill(self.pid, Signal::SIGKILL).unwrap();
    }
}

fn wait(pid: Pid) -> WaitStatus {
    waitpid(pid, Some(WaitPidFlag::__WALL)).unwrap()
}

/// Whether this system call writes into a file or changes a name.
pub(crate) fn writes(number: u64) -> bool {
    ["write", "pwrite64", "ftruncate", "rename", "renameat", "mkdir"].contains(&name(number).as_str())
}

/// The name of a system call of x86-64, where it is one that programs make.
pub(crate) fn name(number: u64) -> String {
    let name = match number {
        0 => "read",
        1 => "write",
        3 => "close",
        4 => "stat",
        5 => "fstat",
        8 => "lseek",
        9 => "mmap",
        10 => "mprotect",
        11 => "munmap",
        12 => "brk",
        13 => "rt_sigaction",
        14 => "rt_sigprocmask",
        17 => "pread64",
        18 => "pwrite64",
        25 => "mremap",
        28 => "madvise",
        39 => "getpid",
        72 => "fcntl",
        73 => "flock",
        74 => "fsync",
        75 => "fdatasync",
        77 => "ftruncate",
        82 => "rename",
        83 => "mkdir",
        87 => "unlink",
        91 => "fchmod",
        131 => "sigaltstack",
        202 => "futex",
        217 => "getdents64",
        231 => "exit_group",
        257 => "openat",
        258 => "mkdirat",
        262 => "newfstatat",
        263 => "unlinkat",
        264 => "renameat",
        268 => "fchmodat",
        285 => "fallocate",
        316 => "renameat2",
        318 => "getrandom",
        332 => "statx",
        _ => return format!("call {number}"),
    };
    name.to_owned()
}

//! What the first process of the embedded sandbox gives up before it starts the build, for good and for all that it
//! starts: resources, its user, new rights, keys, files and system calls.

use std::io;

use nix::sched::{CloneFlags, unshare};
use nix::sys::prctl;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::Signal;
use nix::unistd::{Gid, Uid, setgroups, setresgid, setresuid};

use crate::containment::{self, Wall, Walls};
use crate::room::{Plan, Refused, at};
use crate::{reach, syscalls};

const OPEN_FILES_MAX: u64 = 4096;
/// The backstop for the number of processes is above their limit, so that the limit itself is what a build meets.
const PROCESSES_MORE: u64 = 16;

/// Gives up everything; the walls that now stand. Those that are required stand, or there is an error.
pub(crate) fn give_up(plan: &Plan) -> Result<Walls, Refused> {
    let mut walls = Walls::new();
    // Still as root inside: an ordinary user may have few keyrings.
    walls.extend(keyutils::Keyring::join_anonymous_session().is_ok().then_some(Wall::SessionKeyring));
    limit(plan)?;
    become_nobody(plan.as_root, plan.identity.user)?;
    prctl::set_no_new_privs().map_err(at("give up new rights"))?;
    // The build has the same user as this process, and shall not look into it.
    prctl::set_dumpable(false).map_err(at("close its memory"))?;
    walls.extend(reach::confine().map_err(at("give up files"))?.then_some(Wall::Landlock));
    walls.extend(syscalls::refuse().is_ok().then_some(Wall::Seccomp));
    // A control group is made outside, before this process exists.
    let lacking: Walls = plan.required.difference(&walls).copied().filter(|wall| *wall != Wall::Cgroups).collect();
    if lacking.is_empty() {
        return Ok(walls);
    }
    Err(at("put up all of its walls")(format!("the group asks for {}", containment::list(&lacking))))
}

/// Backstops for each process. What is limited for all of them together is the group's, or sampled by the worker.
fn limit(plan: &Plan) -> Result<(), Refused> {
    let limits = [
        (Resource::RLIMIT_DATA, plan.memory_bytes),
        (Resource::RLIMIT_FSIZE, plan.file_bytes),
        (Resource::RLIMIT_NPROC, plan.processes + PROCESSES_MORE),
        (Resource::RLIMIT_NOFILE, OPEN_FILES_MAX),
        (Resource::RLIMIT_CORE, 0),
    ];
    for (resource, limit) in limits {
        // A lower limit that this process came with stays.
        let (_, hard) = getrlimit(resource).map_err(at("read its limits"))?;
        let limit = limit.min(hard);
        setrlimit(resource, limit, limit).map_err(at(format!("set {resource:?}")))?;
    }
    Ok(())
}

/// Changes to the user of builds. All rights over the namespaces are lost with the next `exec`, for that user is not
/// root in any of them.
fn become_nobody(as_root: bool, user: u32) -> Result<(), Refused> {
    let (uid, gid) = (Uid::from_raw(user), Gid::from_raw(user));
    if as_root {
        setgroups(&[]).map_err(at("leave its groups"))?;
        setresgid(gid, gid, gid).map_err(at("change its group"))?;
        setresuid(uid, uid, uid).map_err(at("change its user"))?;
    } else {
        // With one user mapped, that user can only be given another number, in a namespace below.
        unshare(CloneFlags::CLONE_NEWUSER).map_err(at("leave its user namespace"))?;
        let write = |name: &str, text: String| {
            std::fs::write(format!("/proc/self/{name}"), text).map_err(|error| (name.to_owned(), error))
        };
        let refused = |(name, error): (String, io::Error)| at(format!("write {name}"))(error);
        write("setgroups", "deny".into()).or_else(already_denied).map_err(refused)?;
        write("uid_map", format!("{user} 0 1")).map_err(refused)?;
        write("gid_map", format!("{user} 0 1")).map_err(refused)?;
    }
    // Changing users cut the tie.
    prctl::set_pdeathsig(Signal::SIGKILL).map_err(at("tie itself to its parent"))
}

/// The namespace above may have denied it for all below, and the file then refuses a second denial.
fn already_denied(refused: (String, io::Error)) -> Result<(), (String, io::Error)> {
    let now = std::fs::read_to_string("/proc/self/setgroups").unwrap_or_default();
    if now.trim() == "deny" { Ok(()) } else { Err(refused) }
}

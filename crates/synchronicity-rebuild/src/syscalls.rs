//! Which system calls a build in the embedded sandbox may not make: a filter in the spirit of Docker's default profile.
//!
//! It is a list of what is refused, not of what is allowed, so that ordinary builds go on; but calls that are newer than
//! this list are absent (`ENOSYS`), as they are on older kernels, and so is the whole x32 table. Refused calls fail
//! with `EPERM`, the error that Docker's profile gives. A program of another architecture is killed.

use std::collections::BTreeMap;

use nix::libc::{self, c_long};
use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch, sock_filter,
};

/// The first number that nobody has thought about here: `setxattrat`. Numbers of the x32 table are far above.
const UNKNOWN: u32 = 463;

/// Refused whatever the arguments.
const REFUSED: &[c_long] = &[
    // Mounts and roots.
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_open_tree,
    libc::SYS_move_mount,
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fspick,
    libc::SYS_mount_setattr,
    // Namespaces: a new user namespace opens much of the kernel to whoever makes it.
    libc::SYS_unshare,
    libc::SYS_setns,
    // Keys are not in any namespace.
    libc::SYS_keyctl,
    libc::SYS_add_key,
    libc::SYS_request_key,
    // Programs and code in the kernel, and its replacement.
    libc::SYS_bpf,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_kexec_load,
    libc::SYS_kexec_file_load,
    libc::SYS_reboot,
    // Other processes.
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_pidfd_getfd,
    libc::SYS_kcmp,
    libc::SYS_perf_event_open,
    // Files by numbers instead of paths, and reports about other people's files.
    libc::SYS_open_by_handle_at,
    libc::SYS_name_to_handle_at,
    libc::SYS_fanotify_init,
    libc::SYS_lookup_dcookie,
    // The machine as a whole.
    libc::SYS_acct,
    libc::SYS_quotactl,
    libc::SYS_quotactl_fd,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_syslog,
    libc::SYS_clock_settime,
    libc::SYS_clock_adjtime,
    libc::SYS_settimeofday,
    libc::SYS_adjtimex,
    libc::SYS_vhangup,
    // Placement of memory.
    libc::SYS_mbind,
    libc::SYS_move_pages,
    libc::SYS_migrate_pages,
    libc::SYS_set_mempolicy,
    libc::SYS_get_mempolicy,
    // Old ways into the kernel.
    #[cfg(target_arch = "x86_64")]
    libc::SYS_iopl,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_ioperm,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_modify_ldt,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_uselib,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_ustat,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_sysfs,
];

/// As if the kernel did not have them: programs have another way and take it.
const ABSENT: &[c_long] = &[
    // Its flags are in memory, where a filter cannot look. The C library then uses `clone`.
    libc::SYS_clone3,
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_userfaultfd,
];

/// `clone` with any of these makes a namespace.
const NAMESPACES: [i32; 7] = [
    libc::CLONE_NEWNS,
    libc::CLONE_NEWCGROUP,
    libc::CLONE_NEWUTS,
    libc::CLONE_NEWIPC,
    libc::CLONE_NEWUSER,
    libc::CLONE_NEWPID,
    libc::CLONE_NEWNET,
];
/// Sockets of other families (`AF_VSOCK` to the hypervisor, `AF_ALG` into the kernel) pass by the network namespace.
const FAMILIES: [i32; 4] = [libc::AF_UNIX, libc::AF_INET, libc::AF_INET6, libc::AF_NETLINK];
/// The execution domains that Docker's profile allows: none of them turns off the layout's randomness.
const PERSONALITIES: [u32; 5] = [0, 0x0008, 0x0002_0000, 0x0002_0008, 0xffff_ffff];

/// Puts the filter on this process and all that it will start. It cannot be taken off.
pub(crate) fn refuse() -> Result<(), seccompiler::Error> {
    for program in programs()? {
        seccompiler::apply_filter(&program)?;
    }
    Ok(())
}

/// One program for each error number.
fn programs() -> Result<[BpfProgram; 2], BackendError> {
    let errno = |number: i32| SeccompAction::Errno(number.unsigned_abs());
    let mut refused: BTreeMap<i64, Vec<SeccompRule>> = REFUSED.iter().map(|call| (*call, Vec::new())).collect();
    let making = NAMESPACES.map(|flag| {
        let flag = u64::from(flag.unsigned_abs());
        rule(vec![(SeccompCmpOp::MaskedEq(flag), flag)])
    });
    refused.insert(libc::SYS_clone, making.into_iter().collect::<Result<_, _>>()?);
    let none_of = |values: &[u32]| rule(values.iter().map(|value| (SeccompCmpOp::Ne, u64::from(*value))).collect());
    refused.insert(libc::SYS_socket, vec![none_of(&FAMILIES.map(i32::unsigned_abs))?]);
    refused.insert(libc::SYS_personality, vec![none_of(&PERSONALITIES)?]);
    let absent = ABSENT.iter().map(|call| (*call, Vec::new())).collect();
    Ok([filter(refused, errno(libc::EPERM))?, without_unknown(filter(absent, errno(libc::ENOSYS))?)])
}

fn filter(rules: BTreeMap<i64, Vec<SeccompRule>>, matched: SeccompAction) -> Result<BpfProgram, BackendError> {
    let arch: TargetArch = std::env::consts::ARCH.try_into()?;
    SeccompFilter::new(rules, SeccompAction::Allow, matched, arch)?.try_into()
}

/// A rule on the first argument, of which the kernel takes 32 bits.
fn rule(conditions: Vec<(SeccompCmpOp, u64)>) -> Result<SeccompRule, BackendError> {
    let condition = |(op, value)| SeccompCondition::new(0, SeccompCmpArgLen::Dword, op, value);
    SeccompRule::new(conditions.into_iter().map(condition).collect::<Result<_, _>>()?)
}

/// The same program, after a comparison that the crate has no words for: a number from [`UNKNOWN`] up is absent.
fn without_unknown(program: BpfProgram) -> BpfProgram {
    let absent = libc::SECCOMP_RET_ERRNO | libc::ENOSYS.unsigned_abs();
    let step = |code: u32, jt, jf, k| sock_filter { code: u16::try_from(code).unwrap_or(u16::MAX), jt, jf, k };
    let head = [
        // The number of the call is the first word of what a filter sees.
        step(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, 0),
        step(libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K, 0, 1, UNKNOWN),
        step(libc::BPF_RET | libc::BPF_K, 0, 0, absent),
    ];
    head.into_iter().chain(program).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The kernel would refuse a longer one.
    const INSTRUCTIONS_MAX: usize = 4096;

    #[test]
    fn both_programs_fit_the_kernel_and_no_call_is_in_both_lists() {
        let programs = programs().unwrap();
        assert!(programs.iter().all(|program| (10..INSTRUCTIONS_MAX).contains(&program.len())));
        assert!(ABSENT.iter().all(|call| !REFUSED.contains(call)));
        let mut listed = [REFUSED, ABSENT].concat();
        listed.sort_unstable();
        assert!(listed.windows(2).all(|pair| pair[0] != pair[1]), "a call is listed twice");
        assert!(listed.iter().all(|call| *call < i64::from(UNKNOWN)), "it is absent anyway");
    }
}

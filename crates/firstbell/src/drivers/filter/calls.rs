//! Which system calls are refused: those with which a program attacks the kernel, its neighbours or the machine, and that no browser
//! needs. What browsers' own sandboxes are made of (`clone`, `unshare`, `chroot`, `capset`, `seccomp`) is not among them.

use std::collections::BTreeMap;

use nix::libc::*;
use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, sock_filter,
};

use super::Whom;

/// Looking into other processes, taking from them, and changing them.
const NEIGHBOURS: [c_long; 10] = [
    SYS_kcmp,
    SYS_migrate_pages,
    SYS_move_pages,
    SYS_pidfd_getfd,
    SYS_process_madvise,
    SYS_process_mrelease,
    SYS_process_vm_readv,
    SYS_process_vm_writev,
    SYS_ptrace,
    SYS_setns,
];
/// Large or old parts of the kernel that are open to everybody on many machines, and in which holes were found again and again.
const KERNEL: [c_long; 17] = [
    SYS_add_key,
    SYS_bpf,
    SYS_fanotify_init,
    SYS_fanotify_mark,
    SYS_io_uring_enter,
    SYS_io_uring_register,
    SYS_io_uring_setup,
    SYS_keyctl,
    SYS_lookup_dcookie,
    SYS_name_to_handle_at,
    SYS_nfsservctl,
    SYS_open_by_handle_at,
    SYS_perf_event_open,
    SYS_request_key,
    SYS_syslog,
    SYS_userfaultfd,
    SYS_vhangup,
];
/// What belongs to the machine's administrator. Rights are asked for in the kernel too; a browser's user namespace gives some.
const MACHINE: [c_long; 17] = [
    SYS_acct,
    SYS_adjtimex,
    SYS_clock_adjtime,
    SYS_clock_settime,
    SYS_delete_module,
    SYS_finit_module,
    SYS_init_module,
    SYS_kexec_file_load,
    SYS_kexec_load,
    SYS_quotactl,
    SYS_quotactl_fd,
    SYS_reboot,
    SYS_setdomainname,
    SYS_sethostname,
    SYS_settimeofday,
    SYS_swapoff,
    SYS_swapon,
];
/// Ports of the processor, segments, and libraries as they were loaded in 1991.
#[cfg(target_arch = "x86_64")]
const PROCESSOR: [c_long; 4] = [SYS_ioperm, SYS_iopl, SYS_modify_ldt, SYS_uselib];
#[cfg(not(target_arch = "x86_64"))]
const PROCESSOR: [c_long; 0] = [];
/// Linux 6.15; the number is that of every architecture.
const OPEN_TREE_ATTR: c_long = 467;
/// Changing what is mounted. A cage has to, before its engine starts.
const MOUNTS: [c_long; 11] = [
    OPEN_TREE_ATTR,
    SYS_fsconfig,
    SYS_fsmount,
    SYS_fsopen,
    SYS_fspick,
    SYS_mount,
    SYS_mount_setattr,
    SYS_move_mount,
    SYS_open_tree,
    SYS_pivot_root,
    SYS_umount2,
];
/// What a browser talks by: TCP and UDP, and the kernel's list of the machine's addresses. Other kinds of socket lead into parts of the
/// kernel that are seldom looked at (its ciphers, buses of cars, Bluetooth), and to the host of a virtual machine.
const NETWORKS: [c_int; 3] = [AF_INET, AF_INET6, AF_NETLINK];
/// Typing into the terminal that firstbell was started from (ioctl(2)): a key, and what a console's menu does.
const TERMINAL: [u64; 2] = [0x5412, 0x541C];
/// The only ways in which a process may be run (personality(2)): Linux's own, and the question which it is.
const PERSONA: [u64; 2] = [0, 0xffff_ffff];
/// On x86-64, calls in its other form (x32) have numbers from here on, and their own for some: no list of numbers would name them.
const X32: u32 = 0x4000_0000;

/// The filter as the kernel reads it. A call of another architecture than ours (32 bit on one of 64, through `int 0x80`) ends the
/// process: that is what the library puts in front. All of x32 is refused.
pub(super) fn program(whom: Whom) -> Result<BpfProgram, BackendError> {
    let mounts = MOUNTS.iter().filter(|_| whom != Whom::Worker);
    let all = NEIGHBOURS.iter().chain(&KERNEL).chain(&MACHINE).chain(&PROCESSOR).chain(mounts);
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = all.map(|call| (*call, Vec::new())).collect();
    let typing = TERMINAL.map(|order| SeccompRule::new(vec![argument(1, SeccompCmpOp::Eq, order)?]));
    rules.insert(SYS_ioctl, typing.into_iter().collect::<Result<_, _>>()?);
    let other = PERSONA.map(|known| argument(0, SeccompCmpOp::Ne, known));
    let other = SeccompRule::new(other.into_iter().collect::<Result<_, _>>()?)?;
    rules.insert(SYS_personality, vec![other]);
    if whom != Whom::Worker {
        // Pairs of sockets are another call, and stay: browsers' processes talk by them.
        let kinds = NETWORKS.into_iter().chain((whom == Whom::Engine).then_some(AF_UNIX));
        let other = kinds.map(|kind| argument(0, SeccompCmpOp::Ne, u64::from(kind.unsigned_abs())));
        rules.insert(SYS_socket, vec![SeccompRule::new(other.collect::<Result<_, _>>()?)?]);
    }
    let ours = std::env::consts::ARCH.try_into()?;
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, refuse(), ours)?;
    let listed = BpfProgram::try_from(filter)?;
    Ok(if cfg!(target_arch = "x86_64") { [x32().to_vec(), listed].concat() } else { listed })
}

/// As a unit's `SystemCallErrorNumber=EPERM`: what finds itself refused goes on without.
fn refuse() -> SeccompAction {
    SeccompAction::Errno(EPERM.unsigned_abs())
}

fn argument(index: u8, op: SeccompCmpOp, value: u64) -> Result<SeccompCondition, BackendError> {
    SeccompCondition::new(index, SeccompCmpArgLen::Dword, op, value)
}

/// Loads the call's number, which comes first of what a filter sees (seccomp(2)); refuses it from x32's first on.
fn x32() -> [sock_filter; 3] {
    let word = |code: u32, jf: u8, k: u32| sock_filter {
        code: u16::try_from(code).expect("the kernel's codes are of 16 bits"),
        jt: 0,
        jf,
        k,
    };
    [
        word(BPF_LD | BPF_W | BPF_ABS, 0, 0),
        word(BPF_JMP | BPF_JGE | BPF_K, 1, X32),
        word(BPF_RET | BPF_K, 0, refuse().into()),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_engine_is_refused_what_a_worker_is_and_mounts() {
        let [worker, engine] = [Whom::Worker, Whom::Engine].map(|whom| program(whom).unwrap());
        let names = |program: &BpfProgram, call: c_long| {
            program
                .iter()
                .any(|step| u32::from(step.code) == BPF_JMP | BPF_JEQ | BPF_K && i64::from(step.k) == call)
        };
        for call in NEIGHBOURS.iter().chain(&KERNEL).chain(&MACHINE).chain(&PROCESSOR) {
            assert!(names(&worker, *call) && names(&engine, *call), "{call}");
        }
        for call in MOUNTS.into_iter().chain([SYS_socket]) {
            assert!(!names(&worker, call) && names(&engine, call), "{call}");
        }
        for call in [SYS_clone, SYS_clone3, SYS_unshare, SYS_chroot, SYS_seccomp, SYS_prctl, SYS_execve] {
            assert!(!names(&engine, call), "{call}");
        }
    }
}

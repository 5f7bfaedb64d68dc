#!/bin/bash
# Looks at the walls from inside a unit: what a program that was taken over could do. Says what it should not be able to.
failed=0
cannot() {
    local what=$1
    shift
    if "$@" >/dev/null 2>&1; then echo "it can $what"; failed=1; fi
}
# socket KIND: the number of an address family; perl is in every Debian.
socket() { perl -e 'use Socket; exit !socket(my $s, $ARGV[0], SOCK_RAW, 0)' "$1"; }
# The third argument asks for memory that can be written and run.
writable_code() { perl -e 'exit !(syscall($ARGV[0], 0, 4096, 7, 0x22, -1, 0) != -1)' "$(mmap_number)"; }
mmap_number() { case $(uname -m) in x86_64) echo 9 ;; *) echo 222 ;; esac }

for path in /etc /usr /var /var/lib /boot /run; do cannot "write to $path" touch "$path/mark"; done
cannot "write a tunable" bash -c 'echo 0 >/proc/sys/kernel/core_pattern'
cannot "read root's home" bash -c '[ -n "$(ls -A /root /home | grep -v :)" ]'
cannot "see a process that is not its own" test -d /proc/1/fd
cannot "see the machine's hardware" test -e /proc/cpuinfo
cannot "see a disk" bash -c 'ls /dev/[sv]d*'
cannot "make a mount namespace" unshare --mount true
cannot "make a user and a mount namespace" unshare --user --map-root-user --mount true
cannot "make an ipc namespace" unshare --user --map-root-user --ipc true
cannot "change its root" chroot / true
cannot "talk netlink" socket 16
cannot "send packets of its own making" socket 17
cannot "run what it writes into memory" writable_code
cannot "leave a core file" bash -c '[ "$(ulimit -H -c)" != 0 ]'
cannot "own a right" grep -E '^Cap(Prm|Eff|Bnd|Amb):.*[1-9a-f]' /proc/self/status
cannot "get one" grep -E '^NoNewPrivs:\s*0' /proc/self/status
cannot "see other people's shared memory" test -e /dev/shm/somebody
[ -w /dev/shm ] && [ -w "$STATE_DIRECTORY" ] || { echo "it cannot write where it must"; failed=1; }
# Whether this unit may make user namespaces is what the drop-in decides.
unshare --user true 2>/dev/null && echo "user namespaces" || echo "no namespaces"
exit $failed

"""Runs one program once and measures it: wall time, CPU time, and the memory of its whole process tree."""

import ctypes
import os
import platform
import signal
import struct
import subprocess
import threading
import time
from dataclasses import dataclass, field

PAUSE_S = 0.010
"""Between two looks at the process tree."""

LIMIT_S = 90
"""A run that takes longer hangs."""

LIBC = ctypes.CDLL(None, use_errno=True)
PR_SET_CHILD_SUBREAPER = 36
PERF_EVENT_OPEN = {"x86_64": 298, "aarch64": 241}


@dataclass
class Run:
    """What one run took."""

    code: int
    wall_s: float
    cpu_s: "float | None"
    """User and system time of the whole tree; nothing where the kernel does not count it for us, or it was watched."""
    tree: "Tree | None"
    """What the looks saw, if it was watched."""


@dataclass
class Tree:
    """What the looks at one process tree saw."""

    pss_kb: int = 0
    """The highest sum of proportional set sizes of one look."""
    shm_kb: int = 0
    """The most that lay on /dev/shm beyond what lay there before; no PSS counts a file that nobody maps."""
    most: int = 0
    """The most processes of one look."""
    looks: int = 0
    hidden: set = field(default_factory=set)
    """Names of processes whose memory we may not read."""


def adopt_orphans():
    """Makes this process the parent of what its children leave behind, so that no descendant gets out of sight."""
    if LIBC.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "this kernel gives us no orphans")


def run(command, env, folder, *, watch):
    """Runs a command to its end in `folder`, with its output in files there. With `watch`, its tree is looked at."""
    strangers = children_of(os.getpid())
    counter = None if watch else CpuCounter.start()
    with open(os.path.join(folder, "stdout"), "wb") as out, open(os.path.join(folder, "stderr"), "wb") as err:
        began = time.perf_counter()
        process = subprocess.Popen(
            command, env=env, cwd=folder, stdin=subprocess.DEVNULL, stdout=out, stderr=err, start_new_session=True
        )
        # Ends what hangs; cancelled before the process is reaped, so that its number cannot be somebody else's.
        limit = threading.Timer(LIMIT_S, os.kill, (process.pid, signal.SIGKILL))
        limit.daemon = True
        limit.start()
        watcher = Watcher(process.pid, strangers) if watch else None
        try:
            os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
            wall_s = time.perf_counter() - began
        except BaseException:
            # Somebody ends the benchmark: what it started ends with it, by itself if it can.
            os.kill(process.pid, signal.SIGTERM)
            bury(strangers, patience_s=2)
            raise
        finally:
            limit.cancel()
        tree = watcher.end() if watcher else None
        process.wait()
    bury(strangers)
    return Run(process.returncode, wall_s, counter.end() if counter else None, tree)


def bury(strangers, patience_s=5):
    """Waits for the orphans of a run that is over, and ends those that stay."""
    until = time.monotonic() + patience_s
    while orphans := children_of(os.getpid()) - strangers:
        for pid, _ in orphans:
            if time.monotonic() > until:
                os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, os.WNOHANG)
        time.sleep(0.005)


class CpuCounter:
    """The CPU time of everything that this thread starts, by a counter of the kernel that children inherit.

    What wait4 says is too little here: a browser in its sandbox lives in a PID namespace, and when that is killed
    the kernel forgets the time of the processes in it. Full Chromium loses more than half of its time that way.
    """

    def __init__(self, descriptor):
        self.descriptor = descriptor
        self.began_s = self.total_s()

    @staticmethod
    def start():
        number = PERF_EVENT_OPEN.get(platform.machine())
        if number is None:
            return None
        # struct perf_event_attr: type software, its size, counter task-clock, no sampling, the flag "inherit".
        attributes = struct.pack("=IIQQQQQ", 1, 112, 1, 0, 0, 0, 1 << 1).ljust(112, b"\0")
        this_thread, any_cpu, no_group, close_on_exec = 0, -1, -1, 8
        descriptor = LIBC.syscall(number, attributes, this_thread, any_cpu, no_group, close_on_exec)
        return CpuCounter(descriptor) if descriptor >= 0 else None

    def total_s(self):
        """What was counted, without our own part."""
        (nanoseconds,) = struct.unpack("=Q", os.read(self.descriptor, 8))
        return nanoseconds / 1e9 - time.thread_time()

    def end(self):
        spent_s = self.total_s() - self.began_s
        os.close(self.descriptor)
        return spent_s


class Watcher:
    """Looks at a process tree every few milliseconds, from a thread of its own."""

    def __init__(self, root, strangers):
        self.root, self.strangers = root, strangers
        self.known = set()
        self.tree = Tree()
        self.shm_before_kb = shm_kb()
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.watch, daemon=True)
        self.thread.start()

    def end(self):
        self.over.set()
        self.thread.join()
        return self.tree

    def watch(self):
        due = time.monotonic()
        while not self.over.is_set():
            self.look()
            due = max(due + PAUSE_S, time.monotonic())
            self.over.wait(due - time.monotonic())

    def look(self):
        tree, members = self.tree, self.members()
        tree.pss_kb = max(tree.pss_kb, sum(pss_kb(pid, tree.hidden) for pid in members))
        tree.shm_kb = max(tree.shm_kb, shm_kb() - self.shm_before_kb)
        tree.most = max(tree.most, len(members))
        tree.looks += 1

    def members(self):
        """The root and what is below it, what became an orphan of ours, and what once was one of these."""
        table = processes()
        members = {pid for pid, (_, start) in table.items() if pid == self.root or (pid, start) in self.known}
        more = True
        while more:
            more = {
                pid
                for pid, (parent, start) in table.items()
                if pid not in members
                and (parent in members or (parent == os.getpid() and (pid, start) not in self.strangers))
            }
            members |= more
        self.known |= {(pid, table[pid][1]) for pid in members}
        return members


def processes():
    """Parent and start of every process; number and start together name a process for good."""
    table = {}
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{entry}/stat", "rb") as file:
                fields = file.read().rpartition(b")")[2].split()
        except OSError:
            continue  # It has ended.
        table[int(entry)] = (int(fields[1]), int(fields[19]))
    return table


def children_of(pid):
    return {(child, start) for child, (parent, start) in processes().items() if parent == pid}


def pss_kb(pid, hidden):
    try:
        with open(f"/proc/{pid}/smaps_rollup", "rb") as file:
            return next((int(line.split()[1]) for line in file if line.startswith(b"Pss:")), 0)
    except PermissionError:
        hidden.add(pid)
    except OSError:
        pass  # It has ended.
    return 0


def shm_kb():
    try:
        shm = os.statvfs("/dev/shm")
    except OSError:
        return 0
    return (shm.f_blocks - shm.f_bfree) * shm.f_frsize // 1024

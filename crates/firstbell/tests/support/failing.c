/* A disk that fails on purpose: loaded before libc, it counts the calls that change files below one path, and at the n-th
 * of them fails, tears the write, or kills the process. It also moves the clock, so that no run waits for a time step.
 *
 *   FAIL_UNDER  calls on paths that begin with this are counted
 *   FAIL_AT     the call at which it happens, from 1; 0 only counts
 *   FAIL_HOW    an errno as a number; 0 dies before the call; -1 dies in the middle of it, where it is a write
 *   FAIL_ON     1: every call from there on fails, too
 *   FAIL_LOG    gets a line "fired N" when it happens, and "calls N" at a regular end
 *   FAIL_CLOCK_S  seconds by which the time of day is ahead */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define FDS 4096

static const char *under, *log_path;
static long at, how, on, ahead_s;
static atomic_long calls;
static atomic_bool mine[FDS];

#define REAL(name) ((__typeof__(name) *)dlsym(RTLD_NEXT, #name))

static long number(const char *name) {
    const char *text = getenv(name);
    return text ? atol(text) : 0;
}

__attribute__((constructor)) static void begin(void) {
    at = number("FAIL_AT"), how = number("FAIL_HOW"), on = number("FAIL_ON"), ahead_s = number("FAIL_CLOCK_S");
    log_path = getenv("FAIL_LOG");
    under = getenv("FAIL_UNDER");
}

/* By bare system calls: what the log does must not count. */
static void say(const char *what, long count) {
    char line[64];
    if (!log_path) return;
    int fd = syscall(SYS_openat, AT_FDCWD, log_path, O_WRONLY | O_CREAT | O_APPEND, 0600);
    if (fd < 0) return;
    syscall(SYS_write, fd, line, snprintf(line, sizeof line, "%s %ld\n", what, count));
    syscall(SYS_close, fd);
}

__attribute__((destructor)) static void end(void) { say("calls", calls); }

static int counts(const char *path) { return under && path && !strncmp(path, under, strlen(under)); }
static int counts_fd(int fd) { return under && fd >= 0 && fd < FDS && mine[fd]; }

/* Whether the call fails; half of a write is done first where it is to be torn. */
static int fails(int fd, const void *bytes, size_t len, off_t where) {
    long n = ++calls;
    if (!at || n < at || (n > at && !on)) return 0;
    if (n == at) say("fired", n);
    if (how < 0 && bytes && where >= 0) syscall(SYS_pwrite64, fd, bytes, len / 2, where);
    if (how < 0 && bytes && where < 0) syscall(SYS_write, fd, bytes, len / 2);
    if (how <= 0) {
        kill(getpid(), SIGKILL);
        for (;;) pause();
    }
    errno = how;
    return 1;
}

static int plain(void) { return fails(-1, 0, 0, 0); }

static int opened(int fd, const char *path) {
    if (fd >= 0 && fd < FDS) mine[fd] = counts(path);
    return fd;
}

#define MODE(flags)                                                 \
    mode_t mode = 0;                                                \
    if (flags & (O_CREAT | O_TMPFILE)) {                            \
        va_list list;                                               \
        va_start(list, flags);                                      \
        mode = va_arg(list, mode_t);                                \
        va_end(list);                                               \
    }

int open(const char *path, int flags, ...) {
    MODE(flags)
    return counts(path) && plain() ? -1 : opened(REAL(open)(path, flags, mode), path);
}
int open64(const char *path, int flags, ...) {
    MODE(flags)
    return counts(path) && plain() ? -1 : opened(REAL(open64)(path, flags, mode), path);
}
int openat(int folder, const char *path, int flags, ...) {
    MODE(flags)
    return counts(path) && plain() ? -1 : opened(REAL(openat)(folder, path, flags, mode), path);
}
int openat64(int folder, const char *path, int flags, ...) {
    MODE(flags)
    return counts(path) && plain() ? -1 : opened(REAL(openat64)(folder, path, flags, mode), path);
}
int close(int fd) {
    if (fd >= 0 && fd < FDS) mine[fd] = 0;
    return REAL(close)(fd);
}

int dup2(int from, int to) {
    int fd = REAL(dup2)(from, to);
    if (fd >= 0 && fd < FDS) mine[fd] = counts_fd(from);
    return fd;
}

ssize_t write(int fd, const void *bytes, size_t len) {
    return counts_fd(fd) && fails(fd, bytes, len, -1) ? -1 : REAL(write)(fd, bytes, len);
}
ssize_t pwrite(int fd, const void *bytes, size_t len, off_t where) {
    return counts_fd(fd) && fails(fd, bytes, len, where) ? -1 : REAL(pwrite)(fd, bytes, len, where);
}
ssize_t pwrite64(int fd, const void *bytes, size_t len, off64_t where) {
    return counts_fd(fd) && fails(fd, bytes, len, where) ? -1 : REAL(pwrite64)(fd, bytes, len, where);
}
ssize_t writev(int fd, const struct iovec *parts, int count) {
    return counts_fd(fd) && plain() ? -1 : REAL(writev)(fd, parts, count);
}
int fsync(int fd) { return counts_fd(fd) && plain() ? -1 : REAL(fsync)(fd); }
int fdatasync(int fd) { return counts_fd(fd) && plain() ? -1 : REAL(fdatasync)(fd); }
int ftruncate(int fd, off_t len) { return counts_fd(fd) && plain() ? -1 : REAL(ftruncate)(fd, len); }
int ftruncate64(int fd, off64_t len) { return counts_fd(fd) && plain() ? -1 : REAL(ftruncate64)(fd, len); }

int rename(const char *from, const char *to) { return counts(to) && plain() ? -1 : REAL(rename)(from, to); }
int renameat(int a, const char *from, int b, const char *to) {
    return counts(to) && plain() ? -1 : REAL(renameat)(a, from, b, to);
}
int renameat2(int a, const char *from, int b, const char *to, unsigned flags) {
    return counts(to) && plain() ? -1 : REAL(renameat2)(a, from, b, to, flags);
}
int link(const char *from, const char *to) { return counts(to) && plain() ? -1 : REAL(link)(from, to); }
int linkat(int a, const char *from, int b, const char *to, int flags) {
    return counts(to) && plain() ? -1 : REAL(linkat)(a, from, b, to, flags);
}
int unlink(const char *path) { return counts(path) && plain() ? -1 : REAL(unlink)(path); }
int unlinkat(int folder, const char *path, int flags) {
    return counts(path) && plain() ? -1 : REAL(unlinkat)(folder, path, flags);
}
int mkdir(const char *path, mode_t mode) { return counts(path) && plain() ? -1 : REAL(mkdir)(path, mode); }

int clock_gettime(clockid_t which, struct timespec *now) {
    int outcome = syscall(SYS_clock_gettime, which, now);
    if (!outcome && which == CLOCK_REALTIME) now->tv_sec += ahead_s;
    return outcome;
}

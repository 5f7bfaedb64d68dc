/* Starts a program for which no limit on cores can be set any more: whoever sets one is told that it is done, and nothing is. */
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define WORD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define IS(value, yes, no) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (value), (yes), (no))
#define GIVE(what) BPF_STMT(BPF_RET | BPF_K, (what))
/* The lower half of an argument on a little machine. */
#define LOW(argument) WORD(args[argument])
#define HIGH(argument) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[argument]) + 4)

int main(int count, char **words)
{
    struct sock_filter lines[] = {
        WORD(nr),
        IS(SYS_prlimit64, 0, 6),
        LOW(1),
        IS(RLIMIT_CORE, 0, 6),
        /* Whoever only asks has no new limit. */
        LOW(2),
        IS(0, 0, 3),
        HIGH(2),
        IS(0, 2, 1),
        IS(SYS_setrlimit, 2, 1),
        GIVE(SECCOMP_RET_ERRNO | 0),
        GIVE(SECCOMP_RET_ALLOW),
        LOW(0),
        IS(RLIMIT_CORE, 0, 1),
        GIVE(SECCOMP_RET_ERRNO | 0),
        GIVE(SECCOMP_RET_ALLOW),
    };
    struct sock_fprog filter = { sizeof lines / sizeof *lines, lines };
    struct rlimit all = { RLIM_INFINITY, RLIM_INFINITY };
    if (count < 2 || setrlimit(RLIMIT_CORE, &all) != 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0
        || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) != 0) {
        perror("unlimited");
        return 1;
    }
    execvp(words[1], words + 1);
    perror(words[1]);
    return 1;
}

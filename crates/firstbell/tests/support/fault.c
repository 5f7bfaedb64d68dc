/* Has a process go on where no program is: it dies of that as of a fault of its own. A signal from outside would not do for the first
   process of a namespace, which the kernel spares. */
#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>

static int failed(const char *what)
{
    perror(what);
    return 1;
}

int main(int count, char **words)
{
    pid_t process = count == 2 ? atoi(words[1]) : 0;
    struct user_regs_struct registers;
    struct iovec all = { &registers, sizeof registers };
    if (process <= 0 || ptrace(PTRACE_SEIZE, process, 0, 0) != 0)
        return failed("seize");
    if (ptrace(PTRACE_INTERRUPT, process, 0, 0) != 0 || waitpid(process, NULL, __WALL) != process)
        return failed("interrupt");
    if (ptrace(PTRACE_GETREGSET, process, NT_PRSTATUS, &all) != 0)
        return failed("read");
#ifdef __x86_64__
    registers.rip = 0;
    /* No call that was interrupted is begun again. */
    registers.orig_rax = -1;
#else
    registers.pc = 0;
#endif
    if (ptrace(PTRACE_SETREGSET, process, NT_PRSTATUS, &all) != 0)
        return failed("write");
    return ptrace(PTRACE_DETACH, process, 0, 0) == 0 ? 0 : failed("let go");
}

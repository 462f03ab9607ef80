#include "config.h"

#include <sys/mman.h>
#include <sys/socket.h>

#include <fcntl.h>

#include "common/filter.h"
#include "control/seccomp.h"

/*
 * What is left: take connections and descriptors, give none away, read and
 * write what is open, get memory that is not executable, look at the clock,
 * end.
 */
static const struct filter_rule allowed[] = {
    {.call = SCMP_SYS(accept4)},
    {.call = SCMP_SYS(read)},
    {.call = SCMP_SYS(recvmsg)},
    {.call = SCMP_SYS(writev)},
    /* to whom it is connected; sendmsg could give descriptors away */
    {SCMP_SYS(sendto), 1, {{4, SCMP_CMP_EQ, 0, 0}}},
    {.call = SCMP_SYS(close)},
    {.call = SCMP_SYS(epoll_wait)},
    {.call = SCMP_SYS(epoll_pwait)},
    {.call = SCMP_SYS(epoll_ctl)},
    {SCMP_SYS(getsockopt), 2,
	{{1, SCMP_CMP_EQ, SOL_SOCKET, 0}, {2, SCMP_CMP_EQ, SO_PEERCRED, 0}}},
    {.call = SCMP_SYS(fstat)},
    /* glibc's fstat; the root is empty */
    {SCMP_SYS(newfstatat), 1, {{3, SCMP_CMP_EQ, AT_EMPTY_PATH, 0}}},
#ifdef __s390__
    /* its arguments are in memory, which a filter cannot see */
    {.call = SCMP_SYS(mmap)},
#else
    {SCMP_SYS(mmap), 1, {{2, SCMP_CMP_MASKED_EQ, PROT_EXEC, 0}}},
#endif
#if __SIZEOF_LONG__ == 4
    /* the C library's mmap, fstat and clock_gettime there */
    {SCMP_SYS(mmap2), 1, {{2, SCMP_CMP_MASKED_EQ, PROT_EXEC, 0}}},
    {SCMP_SYS(statx), 1,
	{{2, SCMP_CMP_MASKED_EQ, AT_EMPTY_PATH, AT_EMPTY_PATH}}},
    {.call = SCMP_SYS(clock_gettime64)},
#endif
    {.call = SCMP_SYS(munmap)},
    {.call = SCMP_SYS(mremap)},
    {.call = SCMP_SYS(brk)},
    {.call = SCMP_SYS(clock_gettime)},
    {.call = SCMP_SYS(gettimeofday)}, /* libevent, without a vDSO */
    {.call = SCMP_SYS(exit_group)},
#ifdef SANITIZERS
    {.call = SCMP_SYS(madvise)},
    {.call = SCMP_SYS(futex)},
    {.call = SCMP_SYS(getpid)},
    {.call = SCMP_SYS(gettid)},
    {.call = SCMP_SYS(sigaltstack)},
    {.call = SCMP_SYS(rt_sigprocmask)},
    {.call = SCMP_SYS(sched_yield)},
    {.call = SCMP_SYS(write)},
    {.call = SCMP_SYS(readlink)},
#endif
};

int
control_seccomp(void)
{
	return filter_load(SCMP_ACT_ALLOW, allowed,
	    sizeof(allowed) / sizeof(allowed[0]), SCMP_ACT_KILL_PROCESS);
}

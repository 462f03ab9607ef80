#include "config.h"

#include "common/filter.h"
#include "common/udp_options.h"
#include "worker/seccomp.h"

static const struct filter_rule allowed[] = {
    {.call = SCMP_SYS(read)},	  /* tun frames, the timer */
    {.call = SCMP_SYS(readv)},	  /* messages */
    {.call = SCMP_SYS(writev)},	  /* tun frames, datagrams, messages */
    {.call = SCMP_SYS(recvmmsg)}, /* datagrams */
#if __SIZEOF_LONG__ == 4
    {.call = SCMP_SYS(recvmmsg_time64)}, /* the C library's recvmmsg there */
#endif
#ifdef __NR_epoll_wait
    {.call = SCMP_SYS(epoll_wait)},
#else
    {.call = SCMP_SYS(epoll_pwait)}, /* what the C library has in its place */
#endif
    {.call = SCMP_SYS(sched_yield)}, /* after a batch of large frames */
    {.call = SCMP_SYS(exit_group)},
    {SCMP_SYS(setsockopt), 2,
	{{1, SCMP_CMP_EQ, SOL_UDP, 0}, {2, SCMP_CMP_EQ, UDP_SEGMENT, 0}}},
#ifdef SANITIZERS
    /* the sanitizers' run time allocates and reports; tests only */
    {.call = SCMP_SYS(write)},
    {.call = SCMP_SYS(clock_gettime)},
    {.call = SCMP_SYS(mmap)},
    {.call = SCMP_SYS(munmap)},
    {.call = SCMP_SYS(mprotect)},
    {.call = SCMP_SYS(madvise)},
    {.call = SCMP_SYS(getpid)},
    {.call = SCMP_SYS(gettid)},
    {.call = SCMP_SYS(sigaltstack)},
    {.call = SCMP_SYS(rt_sigprocmask)},
    {.call = SCMP_SYS(futex)},
#endif
};

int
worker_seccomp(void)
{
	return filter_load(SCMP_ACT_ALLOW, allowed,
	    sizeof(allowed) / sizeof(allowed[0]), SCMP_ACT_KILL_PROCESS);
}

#include "config.h"

#include <errno.h>
#include <seccomp.h>
#include <stddef.h>

#include "common/udp_options.h"
#include "worker/seccomp.h"

static const int allowed[] = {
    SCMP_SYS(read),	/* tun frames, the timer */
    SCMP_SYS(readv),	/* messages */
    SCMP_SYS(writev),	/* tun frames, datagrams, messages */
    SCMP_SYS(recvmmsg), /* datagrams */
#ifdef __NR_epoll_wait
    SCMP_SYS(epoll_wait),
#else
    SCMP_SYS(epoll_pwait), /* what the C library has in its place */
#endif
    SCMP_SYS(sched_yield), /* after a batch of large frames */
    SCMP_SYS(exit_group),
#ifdef SANITIZERS
    /* the sanitizers' run time allocates and reports; tests only */
    SCMP_SYS(write),
    SCMP_SYS(clock_gettime),
    SCMP_SYS(mmap),
    SCMP_SYS(munmap),
    SCMP_SYS(mprotect),
    SCMP_SYS(madvise),
    SCMP_SYS(getpid),
    SCMP_SYS(gettid),
    SCMP_SYS(sigaltstack),
    SCMP_SYS(rt_sigprocmask),
    SCMP_SYS(futex),
#endif
};

int
worker_seccomp(void)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_KILL_PROCESS);
	size_t i;
	int r = ctx == NULL ? -ENOMEM : 0;

	for (i = 0; r == 0 && i < sizeof(allowed) / sizeof(allowed[0]); i++)
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, allowed[i], 0);
	if (r == 0)
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(setsockopt),
		    2, SCMP_A1(SCMP_CMP_EQ, SOL_UDP, 0),
		    SCMP_A2(SCMP_CMP_EQ, UDP_SEGMENT, 0));
	if (r == 0)
		r = seccomp_load(ctx);
	if (ctx != NULL)
		seccomp_release(ctx);
	if (r == 0)
		return 0;
	errno = -r;
	return -1;
}

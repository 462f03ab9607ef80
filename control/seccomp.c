#include "config.h"

#include <sys/mman.h>
#include <sys/socket.h>

#include <errno.h>
#include <fcntl.h>
#include <seccomp.h>
#include <stddef.h>

#include "control/seccomp.h"

/*
 * What is left: take connections and descriptors, read and write what is
 * open, get memory that is not executable, look at the clock, end.
 */
static const struct {
	int call;
	unsigned int conditions;
	struct scmp_arg_cmp when[2];
} allowed[] = {
    {SCMP_SYS(accept4), 0, {{0}}},
    {SCMP_SYS(read), 0, {{0}}},
    {SCMP_SYS(recvmsg), 0, {{0}}},
    {SCMP_SYS(writev), 0, {{0}}},
    {SCMP_SYS(sendmsg), 0, {{0}}},
    {SCMP_SYS(close), 0, {{0}}},
    {SCMP_SYS(epoll_wait), 0, {{0}}},
    {SCMP_SYS(epoll_pwait), 0, {{0}}},
    {SCMP_SYS(epoll_ctl), 0, {{0}}},
    {SCMP_SYS(getsockopt), 2,
	{{1, SCMP_CMP_EQ, SOL_SOCKET, 0}, {2, SCMP_CMP_EQ, SO_PEERCRED, 0}}},
    {SCMP_SYS(fstat), 0, {{0}}},
    /* glibc's fstat; the root is empty */
    {SCMP_SYS(newfstatat), 1, {{3, SCMP_CMP_EQ, AT_EMPTY_PATH, 0}}},
    {SCMP_SYS(mmap), 1, {{2, SCMP_CMP_MASKED_EQ, PROT_EXEC, 0}}},
    {SCMP_SYS(munmap), 0, {{0}}},
    {SCMP_SYS(mremap), 0, {{0}}},
    {SCMP_SYS(brk), 0, {{0}}},
    {SCMP_SYS(clock_gettime), 0, {{0}}},
    {SCMP_SYS(gettimeofday), 0, {{0}}}, /* libevent, without a vDSO */
    {SCMP_SYS(exit_group), 0, {{0}}},
#ifdef SANITIZERS
    {SCMP_SYS(madvise), 0, {{0}}},
    {SCMP_SYS(futex), 0, {{0}}},
    {SCMP_SYS(getpid), 0, {{0}}},
    {SCMP_SYS(gettid), 0, {{0}}},
    {SCMP_SYS(sigaltstack), 0, {{0}}},
    {SCMP_SYS(rt_sigprocmask), 0, {{0}}},
    {SCMP_SYS(sched_yield), 0, {{0}}},
    {SCMP_SYS(write), 0, {{0}}},
    {SCMP_SYS(readlink), 0, {{0}}},
#endif
};

int
control_seccomp(void)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
	size_t i;
	int r;

	if (filter == NULL) {
		errno = ENOMEM;
		return -1;
	}
	for (i = 0; i < sizeof(allowed) / sizeof(allowed[0]); i++) {
		r = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW,
		    allowed[i].call, allowed[i].conditions, allowed[i].when);
		/* a call that this architecture does not have */
		if (r < 0 && r != -EDOM)
			break;
		r = 0;
	}
	if (r == 0)
		r = seccomp_load(filter);
	seccomp_release(filter);
	errno = -r;
	return r < 0 ? -1 : 0;
}

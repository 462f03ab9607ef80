#include <errno.h>
#include <seccomp.h>
#include <stddef.h>

#include "config.h"

#include "privsep/seccomp.h"

/*
 * The parent forks, executes and lets its children make namespaces, so an
 * allow-list of its own would have to hold all of that and more with every
 * version of the C library.  What it must never do is a shorter list.
 */
static const int denied[] = {
/* other processes' memory and descriptors */
#ifndef SANITIZERS /* whose search for leaks at the end needs it */
    SCMP_SYS(ptrace),
#endif
    SCMP_SYS(process_vm_readv), SCMP_SYS(process_vm_writev), SCMP_SYS(kcmp),
    SCMP_SYS(pidfd_getfd), SCMP_SYS(userfaultfd),
    /* code in the kernel */
    SCMP_SYS(init_module), SCMP_SYS(finit_module), SCMP_SYS(delete_module),
    SCMP_SYS(kexec_load), SCMP_SYS(kexec_file_load), SCMP_SYS(bpf),
    SCMP_SYS(perf_event_open), SCMP_SYS(io_uring_setup),
    SCMP_SYS(io_uring_enter), SCMP_SYS(io_uring_register),
    /* files by other ways than their names, and devices */
    SCMP_SYS(open_by_handle_at), SCMP_SYS(mknod), SCMP_SYS(mknodat),
    SCMP_SYS(fanotify_init), SCMP_SYS(quotactl), SCMP_SYS(acct),
    /* the machine */
    SCMP_SYS(reboot), SCMP_SYS(swapon), SCMP_SYS(swapoff),
    SCMP_SYS(settimeofday), SCMP_SYS(clock_settime), SCMP_SYS(adjtimex),
    SCMP_SYS(clock_adjtime), SCMP_SYS(sethostname), SCMP_SYS(setdomainname),
    SCMP_SYS(iopl), SCMP_SYS(ioperm), SCMP_SYS(modify_ldt),
    SCMP_SYS(personality), SCMP_SYS(syslog),
    /* keys */
    SCMP_SYS(add_key), SCMP_SYS(request_key), SCMP_SYS(keyctl)};

int
privsep_seccomp(void)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);
	size_t i;
	int r = ctx == NULL ? -ENOMEM : 0;

	for (i = 0; r == 0 && i < sizeof(denied) / sizeof(denied[0]); i++) {
		/* not every machine has every call */
		r = seccomp_rule_add(ctx, SCMP_ACT_KILL_PROCESS, denied[i], 0);
		if (r == -EDOM || r == -EINVAL)
			r = 0;
	}
	if (r == 0)
		r = seccomp_load(ctx);
	if (ctx != NULL)
		seccomp_release(ctx);
	if (r == 0)
		return 0;
	errno = -r;
	return -1;
}

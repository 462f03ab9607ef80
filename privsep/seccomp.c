#include "config.h"

#include "common/filter.h"
#include "privsep/seccomp.h"

/*
 * The parent forks, executes and lets its children make namespaces, so an
 * allow-list of its own would have to hold all of that and more with every
 * version of the C library.  What it must never do is a shorter list.
 */
static const struct filter_rule denied[] = {
/* other processes' memory and descriptors */
#ifndef SANITIZERS /* whose search for leaks at the end needs it */
    {.call = SCMP_SYS(ptrace)},
#endif
    {.call = SCMP_SYS(process_vm_readv)},
    {.call = SCMP_SYS(process_vm_writev)},
    {.call = SCMP_SYS(kcmp)},
    {.call = SCMP_SYS(pidfd_getfd)},
    {.call = SCMP_SYS(userfaultfd)},
    /* code in the kernel */
    {.call = SCMP_SYS(init_module)},
    {.call = SCMP_SYS(finit_module)},
    {.call = SCMP_SYS(delete_module)},
    {.call = SCMP_SYS(kexec_load)},
    {.call = SCMP_SYS(kexec_file_load)},
    {.call = SCMP_SYS(bpf)},
    {.call = SCMP_SYS(perf_event_open)},
    {.call = SCMP_SYS(io_uring_setup)},
    {.call = SCMP_SYS(io_uring_enter)},
    {.call = SCMP_SYS(io_uring_register)},
    /* files by other ways than their names, and devices */
    {.call = SCMP_SYS(open_by_handle_at)},
    {.call = SCMP_SYS(mknod)},
    {.call = SCMP_SYS(mknodat)},
    {.call = SCMP_SYS(fanotify_init)},
    {.call = SCMP_SYS(quotactl)},
    {.call = SCMP_SYS(acct)},
    /* the machine */
    {.call = SCMP_SYS(reboot)},
    {.call = SCMP_SYS(swapon)},
    {.call = SCMP_SYS(swapoff)},
    {.call = SCMP_SYS(settimeofday)},
    {.call = SCMP_SYS(clock_settime)},
    {.call = SCMP_SYS(adjtimex)},
    {.call = SCMP_SYS(clock_adjtime)},
    {.call = SCMP_SYS(sethostname)},
    {.call = SCMP_SYS(setdomainname)},
    {.call = SCMP_SYS(iopl)},
    {.call = SCMP_SYS(ioperm)},
    {.call = SCMP_SYS(modify_ldt)},
    {.call = SCMP_SYS(personality)},
    {.call = SCMP_SYS(syslog)},
    /* keys */
    {.call = SCMP_SYS(add_key)},
    {.call = SCMP_SYS(request_key)},
    {.call = SCMP_SYS(keyctl)},
};

int
privsep_seccomp(void)
{
	return filter_load(SCMP_ACT_KILL_PROCESS, denied,
	    sizeof(denied) / sizeof(denied[0]), SCMP_ACT_ALLOW);
}

#include "config.h"

#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "privsep/seccomp.h"
#include "tests/calls.h"

/* How a child ends that makes this call behind the parent's filter. */
static int
run_filtered(void (*call)(long), long number)
{
	const struct rlimit none = {0, 0};
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		setrlimit(RLIMIT_CORE, &none);
		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1 ||
		    privsep_seccomp() == -1)
			_exit(3);
		call(number);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void
call_it(long number)
{
	calls_in_vain(number);
}

static const struct {
	const char *name;
	long number;
} denied[] = {
#define CALL(name)                \
	{                         \
#name, SYS_##name \
	}
#ifndef SANITIZERS
    CALL(ptrace),
#endif
    CALL(process_vm_readv),
    CALL(process_vm_writev),
    CALL(kcmp),
    CALL(pidfd_getfd),
    CALL(userfaultfd),
    CALL(init_module),
    CALL(finit_module),
    CALL(delete_module),
    CALL(kexec_load),
#ifdef SYS_kexec_file_load
    CALL(kexec_file_load),
#endif
    CALL(bpf),
    CALL(perf_event_open),
    CALL(io_uring_setup),
    CALL(io_uring_enter),
    CALL(io_uring_register),
    CALL(open_by_handle_at),
#ifdef SYS_mknod
    CALL(mknod),
#endif
    CALL(mknodat),
    CALL(fanotify_init),
    CALL(quotactl),
    CALL(acct),
    CALL(reboot),
    CALL(swapon),
    CALL(swapoff),
    CALL(settimeofday),
    CALL(clock_settime),
    CALL(adjtimex),
    CALL(clock_adjtime),
    CALL(sethostname),
    CALL(setdomainname),
#ifdef SYS_iopl
    CALL(iopl),
    CALL(ioperm),
#endif
#ifdef SYS_modify_ldt
    CALL(modify_ldt),
#endif
    CALL(personality),
    CALL(syslog),
    CALL(add_key),
    CALL(request_key),
    CALL(keyctl),
#undef CALL
};

static void
what_reaches_beyond_the_process_ends_it(void **state)
{
	size_t i;
	int status;

	(void)state;
	for (i = 0; i < sizeof(denied) / sizeof(denied[0]); i++) {
		status = run_filtered(call_it, denied[i].number);
		if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGSYS)
			fail_msg("%s: status %#x", denied[i].name, status);
	}
}

/* As a child is started, which then makes its namespaces. */
static void
start_a_program(long number)
{
	char *const argv[] = {(char[]){"true"}, NULL};
	int status;
	pid_t pid = fork();

	(void)number;
	if (pid == 0) {
		if (unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0)
			execve("/bin/true", argv, argv + 1);
		_exit(1);
	}
	if (waitpid(pid, &status, 0) != pid || status != 0)
		_exit(2);
}

static void
children_can_be_started_and_make_their_namespaces(void **state)
{
	(void)state;
	assert_int_equal(run_filtered(start_a_program, 0), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_reaches_beyond_the_process_ends_it),
	    cmocka_unit_test(children_can_be_started_and_make_their_namespaces),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "config.h"

#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "control/seccomp.h"
#include "tests/calls.h"

/* The filter from inside: each of these runs in a child behind it. */
static int pair[2];

static void
take_memory(void)
{
	free(malloc(1 << 20));
}

static void
talk(void)
{
	char byte = 'x';
	struct iovec iov = {&byte, 1};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};

	if (send(pair[0], &byte, 1, MSG_NOSIGNAL) != 1 ||
	    recvmsg(pair[1], &msg, 0) != 1 || writev(pair[0], &iov, 1) != 1 ||
	    read(pair[1], &byte, 1) != 1)
		_exit(2);
}

static void
name_the_peer(void)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);

	if (getsockopt(pair[0], SOL_SOCKET, SO_PEERCRED, &cred, &len) == -1)
		_exit(2);
}

static void
look_at_the_clock(void)
{
	struct timespec ts;
	struct timeval tv;

	syscall(SYS_clock_gettime, CLOCK_REALTIME, &ts);
	syscall(SYS_gettimeofday, &tv, NULL);
}

static void
look_at_a_descriptor(void)
{
	struct stat st;

	if (fstat(pair[0], &st) == -1)
		_exit(2);
}

static void
another_socket_option(void)
{
	int type;
	socklen_t len = sizeof(type);

	getsockopt(pair[0], SOL_SOCKET, SO_TYPE, &type, &len);
}

static void
another_level_of_options(void)
{
	int value;
	socklen_t len = sizeof(value);

	getsockopt(pair[0], IPPROTO_TCP, SO_PEERCRED, &value, &len);
}

#ifndef __s390__
static void
executable_memory(void)
{
	mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1,
	    0);
}
#endif

static void
change_protection(void)
{
	/* a page that is there, so that only the filter can object */
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	mprotect(p, 4096, PROT_READ | PROT_EXEC);
}

static void
open_a_file(void)
{
	open("/etc/passwd", O_RDONLY);
}

static void
look_at_a_file(void)
{
	struct stat st;

	(void)!fstatat(AT_FDCWD, "/etc/passwd", &st, 0);
}

static void
make_a_socket(void)
{
	socket(AF_UNIX, SOCK_STREAM, 0);
}

static void
connect_somewhere(void)
{
	struct sockaddr sa = {.sa_family = AF_UNIX};

	connect(pair[0], &sa, sizeof(sa));
}

static void
send_to_somebody(void)
{
	struct sockaddr sa = {.sa_family = AF_UNIX};

	sendto(pair[0], "x", 1, MSG_NOSIGNAL, &sa, sizeof(sa));
}

/* Its listening sockets would outlive it with whoever took them. */
static void
give_a_descriptor_away(void)
{
	union {
		char space[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = {{0}};
	char byte = 'x';
	struct iovec iov = {&byte, 1};
	struct msghdr msg = {.msg_iov = &iov,
	    .msg_iovlen = 1,
	    .msg_control = &control,
	    .msg_controllen = sizeof(control)};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);

	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(cmsg), &pair[1], sizeof(int));
	sendmsg(pair[0], &msg, MSG_NOSIGNAL);
}

static void
start_a_process(void)
{
	if (fork() == 0)
		_exit(0);
}

static void
run_a_program(void)
{
	char *const none[] = {NULL};

	execve("/bin/true", none, none);
}

static void
signal_somebody(void)
{
	kill(getppid(), 0);
}

static void
trace_somebody(void)
{
	syscall(SYS_ptrace, 0, 0, 0, 0);
}

static void
become_root(void)
{
	syscall(SYS_setuid, 0);
}

static void
control_a_device(void)
{
	syscall(SYS_ioctl, pair[0], 0x5401, 0);
}

static void
duplicate(void)
{
	syscall(SYS_dup, pair[0]);
}

static const struct {
	const char *name;
	void (*call)(void);
	int allowed;
} calls[] = {
    {"take memory", take_memory, 1},
    {"talk", talk, 1},
    {"name the peer", name_the_peer, 1},
    {"look at the clock", look_at_the_clock, 1},
    {"look at a descriptor", look_at_a_descriptor, 1},
    {"another socket option", another_socket_option, 0},
    {"another level of options", another_level_of_options, 0},
#ifndef __s390__ /* where the filter cannot see it */
    {"executable memory", executable_memory, 0},
#endif
    {"change protection", change_protection, 0},
    {"open a file", open_a_file, 0},
    {"look at a file", look_at_a_file, 0},
    {"make a socket", make_a_socket, 0},
    {"connect somewhere", connect_somewhere, 0},
    {"send to somebody else", send_to_somebody, 0},
    {"give a descriptor away", give_a_descriptor_away, 0},
    {"start a process", start_a_process, 0},
    {"run a program", run_a_program, 0},
    {"signal somebody", signal_somebody, 0},
    {"trace somebody", trace_somebody, 0},
    {"become root", become_root, 0},
    {"control a device", control_a_device, 0},
    {"duplicate a descriptor", duplicate, 0},
};

static int
run_filtered(void (*call)(void))
{
	const struct rlimit none = {0, 0};
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		setrlimit(RLIMIT_CORE, &none);
		alarm(5);
		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1 ||
		    control_seccomp() == -1)
			_exit(3);
		call();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void
the_filter_lets_through_what_is_needed_and_kills_the_rest(void **state)
{
	size_t i;
	int status;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	for (i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		status = run_filtered(calls[i].call);
		if (calls[i].allowed
			? !(WIFEXITED(status) && WEXITSTATUS(status) == 0)
			: !(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS))
			fail_msg("%s: status %#x", calls[i].name, status);
	}
	close(pair[0]);
	close(pair[1]);
}

#ifndef SANITIZERS  /* whose run time needs more */
static long number; /* of the call */

static void
call_it(void)
{
	calls_in_vain(number);
}

static int
status_of(long n)
{
	number = n;
	return run_filtered(call_it);
}

static void
every_other_call_that_there_is_kills(void **state)
{
	/* whatever its arguments are; the others of the filter need theirs */
	static const long needed[] = {
		SYS_accept4,
		SYS_read,
		SYS_recvmsg,
		SYS_writev,
		SYS_close,
		SYS_epoll_pwait,
		SYS_epoll_ctl,
		SYS_fstat,
		SYS_munmap,
		SYS_mremap,
		SYS_brk,
		SYS_clock_gettime,
		SYS_gettimeofday,
		SYS_exit_group,
#ifdef SYS_epoll_wait
		SYS_epoll_wait,
#endif
#if __SIZEOF_LONG__ == 4
		SYS_clock_gettime64,
#endif
	};

	(void)state;
	calls_kill_but(needed, sizeof(needed) / sizeof(needed[0]), status_of);
}
#endif

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(
		the_filter_lets_through_what_is_needed_and_kills_the_rest),
#ifndef SANITIZERS
	    cmocka_unit_test(every_other_call_that_there_is_kills),
#endif
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * The worker's filter from inside: each case is a child that puts it on and
 * makes one call.
 */
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "config.h"

#include "tests/calls.h"
#include "worker/seccomp.h"

#ifndef SOL_UDP
#define SOL_UDP 17
#endif
#define UDP_SEGMENT 103
#define UDP_GRO 104

/* Open before the filter is on: a call fails only if it is forbidden. */
static int pipe_fds[2]; /* reading, writing */
static int udp, tcp, epoll;
static char byte;
static struct iovec iov = {&byte, 1};
static struct sockaddr_in peer;

static void
setup(void)
{
	socklen_t len = sizeof(peer);

	if (pipe(pipe_fds) == -1 || write(pipe_fds[1], "ab", 2) != 2)
		_exit(100);
	peer.sin_family = AF_INET;
	peer.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	udp = socket(AF_INET, SOCK_DGRAM, 0);
	tcp = socket(AF_INET, SOCK_STREAM, 0);
	epoll = epoll_create1(0);
	if (udp == -1 || tcp == -1 || epoll == -1 ||
	    bind(udp, (struct sockaddr *)&peer, sizeof(peer)) == -1 ||
	    getsockname(udp, (struct sockaddr *)&peer, &len) == -1 ||
	    connect(udp, (struct sockaddr *)&peer, sizeof(peer)) == -1)
		_exit(101);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1)
		_exit(102);
}

static long
set_option(int fd, int level, int name)
{
	int value = 1200;

	return setsockopt(fd, level, name, &value, sizeof(value));
}

/* What the worker does. */

static long
try_read(void)
{
	return read(pipe_fds[0], &byte, 1);
}

static long
try_readv(void)
{
	return readv(pipe_fds[0], &iov, 1);
}

static long
try_writev(void)
{
	return writev(udp, &iov, 1);
}

static long
try_recvmmsg(void)
{
	struct mmsghdr m = {.msg_hdr = {.msg_iov = &iov, .msg_iovlen = 1}};

	if (writev(udp, &iov, 1) != 1)
		return -1;
	return recvmmsg(udp, &m, 1, MSG_DONTWAIT, NULL);
}

static long
try_epoll_wait(void)
{
	struct epoll_event e;

	return epoll_wait(epoll, &e, 1, 0) == 0 ? 1 : -1;
}

static long
try_sched_yield(void)
{
	return sched_yield() == 0 ? 1 : -1;
}

static long
try_udp_segment(void)
{
	return set_option(udp, SOL_UDP, UDP_SEGMENT) == 0 ? 1 : -1;
}

/* What it does not. */

static long
try_open(void)
{
	return open("/dev/null", O_RDONLY);
}

static long
try_open_old(void)
{
#ifdef SYS_open
	return syscall(SYS_open, "/dev/null", O_RDONLY);
#else
	return open("/dev/null", O_RDONLY);
#endif
}

static long
try_openat2(void)
{
	uint64_t how[3] = {0}; /* struct open_how */

	return syscall(437, AT_FDCWD, "/dev/null", how, sizeof(how));
}

static long
try_socket(void)
{
	return socket(AF_INET, SOCK_DGRAM, 0);
}

static long
try_socketpair(void)
{
	int sv[2];

	return socketpair(AF_UNIX, SOCK_STREAM, 0, sv);
}

static long
try_connect(void)
{
	return connect(udp, (struct sockaddr *)&peer, sizeof(peer));
}

static long
try_bind(void)
{
	return bind(tcp, (struct sockaddr *)&peer, sizeof(peer));
}

static long
try_sendto(void)
{
	return sendto(udp, "x", 1, 0, (struct sockaddr *)&peer, sizeof(peer));
}

static long
try_send(void)
{
	return send(udp, "x", 1, 0);
}

static long
try_sendmsg(void)
{
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};

	return sendmsg(udp, &m, 0);
}

static long
try_sendmmsg(void)
{
	struct mmsghdr m = {.msg_hdr = {.msg_iov = &iov, .msg_iovlen = 1}};

	return sendmmsg(udp, &m, 1, 0);
}

/* It could bring a descriptor. */
static long
try_recvmsg(void)
{
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};

	return recvmsg(udp, &m, MSG_DONTWAIT);
}

static long
try_recvfrom(void)
{
	return recv(udp, &byte, 1, MSG_DONTWAIT);
}

static long
try_udp_gro(void)
{
	return set_option(udp, SOL_UDP, UDP_GRO);
}

static long
try_socket_mark(void)
{
	return set_option(udp, SOL_SOCKET, SO_MARK);
}

/* The number of UDP_SEGMENT, and of SOL_UDP, where they mean other things. */
static long
try_level_of_ip(void)
{
	return set_option(udp, IPPROTO_IP, UDP_SEGMENT);
}

static long
try_level_of_socket(void)
{
	return set_option(udp, SOL_SOCKET, UDP_SEGMENT);
}

#if __SIZEOF_LONG__ == 8
/*
 * A level whose low 32 bits are right: the kernel takes an int, so it would
 * be SOL_UDP with a name that the filter must still see.
 */
static long
try_wide_level(void)
{
	int value = 1;

	return syscall(SYS_setsockopt, udp, (1L << 32) | SOL_UDP, UDP_GRO,
	    &value, sizeof(value));
}
#endif

static long
try_getsockopt(void)
{
	socklen_t len = sizeof(int);
	int value;

	return getsockopt(udp, SOL_SOCKET, SO_TYPE, &value, &len);
}

#ifndef SANITIZERS
static long
try_write(void)
{
	return write(pipe_fds[1], "x", 1);
}

static long
try_gettimeofday(void)
{
	struct timeval tv;

	return syscall(SYS_gettimeofday, &tv, NULL) == 0 ? 1 : -1;
}

static long
try_clock_gettime(void)
{
	struct timespec ts;

	/* past the vDSO, which asks nobody */
	return syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &ts) == 0 ? 1 : -1;
}

static long
try_mmap(void)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? -1 : 1;
}

static long
try_mmap_executable(void)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? -1 : 1;
}

static long
try_mprotect(void)
{
	static char page[8192] __attribute__((aligned(4096)));

	return mprotect(page, 4096, PROT_READ | PROT_EXEC);
}
#endif

static long
try_brk(void)
{
	return syscall(SYS_brk, 0);
}

static long
try_fork(void)
{
	return fork();
}

static long
try_clone_thread(void)
{
	return syscall(SYS_clone,
	    CLONE_VM | CLONE_SIGHAND | CLONE_THREAD | CLONE_FS | CLONE_FILES,
	    NULL, NULL, NULL, NULL);
}

static long
try_execve(void)
{
	char *none[] = {NULL};

	return execve("/bin/true", none, none);
}

static long
try_kill(void)
{
	return kill(getppid(), 0);
}

static long
try_kill_raw(void)
{
	return syscall(SYS_kill, 1, 0);
}

static long
try_ptrace(void)
{
	return syscall(SYS_ptrace, 0, 0, 0, 0);
}

static long
try_ioctl(void)
{
	int n;

	return ioctl(pipe_fds[0], FIONREAD, &n);
}

static long
try_fcntl(void)
{
	return fcntl(udp, F_GETFL);
}

static long
try_close(void)
{
	return close(tcp);
}

static long
try_dup(void)
{
	return dup(udp);
}

static long
try_epoll_ctl(void)
{
	struct epoll_event e = {.events = EPOLLIN};

	return epoll_ctl(epoll, EPOLL_CTL_ADD, udp, &e);
}

static long
try_poll(void)
{
	return syscall(SYS_ppoll, NULL, 0, NULL, NULL, 0);
}

static long
try_setuid(void)
{
	return syscall(SYS_setuid, 0);
}

static long
try_prctl(void)
{
	return prctl(PR_GET_DUMPABLE);
}

static long
try_unshare(void)
{
	return unshare(CLONE_NEWUSER);
}

static long
try_nanosleep(void)
{
	struct timespec ts = {0, 1};

	return syscall(SYS_nanosleep, &ts, NULL);
}

static long
try_io_uring(void)
{
	return syscall(425, 1, NULL); /* io_uring_setup */
}

static long
try_bpf(void)
{
	return syscall(SYS_bpf, 0, NULL, 0);
}

static long
try_no_such_call(void)
{
	return syscall(9999);
}

/* Another architecture's number for a call that is allowed here. */
static long
try_x32(void)
{
#ifdef __x86_64__
	return syscall(0x40000000 | SYS_read, pipe_fds[0], &byte, 1);
#else
	return syscall(9999);
#endif
}

static long
try_i386(void)
{
#ifdef __x86_64__
	long r;

	/* 20 is getpid there, writev here */
	__asm__ volatile("int $0x80" : "=a"(r) : "a"(20) : "memory");
	return r;
#else
	return syscall(9999);
#endif
}

#define ALLOWED(name)          \
	{                      \
#name, name, 1 \
	}
#define FORBIDDEN(name)        \
	{                      \
#name, name, 0 \
	}

static const struct attempt {
	const char *name;
	long (*call)(void); /* 1 or more when it worked */
	int allowed;
} attempts[] = {
    ALLOWED(try_read),
    ALLOWED(try_readv),
    ALLOWED(try_writev),
    ALLOWED(try_recvmmsg),
    ALLOWED(try_epoll_wait),
    ALLOWED(try_sched_yield),
    ALLOWED(try_udp_segment),
    FORBIDDEN(try_open),
    FORBIDDEN(try_open_old),
    FORBIDDEN(try_openat2),
    FORBIDDEN(try_socket),
    FORBIDDEN(try_socketpair),
    FORBIDDEN(try_connect),
    FORBIDDEN(try_bind),
    FORBIDDEN(try_sendto),
    FORBIDDEN(try_send),
    FORBIDDEN(try_sendmsg),
    FORBIDDEN(try_sendmmsg),
    FORBIDDEN(try_recvmsg),
    FORBIDDEN(try_recvfrom),
    FORBIDDEN(try_udp_gro),
    FORBIDDEN(try_socket_mark),
    FORBIDDEN(try_level_of_ip),
    FORBIDDEN(try_level_of_socket),
#if __SIZEOF_LONG__ == 8
    FORBIDDEN(try_wide_level),
#endif
    FORBIDDEN(try_getsockopt),
    FORBIDDEN(try_brk),
    FORBIDDEN(try_fork),
    FORBIDDEN(try_clone_thread),
    FORBIDDEN(try_execve),
    FORBIDDEN(try_kill),
    FORBIDDEN(try_kill_raw),
    FORBIDDEN(try_ptrace),
    FORBIDDEN(try_ioctl),
    FORBIDDEN(try_fcntl),
    FORBIDDEN(try_close),
    FORBIDDEN(try_dup),
    FORBIDDEN(try_epoll_ctl),
    FORBIDDEN(try_poll),
    FORBIDDEN(try_setuid),
    FORBIDDEN(try_prctl),
    FORBIDDEN(try_unshare),
    FORBIDDEN(try_nanosleep),
#ifndef SANITIZERS
    FORBIDDEN(try_write),
    FORBIDDEN(try_clock_gettime),
    FORBIDDEN(try_gettimeofday),
#endif
    FORBIDDEN(try_io_uring),
    FORBIDDEN(try_bpf),
    FORBIDDEN(try_no_such_call),
    FORBIDDEN(try_x32),
    FORBIDDEN(try_i386),
#ifndef SANITIZERS
    /* their run time needs these */
    FORBIDDEN(try_mmap),
    FORBIDDEN(try_mmap_executable),
    FORBIDDEN(try_mprotect),
#endif
};
#define ATTEMPTS (sizeof(attempts) / sizeof(attempts[0]))

static void __attribute__((noreturn)) attempt_run(const struct attempt *a)
{
	long r;

	setup();
	alarm(5);
	if (worker_seccomp() == -1)
		_exit(103);
	r = a->call();
	/* _exit is exit_group */
	_exit(r >= 1 ? 42 : 104);
}

static int
attempt_status(const struct attempt *a)
{
	int status;
	pid_t pid;

	/* a thread of the child's would be its own process to wait for */
	assert_true((pid = fork()) != -1);
	if (pid == 0)
		attempt_run(a);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void
check_attempt(void **state)
{
	const struct attempt *a = *state;
	int status = attempt_status(a);

	if (a->allowed) {
		assert_true(WIFEXITED(status));
		assert_int_equal(WEXITSTATUS(status), 42);
	} else {
		assert_true(WIFSIGNALED(status));
		assert_int_equal(WTERMSIG(status), SIGSYS);
	}
}

/* exit_group with any status is the end that the worker chooses. */
static void
exit_group_works(void **state)
{
	int status;
	pid_t pid;

	(void)state;
	if ((pid = fork()) == 0) {
		setup();
		if (worker_seccomp() == -1)
			_exit(103);
		syscall(SYS_exit_group, 7);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 7);
}

/* The filter says 2 in /proc, and there is no second chance to load one. */
static void
it_cannot_be_put_on_twice(void **state)
{
	int status;
	pid_t pid;

	(void)state;
	if ((pid = fork()) == 0) {
		setup();
		if (worker_seccomp() == -1)
			_exit(103);
		worker_seccomp();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGSYS);
}

#ifndef SANITIZERS  /* whose run time needs more */
static long number; /* of the call */

static long
call_it(void)
{
	return calls_in_vain(number);
}

static int
status_of(long n)
{
	const struct attempt a = {.call = call_it};

	number = n;
	return attempt_status(&a);
}

static void
every_other_call_that_there_is_kills(void **state)
{
	/* whatever its arguments are; setsockopt needs its own */
	static const long needed[] = {
		SYS_read,
		SYS_readv,
		SYS_writev,
		SYS_recvmmsg,
		SYS_sched_yield,
		SYS_exit_group,
#if __SIZEOF_LONG__ == 4
		SYS_recvmmsg_time64,
#endif
#ifdef SYS_epoll_wait
		SYS_epoll_wait
#else
		SYS_epoll_pwait
#endif
	};

	(void)state;
	calls_kill_but(needed, sizeof(needed) / sizeof(needed[0]), status_of);
}
#endif

int
main(void)
{
	static struct CMUnitTest tests[ATTEMPTS + 3];
	size_t i;

	for (i = 0; i < ATTEMPTS; i++) {
		tests[i].name = attempts[i].name;
		tests[i].test_func = check_attempt;
		/* cmocka hands it on unchanged; the table is never written */
		tests[i].initial_state = (void *)(uintptr_t)&attempts[i];
	}
	tests[i++] = (struct CMUnitTest)cmocka_unit_test(exit_group_works);
	tests[i++] =
	    (struct CMUnitTest)cmocka_unit_test(it_cannot_be_put_on_twice);
#ifndef SANITIZERS
	tests[i++] = (struct CMUnitTest)cmocka_unit_test(
	    every_other_call_that_there_is_kills);
#endif
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return _cmocka_run_group_tests("worker_seccomp", tests, i, NULL, NULL);
}

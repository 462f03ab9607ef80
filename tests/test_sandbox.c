/*
 * What the layers of the sandbox take away that /proc does not show, tried from
 * where the filter of system calls is put on: behind all others.
 */
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/landlock.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "config.h"

#include "common/sandbox.h"

#define USER 65534
#define DATA 64 /* MiB */
#ifndef PR_GET_MDWE
#define PR_GET_MDWE 66
#endif

static pid_t neighbour; /* of the same user, outside */

static bool
is_refused(long result, int error)
{
	return result == -1 && errno == error;
}

static bool
no_group_is_left(void)
{
	return getgroups(0, NULL) == 0;
}

static bool
no_memory_becomes_executable(void)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return is_refused(mprotect(p, 4096, PROT_READ | PROT_EXEC), EACCES);
}

#ifndef SANITIZERS /* in whose builds there is no limit */
static bool
no_more_memory_is_had(void)
{
	void *p = mmap(NULL, (size_t)DATA / 2 << 20, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p != MAP_FAILED &&
	       is_refused((long)mmap(NULL, (size_t)DATA / 2 << 20,
			      PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
		   ENOMEM);
}

static bool
nor_by_sharing_it_with_nobody(void)
{
	return is_refused(
	    (long)mmap(NULL, (size_t)(DATA + 256) << 20, PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS, -1, 0),
	    ENOMEM);
}
#endif

static bool
not_even_the_empty_root_is_read(void)
{
	return is_refused(
	    open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC), EACCES);
}

static const struct sockaddr_in somewhere = {.sin_family = AF_INET};

static bool
nothing_is_connected_over_tcp(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	return fd != -1 &&
	       is_refused(connect(fd, (const struct sockaddr *)&somewhere,
			      sizeof(somewhere)),
		   EACCES);
}

static bool
nothing_is_bound_over_tcp(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	return fd != -1 &&
	       is_refused(bind(fd, (const struct sockaddr *)&somewhere,
			      sizeof(somewhere)),
		   EACCES);
}

static bool
nobody_outside_is_signalled(void)
{
	return is_refused(kill(neighbour, 0), EPERM);
}

static const struct claim {
	const char *name;
	bool (*holds)(void);
	int abi; /* of landlock, from which on; 0: any, -1: Linux 6.3 */
} claims[] = {
#define CLAIM(function, abi)             \
	{                                \
#function, function, abi \
	}
    CLAIM(no_group_is_left, 0),
    CLAIM(no_memory_becomes_executable, -1),
#ifndef SANITIZERS
    CLAIM(no_more_memory_is_had, 0),
    CLAIM(nor_by_sharing_it_with_nobody, 0),
#endif
    CLAIM(not_even_the_empty_root_is_read, 1),
    CLAIM(nothing_is_connected_over_tcp, 4),
    CLAIM(nothing_is_bound_over_tcp, 4),
    CLAIM(nobody_outside_is_signalled, 6),
};
#define CLAIMS (sizeof(claims) / sizeof(claims[0]))
static const struct claim *claim;

static int
try_it(void)
{
	_exit(claim->holds() ? 0 : 2);
}

static void __attribute__((noreturn)) enter(pid_t parent)
{
	const gid_t groups[] = {1, 2};
	const struct sandbox s = {.uid = USER,
	    .gid = USER,
	    .parent = parent,
	    .nofile = 80,
	    .data = DATA,
	    .seccomp = try_it};
	uint32_t applied, missing;

	if (setgroups(2, groups) == -1)
		_exit(3);
	sandbox_enter(&s, &applied, &missing);
	_exit(3);
}

static pid_t
start_neighbour(void)
{
	pid_t pid = fork();

	if (pid != 0)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (setresuid(USER, USER, USER) == -1)
		_exit(1);
	for (;;)
		pause();
}

/* How it ends in the sandbox, started by a parent of this number. */
static int
status_of(pid_t parent)
{
	pid_t pid = fork();
	int status;

	if (pid == 0)
		enter(parent);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void
check_claim(void **state)
{
	int status;

	claim = *state;
	neighbour = start_neighbour();
	assert_true(neighbour > 0);
	status = status_of(getpid());
	kill(neighbour, SIGKILL);
	waitpid(neighbour, NULL, 0);
	assert_int_equal(status, 0);
}

/* Nobody would end it with that one. */
static void
one_whose_parent_has_gone_ends(void **state)
{
	int status;

	(void)state;
	claim = &claims[0];
	status = status_of(getppid());
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 1);
}

/* Whether this kernel has what that needs. */
static bool
can_be_had(const struct claim *c)
{
	if (c->abi == -1)
		return prctl(PR_GET_MDWE, 0, 0, 0, 0) != -1;
	return c->abi == 0 || syscall(SYS_landlock_create_ruleset, NULL, 0,
				  LANDLOCK_CREATE_RULESET_VERSION) >= c->abi;
}

int
main(void)
{
	static struct CMUnitTest tests[CLAIMS + 1];
	size_t i, n = 0;

	for (i = 0; i < CLAIMS; i++) {
		if (!can_be_had(&claims[i]))
			continue;
		tests[n].name = claims[i].name;
		tests[n].test_func = check_claim;
		/* cmocka hands it on unchanged; the table is never written */
		tests[n++].initial_state = (void *)(uintptr_t)&claims[i];
	}
	tests[n++] =
	    (struct CMUnitTest)cmocka_unit_test(one_whose_parent_has_gone_ends);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return _cmocka_run_group_tests("sandbox", tests, n, NULL, NULL);
}

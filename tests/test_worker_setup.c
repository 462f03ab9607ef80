/*
 * tund-worker as it sets up: the order in which it does what the parent says.
 */
#include <sys/socket.h>
#include <sys/wait.h>

#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/log.h"
#include "ipc/imsg.h"
#include "ipc/limits.h"
#include "ipc/msg.h"

#define PATIENCE_MS 5000

static int channel;
static pid_t child;

static int
setup(void **state)
{
	int sv[2];

	(void)state;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv) == -1)
		return -1;
	if ((child = fork()) == -1)
		return -1;
	if (child == 0) {
		/* dup2 of a descriptor to itself would keep it from staying */
		if (sv[1] == PARENT_FD)
			sv[1] = dup(sv[1]);
		if (dup2(sv[1], PARENT_FD) == PARENT_FD)
			execl("./tund-worker", "tund-worker", (char *)NULL);
		_exit(127);
	}
	close(sv[1]);
	channel = sv[0];
	return 0;
}

/* End of file: the worker ends by itself. */
static int
teardown(void **state)
{
	int status;

	(void)state;
	close(channel);
	if (waitpid(child, &status, 0) != child)
		return -1;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -1;
}

/* The last CPU of those that this process may use. */
static unsigned int
last_cpu(void)
{
	cpu_set_t any;
	unsigned int cpu = CPU_SETSIZE;

	assert_int_equal(sched_getaffinity(0, sizeof(any), &any), 0);
	while (cpu-- > 0)
		if (CPU_ISSET(cpu, &any))
			break;
	if (CPU_COUNT(&any) == 1)
		skip();
	return cpu;
}

static bool
runs_on(unsigned int cpu)
{
	cpu_set_t want, is;

	CPU_ZERO(&want);
	CPU_SET(cpu, &want);
	assert_int_equal(sched_getaffinity(child, sizeof(is), &is), 0);
	return CPU_EQUAL(&is, &want);
}

/* Neither descriptors nor prefixes have come: their memory is of its node. */
static void
its_cpu_is_set_before_anything_else_comes(void **state)
{
	struct msg_worker_config c = {.slots = 1,
	    .max_prefixes = 1,
	    .uid = 1,
	    .gid = 1,
	    .log_level = LOG_LEVEL_INFO,
	    .pinned = 1,
	    .cpu = last_cpu()};
	int i;

	(void)state;
	assert_int_equal(
	    imsg_send(channel, MSG_WORKER_CONFIG, 0, &c, sizeof(c), -1), 0);
	for (i = 0; i < PATIENCE_MS && !runs_on(c.cpu); i++)
		usleep(1000);
	assert_true(runs_on(c.cpu));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(
		its_cpu_is_set_before_anything_else_comes, setup, teardown),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("worker_setup", tests, NULL, NULL);
}

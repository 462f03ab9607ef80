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
#include "ipc/counters.h"
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

static void
say(uint32_t type, uint32_t id, const void *data, size_t len, int fd)
{
	/* it may have ended */
	(void)!imsg_send(channel, type, id, data, len, fd);
}

/* Once it has been configured. */
static void
ends_at(const char *what, void (*say_it)(void))
{
	static const struct msg_worker_config c = {.slots = 2,
	    .max_prefixes = 2,
	    .uid = 1,
	    .gid = 1,
	    .log_level = LOG_LEVEL_INFO};
	int status;

	assert_int_equal(setup(NULL), 0);
	say(MSG_WORKER_CONFIG, 0, &c, sizeof(c), -1);
	say_it();
	shutdown(channel, SHUT_WR);
	assert_int_equal(waitpid(child, &status, 0), child);
	close(channel);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 1)
		fail_msg("%s: status %#x", what, status);
}

static void
say_counters(void)
{
	int fd = counters_create(2);

	say(MSG_WORKER_COUNTERS, 0, NULL, 0, fd);
	close(fd);
}

static void
say_config(void)
{
	static const struct msg_worker_config c = {.uid = 1, .gid = 1};

	say(MSG_WORKER_CONFIG, 0, &c, sizeof(c), -1);
}

static void
say_tun_twice(void)
{
	say(MSG_WORKER_TUN, 0, NULL, 0, channel);
	say(MSG_WORKER_TUN, 0, NULL, 0, channel);
}

static void
say_counters_twice(void)
{
	say_counters();
	say_counters();
}

static void
say_socket_too_early(void)
{
	say(MSG_WORKER_SOCKET, 0, NULL, 0, channel);
}

static void
say_socket_of_no_slot(void)
{
	say_counters();
	say(MSG_WORKER_SOCKET, 2, NULL, 0, channel);
}

static void
say_socket_twice(void)
{
	say_counters();
	say(MSG_WORKER_SOCKET, 1, NULL, 0, channel);
	say(MSG_WORKER_SOCKET, 1, NULL, 0, channel);
}

static void
say_peers_too_early(void)
{
	say(MSG_WORKER_PEERS_BEGIN, 0, NULL, 0, -1);
}

static void
say_start_without_tun(void)
{
	say_counters();
	say(MSG_WORKER_START, 0, NULL, 0, -1);
}

static void
say_start_without_counters(void)
{
	say(MSG_WORKER_TUN, 0, NULL, 0, channel);
	say(MSG_WORKER_START, 0, NULL, 0, -1);
}

static void
say_offload_too_early(void)
{
	struct msg_offload o = {0};

	say(MSG_WORKER_OFFLOAD, 0, &o, sizeof(o), -1);
}

static void
say_what_is_not_for_it(void)
{
	say(MSG_CONTROL_START, 0, NULL, 0, -1);
}

/* The parent is trusted, so nonsense means that one of the two is broken. */
static void
nonsense_ends_it(void **state)
{
	(void)state;
	ends_at("config twice", say_config);
	ends_at("tun twice", say_tun_twice);
	ends_at("counters twice", say_counters_twice);
	ends_at("socket too early", say_socket_too_early);
	ends_at("socket of no slot", say_socket_of_no_slot);
	ends_at("socket twice", say_socket_twice);
	ends_at("peers too early", say_peers_too_early);
	ends_at("start without tun", say_start_without_tun);
	ends_at("start without counters", say_start_without_counters);
	ends_at("offload too early", say_offload_too_early);
	ends_at("what is not for it", say_what_is_not_for_it);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(
		its_cpu_is_set_before_anything_else_comes, setup, teardown),
	    cmocka_unit_test(nonsense_ends_it),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("worker_setup", tests, NULL, NULL);
}

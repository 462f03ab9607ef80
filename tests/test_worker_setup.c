/*
 * tund-worker as a process: the order in which it does what the parent says,
 * and that it goes on while anything is left to do.
 */
#include <sys/socket.h>
#include <sys/wait.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
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
#include "tests/packets.h"

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

/* What it sends there nobody reads: what does not fit is dropped. */
static int
connected_socket(void)
{
	struct sockaddr_in far = {
	    .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(far);
	int sink = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	assert_int_equal(bind(sink, (struct sockaddr *)&far, len), 0);
	assert_int_equal(getsockname(sink, (struct sockaddr *)&far, &len), 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&far, len), 0);
	/* it stays open: else each send would be refused */
	return fd;
}

/* One peer, which has all of 10.0.0.0/8. */
static void
say_one_peer(void)
{
	static const struct msg_peer p = {.family = 4};
	static const struct prefix all = {
	    .addr = {.family = 4, .bytes = {10}}, .len = 8};
	int fd = connected_socket();

	say(MSG_WORKER_SOCKET, 0, NULL, 0, fd);
	close(fd);
	say(MSG_WORKER_PEERS_BEGIN, 0, NULL, 0, -1);
	say(MSG_WORKER_PEER, 0, &p, sizeof(p), -1);
	say(MSG_WORKER_PREFIXES, 0, &all, sizeof(all), -1);
	say(MSG_WORKER_PEERS_COMMIT, 1, NULL, 0, -1);
}

/* A superpacket of so many segments of a byte. */
static void
queue_superpacket(int tun, size_t segments)
{
	static uint8_t frame[VNET_LEN + PACKET_MAX];
	struct packet_spec s = packet_default(4, IPPROTO_TCP);
	struct vnet_spec v;
	size_t len;

	s.payload = segments;
	s.sums = SUM_PARTIAL;
	v = vnet_for(&s, 1);
	len = frame_build(&v, &s, frame);
	assert_int_equal(send(tun, frame, len, 0), len);
}

static void
wait_ready(void)
{
	static struct imsg m;

	do
		assert_int_equal(imsg_recv(channel, &m), 1);
	while (m.hdr.type != MSG_READY);
}

/*
 * The rest of a frame that was cut short lies in no descriptor that would wake
 * it.  More packets than it handles before it looks who else wants something.
 */
static void
what_is_left_of_a_frame_is_gone_on_with(void **state)
{
	static const struct msg_worker_config c = {.vnet_hdr = 1,
	    .offloads = OFFLOAD_ALL,
	    .slots = 1,
	    .max_prefixes = 1,
	    .uid = 1,
	    .gid = 1,
	    .log_level = LOG_LEVEL_INFO};
	const size_t most = 65535 - 40, all = 3000 + 2 * most;
	const struct counters *page;
	uint64_t done = 0;
	int tun[2], room = 1 << 20, fd = counters_create(1), i;

	(void)state;
	page = counters_map(fd);
	assert_non_null(page);
	assert_int_equal(socketpair(AF_UNIX,
			     SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, tun),
	    0);
	setsockopt(tun[0], SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
	say(MSG_WORKER_CONFIG, 0, &c, sizeof(c), -1);
	say(MSG_WORKER_TUN, 0, NULL, 0, tun[1]);
	say(MSG_WORKER_COUNTERS, 0, NULL, 0, fd);
	say_one_peer();
	queue_superpacket(tun[0], 3000);
	queue_superpacket(tun[0], most);
	queue_superpacket(tun[0], most);
	say(MSG_WORKER_START, 0, NULL, 0, -1);
	wait_ready();
	for (i = 0; i < PATIENCE_MS && done < all; i++) {
		usleep(1000);
		done = counter_read(&page->c[COUNTER_TX_PACKETS]) +
		       counter_read(&page->c[COUNTER_TX_DROP_FULL]);
	}
	assert_int_equal(done, all);
	counters_unmap(page);
	close(fd);
	close(tun[0]);
	close(tun[1]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(
		its_cpu_is_set_before_anything_else_comes, setup, teardown),
	    cmocka_unit_test(nonsense_ends_it),
	    cmocka_unit_test_setup_teardown(
		what_is_left_of_a_frame_is_gone_on_with, setup, teardown),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("worker_setup", tests, NULL, NULL);
}

#include <sys/socket.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "privsep/udp.h"
#include "tests/nets.h"

#define PORT 6080
#define BUFFER (7u << 20)
#define UDP_SEGMENT_OPTION 103
#define UDP_GRO_OPTION 104

/* The addresses of the family that a test runs for. */
static const struct family {
	unsigned int number;
	const char *any, *here, *a, *b, *away;
} families[] = {
    {4, "0.0.0.0", "127.0.0.1", "127.0.0.2", "127.0.0.3", "192.0.2.7"},
    {6, "::", "fd07::1", "fd07::2", "fd07::3", "2001:db8::7"},
};
static const struct family *f;

static int
setup(void **state)
{
	f = *state;
	nets_enter();
	for (int i = 1; i <= 3; i++)
		nets_run("ip address add fd07::%d/128 dev lo nodad", i);
	nets_await("fd07::1");
	nets_await("fd07::2");
	nets_await("fd07::3");
	return 0;
}

static struct endpoint
endpoint(const char *text, uint16_t port)
{
	struct endpoint e = {.port = port};

	assert_int_equal(addr_parse(text, &e.addr), 0);
	return e;
}

/* A plain socket somewhere, to be a peer or a stranger. */
static int
host(const char *addr, uint16_t port)
{
	struct endpoint e = endpoint(addr, port);
	struct sockaddr_storage ss;
	socklen_t len = endpoint_to_sockaddr(&e, &ss);
	int fd =
	    socket(ss.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	assert_int_not_equal(fd, -1);
	assert_int_equal(bind(fd, (struct sockaddr *)&ss, len), 0);
	return fd;
}

static void
send_to(int fd, const char *addr, uint16_t port, const char *text)
{
	struct endpoint e = endpoint(addr, port);
	struct sockaddr_storage ss;
	socklen_t len = endpoint_to_sockaddr(&e, &ss);

	/* an answer that nobody listens may be waiting: it is told once */
	if (sendto(fd, text, strlen(text), 0, (struct sockaddr *)&ss, len) ==
	    -1)
		assert_int_equal(sendto(fd, text, strlen(text), 0,
				     (struct sockaddr *)&ss, len),
		    (ssize_t)strlen(text));
}

static void
expect_heard(int fd, const char *text)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	char buf[64] = "";

	assert_int_equal(poll(&p, 1, 5000), 1);
	assert_int_equal(
	    recv(fd, buf, sizeof(buf) - 1, 0), (ssize_t)strlen(text));
	assert_string_equal(buf, text);
}

/* Loopback delivers at once: what has not come does not come. */
static void
expect_silence(int fd)
{
	char buf[64] = "";

	if (recv(fd, buf, sizeof(buf) - 1, 0) != -1)
		fail_msg("heard \"%s\"", buf);
	assert_int_equal(errno, EAGAIN);
}

static int
open_it(void)
{
	struct udp_buffers got;
	int fd = udp_open(f->number, BUFFER, &got);

	assert_int_not_equal(fd, -1);
	return fd;
}

static struct udp_aim
aim_at(const char *addr, uint16_t port)
{
	/* for IPv6 the kernel would take the peer's own address as ours */
	return (struct udp_aim){
	    .local = endpoint(f->number == 4 ? f->any : f->here, PORT),
	    .remote = endpoint(addr, port),
	    .device = ""};
}

static void
aim(int fd, const char *addr, uint16_t port)
{
	struct udp_aim at = aim_at(addr, port);

	assert_int_equal(udp_aim(fd, &at), 0);
}

static int
get_int(int fd, int level, int name)
{
	int value = -1;
	socklen_t len = sizeof(value);

	assert_int_equal(getsockopt(fd, level, name, &value, &len), 0);
	return value;
}

static uint16_t
local_port(int fd)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	struct sockaddr_in sin;
	struct sockaddr_in6 sin6;

	assert_int_equal(getsockname(fd, (struct sockaddr *)&ss, &len), 0);
	if (ss.ss_family == AF_INET) {
		memcpy(&sin, &ss, sizeof(sin));
		return ntohs(sin.sin_port);
	}
	memcpy(&sin6, &ss, sizeof(sin6));
	return ntohs(sin6.sin6_port);
}

static void
unaimed_it_hears_and_sends_nothing(void **state)
{
	int fd = open_it(), stranger = host(f->a, 7000);

	(void)state;
	assert_int_equal(write(fd, "x", 1), -1);
	assert_int_equal(errno, EDESTADDRREQ);
	/* the attempt gave it a port: still it hears nothing */
	assert_int_not_equal(local_port(fd), 0);
	send_to(stranger, f->here, local_port(fd), "hello");
	expect_silence(fd);
	aim(fd, f->a, 7000);
	assert_int_equal(local_port(fd), PORT);
	send_to(stranger, f->here, PORT, "hello again");
	expect_heard(fd, "hello again");
	close(fd);
	close(stranger);
}

static void
aimed_it_hears_its_peer_alone(void **state)
{
	int fd = open_it(), a = host(f->a, 7000), b = host(f->b, 7000);
	int other_port = host(f->a, 7001);

	(void)state;
	aim(fd, f->a, 7000);
	send_to(b, f->here, PORT, "from b");
	send_to(other_port, f->here, PORT, "from another port");
	expect_silence(fd);
	send_to(a, f->here, PORT, "from a");
	expect_heard(fd, "from a");
	expect_silence(fd);
	assert_int_equal(write(fd, "to a", 4), 4);
	expect_heard(a, "to a");
	expect_silence(b);
	close(fd);
	close(a);
	close(b);
	close(other_port);
}

static void
retired_it_hears_and_sends_nothing(void **state)
{
	int fd = open_it(), a = host(f->a, 7000), b = host(f->b, 7000);

	(void)state;
	aim(fd, f->a, 7000);
	assert_int_equal(udp_retire(fd), 0);
	send_to(a, f->here, PORT, "from a");
	send_to(b, f->here, PORT, "from b");
	expect_silence(fd);
	assert_int_equal(write(fd, "x", 1), -1);
	expect_silence(a);
	close(fd);
	close(a);
	close(b);
}

static void
what_waits_when_it_is_retired_is_the_workers_to_drain(void **state)
{
	int fd = open_it(), a = host(f->a, 7000);

	(void)state;
	aim(fd, f->a, 7000);
	send_to(a, f->here, PORT, "early");
	assert_int_equal(udp_retire(fd), 0);
	send_to(a, f->here, PORT, "late");
	expect_heard(fd, "early");
	expect_silence(fd);
	close(fd);
	close(a);
}

static void
aimed_again_it_hears_the_new_peer_alone(void **state)
{
	const struct udp_aim nowhere = aim_at(f->away, 7000);
	int fd = open_it(), a = host(f->a, 7000), b = host(f->b, 7000);

	(void)state;
	for (int i = 0; i < 3; i++) {
		aim(fd, f->a, 7000);
		send_to(b, f->here, PORT, "from b");
		send_to(a, f->here, PORT, "from a");
		expect_heard(fd, "from a");
		expect_silence(fd);
		if (i > 0)
			assert_int_equal(udp_retire(fd), 0);
		aim(fd, f->b, 7000);
		assert_int_equal(local_port(fd), PORT);
		send_to(a, f->here, PORT, "from a");
		send_to(b, f->here, PORT, "from b");
		expect_heard(fd, "from b");
		expect_silence(fd);
		assert_int_equal(write(fd, "to b", 4), 4);
		expect_heard(b, "to b");
		expect_silence(a);
	}
	/* and where that fails, nobody */
	assert_int_equal(udp_aim(fd, &nowhere), -1);
	send_to(a, f->here, PORT, "from a");
	send_to(b, f->here, PORT, "from b");
	expect_silence(fd);
	close(fd);
	close(a);
	close(b);
}

/* Together with pool sockets that are open, retired, and never aimed. */
static void
peers_share_a_port_and_hear_their_own(void **state)
{
	int fd[4], a = host(f->a, 7000), b = host(f->b, 7000);
	int stranger = host(f->b, 7001);

	(void)state;
	for (int i = 0; i < 4; i++)
		fd[i] = open_it();
	aim(fd[0], f->a, 7000);
	aim(fd[2], f->b, 7001);
	assert_int_equal(udp_retire(fd[2]), 0);
	aim(fd[1], f->b, 7000);
	for (int i = 0; i < 20; i++) {
		send_to(stranger, f->here, PORT, "stranger");
		send_to(a, f->here, PORT, "from a");
		send_to(b, f->here, PORT, "from b");
		expect_heard(fd[0], "from a");
		expect_heard(fd[1], "from b");
		for (int k = 0; k < 4; k++)
			expect_silence(fd[k]);
	}
	assert_int_equal(udp_retire(fd[0]), 0);
	send_to(a, f->here, PORT, "from a");
	send_to(b, f->here, PORT, "from b");
	expect_heard(fd[1], "from b");
	for (int k = 0; k < 4; k++)
		expect_silence(fd[k]);
	/* another socket of the pool takes over the same endpoint */
	aim(fd[3], f->a, 7000);
	send_to(a, f->here, PORT, "from a");
	expect_heard(fd[3], "from a");
	expect_silence(fd[0]);
	for (int i = 0; i < 4; i++)
		close(fd[i]);
	close(a);
	close(b);
	close(stranger);
}

/* Bound to an address, they are all in one list of the kernel. */
static void
one_that_cannot_be_aimed_takes_nothing_from_others(void **state)
{
	int fd = open_it(), vain[3], a = host(f->a, 7000);
	struct udp_aim at = aim_at(f->b, 7000);

	(void)state;
	at.local = endpoint(f->here, PORT);
	assert_int_equal(udp_aim(fd, &at), 0);
	assert_int_equal(udp_retire(fd), 0);
	at.remote = endpoint(f->a, 7000);
	assert_int_equal(udp_aim(fd, &at), 0);
	at.remote = endpoint(f->away, 7000);
	for (int i = 0; i < 3; i++) {
		vain[i] = open_it();
		assert_int_equal(udp_aim(vain[i], &at), -1);
		for (int k = 0; k <= i; k++)
			assert_int_equal(udp_retire(vain[k]), 0);
		send_to(a, f->here, PORT, "from a");
		expect_heard(fd, "from a");
	}
	for (int i = 0; i < 3; i++)
		close(vain[i]);
	close(fd);
	close(a);
}

static void
both_families_share_a_port(void **state)
{
	int mine = open_it(), other, a = host(f->a, 7000);

	f = &families[f->number == 4];
	other = open_it();
	aim(other, f->a, 7000);
	f = *state;
	aim(mine, f->a, 7000);
	send_to(a, f->here, PORT, "from a");
	expect_heard(mine, "from a");
	expect_silence(other);
	close(mine);
	close(other);
	close(a);
}

static void
without_a_route_it_can_be_aimed_later(void **state)
{
	struct udp_aim at = aim_at(f->away, 7000);
	int fd = open_it(), a = host(f->a, 7000), away;

	(void)state;
	at.local = endpoint(f->any, PORT);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(udp_aim(fd, &at), -1);
		assert_true(errno == ENETUNREACH || errno == EHOSTUNREACH);
		send_to(a, f->here, PORT, "stranger");
		expect_silence(fd);
	}
	nets_run("ip address add %s dev lo", f->away);
	nets_await(f->away);
	assert_int_equal(udp_aim(fd, &at), 0);
	away = host(f->away, 7000);
	send_to(away, f->here, PORT, "from away");
	/* the kernel takes as its own the address that faces the peer */
	expect_silence(fd);
	send_to(away, f->away, PORT, "from away");
	expect_heard(fd, "from away");
	send_to(a, f->here, PORT, "stranger");
	expect_silence(fd);
	close(fd);
	close(a);
	close(away);
}

/* Another link, with an address on it. */
static void
add_link(const char *addr, int prefix_len)
{
	nets_run("ip link add d0 type veth peer name d1");
	nets_run("ip link set d0 up");
	nets_run("ip link set d1 up");
	nets_run("ip address add %s/%d dev d0%s", addr, prefix_len,
	    strchr(addr, ':') == NULL ? "" : " nodad");
	nets_await(addr);
}

/* Bound to any address, it speaks from the one that faces the peer. */
static void
its_own_address_follows_its_peer(void **state)
{
	struct udp_aim at = aim_at(f->a, 7000);
	int fd = open_it(), a = host(f->a, 7000), b = host(f->b, 7000);
	struct sockaddr_storage before, after;
	socklen_t len = sizeof(before);

	(void)state;
	at.local = endpoint(f->any, PORT);
	assert_int_equal(udp_aim(fd, &at), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&before, &len), 0);
	assert_int_equal(write(fd, "to a", 4), 4);
	expect_heard(a, "to a");
	if (f->number == 4)
		add_link("10.7.0.1", 24);
	else
		add_link("fd77::1", 64);
	at.remote = endpoint(f->number == 4 ? "10.7.0.9" : "fd77::9", 7000);
	assert_int_equal(udp_aim(fd, &at), 0);
	len = sizeof(after);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&after, &len), 0);
	assert_memory_not_equal(&before, &after, len);
	at.remote = endpoint(f->b, 7000);
	assert_int_equal(udp_aim(fd, &at), 0);
	assert_int_equal(write(fd, "to b", 4), 4);
	expect_heard(b, "to b");
	close(fd);
	close(a);
	close(b);
}

static void
a_bound_address_stays(void **state)
{
	struct udp_aim at = aim_at(f->a, 7000);
	int fd = open_it(), a = host(f->a, 7000);

	(void)state;
	at.local = endpoint(f->b, PORT);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(udp_aim(fd, &at), 0);
		send_to(a, f->here, PORT, "elsewhere");
		expect_silence(fd);
		send_to(a, f->b, PORT, "here");
		expect_heard(fd, "here");
		assert_int_equal(udp_retire(fd), 0);
	}
	close(fd);
	close(a);
}

static void
an_address_that_is_not_here_is_refused(void **state)
{
	struct udp_aim at = aim_at(f->a, 7000);
	int fd = open_it();

	(void)state;
	at.local = endpoint(f->away, PORT);
	assert_int_equal(udp_aim(fd, &at), -1);
	assert_int_equal(errno, EADDRNOTAVAIL);
	close(fd);
}

static void
it_can_be_bound_to_a_device_and_marked(void **state)
{
	struct udp_aim at = aim_at(f->a, 7000);
	int fd = open_it(), a = host(f->a, 7000);
	char name[32] = "";
	socklen_t len = sizeof(name);

	(void)state;
	at.device = "nosuch";
	assert_int_equal(udp_aim(fd, &at), -1);
	assert_int_equal(errno, ENODEV);
	send_to(a, f->here, PORT, "x");
	expect_silence(fd);
	at.device = "lo";
	at.mark = 4711;
	assert_int_equal(udp_aim(fd, &at), 0);
	assert_int_equal(
	    getsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, name, &len), 0);
	assert_string_equal(name, "lo");
	assert_int_equal(get_int(fd, SOL_SOCKET, SO_MARK), 4711);
	send_to(a, f->here, PORT, "from a");
	expect_heard(fd, "from a");
	/* nobody's, it has its port on that device alone */
	assert_int_equal(udp_retire(fd), 0);
	len = sizeof(name);
	assert_int_equal(
	    getsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, name, &len), 0);
	assert_int_equal(len, sizeof("lo"));
	/* the next peer asks for neither */
	aim(fd, f->a, 7000);
	len = sizeof(name);
	assert_int_equal(
	    getsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, name, &len), 0);
	assert_int_equal(len, 0);
	assert_int_equal(get_int(fd, SOL_SOCKET, SO_MARK), 0);
	close(fd);
	close(a);
}

static void
buffers_are_forced_and_read_back(void **state)
{
	struct udp_buffers got = {0};
	int fd = udp_open(f->number, BUFFER, &got);

	(void)state;
	assert_int_not_equal(fd, -1);
	assert_int_equal(got.rcvbuf, BUFFER);
	assert_int_equal(got.sndbuf, BUFFER);
	assert_int_equal(get_int(fd, SOL_SOCKET, SO_RCVBUF), 2 * BUFFER);
	assert_int_equal(get_int(fd, SOL_SOCKET, SO_SNDBUF), 2 * BUFFER);
	close(fd);
}

/* A namespace's own limits are those of the machine. */
static void
without_privilege_buffers_are_what_the_limits_allow(void **state)
{
	struct udp_buffers got = {0};
	int fd;

	(void)state;
	nets_set_capability(CAP_NET_ADMIN, 0);
	fd = udp_open(f->number, 1u << 30, &got);
	nets_set_capability(CAP_NET_ADMIN, 1);
	assert_int_not_equal(fd, -1);
	assert_int_equal(
	    get_int(fd, SOL_SOCKET, SO_RCVBUF), 2 * (int)got.rcvbuf);
	assert_int_equal(
	    get_int(fd, SOL_SOCKET, SO_SNDBUF), 2 * (int)got.sndbuf);
	assert_in_range(got.rcvbuf, 4096, (1u << 30) - 1);
	assert_in_range(got.sndbuf, 4096, (1u << 30) - 1);
	close(fd);
}

static void
gro_is_set_and_switched(void **state)
{
	struct udp_buffers got = {0};
	int fd = udp_open(f->number, BUFFER, &got);

	(void)state;
	assert_int_not_equal(fd, -1);
	assert_int_equal(get_int(fd, IPPROTO_UDP, UDP_GRO_OPTION), 0);
	assert_int_equal(udp_set_gro(fd, true), 0);
	assert_int_equal(get_int(fd, IPPROTO_UDP, UDP_GRO_OPTION), 1);
	assert_int_equal(udp_set_gro(fd, false), 0);
	assert_int_equal(get_int(fd, IPPROTO_UDP, UDP_GRO_OPTION), 0);
	assert_true(udp_has_gso());
	assert_true(udp_has_gro());
	close(fd);
}

static void
it_is_made_as_the_worker_needs_it(void **state)
{
	int fd = open_it();

	(void)state;
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
	assert_int_equal(get_int(fd, SOL_SOCKET, SO_RXQ_OVFL), 1);
	assert_int_equal(get_int(fd, SOL_SOCKET, SO_REUSEPORT), 1);
	assert_int_equal(get_int(fd, SOL_SOCKET, SO_REUSEADDR), 0);
	if (f->number == 4)
		assert_int_equal(
		    get_int(fd, IPPROTO_IP, IP_MTU_DISCOVER), IP_PMTUDISC_DONT);
	else
		assert_int_equal(get_int(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER),
		    IPV6_PMTUDISC_DONT);
	close(fd);
}

/* A scope is an interface: the same address may be on each. */
static void
a_link_local_peer_has_its_scope(void **state)
{
	struct udp_aim at = {.local = endpoint("::", PORT),
	    .remote = endpoint("fe80::7", 7000),
	    .device = ""};
	struct sockaddr_storage ss;
	socklen_t len;
	int fd = open_it(), a = socket(AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK, 0);

	(void)state;
	add_link("fe80::7", 64);
	at.remote.scope = nets_index("d0");
	len = endpoint_to_sockaddr(&at.remote, &ss);
	assert_int_equal(bind(a, (struct sockaddr *)&ss, len), 0);
	assert_int_equal(udp_aim(fd, &at), 0);
	assert_int_equal(write(fd, "to fe80::7", 10), 10);
	expect_heard(a, "to fe80::7");
	close(fd);
	close(a);
}

#define BIND (-1)
static int sends_before; /* that option, or BIND: as a worker might */

int __real_bind(int, const struct sockaddr *, socklen_t);
int __wrap_bind(int, const struct sockaddr *, socklen_t);

int
__wrap_bind(int fd, const struct sockaddr *address, socklen_t len)
{
	if (sends_before == BIND)
		assert_int_equal(write(fd, "x", 1), -1);
	return __real_bind(fd, address, len);
}

static void
a_port_that_the_kernel_chose_meanwhile_is_not_kept(void **state)
{
	static const int moments[] = {SO_MARK, BIND};
	struct udp_aim at = aim_at(f->a, 7000);
	int fd = open_it();
	size_t i;

	(void)state;
	for (i = 0; i < 2; i++) {
		sends_before = moments[i];
		assert_int_equal(udp_aim(fd, &at), -1);
		assert_int_equal(errno, EADDRNOTAVAIL);
		sends_before = 0;
		assert_int_equal(udp_aim(fd, &at), 0);
		assert_int_equal(local_port(fd), PORT);
		close(fd);
		fd = open_it();
	}
	close(fd);
}

static int refused_option; /* as by a kernel that does not have it */

int __real_setsockopt(int, int, int, const void *, socklen_t);
int __wrap_setsockopt(int, int, int, const void *, socklen_t);

int
__wrap_setsockopt(int fd, int level, int name, const void *value, socklen_t len)
{
	if (sends_before == name)
		assert_int_equal(write(fd, "x", 1), -1);
	if (level != IPPROTO_UDP || name != refused_option)
		return __real_setsockopt(fd, level, name, value, len);
	errno = ENOPROTOOPT;
	return -1;
}

static void
what_the_kernel_does_not_have_is_told(void **state)
{
	(void)state;
	assert_true(udp_has_gso());
	assert_true(udp_has_gro());
	refused_option = UDP_SEGMENT_OPTION;
	assert_false(udp_has_gso());
	assert_true(udp_has_gro());
	refused_option = UDP_GRO_OPTION;
	assert_true(udp_has_gso());
	assert_false(udp_has_gro());
	refused_option = 0;
}

#define TEST(t, i)                                                     \
	{                                                              \
		.name = #t " (IPv" #i ")", .test_func = t,             \
		.setup_func = setup,                                   \
		.initial_state = (void *)(uintptr_t)&families[(i) / 5] \
	}
#define BOTH(t) TEST(t, 4), TEST(t, 6)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    BOTH(unaimed_it_hears_and_sends_nothing),
	    BOTH(aimed_it_hears_its_peer_alone),
	    BOTH(retired_it_hears_and_sends_nothing),
	    BOTH(what_waits_when_it_is_retired_is_the_workers_to_drain),
	    BOTH(aimed_again_it_hears_the_new_peer_alone),
	    BOTH(peers_share_a_port_and_hear_their_own),
	    BOTH(one_that_cannot_be_aimed_takes_nothing_from_others),
	    BOTH(both_families_share_a_port),
	    BOTH(without_a_route_it_can_be_aimed_later),
	    BOTH(its_own_address_follows_its_peer),
	    BOTH(a_bound_address_stays),
	    BOTH(an_address_that_is_not_here_is_refused),
	    BOTH(it_can_be_bound_to_a_device_and_marked),
	    BOTH(buffers_are_forced_and_read_back),
	    BOTH(without_privilege_buffers_are_what_the_limits_allow),
	    BOTH(gro_is_set_and_switched),
	    BOTH(a_port_that_the_kernel_chose_meanwhile_is_not_kept),
	    BOTH(it_is_made_as_the_worker_needs_it),
	    TEST(a_link_local_peer_has_its_scope, 6),
	    TEST(what_the_kernel_does_not_have_is_told, 4),
	};

	nets_need_root();
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("udp", tests, NULL, NULL);
}

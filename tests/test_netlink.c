#include <sys/ioctl.h>
#include <sys/socket.h>

#include <linux/if_tun.h>

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "privsep/netlink.h"
#include "privsep/nlsock.h"
#include "tests/nets.h"

struct world {
	struct nlsock *nl;
	int tun;
	uint32_t ifindex;
};

static int
setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	nets_enter();
	w->nl = nlsock_open(0, NULL, NULL);
	assert_non_null(w->nl);
	w->tun = nets_tun("t0", 0);
	w->ifindex = nets_index("t0");
	*state = w;
	return 0;
}

static int
teardown(void **state)
{
	struct world *w = *state;

	nlsock_close(w->nl);
	close(w->tun);
	free(w);
	return 0;
}

static struct prefix
prefix(const char *text)
{
	struct prefix p;

	assert_int_equal(prefix_parse(text, &p), 0);
	return p;
}

static struct addr
addr(const char *text)
{
	struct addr a;

	assert_int_equal(addr_parse(text, &a), 0);
	return a;
}

/* What a command prints must contain the words; ip(8) is the witness. */
static void
expect_shown(const char *command, const char *words)
{
	nets_run("%s | grep -Fq -e '%s' || { %s; exit 1; }", command, words,
	    command);
}

static void
expect_not_shown(const char *command, const char *words)
{
	nets_run("! %s | grep -Fq -e '%s'", command, words);
}

static void
the_link_goes_up_and_down(void **state)
{
	struct world *w = *state;

	assert_int_equal(netlink_set_up(w->nl, w->ifindex, 1), 0);
	expect_shown("ip link show t0", ",UP");
	assert_int_equal(netlink_set_up(w->nl, w->ifindex, 0), 0);
	expect_not_shown("ip link show t0", ",UP");
}

static void
the_link_takes_numbers(void **state)
{
	struct world *w = *state;

	assert_int_equal(netlink_set_mtu(w->nl, w->ifindex, 1472), 0);
	assert_int_equal(netlink_set_txqueuelen(w->nl, w->ifindex, 1234), 0);
	assert_int_equal(netlink_set_gso_max_segs(w->nl, w->ifindex, 64), 0);
	expect_shown("ip -d link show t0", "mtu 1472 ");
	expect_shown("ip -d link show t0", "qlen 1234");
	expect_shown("ip -d link show t0", "gso_max_segs 64 ");
}

static void
promote_secondaries_is_told_as_it_was_set(void **state)
{
	struct world *w = *state;
	struct netlink_link l;
	int on;

	for (on = 1; on >= 0; on--) {
		assert_int_equal(
		    netlink_set_promote(w->nl, w->ifindex, on != 0), 0);
		nets_run("[ $(cat /proc/sys/net/ipv4/conf/t0/"
			 "promote_secondaries) -eq %d ]",
		    on);
		assert_int_equal(netlink_get_link(w->nl, w->ifindex, &l), 0);
		assert_int_equal(l.promote, on);
	}
}

static void
errors_are_the_kernels(void **state)
{
	struct world *w = *state;
	const struct prefix p = prefix("10.1.1.1/24");

	assert_int_equal(netlink_set_mtu(w->nl, w->ifindex, 67), -1);
	assert_int_equal(errno, EINVAL);
	assert_int_equal(netlink_set_mtu(w->nl, w->ifindex, 65536), -1);
	assert_int_equal(errno, EINVAL);
	assert_int_equal(netlink_set_up(w->nl, 4711, 1), -1);
	assert_int_equal(errno, ENODEV);
	assert_int_equal(netlink_add_address(w->nl, 4711, &p), -1);
	assert_int_equal(errno, ENODEV);
	/* A route needs the link up. */
	assert_int_equal(netlink_add_route(w->nl, w->ifindex, &p), -1);
	assert_int_equal(errno, ENETDOWN);
	/* And the socket is still good. */
	assert_int_equal(netlink_set_up(w->nl, w->ifindex, 1), 0);
}

static void
addresses_come_and_go_twice(void **state)
{
	struct world *w = *state;
	const struct prefix v4 = prefix("10.9.0.1/24");
	const struct prefix v6 = prefix("fd09::1/64");
	int i;

	assert_int_equal(netlink_set_up(w->nl, w->ifindex, 1), 0);
	/* what is there already is told by 1 */
	for (i = 0; i < 2; i++) {
		assert_int_equal(
		    netlink_add_address(w->nl, w->ifindex, &v4), i);
		assert_int_equal(
		    netlink_add_address(w->nl, w->ifindex, &v6), i);
	}
	expect_shown("ip addr show t0", "inet 10.9.0.1/24 scope global t0");
	expect_shown("ip addr show t0", "inet6 fd09::1/64 scope global nodad");
	expect_not_shown("ip addr show t0", "tentative");
	for (i = 0; i < 2; i++) {
		assert_int_equal(
		    netlink_del_address(w->nl, w->ifindex, &v4), 0);
		assert_int_equal(
		    netlink_del_address(w->nl, w->ifindex, &v6), 0);
	}
	expect_not_shown("ip addr show t0", "10.9.0.1");
	expect_not_shown("ip addr show t0", "fd09::1");
}

static void
an_ipv6_address_can_be_bound_at_once(void **state)
{
	struct world *w = *state;
	const struct prefix v6 = prefix("fd09::1/64");
	const struct endpoint ep = {.addr = v6.addr};
	struct sockaddr_storage ss;
	socklen_t len = endpoint_to_sockaddr(&ep, &ss);
	int s;

	assert_int_equal(netlink_set_up(w->nl, w->ifindex, 1), 0);
	assert_int_equal(netlink_add_address(w->nl, w->ifindex, &v6), 0);
	s = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_int_not_equal(s, -1);
	assert_int_equal(bind(s, (struct sockaddr *)&ss, len), 0);
	close(s);
}

static void
routes_come_and_go_twice(void **state)
{
	struct world *w = *state;
	/* Host bits are not the kernel's to see: it refuses them. */
	const struct prefix v4 = prefix("10.8.0.5/16");
	const struct prefix v6 = prefix("fd08::5/48");
	int i;

	assert_int_equal(netlink_set_up(w->nl, w->ifindex, 1), 0);
	for (i = 0; i < 2; i++) {
		assert_int_equal(netlink_add_route(w->nl, w->ifindex, &v4), i);
		assert_int_equal(netlink_add_route(w->nl, w->ifindex, &v6), i);
	}
	expect_shown("ip -d route show table main",
	    "10.8.0.0/16 dev t0 proto static scope link");
	expect_shown(
	    "ip -6 -d route show table main", "fd08::/48 dev t0 proto static");
	for (i = 0; i < 2; i++) {
		assert_int_equal(netlink_del_route(w->nl, w->ifindex, &v4), 0);
		assert_int_equal(netlink_del_route(w->nl, w->ifindex, &v6), 0);
	}
	expect_not_shown("ip route show", "10.8.0.0");
	expect_not_shown("ip -6 route show", "fd08::");
}

static void
default_and_host_routes_can_be_added(void **state)
{
	struct world *w = *state;
	static const char *const texts[] = {
	    "0.0.0.0/0", "::/0", "10.9.0.2/32", "fd09::2/128"};
	struct prefix p;
	size_t i;

	assert_int_equal(netlink_set_up(w->nl, w->ifindex, 1), 0);
	for (i = 0; i < 4; i++) {
		p = prefix(texts[i]);
		assert_int_equal(netlink_add_route(w->nl, w->ifindex, &p), 0);
		assert_int_equal(netlink_add_route(w->nl, w->ifindex, &p), 1);
	}
	expect_shown("ip route show", "default dev t0");
	expect_shown("ip -6 route show", "default dev t0");
	expect_shown("ip route show", "10.9.0.2 dev t0");
	expect_shown("ip -6 route show", "fd09::2 dev t0");
}

static void
a_route_behind_a_longer_one_is_there_as_well(void **state)
{
	struct world *w = *state;
	static const char *const texts[] = {
	    "10.8.0.0/16", "10.8.0.0/24", "fd08::/48", "fd08::/64"};
	struct prefix p;

	assert_int_equal(netlink_set_up(w->nl, w->ifindex, 1), 0);
	for (int there = 0; there < 2; there++)
		for (size_t i = 0; i < 4; i++) {
			p = prefix(texts[i]);
			assert_int_equal(
			    netlink_add_route(w->nl, w->ifindex, &p), there);
		}
}

static double
seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* How long it takes to add four thousand. */
static double
add_many(const struct world *w, const char *first, int there)
{
	struct prefix p = prefix(first);
	double began = seconds();

	for (unsigned int n = 0; n < 4000; n++) {
		p.addr.bytes[1] = (uint8_t)(n >> 8);
		p.addr.bytes[2] = (uint8_t)n;
		assert_int_equal(
		    netlink_add_route(w->nl, w->ifindex, &p), there);
	}
	return seconds() - began;
}

/* As after a crash: to look for each among all takes fifty times as long. */
static void
many_routes_that_are_there_take_no_longer_than_new_ones(void **state)
{
	static const char *const firsts[] = {"10.0.0.0/24", "fd00::/24"};
	struct world *w = *state;
	double new, old;

	assert_int_equal(netlink_set_up(w->nl, w->ifindex, 1), 0);
	for (size_t i = 0; i < 2; i++) {
		new = add_many(w, firsts[i], 0);
		old = add_many(w, firsts[i], 1);
		if (old > 10 * new)
			fail_msg("%f s where new ones took %f", old, new);
	}
}

static void
a_route_of_another_device_is_no_success(void **state)
{
	struct world *w = *state;
	const struct prefix v4 = prefix("10.8.0.0/16");
	const struct prefix v6 = prefix("fd08::/48");
	int other = nets_tun("t1", 0);

	assert_int_equal(netlink_set_up(w->nl, w->ifindex, 1), 0);
	nets_run("ip link set t1 up; ip route add 10.8.0.0/16 dev t1;"
		 "ip route add fd08::/48 dev t1");
	assert_int_equal(netlink_add_route(w->nl, w->ifindex, &v4), -1);
	assert_int_equal(errno, EEXIST);
	assert_int_equal(netlink_add_route(w->nl, w->ifindex, &v6), -1);
	assert_int_equal(errno, EEXIST);
	/* Not where ours has a longer one, either, or that in another table. */
	nets_run("ip route add 10.8.0.0/24 dev t0;"
		 "ip route add fd08::/64 dev t0");
	assert_int_equal(netlink_add_route(w->nl, w->ifindex, &v4), -1);
	assert_int_equal(netlink_add_route(w->nl, w->ifindex, &v6), -1);
	nets_run("ip route del 10.8.0.0/24 dev t0;"
		 "ip rule add to 10.8.0.0/16 table 77;"
		 "ip route add 10.8.0.0/16 dev t0 table 77");
	assert_int_equal(netlink_add_route(w->nl, w->ifindex, &v4), -1);
	/* Nor is it ours to remove. */
	assert_int_equal(netlink_del_route(w->nl, w->ifindex, &v4), 0);
	expect_shown("ip route show", "10.8.0.0/16 dev t1");
	close(other);
}

static void
the_kernels_own_route_serves(void **state)
{
	struct world *w = *state;
	const struct prefix net = prefix("10.9.0.1/24");

	assert_int_equal(netlink_set_up(w->nl, w->ifindex, 1), 0);
	assert_int_equal(netlink_add_address(w->nl, w->ifindex, &net), 0);
	assert_int_equal(netlink_add_route(w->nl, w->ifindex, &net), 1);
	/* And is not removed with ours. */
	assert_int_equal(netlink_del_route(w->nl, w->ifindex, &net), 0);
	expect_shown("ip route show", "10.9.0.0/24 dev t0 proto kernel");
}

static int
route_mtu(struct world *w, const struct addr *dst, uint32_t mark, uint32_t *mtu)
{
	struct netlink_route r = {0};

	if (netlink_get_route(w->nl, dst, mark, 0, &r) == -1)
		return -1;
	assert_int_equal(r.ifindex, w->ifindex);
	*mtu = r.mtu;
	return 0;
}

static void
the_mtu_is_the_devices_without_a_metric(void **state)
{
	struct world *w = *state;
	const struct addr v4 = addr("10.8.1.1"), v6 = addr("fd08::1");
	uint32_t mtu = 0;

	nets_run("ip link set t0 mtu 1420 up; ip route add 10.8.0.0/16 dev t0;"
		 "ip route add fd08::/48 dev t0");
	assert_int_equal(route_mtu(w, &v4, 0, &mtu), 0);
	assert_int_equal(mtu, 1420);
	mtu = 0;
	assert_int_equal(route_mtu(w, &v6, 0, &mtu), 0);
	assert_int_equal(mtu, 1420);
}

static void
the_mtu_is_the_routes_where_it_has_one(void **state)
{
	struct world *w = *state;
	const struct addr v4 = addr("10.8.1.1"), v6 = addr("fd08::1");
	uint32_t mtu = 0;

	nets_run("ip link set t0 mtu 1420 up;"
		 "ip route add 10.8.0.0/16 dev t0 mtu 1300 advmss 1000;"
		 "ip route add fd08::/48 dev t0 hoplimit 9 mtu 1310");
	assert_int_equal(route_mtu(w, &v4, 0, &mtu), 0);
	assert_int_equal(mtu, 1300);
	assert_int_equal(route_mtu(w, &v6, 0, &mtu), 0);
	assert_int_equal(mtu, 1310);
}

static void
a_way_is_that_of_the_mark_and_the_device(void **state)
{
	struct world *w = *state;
	const struct addr dst = addr("10.8.1.1");
	struct netlink_route r;
	int fd = nets_tun("m0", 0);

	nets_run("ip link set t0 mtu 1420 up; ip link set m0 mtu 1300 up;"
		 "ip route add 10.8.0.0/16 dev t0;"
		 "ip route add 10.8.0.0/16 dev m0 metric 9;"
		 "ip route add 10.8.0.0/16 dev m0 table 77;"
		 "ip rule add fwmark 5 table 77");
	assert_int_equal(netlink_get_route(w->nl, &dst, 0, 0, &r), 0);
	assert_int_equal(r.ifindex, w->ifindex);
	assert_int_equal(netlink_get_route(w->nl, &dst, 5, 0, &r), 0);
	assert_int_equal(r.ifindex, nets_index("m0"));
	assert_int_equal(r.mtu, 1300);
	assert_int_equal(
	    netlink_get_route(w->nl, &dst, 0, nets_index("m0"), &r), 0);
	assert_int_equal(r.ifindex, nets_index("m0"));
	close(fd);
}

static void
no_route_is_an_error(void **state)
{
	struct world *w = *state;
	const struct addr v4 = addr("10.8.1.1"), v6 = addr("fd08::1");
	uint32_t mtu;

	assert_int_equal(route_mtu(w, &v4, 0, &mtu), -1);
	assert_int_equal(errno, ENETUNREACH);
	assert_int_equal(route_mtu(w, &v6, 0, &mtu), -1);
	assert_int_equal(errno, ENETUNREACH);
	nets_run("ip route add unreachable 10.8.0.0/16;"
		 "ip route add unreachable fd08::/48");
	assert_int_equal(route_mtu(w, &v4, 0, &mtu), -1);
	assert_int_equal(route_mtu(w, &v6, 0, &mtu), -1);
}

static void
queues_are_counted(void **state)
{
	struct world *w = *state;
	uint32_t queues = 0;
	int first, second;

	first = nets_tun("m0", IFF_MULTI_QUEUE);
	assert_int_equal(
	    netlink_tun_queues(w->nl, nets_index("m0"), &queues), 0);
	assert_int_equal(queues, 1);
	second = nets_tun("m0", IFF_MULTI_QUEUE);
	assert_int_equal(
	    netlink_tun_queues(w->nl, nets_index("m0"), &queues), 0);
	assert_int_equal(queues, 2);
	close(second);
	close(first);
	/* A single-queue device, and one of another kind, do not tell. */
	assert_int_equal(netlink_tun_queues(w->nl, w->ifindex, &queues), -1);
	assert_int_equal(errno, ENOENT);
	assert_int_equal(
	    netlink_tun_queues(w->nl, nets_index("lo"), &queues), -1);
	assert_int_equal(errno, ENOENT);
}

static void
no_descriptor_is_left_behind(void **state)
{
	struct nlsock *nl;
	int before, after;

	(void)state;
	before = open("/dev/null", O_RDONLY | O_CLOEXEC);
	close(before);
	nl = nlsock_open(0, NULL, NULL);
	assert_non_null(nl);
	assert_int_equal(fcntl(before, F_GETFD), FD_CLOEXEC);
	nlsock_close(nl);
	nlsock_close(NULL);
	after = open("/dev/null", O_RDONLY | O_CLOEXEC);
	close(after);
	assert_int_equal(before, after);
}

#define NETLINK_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    NETLINK_TEST(the_link_goes_up_and_down),
	    NETLINK_TEST(the_link_takes_numbers),
	    NETLINK_TEST(promote_secondaries_is_told_as_it_was_set),
	    NETLINK_TEST(errors_are_the_kernels),
	    NETLINK_TEST(addresses_come_and_go_twice),
	    NETLINK_TEST(an_ipv6_address_can_be_bound_at_once),
	    NETLINK_TEST(routes_come_and_go_twice),
	    NETLINK_TEST(default_and_host_routes_can_be_added),
	    NETLINK_TEST(a_route_behind_a_longer_one_is_there_as_well),
	    NETLINK_TEST(
		many_routes_that_are_there_take_no_longer_than_new_ones),
	    NETLINK_TEST(a_route_of_another_device_is_no_success),
	    NETLINK_TEST(the_kernels_own_route_serves),
	    NETLINK_TEST(the_mtu_is_the_devices_without_a_metric),
	    NETLINK_TEST(the_mtu_is_the_routes_where_it_has_one),
	    NETLINK_TEST(a_way_is_that_of_the_mark_and_the_device),
	    NETLINK_TEST(no_route_is_an_error),
	    NETLINK_TEST(queues_are_counted),
	    NETLINK_TEST(no_descriptor_is_left_behind),
	};

	nets_need_root();
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("netlink", tests, NULL, NULL);
}

#include <sys/ioctl.h>
#include <sys/socket.h>

#include <linux/capability.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/if_tun.h>
#include <linux/rtnetlink.h>

#include <errno.h>
#include <event2/event.h>
#include <libmnl/libmnl.h>
#include <net/if.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "privsep/link.h"
#include "privsep/netns.h"
#include "privsep/nlsock.h"
#include "tests/nets.h"

#define NOTICES_MAX 2048

struct notice {
	enum link_change change;
	const struct link_state *link;
	struct link_state now;
	struct link_state before;
};

struct world {
	struct event_base *base;
	struct link_monitor *monitor;
	const struct link_state *link;
	int tun;
	uint32_t ifindex;
	pid_t other;
	size_t count;
	unsigned int looked;
	struct notice notices[NOTICES_MAX];
	void (*then)(struct world *); /* called from the first notice */
};

static void
on_change(const struct link_state *link, enum link_change change,
    const struct link_state *now, const struct link_state *before, void *arg)
{
	void (*then)(struct world *);
	struct world *w = arg;

	if (change == LINK_LOOKED) {
		w->looked++;
		return;
	}
	assert_true(w->count < NOTICES_MAX);
	w->notices[w->count].change = change;
	w->notices[w->count].link = link;
	w->notices[w->count].now = *now;
	w->notices[w->count].before = *before;
	w->count++;
	then = w->then;
	w->then = NULL;
	if (then != NULL)
		then(w);
}

static int
setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	nets_enter();
	w->base = event_base_new();
	assert_non_null(w->base);
	w->monitor = link_monitor_open(w->base, on_change, w);
	assert_non_null(w->monitor);
	w->tun = nets_tun("t0", 0);
	w->ifindex = nets_index("t0");
	*state = w;
	return 0;
}

static int
teardown(void **state)
{
	struct world *w = *state;

	link_monitor_close(w->monitor);
	event_base_free(w->base);
	if (w->tun != -1)
		close(w->tun);
	if (w->other > 0)
		nets_end_other(w->other);
	free(w);
	return 0;
}

static void
watch(struct world *w)
{
	w->link = link_watch(w->monitor, w->ifindex, w->tun);
	assert_non_null(w->link);
}

/* The kernel has told everything before a command, or nets_await, returns. */
static void
turn(struct world *w)
{
	int i;

	for (i = 0; i < 8; i++)
		event_base_loop(w->base, EVLOOP_NONBLOCK);
}

/* Long enough for the monitor to look by itself, which it does each second. */
static void
wait_a_tick(struct world *w)
{
	const struct timeval tv = {1, 300000};

	event_base_loopexit(w->base, &tv);
	event_base_dispatch(w->base);
}

static void
expect_told(struct world *w, const char *want)
{
	static const char *const words[LINK_CHANGE_COUNT] = {
	    [LINK_UP] = "up",
	    [LINK_DOWN] = "down",
	    [LINK_MTU] = "mtu",
	    [LINK_RENAME] = "rename",
	    [LINK_ADDRESS] = "address",
	    [LINK_NETNS] = "netns",
	    [LINK_DELETED] = "deleted",
	    [LINK_RUNNING] = "running",
	};
	char got[4096] = "";
	size_t i;

	for (i = 0; i < w->count; i++) {
		if (i > 0)
			strlcat(got, " ", sizeof(got));
		strlcat(got, words[w->notices[i].change], sizeof(got));
	}
	assert_string_equal(got, want);
	w->count = 0;
}

static void
expect(struct world *w, const char *want)
{
	turn(w);
	expect_told(w, want);
}

static void
watching_reads_the_state(void **state)
{
	struct world *w = *state;
	struct prefix p;

	nets_run("ip link set t0 mtu 1400 up; ip addr add 10.1.1.1/24 dev t0;"
		 "ip addr add fd00::1/64 dev t0 nodad");
	nets_await("fd00::1");
	watch(w);
	assert_true(w->link->up);
	assert_true(w->link->running);
	assert_false(w->link->deleted);
	assert_string_equal(w->link->name, "t0");
	assert_int_equal(w->link->ifindex, w->ifindex);
	assert_int_equal(w->link->mtu, 1400);
	assert_int_equal(w->link->nsid, LINK_NSID_HOME);
	assert_int_equal(w->link->address_count, 2);
	assert_int_equal(prefix_parse("10.1.1.1/24", &p), 0);
	assert_true(prefix_equal(&w->link->addresses[0], &p));
	assert_int_equal(prefix_parse("fd00::1/64", &p), 0);
	assert_true(prefix_equal(&w->link->addresses[1], &p));
	/* What was before is no change. */
	expect(w, "");
}

static void
what_happened_to_a_predecessor_is_past(void **state)
{
	struct world *w = *state;

	w->other = nets_other();
	nets_run("ip link set t0 netns %d;"
		 "ip link add d0 index %u type veth peer name d1 index 77",
	    (int)w->other, w->ifindex);
	w->link = link_watch(w->monitor, w->ifindex, -1);
	assert_non_null(w->link);
	assert_string_equal(w->link->name, "d0");
	assert_int_equal(w->link->nsid, LINK_NSID_HOME);
	expect(w, "");
}

static void
nothing_to_watch_is_an_error(void **state)
{
	struct world *w = *state;

	assert_null(link_watch(w->monitor, 4711, -1));
	assert_int_equal(errno, ENODEV);
	close(w->tun);
	assert_null(link_watch(w->monitor, w->ifindex, -1));
	assert_int_equal(errno, ENODEV);
	w->tun = nets_tun("t0", 0);
	w->ifindex = nets_index("t0");
	watch(w);
	assert_null(link_watch(w->monitor, w->ifindex, w->tun));
	assert_int_equal(errno, EEXIST);
	expect(w, "");
}

static void
changes_are_told_in_order(void **state)
{
	struct world *w = *state;
	const struct notice *n = w->notices;

	watch(w);
	nets_run("ip link set t0 up; ip link set t0 mtu 1400;"
		 "ip addr add 10.1.1.1/24 dev t0;"
		 "ip addr add fd00::1/64 dev t0 nodad");
	nets_await("fd00::1");
	nets_run("ip addr del 10.1.1.1/24 dev t0; ip link set t0 down;"
		 "ip link set t0 name t1; ip link set t1 up; ip link del t1");
	turn(w);
	assert_true(w->count > 8);
	assert_true(n[0].now.up);
	assert_false(n[0].before.up);
	assert_int_equal(n[1].before.mtu, 1500);
	assert_int_equal(n[1].now.mtu, 1400);
	assert_int_equal(n[2].now.address_count, 1);
	assert_int_equal(n[3].now.address_count, 2);
	assert_int_equal(n[4].now.address_count, 1);
	assert_int_equal(n[4].now.addresses[0].addr.family, 6);
	assert_false(n[5].now.up);
	assert_int_equal(n[6].now.address_count, 0);
	assert_string_equal(n[7].before.name, "t0");
	assert_string_equal(n[7].now.name, "t1");
	/* Down takes the IPv6 address away. */
	expect_told(w,
	    "up mtu address address address down address rename up down "
	    "deleted");
	assert_true(w->link->deleted);
}

static void
nothing_is_told_without_a_change(void **state)
{
	struct world *w = *state;

	nets_run("ip addr add 10.1.1.1/24 dev t0; ip link set t0 up");
	watch(w);
	nets_run("ip link set t0 alias somewhere; ip link set t0 txqueuelen 77;"
		 "ip link set t0 mtu 1500; ip link set t0 up;"
		 "ip link set t0 promisc on; ip link set t0 promisc off;"
		 "ip addr change 10.1.1.1/24 dev t0 valid_lft 100 "
		 "preferred_lft 50; ip link set lo mtu 20000;"
		 "ip addr add 10.2.2.2/24 dev lo");
	expect(w, "");
}

static void
down_is_not_told_before_the_first_up(void **state)
{
	struct world *w = *state;

	watch(w);
	nets_run("ip link set t0 down; ip link set t0 alias x");
	expect(w, "");
	nets_run("ip link del t0");
	expect(w, "deleted");
}

static void
running_is_kept_apart_from_up(void **state)
{
	struct world *w = *state;
	int off = 0, on = 1;

	nets_run("ip link set t0 up");
	watch(w);
	assert_int_equal(ioctl(w->tun, TUNSETCARRIER, &off), 0);
	turn(w);
	/* The kernel settles the state of the carrier behind our back. */
	wait_a_tick(w);
	expect(w, "running");
	assert_true(w->link->up);
	assert_false(w->link->running);
	assert_int_equal(ioctl(w->tun, TUNSETCARRIER, &on), 0);
	wait_a_tick(w);
	assert_true(w->link->running);
	expect(w, "running");
}

static struct nlmsghdr *
link_bytes(void *buf, uint16_t type, uint32_t ifindex, unsigned int flags)
{
	struct nlmsghdr *h = mnl_nlmsg_put_header(buf);
	struct ifinfomsg *info;

	h->nlmsg_type = type;
	info = mnl_nlmsg_put_extra_header(h, sizeof(*info));
	info->ifi_index = (int)ifindex;
	info->ifi_flags = flags;
	return h;
}

static void
one_message_with_many_changes_has_an_order(void **state)
{
	struct world *w = *state;
	char buf[MNL_NLMSG_HDRLEN + 256];
	struct nlmsghdr *h;

	watch(w);
	h = link_bytes(buf, RTM_NEWLINK, w->ifindex, IFF_UP | IFF_RUNNING);
	mnl_attr_put_u32(h, IFLA_MTU, 1280);
	mnl_attr_put_strz(h, IFLA_IFNAME, "other");
	link_monitor_feed(w->monitor, buf, h->nlmsg_len, NLSOCK_HOME);
	expect_told(w, "rename mtu up");
	link_monitor_feed(w->monitor, buf, h->nlmsg_len, NLSOCK_HOME);
	expect_told(w, "");
}

/* Asked twice: it is forgotten when it was told. */
static void
expect_heard(struct world *w, bool heard)
{
	turn(w);
	assert_int_equal(link_monitor_heard(w->monitor), heard);
	assert_false(link_monitor_heard(w->monitor));
}

static void
what_is_not_watched_is_heard_of(void **state)
{
	struct world *w = *state;
	struct link_monitor *other;
	char buf[MNL_NLMSG_HDRLEN + 256];
	struct nlmsghdr *h;

	/* Nobody heard what there was before. */
	other = link_monitor_open(w->base, on_change, w);
	assert_non_null(other);
	assert_true(link_monitor_heard(other));
	assert_false(link_monitor_heard(other));
	link_monitor_close(other);
	expect_heard(w, true);
	watch(w);
	nets_run("ip link add d0 type veth peer name d1; ip addr add "
		 "10.1.1.1/24 dev d0;"
		 "ip addr add fd00::1/64 dev d0 nodad");
	nets_await("fd00::1");
	expect_heard(w, true);
	nets_run("ip addr del 10.1.1.1/24 dev d0");
	expect_heard(w, true);
	nets_run("ip addr del fd00::1/64 dev d0");
	expect_heard(w, true);
	nets_run("ip link del d0");
	expect_heard(w, true);
	nets_run("ip route add blackhole 10.2.0.0/16");
	expect_heard(w, false);
	/* Those of other namespaces are none of ours. */
	h = link_bytes(buf, RTM_DELLINK, 77, 0);
	link_monitor_feed(w->monitor, buf, h->nlmsg_len, 5);
	expect_heard(w, false);
	link_monitor_feed(w->monitor, buf, h->nlmsg_len, NLSOCK_HOME);
	expect_heard(w, true);
	expect(w, "");
}

static void
make_small(struct world *w)
{
	int size = 8192;

	assert_int_equal(setsockopt(link_monitor_fd(w->monitor), SOL_SOCKET,
			     SO_RCVBUF, &size, sizeof(size)),
	    0);
}

/* More than fits into a small socket: the MTU set 300 times, mtu + n. */
static void
lose_messages(struct world *w, const char *link, int mtu)
{
	make_small(w);
	nets_run("for i in $(seq 300); do echo link set %s mtu $((%d + i));"
		 "done | ip -batch -",
	    link, mtu);
}

static void
lost_messages_leave_the_difference(void **state)
{
	struct world *w = *state;
	const struct notice *n = w->notices;

	nets_run("ip addr add 10.1.1.1/24 dev t0; ip link set t0 up");
	watch(w);
	expect(w, "");
	make_small(w);
	nets_run("i=0; while [ $i -lt 300 ]; do i=$((i + 1));"
		 "echo link set t0 mtu $((1000 + i));"
		 "echo link set t0 down; echo link set t0 up;"
		 "echo addr add 10.9.$((i / 250)).$((i %% 250))/24 dev t0;"
		 "echo addr del 10.9.$((i / 250)).$((i %% 250))/24 dev t0;"
		 "done | ip -batch -");
	nets_run("ip link set t0 down; ip link set t0 name t1;"
		 "ip addr del 10.1.1.1/24 dev t1;"
		 "ip addr add 10.1.1.2/24 dev t1");
	turn(w);
	assert_int_equal(n[1].now.mtu, 1300);
	assert_int_equal(n[2].now.address_count, 1);
	assert_int_equal(n[2].now.addresses[0].addr.bytes[3], 2);
	expect_told(w, "rename mtu address down");
	assert_int_equal(w->looked, 1);
	/* And it goes on. */
	nets_run("ip link set t1 up");
	expect(w, "up");
	assert_int_equal(w->looked, 1);
}

static void
after_a_loss_it_says_that_it_has_heard(void **state)
{
	struct world *w = *state;

	watch(w);
	expect_heard(w, true);
	lose_messages(w, "lo", 2000);
	expect_heard(w, true);
}

static void
a_deletion_is_not_lost(void **state)
{
	struct world *w = *state;

	nets_run("ip link set t0 up");
	watch(w);
	lose_messages(w, "t0", 1000);
	nets_run("ip link del t0;"
		 "ip link add d0 index %u type veth peer name d1 "
		 "index 77; ip link set d0 up",
	    w->ifindex);
	/* The index is taken again, but not by ours. */
	expect(w, "down deleted");
	assert_true(w->link->deleted);
	nets_run("ip link set d0 mtu 1300; ip link set d0 down");
	expect(w, "");
}

static void
a_move_is_not_lost(void **state)
{
	struct world *w = *state;

	nets_run("ip link set t0 up");
	watch(w);
	w->other = nets_other();
	lose_messages(w, "t0", 1000);
	nets_run("ip link set t0 netns %d", (int)w->other);
	expect(w, "netns mtu down");
	assert_true(w->link->nsid >= 0);
	assert_int_equal(w->link->mtu, 1300);
	nets_run_in(w->other, "ip link set t0 up");
	expect(w, "up");
}

static void
a_move_that_was_lost_is_no_deletion(void **state)
{
	struct world *w = *state;

	nets_run("ip link set t0 up");
	watch(w);
	w->other = nets_other();
	lose_messages(w, "lo", 2000);
	nets_run("ip link set t0 netns %d", (int)w->other);
	/* Where it is now may not be asked. */
	nets_set_capability(CAP_NET_ADMIN, 0);
	expect(w, "netns down");
	nets_set_capability(CAP_NET_ADMIN, 1);
	assert_int_equal(w->link->nsid, LINK_NSID_UNKNOWN);
	assert_false(w->link->deleted);
}

static void
a_link_is_followed_to_another_namespace_and_back(void **state)
{
	struct world *w = *state;

	nets_run("ip link set t0 up; ip addr add 10.1.1.1/24 dev t0");
	watch(w);
	w->other = nets_other();
	nets_run("ip link set t0 netns %d", (int)w->other);
	turn(w);
	/* Told of the link that was watched, wherever that is by then. */
	assert_ptr_equal(w->notices[0].link, w->link);
	assert_ptr_equal(w->notices[2].link, w->link);
	expect_told(w, "down address netns");
	assert_true(w->link->nsid >= 0);
	nets_run_in(w->other,
	    "ip link set t0 up; ip link set t0 mtu 1400;"
	    "ip addr add 10.2.2.2/24 dev t0; ip link set t0 down;"
	    "ip link set t0 name away; ip link set away up");
	expect(w, "up mtu address down rename up");
	nets_run_in(w->other, "ip link set away netns %d", (int)getpid());
	expect(w, "down address netns");
	assert_int_equal(w->link->nsid, LINK_NSID_HOME);
	assert_string_equal(w->link->name, "away");
	nets_run("ip link set away mtu 1300; ip link set away up;"
		 "ip link del away");
	expect(w, "mtu up down deleted");
	wait_a_tick(w);
	expect(w, "");
}

static void
netlink_alone_follows_one_move(void **state)
{
	struct world *w = *state;

	w->link = link_watch(w->monitor, w->ifindex, -1);
	assert_non_null(w->link);
	w->other = nets_other();
	nets_run("ip link set t0 netns %d", (int)w->other);
	nets_run_in(w->other, "ip link set t0 up; ip link del t0");
	expect(w, "netns up down deleted");
}

static void
a_rename_on_the_way_is_told(void **state)
{
	struct world *w = *state;

	watch(w);
	w->other = nets_other();
	nets_run("ip link set t0 netns %d name new0", (int)w->other);
	expect(w, "netns rename");
	assert_string_equal(w->link->name, "new0");
}

static void
deletion_elsewhere_is_told(void **state)
{
	struct world *w = *state;

	watch(w);
	w->other = nets_other();
	nets_run("ip link set t0 netns %d", (int)w->other);
	nets_run_in(w->other, "ip link set t0 up; ip link del t0");
	expect(w, "netns up down deleted");
}

static void
the_end_of_its_namespace_is_told(void **state)
{
	struct world *w = *state;
	int i;

	watch(w);
	w->other = nets_other();
	nets_run("ip link set t0 netns %d", (int)w->other);
	expect(w, "netns");
	nets_end_other(w->other);
	w->other = 0;
	/* The kernel takes its time to clean up. */
	for (i = 0; i < 10 && !w->link->deleted; i++)
		wait_a_tick(w);
	expect(w, "deleted");
}

static void
a_second_move_is_followed(void **state)
{
	struct world *w = *state;
	int32_t first;
	pid_t third;

	watch(w);
	w->other = nets_other();
	third = nets_other();
	nets_run("ip link set t0 netns %d", (int)w->other);
	expect(w, "netns");
	first = w->link->nsid;
	nets_run_in(w->other, "ip link set t0 netns %d", (int)third);
	expect(w, "netns");
	assert_true(w->link->nsid >= 0);
	assert_int_not_equal(w->link->nsid, first);
	nets_run_in(third, "ip link set t0 up; ip link set t0 mtu 1234");
	expect(w, "up mtu");
	nets_end_other(third);
}

static void
a_second_move_without_a_descriptor_is_admitted(void **state)
{
	struct world *w = *state;
	pid_t third;

	w->link = link_watch(w->monitor, w->ifindex, -1);
	assert_non_null(w->link);
	w->other = nets_other();
	third = nets_other();
	nets_run("ip link set t0 netns %d", (int)w->other);
	nets_run_in(w->other, "ip link set t0 netns %d", (int)third);
	expect(w, "netns netns");
	assert_int_equal(w->link->nsid, LINK_NSID_UNKNOWN);
	nets_end_other(third);
}

static void
another_device_with_the_old_index_is_not_ours(void **state)
{
	struct world *w = *state;

	watch(w);
	w->other = nets_other();
	nets_run("ip link set t0 netns %d", (int)w->other);
	expect(w, "netns");
	nets_run("ip link add d0 index %u type veth peer name d1 "
		 "index 77; ip link set d0 mtu 1300;"
		 "ip link set d0 up; ip addr add 10.7.7.7/24 dev d0;"
		 "ip link set d0 down; ip link del d0",
	    w->ifindex);
	expect(w, "");
	nets_run_in(w->other, "ip link set t0 mtu 1400");
	expect(w, "mtu");
}

static void
another_device_with_our_index_elsewhere_is_not_ours(void **state)
{
	struct world *w = *state;

	watch(w);
	w->other = nets_other();
	nets_run_in(w->other,
	    "ip link add d0 index %u type veth peer name d1 "
	    "index 77",
	    w->ifindex);
	nets_run_in(w->other, "ip link set d0 up; ip link set d0 mtu 1300");
	expect(w, "");
	nets_run("ip link set t0 netns %d", (int)w->other);
	expect(w, "netns");
	assert_int_not_equal(w->link->ifindex, w->ifindex);
	nets_run_in(w->other, "ip link set d0 mtu 1301; ip link del d0;"
			      "ip link set t0 mtu 1302");
	turn(w);
	assert_int_equal(w->notices[0].now.mtu, 1302);
	expect_told(w, "mtu");
}

static bool room;
static bool room_was_seen;

static bool
has_room(void *arg)
{
	(void)arg;
	room_was_seen = room;
	return room;
}

static void
watch_until_there_is_no_room(struct world *w)
{
	link_monitor_mind_room(w->monitor, has_room);
	room = true;
	watch(w);
	expect(w, "");
	room = false;
}

/* For several of the monitor's pauses. */
static void
run_a_while(struct world *w)
{
	const struct timeval tv = {0, 100000};

	event_base_loopexit(w->base, &tv);
	event_base_dispatch(w->base);
}

static void
what_there_is_no_room_for_is_told_later(void **state)
{
	struct world *w = *state;

	watch_until_there_is_no_room(w);
	nets_run("ip link set t0 mtu 1400; ip link set t0 mtu 1401");
	run_a_while(w);
	expect_told(w, "");
	/* who asks is told nevertheless */
	nets_run("ip link set t0 mtu 1402");
	link_monitor_catch_up(w->monitor);
	expect_told(w, "mtu mtu mtu");
	nets_run("ip link set t0 up");
	expect(w, "");
	room = true;
	run_a_while(w);
	expect_told(w, "up");
}

/* Or who waits for it to be seen would wait in vain. */
static void
that_there_is_room_again_is_seen_with_nothing_left_to_read(void **state)
{
	struct world *w = *state;

	watch_until_there_is_no_room(w);
	nets_run("ip link set t0 mtu 1400");
	run_a_while(w);
	link_monitor_catch_up(w->monitor);
	expect_told(w, "mtu");
	assert_false(room_was_seen);
	room = true;
	run_a_while(w);
	assert_true(room_was_seen);
	nets_run("ip link set t0 mtu 1401");
	expect(w, "mtu");
}

/* As in a container: nothing from other namespaces reaches us. */
static void
open_deaf(struct world *w)
{
	link_monitor_close(w->monitor);
	nets_set_capability(CAP_NET_BROADCAST, 0);
	w->monitor = link_monitor_open(w->base, on_change, w);
	nets_set_capability(CAP_NET_BROADCAST, 1);
	assert_non_null(w->monitor);
}

static void
without_leave_to_listen_it_asks(void **state)
{
	struct world *w = *state;

	open_deaf(w);
	watch(w);
	w->other = nets_other();
	nets_run("ip link set t0 netns %d", (int)w->other);
	expect(w, "netns");
	nets_run_in(w->other, "ip link set t0 up; ip link set t0 mtu 1400;"
			      "ip addr add 10.2.2.2/24 dev t0");
	wait_a_tick(w);
	expect(w, "mtu address up");
	nets_run_in(w->other, "ip link set t0 netns %d", (int)getpid());
	wait_a_tick(w);
	expect(w, "netns address down");
	nets_run("ip link set t0 up");
	expect(w, "up");
}

static void
without_leave_to_ask_it_polls_the_tun(void **state)
{
	struct world *w = *state;

	open_deaf(w);
	watch(w);
	w->other = nets_other();
	nets_run("ip link set t0 netns %d", (int)w->other);
	expect(w, "netns");
	nets_run_in(w->other, "ip addr add 10.2.2.2/24 dev t0");
	wait_a_tick(w);
	expect(w, "address");
	nets_set_capability(CAP_NET_ADMIN, 0);
	nets_run_in(w->other, "ip link set t0 name far; ip link set far up");
	wait_a_tick(w);
	expect(w, "rename up");
	nets_run_in(w->other, "ip link set far down");
	wait_a_tick(w);
	expect(w, "down");
	/* what is not told is as it was */
	assert_int_equal(w->link->address_count, 1);
	nets_run_in(w->other, "ip link del far");
	wait_a_tick(w);
	expect(w, "address deleted");
	nets_set_capability(CAP_NET_ADMIN, 1);
}

static void
a_namespace_that_numbers_itself_is_still_home(void **state)
{
	struct world *w = *state;
	struct nlsock *s = nlsock_open(0, NULL, NULL);
	int32_t nsid;
	char buf[MNL_NLMSG_HDRLEN + 256];
	struct nlmsghdr *h;
	int netns;

	assert_non_null(s);
	watch(w);
	netns = netns_of_socket(nlsock_fd(s));
	assert_int_not_equal(netns, -1);
	assert_int_equal(netns_get_id(s, netns, &nsid), -1);
	assert_int_equal(netns_need_id(s, netns, &nsid), 0);
	assert_true(nsid >= 0);
	close(netns);
	nlsock_close(s);
	nets_run("ip link set t0 up; ip link set t0 mtu 1400");
	expect(w, "up mtu");
	assert_int_equal(w->link->nsid, LINK_NSID_HOME);
	/* Kernels before the middle of 2026 tag their messages with it. */
	h = link_bytes(buf, RTM_NEWLINK, w->ifindex, 0);
	link_monitor_feed(w->monitor, buf, h->nlmsg_len, nsid);
	expect_told(w, "down");
	link_monitor_feed(w->monitor, buf, h->nlmsg_len, nsid + 1);
	expect_told(w, "");
}

static void
a_number_that_was_lost_is_still_home(void **state)
{
	struct world *w = *state;
	struct nlsock *s = nlsock_open(0, NULL, NULL);
	int32_t nsid;
	char buf[MNL_NLMSG_HDRLEN + 256];
	struct nlmsghdr *h;
	int netns;

	assert_non_null(s);
	watch(w);
	lose_messages(w, "lo", 2000);
	netns = netns_of_socket(nlsock_fd(s));
	assert_int_equal(netns_need_id(s, netns, &nsid), 0);
	close(netns);
	nlsock_close(s);
	expect(w, "");
	h = link_bytes(buf, RTM_NEWLINK, w->ifindex, IFF_UP);
	link_monitor_feed(w->monitor, buf, h->nlmsg_len, nsid);
	expect_told(w, "up");
}

static void
two_links_are_kept_apart(void **state)
{
	struct world *w = *state;
	const struct link_state *second;
	int tun = nets_tun("t1", 0);

	watch(w);
	/* What is read for the second's sake is told of the first. */
	nets_run("ip link set t0 mtu 1450");
	second = link_watch(w->monitor, nets_index("t1"), tun);
	assert_non_null(second);
	expect(w, "mtu");
	nets_run("ip link set t1 up; ip link set t0 mtu 1400");
	turn(w);
	assert_string_equal(w->notices[0].now.name, "t1");
	assert_string_equal(w->notices[1].now.name, "t0");
	assert_ptr_equal(w->notices[0].link, second);
	assert_ptr_equal(w->notices[1].link, w->link);
	expect_told(w, "up mtu");
	assert_false(w->link->up);
	assert_int_equal(second->mtu, 1500);
	close(tun);
	turn(w);
	assert_true(second->deleted);
	assert_false(w->link->deleted);
}

/* One that came while ours was away, and goes before it is back. */
static void
a_link_with_the_old_index_is_unwatched_by_itself(void **state)
{
	struct world *w = *state;
	const struct link_state *second;

	watch(w);
	w->other = nets_other();
	nets_run("ip link set t0 netns %d", (int)w->other);
	expect(w, "netns");
	nets_run("ip link add d0 index %u type veth peer name d1 index 77",
	    w->ifindex);
	second = link_watch(w->monitor, w->ifindex, -1);
	assert_non_null(second);
	link_unwatch(w->monitor, second);
	nets_run("ip link set d0 mtu 1300");
	expect(w, "");
	nets_run_in(w->other, "ip link set t0 mtu 1400");
	turn(w);
	assert_ptr_equal(w->notices[0].link, w->link);
	expect_told(w, "mtu");
}

static void
unwatched_is_untold(void **state)
{
	struct world *w = *state;

	watch(w);
	nets_run("ip link set t0 up");
	link_unwatch(w->monitor, w->link);
	nets_run("ip link set t0 mtu 1400");
	expect(w, "");
}

static void
unwatch_it(struct world *w)
{
	link_unwatch(w->monitor, w->link);
}

static void
watch_it_again(struct world *w)
{
	link_unwatch(w->monitor, w->link);
	watch(w);
}

static void
the_callback_may_watch_and_unwatch(void **state)
{
	struct world *w = *state;

	watch(w);
	w->then = unwatch_it;
	nets_run("ip link set t0 up; ip link set t0 mtu 1400");
	expect(w, "up");
	watch(w);
	w->then = watch_it_again;
	nets_run("ip link set t0 mtu 1401; ip link set t0 mtu 1402");
	/* The new watch begins with what is. */
	expect(w, "mtu");
	assert_int_equal(w->link->mtu, 1402);
	nets_run("ip link set t0 mtu 1403");
	expect(w, "mtu");
}

static void
more_addresses_than_fit_do_no_harm(void **state)
{
	struct world *w = *state;

	watch(w);
	nets_run("for i in $(seq 80); do echo addr add 10.3.$i.1/24 dev t0;"
		 "done | ip -batch -");
	turn(w);
	assert_int_equal(w->link->address_count, LIMIT_ADDRESSES);
	/* to look would bring nothing: it is one too many */
	assert_int_equal(w->looked, 0);
	nets_run("for i in $(seq 70); do echo addr del 10.3.$i.1/24 dev t0;"
		 "done | ip -batch -");
	turn(w);
	/* Those that did not fit are found again, by one look for all. */
	wait_a_tick(w);
	assert_int_equal(w->link->address_count, 10);
	assert_int_equal(w->looked, 1);
	nets_run("ip addr flush dev t0");
	turn(w);
	assert_int_equal(w->link->address_count, 0);
}

static void
only_the_kernel_is_believed(void **state)
{
	struct sockaddr_nl to;
	struct world *w = *state;
	socklen_t len = sizeof(to);
	char buf[MNL_NLMSG_HDRLEN + 256];
	struct nlmsghdr *h;
	int s;

	watch(w);
	assert_int_equal(getsockname(link_monitor_fd(w->monitor),
			     (struct sockaddr *)&to, &len),
	    0);
	to.nl_groups = 0;
	s = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	assert_int_not_equal(s, -1);
	h = link_bytes(buf, RTM_DELLINK, w->ifindex, 0);
	assert_int_equal(
	    sendto(s, buf, h->nlmsg_len, 0, (struct sockaddr *)&to, sizeof(to)),
	    h->nlmsg_len);
	close(s);
	expect(w, "");
	assert_false(w->link->deleted);
}

static void
a_bridge_port_message_is_no_deletion(void **state)
{
	struct world *w = *state;
	char buf[MNL_NLMSG_HDRLEN + 256];
	struct ifinfomsg *info;
	struct nlmsghdr *h;

	watch(w);
	h = link_bytes(buf, RTM_DELLINK, w->ifindex, 0);
	info = mnl_nlmsg_get_payload(h);
	info->ifi_family = AF_BRIDGE;
	link_monitor_feed(w->monitor, buf, h->nlmsg_len, NLSOCK_HOME);
	expect_told(w, "");
	assert_false(w->link->deleted);
}

static size_t
sample_link(void *buf, uint32_t ifindex)
{
	struct nlmsghdr *h;

	h = link_bytes(buf, RTM_NEWLINK, ifindex, IFF_UP);
	mnl_attr_put_strz(h, IFLA_IFNAME, "a-long-name-015");
	mnl_attr_put_u32(h, IFLA_MTU, 1280);
	mnl_attr_put_u32(h, IFLA_NEW_NETNSID, 3);
	mnl_attr_put_u32(h, IFLA_NEW_IFINDEX, 9);
	return h->nlmsg_len;
}

static size_t
sample_address(void *buf, uint32_t ifindex)
{
	static const uint8_t bytes[16] = {0xfd};
	struct nlmsghdr *h = mnl_nlmsg_put_header(buf);
	struct ifaddrmsg *ifa;

	h->nlmsg_type = RTM_NEWADDR;
	ifa = mnl_nlmsg_put_extra_header(h, sizeof(*ifa));
	ifa->ifa_family = AF_INET6;
	ifa->ifa_prefixlen = 64;
	ifa->ifa_index = ifindex;
	mnl_attr_put(h, IFA_ADDRESS, sizeof(bytes), bytes);
	return h->nlmsg_len;
}

/* Exact size on the heap, so that a sanitizer sees a read beyond it. */
static void
feed_exactly(struct world *w, const void *bytes, size_t len)
{
	void *copy = malloc(len == 0 ? 1 : len);

	assert_non_null(copy);
	memcpy(copy, bytes, len);
	link_monitor_feed(w->monitor, copy, len, NLSOCK_HOME);
	free(copy);
}

static void
feed_broken(struct world *w, const uint8_t *good, size_t len)
{
	uint8_t bad[512];
	struct nlmsghdr h;
	size_t cut, at;
	int value;

	for (cut = 0; cut <= len; cut++) {
		feed_exactly(w, good, cut);
		memcpy(bad, good, len);
		memcpy(&h, bad, sizeof(h));
		h.nlmsg_len = (uint32_t)cut;
		memcpy(bad, &h, sizeof(h));
		feed_exactly(w, bad, len);
	}
	for (at = 0; at < len; at++)
		for (value = 0; value < 256; value += 15) {
			memcpy(bad, good, len);
			bad[at] = (uint8_t)value;
			feed_exactly(w, bad, len);
			w->count = 0;
		}
}

static void
broken_messages_do_no_harm(void **state)
{
	struct world *w = *state;
	uint8_t good[512];
	size_t len;

	watch(w);
	len = sample_link(good, w->ifindex);
	feed_broken(w, good, len);
	len = sample_address(good, w->ifindex);
	feed_broken(w, good, len);
	link_unwatch(w->monitor, w->link);
	watch(w);
	w->count = 0;
	nets_run("ip link set t0 up");
	expect(w, "up");
}

static void
lengths_that_lie_change_nothing(void **state)
{
	struct world *w = *state;
	char buf[MNL_NLMSG_HDRLEN + 256];
	struct ifaddrmsg *ifa;
	struct nlmsghdr *h;

	watch(w);
	h = link_bytes(buf, RTM_NEWLINK, w->ifindex, 0);
	mnl_attr_put_u8(h, IFLA_MTU, 7);
	mnl_attr_put(h, IFLA_IFNAME, 4, "abcd");
	mnl_attr_put_strz(h, IFLA_IFNAME, "a-name-that-is-too-long");
	feed_exactly(w, buf, h->nlmsg_len);
	expect_told(w, "");
	sample_address(buf, w->ifindex);
	ifa = mnl_nlmsg_get_payload((struct nlmsghdr *)(void *)buf);
	ifa->ifa_prefixlen = 129;
	feed_exactly(w, buf, sample_address(buf + 0, w->ifindex) - 1);
	expect_told(w, "");
	h = (struct nlmsghdr *)(void *)buf;
	ifa = mnl_nlmsg_get_payload(h);
	ifa->ifa_prefixlen = 129;
	feed_exactly(w, buf, h->nlmsg_len);
	expect_told(w, "");
}

#define LINK_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    LINK_TEST(watching_reads_the_state),
	    LINK_TEST(what_happened_to_a_predecessor_is_past),
	    LINK_TEST(nothing_to_watch_is_an_error),
	    LINK_TEST(changes_are_told_in_order),
	    LINK_TEST(nothing_is_told_without_a_change),
	    LINK_TEST(down_is_not_told_before_the_first_up),
	    LINK_TEST(running_is_kept_apart_from_up),
	    LINK_TEST(one_message_with_many_changes_has_an_order),
	    LINK_TEST(what_is_not_watched_is_heard_of),
	    LINK_TEST(lost_messages_leave_the_difference),
	    LINK_TEST(after_a_loss_it_says_that_it_has_heard),
	    LINK_TEST(a_deletion_is_not_lost),
	    LINK_TEST(a_move_is_not_lost),
	    LINK_TEST(a_move_that_was_lost_is_no_deletion),
	    LINK_TEST(a_link_is_followed_to_another_namespace_and_back),
	    LINK_TEST(netlink_alone_follows_one_move),
	    LINK_TEST(a_rename_on_the_way_is_told),
	    LINK_TEST(deletion_elsewhere_is_told),
	    LINK_TEST(the_end_of_its_namespace_is_told),
	    LINK_TEST(a_second_move_is_followed),
	    LINK_TEST(a_second_move_without_a_descriptor_is_admitted),
	    LINK_TEST(another_device_with_the_old_index_is_not_ours),
	    LINK_TEST(another_device_with_our_index_elsewhere_is_not_ours),
	    LINK_TEST(what_there_is_no_room_for_is_told_later),
	    LINK_TEST(
		that_there_is_room_again_is_seen_with_nothing_left_to_read),
	    LINK_TEST(without_leave_to_listen_it_asks),
	    LINK_TEST(without_leave_to_ask_it_polls_the_tun),
	    LINK_TEST(a_namespace_that_numbers_itself_is_still_home),
	    LINK_TEST(a_number_that_was_lost_is_still_home),
	    LINK_TEST(two_links_are_kept_apart),
	    LINK_TEST(a_link_with_the_old_index_is_unwatched_by_itself),
	    LINK_TEST(unwatched_is_untold),
	    LINK_TEST(the_callback_may_watch_and_unwatch),
	    LINK_TEST(more_addresses_than_fit_do_no_harm),
	    LINK_TEST(only_the_kernel_is_believed),
	    LINK_TEST(a_bridge_port_message_is_no_deletion),
	    LINK_TEST(broken_messages_do_no_harm),
	    LINK_TEST(lengths_that_lie_change_nothing),
	};

	nets_need_root();
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("link", tests, NULL, NULL);
}

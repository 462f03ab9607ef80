#include <sys/socket.h>

#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/reference.h"
#include "tests/rig.h"
#include "worker/ingress.h"
#include "worker/udp_io.h"

/* The packets that the tun is to get, in this order. */
static struct list want;
static uint8_t buf[PACKET_MAX], run[PACKET_MAX];

static int
setup(void **state)
{
	list_clear(&want);
	return rig_setup(state);
}

static int
teardown(void **state)
{
	list_clear(&want);
	return rig_teardown(state);
}

static struct peer *
peer(size_t slot)
{
	return &rig.w.peers.peer[slot];
}

static void
run_all(size_t slot)
{
	while (ingress_run(&rig.w, peer(slot)))
		continue;
}

static struct packet_spec
spec(size_t slot, uint8_t proto, size_t payload)
{
	struct packet_spec s = packet_default(4, proto);

	s.src = RIG_HOST(slot);
	s.payload = payload;
	return s;
}

/* A run of one flow's packets as one message of a receive; its length. */
static size_t
build_run(struct packet_spec s, size_t count, size_t last, uint8_t *out)
{
	size_t len = 0, n, i;

	for (i = 0; i < count; i++) {
		if (i == count - 1)
			s.payload = last;
		n = packet_build(&s, out + len);
		list_add(&want, out + len, n);
		len += n;
		s.seq += (uint32_t)s.payload;
		s.id++;
		s.fill += 7;
	}
	return len;
}

/* What was written comes apart into what was wanted; how many frames. */
static size_t
expect_written(void)
{
	struct list frames = {0}, packets = {0};
	size_t i, count;

	rig_take_frames(&frames);
	for (i = 0; i < frames.count; i++)
		assert_null(ref_split(
		    frames.items[i].data, frames.items[i].len, &packets));
	assert_int_equal(packets.count, want.count);
	for (i = 0; i < want.count; i++)
		if (!item_equal(&want.items[i], &packets.items[i])) {
			list_print("wanted", &want);
			list_print("got", &packets);
			fail_msg("packet %zu differs", i);
		}
	count = frames.count;
	list_clear(&frames);
	list_clear(&packets);
	list_clear(&want);
	return count;
}

static void
a_run_of_datagrams_becomes_one_frame(void **state)
{
	static const uint8_t protos[] = {IPPROTO_TCP, IPPROTO_UDP};
	size_t received = 0, written = 0;

	(void)state;
	for (size_t slot = 0; slot < RIG_SLOTS; slot++)
		for (size_t k = 0; k < 2; k++) {
			struct packet_spec s = spec(slot, protos[k], 1300);
			size_t size = packet_headers(&s) + 1300;
			size_t len = build_run(s, 40, 77, run);

			received += len;
			written += size + 38 * 1300 + 77;
			rig_datagrams(slot, run, len, (uint16_t)size);
			rig_wait(slot);
			run_all(slot);
			assert_int_equal(expect_written(), 1);
			assert_int_equal(
			    peer(slot)->counters->rx_packets, 40 * (k + 1));
		}
	assert_int_equal(rig_counter(COUNTER_RX_GRO_RECEIVES), 8);
	assert_int_equal(rig_counter(COUNTER_RX_RECEIVES), 8);
	assert_int_equal(rig_counter(COUNTER_RX_PACKETS), 320);
	assert_int_equal(rig_counter(COUNTER_RX_BYTES), received);
	assert_int_equal(rig_counter(COUNTER_TUN_WRITE_TSO), 4);
	assert_int_equal(rig_counter(COUNTER_TUN_WRITE_USO), 4);
	assert_int_equal(rig_counter(COUNTER_TUN_WRITE_FRAMES), 8);
	assert_int_equal(rig_counter(COUNTER_TUN_WRITE_BYTES), written);
	assert_int_equal(rig.w.packets, 320); /* for moderation */
	assert_int_equal(rig_drops(), 0);
}

static void
receive(size_t slot, const struct rig_message *m, size_t count)
{
	rig_receive(m, count);
	run_all(slot);
}

static void
a_message_is_cut_at_its_size(void **state)
{
	static const size_t lasts[] = {1, 500, 999, 1000};
	struct packet_spec s = spec(0, IPPROTO_UDP, 1000);
	struct rig_message m = {.data = run, .has_gro = true, .gro = 1028};
	uint64_t packets = 0;

	(void)state;
	for (size_t i = 0; i < 4; i++)
		for (size_t count = 1; count <= 60; count += 13) {
			m.len = build_run(s, count, lasts[i], run);
			receive(0, &m, 1);
			assert_int_equal(expect_written(), 1);
			packets += count;
			assert_int_equal(
			    rig_counter(COUNTER_RX_PACKETS), packets);
		}
	assert_int_equal(rig_drops(), 0);
}

static void
without_a_size_a_message_is_one_datagram(void **state)
{
	struct packet_spec s = spec(0, IPPROTO_TCP, 60000);
	struct rig_message m = {.data = run};

	(void)state;
	m.len = build_run(s, 1, 60000, run);
	receive(0, &m, 1);
	/* a control message of another length says nothing */
	m.has_odd = true;
	m.len = build_run(s, 1, 60000, run);
	receive(0, &m, 1);
	assert_int_equal(expect_written(), 2);
	assert_int_equal(rig_counter(COUNTER_RX_PACKETS), 2);
	assert_int_equal(rig_counter(COUNTER_RX_GRO_RECEIVES), 0);
}

static void
an_absurd_size_is_no_size(void **state)
{
	static const int sizes[] = {
	    0, -1, INT_MIN, INT_MAX, 1029, 65536, 1 << 20};
	struct packet_spec s = spec(0, IPPROTO_UDP, 1000);
	struct rig_message m = {.data = run, .has_gro = true};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		m.len = build_run(s, 1, 1000, run);
		m.gro = sizes[i];
		receive(0, &m, 1);
		assert_int_equal(expect_written(), 1);
	}
	assert_int_equal(rig_counter(COUNTER_RX_PACKETS), i);
	assert_int_equal(rig_counter(COUNTER_RX_GRO_RECEIVES), 0);
	assert_int_equal(rig_drops(), 0);
}

/* Cut where no packet ends, a run is rubbish, whatever the size. */
static void
a_lying_size_harms_its_run_alone(void **state)
{
	struct packet_spec s = spec(0, IPPROTO_UDP, 1000);
	static uint8_t other[PACKET_MAX];
	struct rig_message m[3] = {{.data = run, .has_gro = true, .gro = 1028},
	    {.data = other, .has_gro = true}, {.data = run, .gro = 1028}};

	(void)state;
	for (int size = 1; size < 1028; size += 41) {
		uint64_t dropped = rig_drops(), packets = want.count;

		m[0].len = m[2].len = build_run(s, 50, 1000, run);
		m[2].has_gro = true;
		m[1].len = 1028 * 9;
		memset(other, 0, m[1].len);
		m[1].gro = size;
		for (size_t i = 0; i < 50; i++)
			list_add(&want, want.items[i].data, 1028);
		receive(0, m, 3);
		assert_true(expect_written() >= 2);
		packets = (m[1].len + (size_t)size - 1) / (size_t)size;
		assert_int_equal(rig_drops(), dropped + packets);
	}
}

static void
a_message_that_was_cut_short_is_dropped(void **state)
{
	static const int flags[] = {
	    MSG_TRUNC, MSG_CTRUNC, MSG_TRUNC | MSG_CTRUNC};
	struct packet_spec s = spec(1, IPPROTO_UDP, 500);
	struct rig_message m[3] = {{.data = run}, {.data = run}, {.data = run}};

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		m[0].len = build_run(s, 2, 500, run) / 2;
		m[1].len = m[2].len = m[0].len;
		m[2].data = run + m[0].len;
		m[1].flags = flags[i];
		receive(1, m, 3);
		expect_written();
		assert_int_equal(rig_counter(COUNTER_RX_DROP_TRUNCATED), i + 1);
		assert_int_equal(peer(1)->counters->rx_dropped, i + 1);
	}
	assert_int_equal(rig_drops(), 3);
	assert_int_equal(rig_counter(COUNTER_RX_PACKETS), 6);
}

static void
overflow(size_t slot, bool has, uint32_t total)
{
	struct packet_spec s = spec(slot, IPPROTO_UDP, 100);
	struct rig_message m = {
	    .data = run, .has_overflow = has, .overflow = total};

	m.len = build_run(s, 1, 100, run);
	receive(slot, &m, 1);
}

static void
what_the_kernel_dropped_is_counted_once(void **state)
{
	(void)state;
	overflow(0, false, 0);
	overflow(0, true, 5);
	overflow(0, true, 5);
	overflow(0, false, 0);
	overflow(0, true, 12);
	overflow(1, false, 0);
	overflow(1, true, 3);
	assert_int_equal(rig_counter(COUNTER_RX_SOCKET_OVERFLOW), 15);
	assert_int_equal(peer(0)->counters->rx_overflow, 12);
	assert_int_equal(peer(1)->counters->rx_overflow, 3);
	/* the kernel's count has 32 bits */
	overflow(0, true, 0xfffffff0u);
	overflow(0, true, 4);
	assert_int_equal(
	    peer(0)->counters->rx_overflow, 0xfffffff0u + UINT64_C(20));
	expect_written();
	assert_int_equal(rig_drops(), 0);
}

/* The socket's count goes on when its worker or its peer is another. */
static void
what_was_dropped_before_is_not_this_peers(void **state)
{
	(void)state;
	overflow(0, true, 1000);
	assert_int_equal(rig_counter(COUNTER_RX_SOCKET_OVERFLOW), 0);
	overflow(0, true, 1001);
	assert_int_equal(rig_counter(COUNTER_RX_SOCKET_OVERFLOW), 1);
	peers_begin(&rig.w.peers);
	assert_int_equal(peers_commit(&rig.w.peers), 0);
	peers_begin(&rig.w.peers);
	rig_add_peer(0);
	assert_int_equal(peers_commit(&rig.w.peers), 0);
	overflow(0, true, 1500);
	overflow(0, true, 1502);
	assert_int_equal(rig_counter(COUNTER_RX_SOCKET_OVERFLOW), 3);
	/* a peer that stays over a reload is the same */
	peers_begin(&rig.w.peers);
	rig_add_peer(0);
	assert_int_equal(peers_commit(&rig.w.peers), 0);
	overflow(0, true, 1510);
	assert_int_equal(rig_counter(COUNTER_RX_SOCKET_OVERFLOW), 11);
	expect_written();
}

static void
a_real_overflow_is_seen(void **state)
{
	struct packet_spec s = spec(0, IPPROTO_UDP, 1000);
	int size = 8192;
	size_t len, i;

	(void)state;
	assert_int_equal(
	    setsockopt(peer(0)->fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size)),
	    0);
	for (i = 0; i < 200; i++) {
		len = packet_build(&s, buf);
		rig_datagrams(0, buf, len, 0);
	}
	rig_wait(0);
	run_all(0);
	/* told with the first message that was queued afterwards */
	rig_datagrams(0, buf, len, 0);
	rig_wait(0);
	run_all(0);
	assert_int_equal(rig_counter(COUNTER_RX_PACKETS) +
			     rig_counter(COUNTER_RX_SOCKET_OVERFLOW),
	    201);
	assert_true(rig_counter(COUNTER_RX_SOCKET_OVERFLOW) > 100);
}

/* The kernel counts messages: what is lost is that or more. */
static void
a_real_overflow_of_runs_is_seen(void **state)
{
	struct packet_spec s = spec(0, IPPROTO_UDP, 1000);
	uint64_t lost, messages;
	int size = 200000;
	size_t len = build_run(s, 20, 1000, run), i;

	(void)state;
	assert_int_equal(
	    setsockopt(peer(0)->fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size)),
	    0);
	for (i = 0; i < 100; i++)
		rig_datagrams(0, run, len, (uint16_t)(len / 20));
	rig_wait(0);
	run_all(0);
	/* told with the first message that was queued afterwards */
	rig_datagrams(0, run, len / 20, 0);
	rig_wait(0);
	run_all(0);
	lost = 100 * 20 + 1 - rig_counter(COUNTER_RX_PACKETS);
	messages = rig_counter(COUNTER_RX_SOCKET_OVERFLOW);
	assert_true(messages > 10);
	assert_int_equal(lost, 20 * messages);
}

static void
a_spoofed_source_is_dropped(void **state)
{
	struct packet_spec s = spec(2, IPPROTO_TCP, 700);
	static const uint8_t froms[] = {
	    RIG_HOST(0), RIG_HOST(1), RIG_HOST(RIG_SLOT_IPV6), 1, 255};
	size_t i, len;

	(void)state;
	for (i = 0; i < sizeof(froms); i++) {
		len = build_run(s, 1, 700, buf);
		rig_datagrams(2, buf, len, 0);
		s.src = froms[i];
		s.version = i % 2 == 0 ? 4 : 6;
		s.flags = TCP_ACK;
		len = packet_build(&s, run);
		rig_datagrams(2, run, len, 0);
		s.src = RIG_HOST(2);
		s.version = 4;
		s.seq += 700;
		rig_wait(2);
		run_all(2);
		assert_int_equal(rig_counter(COUNTER_RX_DROP_SOURCE), i + 1);
		assert_int_equal(peer(2)->counters->rx_dropped, i + 1);
	}
	assert_int_equal(rig_drops(), i);
	assert_int_equal(peer(2)->counters->rx_packets, 2 * i);
	expect_written();
}

/* What follows packets of the same headers is taken unparsed, this is not. */
static void
a_spoofed_source_within_a_run_is_dropped(void **state)
{
	struct packet_spec s = spec(0, IPPROTO_TCP, 1000), spoofed;
	size_t size = packet_headers(&s) + 1000, len = 0;

	(void)state;
	for (int i = 0; i < 6; i++) {
		if (i == 3) {
			spoofed = s;
			spoofed.src = RIG_HOST(1);
			len += packet_build(&spoofed, run + len);
			continue;
		}
		len += build_run(s, 1, 1000, run + len);
		s.seq += 1000;
		s.id++;
	}
	rig_datagrams(0, run, len, (uint16_t)size);
	rig_wait(0);
	run_all(0);
	assert_int_equal(rig_counter(COUNTER_RX_DROP_SOURCE), 1);
	assert_int_equal(expect_written(), 1);
	/* the next packet of that flow, but from another peer's socket */
	len = packet_build(&s, run);
	rig_datagrams(1, run, len, 0);
	rig_wait(1);
	run_all(1);
	assert_int_equal(rig_counter(COUNTER_RX_DROP_SOURCE), 2);
	assert_int_equal(peer(1)->counters->rx_dropped, 1);
	assert_int_equal(expect_written(), 0);
}

/* The same address from another family is another address. */
static void
the_source_check_knows_the_version(void **state)
{
	struct packet_spec s = spec(1, IPPROTO_UDP, 10);

	(void)state;
	for (size_t i = 0; i < 6; i++) {
		s.version = i < 3 ? 4 : 6;
		s.id++;
		rig_datagrams(1, buf, build_run(s, 1, 10, buf), 0);
	}
	rig_wait(1);
	run_all(1);
	assert_int_equal(rig_drops(), 0);
	expect_written();
}

struct bad {
	const char *what;
	enum counter counter;
	size_t at;
	uint8_t value;
	size_t len; /* of the datagram, when not 1028 */
};
static const struct bad bad_datagrams[] = {
    {"an empty datagram", COUNTER_RX_DROP_SHORT, 0, 0x45, 0},
    {"one byte", COUNTER_RX_DROP_SHORT, 0, 0x45, 1},
    {"an IPv4 header cut short", COUNTER_RX_DROP_SHORT, 0, 0x45, 19},
    {"an IPv6 header cut short", COUNTER_RX_DROP_SHORT, 0, 0x60, 39},
    {"an IP header of 16 bytes", COUNTER_RX_DROP_SHORT, 0, 0x44, 1028},
    {"version 1, which is another protocol's", COUNTER_RX_DROP_VERSION, 0, 0x14,
	1028},
    {"version 15", COUNTER_RX_DROP_VERSION, 0, 0xf5, 1028},
    {"a total length beyond the datagram", COUNTER_RX_DROP_LENGTH, 2, 0xff,
	1028},
    {"a total length within the header", COUNTER_RX_DROP_LENGTH, 2, 0, 28},
};

static void
a_malformed_datagram_is_counted_and_harms_no_other(void **state)
{
	const size_t count = sizeof(bad_datagrams) / sizeof(bad_datagrams[0]);
	struct packet_spec s = spec(0, IPPROTO_UDP, 1000);

	(void)state;
	for (size_t i = 0; i < count; i++) {
		const struct bad *b = &bad_datagrams[i];
		struct rig_message m[3] = {
		    {.data = run, .has_gro = true, .gro = 1028},
		    {.data = buf, .len = b->len}, {.data = run}};
		uint64_t before = rig_counter(b->counter);

		print_message("# %s\n", b->what);
		packet_build(&s, buf);
		buf[b->at] = b->value;
		if (b->len == 28)
			buf[3] = 19;
		m[0].len = build_run(s, 5, 1000, run);
		m[2].len = 1028;
		list_add(&want, run, 1028);
		receive(0, m, 3);
		expect_written();
		assert_int_equal(rig_counter(b->counter), before + 1);
		assert_int_equal(rig_drops(), i + 1);
		assert_int_equal(peer(0)->counters->rx_dropped, i + 1);
	}
}

/* A transport that is odd is for the kernel to judge: it goes as it came. */
static void
odd_transports_pass_as_they_are(void **state)
{
	struct packet_spec s = spec(0, IPPROTO_TCP, 500);

	(void)state;
	s.sums = SUM_BAD_L4;
	rig_datagrams(0, buf, build_run(s, 1, 500, buf), 0);
	s.sums = 0;
	s.frag = 0x2000;
	rig_datagrams(0, buf, build_run(s, 1, 500, buf), 0);
	s.frag = 0;
	s.proto = IPPROTO_SCTP;
	rig_datagrams(0, buf, build_run(s, 1, 500, buf), 0);
	s.proto = IPPROTO_TCP;
	s.flags = TCP_SYN;
	rig_datagrams(0, buf, build_run(s, 1, 0, buf), 0);
	rig_wait(0);
	run_all(0);
	assert_int_equal(expect_written(), 4);
	assert_int_equal(rig_drops(), 0);
}

static void
a_socket_without_a_peer_is_drained(void **state)
{
	struct packet_spec s = spec(1, IPPROTO_UDP, 1000);
	size_t len = build_run(s, 20, 1000, run), i;

	(void)state;
	list_clear(&want);
	peers_begin(&rig.w.peers);
	rig_add_peer(0);
	assert_int_equal(peers_commit(&rig.w.peers), 0);
	for (i = 0; i < 5; i++)
		rig_datagrams(1, run, len, 1028);
	rig_datagrams(1, run, 0, 0);
	rig_wait(1);
	assert_false(ingress_run(&rig.w, peer(1)));
	assert_int_equal(rig_counter(COUNTER_RX_DROP_NO_PEER), 101);
	assert_int_equal(rig_drops(), 101);
	assert_int_equal(expect_written(), 0);
	assert_int_equal(recv(peer(1)->fd, buf, 1, 0), -1);
	assert_int_equal(errno, EAGAIN);
}

/* Else what waits would be the next peer's. */
static void
an_error_does_not_end_the_draining(void **state)
{
	struct packet_spec s = spec(1, IPPROTO_UDP, 1000);
	size_t len = build_run(s, 1, 1000, run);

	(void)state;
	list_clear(&want);
	for (size_t i = 0; i < 200; i++)
		rig_datagrams(1, run, len, 0);
	rig_fail((struct rig_fault){.call = RIG_RECVMMSG,
	    .fd = peer(1)->fd,
	    .error = ECONNREFUSED,
	    .skip = 1,
	    .count = 1});
	rig_wait(1);
	ingress_drain(&rig.w, peer(1));
	assert_true(rig_faults_done());
	assert_int_equal(rig_counter(COUNTER_RX_DROP_NO_PEER), 200);
	assert_int_equal(rig_counter(COUNTER_RX_SOCKET_ERRORS), 1);
}

/* As socket-buffer allows; the rest would be the next peer's. */
static void
however_many_wait_all_are_drained(void **state)
{
	const size_t count = 70000;
	int size = 128 << 20;

	(void)state;
	if (setsockopt(peer(1)->fd, SOL_SOCKET, SO_RCVBUFFORCE, &size,
		sizeof(size)) == -1)
		skip();
	for (size_t i = 0; i < count; i++)
		rig_datagrams(1, "", 1, 0);
	rig_wait(1);
	ingress_drain(&rig.w, peer(1));
	assert_int_equal(rig_counter(COUNTER_RX_DROP_NO_PEER), count);
	assert_int_equal(recv(peer(1)->fd, buf, 1, 0), -1);
	assert_int_equal(errno, EAGAIN);
}

static void
an_error_on_the_socket_is_counted_and_passed_over(void **state)
{
	static const int errors[] = {ECONNREFUSED, EHOSTUNREACH, EINTR};
	struct packet_spec s = spec(0, IPPROTO_UDP, 1000);

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		rig_fail((struct rig_fault){.call = RIG_RECVMMSG,
		    .fd = peer(0)->fd,
		    .error = errors[i],
		    .count = 1});
		rig_datagrams(0, run, build_run(s, 1, 1000, run), 0);
		rig_wait(0);
		run_all(0);
		assert_true(rig_faults_done());
		assert_int_equal(expect_written(), 1);
	}
	/* an interrupted call is no error */
	assert_int_equal(rig_counter(COUNTER_RX_SOCKET_ERRORS), 2);
	assert_int_equal(peer(0)->counters->socket_errors, 2);
	assert_int_equal(peer(1)->counters->socket_errors, 0);
	/* one that stays does not keep us */
	rig_fail((struct rig_fault){.call = RIG_RECVMMSG,
	    .fd = peer(0)->fd,
	    .error = EBADF,
	    .count = 1000});
	assert_false(ingress_run(&rig.w, peer(0)));
	rig_faults_done();
}

static void
without_the_offloads_nothing_is_merged(void **state)
{
	static const struct {
		uint8_t proto;
		enum offload offload;
	} kinds[] = {
	    {IPPROTO_TCP, OFFLOAD_TSO_RX}, {IPPROTO_UDP, OFFLOAD_USO_RX}};

	(void)state;
	for (size_t off = 0; off < 2; off++) {
		rig.w.offloads = OFFLOAD_ALL & ~OFFLOAD_BIT(kinds[off].offload);
		for (size_t k = 0; k < 2; k++) {
			struct packet_spec s = spec(0, kinds[k].proto, 1000);
			size_t size = packet_headers(&s) + 1000;

			rig_datagrams(0, run, build_run(s, 20, 1000, run),
			    (uint16_t)size);
			rig_wait(0);
			run_all(0);
			assert_int_equal(expect_written(), k == off ? 20 : 1);
		}
	}
	assert_int_equal(rig_counter(COUNTER_TUN_WRITE_TSO), 1);
	assert_int_equal(rig_counter(COUNTER_TUN_WRITE_USO), 1);
}

static void
without_a_header_packets_are_written_bare(void **state)
{
	struct packet_spec s = spec(0, IPPROTO_UDP, 1000);
	struct list frames = {0};

	(void)state;
	rig.w.vnet_hdr = false;
	rig.w.offloads = OFFLOAD_BIT(OFFLOAD_UDP_GRO);
	for (size_t i = 0; i < 2; i++)
		rig_datagrams(0, run, build_run(s, 10, 900, run), 1028);
	rig_datagrams(0, run, build_run(s, 1, 900, run), 0);
	rig_wait(0);
	/* one message a batch */
	assert_true(ingress_run(&rig.w, peer(0)));
	assert_int_equal(rig_receive_max, 1);
	run_all(0);
	rig_take_frames(&frames);
	assert_int_equal(frames.count, 21);
	for (size_t i = 0; i < 21; i++)
		assert_true(item_equal(&frames.items[i], &want.items[i]));
	list_clear(&frames);
}

static void
a_burst_may_be_longer_than_a_batch(void **state)
{
	struct packet_spec s = spec(0, IPPROTO_UDP, 10);
	struct rig_message m[4] = {
	    {.data = run, .has_gro = true, .gro = 38},
	};

	(void)state;
	/* one message of more datagrams than a batch holds */
	m[0].len = build_run(s, 1000, 3, run);
	receive(0, m, 1);
	assert_true(expect_written() >= 1000 / 64);
	/* and single datagrams of many flows */
	for (size_t i = 0; i < 300; i++) {
		s.sport = (uint16_t)(1000 + i % 7);
		s.fill = (uint32_t)i;
		s.id = (uint16_t)(i / 7);
		rig_datagrams(0, buf, build_run(s, 1, 10, buf), 0);
	}
	rig_wait(0);
	run_all(0);
	{
		struct list frames = {0}, packets = {0};

		/* in order by flow; the flows take turns */
		rig_take_frames(&frames);
		for (size_t i = 0; i < frames.count; i++)
			assert_null(ref_split(frames.items[i].data,
			    frames.items[i].len, &packets));
		assert_int_equal(packets.count, 300);
		for (uint16_t port = 1000; port < 1007; port++) {
			size_t a = 0, b = 0, n = 0;

			for (; a < 300; a++) {
				if (get16(want.items[a].data + 20) != port)
					continue;
				while (
				    get16(packets.items[b].data + 20) != port)
					b++;
				assert_true(item_equal(
				    &want.items[a], &packets.items[b++]));
				n++;
			}
			assert_true(n >= 42);
		}
		list_clear(&frames);
		list_clear(&packets);
	}
	assert_int_equal(rig_drops(), 0);
	assert_int_equal(rig_counter(COUNTER_RX_PACKETS), 1300);
}

/* Each is one frame: one that does not fit whole begins a new batch. */
static void
runs_that_do_not_fit_one_batch_all_arrive(void **state)
{
	static uint8_t runs[5][PACKET_MAX];
	struct packet_spec s = spec(0, IPPROTO_TCP, 1000);
	struct rig_message m[5];

	(void)state;
	/* one receive takes them all, as behind a single datagram */
	m[0] = (struct rig_message){
	    .data = run, .len = build_run(s, 1, 1000, run)};
	receive(0, m, 1);
	assert_int_equal(expect_written(), 1);
	for (size_t i = 0; i < 5; i++) {
		s.sport = (uint16_t)(2000 + i);
		m[i] = (struct rig_message){.data = runs[i],
		    .len = build_run(s, 60, 1000, runs[i]),
		    .has_gro = true,
		    .gro = 1040};
	}
	receive(0, m, 5);
	assert_int_equal(expect_written(), 5);
}

static void
buffers_are_used_again(void **state)
{
	struct packet_spec s = spec(0, IPPROTO_TCP, 1400);

	(void)state;
	for (uint32_t i = 0; i < 200; i++) {
		s.fill = i * 1000;
		s.sport = (uint16_t)(3000 + i);
		s.payload = 1 + i * 7 % 1400;
		for (size_t k = 0; k <= i % 5; k++)
			rig_datagrams(0, run,
			    build_run(s, 1 + i % 40, 1 + i % s.payload, run),
			    (uint16_t)(40 + s.payload));
		rig_wait(0);
		run_all(0);
		expect_written();
	}
	assert_int_equal(rig_drops(), 0);
}

/*
 * Single datagrams: many to a receive; runs, of many packets or of many bytes:
 * as many as a cache holds.
 */
static void
the_depth_follows_what_comes(void **state)
{
	static const struct {
		size_t count, payload, depth_max;
	} kinds[] = {{1, 1000, UDP_RX_MESSAGES}, {50, 100, UDP_RX_MESSAGES / 4},
	    {1, 1000, UDP_RX_MESSAGES}, {3, 8000, UDP_RX_MESSAGES / 4},
	    {2, 1000, UDP_RX_MESSAGES}};
	struct packet_spec s = spec(0, IPPROTO_UDP, 0);
	struct rig_message m = {.data = run, .has_gro = true};

	(void)state;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		s.payload = kinds[i].payload;
		m.len = build_run(s, kinds[i].count, s.payload, run);
		m.gro = (int)(packet_headers(&s) + s.payload);
		receive(0, &m, 1);
		run_all(0);
		assert_in_range(rig_receive_max, 1, kinds[i].depth_max);
		if (kinds[i].depth_max == UDP_RX_MESSAGES)
			assert_int_equal(rig_receive_max, UDP_RX_MESSAGES);
		expect_written();
	}
}

/* Who comes in turn with another is received as if alone. */
static void
the_depth_is_that_of_the_peer(void **state)
{
	struct packet_spec s[2] = {
	    spec(0, IPPROTO_UDP, 1000), spec(1, IPPROTO_UDP, 1000)};
	struct rig_message m = {.data = run};
	size_t depth[2];

	(void)state;
	for (int turn = 0; turn < 3; turn++)
		for (size_t slot = 0; slot < 2; slot++) {
			m.len =
			    build_run(s[slot], slot == 0 ? 50 : 1, 1000, run);
			m.has_gro = slot == 0;
			m.gro = 1028;
			rig_receive(&m, 1);
			run_all(slot);
			depth[slot] = rig_receive_max;
			expect_written();
		}
	assert_int_equal(depth[1], UDP_RX_MESSAGES);
	assert_in_range(depth[0], 1, UDP_RX_MESSAGES / 4);
}

static void
a_full_receive_says_that_there_may_be_more(void **state)
{
	struct packet_spec s = spec(0, IPPROTO_UDP, 100);
	struct rig_message m[UDP_RX_MESSAGES + 1];

	(void)state;
	for (size_t i = 0; i < UDP_RX_MESSAGES + 1; i++)
		m[i] = (struct rig_message){.data = run, .len = 128};
	build_run(s, 1, 100, run);
	rig_receive(m, 1);
	run_all(0);
	rig_receive(m, UDP_RX_MESSAGES + 1);
	assert_true(ingress_run(&rig.w, peer(0)));
	assert_false(ingress_run(&rig.w, peer(0)));
	assert_int_equal(rig_counter(COUNTER_RX_PACKETS), UDP_RX_MESSAGES + 2);
}

static void
fail_write(
    enum rig_match match, int error, unsigned int skip, unsigned int count)
{
	rig_fail((struct rig_fault){.call = RIG_WRITEV,
	    .match = match,
	    .fd = rig.w.tun,
	    .error = error,
	    .skip = skip,
	    .count = count});
}

static void
send_run(uint8_t proto, uint16_t port, size_t count)
{
	struct packet_spec s = spec(0, proto, 1000);

	s.sport = port;
	rig_datagrams(0, run, build_run(s, count, 600, run),
	    (uint16_t)(packet_headers(&s) + 1000));
	rig_wait(0);
}

static void
a_refused_merge_goes_singly_and_is_switched_off(void **state)
{
	static const struct {
		uint8_t proto, other;
		enum rig_match match;
		enum offload offload;
		enum counter fallback;
	} kinds[] = {{IPPROTO_TCP, IPPROTO_UDP, RIG_MERGED_TCP, OFFLOAD_TSO_RX,
			 COUNTER_FALLBACK_TUN_TSO},
	    {IPPROTO_UDP, IPPROTO_TCP, RIG_MERGED_UDP, OFFLOAD_USO_RX,
		COUNTER_FALLBACK_TUN_USO}};

	for (size_t k = 0; k < 2; k++) {
		assert_int_equal(teardown(state), 0);
		assert_int_equal(setup(state), 0);
		fail_write(kinds[k].match, EINVAL, 0, 1);
		send_run(kinds[k].proto, 1000, 30);
		run_all(0);
		assert_true(rig_faults_done());
		assert_int_equal(expect_written(), 30);
		assert_int_equal(rig_counter(kinds[k].fallback), 1);
		assert_int_equal(rig_off_count, 1);
		assert_int_equal(rig_offs[0].offload, kinds[k].offload);
		assert_int_equal(rig_offs[0].error, EINVAL);
		assert_int_equal(rig_offs[0].slot, -1);
		assert_int_equal(rig.w.offloads,
		    OFFLOAD_ALL & ~OFFLOAD_BIT(kinds[k].offload));
		/* from now on singly at once; the other kind merges on */
		send_run(kinds[k].proto, 1000, 30);
		run_all(0);
		assert_int_equal(expect_written(), 30);
		send_run(kinds[k].other, 1000, 30);
		run_all(0);
		assert_int_equal(expect_written(), 1);
		assert_int_equal(rig_off_count, 1);
		assert_int_equal(rig_counter(kinds[k].fallback), 1);
		assert_int_equal(rig_drops(), 0);
	}
}

static void
a_burst_with_many_refusals_is_told_once(void **state)
{
	(void)state;
	fail_write(RIG_MERGED_TCP, EINVAL, 1, 100);
	for (uint16_t i = 0; i < 4; i++)
		send_run(IPPROTO_TCP, (uint16_t)(1000 + i), 25);
	run_all(0);
	assert_false(rig_faults_done());
	assert_int_equal(expect_written(), 1 + 3 * 25);
	assert_int_equal(rig_counter(COUNTER_FALLBACK_TUN_TSO), 3);
	assert_int_equal(rig_counter(COUNTER_TUN_WRITE_TSO), 1);
	assert_int_equal(rig_off_count, 1);
	assert_int_equal(rig_drops(), 0);
}

static void
a_refused_single_packet_is_a_drop(void **state)
{
	(void)state;
	fail_write(RIG_ANY, EINVAL, 0, 1);
	send_run(IPPROTO_TCP, 1000, 1);
	run_all(0);
	assert_true(rig_faults_done());
	assert_int_equal(rig_counter(COUNTER_RX_DROP_TUN_REFUSED), 1);
	assert_int_equal(rig_drops(), 1);
	assert_int_equal(peer(0)->counters->rx_dropped, 1);
	assert_int_equal(rig_off_count, 0);
	list_clear(&want);
	assert_int_equal(expect_written(), 0);
	/* also within a merge that was refused */
	fail_write(RIG_MERGED_TCP, EINVAL, 0, 1);
	fail_write(RIG_ANY, EINVAL, 3, 2);
	send_run(IPPROTO_TCP, 1000, 10);
	run_all(0);
	assert_true(rig_faults_done());
	assert_int_equal(rig_counter(COUNTER_RX_DROP_TUN_REFUSED), 3);
	assert_int_equal(rig_drops(), 3);
	assert_int_equal(peer(0)->counters->rx_dropped, 3);
	list_clear(&want);
}

static void
an_error_is_a_drop_under_its_reason(void **state)
{
	static const struct {
		int error;
		enum counter counter;
	} errors[] = {{EIO, COUNTER_RX_DROP_DOWN},
	    {EAGAIN, COUNTER_RX_DROP_TUN_FULL},
	    {ENOBUFS, COUNTER_RX_DROP_TUN_FULL},
	    {ENOMEM, COUNTER_RX_DROP_TUN_FULL},
	    {EFAULT, COUNTER_RX_DROP_TUN_ERROR},
	    {EMSGSIZE, COUNTER_RX_DROP_TUN_ERROR}};
	uint64_t lost = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		uint64_t before = rig_counter(errors[i].counter);

		/* the merged one is lost whole, its neighbours are not */
		fail_write(RIG_MERGED_UDP, errors[i].error, 0, 1);
		send_run(IPPROTO_UDP, 1000, 20);
		list_clear(&want);
		send_run(IPPROTO_TCP, 1000, 20);
		run_all(0);
		assert_true(rig_faults_done());
		assert_int_equal(expect_written(), 1);
		lost += 20;
		assert_int_equal(rig_counter(errors[i].counter), before + 20);
		assert_int_equal(rig_drops(), lost);
		assert_int_equal(peer(0)->counters->rx_dropped, lost);
	}
	assert_int_equal(rig_off_count, 0);
	assert_int_equal(rig_counter(COUNTER_TUN_WRITE_USO), 0);
	assert_int_equal(rig_counter(COUNTER_TUN_WRITE_TSO), 6);
	assert_int_equal(rig_counter(COUNTER_FALLBACK_TUN_USO), 0);
}

/* A real queue that nobody reads. */
static void
a_full_tun_costs_packets_and_no_time(void **state)
{
	uint64_t sent = 0;
	size_t written;

	(void)state;
	while (rig_drops() == 0 && sent < 100000) {
		send_run(IPPROTO_TCP, 1000, 40);
		run_all(0);
		sent += 40;
	}
	assert_int_equal(rig_counter(COUNTER_RX_DROP_TUN_FULL), 40);
	list_clear(&want);
	written = 0;
	{
		struct list frames = {0};

		rig_take_frames(&frames);
		written = frames.count;
		list_clear(&frames);
	}
	assert_int_equal(written * 40 + rig_drops(), sent);
	send_run(IPPROTO_TCP, 1000, 40);
	run_all(0);
	assert_int_equal(expect_written(), 1);
}

static void
an_interrupted_write_is_written_again(void **state)
{
	(void)state;
	fail_write(RIG_ANY, EINTR, 0, 3);
	send_run(IPPROTO_TCP, 1000, 10);
	run_all(0);
	assert_true(rig_faults_done());
	assert_int_equal(expect_written(), 1);
	assert_int_equal(rig_drops(), 0);
}

static void
a_deleted_device_is_told(void **state)
{
	jmp_buf gone;

	(void)state;
	fail_write(RIG_ANY, EBADFD, 0, 1);
	send_run(IPPROTO_TCP, 1000, 1);
	rig_gone = &gone;
	if (setjmp(gone) == 0) {
		run_all(0);
		fail_msg("the loss of the device was not noticed");
	}
	assert_true(rig_faults_done());
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(a_run_of_datagrams_becomes_one_frame),
	    TEST(a_message_is_cut_at_its_size),
	    TEST(without_a_size_a_message_is_one_datagram),
	    TEST(an_absurd_size_is_no_size),
	    TEST(a_lying_size_harms_its_run_alone),
	    TEST(a_message_that_was_cut_short_is_dropped),
	    TEST(what_the_kernel_dropped_is_counted_once),
	    TEST(what_was_dropped_before_is_not_this_peers),
	    TEST(a_real_overflow_is_seen),
	    TEST(a_real_overflow_of_runs_is_seen),
	    TEST(a_spoofed_source_is_dropped),
	    TEST(a_spoofed_source_within_a_run_is_dropped),
	    TEST(the_source_check_knows_the_version),
	    TEST(a_malformed_datagram_is_counted_and_harms_no_other),
	    TEST(odd_transports_pass_as_they_are),
	    TEST(a_socket_without_a_peer_is_drained),
	    TEST(an_error_does_not_end_the_draining),
	    TEST(however_many_wait_all_are_drained),
	    TEST(an_error_on_the_socket_is_counted_and_passed_over),
	    TEST(without_the_offloads_nothing_is_merged),
	    TEST(without_a_header_packets_are_written_bare),
	    TEST(a_burst_may_be_longer_than_a_batch),
	    TEST(runs_that_do_not_fit_one_batch_all_arrive),
	    TEST(buffers_are_used_again),
	    TEST(the_depth_follows_what_comes),
	    TEST(the_depth_is_that_of_the_peer),
	    TEST(a_full_receive_says_that_there_may_be_more),
	    TEST(a_refused_merge_goes_singly_and_is_switched_off),
	    TEST(a_burst_with_many_refusals_is_told_once),
	    TEST(a_refused_single_packet_is_a_drop),
	    TEST(an_error_is_a_drop_under_its_reason),
	    TEST(a_full_tun_costs_packets_and_no_time),
	    TEST(an_interrupted_write_is_written_again),
	    TEST(a_deleted_device_is_told),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("ingress", tests, NULL, NULL);
}

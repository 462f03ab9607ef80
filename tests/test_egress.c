#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/nets.h"
#include "tests/reference.h"
#include "tests/rig.h"
#include "worker/egress.h"
#include "worker/udp_io.h"

#define EGRESS_FRAMES 256 /* small ones */
#define EGRESS_LARGEST 16
#define EGRESS_PACKETS_MAX 2048
#define RUN_MAX 64
#define SEND_MAX_IPV4 65493
#define SEND_MAX_IPV6 65473

/* By slot: the packets that its peer is to get, in this order. */
static struct list want[RIG_SLOTS];
static struct rig_write sends[RIG_WRITES_MAX];
static uint8_t buf[VNET_LEN + PACKET_MAX];

static int
setup(void **state)
{
	for (size_t i = 0; i < RIG_SLOTS; i++)
		list_clear(&want[i]);
	return rig_setup(state);
}

static int
teardown(void **state)
{
	for (size_t i = 0; i < RIG_SLOTS; i++)
		list_clear(&want[i]);
	return rig_teardown(state);
}

/* A frame for the peer in a slot; gso_size 0: a single packet. */
static void
push(size_t slot, struct packet_spec s, uint16_t gso_size)
{
	struct vnet_spec v;
	size_t len;

	s.dst = RIG_HOST(slot);
	s.sums = SUM_PARTIAL;
	v = vnet_for(&s, gso_size);
	len = frame_build(&v, &s, buf);
	assert_null(ref_split(buf, len, &want[slot]));
	if (rig.w.vnet_hdr)
		rig_frame(buf, len);
	else
		rig_frame(buf + VNET_LEN, len - VNET_LEN);
}

/* A UDP packet of so many bytes with its headers. */
static void
push_packet(size_t slot, size_t bytes)
{
	struct packet_spec s = packet_default(4, IPPROTO_UDP);
	static uint32_t fill;

	s.payload = bytes - packet_headers(&s);
	s.fill = fill++;
	push(slot, s, 0);
}

static void
run_all(void)
{
	while (egress_run(&rig.w) != EGRESS_EMPTY)
		continue;
}

static void
expect_lists_equal(const struct list *a, const struct list *b)
{
	assert_int_equal(a->count, b->count);
	for (size_t i = 0; i < a->count; i++)
		if (!item_equal(&a->items[i], &b->items[i])) {
			list_print("wanted", a);
			list_print("got", b);
			fail_msg("packet %zu differs", i);
		}
}

/* Every peer has what it was to get, and the counters say so. */
static void
expect_delivered(void)
{
	uint64_t packets = 0, bytes = 0;

	for (size_t slot = 0; slot < RIG_SLOTS; slot++) {
		const struct peer_counters *pc =
		    rig.w.peers.peer[slot].counters;
		struct list got = {0};
		uint64_t slot_bytes = 0;

		rig_take(slot, &got, want[slot].count);
		expect_lists_equal(&want[slot], &got);
		for (size_t i = 0; i < got.count; i++)
			slot_bytes += got.items[i].len;
		assert_int_equal(pc->tx_packets, got.count);
		assert_int_equal(pc->tx_bytes, slot_bytes);
		packets += got.count;
		bytes += slot_bytes;
		list_clear(&got);
	}
	assert_int_equal(rig_counter(COUNTER_TX_PACKETS), packets);
	assert_int_equal(rig_counter(COUNTER_TX_BYTES), bytes);
}

struct send {
	size_t bytes;
	int segment;
};

/* The writes to a peer that were done. */
static void
expect_sends(size_t slot, const struct send *list, size_t count)
{
	size_t n = rig_sends(slot, sends, RIG_WRITES_MAX);

	assert_int_equal(n, count);
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(sends[i].error, 0);
		assert_int_equal(sends[i].bytes, list[i].bytes);
		if (list[i].segment != 0)
			assert_int_equal(sends[i].segment, list[i].segment);
	}
}
#define EXPECT_SENDS(slot, ...)                                \
	expect_sends(slot, (const struct send[]){__VA_ARGS__}, \
	    sizeof((const struct send[]){__VA_ARGS__}) / sizeof(struct send))

static void
a_superpacket_becomes_one_send(void **state)
{
	static const struct {
		uint8_t version, proto;
	} kinds[] = {{4, IPPROTO_TCP}, {6, IPPROTO_TCP}, {4, IPPROTO_UDP},
	    {6, IPPROTO_UDP}};
	size_t bytes = 0;

	(void)state;
	for (size_t slot = 0; slot < RIG_SLOTS; slot++)
		for (size_t k = 0; k < 4; k++) {
			struct packet_spec s =
			    packet_default(kinds[k].version, kinds[k].proto);
			size_t headers = packet_headers(&s);

			s.payload = 40 * 1400 + 77;
			bytes += headers + s.payload;
			push(slot, s, 1400);
			run_all();
			EXPECT_SENDS(slot,
			    {41 * headers + s.payload, (int)headers + 1400});
			rig_write_count = 0;
		}
	assert_int_equal(rig_counter(COUNTER_TX_GSO_SENDS), 16);
	assert_int_equal(rig_counter(COUNTER_TX_SENDS), 16);
	assert_int_equal(rig_counter(COUNTER_TUN_READ_FRAMES), 16);
	assert_int_equal(rig_counter(COUNTER_TUN_READ_BYTES), bytes);
	assert_int_equal(rig_counter(COUNTER_TUN_READ_TSO), 8);
	assert_int_equal(rig_counter(COUNTER_TUN_READ_USO), 8);
	expect_delivered();
	assert_int_equal(rig_drops(), 0);
}

/* 45 packets of 1,450 bytes, and one that brings the sum to the number. */
static void
push_sum(size_t slot, size_t sum)
{
	struct packet_spec s = packet_default(4, IPPROTO_UDP);
	size_t size = 1450 - packet_headers(&s);

	s.payload = 45 * size + (sum - 45 * 1450) - packet_headers(&s);
	push(slot, s, (uint16_t)size);
	run_all();
}

static void
a_send_stays_one_superpacket_for_the_kernel(void **state)
{
	(void)state;
	push_sum(0, SEND_MAX_IPV4);
	EXPECT_SENDS(0, {SEND_MAX_IPV4, 1450});
	push_sum(1, SEND_MAX_IPV4 + 1);
	EXPECT_SENDS(1, {45 * 1450, 1450}, {SEND_MAX_IPV4 + 1 - 45 * 1450, 0});
	push_sum(RIG_SLOT_IPV6, SEND_MAX_IPV6);
	EXPECT_SENDS(RIG_SLOT_IPV6, {SEND_MAX_IPV6, 1450});
	rig_write_count = 0;
	push_sum(RIG_SLOT_IPV6, SEND_MAX_IPV6 + 1);
	EXPECT_SENDS(RIG_SLOT_IPV6, {45 * 1450, 1450},
	    {SEND_MAX_IPV6 + 1 - 45 * 1450, 0});
	expect_delivered();
}

static void
a_run_goes_on_across_frames(void **state)
{
	struct packet_spec s = packet_default(4, IPPROTO_UDP);

	(void)state;
	s.payload = 5 * 1000;
	push(0, s, 1000);
	s.payload = 1000;
	push(0, s, 0);
	s.payload = 3 * 1000 + 1;
	push(0, s, 1000);
	run_all();
	EXPECT_SENDS(0, {9 * 1028 + 29, 1028});
	assert_int_equal(rig_writes[0].iovcnt, 10 + 9);
	expect_delivered();
}

static void
a_smaller_packet_ends_a_run(void **state)
{
	(void)state;
	push_packet(0, 900);
	push_packet(0, 900);
	push_packet(0, 899);
	push_packet(0, 899);
	run_all();
	EXPECT_SENDS(0, {2699, 900}, {899, 0});
	expect_delivered();
}

static void
a_larger_packet_opens_a_run(void **state)
{
	(void)state;
	push_packet(0, 500);
	push_packet(0, 500);
	push_packet(0, 900);
	push_packet(0, 900);
	push_packet(0, 500);
	push_packet(0, 1200);
	run_all();
	EXPECT_SENDS(0, {1000, 500}, {2300, 900}, {1200, 0});
	expect_delivered();
}

/* What is set for a run does not cut a larger packet that comes after it. */
static void
a_single_packet_is_never_cut(void **state)
{
	(void)state;
	push_packet(0, 500);
	push_packet(0, 500);
	run_all();
	push_packet(0, 1400);
	run_all();
	push_packet(0, 300);
	run_all();
	push_packet(0, 500);
	push_packet(0, 500);
	run_all();
	EXPECT_SENDS(0, {1000, 500}, {1400, 0}, {300, 0}, {1000, 500});
	assert_int_equal(sends[1].segment, 0);
	expect_delivered();
}

static void
peers_take_turns_and_each_keeps_its_order(void **state)
{
	(void)state;
	for (size_t i = 0; i < 4 * RIG_SLOTS; i++)
		push_packet(i % RIG_SLOTS, 700);
	assert_int_equal(egress_run(&rig.w), EGRESS_EMPTY);
	assert_int_equal(rig_write_count, RIG_SLOTS);
	for (size_t slot = 0; slot < RIG_SLOTS; slot++)
		EXPECT_SENDS(slot, {4 * 700, 700});
	expect_delivered();
}

static void
mixed_sizes_of_many_peers_keep_their_order(void **state)
{
	static const size_t sizes[] = {900, 901, 300, 1400, 1400, 28 + 1, 900};
	size_t i;

	(void)state;
	for (i = 0; i < 300; i++)
		push_packet(i * 7 / 3 % RIG_SLOTS,
		    sizes[(i * i + i / 5) % (sizeof(sizes) / sizeof(size_t))]);
	run_all();
	for (size_t slot = 0; slot < RIG_SLOTS; slot++)
		assert_true(want[slot].count > 50);
	expect_delivered();
	assert_int_equal(rig_drops(), 0);
}

static void
a_send_has_at_most_64_packets(void **state)
{
	struct packet_spec s = packet_default(4, IPPROTO_UDP);

	(void)state;
	s.payload = 100 * 90 + 5;
	push(0, s, 90);
	run_all();
	EXPECT_SENDS(
	    0, {RUN_MAX * 118, 118}, {(100 - RUN_MAX) * 118 + 33, 118});
	expect_delivered();
}

static void
more_packets_than_a_batch_holds_all_arrive(void **state)
{
	struct packet_spec tcp = packet_default(6, IPPROTO_TCP);
	struct packet_spec udp = packet_default(4, IPPROTO_UDP);
	size_t i, n;

	(void)state;
	tcp.payload = 3000;
	tcp.tcp_options = 12;
	tcp.flags = TCP_ACK | TCP_PSH | TCP_CWR;
	udp.payload = 700;
	push_packet(0, 200);
	push(0, tcp, 2); /* 1,500 packets */
	push(1, udp, 1); /* 700 */
	push_packet(0, 200);
	run_all();
	assert_int_equal(want[0].count, 1502);
	assert_int_equal(want[1].count, 700);
	n = rig_sends(0, sends, RIG_WRITES_MAX);
	for (i = 0; i < n; i++)
		assert_true(sends[i].bytes <= (size_t)RUN_MAX * 200);
	expect_delivered();
	assert_int_equal(rig_drops(), 0);
}

static void
a_batch_is_as_many_small_frames_as_it_holds(void **state)
{
	(void)state;
	for (size_t i = 0; i < EGRESS_FRAMES + 1; i++)
		push_packet(i % RIG_SLOTS, i % 2 == 0 ? 100 : 101);
	assert_int_equal(egress_run(&rig.w), EGRESS_MORE);
	assert_int_equal(rig_counter(COUNTER_TUN_READ_FRAMES), EGRESS_FRAMES);
	EXPECT_SENDS(0, {64 * 100, 100});
	EXPECT_SENDS(1, {64 * 101, 101});
	assert_int_equal(egress_run(&rig.w), EGRESS_EMPTY);
	EXPECT_SENDS(0, {64 * 100, 100}, {100, 0});
	assert_int_equal(egress_run(&rig.w), EGRESS_EMPTY);
	expect_delivered();
}

/* Nor is one truncated that comes behind small ones. */
static void
a_batch_is_sixteen_of_the_largest_frames(void **state)
{
	struct packet_spec s = packet_default(4, IPPROTO_TCP);

	(void)state;
	s.payload = 65535 - 40;
	for (size_t i = 0; i < EGRESS_LARGEST + 1; i++)
		push(i % RIG_SLOTS, s, 1400);
	assert_int_equal(egress_run(&rig.w), EGRESS_FULL);
	assert_int_equal(rig_counter(COUNTER_TUN_READ_FRAMES), EGRESS_LARGEST);
	run_all();
	for (size_t i = 0; i < EGRESS_LARGEST + 1; i++) {
		push_packet(i % RIG_SLOTS, 28 + i);
		push(i % RIG_SLOTS, s, 1400);
	}
	assert_int_equal(egress_run(&rig.w), EGRESS_FULL);
	run_all();
	expect_delivered();
	assert_int_equal(rig_drops(), 0);
}

/* 3,000 packets of a byte, from one read. */
static void
push_tiny_segments(void)
{
	struct packet_spec s = packet_default(4, IPPROTO_TCP);

	s.payload = 3000;
	push(0, s, 1);
}

static void
a_turn_ends_within_a_superpacket(void **state)
{
	(void)state;
	push_tiny_segments();
	push_packet(1, 500);
	assert_int_equal(egress_run(&rig.w), EGRESS_MORE);
	assert_int_equal(rig_counter(COUNTER_TX_PACKETS), EGRESS_PACKETS_MAX);
	assert_int_equal(egress_run(&rig.w), EGRESS_MORE);
	assert_int_equal(rig_counter(COUNTER_TX_PACKETS), 3000);
	assert_int_equal(rig_counter(COUNTER_TUN_READ_FRAMES), 1);
	assert_int_equal(egress_run(&rig.w), EGRESS_EMPTY);
	expect_delivered();
	assert_int_equal(rig_drops(), 0);
}

static void
what_is_left_of_it_goes_to_no_former_peer(void **state)
{
	(void)state;
	push_tiny_segments();
	assert_int_equal(egress_run(&rig.w), EGRESS_MORE);
	peers_begin(&rig.w.peers);
	assert_int_equal(peers_commit(&rig.w.peers), 0);
	run_all();
	assert_int_equal(rig_counter(COUNTER_TX_PACKETS), EGRESS_PACKETS_MAX);
	assert_int_equal(
	    rig_counter(COUNTER_TX_DROP_NO_PEER), 3000 - EGRESS_PACKETS_MAX);
}

/* What was not read as a packet is no superpacket, though one was before it. */
static void
a_bad_frame_is_counted_as_no_superpacket(void **state)
{
	struct packet_spec s = packet_default(4, IPPROTO_TCP);

	(void)state;
	s.payload = 3000;
	push(0, s, 1400);
	memset(buf, 0, VNET_LEN + 40);
	rig_frame(buf, VNET_LEN + 40);
	run_all();
	assert_int_equal(rig_counter(COUNTER_TUN_READ_FRAMES), 2);
	assert_int_equal(rig_counter(COUNTER_TUN_READ_TSO), 1);
	assert_int_equal(rig_counter(COUNTER_TX_DROP_VERSION), 1);
}

static void
without_a_header_a_batch_is_one_packet(void **state)
{
	struct packet_spec s = packet_default(6, IPPROTO_TCP);

	(void)state;
	rig.w.vnet_hdr = false;
	for (size_t i = 0; i < 3; i++) {
		s.dst = RIG_HOST(0);
		s.fill = (uint32_t)i;
		list_add(&want[0], buf, packet_build(&s, buf));
		rig_frame(buf, packet_build(&s, buf));
	}
	for (size_t i = 1; i <= 3; i++) {
		assert_int_equal(egress_run(&rig.w), EGRESS_MORE);
		assert_int_equal(rig_write_count, i);
	}
	assert_int_equal(egress_run(&rig.w), EGRESS_EMPTY);
	assert_int_equal(rig_write_count, 3);
	expect_delivered();
}

/* A frame whose bytes a test changes, among good ones. */
struct bad {
	const char *what;
	enum counter counter;
	uint16_t gso_size;
	size_t at; /* byte of the frame */
	uint8_t value;
	size_t len; /* of the frame, 0: all of it */
};
static const struct bad bad_frames[] = {
    {"nothing but half a header", COUNTER_TX_DROP_SHORT, 0, 0, 0, 9},
    {"a header alone", COUNTER_TX_DROP_SHORT, 0, 0, 1, 10},
    {"one byte of a packet", COUNTER_TX_DROP_SHORT, 0, 0, 1, 11},
    {"an IP header cut short", COUNTER_TX_DROP_SHORT, 0, 0, 1, 29},
    {"an IP header length of 16", COUNTER_TX_DROP_SHORT, 0, 10, 0x44, 0},
    {"IP version 5", COUNTER_TX_DROP_VERSION, 0, 10, 0x55, 0},
    {"IP version 0", COUNTER_TX_DROP_VERSION, 500, 10, 0x05, 0},
    {"a total length beyond the frame", COUNTER_TX_DROP_LENGTH, 0, 12, 0x7f, 0},
    {"a superpacket cut short", COUNTER_TX_DROP_LENGTH, 500, 0, 1, 1000},
    {"a superpacket that says less", COUNTER_TX_DROP_LENGTH, 500, 12, 0x01, 0},
    {"a TCP header of 16 bytes", COUNTER_TX_DROP_HEADER, 500, 42, 0x40, 0},
    {"a TCP header beyond the packet", COUNTER_TX_DROP_HEADER, 0, 42, 0xf0,
	10 + 20 + 30},
    {"another address", COUNTER_TX_DROP_NO_PEER, 0, 29, 99, 0},
    {"another address in a superpacket", COUNTER_TX_DROP_NO_PEER, 500, 29, 99,
	0},
};

static void
push_bad(const struct bad *b)
{
	struct packet_spec s = packet_default(4, IPPROTO_TCP);
	struct vnet_spec v;
	size_t len;

	s.dst = RIG_HOST(0);
	s.sums = SUM_PARTIAL;
	s.payload = b->len == 60 ? 10 : 1700;
	v = vnet_for(&s, b->gso_size);
	len = frame_build(&v, &s, buf);
	buf[b->at] = b->value;
	rig_frame(buf, b->len != 0 ? b->len : len);
}

static void
a_malformed_frame_is_counted_and_harms_no_other(void **state)
{
	const size_t count = sizeof(bad_frames) / sizeof(bad_frames[0]);
	struct packet_spec s = packet_default(4, IPPROTO_TCP);
	uint64_t lost = 0;

	(void)state;
	s.payload = 3000;
	for (size_t i = 0; i < count; i++) {
		const struct bad *b = &bad_frames[i];
		uint64_t before = rig_counter(b->counter);
		uint64_t frames = rig_counter(COUNTER_TUN_READ_FRAMES);
		uint64_t load = rig.w.packets;
		/* what is whole but for its peer is counted by packet */
		size_t packets =
		    b->counter == COUNTER_TX_DROP_NO_PEER && b->gso_size != 0
			? 4
			: 1;

		print_message("# %s\n", b->what);
		push(0, s, 1000);
		push_bad(b);
		push(0, s, 1000);
		assert_int_equal(egress_run(&rig.w), EGRESS_EMPTY);
		lost += packets;
		assert_int_equal(rig_counter(b->counter), before + packets);
		assert_int_equal(rig_drops(), lost);
		assert_int_equal(
		    rig_counter(COUNTER_TUN_READ_FRAMES), frames + 3);
		/* for moderation it is load like the others, of three each */
		assert_int_equal(rig.w.packets, load + 3 + packets + 3);
		assert_int_equal(rig_write_count, 1);
		rig_write_count = 0;
	}
	expect_delivered();
}

static void
a_checksum_outside_the_packet_is_dropped(void **state)
{
	/* neither TCP nor UDP: the offsets cannot be corrected */
	struct packet_spec s = packet_default(4, IPPROTO_SCTP);
	struct vnet_spec v = {.flags = VNET_F_NEEDS_CSUM, .csum_offset = 8};
	static const uint16_t starts[] = {
	    0, 19, 20 + 1000, 20 + 1000 - 9, 60000, 65535};

	(void)state;
	s.dst = RIG_HOST(0);
	for (size_t i = 0; i < sizeof(starts) / sizeof(starts[0]); i++) {
		push_packet(0, 800);
		v.csum_start = starts[i];
		rig_frame(buf, frame_build(&v, &s, buf));
		push_packet(0, 800);
		run_all();
		assert_int_equal(rig_counter(COUNTER_TX_DROP_CHECKSUM), i + 1);
	}
	assert_int_equal(rig_drops(), 6);
	expect_delivered();
}

/* Only its gso fields are off: RFC 9293's packet is whole. */
static void
a_whole_packet_with_odd_gso_fields_is_delivered(void **state)
{
	struct packet_spec s = packet_default(4, IPPROTO_TCP);
	struct vnet_spec odd[5];

	(void)state;
	s.dst = RIG_HOST(0);
	for (size_t i = 0; i < 5; i++)
		odd[i] = vnet_for(&s, 500);
	odd[0].gso_size = 0;
	odd[1].gso_type = GSO_TCPV6;
	odd[2].gso_type = GSO_UDP;
	odd[3].csum_start = 7;
	odd[4].gso_type = 0x55;
	for (size_t i = 0; i < 5; i++) {
		s.sums = SUM_PARTIAL;
		rig_frame(buf, frame_build(&odd[i], &s, buf));
		s.sums = 0;
		list_add(&want[0], buf, packet_build(&s, buf));
	}
	run_all();
	expect_delivered();
	assert_int_equal(rig_drops(), 0);
}

static void
a_peer_that_is_gone_gets_nothing(void **state)
{
	(void)state;
	peers_begin(&rig.w.peers);
	rig_add_peer(1);
	assert_int_equal(peers_commit(&rig.w.peers), 0);
	push_packet(0, 300);
	push_packet(1, 300);
	list_clear(&want[0]);
	run_all();
	assert_int_equal(rig_counter(COUNTER_TX_DROP_NO_PEER), 1);
	expect_delivered();
}

static void
push_run(size_t slot, size_t packets)
{
	struct packet_spec s = packet_default(4, IPPROTO_UDP);

	s.payload = packets * 1000;
	push(slot, s, 1000);
	run_all();
}

static void
without_udp_gso_packets_go_singly(void **state)
{
	(void)state;
	rig.w.offloads &= ~OFFLOAD_BIT(OFFLOAD_UDP_GSO);
	push_run(0, 20);
	assert_int_equal(rig_write_count, 20);
	assert_int_equal(rig_counter(COUNTER_TX_GSO_SENDS), 0);
	rig.w.offloads = OFFLOAD_ALL;
	push_run(0, 20);
	assert_int_equal(rig_write_count, 21);
	rig.w.offloads &= ~OFFLOAD_BIT(OFFLOAD_UDP_GSO);
	push_run(0, 20);
	assert_int_equal(rig_write_count, 41);
	expect_delivered();
}

static void
fail_runs(size_t slot, int error, unsigned int skip, unsigned int count)
{
	rig_fail((struct rig_fault){.call = RIG_WRITEV,
	    .match = RIG_RUN,
	    .fd = rig.w.peers.peer[slot].fd,
	    .error = error,
	    .skip = skip,
	    .count = count});
}

static void
a_refused_run_goes_singly(void **state)
{
	static const int errors[] = {EIO, EINVAL, EMSGSIZE};

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		fail_runs(i, errors[i], 0, 1);
		push_run(i, 30);
		assert_true(rig_faults_done());
		/* the run, then each packet */
		assert_int_equal(rig_sends(i, sends, RIG_WRITES_MAX), 1 + 30);
		assert_int_equal(sends[0].error, errors[i]);
		/* what the kernel refuses is not asked for again */
		for (size_t k = 1; k <= 30; k++)
			assert_int_equal(sends[k].segment, 0);
		assert_int_equal(rig_counter(COUNTER_FALLBACK_UDP_GSO), i + 1);
		/* the next run is tried */
		push_run(i, 30);
		assert_int_equal(
		    rig_sends(i, sends, RIG_WRITES_MAX), 1 + 30 + 1);
	}
	assert_int_equal(rig_off_count, 0);
	assert_int_equal(rig_drops(), 0);
	expect_delivered();
}

static void
order_is_kept_around_a_refused_run(void **state)
{
	struct packet_spec s = packet_default(4, IPPROTO_TCP);

	(void)state;
	fail_runs(0, EINVAL, 1, 1);
	s.payload = 5000;
	for (size_t i = 0; i < 6; i++) {
		s.seq += 5000;
		push(0, s, (uint16_t)(i % 2 == 0 ? 1000 : 1200));
	}
	run_all();
	assert_true(rig_faults_done());
	assert_int_equal(rig_counter(COUNTER_FALLBACK_UDP_GSO), 1);
	expect_delivered();
}

static void
fail_sizes(size_t slot, int error)
{
	rig_fail((struct rig_fault){.call = RIG_SETSOCKOPT,
	    .match = RIG_RUN,
	    .fd = rig.w.peers.peer[slot].fd,
	    .error = error,
	    .count = 1});
}

/* Whatever the option's error says: of a datagram it says nothing. */
static void
a_refused_size_sends_singly_too(void **state)
{
	static const int errors[] = {EINVAL, EPERM, EACCES, ENOPROTOOPT, ENOMEM,
	    ENOBUFS, EIO, EMSGSIZE, ENETDOWN};
	const size_t count = sizeof(errors) / sizeof(errors[0]);

	(void)state;
	for (size_t i = 0; i < count; i++) {
		rig_write_count = 0;
		fail_sizes(0, errors[i]);
		push_run(0, 12);
		assert_true(rig_faults_done());
		assert_int_equal(rig_write_count, 12);
		assert_int_equal(rig_counter(COUNTER_FALLBACK_UDP_GSO), i + 1);
		/* one that is taken, so that they are not three in a row */
		push_run(0, 12);
		assert_int_equal(rig_write_count, 13);
		/* the next one needs its size set again */
		push_packet(0, 1400);
		run_all();
	}
	assert_int_equal(rig_counter(COUNTER_RX_SOCKET_ERRORS), 0);
	assert_int_equal(rig_off_count, 0);
	assert_int_equal(rig_drops(), 0);
	expect_delivered();
}

/* It is lost for what the send said, not for what the option says then. */
static void
a_size_that_cannot_be_cleared_is_not_why_it_is_lost(void **state)
{
	static const struct {
		int send, option;
		enum counter counter;
	} errors[] = {{EMSGSIZE, EPERM, COUNTER_TX_DROP_TOO_BIG},
	    {EMSGSIZE, ENOMEM, COUNTER_TX_DROP_TOO_BIG},
	    {EMSGSIZE, EINVAL, COUNTER_TX_DROP_TOO_BIG},
	    {EINVAL, EMSGSIZE, COUNTER_TX_DROP_ERROR},
	    {EIO, ENOBUFS, COUNTER_TX_DROP_ERROR}};

	(void)state;
	push_run(0, 10);
	expect_delivered();
	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		uint64_t before = rig_counter(errors[i].counter);

		rig_fail((struct rig_fault){.call = RIG_WRITEV,
		    .fd = rig.w.peers.peer[0].fd,
		    .error = errors[i].send,
		    .count = 1});
		fail_sizes(0, errors[i].option);
		push_packet(0, 1028);
		run_all();
		assert_true(rig_faults_done());
		assert_int_equal(rig_counter(errors[i].counter), before + 1);
		assert_int_equal(rig_drops(), i + 1);
	}
	assert_int_equal(rig_counter(COUNTER_RX_SOCKET_ERRORS), 0);
}

/* The kernel would cut it. */
static void
a_packet_beyond_a_size_that_cannot_be_cleared_is_not_sent(void **state)
{
	static const struct {
		int error;
		enum counter counter;
	} errors[] = {{EPERM, COUNTER_TX_DROP_ERROR},
	    {ENOPROTOOPT, COUNTER_TX_DROP_REFUSED},
	    {ENOMEM, COUNTER_TX_DROP_FULL}};

	(void)state;
	push_run(0, 10);
	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		fail_sizes(0, errors[i].error);
		push_packet(0, 1400);
		run_all();
		assert_true(rig_faults_done());
		assert_int_equal(rig_write_count, 1);
		assert_int_equal(rig_counter(errors[i].counter), 1);
		assert_int_equal(rig_drops(), i + 1);
	}
	assert_int_equal(rig_counter(COUNTER_RX_SOCKET_ERRORS), 0);
	assert_int_equal(rig_counter(COUNTER_FALLBACK_UDP_GSO), 0);
}

static void
three_refusals_switch_it_off_for_that_peer(void **state)
{
	size_t i;

	(void)state;
	fail_runs(1, EIO, 0, 100);
	for (i = 0; i < 3; i++) {
		assert_int_equal(rig_off_count, 0);
		push_run(1, 10);
	}
	assert_int_equal(rig_off_count, 1);
	assert_int_equal(rig_offs[0].offload, OFFLOAD_UDP_GSO);
	assert_int_equal(rig_offs[0].error, EIO);
	assert_int_equal(rig_offs[0].slot, 1);
	rig_write_count = 0;
	for (i = 0; i < 5; i++)
		push_run(1, 10);
	assert_int_equal(rig_write_count, 50);
	assert_int_equal(rig_off_count, 1);
	assert_int_equal(rig_counter(COUNTER_FALLBACK_UDP_GSO), 3);
	/* nobody else */
	rig_write_count = 0;
	push_run(0, 10);
	push_run(2, 10);
	assert_int_equal(rig_write_count, 2);
	assert_true(worker_may(&rig.w, OFFLOAD_UDP_GSO));
	expect_delivered();
	assert_int_equal(rig_drops(), 0);
	assert_false(rig_faults_done());
}

/* What is left of the buffer is less than the next frame might have. */
static void
a_frame_that_may_not_fit_waits(void **state)
{
	struct packet_spec s = packet_default(4, IPPROTO_TCP);

	(void)state;
	s.payload = 65535 - packet_headers(&s);
	for (size_t i = 0; i < 15; i++) {
		push(i % RIG_SLOTS, s, 1448);
		packet_next(&s);
	}
	for (size_t i = 0; i < 4; i++)
		push_packet(i % RIG_SLOTS, 1500);
	assert_int_equal(egress_run(&rig.w), EGRESS_FULL);
	assert_int_equal(egress_run(&rig.w), EGRESS_EMPTY);
	expect_delivered();
}

/* Runs that one batch holds may all be refused. */
static void
refusals_in_one_batch_are_told_once(void **state)
{
	(void)state;
	fail_runs(0, EIO, 0, 5);
	for (size_t i = 0; i < 5; i++) {
		push_packet(0, 500 + 10 * i);
		push_packet(0, 500 + 10 * i);
	}
	assert_int_equal(egress_run(&rig.w), EGRESS_EMPTY);
	assert_true(rig_faults_done());
	assert_int_equal(rig_off_count, 1);
	assert_int_equal(rig_counter(COUNTER_FALLBACK_UDP_GSO), 5);
	assert_int_equal(rig_drops(), 0);
	expect_delivered();
}

static void
a_success_between_forgives_refusals(void **state)
{
	(void)state;
	fail_runs(0, EINVAL, 0, 2);
	push_run(0, 10);
	push_run(0, 10);
	push_run(0, 10);
	assert_true(rig_faults_done());
	fail_runs(0, EINVAL, 0, 2);
	push_run(0, 10);
	push_run(0, 10);
	assert_true(rig_faults_done());
	assert_int_equal(rig_counter(COUNTER_FALLBACK_UDP_GSO), 4);
	assert_int_equal(rig_off_count, 0);
	assert_int_equal(rig_counter(COUNTER_TX_GSO_SENDS), 1);
	expect_delivered();
}

/* A run of n packets of so many bytes with their headers. */
static void
push_equal(size_t slot, size_t bytes, size_t n)
{
	while (n-- > 0)
		push_packet(slot, bytes);
	run_all();
}

static void
a_smaller_success_forgives_nothing(void **state)
{
	(void)state;
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(rig_off_count, 0);
		fail_runs(0, EINVAL, 0, 1);
		push_run(0, 10);
		assert_true(rig_faults_done());
		push_equal(0, 100, 2);
	}
	assert_int_equal(rig_off_count, 1);
	assert_int_equal(rig_offs[0].offload, OFFLOAD_UDP_GSO);
	assert_int_equal(rig_offs[0].slot, 0);
	/* of the small ones two were runs: the last came when it was off */
	assert_int_equal(rig_counter(COUNTER_TX_GSO_SENDS), 2);
	push_run(0, 10);
	assert_int_equal(rig_counter(COUNTER_FALLBACK_UDP_GSO), 3);
	assert_int_equal(rig_off_count, 1);
	expect_delivered();
}

/* One that is larger than the smallest of several that were refused. */
static void
a_success_of_a_size_that_was_refused_forgives(void **state)
{
	static const size_t refused[] = {700, 1028};

	(void)state;
	for (size_t round = 0; round < 3; round++) {
		for (size_t i = 0; i < 2; i++) {
			fail_runs(0, EMSGSIZE, 0, 1);
			push_equal(0, refused[(i + round) % 2], 2);
			assert_true(rig_faults_done());
		}
		push_equal(0, 800, 2);
	}
	assert_int_equal(rig_counter(COUNTER_FALLBACK_UDP_GSO), 6);
	assert_int_equal(rig_counter(COUNTER_TX_GSO_SENDS), 3);
	assert_int_equal(rig_off_count, 0);
	expect_delivered();
}

static void
a_new_table_tries_it_again(void **state)
{
	(void)state;
	fail_runs(0, EINVAL, 0, 3);
	for (size_t i = 0; i < 3; i++)
		push_run(0, 10);
	assert_true(rig_faults_done());
	assert_int_equal(rig_off_count, 1);
	peers_begin(&rig.w.peers);
	rig_add_peer(0);
	assert_int_equal(peers_commit(&rig.w.peers), 0);
	rig_write_count = 0;
	push_run(0, 10);
	assert_int_equal(rig_write_count, 1);
	expect_delivered();
}

/* A single packet may meet what a run would: a size that is set. */
static void
a_single_packet_is_sent_without_a_size(void **state)
{
	static const int errors[] = {EIO, EINVAL, EMSGSIZE};

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		push_run(0, 10);
		rig_fail((struct rig_fault){.call = RIG_WRITEV,
		    .fd = rig.w.peers.peer[0].fd,
		    .error = errors[i],
		    .count = 1});
		push_packet(0, 1028);
		run_all();
		assert_true(rig_faults_done());
	}
	assert_int_equal(rig_drops(), 0);
	assert_int_equal(rig_counter(COUNTER_FALLBACK_UDP_GSO), 0);
	expect_delivered();
}

/* The error of an earlier datagram comes first: that does not count. */
static void
a_single_packet_meets_an_error_and_then_a_size(void **state)
{
	static const int errors[] = {ECONNREFUSED, EINTR};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		push_run(0, 10);
		rig_write_count = 0;
		for (size_t k = 0; k < 2; k++)
			rig_fail((struct rig_fault){.call = RIG_WRITEV,
			    .fd = rig.w.peers.peer[0].fd,
			    .error = k == 0 ? errors[i] : EMSGSIZE,
			    .count = 1});
		push_packet(0, 1028);
		run_all();
		assert_true(rig_faults_done());
		assert_int_equal(rig_sends(0, sends, RIG_WRITES_MAX), 3);
		assert_int_equal(sends[1].error, EMSGSIZE);
		assert_int_equal(sends[2].segment, 0);
	}
	assert_int_equal(rig_drops(), 0);
	assert_int_equal(rig_counter(COUNTER_RX_SOCKET_ERRORS), 1);
	expect_delivered();
}

/* A worker before this one died, and the socket went on. */
static void
what_an_earlier_worker_set_is_cleared(void **state)
{
	static const int size = 600;
	struct peer *p = &rig.w.peers.peer[0];

	(void)state;
	assert_int_equal(
	    setsockopt(p->fd, IPPROTO_UDP, 103, &size, sizeof(size)), 0);
	udp_adopt(p, p->fd);
	push_packet(0, 1400);
	run_all();
	push_run(0, 10);
	EXPECT_SENDS(0, {1400, 0}, {10 * 1028, 1028});
	expect_delivered();
}

/* Without doubles: a packet of just the MTU cannot be a segment. */
static void
a_segment_that_exceeds_the_mtu_goes_in_fragments(void **state)
{
	static const int dont = 0; /* IP_PMTUDISC_DONT */
	struct packet_spec s = packet_default(4, IPPROTO_UDP);

	nets_enter();
	nets_run("ip link set lo mtu 1500");
	/* sockets of this namespace */
	assert_int_equal(teardown(state), 0);
	assert_int_equal(setup(state), 0);
	assert_int_equal(setsockopt(rig.w.peers.peer[0].fd, IPPROTO_IP,
			     IP_MTU_DISCOVER, &dont, sizeof(dont)),
	    0);
	s.payload = 10 * 1472;
	for (size_t i = 0; i < 5; i++) {
		push(0, s, 1472);
		run_all();
	}
	push_packet(0, 1400);
	run_all();
	assert_int_equal(rig_counter(COUNTER_FALLBACK_UDP_GSO), 3);
	assert_int_equal(rig_off_count, 1);
	assert_int_equal(rig_drops(), 0);
	expect_delivered();
}

static void
an_error_is_a_drop_under_its_reason(void **state)
{
	static const struct {
		int error;
		enum counter counter;
	} errors[] = {{EAGAIN, COUNTER_TX_DROP_FULL},
	    {ENOBUFS, COUNTER_TX_DROP_FULL}, {ENOMEM, COUNTER_TX_DROP_FULL},
	    {ENETDOWN, COUNTER_TX_DROP_REFUSED},
	    {EDESTADDRREQ, COUNTER_TX_DROP_NOT_AIMED},
	    {EPERM, COUNTER_TX_DROP_ERROR}};

	(void)state;
	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		struct peer_counters *pc = rig.w.peers.peer[2].counters;
		uint64_t before = rig_counter(errors[i].counter);

		rig_fail((struct rig_fault){.call = RIG_WRITEV,
		    .fd = rig.w.peers.peer[2].fd,
		    .error = errors[i].error,
		    .count = 1});
		push_run(2, 10);
		list_clear(&want[2]);
		assert_true(rig_faults_done());
		/* dropped whole, and not tried again */
		assert_int_equal(rig_write_count, 1);
		rig_write_count = 0;
		assert_int_equal(rig_counter(errors[i].counter), before + 10);
		assert_int_equal(rig_drops(), (i + 1) * 10);
		assert_int_equal(pc->tx_dropped, (i + 1) * 10);
	}
	push_run(2, 10);
	push_run(0, 10);
	assert_int_equal(rig_off_count, 0);
	expect_delivered();
}

static void
a_single_packet_that_is_too_big_is_counted(void **state)
{
	struct packet_spec s = packet_default(4, IPPROTO_UDP);

	(void)state;
	s.payload = 65535 - 28; /* and 28 more outside: not a datagram */
	push(0, s, 0);
	list_clear(&want[0]);
	push_packet(0, 100);
	run_all();
	assert_int_equal(rig_counter(COUNTER_TX_DROP_TOO_BIG), 1);
	assert_int_equal(rig_drops(), 1);
	assert_int_equal(rig_counter(COUNTER_FALLBACK_UDP_GSO), 0);
	expect_delivered();
}

static void
an_error_of_an_earlier_datagram_is_not_this_ones(void **state)
{
	static const int errors[] = {ECONNREFUSED, EHOSTUNREACH, ENETUNREACH,
	    EHOSTDOWN, ENONET, EPROTO, ENOPROTOOPT, EACCES, EINTR};

	(void)state;
	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		rig_fail((struct rig_fault){.call = RIG_WRITEV,
		    .fd = rig.w.peers.peer[0].fd,
		    .error = errors[i],
		    .count = 1});
		push_run(0, 10);
		assert_true(rig_faults_done());
	}
	/* an interrupted call is no error */
	assert_int_equal(rig_counter(COUNTER_RX_SOCKET_ERRORS), 8);
	assert_int_equal(rig.w.peers.peer[0].counters->socket_errors, 8);
	assert_int_equal(rig.w.peers.peer[1].counters->socket_errors, 0);
	assert_int_equal(rig_drops(), 0);
	expect_delivered();
}

static void
an_error_that_stays_is_a_drop(void **state)
{
	(void)state;
	rig_fail((struct rig_fault){.call = RIG_WRITEV,
	    .fd = rig.w.peers.peer[0].fd,
	    .error = ECONNREFUSED,
	    .count = 2});
	push_run(0, 10);
	assert_true(rig_faults_done());
	list_clear(&want[0]);
	assert_int_equal(rig_write_count, 2);
	assert_int_equal(rig_counter(COUNTER_TX_DROP_REFUSED), 10);
	assert_int_equal(rig_drops(), 10);
	expect_delivered();
}

static void
a_peer_that_is_not_there_loses_nothing_later(void **state)
{
	struct peer *p = &rig.w.peers.peer[0];

	(void)state;
	close(rig.far[0]);
	/* each send meets what the one before it caused */
	for (size_t i = 0; i < 5; i++)
		push_run(0, 10);
	list_clear(&want[0]);
	assert_int_equal(p->counters->tx_packets, 50);
	assert_int_equal(rig_counter(COUNTER_RX_SOCKET_ERRORS), 4);
	assert_int_equal(p->counters->socket_errors, 4);
	assert_int_equal(rig_drops(), 0);
	assert_int_equal(rig_off_count, 0);
	rig.far[0] = dup(rig.far[1]);
}

static void
nothing_to_read_is_no_error(void **state)
{
	static const int errors[] = {EAGAIN, EIO};

	(void)state;
	assert_int_equal(egress_run(&rig.w), EGRESS_EMPTY);
	for (size_t i = 0; i < 2; i++) {
		rig_fail((struct rig_fault){.call = RIG_READ,
		    .fd = rig.w.tun,
		    .error = errors[i],
		    .skip = 1,
		    .count = 1});
		push_packet(0, 100);
		push_packet(0, 100);
		assert_int_equal(egress_run(&rig.w), EGRESS_EMPTY);
		assert_true(rig_faults_done());
		assert_int_equal(egress_run(&rig.w), EGRESS_EMPTY);
	}
	assert_int_equal(rig_write_count, 4);
	expect_delivered();
}

static void
an_interrupted_read_is_read_again(void **state)
{
	(void)state;
	rig_fail((struct rig_fault){
	    .call = RIG_READ, .fd = rig.w.tun, .error = EINTR, .count = 3});
	push_packet(0, 100);
	run_all();
	assert_true(rig_faults_done());
	expect_delivered();
}

static void
a_frame_that_cannot_be_had_is_counted_and_the_next_is_read(void **state)
{
	(void)state;
	rig_fail((struct rig_fault){
	    .call = RIG_READ, .fd = rig.w.tun, .error = EINVAL, .count = 2});
	push_packet(0, 100);
	run_all();
	run_all();
	run_all();
	assert_true(rig_faults_done());
	assert_int_equal(rig.w.counters->c[COUNTER_TUN_READ_ERRORS], 2);
	expect_delivered();
}

static void
a_deleted_device_is_told(void **state)
{
	jmp_buf gone;

	(void)state;
	rig_fail((struct rig_fault){
	    .call = RIG_READ, .fd = rig.w.tun, .error = EBADFD, .count = 1});
	rig_gone = &gone;
	if (setjmp(gone) == 0) {
		egress_run(&rig.w);
		fail_msg("the loss of the device was not noticed");
	}
	assert_true(rig_faults_done());
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(a_superpacket_becomes_one_send),
	    TEST(a_send_stays_one_superpacket_for_the_kernel),
	    TEST(a_run_goes_on_across_frames),
	    TEST(a_smaller_packet_ends_a_run),
	    TEST(a_larger_packet_opens_a_run),
	    TEST(a_single_packet_is_never_cut),
	    TEST(peers_take_turns_and_each_keeps_its_order),
	    TEST(mixed_sizes_of_many_peers_keep_their_order),
	    TEST(a_send_has_at_most_64_packets),
	    TEST(more_packets_than_a_batch_holds_all_arrive),
	    TEST(a_batch_is_as_many_small_frames_as_it_holds),
	    TEST(a_batch_is_sixteen_of_the_largest_frames),
	    TEST(a_turn_ends_within_a_superpacket),
	    TEST(what_is_left_of_it_goes_to_no_former_peer),
	    TEST(a_bad_frame_is_counted_as_no_superpacket),
	    TEST(without_a_header_a_batch_is_one_packet),
	    TEST(a_malformed_frame_is_counted_and_harms_no_other),
	    TEST(a_checksum_outside_the_packet_is_dropped),
	    TEST(a_whole_packet_with_odd_gso_fields_is_delivered),
	    TEST(a_peer_that_is_gone_gets_nothing),
	    TEST(without_udp_gso_packets_go_singly),
	    TEST(a_refused_run_goes_singly),
	    TEST(order_is_kept_around_a_refused_run),
	    TEST(a_refused_size_sends_singly_too),
	    TEST(a_size_that_cannot_be_cleared_is_not_why_it_is_lost),
	    TEST(a_packet_beyond_a_size_that_cannot_be_cleared_is_not_sent),
	    TEST(three_refusals_switch_it_off_for_that_peer),
	    TEST(refusals_in_one_batch_are_told_once),
	    TEST(a_frame_that_may_not_fit_waits),
	    TEST(a_success_between_forgives_refusals),
	    TEST(a_smaller_success_forgives_nothing),
	    TEST(a_success_of_a_size_that_was_refused_forgives),
	    TEST(a_new_table_tries_it_again),
	    TEST(a_single_packet_is_sent_without_a_size),
	    TEST(a_single_packet_meets_an_error_and_then_a_size),
	    TEST(what_an_earlier_worker_set_is_cleared),
	    TEST(a_segment_that_exceeds_the_mtu_goes_in_fragments),
	    TEST(an_error_is_a_drop_under_its_reason),
	    TEST(a_single_packet_that_is_too_big_is_counted),
	    TEST(an_error_of_an_earlier_datagram_is_not_this_ones),
	    TEST(an_error_that_stays_is_a_drop),
	    TEST(a_peer_that_is_not_there_loses_nothing_later),
	    TEST(nothing_to_read_is_no_error),
	    TEST(an_interrupted_read_is_read_again),
	    TEST(a_frame_that_cannot_be_had_is_counted_and_the_next_is_read),
	    TEST(a_deleted_device_is_told),
	};

	nets_need_root();
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("egress", tests, NULL, NULL);
}

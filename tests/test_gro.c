#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "worker/csum.h"
#include "worker/gro.h"

#include "tests/pipeline.h"
#include "tests/reference.h"

/* The burst in the making, and what became of it. */
static struct list burst, frames;
static uint8_t buf[PACKET_MAX];

static int
setup(void **state)
{
	(void)state;
	csum_init();
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	list_clear(&burst);
	list_clear(&frames);
	return 0;
}

static void
push(const struct packet_spec *s)
{
	list_add(&burst, buf, packet_build(s, buf));
}

static void
push_run(struct packet_spec *s, size_t n)
{
	for (; n > 0; n--) {
		push(s);
		packet_next(s);
	}
}

/* How many packets are in frame i, by its gso_size. */
static size_t
segments(size_t i)
{
	struct list out = {0};
	size_t n;

	assert_null(ref_split(frames.items[i].data, frames.items[i].len, &out));
	n = out.count;
	list_clear(&out);
	return n;
}

static void
coalesce(pipeline_on_drop *dropped)
{
	const char *wrong = pipeline_coalesce(&burst, &frames, dropped);

	if (wrong != NULL)
		fail_msg("%s", wrong);
}

/* Coalesces the burst; counts are the packets of each frame, 0 ends them. */
static void
must_give(const size_t *counts)
{
	list_clear(&frames);
	coalesce(NULL);
	for (size_t i = 0; i < frames.count && counts[i] != 0; i++)
		if (segments(i) != counts[i])
			fail_msg("frame %zu has %zu packets, not %zu", i,
			    segments(i), counts[i]);
	for (size_t n = 0; n <= frames.count; n++)
		if (counts[n] == 0)
			assert_int_equal(frames.count, n);
	list_clear(&burst);
}

#define GIVES(...) must_give((const size_t[]){__VA_ARGS__, 0})

/* What goes alone is written as it came, behind a header of zeros. */
static void
must_be_alone(size_t i, const struct packet_spec *s)
{
	const uint8_t zero[VNET_LEN] = {0};
	size_t len = packet_build(s, buf);

	assert_true(i < frames.count);
	assert_int_equal(frames.items[i].len, VNET_LEN + len);
	assert_memory_equal(frames.items[i].data, zero, VNET_LEN);
	assert_memory_equal(frames.items[i].data + VNET_LEN, buf, len);
}

static void
a_run_becomes_one_true_superpacket(void **state)
{
	(void)state;
	EACH(version, proto)
	{
		struct packet_spec s = packet_default(version, proto), whole;
		static uint8_t wanted[VNET_LEN + PACKET_MAX];
		struct vnet_spec v;
		size_t len;

		s.tcp_options = 12;
		whole = s;
		push_run(&s, 20);
		s.payload = 300;
		push(&s);
		GIVES(21);
		whole.payload = 20300;
		whole.sums = SUM_PARTIAL;
		v = vnet_for(&whole, 1000);
		len = frame_build(&v, &whole, wanted);
		assert_int_equal(frames.items[0].len, len);
		assert_memory_equal(frames.items[0].data, wanted, len);
	}
}

static void
one_packet_goes_as_it_came(void **state)
{
	static const unsigned int sums[] = {
	    0, SUM_BAD_IP, SUM_BAD_L4, SUM_NONE, SUM_MINUS_ZERO};

	(void)state;
	for (size_t i = 0; i < sizeof(sums) / sizeof(*sums); i++)
		EACH(version, proto)
		{
			struct packet_spec s = packet_default(version, proto);

			s.sums = sums[i];
			push(&s);
			GIVES(1);
			must_be_alone(0, &s);
		}
}

static void
tcp_with_psh_ends_the_flow(void **state)
{
	struct packet_spec s = packet_default(4, IPPROTO_TCP);

	(void)state;
	push_run(&s, 2);
	s.flags = TCP_ACK | TCP_PSH;
	push_run(&s, 1);
	s.flags = TCP_ACK;
	push_run(&s, 2);
	GIVES(3, 2);
	assert_int_equal(
	    frames.items[0].data[VNET_LEN + 33], TCP_ACK | TCP_PSH);
	assert_int_equal(frames.items[1].data[VNET_LEN + 33], TCP_ACK);
}

static void
psh_on_the_first_leaves_it_alone(void **state)
{
	struct packet_spec s = packet_default(6, IPPROTO_TCP);

	(void)state;
	s.flags = TCP_ACK | TCP_PSH;
	push_run(&s, 3);
	GIVES(1, 1, 1);
}

static void
a_smaller_one_is_the_last(void **state)
{
	(void)state;
	EACH(version, proto)
	{
		struct packet_spec s = packet_default(version, proto);

		push_run(&s, 2);
		s.payload = 999;
		push_run(&s, 2);
		GIVES(3, 1);
		s.payload = 1;
		push_run(&s, 3);
		GIVES(3);
	}
}

static void
a_larger_one_begins_anew(void **state)
{
	(void)state;
	EACH(version, proto)
	{
		struct packet_spec s = packet_default(version, proto);

		push_run(&s, 2);
		s.payload = 1001;
		push_run(&s, 2);
		GIVES(2, 2);
	}
}

static void
no_more_than_64_segments(void **state)
{
	(void)state;
	EACH(version, proto)
	{
		struct packet_spec s = packet_default(version, proto);

		s.payload = 100;
		push_run(&s, 64);
		GIVES(64);
		push_run(&s, 65);
		GIVES(64, 1);
		push_run(&s, 128);
		GIVES(64, 64);
	}
}

static void
no_more_than_65535_bytes(void **state)
{
	(void)state;
	EACH(version, proto)
	{
		struct packet_spec s = packet_default(version, proto);
		size_t room = 65535 - packet_headers(&s);

		s.payload = (room + 2) / 3;
		push_run(&s, 2);
		s.payload = room - 2 * s.payload;
		push(&s);
		GIVES(3);
		assert_int_equal(frames.items[0].len, VNET_LEN + 65535);
		packet_next(&s);
		s.payload = (room + 2) / 3;
		push_run(&s, 2);
		s.payload = room - 2 * s.payload + 1;
		push(&s);
		GIVES(2, 1);
	}
}

/* Its length says nothing of its own header: it may be larger than that. */
static void
what_is_larger_already_is_not_merged(void **state)
{
	struct packet_spec s = packet_default(6, IPPROTO_UDP);

	(void)state;
	s.payload = 65536 - packet_headers(&s);
	push(&s);
	packet_next(&s);
	s.payload = 100;
	push(&s);
	GIVES(1, 1);
}

static void
tcp_that_is_not_adjacent_begins_anew(void **state)
{
	static const uint32_t gaps[] = {
	    1, 1000, 0x80000000, 0xffffffff, (uint32_t)-1000, (uint32_t)-2000};

	(void)state;
	for (size_t i = 0; i < sizeof(gaps) / sizeof(*gaps); i++) {
		struct packet_spec s = packet_default(4, IPPROTO_TCP);

		push_run(&s, 2);
		s.seq += gaps[i];
		push_run(&s, 2);
		GIVES(2, 2);
	}
}

static void
a_sequence_number_may_wrap(void **state)
{
	struct packet_spec s = packet_default(6, IPPROTO_TCP);

	(void)state;
	s.seq = 0xfffffa00;
	push_run(&s, 4);
	GIVES(4);
}

/* ---- packets that end their flow and go alone ---- */

static void
other_tcp_flags_go_alone(void **state)
{
	static const uint8_t flags[] = {0, TCP_PSH, TCP_SYN, TCP_FIN, TCP_RST,
	    TCP_SYN | TCP_ACK, TCP_ACK | TCP_FIN, TCP_ACK | TCP_RST,
	    TCP_ACK | TCP_URG, TCP_ACK | TCP_CWR, TCP_ACK | TCP_ECE | TCP_CWR,
	    TCP_ACK | TCP_FIN | TCP_PSH};

	(void)state;
	for (size_t i = 0; i < sizeof(flags); i++) {
		struct packet_spec s = packet_default(4, IPPROTO_TCP), odd;

		push_run(&s, 2);
		s.flags = flags[i];
		odd = s;
		push_run(&s, 1);
		s.flags = TCP_ACK;
		push_run(&s, 2);
		GIVES(2, 1, 2);
		must_be_alone(1, &odd);
		/* equal on all of them changes nothing */
		s.flags = flags[i];
		push_run(&s, 3);
		GIVES(1, 1, 1);
	}
}

/* As the kernel: what echoes congestion is merged with its like. */
static void
ece_is_the_same_in_all_packets_of_a_frame(void **state)
{
	(void)state;
	for (uint8_t version = 4; version <= 6; version += 2) {
		struct packet_spec s = packet_default(version, IPPROTO_TCP);

		s.flags = TCP_ACK | TCP_ECE;
		push_run(&s, 4);
		s.flags = TCP_ACK;
		push_run(&s, 2);
		s.flags = TCP_ACK | TCP_ECE;
		push_run(&s, 2);
		s.flags = TCP_ACK | TCP_ECE | TCP_PSH;
		push_run(&s, 1);
		GIVES(4, 2, 3);
	}
}

static void
an_empty_packet_goes_alone(void **state)
{
	(void)state;
	EACH(version, proto)
	{
		struct packet_spec s = packet_default(version, proto);

		push_run(&s, 2);
		s.payload = 0;
		push_run(&s, 1);
		s.payload = 1000;
		push_run(&s, 2);
		GIVES(2, 1, 2);
		s.payload = 0;
		push_run(&s, 2);
		GIVES(1, 1);
	}
}

static void
a_bad_checksum_goes_alone(void **state)
{
	static const unsigned int sums[] = {SUM_BAD_IP, SUM_BAD_L4, SUM_NONE};

	(void)state;
	for (size_t i = 0; i < 3; i++)
		EACH(version, proto)
		{
			struct packet_spec s = packet_default(version, proto);
			struct packet_spec odd;

			if (version == 6 && sums[i] == SUM_BAD_IP)
				continue;
			push_run(&s, 2);
			odd = s;
			odd.sums = sums[i];
			push(&odd);
			packet_next(&s);
			push_run(&s, 2);
			GIVES(2, 1, 2);
			must_be_alone(1, &odd);
			/* as the first, as the last, and all of them */
			odd = s;
			odd.sums = sums[i];
			push(&odd);
			packet_next(&s);
			push_run(&s, 2);
			GIVES(1, 2);
			s.sums = sums[i];
			push_run(&s, 3);
			GIVES(1, 1, 1);
		}
}

/* 0xffff for 0x0000 verifies, but a split would give the other one. */
static void
a_checksum_of_minus_zero_goes_alone(void **state)
{
	struct packet_spec s = packet_default(4, IPPROTO_TCP), odd;
	uint16_t sum;

	(void)state;
	push_run(&s, 1);
	odd = s;
	odd.sums = SUM_MINUS_ZERO;
	push(&odd);
	packet_next(&s);
	push_run(&s, 1);
	GIVES(1, 1, 1);
	must_be_alone(1, &odd);
	/* the IPv4 header's: an ID that makes it so, the next one does not */
	s = packet_default(4, IPPROTO_UDP);
	packet_build(&s, buf);
	sum = get16(buf + 10);
	s.id = ref_add(s.id, sum);
	for (int i = 0; i < 2; i++) {
		size_t len = packet_build(&s, buf);

		if (i == 0) {
			assert_int_equal(get16(buf + 10), 0);
			put16(buf + 10, 0xffff);
		}
		list_add(&burst, buf, len);
		packet_next(&s);
	}
	GIVES(1, 1);
	assert_int_equal(get16(frames.items[0].data + VNET_LEN + 10), 0xffff);
}

/* Nor one that would be the second: constant or rising, its ID makes it so. */
static void
a_second_ipv4_checksum_of_minus_zero_goes_alone(void **state)
{
	struct packet_spec s = packet_default(4, IPPROTO_UDP);

	(void)state;
	packet_build(&s, buf);
	s.id = (uint16_t)(ref_add(s.id, get16(buf + 10)) - 1);
	push_run(&s, 1);
	{
		size_t len = packet_build(&s, buf);

		assert_int_equal(get16(buf + 10), 0);
		put16(buf + 10, 0xffff);
		list_add(&burst, buf, len);
	}
	GIVES(1, 1);
	assert_int_equal(get16(frames.items[1].data + VNET_LEN + 10), 0xffff);
}

/* Also those that count nothing in a sum: the first 20 bytes add up. */
static void
ipv4_options_of_zeros_go_alone(void **state)
{
	(void)state;
	for (uint8_t proto = IPPROTO_TCP; proto <= IPPROTO_UDP;
	     proto += IPPROTO_UDP - IPPROTO_TCP) {
		struct packet_spec s = packet_default(4, proto);

		s.ip_options = 8;
		for (int i = 0; i < 3; i++) {
			size_t len = packet_build(&s, buf);

			memset(buf + 20, 0, 8);
			put16(buf + 10, 0);
			put16(buf + 10, (uint16_t)~ref_sum(buf, 28));
			list_add(&burst, buf, len);
			packet_next(&s);
		}
		GIVES(1, 1, 1);
	}
}

static void
a_udp_checksum_of_ffff_is_a_good_one(void **state)
{
	struct packet_spec s = packet_default(6, IPPROTO_UDP);

	(void)state;
	s.sums = SUM_MINUS_ZERO;
	push_run(&s, 3);
	GIVES(3);
}

/* Zero where it would be computed as zero too: it adds up, and is not one. */
static void
a_udp_checksum_of_zero_goes_alone_even_if_it_adds_up(void **state)
{
	struct packet_spec s = packet_default(4, IPPROTO_UDP), odd;

	(void)state;
	odd = s;
	odd.sums = SUM_MINUS_ZERO | SUM_NONE;
	push_run(&odd, 3);
	GIVES(1, 1, 1);
	assert_int_equal(get16(frames.items[1].data + VNET_LEN + 26), 0);
}

static void
ipv4_options_go_alone(void **state)
{
	struct packet_spec s = packet_default(4, IPPROTO_UDP);

	(void)state;
	push_run(&s, 2);
	s.ip_options = 4;
	push_run(&s, 2);
	s.ip_options = 0;
	push_run(&s, 2);
	GIVES(2, 1, 1, 2);
}

static void
trailing_bytes_go_along_alone(void **state)
{
	(void)state;
	EACH(version, proto)
	{
		struct packet_spec s = packet_default(version, proto), odd;

		push_run(&s, 2);
		s.trailing = 1;
		odd = s;
		push_run(&s, 1);
		s.trailing = 0;
		push_run(&s, 2);
		GIVES(2, 1, 2);
		must_be_alone(1, &odd);
	}
}

static void
a_udp_length_that_disagrees_goes_alone(void **state)
{
	struct packet_spec s = packet_default(4, IPPROTO_UDP);
	uint8_t odd[2048];
	size_t len;

	(void)state;
	push_run(&s, 2);
	len = packet_build(&s, buf);
	put16(buf + 24, 1007);
	/* the checksum is right for what is there */
	put16(buf + 26, 0);
	put16(buf + 26, (uint16_t)~ref_add(ref_pseudo(buf, IPPROTO_UDP, 1008),
			    ref_sum(buf + 20, 1008)));
	memcpy(odd, buf, len);
	list_add(&burst, odd, len);
	packet_next(&s);
	push_run(&s, 2);
	GIVES(2, 1, 2);
	assert_memory_equal(frames.items[1].data + VNET_LEN, odd, len);
}

/* ---- fields that have to be equal ---- */

static void
other_ttl(struct packet_spec *s)
{
	s->ttl--;
}

static void
other_tos(struct packet_spec *s)
{
	s->tos ^= 2;
}

static void
other_label(struct packet_spec *s)
{
	s->flow_label ^= 0x80000;
}

static void
other_df(struct packet_spec *s)
{
	s->df = !s->df;
}

static void
other_ack(struct packet_spec *s)
{
	s->ack ^= 1;
}

static void
other_window(struct packet_spec *s)
{
	s->window ^= 1;
}

static void
other_reserved(struct packet_spec *s)
{
	s->reserved ^= 1;
}

static void
other_urgent(struct packet_spec *s)
{
	s->urgent ^= 1;
}

static void
other_option_bytes(struct packet_spec *s)
{
	s->tcp_fill ^= 1;
}

static void
other_options(struct packet_spec *s)
{
	s->tcp_options += 4;
}

static void
other_source(struct packet_spec *s)
{
	s->src ^= 0x40;
}

static void
other_destination(struct packet_spec *s)
{
	s->dst ^= 0x40;
}

static void
other_sport(struct packet_spec *s)
{
	s->sport++;
}

static void
other_dport(struct packet_spec *s)
{
	s->dport++;
}

static void
other_ext_bytes(struct packet_spec *s)
{
	s->ext_fill ^= 1;
}

static void
other_ext_chain(struct packet_spec *s)
{
	s->ext[0] =
	    s->ext[0] == IPPROTO_HOPOPTS ? IPPROTO_DSTOPTS : IPPROTO_HOPOPTS;
}

#define BOTH 0 /* versions, or transports */

static const struct {
	const char *name;
	void (*change)(struct packet_spec *);
	uint8_t version, proto;
} fields[] = {{"ttl", other_ttl, BOTH, BOTH}, {"tos", other_tos, BOTH, BOTH},
    {"flow label", other_label, 6, BOTH}, {"DF", other_df, 4, BOTH},
    {"ack", other_ack, BOTH, IPPROTO_TCP},
    {"window", other_window, BOTH, IPPROTO_TCP},
    {"reserved bits", other_reserved, BOTH, IPPROTO_TCP},
    {"urgent pointer", other_urgent, BOTH, IPPROTO_TCP},
    {"option bytes", other_option_bytes, BOTH, IPPROTO_TCP},
    {"header length", other_options, BOTH, IPPROTO_TCP},
    {"source", other_source, BOTH, BOTH},
    {"destination", other_destination, BOTH, BOTH},
    {"source port", other_sport, BOTH, BOTH},
    {"destination port", other_dport, BOTH, BOTH},
    {"extension bytes", other_ext_bytes, 6, BOTH},
    {"extension chain", other_ext_chain, 6, BOTH}};

/* 2 packets, then 2 that differ in one field: never 3 or 4 in a frame. */
static void
a_field_that_differs_begins_anew(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(fields) / sizeof(*fields); i++)
		EACH(version, proto)
		{
			struct packet_spec s = packet_default(version, proto);

			if ((fields[i].version != BOTH &&
				fields[i].version != version) ||
			    (fields[i].proto != BOTH &&
				fields[i].proto != proto))
				continue;
			s.tcp_options = 12;
			if (version == 6) {
				s.ext[0] = IPPROTO_HOPOPTS;
				s.ext_count = 1;
			}
			push_run(&s, 2);
			fields[i].change(&s);
			push_run(&s, 2);
			list_clear(&frames);
			coalesce(NULL);
			if (frames.count != 2 || segments(0) != 2 ||
			    segments(1) != 2)
				fail_msg("%s, IPv%d, protocol %d: %zu frames",
				    fields[i].name, version, proto,
				    frames.count);
			list_clear(&burst);
		}
}

static void
equal_fields_of_any_value_merge(void **state)
{
	(void)state;
	EACH(version, proto)
	{
		struct packet_spec s = packet_default(version, proto);

		s.tos = 0xb9;
		s.ttl = 1;
		s.flow_label = version == 6 ? 0xfffff : 0;
		s.ack = 0xffffffff;
		s.window = 0;
		s.tcp_options = 40;
		s.tcp_fill = 0xfe;
		s.reserved = 0;
		push_run(&s, 5);
		GIVES(5);
	}
}

static void
identical_extension_headers_merge(void **state)
{
	struct packet_spec s = packet_default(6, IPPROTO_TCP);

	(void)state;
	s.ext[0] = IPPROTO_HOPOPTS;
	s.ext[1] = IPPROTO_ROUTING;
	s.ext[2] = IPPROTO_DSTOPTS;
	for (s.ext_count = 1; s.ext_count <= 3; s.ext_count++) {
		push_run(&s, 4);
		GIVES(4);
		assert_int_equal(
		    get16host(frames.items[0].data + 6), 40 + 8 * s.ext_count);
	}
	s.proto = IPPROTO_UDP;
	s.ext_count = 2;
	push_run(&s, 4);
	GIVES(4);
}

/* The packet, behind ext bytes of one header of destination options. */
static void
push_behind(size_t ext, const struct packet_spec *s)
{
	size_t len = packet_build(s, buf);

	memmove(buf + 40 + ext, buf + 40, len - 40);
	memset(buf + 40, 0, ext);
	buf[6] = IPPROTO_DSTOPTS;
	buf[40] = s->proto;
	buf[41] = (uint8_t)(ext / 8 - 1);
	put16(buf + 4, (uint16_t)(len - 40 + ext));
	list_add(&burst, buf, len + ext);
}

static void
headers_of_256_bytes_merge_and_longer_ones_do_not(void **state)
{
	struct packet_spec s = packet_default(6, IPPROTO_UDP);
	const size_t ext = GRO_HDR_MAX - packet_headers(&s);

	(void)state;
	push_behind(ext, &s);
	push_behind(ext, &s);
	GIVES(2);
	assert_int_equal(get16host(frames.items[0].data + 2), 256);
	assert_int_equal(frames.items[0].len, VNET_LEN + 256 + 2 * s.payload);
	push_behind(ext + 8, &s);
	push_behind(ext + 8, &s);
	GIVES(1, 1);
	/* by four bytes, too: only options of TCP have a step of four */
	s.proto = IPPROTO_TCP;
	for (s.tcp_options = 4; s.tcp_options <= 8; s.tcp_options += 4)
		for (int i = 0; i < 2; i++, packet_next(&s))
			push_behind(192, &s);
	GIVES(2, 1, 1);
}

/* ---- IPv4 IDs ---- */

static void
push_ids(bool df, const uint16_t *ids, size_t n)
{
	struct packet_spec s = packet_default(4, IPPROTO_UDP);

	s.df = df;
	for (size_t i = 0; i < n; i++) {
		s.id = ids[i];
		push(&s);
	}
}

static void
ids_that_rise_merge(void **state)
{
	static const uint16_t ids[] = {0xfffe, 0xffff, 0, 1};

	(void)state;
	push_ids(false, ids, 4);
	GIVES(4);
	push_ids(true, ids, 4);
	GIVES(4);
}

static void
ids_that_stay_merge_only_with_df(void **state)
{
	static const uint16_t ids[] = {7, 7, 7};

	(void)state;
	push_ids(true, ids, 3);
	GIVES(3);
	push_ids(false, ids, 3);
	GIVES(1, 1, 1);
}

static void
the_second_packet_fixes_the_pattern_of_ids(void **state)
{
	static const uint16_t rise_then_stay[] = {7, 8, 8, 8};
	static const uint16_t stay_then_rise[] = {7, 7, 8, 9};

	(void)state;
	push_ids(true, rise_then_stay, 4);
	GIVES(2, 2);
	push_ids(true, stay_then_rise, 4);
	GIVES(2, 2);
}

static void
ids_that_jump_or_fall_begin_anew(void **state)
{
	static const uint16_t ids[] = {7, 8, 10, 11, 10, 8};

	(void)state;
	push_ids(true, ids, 6);
	GIVES(2, 2, 1, 1);
}

/* ---- flows beside each other ---- */

static void
flows_that_alternate_all_merge(void **state)
{
	struct packet_spec s[8];

	(void)state;
	for (size_t f = 0; f < 8; f++) {
		s[f] = packet_default(
		    f % 2 == 0 ? 4 : 6, f % 4 < 2 ? IPPROTO_TCP : IPPROTO_UDP);
		s[f].sport = (uint16_t)(1000 + f / 4);
	}
	for (size_t i = 0; i < 16; i++)
		for (size_t f = 0; f < 8; f++)
			push_run(&s[f], 1);
	GIVES(16, 16, 16, 16, 16, 16, 16, 16);
}

static void
as_many_flows_as_packets_go_in_order(void **state)
{
	struct packet_spec s = packet_default(4, IPPROTO_UDP);

	(void)state;
	for (size_t i = 0; i < BATCH_PACKETS; i++) {
		s.sport = (uint16_t)(i * 77);
		push(&s);
	}
	coalesce(NULL);
	assert_int_equal(frames.count, BATCH_PACKETS);
	for (size_t i = 0; i < BATCH_PACKETS; i++) {
		s.sport = (uint16_t)(i * 77);
		must_be_alone(i, &s);
	}
}

static void
frames_are_in_the_order_of_their_first_packets(void **state)
{
	struct packet_spec a = packet_default(4, IPPROTO_TCP);
	struct packet_spec b = packet_default(6, IPPROTO_UDP);
	struct packet_spec c = packet_default(4, IPPROTO_UDP);

	(void)state;
	push_run(&a, 1);
	push_run(&b, 1);
	push_run(&a, 1);
	push_run(&c, 1);
	push_run(&b, 1);
	push_run(&a, 1);
	GIVES(3, 2, 1);
	assert_int_equal(frames.items[0].data[1], GSO_TCPV4);
	assert_int_equal(frames.items[1].data[1], GSO_UDP);
	assert_int_equal(frames.items[2].data[1], GSO_NONE);
}

static void
the_other_direction_is_another_flow(void **state)
{
	struct packet_spec a = packet_default(4, IPPROTO_TCP), b = a;

	(void)state;
	b.src = a.dst;
	b.dst = a.src;
	b.sport = a.dport;
	b.dport = a.sport;
	b.payload = 0; /* pure ACKs do not end what goes the other way */
	for (int i = 0; i < 5; i++) {
		push_run(&a, 1);
		push_run(&b, 1);
	}
	GIVES(5, 1, 1, 1, 1, 1);
}

static void
a_fragment_closes_all_of_its_address_pair(void **state)
{
	(void)state;
	EACH(version, proto)
	{
		struct packet_spec a = packet_default(version, IPPROTO_TCP);
		struct packet_spec b = packet_default(version, IPPROTO_UDP);
		struct packet_spec other = a, frag;

		other.src = 99;
		frag = packet_default(version, proto);
		frag.frag = version == 4 ? 0x0010 : 0x0101;
		push_run(&a, 2);
		push_run(&b, 2);
		push_run(&other, 2);
		push(&frag);
		push_run(&a, 2);
		push_run(&b, 2);
		push_run(&other, 2);
		GIVES(2, 2, 4, 1, 2, 2);
		must_be_alone(3, &frag);
	}
}

static void
what_has_no_ports_that_we_can_see_closes_its_pair(void **state)
{
	struct packet_spec s = packet_default(6, IPPROTO_UDP), odd;
	size_t len;

	(void)state;
	push_run(&s, 2);
	odd = s;
	odd.ext[0] = IPPROTO_DSTOPTS;
	odd.ext_count = 1;
	len = packet_build(&odd, buf);
	buf[41] = 255; /* beyond the packet */
	list_add(&burst, buf, len);
	push_run(&s, 2);
	GIVES(2, 1, 2);
}

static void
a_flow_may_begin_again_after_its_odd_packet(void **state)
{
	struct packet_spec s = packet_default(4, IPPROTO_TCP), odd;

	(void)state;
	push_run(&s, 3);
	odd = s;
	odd.payload = 0;
	push(&odd); /* a pure ACK with the sequence number that follows */
	push_run(&s, 3);
	GIVES(3, 1, 3);
}

/* ---- what is no packet ---- */

static size_t drops;

static void
count_drop(const char *reason)
{
	assert_non_null(reason);
	drops++;
}

static void
no_packet_is_dropped_and_harms_no_other(void **state)
{
	struct packet_spec s = packet_default(4, IPPROTO_TCP);
	size_t len;

	(void)state;
	push_run(&s, 1);
	list_add(&burst, "", 0);
	list_add(&burst, "\x55", 1);
	list_add(&burst, "\x45", 1);
	list_add(&burst, "\x60", 1);
	len = packet_build(&s, buf);
	list_add(&burst, buf, len - 1);
	list_add(&burst, buf, 19);
	buf[0] = 0x44;
	list_add(&burst, buf, len);
	buf[0] = 0x75;
	list_add(&burst, buf, len);
	push_run(&s, 1);
	drops = 0;
	coalesce(count_drop);
	assert_int_equal(drops, 8);
	assert_int_equal(frames.count, 1);
	assert_int_equal(segments(0), 2);
}

static void
a_tcp_header_that_cannot_be_goes_alone(void **state)
{
	struct packet_spec s = packet_default(4, IPPROTO_TCP);

	(void)state;
	for (uint8_t words = 0; words < 5; words++) {
		size_t len;

		push_run(&s, 2);
		len = packet_build(&s, buf);
		buf[32] = (uint8_t)(words << 4);
		list_add(&burst, buf, len);
		packet_next(&s);
		push_run(&s, 2);
		GIVES(2, 1, 2);
	}
}

/* ---- the module's own contract ---- */

static void
init(struct gro *g)
{
	uint32_t key[GRO_KEY_WORDS];

	arc4random_buf(key, sizeof(key));
	gro_init(g, key);
}

static void
merging_can_be_switched_off_for_each_transport(void **state)
{
	static struct gro g;
	struct packet_spec s;
	uint8_t raw[4][2048];
	struct pkt pkt;

	(void)state;
	for (int off = 0; off < 4; off++) {
		init(&g);
		g.tcp = (off & 1) == 0;
		g.udp = (off & 2) == 0;
		for (int i = 0; i < 4; i++) {
			size_t len;

			s = packet_default(
			    4, i < 2 ? IPPROTO_TCP : IPPROTO_UDP);
			s.seq += 1000 * (uint32_t)(i % 2);
			s.id = (uint16_t)(s.id + i % 2);
			len = packet_build(&s, raw[i]);
			assert_int_equal(pkt_parse(raw[i], len, &pkt), PKT_OK);
			gro_push(&g, raw[i], len, &pkt);
		}
		assert_int_equal(gro_count(&g), 2 + !g.tcp + !g.udp);
	}
}

static void
the_packets_of_a_frame_are_there_one_by_one(void **state)
{
	static struct gro g;
	struct packet_spec s = packet_default(6, IPPROTO_TCP);
	uint8_t raw[6][2048];
	const struct gro_packet *p;
	struct gro_frame f;
	struct pkt pkt;
	uint16_t index;
	size_t len = 0;

	(void)state;
	init(&g);
	assert_int_equal(gro_room(&g), BATCH_PACKETS);
	for (int i = 0; i < 6; i++) {
		len = packet_build(&s, raw[i]);
		packet_next(&s);
		assert_int_equal(pkt_parse(raw[i], len, &pkt), PKT_OK);
		gro_push(&g, raw[i], len, &pkt);
	}
	assert_int_equal(gro_room(&g), BATCH_PACKETS - 6);
	assert_int_equal(gro_count(&g), 1);
	gro_frame(&g, 0, &f);
	assert_int_equal(f.count, 6);
	assert_int_equal(f.gso_type, GSO_TCPV6);
	index = f.first;
	for (int i = 0; i < 6; i++) {
		index = gro_packet_of(&g, index, &p);
		assert_ptr_equal(p->data, raw[i]);
		assert_int_equal(p->len, len);
	}
	assert_int_equal(index, GRO_NONE);
	gro_reset(&g);
	assert_int_equal(gro_count(&g), 0);
	assert_int_equal(gro_room(&g), BATCH_PACKETS);
}

static void
no_payload_byte_is_copied(void **state)
{
	static struct gro g;
	struct packet_spec s = packet_default(4, IPPROTO_UDP);
	uint8_t raw[3][2048];
	struct gro_frame f;
	struct pkt pkt;

	(void)state;
	init(&g);
	for (int i = 0; i < 3; i++) {
		size_t len = packet_build(&s, raw[i]);

		packet_next(&s);
		assert_int_equal(pkt_parse(raw[i], len, &pkt), PKT_OK);
		gro_push(&g, raw[i], len, &pkt);
	}
	gro_frame(&g, 0, &f);
	assert_int_equal(f.iovcnt, 4);
	for (int i = 0; i < 3; i++) {
		assert_ptr_equal(f.iov[i + 1].iov_base, raw[i] + 28);
		assert_int_equal(f.iov[i + 1].iov_len, 1000);
	}
}

static void
a_burst_knows_nothing_of_the_last_one(void **state)
{
	struct packet_spec s = packet_default(4, IPPROTO_TCP);

	(void)state;
	push_run(&s, 2);
	GIVES(2);
	push_run(&s, 2);
	GIVES(2);
	push_run(&s, 1);
	GIVES(1);
}

/* Or who knows no key could choose flows that all lie in one bucket. */
static void
the_key_decides_a_flows_bucket(void **state)
{
	static struct gro g;
	struct packet_spec s = packet_default(4, IPPROTO_TCP);
	uint16_t bucket, first = 0, others = 0;
	uint8_t raw[2048];
	struct pkt pkt;
	size_t len = packet_build(&s, raw);

	(void)state;
	assert_int_equal(pkt_parse(raw, len, &pkt), PKT_OK);
	for (int i = 0; i < 8; i++) {
		init(&g);
		gro_push(&g, raw, len, &pkt);
		bucket = g.item[0].bucket;
		assert_in_range(bucket, 0, GRO_BUCKETS - 1);
		if (i == 0)
			first = bucket;
		others += bucket != first;
	}
	assert_int_not_equal(others, 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(a_run_becomes_one_true_superpacket),
	    TEST(one_packet_goes_as_it_came),
	    TEST(tcp_with_psh_ends_the_flow),
	    TEST(psh_on_the_first_leaves_it_alone),
	    TEST(a_smaller_one_is_the_last),
	    TEST(a_larger_one_begins_anew),
	    TEST(no_more_than_64_segments),
	    TEST(no_more_than_65535_bytes),
	    TEST(what_is_larger_already_is_not_merged),
	    TEST(tcp_that_is_not_adjacent_begins_anew),
	    TEST(a_sequence_number_may_wrap),
	    TEST(other_tcp_flags_go_alone),
	    TEST(ece_is_the_same_in_all_packets_of_a_frame),
	    TEST(an_empty_packet_goes_alone),
	    TEST(a_bad_checksum_goes_alone),
	    TEST(a_checksum_of_minus_zero_goes_alone),
	    TEST(a_second_ipv4_checksum_of_minus_zero_goes_alone),
	    TEST(ipv4_options_of_zeros_go_alone),
	    TEST(a_udp_checksum_of_ffff_is_a_good_one),
	    TEST(a_udp_checksum_of_zero_goes_alone_even_if_it_adds_up),
	    TEST(ipv4_options_go_alone),
	    TEST(trailing_bytes_go_along_alone),
	    TEST(a_udp_length_that_disagrees_goes_alone),
	    TEST(a_field_that_differs_begins_anew),
	    TEST(equal_fields_of_any_value_merge),
	    TEST(identical_extension_headers_merge),
	    TEST(headers_of_256_bytes_merge_and_longer_ones_do_not),
	    TEST(ids_that_rise_merge),
	    TEST(ids_that_stay_merge_only_with_df),
	    TEST(the_second_packet_fixes_the_pattern_of_ids),
	    TEST(ids_that_jump_or_fall_begin_anew),
	    TEST(flows_that_alternate_all_merge),
	    TEST(as_many_flows_as_packets_go_in_order),
	    TEST(frames_are_in_the_order_of_their_first_packets),
	    TEST(the_other_direction_is_another_flow),
	    TEST(a_fragment_closes_all_of_its_address_pair),
	    TEST(what_has_no_ports_that_we_can_see_closes_its_pair),
	    TEST(a_flow_may_begin_again_after_its_odd_packet),
	    TEST(no_packet_is_dropped_and_harms_no_other),
	    TEST(a_tcp_header_that_cannot_be_goes_alone),
	    TEST(merging_can_be_switched_off_for_each_transport),
	    TEST(the_packets_of_a_frame_are_there_one_by_one),
	    TEST(no_payload_byte_is_copied),
	    TEST(a_burst_knows_nothing_of_the_last_one),
	    TEST(the_key_decides_a_flows_bucket),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "worker/csum.h"
#include "worker/gso.h"

#include "tests/pipeline.h"
#include "tests/reference.h"

static uint8_t frame[VNET_LEN + PACKET_MAX];
static struct list packets;

static int
setup(void **state)
{
	(void)state;
	csum_init();
	memset(frame, 0, sizeof(frame));
	return 0;
}

/* Before csum_init sums are portable ones, which fill all of 64 bits. */
static int
setup_portable(void **state)
{
	(void)state;
	assert_string_equal(csum_name(), "portable");
	memset(frame, 0, sizeof(frame));
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	list_clear(&packets);
	return 0;
}

/* A superpacket of n segments, the last one smaller. */
static struct packet_spec
super_spec(uint8_t version, uint8_t proto, uint16_t size, size_t n)
{
	struct packet_spec s = packet_default(version, proto);

	s.payload = n * size - size / 3;
	s.sums = SUM_PARTIAL;
	return s;
}

/* NULL, or why so many bytes of the frame are dropped. */
static const char *
split(size_t len)
{
	const char *dropped;
	const char *wrong = pipeline_split(frame, len, &packets, &dropped);

	if (wrong != NULL)
		fail_msg("%s", wrong);
	return dropped;
}

static const char *
split_as(const struct packet_spec *s, const struct vnet_spec *v)
{
	list_clear(&packets);
	return split(frame_build(v, s, frame));
}

static void
must_split(const struct packet_spec *s, const struct vnet_spec *v, size_t n)
{
	assert_null(split_as(s, v));
	assert_int_equal(packets.count, n);
	for (size_t i = 0; i < n; i++) {
		const char *why =
		    ref_check(packets.items[i].data, packets.items[i].len);

		if (why != NULL)
			fail_msg("packet %zu: %s", i, why);
	}
}

static void
must_drop(
    const struct packet_spec *s, const struct vnet_spec *v, const char *reason)
{
	const char *got = split_as(s, v);

	assert_non_null(got);
	assert_string_equal(got, reason);
	assert_int_equal(packets.count, 0);
}

/* One packet, which is the spec's with a true checksum. */
static void
must_be_single(const struct packet_spec *s, const struct vnet_spec *v)
{
	static uint8_t wanted[PACKET_MAX];
	struct packet_spec whole = *s;
	size_t len;

	whole.sums &= (unsigned int)~SUM_PARTIAL;
	whole.trailing = 0;
	len = packet_build(&whole, wanted);
	assert_null(split_as(s, v));
	assert_int_equal(packets.count, 1);
	assert_int_equal(packets.items[0].len, len);
	assert_memory_equal(packets.items[0].data, wanted, len);
}

/* ---- superpackets ---- */

static void
a_superpacket_is_cut_at_gso_size(void **state)
{
	(void)state;
	EACH(version, proto)
	{
		struct packet_spec s = super_spec(version, proto, 1000, 5);
		struct vnet_spec v = vnet_for(&s, 1000);
		size_t headers = packet_headers(&s);

		must_split(&s, &v, 5);
		for (size_t i = 0; i < 5; i++) {
			const struct item *it = &packets.items[i];

			assert_int_equal(
			    it->len, headers + (i < 4 ? 1000 : 667));
			for (size_t b = headers; b < it->len; b++)
				assert_int_equal(it->data[b],
				    payload_byte(
					(uint32_t)(i * 1000 + b - headers)));
		}
	}
}

static void
each_segment_has_the_next_sequence_number(void **state)
{
	struct packet_spec s = super_spec(4, IPPROTO_TCP, 1448, 44);
	struct vnet_spec v = vnet_for(&s, 1448);

	(void)state;
	s.seq = 0xffffff00;
	must_split(&s, &v, 44);
	for (size_t i = 0; i < 44; i++)
		assert_int_equal(get32(packets.items[i].data + 24),
		    (uint32_t)(0xffffff00 + i * 1448));
}

static void
the_ipv4_id_rises_by_one_and_wraps(void **state)
{
	struct packet_spec s = super_spec(4, IPPROTO_UDP, 100, 4);
	struct vnet_spec v = vnet_for(&s, 100);

	(void)state;
	s.id = 0xfffe;
	must_split(&s, &v, 4);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(
		    get16(packets.items[i].data + 4), (uint16_t)(0xfffe + i));
}

static void
cwr_is_on_the_first_and_fin_and_psh_on_the_last(void **state)
{
	struct packet_spec s = super_spec(6, IPPROTO_TCP, 500, 3);
	struct vnet_spec v = vnet_for(&s, 500);

	(void)state;
	s.flags = TCP_ACK | TCP_CWR | TCP_ECE | TCP_FIN | TCP_PSH | TCP_URG;
	v.gso_type |= GSO_ECN;
	must_split(&s, &v, 3);
	assert_int_equal(
	    packets.items[0].data[53], TCP_ACK | TCP_CWR | TCP_ECE | TCP_URG);
	assert_int_equal(
	    packets.items[1].data[53], TCP_ACK | TCP_ECE | TCP_URG);
	assert_int_equal(packets.items[2].data[53],
	    TCP_ACK | TCP_ECE | TCP_URG | TCP_FIN | TCP_PSH);
}

static void
options_and_extension_headers_are_in_each_segment(void **state)
{
	struct packet_spec s = super_spec(6, IPPROTO_TCP, 1000, 3);
	struct vnet_spec v;

	(void)state;
	s.ext[0] = IPPROTO_HOPOPTS;
	s.ext[1] = IPPROTO_ROUTING;
	s.ext[2] = IPPROTO_DSTOPTS;
	s.ext_count = 3;
	s.ext_fill = 0x5a;
	s.tcp_options = 40;
	s.tcp_fill = 1;
	v = vnet_for(&s, 1000);
	must_split(&s, &v, 3);
	for (size_t i = 1; i < 3; i++) {
		assert_memory_equal(
		    packets.items[i].data + 40, packets.items[0].data + 40, 24);
		assert_memory_equal(packets.items[i].data + 40 + 24 + 20,
		    packets.items[0].data + 40 + 24 + 20, 40);
	}
	/* also where the checksum is there already */
	s.sums = 0;
	v.flags = 0;
	must_split(&s, &v, 3);
	s = super_spec(4, IPPROTO_TCP, 1000, 3);
	s.ip_options = 40;
	v = vnet_for(&s, 1000);
	must_split(&s, &v, 3);
	assert_int_equal(packets.items[2].data[0], 0x4f);
}

/*
 * Splits the frame of len bytes once the partial sum covers a destination that
 * is not the one in the IP header of ip bytes.
 */
static void
expect_sums_of_another_destination(size_t len, size_t ip, size_t l4)
{
	uint8_t final[40], *packet = frame + VNET_LEN;

	memcpy(final, packet, ip);
	final[ip - 1] ^= 0x77;
	put16(packet + l4 + 16,
	    ref_pseudo(final, IPPROTO_TCP, len - VNET_LEN - l4));
	assert_null(split(len));
	assert_int_equal(packets.count, 3);
	for (size_t i = 0; i < 3; i++) {
		const struct item *it = &packets.items[i];

		assert_int_equal(
		    ref_add(ref_pseudo(final, IPPROTO_TCP, it->len - l4),
			ref_sum(it->data + l4, it->len - l4)),
		    0xffff);
	}
}

/*
 * With segments left in a routing header the checksum covers the final
 * destination, which the tun's reader learns from the partial sum alone.
 */
static void
a_routing_header_keeps_the_final_destination_in_the_sum(void **state)
{
	struct packet_spec s = super_spec(6, IPPROTO_TCP, 1000, 3);
	struct vnet_spec v;
	size_t len;

	(void)state;
	s.ext[0] = IPPROTO_ROUTING;
	s.ext_count = 1;
	v = vnet_for(&s, 1000);
	len = frame_build(&v, &s, frame);
	frame[VNET_LEN + 40 + 3] = 1; /* segments left */
	expect_sums_of_another_destination(len, 40, 48);
}

/* So it is behind a source route: the header has the next hop (RFC 791). */
static void
a_source_route_keeps_the_final_destination_in_the_sum(void **state)
{
	struct packet_spec s = super_spec(4, IPPROTO_TCP, 1000, 3);
	struct vnet_spec v;

	(void)state;
	s.ip_options = 8;
	v = vnet_for(&s, 1000);
	expect_sums_of_another_destination(frame_build(&v, &s, frame), 20, 28);
}

static void
more_segments_than_a_batch_holds_are_all_there(void **state)
{
	(void)state;
	EACH(version, proto)
	{
		struct packet_spec s = super_spec(version, proto, 88, 700);
		struct vnet_spec v = vnet_for(&s, 88);

		must_split(&s, &v, 700);
		s.payload = 3000;
		v = vnet_for(&s, 1);
		must_split(&s, &v, 3000);
	}
}

static void
the_longest_superpackets_are_split(void **state)
{
	(void)state;
	EACH(version, proto)
	{
		struct packet_spec s = super_spec(version, proto, 1448, 40);
		struct vnet_spec v = vnet_for(&s, 1448);

		s.payload = 65535 - packet_headers(&s);
		must_split(&s, &v, (s.payload + 1447) / 1448);
	}
}

static void
hdr_len_is_not_believed(void **state)
{
	static const uint16_t lies[] = {0, 1, 53, 1000, 0xffff};

	(void)state;
	for (size_t i = 0; i < sizeof(lies) / sizeof(*lies); i++) {
		struct packet_spec s = super_spec(4, IPPROTO_TCP, 1000, 3);
		struct vnet_spec v = vnet_for(&s, 1000);

		v.hdr_len = lies[i];
		must_split(&s, &v, 3);
	}
}

static void
a_superpacket_without_needs_csum_is_split_all_the_same(void **state)
{
	struct packet_spec s = super_spec(4, IPPROTO_TCP, 1000, 3);
	struct vnet_spec v = vnet_for(&s, 1000);

	(void)state;
	v.flags = VNET_F_DATA_VALID;
	v.csum_start = v.csum_offset = 0;
	must_split(&s, &v, 3);
}

static void
a_udp_checksum_of_zero_becomes_ffff(void **state)
{
	struct packet_spec s = packet_default(6, IPPROTO_UDP);
	struct vnet_spec v = vnet_for(&s, 0);
	uint8_t *payload = frame + VNET_LEN + 48;
	size_t len;

	(void)state;
	/* single: the spec's first payload bytes make it so */
	s.sums = SUM_MINUS_ZERO | SUM_PARTIAL;
	assert_null(split_as(&s, &v));
	assert_int_equal(get16(packets.items[0].data + 46), 0xffff);
	/* and in a segment */
	s.sums = SUM_PARTIAL;
	s.payload = 3000;
	v = vnet_for(&s, 1000);
	must_split(&s, &v, 3);
	len = frame_build(&v, &s, frame);
	put16(payload + 1000,
	    ref_add(get16(payload + 1000), get16(packets.items[1].data + 46)));
	list_clear(&packets);
	assert_null(split(len));
	assert_int_equal(get16(packets.items[1].data + 46), 0xffff);
	assert_null(ref_check(packets.items[1].data, packets.items[1].len));
}

/* The frame splits into so many packets, with right checksums all. */
static void
expect_true_segments(size_t len, size_t count)
{
	list_clear(&packets);
	assert_null(split(len));
	assert_int_equal(packets.count, count);
	for (size_t i = 0; i < count; i++) {
		const char *why =
		    ref_check(packets.items[i].data, packets.items[i].len);

		if (why != NULL)
			fail_msg("packet %zu: %s", i, why);
	}
}

/*
 * A sum of 64-bit words that comes close to 2^64 must not lose the carry
 * when more is added to it.
 */
static void
header_sums_close_to_64_bits_keep_their_carry(void **state)
{
	(void)state;
	for (unsigned int low = 0; low < 4; low++) {
		struct packet_spec s = super_spec(4, IPPROTO_TCP, 1000, 3);
		struct vnet_spec v = vnet_for(&s, 1000);
		size_t len = frame_build(&v, &s, frame);
		uint8_t *ip = frame + VNET_LEN, *tcp = ip + 20;
		uint64_t word, rest;

		/* every bit above the low 16 of the sum is one */
		for (int i = 2; i < 8; i++)
			ip[8 + i] = (uint8_t)~ip[i];
		memset(ip + 16, 0, 4);
		ip[0 + 1] = (uint8_t)~ip[8 + 1];
		ip[8] = (uint8_t)(0xff - ip[0] - low);
		/* ports and sequence number take the TCP sum there too */
		memset(tcp, 0, 8);
		memcpy(&word, tcp + 8, 8);
		rest = csum_add(word, pkt_load32(tcp + 16));
		rest = csum_add(rest, pkt_load32(ip + 12));
		rest = csum_add(rest, csum_word(IPPROTO_TCP));
		word = UINT64_MAX - low - rest;
		memcpy(tcp, &word, 8);
		expect_true_segments(len, 3);
	}
}

static void
udp_header_sums_close_to_64_bits_keep_their_carry(void **state)
{
	(void)state;
	for (unsigned int low = 0; low < 4; low++) {
		struct packet_spec s = super_spec(4, IPPROTO_UDP, 1000, 3);
		struct vnet_spec v = vnet_for(&s, 1000);
		size_t len = frame_build(&v, &s, frame);
		uint8_t *ip = frame + VNET_LEN, *udp = ip + 20;
		uint64_t word, rest;

		/* which makes length and checksum 0xffff: they count nothing */
		rest = (uint64_t)pkt_load32(ip + 12) + pkt_load32(ip + 16) +
		       csum_word(IPPROTO_UDP);
		word = UINT64_MAX - low - rest;
		memcpy(udp, &word, 8);
		expect_true_segments(len, 3);
	}
}

/* Of ports and sequence number that bring the header's sum so close to 2^64. */
static void
take_sum_to(uint8_t *l4, size_t len, unsigned int below)
{
	uint64_t word;

	memset(l4, 0, 8);
	word = UINT64_MAX - below - csum_bytes_portable(l4, len);
	memcpy(l4, &word, 8);
}

static void
a_pseudo_header_that_takes_a_sum_beyond_64_bits_counts_whole(void **state)
{
	(void)state;
	EACH(version, proto)
	for (unsigned int below = 0; below < 4; below++) {
		struct packet_spec s = super_spec(version, proto, 1000, 3);
		struct vnet_spec v = vnet_for(&s, 1000);
		size_t len = frame_build(&v, &s, frame);

		take_sum_to(frame + VNET_LEN + packet_l4(&s),
		    packet_headers(&s) - packet_l4(&s), below);
		expect_true_segments(len, 3);
	}
}

/* One packet, whose checksum is computed anew for want of NEEDS_CSUM. */
static void
a_single_packets_pseudo_header_beyond_64_bits_counts_whole(void **state)
{
	(void)state;
	for (unsigned int below = 0; below < 4; below++) {
		struct packet_spec s = packet_default(4, IPPROTO_TCP);
		struct vnet_spec v = vnet_for(&s, 1000);
		uint8_t *tcp = frame + VNET_LEN + packet_l4(&s);
		size_t len;

		s.payload = 0;
		v.flags = 0;
		v.gso_type = GSO_TCPV4;
		len = frame_build(&v, &s, frame);
		put16(tcp + 16, 0);
		take_sum_to(tcp, 20, below);
		expect_true_segments(len, 1);
	}
}

/* Of ones alone: the sum of a payload is 2^64 - 1. */
static void
payload_sums_close_to_64_bits_keep_their_carry(void **state)
{
	(void)state;
	EACH(version, proto)
	{
		struct packet_spec s = super_spec(version, proto, 1000, 3);
		struct vnet_spec v = vnet_for(&s, 1000);
		size_t len = frame_build(&v, &s, frame);

		memset(frame + VNET_LEN + packet_headers(&s), 0xff, s.payload);
		expect_true_segments(len, 3);
	}
}

/* ---- single packets ---- */

static void
a_partial_checksum_is_completed(void **state)
{
	(void)state;
	EACH(version, proto)
	{
		struct packet_spec s = packet_default(version, proto);
		struct vnet_spec v = vnet_for(&s, 0);

		s.sums = SUM_PARTIAL;
		for (s.payload = 0; s.payload < 200; s.payload++)
			must_be_single(&s, &v);
	}
}

static void
without_needs_csum_a_packet_is_left_as_it_is(void **state)
{
	static const uint8_t flags[] = {0, VNET_F_DATA_VALID};
	static const unsigned int sums[] = {0, SUM_BAD_L4, SUM_BAD_IP};

	(void)state;
	for (size_t f = 0; f < 2; f++)
		for (size_t i = 0; i < 3; i++)
			EACH(version, proto)
			{
				struct packet_spec s =
				    packet_default(version, proto);
				struct vnet_spec v = {.flags = flags[f]};

				s.sums = sums[i];
				must_be_single(&s, &v);
			}
}

static void
trailing_bytes_are_trimmed_from_a_single_packet(void **state)
{
	(void)state;
	EACH(version, proto)
	{
		struct packet_spec s = packet_default(version, proto);
		struct vnet_spec v = vnet_for(&s, 0), none = {0};

		s.trailing = 17;
		must_be_single(&s, &none);
		s.sums = SUM_PARTIAL;
		must_be_single(&s, &v);
	}
}

/* Offsets that a whole TCP or UDP header contradicts. */
static void
offsets_that_are_off_do_not_harm_a_whole_packet(void **state)
{
	static const uint16_t lies[] = {
	    0, 1, 16, 19, 21, 39, 41, 60, 500, 0x7fff, 0xfffe, 0xffff};

	(void)state;
	for (size_t i = 0; i < sizeof(lies) / sizeof(*lies); i++)
		EACH(version, proto)
		{
			struct packet_spec s = packet_default(version, proto);
			struct vnet_spec v = vnet_for(&s, 0);

			if (proto == IPPROTO_UDP &&
			    lies[i] >= packet_headers(&s) && lies[i] <= 500)
				continue; /* a packet in a tunnel */
			s.sums = SUM_PARTIAL;
			v.csum_start = lies[i];
			must_be_single(&s, &v);
			v = vnet_for(&s, 0);
			v.csum_offset = (uint16_t)(lies[i] + 20);
			must_be_single(&s, &v);
		}
}

static void
offsets_that_are_off_do_not_harm_a_whole_superpacket(void **state)
{
	(void)state;
	EACH(version, proto)
	{
		struct packet_spec s = super_spec(version, proto, 1000, 3);
		struct vnet_spec v = vnet_for(&s, 1000);

		v.csum_start += 4;
		must_be_single(&s, &v);
		v.csum_start = 0xffff;
		must_be_single(&s, &v);
		v = vnet_for(&s, 1000);
		v.csum_offset = proto == IPPROTO_TCP ? 6 : 16;
		must_be_single(&s, &v);
	}
}

static void
a_gso_size_that_cuts_nothing_gives_one_packet(void **state)
{
	(void)state;
	EACH(version, proto)
	{
		struct packet_spec s = packet_default(version, proto);
		struct vnet_spec v = vnet_for(&s, 1000);

		s.sums = SUM_PARTIAL;
		must_be_single(&s, &v); /* just as long as the payload */
		s.sums = SUM_PARTIAL | SUM_BAD_IP;
		must_be_single(&s, &v); /* all else is left as it is */
		s.sums = SUM_PARTIAL;
		v.gso_size = 1001;
		must_be_single(&s, &v);
		v.gso_size = 0xffff;
		must_be_single(&s, &v);
		v.gso_size = 0;
		must_be_single(&s, &v);
		s.payload = 0;
		v.gso_size = 1;
		must_be_single(&s, &v);
	}
}

static void
a_type_that_contradicts_the_packet_gives_one_packet(void **state)
{
	static const uint8_t types[] = {GSO_TCPV4, GSO_TCPV6, GSO_UDP, GSO_UFO,
	    2, 6, 0x7f, GSO_ECN | GSO_UFO};

	(void)state;
	for (size_t i = 0; i < sizeof(types); i++)
		EACH(version, proto)
		{
			struct packet_spec s =
			    super_spec(version, proto, 1000, 3);
			struct vnet_spec v = vnet_for(&s, 1000);

			if (v.gso_type == types[i])
				continue;
			v.gso_type = types[i];
			must_be_single(&s, &v);
		}
}

static void
a_fragment_with_a_type_is_left_as_it_is(void **state)
{
	(void)state;
	EACH(version, proto)
	{
		struct packet_spec s = super_spec(version, proto, 1000, 3);
		struct vnet_spec v;
		uint8_t before[8192];
		size_t len;

		s.frag = version == 4 ? 0x2000 : 1;
		v = vnet_for(&s, 1000);
		len = packet_build(&s, before);
		assert_null(split_as(&s, &v));
		assert_int_equal(packets.count, 1);
		assert_int_equal(packets.items[0].len, len);
		assert_memory_equal(packets.items[0].data, before, len);
	}
}

static void
the_checksum_of_a_packet_in_a_tunnel_is_completed(void **state)
{
	struct packet_spec inner = packet_default(4, IPPROTO_TCP);
	struct packet_spec s = packet_default(4, IPPROTO_UDP);
	struct vnet_spec v = {.flags = VNET_F_NEEDS_CSUM,
	    .csum_start = 28 + 20,
	    .csum_offset = 16};
	size_t len;

	(void)state;
	inner.payload = 500;
	inner.sums = SUM_PARTIAL;
	s.payload = 540;
	s.sums = SUM_NONE;
	len = frame_build(&v, &s, frame);
	packet_build(&inner, frame + VNET_LEN + 28);
	list_clear(&packets);
	assert_null(split(len));
	assert_int_equal(packets.count, 1);
	assert_int_equal(get16(packets.items[0].data + 26), 0);
	assert_null(ref_check(packets.items[0].data + 28, 540));
}

/* It may begin where the payload does, and its checksum end where that does. */
static void
any_checksum_within_the_payload_is_completed(void **state)
{
	static const struct {
		uint16_t start, offset;
		size_t payload;
	} inner[] = {{28, 16, 540}, {28 + 20, 6, 28}};
	size_t len;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct packet_spec s = packet_default(4, IPPROTO_UDP);
		struct vnet_spec v = {.flags = VNET_F_NEEDS_CSUM,
		    .csum_start = inner[i].start,
		    .csum_offset = inner[i].offset};

		s.payload = inner[i].payload;
		s.sums = SUM_NONE;
		len = frame_build(&v, &s, frame);
		/* its pseudo-header may be of zeros */
		put16(frame + VNET_LEN + v.csum_start + v.csum_offset, 0);
		list_clear(&packets);
		assert_null(split(len));
		assert_int_equal(packets.count, 1);
		assert_int_equal(ref_sum(packets.items[0].data + inner[i].start,
				     28 + s.payload - inner[i].start),
		    0xffff);
	}
}

static void
another_protocol_has_its_checksum_completed(void **state)
{
	struct packet_spec s = packet_default(6, IPPROTO_ICMPV6);
	struct vnet_spec v = {
	    .flags = VNET_F_NEEDS_CSUM, .csum_start = 40, .csum_offset = 2};
	size_t len;

	(void)state;
	s.payload = 64;
	len = frame_build(&v, &s, frame);
	put16(frame + VNET_LEN + 42,
	    ref_pseudo(frame + VNET_LEN, IPPROTO_ICMPV6, 64));
	assert_null(split(len));
	assert_int_equal(
	    ref_add(ref_pseudo(packets.items[0].data, IPPROTO_ICMPV6, 64),
		ref_sum(packets.items[0].data + 40, 64)),
	    0xffff);
}

/*
 * What is done about a sum of zero depends on the field alone: UDP's in a
 * tunnel of another protocol becomes 0xffff, TCP's stays.
 */
static void
a_sum_of_zero_is_changed_for_udp_alone(void **state)
{
	struct packet_spec s = packet_default(4, IPPROTO_GRE);
	struct packet_spec tcp = packet_default(4, IPPROTO_TCP);
	struct vnet_spec v = {
	    .flags = VNET_F_NEEDS_CSUM, .csum_start = 24, .csum_offset = 6};
	uint8_t *p = frame + VNET_LEN;
	size_t len;

	(void)state;
	s.payload = 100;
	len = frame_build(&v, &s, frame);
	put16(p + 30, 0);
	put16(p + 30, (uint16_t)~ref_sum(p + 24, len - VNET_LEN - 24));
	assert_null(split(len));
	assert_int_equal(get16(packets.items[0].data + 30), 0xffff);
	list_clear(&packets);
	v = vnet_for(&tcp, 0);
	tcp.sums = SUM_PARTIAL;
	len = frame_build(&v, &tcp, frame);
	put16(p + 40, 0);
	put16(p + 40, (uint16_t)~ref_sum(p + 20, len - VNET_LEN - 20));
	assert_null(split(len));
	assert_int_equal(get16(packets.items[0].data + 36), 0);
}

/* ---- what is dropped ---- */

static void
a_frame_without_a_packet_is_short(void **state)
{
	(void)state;
	for (size_t len = 0; len <= VNET_LEN; len++) {
		const char *got = split(len);

		assert_non_null(got);
		assert_string_equal(got, "short");
		assert_int_equal(packets.count, 0);
	}
}

static void
a_frame_that_is_cut_anywhere_is_dropped(void **state)
{
	(void)state;
	EACH(version, proto)
	{
		struct packet_spec s = super_spec(version, proto, 100, 4);
		struct vnet_spec v = vnet_for(&s, 100);
		size_t len = frame_build(&v, &s, frame);

		list_clear(&packets);
		for (size_t n = 0; n < len; n++)
			assert_non_null(split(n));
		assert_int_equal(packets.count, 0);
	}
}

static void
must_be_as_the_reference(size_t len)
{
	struct list wanted = {0};
	const char *want = ref_split(frame, len, &wanted), *got;

	list_clear(&packets);
	got = split(len);
	assert_string_equal(got == NULL ? "" : got, want == NULL ? "" : want);
	assert_int_equal(packets.count, wanted.count);
	for (size_t i = 0; i < wanted.count; i++)
		assert_true(item_equal(&packets.items[i], &wanted.items[i]));
	list_clear(&wanted);
}

/* So that it is not the IP header that tells. */
static void
a_packet_that_ends_within_its_headers_is_dropped(void **state)
{
	(void)state;
	EACH(version, proto)
	{
		struct packet_spec s = super_spec(version, proto, 100, 4);
		struct vnet_spec v;
		size_t l4, headers, len;

		s.tcp_options = proto == IPPROTO_TCP ? 12 : 0;
		s.ext[0] = IPPROTO_DSTOPTS;
		s.ext_count = version == 6;
		v = vnet_for(&s, 100);
		len = frame_build(&v, &s, frame) - VNET_LEN;
		l4 = packet_l4(&s);
		headers = packet_headers(&s);
		for (size_t n = version == 4 ? 20 : 40; n <= len; n++) {
			frame_build(&v, &s, frame);
			put16(frame + VNET_LEN + (version == 4 ? 2 : 4),
			    (uint16_t)(n - (version == 4 ? 0 : 40)));
			must_be_as_the_reference(VNET_LEN + n);
			if (n < headers)
				assert_int_equal(packets.count, 0);
			else
				assert_true(packets.count > 0);
			if (n >= l4 && n < headers)
				assert_string_equal(
				    split(VNET_LEN + n), "header");
		}
	}
}

static void
another_version_is_dropped(void **state)
{
	struct packet_spec s = super_spec(4, IPPROTO_TCP, 1000, 3);
	struct vnet_spec v = vnet_for(&s, 1000);
	size_t len = frame_build(&v, &s, frame);
	const char *got;

	(void)state;
	frame[VNET_LEN] = 0x55;
	got = split(len);
	assert_non_null(got);
	assert_string_equal(got, "version");
}

static void
a_gso_frame_with_another_length_is_dropped(void **state)
{
	(void)state;
	EACH(version, proto)
	{
		struct packet_spec s = super_spec(version, proto, 1000, 3);
		struct vnet_spec v = vnet_for(&s, 1000);

		s.trailing = 1;
		must_drop(&s, &v, "length");
		v.gso_type = GSO_UFO;
		must_drop(&s, &v, "length");
	}
}

static void
a_tcp_header_that_cannot_be_is_dropped(void **state)
{
	struct packet_spec s = super_spec(4, IPPROTO_TCP, 1000, 3);
	struct vnet_spec v = vnet_for(&s, 1000);
	size_t len;

	(void)state;
	for (uint8_t words = 0; words < 5; words++) {
		const char *got;

		len = frame_build(&v, &s, frame);
		frame[VNET_LEN + 32] = (uint8_t)(words << 4);
		got = split(len);
		assert_non_null(got);
		assert_string_equal(got, "header");
	}
	s.payload = 4;
	v.gso_size = 1;
	len = frame_build(&v, &s, frame);
	frame[VNET_LEN + 32] = 0xf0; /* beyond the packet */
	assert_non_null(split(len));
	assert_int_equal(packets.count, 0);
}

static void
offsets_outside_another_protocol_are_dropped(void **state)
{
	static const struct {
		uint16_t start, offset;
		bool fits;
	} table[] = {{20, 2, true}, {20, 98, true}, {118, 0, true},
	    {19, 2, false}, {0, 2, false}, {20, 99, false}, {119, 0, false},
	    {118, 1, false}, {0xffff, 0xffff, false}, {0xffff, 0, false},
	    {20, 0xffff, false}, {0xfff0, 0x20, false}};
	struct packet_spec s = packet_default(4, IPPROTO_ICMP);

	(void)state;
	s.payload = 100;
	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
		struct vnet_spec v = {.flags = VNET_F_NEEDS_CSUM,
		    .csum_start = table[i].start,
		    .csum_offset = table[i].offset};

		if (table[i].fits)
			assert_null(split_as(&s, &v));
		else
			must_drop(&s, &v, "checksum");
	}
}

/* ---- the batch ---- */

/* A frame that is dropped leaves those before and behind it alone. */
static void
an_odd_frame_does_not_harm_its_neighbours(void **state)
{
	static struct batch batch;
	struct packet_spec s = super_spec(4, IPPROTO_TCP, 1000, 3);
	struct vnet_spec v = vnet_for(&s, 1000);
	uint8_t raw[3][4096];
	struct gso gso;

	(void)state;
	memset(&batch, 0, sizeof(batch));
	for (size_t i = 0; i < 3; i++) {
		struct vnet_hdr hdr;
		uint8_t *data = raw[i] + VNET_LEN;
		enum pkt_drop drop;
		size_t len;

		len = frame_build(&v, &s, raw[i]) - VNET_LEN;
		if (i == 1)
			data[2] = 0xff; /* its length */
		vnet_decode(raw[i], &hdr);
		drop = gso_start(&gso, data, len, &hdr);
		assert_int_equal(drop, i == 1 ? PKT_LENGTH : PKT_OK);
		if (drop == PKT_OK)
			assert_true(gso_next(&gso, &batch));
	}
	assert_int_equal(batch.count, 6);
	for (size_t i = 0; i < 6; i++) {
		const struct seg *g = &batch.segs[i];
		uint8_t whole[2048];

		assert_true(seg_len(g) <= sizeof(whole));
		memcpy(whole, g->hdr, g->hdr_len);
		memcpy(whole + g->hdr_len, g->data, g->data_len);
		assert_null(ref_check(whole, seg_len(g)));
	}
}

/* What is built in the frame is to be split: the packet's length. */
static size_t
start(struct gso *gso, const struct vnet_spec *v, const struct packet_spec *s)
{
	size_t len = frame_build(v, s, frame) - VNET_LEN;
	struct vnet_hdr hdr;

	vnet_decode(frame, &hdr);
	assert_int_equal(gso_start(gso, frame + VNET_LEN, len, &hdr), PKT_OK);
	return len;
}

static void
no_payload_byte_is_copied(void **state)
{
	static struct batch batch;
	struct packet_spec s = super_spec(6, IPPROTO_UDP, 1000, 9);
	struct vnet_spec v = vnet_for(&s, 1000);
	struct gso gso;

	(void)state;
	memset(&batch, 0, sizeof(batch));
	start(&gso, &v, &s);
	assert_true(gso_next(&gso, &batch));
	assert_int_equal(batch.count, 9);
	for (size_t i = 0; i < 9; i++) {
		assert_ptr_equal(
		    batch.segs[i].data, frame + VNET_LEN + 48 + 1000 * i);
		assert_int_equal(batch.segs[i].hdr_len, 48);
	}
}

/* Exactly as many as there is room for, then the rest. */
static void
a_full_batch_is_told_and_nothing_is_lost(void **state)
{
	static struct batch batch;
	struct packet_spec s = super_spec(4, IPPROTO_UDP, 100, 1);
	struct vnet_spec v;
	struct gso gso;

	(void)state;
	for (size_t n = BATCH_PACKETS - 1; n <= BATCH_PACKETS + 1; n++) {
		bool done;

		memset(&batch, 0, sizeof(batch));
		s.payload = 100 * n;
		v = vnet_for(&s, 100);
		start(&gso, &v, &s);
		done = gso_next(&gso, &batch);
		assert_int_equal(done, n <= BATCH_PACKETS);
		if (done) {
			assert_int_equal(batch.count, n);
			continue;
		}
		assert_int_equal(batch.count, BATCH_PACKETS);
		assert_false(gso_next(&gso, &batch));
		assert_int_equal(batch.count, BATCH_PACKETS);
		batch.count = batch.used = 0;
		assert_true(gso_next(&gso, &batch));
		assert_int_equal(batch.count, n - BATCH_PACKETS);
	}
}

static void
a_single_packet_waits_for_a_full_batch(void **state)
{
	static struct batch batch;
	struct packet_spec s = packet_default(4, IPPROTO_UDP);
	struct vnet_spec v = {0};
	struct gso gso;
	size_t len;

	(void)state;
	batch.count = BATCH_PACKETS;
	len = start(&gso, &v, &s);
	assert_false(gso_next(&gso, &batch));
	assert_int_equal(batch.count, BATCH_PACKETS);
	batch.count = batch.used = 0;
	assert_true(gso_next(&gso, &batch));
	assert_int_equal(batch.count, 1);
	assert_int_equal(seg_len(&batch.segs[0]), len);
}

/* Not a byte behind it is written, nor is one left over. */
static void
the_room_for_headers_is_used_to_its_end(void **state)
{
	static struct batch batch;
	struct packet_spec s = super_spec(4, IPPROTO_UDP, 100, 3);
	struct vnet_spec v = vnet_for(&s, 100);
	struct gso gso;

	(void)state;
	batch.used = BATCH_HEADERS - 64;
	start(&gso, &v, &s);
	assert_false(gso_next(&gso, &batch));
	assert_int_equal(batch.count, 1);
	assert_int_equal(batch.used, BATCH_HEADERS);
	batch.count = batch.used = 0;
	assert_true(gso_next(&gso, &batch));
	assert_int_equal(batch.count, 2);
}

/* Headers longer than a cache line fill the batch's headers first. */
static void
long_headers_fill_the_batch_without_loss(void **state)
{
	struct packet_spec s = super_spec(6, IPPROTO_TCP, 10, 200);
	struct vnet_spec v;

	(void)state;
	s.tcp_options = 40;
	s.ext[0] = s.ext[1] = s.ext[2] = IPPROTO_DSTOPTS;
	s.ext_count = 3;
	v = vnet_for(&s, 10);
	must_split(&s, &v, 200);
}

/* A UDP superpacket of n segments behind ext bytes of one option header. */
static void
split_behind(size_t ext, uint16_t size, size_t n)
{
	struct packet_spec s = packet_default(6, IPPROTO_UDP);
	uint8_t *p = frame + VNET_LEN;
	struct vnet_spec v;

	s.payload = n * size;
	s.sums = SUM_PARTIAL;
	v = vnet_for(&s, size);
	v.csum_start = (uint16_t)(40 + ext);
	frame_build(&v, &s, frame);
	memmove(p + 40 + ext, p + 40, 8 + s.payload);
	memset(p + 40, 0, ext);
	p[6] = IPPROTO_DSTOPTS;
	/* several headers where one cannot be as long */
	for (size_t at = 0; at < ext;) {
		size_t left = ext - at, len = left > 2048 ? 2048 : left;

		p[40 + at] = left > 2048 ? IPPROTO_DSTOPTS : IPPROTO_UDP;
		p[41 + at] = (uint8_t)(len / 8 - 1);
		at += len;
	}
	put16(p + 4, (uint16_t)(ext + 8 + s.payload));
	list_clear(&packets);
	assert_null(split(VNET_LEN + 40 + ext + 8 + s.payload));
	for (size_t i = 0; i < packets.count; i++)
		assert_null(
		    ref_check(packets.items[i].data, packets.items[i].len));
}

static void
long_extension_headers_are_in_each_segment(void **state)
{
	(void)state;
	for (size_t ext = 8; ext <= 2000; ext += 8) {
		split_behind(ext, 50, 20);
		assert_int_equal(packets.count, 20);
	}
	split_behind(2000, 50, 100);
	assert_int_equal(packets.count, 100);
}

/* Headers that a batch could not hold: one packet, and an end of the loop. */
static void
headers_beyond_any_reason_are_not_copied(void **state)
{
	static const size_t exts[] = {2008, 4096, 16384, 20000, 60000};

	(void)state;
	for (size_t i = 0; i < sizeof(exts) / sizeof(*exts); i++) {
		split_behind(exts[i], 50, 100);
		assert_int_equal(packets.count, 1);
	}
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
#define PORTABLE(f) cmocka_unit_test_setup_teardown(f, setup_portable, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    PORTABLE(header_sums_close_to_64_bits_keep_their_carry),
	    PORTABLE(udp_header_sums_close_to_64_bits_keep_their_carry),
	    PORTABLE(payload_sums_close_to_64_bits_keep_their_carry),
	    PORTABLE(
		a_pseudo_header_that_takes_a_sum_beyond_64_bits_counts_whole),
	    PORTABLE(
		a_single_packets_pseudo_header_beyond_64_bits_counts_whole),
	    TEST(a_superpacket_is_cut_at_gso_size),
	    TEST(each_segment_has_the_next_sequence_number),
	    TEST(the_ipv4_id_rises_by_one_and_wraps),
	    TEST(cwr_is_on_the_first_and_fin_and_psh_on_the_last),
	    TEST(options_and_extension_headers_are_in_each_segment),
	    TEST(a_routing_header_keeps_the_final_destination_in_the_sum),
	    TEST(a_source_route_keeps_the_final_destination_in_the_sum),
	    TEST(more_segments_than_a_batch_holds_are_all_there),
	    TEST(the_longest_superpackets_are_split),
	    TEST(hdr_len_is_not_believed),
	    TEST(a_superpacket_without_needs_csum_is_split_all_the_same),
	    TEST(a_udp_checksum_of_zero_becomes_ffff),
	    TEST(header_sums_close_to_64_bits_keep_their_carry),
	    TEST(udp_header_sums_close_to_64_bits_keep_their_carry),
	    TEST(payload_sums_close_to_64_bits_keep_their_carry),
	    TEST(a_partial_checksum_is_completed),
	    TEST(without_needs_csum_a_packet_is_left_as_it_is),
	    TEST(trailing_bytes_are_trimmed_from_a_single_packet),
	    TEST(offsets_that_are_off_do_not_harm_a_whole_packet),
	    TEST(offsets_that_are_off_do_not_harm_a_whole_superpacket),
	    TEST(a_gso_size_that_cuts_nothing_gives_one_packet),
	    TEST(a_type_that_contradicts_the_packet_gives_one_packet),
	    TEST(a_fragment_with_a_type_is_left_as_it_is),
	    TEST(the_checksum_of_a_packet_in_a_tunnel_is_completed),
	    TEST(any_checksum_within_the_payload_is_completed),
	    TEST(another_protocol_has_its_checksum_completed),
	    TEST(a_sum_of_zero_is_changed_for_udp_alone),
	    TEST(a_frame_without_a_packet_is_short),
	    TEST(a_frame_that_is_cut_anywhere_is_dropped),
	    TEST(a_packet_that_ends_within_its_headers_is_dropped),
	    TEST(another_version_is_dropped),
	    TEST(a_gso_frame_with_another_length_is_dropped),
	    TEST(a_tcp_header_that_cannot_be_is_dropped),
	    TEST(offsets_outside_another_protocol_are_dropped),
	    TEST(an_odd_frame_does_not_harm_its_neighbours),
	    TEST(no_payload_byte_is_copied),
	    TEST(a_full_batch_is_told_and_nothing_is_lost),
	    TEST(a_single_packet_waits_for_a_full_batch),
	    TEST(the_room_for_headers_is_used_to_its_end),
	    TEST(long_headers_fill_the_batch_without_loss),
	    TEST(long_extension_headers_are_in_each_segment),
	    TEST(headers_beyond_any_reason_are_not_copied),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

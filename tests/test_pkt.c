#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "worker/pkt.h"

#include "tests/packets.h"

static enum pkt_drop
parse_beside(const uint8_t *data, size_t len, enum guard side, struct pkt *pkt)
{
	uint8_t *p = guard_copy(data, len, side);
	enum pkt_drop drop = pkt_parse(p, len, pkt);

	guard_free(p, len);
	return drop;
}

/* Parsed where a read before the start, then behind the end, would fault. */
static enum pkt_drop
parse(const uint8_t *data, size_t len, struct pkt *pkt)
{
	enum pkt_drop drop = parse_beside(data, len, GUARD_FRONT, pkt);

	assert_int_equal(parse_beside(data, len, GUARD_END, pkt), drop);
	return drop;
}

static struct pkt
parse_spec(const struct packet_spec *s)
{
	static uint8_t buf[PACKET_MAX];
	struct pkt pkt = {0};

	assert_int_equal(parse(buf, packet_build(s, buf), &pkt), PKT_OK);
	return pkt;
}

static void
offsets_are_those_of_the_headers(void **state)
{
	struct packet_spec s;
	struct pkt pkt;

	(void)state;
	for (uint8_t version = 4; version <= 6; version += 2) {
		s = packet_default(version, IPPROTO_TCP);
		s.tcp_options = 12;
		pkt = parse_spec(&s);
		assert_int_equal(pkt.version, version);
		assert_int_equal(pkt.proto, IPPROTO_TCP);
		assert_int_equal(pkt.l4, packet_l4(&s));
		assert_int_equal(pkt.l4_len, 32);
		assert_int_equal(pkt.len, packet_headers(&s) + s.payload);
		assert_false(pkt.fragment);
		assert_false(pkt.extended);
		s = packet_default(version, IPPROTO_UDP);
		s.payload = 0;
		pkt = parse_spec(&s);
		assert_int_equal(pkt.l4_len, 8);
		assert_int_equal(pkt.len, packet_headers(&s));
	}
}

static void
addresses_are_where_they_should_be(void **state)
{
	struct packet_spec s = packet_default(4, IPPROTO_UDP);
	uint8_t buf[2048];
	struct pkt pkt;

	(void)state;
	assert_int_equal(pkt_parse(buf, packet_build(&s, buf), &pkt), PKT_OK);
	assert_int_equal(pkt_src(buf, &pkt)[3], 1);
	assert_int_equal(pkt_dst(buf, &pkt)[3], 2);
	s.version = 6;
	assert_int_equal(pkt_parse(buf, packet_build(&s, buf), &pkt), PKT_OK);
	assert_int_equal(pkt_src(buf, &pkt)[15], 1);
	assert_int_equal(pkt_dst(buf, &pkt)[15], 2);
}

static void
every_length_short_of_the_packet_is_told(void **state)
{
	(void)state;
	for (uint8_t version = 4; version <= 6; version += 2) {
		struct packet_spec s = packet_default(version, IPPROTO_TCP);
		size_t ip = version == 4 ? 20 : 40, len;
		uint8_t buf[2048];
		struct pkt pkt;

		s.payload = 10;
		len = packet_build(&s, buf);
		for (size_t n = 0; n < len; n++)
			assert_int_equal(parse(buf, n, &pkt),
			    n < ip ? PKT_SHORT : PKT_LENGTH);
		assert_int_equal(parse(buf, len, &pkt), PKT_OK);
	}
}

static void
a_drop_leaves_the_result_alone(void **state)
{
	const uint8_t junk[40] = {0x30};
	struct pkt pkt = {.l4 = 77}, before = pkt;

	(void)state;
	assert_int_equal(parse(junk, sizeof(junk), &pkt), PKT_VERSION);
	assert_memory_equal(&pkt, &before, sizeof(pkt));
}

static void
only_versions_4_and_6_are_ip(void **state)
{
	struct packet_spec s = packet_default(4, IPPROTO_UDP);
	uint8_t buf[2048];
	size_t len = packet_build(&s, buf);
	struct pkt pkt;

	(void)state;
	for (unsigned int version = 0; version < 16; version++) {
		if (version == 4 || version == 6)
			continue;
		buf[0] = (uint8_t)(version << 4 | 5);
		assert_int_equal(parse(buf, len, &pkt), PKT_VERSION);
		assert_int_equal(parse(buf, 1, &pkt), PKT_VERSION);
	}
}

static void
an_ihl_below_five_or_beyond_the_packet_is_short(void **state)
{
	struct packet_spec s = packet_default(4, IPPROTO_UDP);
	uint8_t buf[2048];
	struct pkt pkt;

	(void)state;
	s.payload = 0;
	packet_build(&s, buf);
	for (uint8_t ihl = 0; ihl < 16; ihl++) {
		enum pkt_drop wanted = PKT_OK;

		if (ihl < 5 || 4 * ihl > 28)
			wanted = PKT_SHORT;
		buf[0] = 0x40 | ihl;
		assert_int_equal(parse(buf, 28, &pkt), wanted);
	}
}

static void
a_length_that_cannot_be_is_told(void **state)
{
	struct packet_spec s = packet_default(4, IPPROTO_UDP);
	uint8_t buf[2048];
	size_t len = packet_build(&s, buf);
	struct pkt pkt;

	(void)state;
	put16(buf + 2, (uint16_t)(len + 1));
	assert_int_equal(parse(buf, len, &pkt), PKT_LENGTH);
	put16(buf + 2, 0xffff);
	assert_int_equal(parse(buf, len, &pkt), PKT_LENGTH);
	put16(buf + 2, 19);
	assert_int_equal(parse(buf, len, &pkt), PKT_LENGTH);
	put16(buf + 2, 0);
	assert_int_equal(parse(buf, len, &pkt), PKT_LENGTH);
	s.version = 6;
	len = packet_build(&s, buf);
	put16(buf + 4, (uint16_t)(len - 40 + 1));
	assert_int_equal(parse(buf, len, &pkt), PKT_LENGTH);
	put16(buf + 4, 0xffff);
	assert_int_equal(parse(buf, len, &pkt), PKT_LENGTH);
}

static void
trailing_bytes_are_not_of_the_packet(void **state)
{
	(void)state;
	for (uint8_t version = 4; version <= 6; version += 2) {
		struct packet_spec s = packet_default(version, IPPROTO_UDP);
		struct pkt pkt;

		s.trailing = 9;
		pkt = parse_spec(&s);
		assert_int_equal(pkt.len, packet_headers(&s) + s.payload);
	}
}

static void
ipv4_options_are_stepped_over(void **state)
{
	struct packet_spec s = packet_default(4, IPPROTO_TCP);

	(void)state;
	for (s.ip_options = 4; s.ip_options <= 40; s.ip_options += 4) {
		struct pkt pkt = parse_spec(&s);

		assert_int_equal(pkt.l4, 20 + s.ip_options);
		assert_int_equal(pkt.l4_len, 20);
		assert_true(pkt.extended);
	}
}

static void
ipv6_extension_headers_are_stepped_over(void **state)
{
	struct packet_spec s = packet_default(6, IPPROTO_UDP);
	struct pkt pkt;

	(void)state;
	s.ext[0] = IPPROTO_HOPOPTS;
	s.ext[1] = IPPROTO_ROUTING;
	s.ext[2] = IPPROTO_DSTOPTS;
	for (s.ext_count = 1; s.ext_count <= 3; s.ext_count++) {
		pkt = parse_spec(&s);
		assert_int_equal(pkt.l4, 40u + 8 * s.ext_count);
		assert_int_equal(pkt.proto, IPPROTO_UDP);
		assert_int_equal(pkt.l4_len, 8);
		assert_true(pkt.extended);
		assert_false(pkt.fragment);
	}
}

/* The length of an extension header that points outside, and the cuts. */
static void
an_extension_header_that_is_cut_hides_the_transport(void **state)
{
	struct packet_spec s = packet_default(6, IPPROTO_UDP);
	uint8_t buf[2048];
	struct pkt pkt;

	(void)state;
	s.ext[0] = IPPROTO_DSTOPTS;
	s.ext_count = 1;
	s.payload = 20;
	for (size_t n = 40; n < 48; n++) {
		packet_build(&s, buf);
		put16(buf + 4, (uint16_t)(n - 40));
		assert_int_equal(parse(buf, n, &pkt), PKT_OK);
		assert_int_equal(pkt.l4_len, 0);
		assert_int_not_equal(pkt.proto, IPPROTO_UDP);
		assert_true(pkt.l4 <= pkt.len);
	}
	for (unsigned int size = 4; size < 256; size++) {
		size_t len = packet_build(&s, buf);

		buf[41] = (uint8_t)size;
		assert_int_equal(parse(buf, len, &pkt), PKT_OK);
		assert_int_equal(pkt.l4_len, 0);
		assert_true(pkt.l4 <= pkt.len);
	}
}

static void
a_chain_without_end_ends_with_the_packet(void **state)
{
	uint8_t buf[40 + 8 * 150] = {0x60};
	struct pkt pkt;

	(void)state;
	put16(buf + 4, sizeof(buf) - 40);
	buf[6] = IPPROTO_DSTOPTS;
	for (size_t at = 40; at < sizeof(buf); at += 8)
		buf[at] = IPPROTO_DSTOPTS;
	assert_int_equal(parse(buf, sizeof(buf), &pkt), PKT_OK);
	assert_int_equal(pkt.l4_len, 0);
	assert_true(pkt.l4 <= pkt.len);
}

static void
fragments_have_no_transport_header(void **state)
{
	static const uint16_t ipv4[] = {0x2000, 0x2001, 0x0001, 0x1fff};
	static const uint16_t ipv6[] = {0x0001, 0x0008, 0xfff9};
	struct packet_spec s = packet_default(4, IPPROTO_TCP);
	struct pkt pkt;

	(void)state;
	for (size_t i = 0; i < sizeof(ipv4) / sizeof(*ipv4); i++) {
		s.frag = ipv4[i];
		pkt = parse_spec(&s);
		assert_true(pkt.fragment);
		assert_int_equal(pkt.l4_len, 0);
	}
	s = packet_default(6, IPPROTO_TCP);
	for (size_t i = 0; i < sizeof(ipv6) / sizeof(*ipv6); i++) {
		s.frag = ipv6[i];
		pkt = parse_spec(&s);
		assert_true(pkt.fragment);
		assert_int_equal(pkt.l4_len, 0);
	}
	s = packet_default(4, IPPROTO_TCP); /* DF alone makes no fragment */
	pkt = parse_spec(&s);
	assert_false(pkt.fragment);
}

static void
a_data_offset_that_cannot_be_is_no_header(void **state)
{
	struct packet_spec s = packet_default(4, IPPROTO_TCP);
	uint8_t buf[2048];
	size_t len;
	struct pkt pkt;

	(void)state;
	s.payload = 10;
	len = packet_build(&s, buf);
	for (uint8_t words = 0; words < 16; words++) {
		bool fits = words >= 5 && 4 * words <= 30;

		buf[20 + 12] = (uint8_t)(words << 4);
		assert_int_equal(parse(buf, len, &pkt), PKT_OK);
		assert_int_equal(pkt.l4_len, fits ? 4 * words : 0);
	}
}

static void
a_transport_header_that_is_cut_is_no_header(void **state)
{
	static const uint8_t protos[] = {IPPROTO_TCP, IPPROTO_UDP};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		for (uint8_t version = 4; version <= 6; version += 2) {
			struct packet_spec s =
			    packet_default(version, protos[i]);
			size_t whole = packet_headers(&s);
			uint8_t buf[2048];
			struct pkt pkt;

			for (size_t n = packet_l4(&s); n < whole; n++) {
				packet_build(&s, buf);
				put16(buf + (version == 4 ? 2 : 4),
				    (uint16_t)(n - (version == 4 ? 0 : 40)));
				assert_int_equal(parse(buf, n, &pkt), PKT_OK);
				assert_int_equal(pkt.l4_len, 0);
				assert_int_equal(pkt.len, n);
			}
		}
	}
}

static void
other_protocols_have_no_transport_header(void **state)
{
	static const uint8_t protos[] = {
	    IPPROTO_ICMP, IPPROTO_ESP, IPPROTO_SCTP, IPPROTO_NONE, 255};

	(void)state;
	for (size_t i = 0; i < sizeof(protos); i++) {
		struct packet_spec s = packet_default(6, protos[i]);
		struct pkt pkt = parse_spec(&s);

		assert_int_equal(pkt.proto, protos[i]);
		assert_int_equal(pkt.l4_len, 0);
		assert_int_equal(pkt.l4, 40);
	}
}

static void
the_longest_packets_are_parsed(void **state)
{
	struct packet_spec s = packet_default(4, IPPROTO_UDP);
	struct pkt pkt;

	(void)state;
	s.payload = 65535 - 28;
	pkt = parse_spec(&s);
	assert_int_equal(pkt.len, 65535);
	s = packet_default(6, IPPROTO_UDP);
	s.payload = 65535 - 8;
	pkt = parse_spec(&s);
	assert_int_equal(pkt.len, 65575);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(offsets_are_those_of_the_headers),
	    cmocka_unit_test(addresses_are_where_they_should_be),
	    cmocka_unit_test(every_length_short_of_the_packet_is_told),
	    cmocka_unit_test(a_drop_leaves_the_result_alone),
	    cmocka_unit_test(only_versions_4_and_6_are_ip),
	    cmocka_unit_test(an_ihl_below_five_or_beyond_the_packet_is_short),
	    cmocka_unit_test(a_length_that_cannot_be_is_told),
	    cmocka_unit_test(trailing_bytes_are_not_of_the_packet),
	    cmocka_unit_test(ipv4_options_are_stepped_over),
	    cmocka_unit_test(ipv6_extension_headers_are_stepped_over),
	    cmocka_unit_test(
		an_extension_header_that_is_cut_hides_the_transport),
	    cmocka_unit_test(a_chain_without_end_ends_with_the_packet),
	    cmocka_unit_test(fragments_have_no_transport_header),
	    cmocka_unit_test(a_data_offset_that_cannot_be_is_no_header),
	    cmocka_unit_test(a_transport_header_that_is_cut_is_no_header),
	    cmocka_unit_test(other_protocols_have_no_transport_header),
	    cmocka_unit_test(the_longest_packets_are_parsed),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

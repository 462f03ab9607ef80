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

#include "tests/packets.h"
#include "tests/reference.h"

/*
 * What gro_continue takes unparsed, and what it does not; that the frames are
 * the same either way is held by every other test of the coalescer
 * (tests/pipeline.c).
 */
#define PACKETS_MAX 64

static struct gro gro;
static enum guard guard; /* on which side of what is sent */
static struct item sent[PACKETS_MAX];
static size_t sent_count;

static int
setup(void **state)
{
	const enum guard *initial = *state;
	uint32_t key[GRO_KEY_WORDS];

	guard = *initial;
	csum_init();
	arc4random_buf(key, sizeof(key));
	gro_init(&gro, key);
	return 0;
}

static void
forget(void)
{
	gro_reset(&gro);
	for (; sent_count > 0; sent_count--)
		guard_free(sent[sent_count - 1].data, sent[sent_count - 1].len);
}

static int
teardown(void **state)
{
	(void)state;
	forget();
	return 0;
}

/* Bytes that stay for the burst, at a guard page. */
static const uint8_t *
keep(const uint8_t *data, size_t len)
{
	assert_true(sent_count < PACKETS_MAX);
	sent[sent_count].data = guard_copy(data, len, guard);
	sent[sent_count].len = len;
	return sent[sent_count++].data;
}

/* As the pipeline does.  Was it taken unparsed? */
static bool
give(const struct packet_spec *s)
{
	static uint8_t buf[PACKET_MAX];
	size_t len = packet_build(s, buf);
	const uint8_t *data = keep(buf, len);
	struct pkt pkt;

	if (gro_continue(&gro, data, len))
		return true;
	assert_int_equal(pkt_parse(data, len, &pkt), PKT_OK);
	gro_push(&gro, data, len, &pkt);
	return false;
}

static void
all_of_a_run_but_the_first_continues_it(void **state)
{
	(void)state;
	EACH(version, proto)
	{
		struct packet_spec s = packet_default(version, proto);

		for (int i = 0; i < 20; i++, packet_next(&s))
			assert_int_equal(give(&s), i > 0);
		assert_int_equal(gro_count(&gro), 1);
		forget();
	}
}

static void
extension_headers_are_continued_too(void **state)
{
	(void)state;
	for (uint8_t n = 1; n <= 3; n++) {
		struct packet_spec s = packet_default(6, IPPROTO_UDP);

		s.ext_count = n;
		s.ext[0] = s.ext[1] = s.ext[2] = IPPROTO_DSTOPTS;
		for (int i = 0; i < 3; i++, packet_next(&s))
			assert_int_equal(give(&s), i > 0);
		s.ext_fill++;
		assert_false(give(&s));
		assert_int_equal(gro_count(&gro), 2);
		forget();
	}
}

static void
flows_that_take_turns_are_continued_once_each_has_begun(void **state)
{
	(void)state;
	EACH(version, proto)
	{
		struct packet_spec s = packet_default(version, proto);

		for (int round = 0; round < 4; round++, packet_next(&s))
			for (int flow = 0; flow < 8; flow++) {
				s.sport = (uint16_t)(1000 + flow);
				s.dst = (uint8_t)(1 + flow);
				assert_int_equal(give(&s), round > 0);
			}
		assert_int_equal(gro_count(&gro), 8);
		forget();
	}
}

static void
other_headers_are_not_taken(void **state)
{
	(void)state;
	EACH(version, proto)
	{
		for (int what = 0; what < 8; what++) {
			struct packet_spec s = packet_default(version, proto);

			give(&s);
			packet_next(&s);
			switch (what) {
			case 0:
				s.src++;
				break;
			case 1:
				s.dst++;
				break;
			case 2:
				s.sport++;
				break;
			case 3:
				s.dport++;
				break;
			case 4:
				s.ttl++;
				break;
			case 5:
				s.tos++;
				break;
			case 6:
				s.trailing = 1;
				break;
			case 7:
				s.payload++;
				break;
			}
			assert_false(give(&s));
			assert_int_equal(gro_count(&gro), 2);
			forget();
		}
	}
}

/* Nothing but bytes: whatever they are, nothing beyond them is looked at. */
static void
a_packet_cut_anywhere_is_not_taken(void **state)
{
	uint8_t buf[PACKET_MAX];

	(void)state;
	EACH(version, proto)
	{
		struct packet_spec s = packet_default(version, proto);
		size_t len;

		s.payload = 40;
		give(&s);
		packet_next(&s);
		len = packet_build(&s, buf);
		for (size_t cut = 0; cut < len; cut++) {
			uint8_t *data = guard_copy(buf, cut, guard);

			assert_false(gro_continue(&gro, data, cut));
			guard_free(data, cut);
		}
		assert_true(give(&s));
		forget();
	}
}

/*
 * Checksums as the first packet's addresses want them, so that it is for the
 * comparison of headers alone to tell that a bit was turned over.
 */
static void
make_sums_right(
    const struct packet_spec *s, const uint8_t *was, uint8_t *data, size_t len)
{
	size_t l4 = packet_l4(s), size = len - l4;
	uint8_t *field = data + l4 + (s->proto == IPPROTO_TCP ? 16 : 6);
	uint16_t pseudo = ref_pseudo(was, s->proto, size);

	if (s->version == 4) {
		put16(data + 10, 0);
		put16(data + 10, (uint16_t)~ref_sum(data, 20));
	}
	put16(field, 0);
	put16(field, (uint16_t)~ref_add(pseudo, ref_sum(data + l4, size)));
}

/* Checksums, which are made right again, and TCP's PSH. */
static bool
may_differ(const struct packet_spec *s, size_t at, unsigned int bit)
{
	size_t l4 = packet_l4(s);

	if (s->proto == IPPROTO_TCP && at == l4 + 13)
		return 1u << bit == TCP_PSH;
	return (s->version == 4 && at / 2 == 10 / 2) ||
	       at / 2 == (l4 + (s->proto == IPPROTO_TCP ? 16 : 6)) / 2;
}

/* A bit turned over in the third packet: by then it is known how IDs go on. */
static void
turn_over(const struct packet_spec *first, size_t at, unsigned int bit)
{
	static uint8_t was[PACKET_MAX], buf[PACKET_MAX];
	struct packet_spec s = *first;
	const uint8_t *data;
	size_t len;

	for (int i = 0; i < 2; i++, packet_next(&s))
		give(&s);
	len = packet_build(&s, was);
	memcpy(buf, was, len);
	buf[at] ^= (uint8_t)(1u << bit);
	make_sums_right(&s, was, buf, len);
	data = keep(buf, len);
	if (gro_continue(&gro, data, len) != may_differ(&s, at, bit))
		fail_msg("IPv%u, protocol %u: bit %u of byte %zu", s.version,
		    s.proto, bit, at);
	forget();
}

static void
every_bit_of_the_headers_counts(void **state)
{
	(void)state;
	EACH(version, proto)
	{
		for (uint8_t more = 0; more <= 3; more++) {
			struct packet_spec s = packet_default(version, proto);

			if (proto == IPPROTO_TCP)
				s.tcp_options = 4 * more;
			if (version == 6)
				s.ext_count = more;
			s.ext[0] = s.ext[1] = s.ext[2] = IPPROTO_DSTOPTS;
			for (size_t at = 0; at < packet_headers(&s); at++)
				for (unsigned int bit = 0; bit < 8; bit++)
					turn_over(&s, at, bit);
		}
	}
}

/* An item behind which another of its flow has begun takes nothing. */
static void
nothing_overtakes(void **state)
{
	struct packet_spec s = packet_default(4, IPPROTO_TCP), late;

	(void)state;
	assert_false(give(&s));
	packet_next(&s);
	late = s;
	packet_next(&s);
	assert_false(give(&s));
	assert_false(give(&late));
	assert_int_equal(gro_count(&gro), 3);
	packet_next(&s);
	assert_false(give(&s));
	assert_int_equal(gro_count(&gro), 4);
}

static void
a_burst_begins_with_nothing_known(void **state)
{
	(void)state;
	EACH(version, proto)
	{
		struct packet_spec s = packet_default(version, proto), other;

		for (int i = 0; i < 4; i++, packet_next(&s))
			give(&s);
		forget();
		assert_false(give(&s));
		forget();
		/* guesses are as the burst before left them */
		other = packet_default(version, proto);
		other.sport = 7;
		assert_false(give(&other));
		packet_next(&s);
		assert_false(give(&s));
		packet_next(&s);
		assert_true(give(&s));
		assert_int_equal(gro_count(&gro), 2);
		forget();
	}
}

static void
another_ip_version_between_them_does_no_harm(void **state)
{
	struct packet_spec four = packet_default(4, IPPROTO_TCP);
	struct packet_spec six = packet_default(6, IPPROTO_UDP);

	(void)state;
	for (int i = 0; i < 4; i++, packet_next(&four), packet_next(&six)) {
		give(&four);
		give(&six);
	}
	assert_int_equal(gro_count(&gro), 2);
}

static enum guard sides[GUARD_COUNT] = {GUARD_END, GUARD_FRONT};

#define TEST(f, side)                                           \
	{                                                       \
		.name = #f " (" #side ")", .test_func = (f),    \
		.setup_func = setup, .teardown_func = teardown, \
		.initial_state = &sides[side]                   \
	}
#define BOTH(f) TEST(f, GUARD_END), TEST(f, GUARD_FRONT)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    BOTH(all_of_a_run_but_the_first_continues_it),
	    BOTH(extension_headers_are_continued_too),
	    BOTH(flows_that_take_turns_are_continued_once_each_has_begun),
	    BOTH(other_headers_are_not_taken),
	    BOTH(a_packet_cut_anywhere_is_not_taken),
	    BOTH(every_bit_of_the_headers_counts),
	    BOTH(nothing_overtakes),
	    BOTH(a_burst_begins_with_nothing_known),
	    BOTH(another_ip_version_between_them_does_no_harm),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

#include <sys/mman.h>

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "worker/csum.h"

#include "tests/bursts.h"
#include "tests/reference.h"

#define LENGTHS 2049
#define ALIGNMENTS 64

static const struct csum_impl *impls;
static size_t impl_count;

static int
setup(void **state)
{
	(void)state;
	csum_init();
	impl_count = csum_impls(&impls);
	return 0;
}

/* The folded sum as a number; sums are kept in memory order. */
static uint16_t
folded(uint64_t sum)
{
	uint8_t raw[2];

	pkt_store16(raw, csum_fold(sum));
	return get16(raw);
}

static void
fill(uint8_t *p, size_t len, uint64_t seed)
{
	struct random r = {seed};

	for (size_t i = 0; i < len; i++)
		p[i] = (uint8_t)random_next(&r);
}

static void
check(const uint8_t *p, size_t len, uint16_t wanted)
{
	for (size_t i = 0; i < impl_count; i++) {
		uint16_t got = folded(impls[i].bytes(p, len));

		if (got != wanted)
			fail_msg("%s: %zu bytes at %zu give %04x, not %04x",
			    impls[i].name, len, (size_t)(uintptr_t)p % 64, got,
			    wanted);
	}
	assert_int_equal(folded(csum_bytes(p, len)), wanted);
	assert_int_equal(folded(csum_bytes_portable(p, len)), wanted);
}

static void
the_reference_knows_the_example_of_rfc_1071(void **state)
{
	const uint8_t example[] = {
	    0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7};
	const uint8_t header[] = {0x45, 0, 0, 0x73, 0, 0, 0x40, 0, 0x40, 0x11,
	    0xb8, 0x61, 192, 168, 0, 1, 192, 168, 0, 199};

	(void)state;
	assert_int_equal(ref_sum(example, sizeof(example)), 0xddf2);
	assert_int_equal(ref_sum(header, sizeof(header)), 0xffff);
	check(example, sizeof(example), 0xddf2);
	check(header, sizeof(header), 0xffff);
}

/* In that order, of what this CPU has; what it lacks is not tested here. */
static size_t
expect_vectors(void)
{
	size_t at = 1;

#if defined(__x86_64__)
	const struct {
		const char *name;
		bool here;
	} vectors[] = {{"avx2", __builtin_cpu_supports("avx2")},
	    {"avx512-vnni", __builtin_cpu_supports("avx512bw") &&
				__builtin_cpu_supports("avx512vl") &&
				__builtin_cpu_supports("avx512vnni") &&
				__builtin_cpu_supports("bmi2")}};

	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		if (!vectors[i].here) {
			print_message("# this CPU cannot do %s: not tested\n",
			    vectors[i].name);
			continue;
		}
		assert_true(at < impl_count);
		assert_string_equal(impls[at++].name, vectors[i].name);
	}
#elif defined(__aarch64__) && defined(__AARCH64EL__)
	assert_true(at < impl_count);
	assert_string_equal(impls[at++].name, "neon");
#endif
	return at;
}

static void
the_list_begins_portable_and_ends_with_the_chosen_one(void **state)
{
	(void)state;
	assert_true(impl_count >= 1);
	assert_string_equal(impls[0].name, "portable");
	assert_int_equal(impl_count, expect_vectors());
	assert_string_equal(csum_name(), impls[impl_count - 1].name);
	print_message("# %s is chosen\n", csum_name());
}

static void
each_is_right_at_every_length_and_alignment(void **state)
{
	static uint8_t data[LENGTHS];
	static uint8_t room[LENGTHS + ALIGNMENTS]
	    __attribute__((aligned(ALIGNMENTS)));

	(void)state;
	fill(data, sizeof(data), 1);
	for (size_t len = 0; len < LENGTHS; len++) {
		uint16_t wanted = ref_sum(data, len);

		for (size_t at = 0; at < ALIGNMENTS; at++) {
			memset(room, 0xff, sizeof(room));
			memcpy(room + at, data, len);
			check(room + at, len, wanted);
		}
	}
}

/* Pages that cannot be touched lie on both sides. */
static void
none_reads_beyond_either_end(void **state)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	uint8_t *p =
	    mmap(NULL, 3 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)state;
	assert_ptr_not_equal(p, MAP_FAILED);
	assert_int_equal(mprotect(p + page, page, PROT_READ | PROT_WRITE), 0);
	fill(p + page, page, 2);
	for (size_t len = 0; len < LENGTHS; len++) {
		check(p + page, len, ref_sum(p + page, len));
		check(
		    p + 2 * page - len, len, ref_sum(p + 2 * page - len, len));
	}
	munmap(p, 3 * page);
}

static void
nothing_overflows_in_the_longest_packet(void **state)
{
	static uint8_t data[65535 + 40];

	(void)state;
	memset(data, 0xff, sizeof(data));
	for (size_t len = sizeof(data) - 200; len <= sizeof(data); len++)
		check(data, len, ref_sum(data, len));
	for (size_t i = 0; i < sizeof(data); i += 2)
		data[i] = 0;
	check(data, sizeof(data), ref_sum(data, sizeof(data)));
	check(data + 1, 65535, ref_sum(data + 1, 65535));
}

static void
random_long_ones_are_right(void **state)
{
	static uint8_t data[65535];
	struct random r = {5};

	(void)state;
	fill(data, sizeof(data), 3);
	for (int i = 0; i < 200; i++) {
		size_t at = random_below(&r, 4096);
		size_t len = random_below(&r, (uint32_t)(sizeof(data) - at));

		check(data + at, len, ref_sum(data + at, len));
	}
}

static void
zeros_sum_to_zero_and_nothing_else_does(void **state)
{
	uint8_t data[256] = {0};

	(void)state;
	check(data, sizeof(data), 0);
	data[0] = data[8] = 0xff;
	data[1] = data[9] = 0xff;
	check(data, sizeof(data), 0xffff);
}

static void
fold_keeps_the_rest_by_65535(void **state)
{
	const uint64_t sums[] = {1, 0xffff, 0x10000, 0xffffffff, 0x100000000,
	    0xffffffffffff, UINT64_MAX - 1, UINT64_MAX, 0x8000000000000000,
	    0xfffffffeffffffff, 0xffff0000ffff0000};

	(void)state;
	assert_int_equal(csum_fold(0), 0);
	for (size_t i = 0; i < sizeof(sums) / sizeof(*sums); i++) {
		uint16_t got = csum_fold(sums[i]);

		assert_int_not_equal(got, 0);
		assert_int_equal(got % 65535, sums[i] % 65535);
	}
}

static void
add_brings_the_carry_round(void **state)
{
	(void)state;
	assert_int_equal(csum_add(UINT64_MAX, 1), 1);
	assert_true(csum_add(UINT64_MAX, UINT64_MAX) == UINT64_MAX);
	assert_int_equal(csum_add(2, 3), 5);
}

static void
word_is_a_number_in_memory_order(void **state)
{
	const uint8_t raw[] = {0x12, 0x34};

	(void)state;
	assert_int_equal(folded(csum_word(0x1234)), 0x1234);
	assert_true(csum_word(0x1234) == csum_bytes(raw, sizeof(raw)));
}

/* ---- checksums of packets ---- */

static const struct {
	uint8_t version, proto, options;
	size_t payload;
} kinds[] = {{4, IPPROTO_TCP, 0, 1448}, {4, IPPROTO_TCP, 12, 0},
    {4, IPPROTO_UDP, 0, 1}, {6, IPPROTO_TCP, 12, 1428}, {6, IPPROTO_UDP, 0, 0},
    {6, IPPROTO_UDP, 0, 7}, {4, IPPROTO_TCP, 40, 65000},
    {6, IPPROTO_UDP, 0, 65527}};

static bool
transport_ok(const uint8_t *buf, const struct pkt *p)
{
	return csum_transport_ok(
	    csum_pseudo(buf, p), buf + p->l4, p->len - p->l4);
}

static void
transport_checksums_are_told_and_set(void **state)
{
	static uint8_t buf[PACKET_MAX], again[PACKET_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		struct packet_spec s =
		    packet_default(kinds[i].version, kinds[i].proto);
		struct pkt pkt;
		size_t len;

		s.tcp_options = kinds[i].options;
		s.payload = kinds[i].payload;
		len = packet_build(&s, buf);
		assert_int_equal(pkt_parse(buf, len, &pkt), PKT_OK);
		assert_true(transport_ok(buf, &pkt));
		if (s.version == 4)
			assert_true(csum_ipv4_ok(buf));
		memcpy(again, buf, len);
		memset(
		    again + packet_l4(&s) + (s.proto == IPPROTO_TCP ? 16 : 6),
		    0x77, 2);
		assert_false(transport_ok(again, &pkt));
		csum_transport_set(again, &pkt);
		assert_memory_equal(buf, again, len);
		/* any one bit is noticed */
		again[len - 1] ^= 0x10;
		assert_false(transport_ok(again, &pkt));
		again[len - 1] ^= 0x10;
		again[8 + 4 * (s.version == 4)] ^= 1;
		assert_false(transport_ok(again, &pkt));
	}
}

/* Of any bytes: sums of 64-bit words, of which some carry. */
static void
a_right_ipv4_header_checksum_is_told(void **state)
{
	uint8_t buf[20];

	(void)state;
	for (uint64_t seed = 0; seed < 1000; seed++) {
		fill(buf, sizeof(buf), seed);
		put16(buf + 10, 0);
		put16(buf + 10, (uint16_t)~ref_sum(buf, sizeof(buf)));
		assert_true(csum_ipv4_ok(buf));
	}
}

static void
a_wrong_ipv4_header_checksum_is_told(void **state)
{
	struct packet_spec s = packet_default(4, IPPROTO_UDP);
	uint8_t buf[2048];

	(void)state;
	packet_build(&s, buf);
	assert_true(csum_ipv4_ok(buf));
	for (size_t bit = 0; bit < (size_t)20 * 8; bit++) {
		buf[bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_false(csum_ipv4_ok(buf));
		buf[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	/* nothing behind it counts */
	buf[20] ^= 1;
	assert_true(csum_ipv4_ok(buf));
}

static void
a_udp_checksum_of_zero_is_stored_as_ffff(void **state)
{
	(void)state;
	for (uint8_t version = 4; version <= 6; version += 2) {
		struct packet_spec s = packet_default(version, IPPROTO_UDP);
		uint8_t buf[2048];
		struct pkt pkt;
		size_t len;

		s.sums = SUM_MINUS_ZERO;
		len = packet_build(&s, buf);
		assert_int_equal(get16(buf + packet_l4(&s) + 6), 0xffff);
		assert_int_equal(pkt_parse(buf, len, &pkt), PKT_OK);
		put16(buf + pkt.l4 + 6, 0x1234);
		csum_transport_set(buf, &pkt);
		assert_int_equal(get16(buf + pkt.l4 + 6), 0xffff);
		assert_true(transport_ok(buf, &pkt));
	}
}

static void
a_tcp_checksum_of_zero_stays_zero(void **state)
{
	struct packet_spec s = packet_default(4, IPPROTO_TCP);
	uint8_t buf[2048];
	struct pkt pkt;
	size_t len;

	(void)state;
	s.sums = SUM_MINUS_ZERO;
	len = packet_build(&s, buf);
	assert_int_equal(pkt_parse(buf, len, &pkt), PKT_OK);
	csum_transport_set(buf, &pkt);
	assert_int_equal(get16(buf + pkt.l4 + 16), 0);
	assert_true(transport_ok(buf, &pkt));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_reference_knows_the_example_of_rfc_1071),
	    cmocka_unit_test(
		the_list_begins_portable_and_ends_with_the_chosen_one),
	    cmocka_unit_test(each_is_right_at_every_length_and_alignment),
	    cmocka_unit_test(none_reads_beyond_either_end),
	    cmocka_unit_test(nothing_overflows_in_the_longest_packet),
	    cmocka_unit_test(random_long_ones_are_right),
	    cmocka_unit_test(zeros_sum_to_zero_and_nothing_else_does),
	    cmocka_unit_test(fold_keeps_the_rest_by_65535),
	    cmocka_unit_test(add_brings_the_carry_round),
	    cmocka_unit_test(word_is_a_number_in_memory_order),
	    cmocka_unit_test(transport_checksums_are_told_and_set),
	    cmocka_unit_test(a_right_ipv4_header_checksum_is_told),
	    cmocka_unit_test(a_wrong_ipv4_header_checksum_is_told),
	    cmocka_unit_test(a_udp_checksum_of_zero_is_stored_as_ffff),
	    cmocka_unit_test(a_tcp_checksum_of_zero_stays_zero),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, setup, NULL);
}

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "worker/prefix.h"

#include "tests/bursts.h"

static void
insert(struct prefix_table *t, const char *text, uint16_t value)
{
	struct prefix p;

	assert_int_equal(prefix_parse(text, &p), 0);
	assert_int_equal(prefix_table_insert(t, &p, value), 0);
}

static uint16_t
lookup(const struct prefix_table *t, const char *text)
{
	struct addr a;

	assert_int_equal(addr_parse(text, &a), 0);
	return prefix_table_lookup(t, a.family, a.bytes);
}

static int
setup(void **state)
{
	*state = prefix_table_new(64);
	return *state == NULL ? -1 : 0;
}

static int
teardown(void **state)
{
	prefix_table_free(*state);
	return 0;
}

static void
an_empty_table_matches_nothing(void **state)
{
	assert_int_equal(lookup(*state, "10.0.0.1"), PREFIX_NONE);
	assert_int_equal(lookup(*state, "0.0.0.0"), PREFIX_NONE);
	assert_int_equal(lookup(*state, "::"), PREFIX_NONE);
	assert_int_equal(lookup(*state, "ffff::1"), PREFIX_NONE);
}

static void
the_longest_prefix_wins_in_any_order(void **state)
{
	insert(*state, "10.9.0.0/24", 3);
	insert(*state, "0.0.0.0/0", 1);
	insert(*state, "10.9.0.7/32", 4);
	insert(*state, "10.0.0.0/8", 2);
	assert_int_equal(lookup(*state, "192.0.2.1"), 1);
	assert_int_equal(lookup(*state, "10.200.0.1"), 2);
	assert_int_equal(lookup(*state, "10.9.0.6"), 3);
	assert_int_equal(lookup(*state, "10.9.0.7"), 4);
	assert_int_equal(lookup(*state, "10.9.1.7"), 2);
	assert_int_equal(lookup(*state, "11.0.0.0"), 1);
	assert_int_equal(lookup(*state, "fd09::1"), PREFIX_NONE);
}

static void
ipv6_prefixes_of_every_length_are_told_apart(void **state)
{
	struct prefix p;
	uint8_t addr[16];

	assert_int_equal(
	    prefix_parse("fd09:1234:5678:9abc:def0:1111:2222:3333", &p), 0);
	prefix_table_free(*state);
	*state = prefix_table_new(200);
	for (unsigned int len = 0; len <= 128; len++) {
		p.len = (uint8_t)len;
		assert_int_equal(
		    prefix_table_insert(*state, &p, (uint16_t)len), 0);
	}
	/* an address that differs first in bit n matches n bits */
	for (unsigned int n = 0; n < 128; n++) {
		memcpy(addr, p.addr.bytes, sizeof(addr));
		addr[n / 8] ^= (uint8_t)(0x80 >> n % 8);
		assert_int_equal(prefix_table_lookup(*state, 6, addr), n);
	}
	assert_int_equal(prefix_table_lookup(*state, 6, p.addr.bytes), 128);
}

static void
the_two_families_do_not_meet(void **state)
{
	insert(*state, "::/0", 1);
	assert_int_equal(lookup(*state, "10.0.0.1"), PREFIX_NONE);
	assert_int_equal(lookup(*state, "a00:1::"), 1);
	insert(*state, "10.0.0.0/8", 2);
	assert_int_equal(lookup(*state, "a00:1::"), 1);
	assert_int_equal(lookup(*state, "10.0.0.1"), 2);
}

static void
host_bits_count_for_nothing(void **state)
{
	insert(*state, "10.9.8.7/13", 5);
	assert_int_equal(lookup(*state, "10.8.0.0"), 5);
	assert_int_equal(lookup(*state, "10.15.255.255"), 5);
	assert_int_equal(lookup(*state, "10.16.0.0"), PREFIX_NONE);
	assert_int_equal(lookup(*state, "10.7.255.255"), PREFIX_NONE);
}

static void
the_last_insertion_of_a_prefix_wins(void **state)
{
	insert(*state, "10.0.0.0/9", 1);
	insert(*state, "10.0.0.0/9", 2);
	assert_int_equal(lookup(*state, "10.1.1.1"), 2);
	insert(*state, "0.0.0.0/0", 3);
	insert(*state, "0.0.0.0/0", 4);
	assert_int_equal(lookup(*state, "11.1.1.1"), 4);
}

static void
clear_forgets_all_and_gives_the_room_back(void **state)
{
	for (int round = 0; round < 200; round++) {
		insert(*state, "fd09::1/128", 1);
		insert(*state, "10.0.0.0/8", 2);
		insert(*state, "0.0.0.0/0", 3);
		prefix_table_clear(*state);
		assert_int_equal(lookup(*state, "fd09::1"), PREFIX_NONE);
		assert_int_equal(lookup(*state, "10.0.0.1"), PREFIX_NONE);
	}
	/* nor does anything of it come back below what takes its place */
	insert(*state, "fd09::1/128", 1);
	prefix_table_clear(*state);
	insert(*state, "2001:db8::/32", 2);
	assert_int_equal(lookup(*state, "2d09::1"), PREFIX_NONE);
}

static void
a_full_table_refuses_and_keeps_what_it_has(void **state)
{
	struct prefix_table *t = prefix_table_new(1);
	struct prefix p;

	(void)state;
	assert_non_null(t);
	insert(t, "fd09::1/128", 1);
	assert_int_equal(prefix_parse("2001:db8::1/128", &p), 0);
	assert_int_equal(prefix_table_insert(t, &p, 2), -1);
	assert_int_equal(lookup(t, "fd09::1"), 1);
	assert_int_equal(lookup(t, "2001:db8::1"), PREFIX_NONE);
	prefix_table_clear(t);
	/* to the last node: one more prefix, and no second */
	insert(t, "fd09::1/128", 1);
	insert(t, "2000::/8", 3);
	assert_int_equal(prefix_parse("3000::/8", &p), 0);
	assert_int_equal(prefix_table_insert(t, &p, 4), -1);
	prefix_table_free(t);
}

/* ---- against a list that is looked through from end to end ---- */

#define MANY 500

static uint16_t
linear(const struct prefix *p, size_t n, const struct addr *a)
{
	uint16_t best = PREFIX_NONE;
	int len = -1;

	for (size_t i = 0; i < n; i++) {
		if (p[i].addr.family != a->family || p[i].len < len)
			continue;
		size_t bits = 0;
		while (bits < p[i].len &&
		       ((p[i].addr.bytes[bits / 8] ^ a->bytes[bits / 8]) &
			   0x80 >> bits % 8) == 0)
			bits++;
		if (bits == p[i].len) {
			best = (uint16_t)i;
			len = p[i].len;
		}
	}
	return best;
}

/* Few distinct bits, so that prefixes overlap and look-ups match. */
static void
pick_addr(struct random *r, struct addr *a)
{
	memset(a, 0, sizeof(*a));
	a->family = random_percent(r, 50) ? 4 : 6;
	for (size_t i = 0; i < (a->family == 4 ? 4 : 16); i++)
		a->bytes[i] =
		    (uint8_t)(random_percent(r, 70) ? 0x0a
						    : 1u << random_below(r, 8));
}

static void
random_tables_agree_with_a_linear_search(void **state)
{
	static struct prefix p[MANY];
	struct random r = {1};

	(void)state;
	for (int round = 0; round < 20; round++) {
		struct prefix_table *t = prefix_table_new(MANY);
		size_t n = 1 + random_below(&r, MANY);

		assert_non_null(t);
		for (size_t i = 0; i < n; i++) {
			pick_addr(&r, &p[i].addr);
			p[i].len = (uint8_t)random_below(
			    &r, addr_bits(&p[i].addr) + 1);
			assert_int_equal(
			    prefix_table_insert(t, &p[i], (uint16_t)i), 0);
		}
		for (int i = 0; i < 2000; i++) {
			struct addr a;

			pick_addr(&r, &a);
			assert_int_equal(
			    prefix_table_lookup(t, a.family, a.bytes),
			    linear(p, n, &a));
		}
		prefix_table_free(t);
	}
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(an_empty_table_matches_nothing),
	    TEST(the_longest_prefix_wins_in_any_order),
	    TEST(ipv6_prefixes_of_every_length_are_told_apart),
	    TEST(the_two_families_do_not_meet),
	    TEST(host_bits_count_for_nothing),
	    TEST(the_last_insertion_of_a_prefix_wins),
	    TEST(clear_forgets_all_and_gives_the_room_back),
	    TEST(a_full_table_refuses_and_keeps_what_it_has),
	    cmocka_unit_test(random_tables_agree_with_a_linear_search),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

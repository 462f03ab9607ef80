#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "worker/peer.h"

#define SLOTS 4

static struct peers ps;
static struct counters counters;

static struct prefix
prefix(const char *text)
{
	struct prefix p;

	assert_int_equal(prefix_parse(text, &p), 0);
	return p;
}

static int
add_prefix(size_t slot, const char *text)
{
	struct prefix p = prefix(text);

	return peers_add_prefix(&ps, slot, &p);
}

static struct peer *
lookup(const char *text)
{
	struct addr a;

	assert_int_equal(addr_parse(text, &a), 0);
	return peers_lookup(&ps, a.family, a.bytes);
}

static bool
source_ok(size_t slot, const char *text)
{
	struct addr a;

	assert_int_equal(addr_parse(text, &a), 0);
	return peers_source_ok(&ps, &ps.peer[slot], a.family, a.bytes);
}

/* Slots 0 to 2 have sockets, 3 has none. */
static int
setup(void **state)
{
	(void)state;
	memset(&counters, 0, sizeof(counters));
	assert_int_equal(peers_init(&ps, SLOTS, 16, &counters), 0);
	for (int i = 0; i < 3; i++)
		ps.peer[i].fd = 100 + i;
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	prefix_table_free(ps.table);
	prefix_table_free(ps.next_table);
	return 0;
}

/* Two peers: the second one's addresses are a part of the first one's. */
static void
commit_two(void)
{
	peers_begin(&ps);
	assert_int_equal(peers_add(&ps, 0, 4), 0);
	assert_int_equal(peers_add(&ps, 1, 6), 0);
	assert_int_equal(add_prefix(0, "10.0.0.0/8"), 0);
	assert_int_equal(add_prefix(1, "10.9.0.0/16"), 0);
	assert_int_equal(add_prefix(0, "10.9.9.9/32"), 0);
	assert_int_equal(add_prefix(0, "fd09::/16"), 0);
	assert_int_equal(add_prefix(1, "fd09:1::/32"), 0);
	assert_int_equal(peers_commit(&ps), 0);
}

static void
at_first_there_is_nobody(void **state)
{
	(void)state;
	assert_null(lookup("10.9.0.1"));
	assert_null(lookup("fd09::1"));
	for (size_t i = 0; i < SLOTS; i++) {
		assert_false(ps.peer[i].active);
		assert_false(source_ok(i, "10.9.0.1"));
		/* a comparison with an address that was never seen */
		assert_false(source_ok(i, "0.0.0.0"));
		assert_false(source_ok(i, "::"));
		assert_int_equal(ps.peer[i].slot, i);
		assert_ptr_equal(ps.peer[i].counters, &counters.peers[i]);
	}
}

static void
nothing_is_added_before_begin(void **state)
{
	(void)state;
	assert_int_equal(peers_add(&ps, 0, 4), -1);
	assert_int_equal(add_prefix(0, "10.0.0.0/8"), -1);
	assert_int_equal(peers_commit(&ps), -1);
	commit_two();
	assert_int_equal(peers_add(&ps, 2, 4), -1);
	assert_int_equal(add_prefix(0, "10.0.0.0/8"), -1);
	assert_int_equal(peers_commit(&ps), -1);
}

static void
a_peer_needs_a_slot_with_a_socket(void **state)
{
	(void)state;
	peers_begin(&ps);
	assert_int_equal(peers_add(&ps, 3, 4), -1);
	assert_int_equal(peers_add(&ps, SLOTS, 4), -1);
	assert_int_equal(peers_add(&ps, LIMIT_SLOTS, 4), -1);
	assert_int_equal(peers_add(&ps, SIZE_MAX, 4), -1);
	assert_int_equal(peers_add(&ps, 0, 4), 0);
	assert_int_equal(peers_add(&ps, 0, 4), -1);
}

static void
a_prefix_needs_a_peer(void **state)
{
	(void)state;
	peers_begin(&ps);
	assert_int_equal(peers_add(&ps, 0, 4), 0);
	assert_int_equal(add_prefix(1, "10.0.0.0/8"), -1);
	assert_int_equal(add_prefix(SLOTS, "10.0.0.0/8"), -1);
	assert_int_equal(add_prefix(SIZE_MAX, "10.0.0.0/8"), -1);
	assert_int_equal(add_prefix(0, "10.0.0.0/8"), 0);
}

static void
too_many_prefixes_are_refused(void **state)
{
	struct prefix p = prefix("10.0.0.0/32");
	int refused = 0;

	(void)state;
	peers_begin(&ps);
	assert_int_equal(peers_add(&ps, 0, 4), 0);
	/* each takes nodes of its own */
	for (unsigned int i = 0; i < 4096 && !refused; i++) {
		p.addr.bytes[0] = (uint8_t)(i >> 4);
		p.addr.bytes[1] = (uint8_t)(i << 4);
		if (peers_add_prefix(&ps, 0, &p) == -1)
			refused = 1;
	}
	assert_true(refused);
}

static void
the_new_table_holds_from_commit(void **state)
{
	(void)state;
	peers_begin(&ps);
	assert_int_equal(peers_add(&ps, 0, 4), 0);
	assert_int_equal(add_prefix(0, "10.0.0.0/8"), 0);
	assert_null(lookup("10.9.0.1"));
	assert_false(ps.peer[0].active);
	assert_int_equal(peers_commit(&ps), 0);
	assert_ptr_equal(lookup("10.9.0.1"), &ps.peer[0]);
	assert_true(ps.peer[0].active);
	assert_false(ps.peer[1].active);
	/* and the old one until the next */
	peers_begin(&ps);
	assert_int_equal(peers_add(&ps, 1, 4), 0);
	assert_int_equal(add_prefix(1, "10.0.0.0/8"), 0);
	assert_ptr_equal(lookup("10.9.0.1"), &ps.peer[0]);
	assert_true(source_ok(0, "10.9.0.1"));
	assert_int_equal(peers_commit(&ps), 0);
	assert_ptr_equal(lookup("10.9.0.1"), &ps.peer[1]);
	assert_false(ps.peer[0].active);
	assert_false(source_ok(0, "10.9.0.1"));
}

static void
begin_again_forgets_what_was_begun(void **state)
{
	(void)state;
	peers_begin(&ps);
	assert_int_equal(peers_add(&ps, 0, 4), 0);
	assert_int_equal(add_prefix(0, "10.0.0.0/8"), 0);
	peers_begin(&ps);
	assert_int_equal(add_prefix(0, "10.0.0.0/8"), -1);
	assert_int_equal(peers_add(&ps, 1, 4), 0);
	assert_int_equal(peers_commit(&ps), 0);
	assert_null(lookup("10.9.0.1"));
	assert_false(ps.peer[0].active);
	assert_true(ps.peer[1].active);
}

static void
an_empty_table_ends_every_peer(void **state)
{
	(void)state;
	commit_two();
	peers_begin(&ps);
	assert_int_equal(peers_commit(&ps), 0);
	assert_null(lookup("10.1.1.1"));
	for (size_t i = 0; i < SLOTS; i++)
		assert_false(ps.peer[i].active);
}

static void
the_longest_prefix_wins(void **state)
{
	(void)state;
	commit_two();
	assert_ptr_equal(lookup("10.1.1.1"), &ps.peer[0]);
	assert_ptr_equal(lookup("10.9.1.1"), &ps.peer[1]);
	assert_ptr_equal(lookup("10.9.9.9"), &ps.peer[0]);
	assert_ptr_equal(lookup("fd09::1"), &ps.peer[0]);
	assert_ptr_equal(lookup("fd09:1::1"), &ps.peer[1]);
	assert_null(lookup("11.0.0.0"));
	assert_null(lookup("fd08::1"));
}

/* An address inside a peer's prefix is not its own if another's is longer. */
static void
a_source_belongs_to_one_peer(void **state)
{
	(void)state;
	commit_two();
	assert_true(source_ok(0, "10.1.1.1"));
	assert_false(source_ok(1, "10.1.1.1"));
	assert_true(source_ok(1, "10.9.1.1"));
	assert_false(source_ok(0, "10.9.1.1"));
	assert_true(source_ok(0, "10.9.9.9"));
	assert_false(source_ok(1, "10.9.9.9"));
	assert_true(source_ok(0, "fd09::1"));
	assert_true(source_ok(1, "fd09:1::1"));
	assert_false(source_ok(0, "fd09:1::1"));
	assert_false(source_ok(2, "10.1.1.1"));
	assert_false(source_ok(0, "192.0.2.1"));
}

static void
a_refusal_does_not_spoil_what_is_remembered(void **state)
{
	(void)state;
	commit_two();
	for (int i = 0; i < 3; i++) {
		assert_true(source_ok(0, "10.1.1.1"));
		assert_false(source_ok(0, "10.9.1.1"));
		assert_false(source_ok(0, "10.9.1.1"));
	}
	assert_true(source_ok(0, "10.1.1.2"));
	assert_true(source_ok(0, "10.1.1.1"));
}

/* The first four bytes of both are the same. */
static void
an_address_of_the_other_version_is_not_remembered(void **state)
{
	(void)state;
	peers_begin(&ps);
	assert_int_equal(peers_add(&ps, 0, 4), 0);
	assert_int_equal(add_prefix(0, "253.9.0.1/32"), 0);
	assert_int_equal(peers_commit(&ps), 0);
	assert_true(source_ok(0, "253.9.0.1"));
	assert_false(source_ok(0, "fd09:1::"));
	assert_true(source_ok(0, "253.9.0.1"));
	assert_false(source_ok(0, "fd09:1:0:0:1::"));
}

static void
commit_forgets_the_last_source(void **state)
{
	(void)state;
	commit_two();
	assert_true(source_ok(0, "10.1.1.1"));
	assert_true(source_ok(1, "fd09:1::1"));
	peers_begin(&ps);
	assert_int_equal(peers_add(&ps, 0, 4), 0);
	assert_int_equal(peers_add(&ps, 1, 6), 0);
	assert_int_equal(add_prefix(0, "10.2.0.0/16"), 0);
	assert_int_equal(add_prefix(1, "fd09:2::/32"), 0);
	/* what is only begun changes nothing */
	assert_true(source_ok(0, "10.1.1.1"));
	assert_int_equal(peers_commit(&ps), 0);
	assert_false(source_ok(0, "10.1.1.1"));
	assert_false(source_ok(1, "fd09:1::1"));
	assert_true(source_ok(0, "10.2.1.1"));
}

static void
the_last_destination_is_no_other(void **state)
{
	(void)state;
	commit_two();
	assert_ptr_equal(lookup("10.9.0.1"), &ps.peer[1]);
	assert_ptr_equal(lookup("10.9.0.1"), &ps.peer[1]);
	assert_ptr_equal(lookup("10.9.9.9"), &ps.peer[0]);
	assert_ptr_equal(lookup("10.9.0.1"), &ps.peer[1]);
	/* the same four bytes */
	assert_null(lookup("a09:1::"));
	assert_null(lookup("11.9.0.1"));
	assert_ptr_equal(lookup("10.9.0.1"), &ps.peer[1]);
	assert_ptr_equal(lookup("fd09:1::1"), &ps.peer[1]);
	assert_ptr_equal(lookup("fd09:2::1"), &ps.peer[0]);
	assert_ptr_equal(lookup("fd09:1::1"), &ps.peer[1]);
	peers_begin(&ps);
	assert_int_equal(peers_commit(&ps), 0);
	assert_null(lookup("fd09:1::1"));
}

static void
the_family_outside_sets_the_largest_send(void **state)
{
	(void)state;
	commit_two();
	/* 65,535 less the outer headers and an Ethernet one */
	assert_int_equal(ps.peer[0].udp.send_max, 65535 - 14 - 20 - 8);
	assert_int_equal(ps.peer[1].udp.send_max, 65535 - 14 - 40 - 8);
}

static void
commit_tries_segmentation_again(void **state)
{
	(void)state;
	commit_two();
	ps.peer[0].udp.gso_off = true;
	ps.peer[0].udp.gso_refused = 3;
	ps.peer[0].udp.gso_refused_min = 1400;
	ps.peer[0].udp.gso_size = 1400;
	commit_two();
	assert_false(ps.peer[0].udp.gso_off);
	assert_int_equal(ps.peer[0].udp.gso_refused, 0);
	assert_int_equal(ps.peer[0].udp.gso_refused_min, 0);
	/* that is the socket's, and still set */
	assert_int_equal(ps.peer[0].udp.gso_size, 1400);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(at_first_there_is_nobody),
	    TEST(nothing_is_added_before_begin),
	    TEST(a_peer_needs_a_slot_with_a_socket),
	    TEST(a_prefix_needs_a_peer),
	    TEST(too_many_prefixes_are_refused),
	    TEST(the_new_table_holds_from_commit),
	    TEST(begin_again_forgets_what_was_begun),
	    TEST(an_empty_table_ends_every_peer),
	    TEST(the_longest_prefix_wins),
	    TEST(a_source_belongs_to_one_peer),
	    TEST(a_refusal_does_not_spoil_what_is_remembered),
	    TEST(an_address_of_the_other_version_is_not_remembered),
	    TEST(commit_forgets_the_last_source),
	    TEST(the_last_destination_is_no_other),
	    TEST(the_family_outside_sets_the_largest_send),
	    TEST(commit_tries_segmentation_again),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("peer", tests, NULL, NULL);
}

/* What was asked for, granted and refused, and the reasons that are told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "privsep/offloads.h"

#define TSO_TX OFFLOAD_BIT(OFFLOAD_TSO_TX)
#define USO_TX OFFLOAD_BIT(OFFLOAD_USO_TX)
#define TSO_RX OFFLOAD_BIT(OFFLOAD_TSO_RX)
#define UDP_GSO OFFLOAD_BIT(OFFLOAD_UDP_GSO)

/* Of a device that takes TCP, on a kernel with all of UDP. */
static struct offloads
some(uint32_t wanted)
{
	struct offloads of = {.wanted = wanted};

	offloads_grant(&of, OFFLOADS_TUN, TSO_TX | TSO_RX, "");
	offloads_grant(&of, OFFLOAD_ALL & ~OFFLOADS_TUN, OFFLOAD_ALL, "");
	return of;
}

static void
what_is_asked_for_and_granted_is_used(void **state)
{
	struct offloads of = some(TSO_TX | USO_TX | UDP_GSO);

	(void)state;
	assert_int_equal(offloads_used(&of), TSO_TX | UDP_GSO);
	assert_null(offloads_reason(&of, OFFLOAD_TSO_TX));
	assert_string_equal(
	    offloads_reason(&of, OFFLOAD_USO_TX), "not granted by the kernel");
	assert_string_equal(
	    offloads_reason(&of, OFFLOAD_TSO_RX), "switched off");
}

static void
a_grant_is_for_what_was_asked_of_it(void **state)
{
	struct offloads of = some(OFFLOAD_ALL);

	(void)state;
	offloads_grant(&of, TSO_TX | USO_TX, USO_TX | UDP_GSO, "no such thing");
	assert_int_equal(
	    of.granted, OFFLOAD_ALL & ~(TSO_TX | OFFLOAD_BIT(OFFLOAD_USO_RX)));
	assert_string_equal(
	    offloads_reason(&of, OFFLOAD_TSO_TX), "no such thing");
}

static void
what_was_refused_is_off_until_it_may_be_tried_again(void **state)
{
	struct offloads of = some(OFFLOAD_ALL);

	(void)state;
	assert_true(offloads_refuse(&of, OFFLOAD_TSO_RX));
	offloads_note(&of, OFFLOAD_TSO_RX, "a short tail");
	assert_false(offloads_refuse(&of, OFFLOAD_TSO_RX));
	assert_int_equal(offloads_used(&of) & TSO_RX, 0);
	offloads_want(&of, OFFLOAD_ALL, TSO_TX);
	assert_int_equal(offloads_used(&of) & TSO_RX, 0);
	assert_string_equal(
	    offloads_reason(&of, OFFLOAD_TSO_RX), "a short tail");
	offloads_want(&of, OFFLOAD_ALL, TSO_RX);
	assert_int_equal(offloads_used(&of) & TSO_RX, TSO_RX);
	assert_null(offloads_reason(&of, OFFLOAD_TSO_RX));
}

static void
what_was_not_granted_keeps_its_reason(void **state)
{
	struct offloads of = some(OFFLOAD_ALL);

	(void)state;
	offloads_want(&of, OFFLOAD_ALL, OFFLOAD_ALL);
	assert_string_equal(
	    offloads_reason(&of, OFFLOAD_USO_TX), "not granted by the kernel");
}

static void
a_refusal_for_one_peer_is_told_of_what_is_on(void **state)
{
	struct offloads of = some(OFFLOAD_ALL);

	(void)state;
	assert_string_equal(
	    offloads_note(&of, OFFLOAD_UDP_GSO, "by a tunnel"), "by a tunnel");
	assert_int_equal(offloads_used(&of) & UDP_GSO, UDP_GSO);
	assert_string_equal(
	    offloads_reason(&of, OFFLOAD_UDP_GSO), "by a tunnel");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_is_asked_for_and_granted_is_used),
	    cmocka_unit_test(a_grant_is_for_what_was_asked_of_it),
	    cmocka_unit_test(
		what_was_refused_is_off_until_it_may_be_tried_again),
	    cmocka_unit_test(what_was_not_granted_keeps_its_reason),
	    cmocka_unit_test(a_refusal_for_one_peer_is_told_of_what_is_on),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

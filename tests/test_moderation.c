#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cmocka.h>

#include "worker/moderation.h"

/* What a read of the timer tells: periods; 0: a signal came. */
static uint64_t next_read;
static int reads;
static uint64_t total; /* packets */
static struct moderation m;

ssize_t __wrap_read(int fd, void *buf, size_t len);

ssize_t
__wrap_read(int fd, void *buf, size_t len)
{
	assert_int_equal(fd, m.timer);
	assert_int_equal(len, sizeof(next_read));
	reads++;
	if (next_read == 0) {
		errno = EINTR;
		return -1;
	}
	memcpy(buf, &next_read, sizeof(next_read));
	return sizeof(next_read);
}

static int
setup(void **state)
{
	(void)state;
	reads = 0;
	total = 0;
	next_read = 1;
	assert_int_equal(moderation_start(&m), 0);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	return close(m.timer);
}

/* One call: does it pause, and did it look at the timer? */
static void
pauses(uint64_t packets, uint64_t told, bool read_it, bool pause)
{
	int before = reads;

	next_read = told;
	total += packets;
	assert_int_equal(moderation_pause(&m, total), pause);
	assert_int_equal(reads - before, read_it);
}

static void
few_packets_never_wait(void **state)
{
	(void)state;
	for (int i = 0; i < 15; i++)
		pauses(1, 1, false, false);
	for (int i = 0; i < 100; i++)
		pauses(0, 1, false, false);
}

static void
sixteen_packets_in_one_period_are_load(void **state)
{
	(void)state;
	pauses(15, 1, false, false);
	pauses(1, 1, true, true);
	pauses(40, 1, true, true);
}

static void
sixteen_packets_in_two_periods_are_none(void **state)
{
	(void)state;
	pauses(16, 2, true, false);
	/* and are not counted twice */
	pauses(15, 1, false, false);
	pauses(1, 3, true, false);
}

static void
a_long_turn_is_measured_by_its_periods(void **state)
{
	(void)state;
	pauses(160, 10, true, true);
	pauses(79, 10, true, true);
	assert_int_equal(m.quiet, 1);
	pauses(80, 10, true, true);
	assert_int_equal(m.quiet, 0);
}

static void
ten_quiet_periods_in_a_row_end_it(void **state)
{
	(void)state;
	pauses(16, 1, true, true);
	for (int i = 0; i < 9; i++)
		pauses(7, 1, true, true);
	pauses(8, 1, true, true);
	for (int i = 0; i < 9; i++)
		pauses(7, 1, true, true);
	pauses(7, 1, true, false);
	pauses(7, 1, false, false);
}

static void
load_may_come_again(void **state)
{
	(void)state;
	for (int round = 0; round < 3; round++) {
		pauses(16, 1, true, true);
		for (int i = 0; i < 9; i++)
			pauses(0, 1, true, true);
		pauses(0, 1, true, false);
		pauses(0, 1, false, false);
	}
}

static void
a_signal_counts_as_one_period(void **state)
{
	(void)state;
	pauses(16, 0, true, true);
	pauses(8, 0, true, true);
	assert_int_equal(m.quiet, 0);
}

static void
without_a_timer_nothing_waits(void **state)
{
	struct moderation none = {.timer = -1};

	(void)state;
	for (uint64_t i = 1; i <= 100; i++)
		assert_false(moderation_pause(&none, 1000 * i));
	assert_int_equal(reads, 0);
}

/* The kernel's own timer: it expires by itself, again and again. */
static void
the_timer_is_periodic(void **state)
{
	struct pollfd p = {.fd = m.timer, .events = POLLIN};
	uint64_t n;

	(void)state;
	for (int i = 0; i < 3; i++) {
		assert_int_equal(poll(&p, 1, 5000), 1);
		assert_int_equal(
		    readv(m.timer, &(struct iovec){&n, sizeof(n)}, 1),
		    sizeof(n));
		assert_true(n >= 1);
	}
}

static void
only_after_a_burst_it_looks_again(void **state)
{
	struct moderation batch = {.timer = -1, .lingers = true};

	(void)state;
	assert_int_equal(moderation_looks(&batch, 16), 0);
	assert_int_equal(moderation_looks(&batch, 32), 0);
	assert_int_equal(moderation_looks(&batch, 49), MODERATION_LOOKS);
	/* nothing has come since: now it sleeps */
	assert_int_equal(moderation_looks(&batch, 49), 0);
	assert_int_equal(moderation_looks(&batch, 66), MODERATION_LOOKS);
}

static void
where_it_may_not_linger_it_sleeps(void **state)
{
	struct moderation pinned = {.timer = -1};

	(void)state;
	assert_int_equal(moderation_looks(&pinned, 1000), 0);
	/* moderated by a timer */
	assert_int_equal(moderation_looks(&m, 1000), 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(few_packets_never_wait),
	    TEST(sixteen_packets_in_one_period_are_load),
	    TEST(sixteen_packets_in_two_periods_are_none),
	    TEST(a_long_turn_is_measured_by_its_periods),
	    TEST(ten_quiet_periods_in_a_row_end_it),
	    TEST(load_may_come_again),
	    TEST(a_signal_counts_as_one_period),
	    TEST(without_a_timer_nothing_waits),
	    TEST(the_timer_is_periodic),
	    TEST(only_after_a_burst_it_looks_again),
	    TEST(where_it_may_not_linger_it_sleeps),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

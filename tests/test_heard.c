#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "ipc/counters.h"
#include "privsep/heard.h"
#include "privsep/iface.h"

#define QUEUES 2
#define SLOTS 3

/* An interface of two workers that is nothing but their counters. */
static struct iface ifc;
static struct counters *page[QUEUES];
static time_t now;

time_t __wrap_time(time_t *);

time_t
__wrap_time(time_t *where)
{
	(void)where;
	return now;
}

static int
setup(void **state)
{
	size_t q;

	(void)state;
	now = 1000;
	ifc.slot_count = SLOTS;
	ifc.queue_count = QUEUES;
	for (q = 0; q < QUEUES; q++) {
		ifc.queue[q].counters_fd = counters_create(SLOTS);
		page[q] = counters_map(ifc.queue[q].counters_fd);
		if (page[q] == NULL)
			return -1;
	}
	return 0;
}

static int
teardown(void **state)
{
	size_t q;

	(void)state;
	for (q = 0; q < QUEUES; q++) {
		counters_unmap(page[q]);
		close(ifc.queue[q].counters_fd);
	}
	return 0;
}

static void
each_peer_has_the_time_of_its_last_packets(void **state)
{
	(void)state;
	counter_add(&page[0]->peers[0].rx_packets, 1);
	counter_add(&page[1]->peers[SLOTS - 1].rx_packets, 5);
	heard_look(&ifc);
	assert_int_equal(page[0]->heard[0].time, 1000);
	assert_int_equal(page[1]->heard[SLOTS - 1].time, 1000);
	assert_int_equal(page[1]->heard[0].time, 0);
	assert_int_equal(page[0]->heard[1].time, 0);
	/* who falls silent keeps his */
	now = 2000;
	counter_add(&page[1]->peers[SLOTS - 1].rx_packets, 1);
	heard_look(&ifc);
	assert_int_equal(page[0]->heard[0].time, 1000);
	assert_int_equal(page[1]->heard[SLOTS - 1].time, 2000);
}

static void
a_page_that_is_none_does_not_hide_the_others(void **state)
{
	(void)state;
	counter_add(&page[0]->peers[1].rx_packets, 1);
	counter_add(&page[1]->peers[1].rx_packets, 1);
	page[0]->magic++;
	heard_look(&ifc);
	assert_int_equal(page[0]->heard[1].time, 0);
	assert_int_equal(page[1]->heard[1].time, 1000);
	page[0]->magic--;
	heard_look(&ifc);
	assert_int_equal(page[0]->heard[1].time, 1000);
}

static size_t
count_mappings(void)
{
	FILE *f = fopen("/proc/self/maps", "r");
	char line[512];
	size_t n = 0;

	assert_non_null(f);
	while (fgets(line, sizeof(line), f) != NULL)
		n += strstr(line, "tund-counters") != NULL;
	fclose(f);
	return n;
}

static void
to_look_leaves_nothing_mapped(void **state)
{
	size_t before = count_mappings();

	(void)state;
	assert_true(before > 0);
	heard_look(&ifc);
	assert_int_equal(count_mappings(), before);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(each_peer_has_the_time_of_its_last_packets),
	    TEST(a_page_that_is_none_does_not_hide_the_others),
	    TEST(to_look_leaves_nothing_mapped),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

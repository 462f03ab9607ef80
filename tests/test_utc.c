#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/utc.h"

static void
a_time_is_told_in_utc(void **state)
{
	static const struct {
		int64_t t;
		const char *text;
	} cases[] = {
	    {0, "1970-01-01T00:00:00Z"},
	    {951782400, "2000-02-29T00:00:00Z"},
	    {2147483647, "2038-01-19T03:14:07Z"},
	    {-1, "1969-12-31T23:59:59Z"},
	};
	char buf[UTC_SIZE];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_string_equal(
		    utc_seconds(buf, (time_t)cases[i].t), cases[i].text);
}

static void
milliseconds_are_cut_not_rounded(void **state)
{
	struct timespec ts = {951782400, 999999999};
	char buf[UTC_SIZE];

	(void)state;
	assert_string_equal(
	    utc_milliseconds(buf, &ts), "2000-02-29T00:00:00.999Z");
	ts.tv_nsec = 7000000;
	assert_string_equal(
	    utc_milliseconds(buf, &ts), "2000-02-29T00:00:00.007Z");
}

/* A worker may write any number where the time is that a peer was heard. */
static void
a_year_has_four_digits(void **state)
{
	struct timespec ts = {0, 0};
	char buf[UTC_SIZE];

	(void)state;
	if (sizeof(time_t) < 8)
		skip(); /* none of its years has five */
	ts.tv_sec = (time_t)INT64_C(253402300799);
	assert_string_equal(
	    utc_milliseconds(buf, &ts), "9999-12-31T23:59:59.000Z");
	ts.tv_sec++;
	assert_null(utc_milliseconds(buf, &ts));
	assert_null(utc_seconds(buf, ts.tv_sec));
	assert_null(utc_seconds(buf, (time_t)INT64_C(67768036191676799)));
	assert_string_equal(utc_seconds(buf, (time_t)INT64_C(-30610224000)),
	    "1000-01-01T00:00:00Z");
	assert_null(utc_seconds(buf, (time_t)INT64_C(-30610224001)));
	assert_null(utc_seconds(buf, (time_t)INT64_MIN));
	assert_null(utc_seconds(buf, (time_t)INT64_MAX));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_time_is_told_in_utc),
	    cmocka_unit_test(milliseconds_are_cut_not_rounded),
	    cmocka_unit_test(a_year_has_four_digits),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "common/log.h"
#include "common/log_limit.h"
#include "tests/fake_clock.h"

static char warned[LOG_LINE_MAX];
static unsigned int warnings;

static void
on_line(enum log_level level, const char *text)
{
	assert_int_equal(level, LOG_LEVEL_WARN);
	strlcpy(warned, text, sizeof(warned));
	warnings++;
}

static int
setup(void **state)
{
	(void)state;
	fake_now = 1000;
	warnings = 0;
	log_set_sink(on_line);
	return 0;
}

/* Of so many lines in this second, how many may be logged. */
static unsigned int
pass(struct log_limit *l, unsigned int lines)
{
	unsigned int passed = 0;

	while (lines-- > 0)
		passed += log_limit_pass(l, "peers");
	return passed;
}

static void
so_many_lines_pass_in_each_second(void **state)
{
	struct log_limit l = {0};

	(void)state;
	assert_int_equal(pass(&l, LOG_LIMIT_LINES + 3), LOG_LIMIT_LINES);
	assert_int_equal(warnings, 0);
	fake_now++;
	assert_int_equal(pass(&l, LOG_LIMIT_LINES + 1), LOG_LIMIT_LINES);
}

static void
how_many_were_left_out_is_told_with_the_next_one(void **state)
{
	struct log_limit l = {0};

	(void)state;
	pass(&l, LOG_LIMIT_LINES + 3);
	fake_now += 7;
	assert_int_equal(pass(&l, 2), 2);
	assert_int_equal(warnings, 1);
	assert_string_equal(warned, "peers: 3 lines left out");
	/* once, and not where there were just as many as may be */
	fake_now++;
	pass(&l, LOG_LIMIT_LINES);
	fake_now++;
	pass(&l, 1);
	assert_int_equal(warnings, 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(so_many_lines_pass_in_each_second, setup),
	    cmocka_unit_test_setup(
		how_many_were_left_out_is_told_with_the_next_one, setup),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

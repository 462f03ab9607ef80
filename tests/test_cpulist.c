#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/cpulist.h"

static char text[CPULIST_STRLEN];

static const char *
format(const int *cpus, size_t count)
{
	cpu_set_t set;
	size_t i;

	CPU_ZERO(&set);
	for (i = 0; i < count; i++)
		CPU_SET(cpus[i], &set);
	memset(text, 'x', sizeof(text));
	return cpulist_format(&set, text);
}

#define FORMAT(...)                        \
	format((const int[]){__VA_ARGS__}, \
	    sizeof((const int[]){__VA_ARGS__}) / sizeof(int))

static void
runs_are_written_as_the_kernel_does(void **state)
{
	(void)state;
	assert_string_equal(format(NULL, 0), "");
	assert_string_equal(FORMAT(0), "0");
	assert_string_equal(FORMAT(1023), "1023");
	assert_string_equal(FORMAT(0, 1), "0-1");
	assert_string_equal(FORMAT(0, 2), "0,2");
	assert_string_equal(FORMAT(0, 1, 2, 3, 7, 9, 10), "0-3,7,9-10");
	assert_string_equal(FORMAT(1022, 1023), "1022-1023");
}

static void
the_longest_fits(void **state)
{
	cpu_set_t set;
	int i;

	(void)state;
	CPU_ZERO(&set);
	for (i = 1; i < CPU_SETSIZE; i += 2)
		CPU_SET(i, &set);
	cpulist_format(&set, text);
	assert_true(strlen(text) < sizeof(text) - 1);
	assert_string_equal(text + strlen(text) - 10, ",1021,1023");
	for (i = 0; i < CPU_SETSIZE; i++)
		CPU_SET(i, &set);
	assert_string_equal(cpulist_format(&set, text), "0-1023");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(runs_are_written_as_the_kernel_does),
	    cmocka_unit_test(the_longest_fits),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

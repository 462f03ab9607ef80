#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ctl/text.h"

static const struct {
	const char *text;
	const char *safe;
	size_t width;
} texts[] = {
    {"", "", 0},
    {"tun0", "tun0", 4},
    {"b\xc3\xa9", "b\xc3\xa9", 2},
    {"\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80", 1},
    {"a\033[31mb", "a\\u{1b}[31mb", 12},
    {"a\nb\rc\td", "a\\u{a}b\\u{d}c\\u{9}d", 19},
    {"\x7f", "\\u{7f}", 6},
    {"\xc2\x9b", "\\u{9b}", 6},	      /* CSI in one character */
    {"\xe2\x80\xae", "\\u{202e}", 8}, /* right to left */
    {"\xe2\x81\xa6", "\\u{2066}", 8},
    {"\xd8\x9c", "\\u{61c}", 7},
    {"\xef\xbf\xb9", "\\u{fff9}", 8},
    {"\xff\xc3", "\\u{fffd}\\u{fffd}", 16}, /* no UTF-8 */
    {"\xe2\x80", "\\u{fffd}\\u{fffd}", 16},
    {"\xc2\x80\xc2\x9f", "\\u{80}\\u{9f}", 12}, /* C1 */
    {"a\x9b\x80"
     "31mX",
	"a\\u{fffd}\\u{fffd}31mX", 21}, /* CSI of a terminal of 8 bits */
    {"\xbf\xbf", "\\u{fffd}\\u{fffd}", 16},
    {"\xc1\xbf", "\\u{fffd}\\u{fffd}", 16}, /* longer than it need be */
    {"\xc0\x80", "\\u{fffd}\\u{fffd}", 16},
    {"\xe0\x9f\xbf", "\\u{fffd}\\u{fffd}\\u{fffd}", 24},
    {"\xf0\x82\x82\x9b", "\\u{fffd}\\u{fffd}\\u{fffd}\\u{fffd}", 32},
    {"\xed\xa0\x80", "\\u{fffd}\\u{fffd}\\u{fffd}", 24}, /* a surrogate */
    {"\xf4\x90\x80\x80", "\\u{fffd}\\u{fffd}\\u{fffd}\\u{fffd}", 32},
    {"\xf5\x80\x80\x80", "\\u{fffd}\\u{fffd}\\u{fffd}\\u{fffd}", 32},
    /* the last before each gap, and the first behind it */
    {"\xdf\xbf\xe0\xa0\x80", "\xdf\xbf\xe0\xa0\x80", 2},
    {"\xed\x9f\xbf\xee\x80\x80", "\xed\x9f\xbf\xee\x80\x80", 2},
    {"\xf0\x90\x80\x80\xf4\x8f\xbf\xbf", "\xf0\x90\x80\x80\xf4\x8f\xbf\xbf", 2},
};

static void
nothing_reaches_the_terminal_that_it_would_obey(void **state)
{
	char *safe;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		safe = text_safe(texts[i].text);
		assert_string_equal(safe, texts[i].safe);
		assert_int_equal(text_width(safe), texts[i].width);
		free(safe);
	}
}

static const struct {
	json_int_t bytes;
	const char *text;
} sizes[] = {
    {0, "0"},
    {1023, "1023"},
    {1024, "1024 (1.0 KiB)"},
    {1536, "1536 (1.5 KiB)"},
    {123456789, "123456789 (117.7 MiB)"},
    {INT64_MAX, "9223372036854775807 (8.0 EiB)"},
};

static void
bytes_are_exact_with_a_unit_beside(void **state)
{
	char buf[TEXT_CELL];
	json_t *v;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		v = json_integer(sizes[i].bytes);
		assert_string_equal(text_bytes(v, buf), sizes[i].text);
		json_decref(v);
	}
	assert_string_equal(text_bytes(NULL, buf), "-");
}

static void
durations_are_two_units(void **state)
{
	static const struct {
		json_int_t seconds;
		const char *text;
	} durations[] = {{0, "0 s"}, {59, "59 s"}, {61, "1 min 1 s"},
	    {3660, "1 h 1 min"}, {90000, "1 d 1 h"}};
	char buf[TEXT_CELL];
	json_t *v;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(durations) / sizeof(durations[0]); i++) {
		v = json_integer(durations[i].seconds);
		assert_string_equal(text_seconds(v, buf), durations[i].text);
		json_decref(v);
	}
}

static void
a_long_list_is_cut_with_the_number_of_the_rest(void **state)
{
	char buf[TEXT_CELL];
	json_t *list = json_array();
	int i;

	(void)state;
	assert_string_equal(text_value(list, buf), "-");
	json_array_append_new(list, json_string("10.0.0.0/8"));
	json_array_append_new(list, json_integer(3));
	assert_string_equal(text_value(list, buf), "10.0.0.0/8,3");
	json_array_append_new(list, json_null());
	json_array_append_new(list, json_true());
	json_array_append_new(list, json_array());
	assert_string_equal(text_value(list, buf), "10.0.0.0/8,3,-,yes,-");
	for (i = 0; i < 1000; i++)
		json_array_append_new(list, json_string("10.0.0.0/8"));
	assert_non_null(strstr(text_value(list, buf), " more"));
	assert_true(strlen(buf) < TEXT_CELL);
	json_decref(list);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(nothing_reaches_the_terminal_that_it_would_obey),
	    cmocka_unit_test(bytes_are_exact_with_a_unit_beside),
	    cmocka_unit_test(durations_are_two_units),
	    cmocka_unit_test(a_long_list_is_cut_with_the_number_of_the_rest),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

#include <sys/wait.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "ipc/jsonrpc.h"

/* Literals may hold NUL bytes, so their length is the compiler's. */
#define LINE(s) s, sizeof(s) - 1
#define CALL "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"m\""

static const struct {
	const char *line;
	size_t len;
	int code;	  /* 0: it is a request */
	const char *word; /* in the message */
} requests[] = {
    {LINE(CALL "}"), 0, ""},
    {LINE(" \t" CALL " , \"params\" : {} }\r"), 0, ""},
    {LINE("{\"method\":\"m\",\"jsonrpc\":\"2.0\"}"), 0, ""},
    {LINE(CALL ",\"params\":{\"a\":\"}}]]\\\"{{[[\"}}"), 0, ""},
    {LINE(CALL ",\"params\":{\"a\":\"\\\"[[[[[[[[[[[[[[[[[[[[\"}}"), 0, ""},
    {LINE(""), JSONRPC_PARSE, "too soon"},
    {LINE("{"), JSONRPC_PARSE, "too soon"},
    {LINE(CALL), JSONRPC_PARSE, "too soon"},
    {LINE(CALL "}}"), JSONRPC_PARSE, "follows"},
    {LINE(CALL ",\"id\":1}"), JSONRPC_PARSE, "twice"},
    {LINE(CALL ",\"\\u0069d\":1}"), JSONRPC_PARSE, "twice"},
    {LINE(CALL "\0}"), JSONRPC_PARSE, "NUL"},
    {LINE(CALL "}\0"), JSONRPC_PARSE, "NUL"},
    {LINE(CALL ",\"params\":{\"a\":\"\\u0000\"}}"), JSONRPC_PARSE, "NUL"},
    {LINE(CALL ",\"params\":{\"\\u0000\":1}}"), JSONRPC_PARSE, "NUL"},
    {LINE(CALL ",\"params\":{\"a\":\"\xff\"}}"), JSONRPC_PARSE, "UTF-8"},
    {LINE(CALL ",\"params\":{\"a\":9223372036854775808}}"), JSONRPC_PARSE,
	"too large"},
    {LINE("[" CALL "}]"), JSONRPC_INVALID_REQUEST, "batches"},
    {LINE("7"), JSONRPC_INVALID_REQUEST, "object"},
    {LINE("{\"id\":1,\"method\":\"m\"}"), JSONRPC_INVALID_REQUEST, "jsonrpc"},
    {LINE("{\"jsonrpc\":\"2.0\",\"id\":1}"), JSONRPC_INVALID_REQUEST, "method"},
    {LINE("{\"jsonrpc\":\"2.0\",\"id\":[],\"method\":\"m\"}"),
	JSONRPC_INVALID_REQUEST, "id"},
    {LINE(CALL ",\"params\":\"x\"}"), JSONRPC_INVALID_REQUEST, "params"},
    {LINE(CALL ",\"prams\":{}}"), JSONRPC_INVALID_REQUEST, "prams"},
    {LINE(CALL ",\"params\":[1]}"), JSONRPC_INVALID_PARAMS, "position"},
};

static void
a_request_is_taken_or_refused_with_its_reason(void **state)
{
	struct jsonrpc_request r;
	struct jsonrpc_error error;
	size_t i;
	int got;

	(void)state;
	for (i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
		memset(&error, 0, sizeof(error));
		got = jsonrpc_read_request(
		    requests[i].line, requests[i].len, &r, &error);
		if (got == 0)
			assert_string_equal(r.method, "m");
		if ((got == 0) != (requests[i].code == 0) ||
		    error.code != requests[i].code ||
		    strstr(error.message, requests[i].word) == NULL)
			fail_msg("%s: %d %s", requests[i].line, error.code,
			    error.message);
		jsonrpc_request_clear(&r);
	}
}

/*
 * Params nested so that the whole line has this many levels, with something
 * on the way that is closed before the deepest.
 */
static int
read_nested(size_t levels, const char *closed, struct jsonrpc_error *error)
{
	struct jsonrpc_request r;
	char line[256] = CALL ",\"params\":{\"a\":";
	size_t i;
	int got;

	for (i = 2; i < levels; i++)
		strcat(strcat(line, i == 9 ? closed : ""), "[");
	for (i = 2; i < levels; i++)
		strcat(line, "]");
	strcat(line, "}}");
	got = jsonrpc_read_request(line, strlen(line), &r, error);
	jsonrpc_request_clear(&r);
	return got;
}

static void
sixteen_levels_are_read_and_seventeen_refused(void **state)
{
	struct jsonrpc_error error;

	(void)state;
	assert_int_equal(read_nested(JSONRPC_DEPTH, "", &error), 0);
	assert_int_equal(read_nested(JSONRPC_DEPTH, "[],{},", &error), 0);
	assert_int_equal(read_nested(JSONRPC_DEPTH + 1, "[],", &error), -1);
	assert_int_equal(read_nested(JSONRPC_DEPTH + 1, "", &error), -1);
	assert_int_equal(error.code, JSONRPC_INVALID_REQUEST);
	assert_non_null(strstr(error.message, "16 levels"));
}

static void
a_refused_request_keeps_the_id_that_could_be_read(void **state)
{
	static const char line[] =
	    "{\"jsonrpc\":\"1.0\",\"id\":\"abc\",\"method\":\"m\"}";
	struct jsonrpc_request r;
	struct jsonrpc_error error;

	(void)state;
	assert_int_equal(
	    jsonrpc_read_request(line, strlen(line), &r, &error), -1);
	assert_string_equal(json_string_value(r.id), "abc");
	jsonrpc_request_clear(&r);
}

static void
no_id_is_a_notification_and_null_is_none(void **state)
{
	static const char without[] = "{\"jsonrpc\":\"2.0\",\"method\":\"m\"}";
	static const char with[] =
	    "{\"jsonrpc\":\"2.0\",\"method\":\"m\",\"id\":null}";
	struct jsonrpc_request r;
	struct jsonrpc_error error;

	(void)state;
	assert_int_equal(
	    jsonrpc_read_request(without, strlen(without), &r, &error), 0);
	assert_null(r.id);
	jsonrpc_request_clear(&r);
	assert_int_equal(
	    jsonrpc_read_request(with, strlen(with), &r, &error), 0);
	assert_true(json_is_null(r.id));
	jsonrpc_request_clear(&r);
}

static void
an_error_message_is_printable_ascii(void **state)
{
	struct jsonrpc_error error;
	char longer[600];

	(void)state;
	jsonrpc_fail(&error, JSONRPC_PARSE, "", "a\033[31m\xc3\xa9\n\x7f~");
	assert_string_equal(error.message, "a?[31m????~");
	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	jsonrpc_fail(&error, JSONRPC_PARSE, "", "%s", longer);
	assert_int_equal(strlen(error.message), sizeof(error.message) - 1);
}

/* Dumps and reads back what a builder made. */
static void
reread(json_t *built, struct jsonrpc_message *m)
{
	char *text = json_dumps(built, JSON_COMPACT);

	assert_non_null(text);
	assert_int_equal(jsonrpc_read_message(text, strlen(text), m), 0);
	free(text);
	json_decref(built);
}

static void
what_is_built_can_be_read(void **state)
{
	struct jsonrpc_error error;
	struct jsonrpc_message m;
	json_t *id = json_integer(7);

	(void)state;
	reread(jsonrpc_result(id, json_pack("{s:i}", "a", 1)), &m);
	assert_int_equal(json_integer_value(json_object_get(m.result, "a")), 1);
	jsonrpc_message_clear(&m);

	jsonrpc_fail(&error, JSONRPC_BUSY, "try again", "no");
	reread(jsonrpc_error(NULL, &error), &m);
	assert_null(m.result);
	assert_int_equal(m.code, JSONRPC_BUSY);
	assert_string_equal(m.text, "no");
	assert_string_equal(m.class, "busy");
	assert_string_equal(m.hint, "try again");
	jsonrpc_message_clear(&m);

	reread(jsonrpc_notification("event", json_object()), &m);
	assert_string_equal(m.method, "event");
	assert_int_equal(m.code, 0);
	jsonrpc_message_clear(&m);
	json_decref(id);
}

static void
a_message_that_makes_no_sense_is_refused(void **state)
{
	static const char *const lines[] = {"", "x", "[]", "{}",
	    "{\"error\":3}", "{\"error\":{\"code\":\"x\"}}",
	    "{\"method\":\"event\"}", "{\"method\":\"event\",\"params\":[]}"};
	struct jsonrpc_message m;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		assert_int_equal(
		    jsonrpc_read_message(lines[i], strlen(lines[i]), &m), -1);
	assert_int_equal(
	    jsonrpc_read_message(LINE("{\"error\":{\"code\":-1}}"), &m), 0);
	assert_string_equal(m.class, "unknown");
	assert_string_equal(m.hint, "");
	jsonrpc_message_clear(&m);
}

static void
every_code_has_a_class(void **state)
{
	int code;

	(void)state;
	for (code = JSONRPC_TIMEOUT; code <= JSONRPC_PERMISSION; code++)
		assert_string_not_equal(jsonrpc_class(code), "unknown");
	assert_string_equal(jsonrpc_class(1), "unknown");
}

static unsigned int allocations, allocation_that_fails;

void *__real_malloc(size_t);
void *__wrap_malloc(size_t);

/* Of jsonrpc.c alone, which is that of jansson. */
void *
__wrap_malloc(size_t size)
{
	if (++allocations == allocation_that_fails)
		return NULL;
	return __real_malloc(size);
}

static void
no_memory(void)
{
	_exit(42);
}

/* In a string of 14, 30 or 62 bytes its closing quote wants more memory. */
static void
read_and_answer(void)
{
	static const char line[] = CALL
	    ",\"params\":{\"fourteen bytes\":\"thirty bytes: 0123456789"
	    " 012345\",\"a\":\"01234567890123456789012345678901234567890123"
	    "456789012345678901\"}}";
	struct jsonrpc_request r;
	struct jsonrpc_error error;
	json_t *answer;
	char *text;

	assert_int_equal(jsonrpc_read_request(LINE(line), &r, &error), 0);
	answer = jsonrpc_result(r.id, json_pack("{s:O}", "p", r.params));
	text = json_dumps(answer, JSON_COMPACT);
	assert_non_null(text);
	free(text);
	json_decref(answer);
	jsonrpc_request_clear(&r);
}

static void
no_allocation_that_failed_is_survived(void **state)
{
	unsigned int n, all;
	int status;
	pid_t pid;

	(void)state;
	jsonrpc_init(no_memory);
	allocations = 0;
	read_and_answer();
	all = allocations;
	assert_true(all > 30);
	for (n = 1; n <= all; n++) {
		allocations = 0;
		if ((pid = fork()) == 0) {
			allocation_that_fails = n;
			read_and_answer();
			_exit(0);
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFEXITED(status));
		assert_int_equal(WEXITSTATUS(status), 42);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_request_is_taken_or_refused_with_its_reason),
	    cmocka_unit_test(sixteen_levels_are_read_and_seventeen_refused),
	    cmocka_unit_test(a_refused_request_keeps_the_id_that_could_be_read),
	    cmocka_unit_test(no_id_is_a_notification_and_null_is_none),
	    cmocka_unit_test(an_error_message_is_printable_ascii),
	    cmocka_unit_test(what_is_built_can_be_read),
	    cmocka_unit_test(a_message_that_makes_no_sense_is_refused),
	    cmocka_unit_test(every_code_has_a_class),
	    cmocka_unit_test(no_allocation_that_failed_is_survived),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

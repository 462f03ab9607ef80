#include <event2/event.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "control/call.h"
#include "control/client.h"
#include "control/limits.h"
#include "control/parent.h"
#include "control/request.h"
#include "ipc/limits.h"
#include "tests/fake_clock.h"

/* What requests are made of and answered with, without clients or a parent. */
static struct {
	unsigned int sent;
	uint32_t id;
	int code; /* of the last failure */
	char message[256];
} seen;
static bool memory_is_short;

void *__real_calloc(size_t, size_t);
void *__wrap_calloc(size_t, size_t);

void *
__wrap_calloc(size_t n, size_t size)
{
	return memory_is_short ? NULL : __real_calloc(n, size);
}

uint64_t
client_serial(const struct client *c)
{
	(void)c;
	return 1;
}

struct client *
client_find(uint64_t serial)
{
	(void)serial;
	return NULL;
}

void
client_add_requests(struct client *c, int change)
{
	(void)c;
	(void)change;
}

void
client_send(struct client *c, json_t *line)
{
	(void)c;
	json_decref(line);
}

void
call_refuse(
    const struct call *call, int code, const char *hint, const char *fmt, ...)
{
	va_list ap;

	(void)call;
	(void)hint;
	seen.code = code;
	va_start(ap, fmt);
	vsnprintf(seen.message, sizeof(seen.message), fmt, ap);
	va_end(ap);
}

void
parent_send(uint32_t type, uint32_t id, const void *data, size_t len)
{
	(void)type;
	(void)data;
	(void)len;
	seen.sent++;
	seen.id = id;
}

static void
start(void)
{
	static const struct msg_request r = {.kind = REQUEST_RELOAD};
	static const struct call call;

	memset(&seen, 0, sizeof(seen));
	request_start(&call, &r, 1);
}

static void
a_lack_of_memory_is_not_called_too_many_requests(void **state)
{
	(void)state;
	memory_is_short = true;
	start();
	memory_is_short = false;
	assert_int_equal(seen.code, JSONRPC_INTERNAL);
	assert_string_equal(
	    seen.message, "the request was not made: memory is short");
	assert_int_equal(seen.sent, 0);
}

static void
no_more_are_under_way_than_the_table_holds(void **state)
{
	uint32_t id;

	(void)state;
	for (id = 1; id <= REQUESTS_MAX; id++) {
		start();
		assert_int_equal(seen.sent, 1);
	}
	start();
	assert_int_equal(seen.code, JSONRPC_BUSY);
	assert_int_equal(seen.sent, 0);
	for (id = 1; id <= REQUESTS_MAX; id++)
		assert_int_equal(request_on_reply(id, REPLY_OK, "{}"), 0);
	/* a reply to none of them, nor to one of the places that are free */
	assert_int_equal(request_on_reply(1, REPLY_OK, "{}"), 0);
	assert_int_equal(request_on_reply(0, REPLY_OK, "{}"), 0);
}

static unsigned int
send_until_it_is_too_much(void)
{
	unsigned int sent;

	for (sent = 0; sent <= LIMIT_MESSAGES; sent++) {
		start();
		if (seen.sent == 0)
			break;
		assert_int_equal(request_on_reply(seen.id, REPLY_OK, "{}"), 0);
	}
	assert_int_equal(seen.code, JSONRPC_BUSY);
	return sent;
}

/* Else the parent would end who passes them on. */
static void
no_more_are_sent_in_a_second_than_the_parent_takes(void **state)
{
	(void)state;
	fake_now++;
	assert_in_range(
	    send_until_it_is_too_much(), REQUESTS_MAX, LIMIT_MESSAGES / 2);
	fake_now++;
	assert_in_range(
	    send_until_it_is_too_much(), REQUESTS_MAX, LIMIT_MESSAGES / 2);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_lack_of_memory_is_not_called_too_many_requests),
	    cmocka_unit_test(no_more_are_under_way_than_the_table_holds),
	    cmocka_unit_test(
		no_more_are_sent_in_a_second_than_the_parent_takes),
	};
	struct event_base *base = event_base_new();

	if (base == NULL)
		return 1;
	requests_init(base);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

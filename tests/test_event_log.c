#include <event2/event.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/event_log.h"
#include "common/log.h"

static struct {
	enum log_level level;
	char text[LOG_LINE_MAX];
} last;

static void
take(enum log_level level, const char *text)
{
	last.level = level;
	snprintf(last.text, sizeof(last.text), "%s", text);
}

static void
on_event(int fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
}

static void
what_libevent_warns_of_is_a_line_of_the_log(void **state)
{
	struct event_base *base;
	struct event *e;
	int pipe_fds[2];

	(void)state;
	log_init("test", LOG_LEVEL_INFO);
	log_set_sink(take);
	event_log_init();
	base = event_base_new();
	assert_non_null(base);
	assert_int_equal(pipe(pipe_fds), 0);
	close(pipe_fds[0]);
	close(pipe_fds[1]);
	e = event_new(base, pipe_fds[0], EV_READ, on_event, NULL);
	assert_non_null(e);
	assert_int_equal(event_add(e, NULL), -1);
	assert_int_equal(last.level, LOG_LEVEL_WARN);
	assert_non_null(strstr(last.text, "libevent: "));
	assert_non_null(strstr(last.text, "Bad file descriptor"));
	event_free(e);
	event_base_free(base);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_libevent_warns_of_is_a_line_of_the_log),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

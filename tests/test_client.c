#include <sys/socket.h>

#include <errno.h>
#include <event2/event.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "control/client.h"
#include "control/limits.h"
#include "ipc/limits.h"
#include "tests/fake_clock.h"

#define ANSWER (64 << 10)
#define USER 12345
#define MUCH ((size_t)4 << 20)

/* Clients without a server: what they ask is counted, as of each. */
static struct event_base *base;
static int ours, theirs;
static struct client *asking;
static unsigned int lines;
static bool answers, waits;

/* Who watches the clock, which is the tests' own, looks in every turn. */
int __real_event_add(struct event *, const struct timeval *);
int __wrap_event_add(struct event *, const struct timeval *);

int
__wrap_event_add(struct event *ev, const struct timeval *wait)
{
	static const struct timeval at_once = {0, 0};

	return __real_event_add(ev, wait == NULL ? NULL : &at_once);
}

static void
on_line(struct client *c, const char *line, size_t len)
{
	static char answer[ANSWER];

	(void)line;
	(void)len;
	asking = c;
	lines++;
	if (answers)
		assert_int_equal(
		    client_send_text(c, answer, sizeof(answer)), 0);
	if (waits)
		client_add_requests(c, 1);
}

static void
on_nothing(struct subscriber *s)
{
	(void)s;
}

static const struct client_handlers handlers = {
    .line = on_line,
    .read = on_nothing,
    .gone = on_nothing,
};

static int
setup(void **state)
{
	int sv[2];

	(void)state;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0,
		sv) == -1)
		return -1;
	ours = sv[0];
	theirs = sv[1];
	asking = NULL;
	lines = 0;
	answers = waits = false;
	return client_new(ours, USER, false);
}

static void
turn(void)
{
	event_base_loop(base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
}

static void
turns(unsigned int n)
{
	while (n-- > 0)
		turn();
}

static int
teardown(void **state)
{
	(void)state;
	close(theirs);
	turns(64);
	return clients_count() == 0 ? 0 : -1;
}

/* So many lines, of one byte each. */
static void
ask(unsigned int n)
{
	while (n-- > 0)
		assert_int_equal(write(theirs, "x\n", 2), 2);
}

static void
many_requests_take_many_turns(void **state)
{
	(void)state;
	ask(10 * CLIENT_TURN);
	turn();
	assert_int_equal(lines, CLIENT_TURN);
	turns(64);
	assert_int_equal(lines, 10 * CLIENT_TURN);
}

static void
one_that_does_not_read_is_not_answered_without_end(void **state)
{
	unsigned int answered;
	static char buf[ANSWER];

	(void)state;
	answers = true;
	ask(100);
	turns(256);
	/* what is kept for it, and what the socket holds */
	answered = lines;
	assert_in_range(answered, 1, CLIENT_OUTPUT_HIGH / ANSWER + 16);
	while (lines < 100) {
		while (read(theirs, buf, sizeof(buf)) > 0)
			continue;
		turn();
	}
}

static void
one_that_waits_for_the_parent_asks_no_more(void **state)
{
	(void)state;
	waits = true;
	ask(2 * CLIENT_REQUESTS);
	turns(16);
	assert_int_equal(lines, CLIENT_REQUESTS);
	client_add_requests(asking, -1);
	turns(16);
	assert_int_equal(lines, CLIENT_REQUESTS + 1);
	client_add_requests(asking, -CLIENT_REQUESTS);
	turns(16);
	assert_int_equal(lines, 2 * CLIENT_REQUESTS);
	client_add_requests(asking, 1 - CLIENT_REQUESTS);
}

static void
what_it_asks_meanwhile_stays_in_its_socket(void **state)
{
	static char buf[4096];
	size_t sent = 0;
	ssize_t n;
	int full = 0;

	(void)state;
	waits = true;
	memset(buf, 'x', sizeof(buf));
	buf[sizeof(buf) - 1] = '\n';
	while (full < 16 && sent < MUCH) {
		if ((n = write(theirs, buf, sizeof(buf))) > 0) {
			sent += (size_t)n;
			full = 0;
		} else {
			full++;
		}
		turn();
	}
	assert_true(sent < MUCH);
	assert_int_equal(lines, CLIENT_REQUESTS);
	client_add_requests(asking, -CLIENT_REQUESTS);
	waits = false;
}

static void
the_time_is_that_since_the_last_request(void **state)
{
	(void)state;
	turns(2);
	for (int i = 0; i < 3; i++) {
		fake_now += CLIENT_IDLE;
		ask(1);
		turns(4);
	}
	assert_int_equal(lines, 3);
	fake_now += CLIENT_IDLE;
	turns(4);
	assert_int_equal(clients_count(), 1);
	fake_now++;
	turns(4);
	assert_int_equal(clients_count(), 0);
}

/* However long that takes it, it may go on; one that stops is closed. */
static void
one_that_reads_slowly_is_not_one_that_does_not_read(void **state)
{
	static char buf[ANSWER];

	(void)state;
	answers = true;
	ask(100);
	turns(256);
	for (int i = 0; i < 8; i++) {
		fake_now += CLIENT_STALL;
		turns(4);
		assert_int_equal(clients_count(), 1);
		while (read(theirs, buf, sizeof(buf)) > 0)
			continue;
		turns(4);
	}
	assert_true(lines < 100);
	fake_now += CLIENT_STALL + 1;
	turns(4);
	assert_int_equal(clients_count(), 0);
}

/* Its socket may be full for as long as there is nothing more for it. */
static void
the_time_to_read_begins_with_what_is_kept(void **state)
{
	static const char chunk[4096];

	(void)state;
	waits = true;
	ask(1);
	turns(4);
	while (client_unread(asking) == 0) {
		fake_now += 2 * CLIENT_STALL;
		assert_int_equal(
		    client_send_text(asking, chunk, sizeof(chunk)), 0);
		turns(4);
		assert_int_equal(clients_count(), 1);
	}
	fake_now += CLIENT_STALL;
	turns(4);
	assert_int_equal(clients_count(), 1);
	fake_now++;
	turns(4);
	assert_int_equal(clients_count(), 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(many_requests_take_many_turns),
	    TEST(one_that_does_not_read_is_not_answered_without_end),
	    TEST(one_that_waits_for_the_parent_asks_no_more),
	    TEST(what_it_asks_meanwhile_stays_in_its_socket),
	    TEST(the_time_is_that_since_the_last_request),
	    TEST(one_that_reads_slowly_is_not_one_that_does_not_read),
	    TEST(the_time_to_read_begins_with_what_is_kept),
	};

	signal(SIGPIPE, SIG_IGN);
	if ((base = event_base_new()) == NULL)
		return 1;
	clients_init(base, &handlers);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("client", tests, NULL, NULL);
}

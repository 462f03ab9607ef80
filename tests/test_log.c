#include <sys/time.h>

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/log.h"

#define LINES 5000 /* of some 100 bytes: more than a pipe holds */

static int reader, standard_error;

/* Standard error is a pipe, which the test reads. */
static int
setup(void **state)
{
	int fds[2];

	(void)state;
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	assert_int_equal(fcntl(fds[0], F_SETFL, O_NONBLOCK), 0);
	standard_error = dup(STDERR_FILENO);
	dup2(fds[1], STDERR_FILENO);
	close(fds[1]);
	reader = fds[0];
	log_init("tund", LOG_LEVEL_INFO);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	dup2(standard_error, STDERR_FILENO);
	close(standard_error);
	close(reader);
	return 0;
}

/* All that there is to read, as a string. */
static const char *
take(void)
{
	static char text[1 << 20];
	size_t len = 0;
	ssize_t n;

	while ((n = read(reader, text + len, sizeof(text) - 1 - len)) > 0)
		len += (size_t)n;
	text[len] = '\0';
	return text;
}

static unsigned int
count(const char *text, char c)
{
	unsigned int n = 0;

	for (; *text != '\0'; text++)
		n += *text == c;
	return n;
}

static void
whoever_stops_reading_stops_nobody(void **state)
{
	const char *text;
	char told[128];
	unsigned int i, whole;

	(void)state;
	for (i = 0; i < LINES; i++)
		log_info("line %u %085u", i, i);
	text = take();
	whole = count(text, '\n');
	assert_in_range(whole, 1, LINES - 1);
	/* each of them whole */
	snprintf(
	    told, sizeof(told), "tund: line %u %085u\n", whole - 1, whole - 1);
	assert_string_equal(text + strlen(text) - strlen(told), told);
	log_info("another");
	snprintf(told, sizeof(told),
	    "tund: nobody read standard error: lines lost: %u\n"
	    "tund: another\n",
	    LINES - whole);
	assert_string_equal(take(), told);
	log_info("and another");
	assert_string_equal(take(), "tund: and another\n");
}

static void
on_alarm(int signo)
{
	(void)signo;
}

static void
a_signal_meanwhile_is_no_reader(void **state)
{
	static const struct itimerval none;
	static const struct itimerval soon = {
	    .it_interval.tv_sec = 3, .it_value.tv_usec = 300000};
	/* the second one ends the test, if that waits in write(2) */
	struct sigaction sa = {
	    .sa_handler = on_alarm, .sa_flags = SA_RESTART | SA_RESETHAND};
	char full[4096] = {0};

	(void)state;
	fcntl(STDERR_FILENO, F_SETFL, O_NONBLOCK);
	while (write(STDERR_FILENO, full, sizeof(full)) > 0)
		continue;
	fcntl(STDERR_FILENO, F_SETFL, 0);
	sigaction(SIGALRM, &sa, NULL);
	setitimer(ITIMER_REAL, &soon, NULL);
	log_info("this is lost");
	setitimer(ITIMER_REAL, &none, NULL);
	take();
	log_info("another");
	assert_string_equal(take(),
	    "tund: nobody read standard error: lines lost: 1\n"
	    "tund: another\n");
}

static void
a_line_that_is_too_long_is_cut(void **state)
{
	char text[2 * LOG_LINE_MAX];
	const char *line;

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	log_info("%s", text);
	line = take();
	assert_int_equal(strlen(line), strlen("tund: ") + LOG_LINE_MAX - 1 + 1);
	assert_int_equal(count(line, '\n'), 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(
		whoever_stops_reading_stops_nobody, setup, teardown),
	    cmocka_unit_test_setup_teardown(
		a_signal_meanwhile_is_no_reader, setup, teardown),
	    cmocka_unit_test_setup_teardown(
		a_line_that_is_too_long_is_cut, setup, teardown),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

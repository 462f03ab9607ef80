#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <dirent.h>
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/sandbox.h"
#include "privsep/proc.h"
#include "tests/fake_child.h"

/*
 * privsep/proc.c is built here with shorter times: a second to be ready or to
 * answer, 80 ms at most before a restart, a second of life that forgives.
 */
#define READY_SECONDS 1
#define ANSWER_SECONDS 1
#define DELAY_MAX 80
#define MESSAGES_MAX 2000
#define LINES_MAX 200
#define LOOKS_A_SECOND 10000 /* two a line: half of PROC_LINES_MAX */
#define STARTS_MAX 64
#define PATIENCE_MS 8000

static struct event_base *base;
static struct event *child_event;
static char directory[64], program[PATH_MAX];
static enum process_kind kind; /* of which the child of a test is */
static struct proc *live[2];   /* what a failed test leaves behind */

/* What happened to the process of a test. */
static struct {
	/* how each start is to behave; the last entry holds from then on */
	enum child_behaviour behaviours[8];
	size_t behaviour_count;
	time_t begun;
	size_t starts, ready, messages, exits, lines;
	double started[STARTS_MAX], ended[STARTS_MAX];
	bool refused;
	size_t after_refusal;
	char report[4096];
	char why[160];
} seen;

/* Does a second last for so many looks at the clock?  0: for a second. */
static size_t looks_a_second;

time_t __real_clock_seconds(void);
time_t __wrap_clock_seconds(void);

time_t
__wrap_clock_seconds(void)
{
	static size_t looks;

	if (looks_a_second == 0)
		return __real_clock_seconds();
	return (time_t)(++looks / looks_a_second);
}

static double
now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void
count_line(enum log_level level, const char *text)
{
	(void)level;
	seen.lines += strstr(text, "a line") != NULL;
}

static void
on_setup(struct proc *p, void *arg)
{
	size_t i = seen.starts;

	assert_ptr_equal(arg, &seen);
	assert_int_equal(p->state, PROC_STARTING);
	assert_true(p->pid > 0);
	/* it is another than the one before */
	assert_int_equal(p->applied | p->missing, 0);
	assert_in_range(p->started, seen.begun, time(NULL));
	assert_true(i < STARTS_MAX);
	seen.started[seen.starts++] = now();
	if (seen.behaviour_count == 0)
		return;
	if (i >= seen.behaviour_count)
		i = seen.behaviour_count - 1;
	assert_int_equal(
	    proc_send(p, MSG_WORKER_CONFIG, seen.behaviours[i], NULL, 0, -1),
	    0);
}

static void
on_ready(struct proc *p, void *arg)
{
	(void)arg;
	assert_int_equal(p->state, PROC_RUNNING);
	seen.ready++;
}

static int
on_message(struct proc *p, struct imsg *m, void *arg)
{
	(void)p;
	(void)arg;
	seen.messages++;
	if (seen.refused)
		seen.after_refusal++;
	if (m->hdr.type == MSG_REQUEST)
		snprintf(seen.report, sizeof(seen.report), "%.*s",
		    (int)m->hdr.len, (const char *)m->data);
	/* as the hooks of both kinds do, with all that is none of theirs */
	if (m->hdr.type != MSG_OFFLOAD_OFF && m->hdr.type >= MSG_READY)
		return 0;
	seen.refused = true;
	return -1;
}

static void
on_exited(struct proc *p, const char *why, void *arg)
{
	(void)arg;
	assert_true(p->pid > 0 || seen.starts == 0);
	assert_true(seen.exits < STARTS_MAX);
	seen.ended[seen.exits++] = now();
	snprintf(seen.why, sizeof(seen.why), "%s", why);
}

static const struct proc_hooks hooks = {
    .setup = on_setup,
    .ready = on_ready,
    .message = on_message,
    .exited = on_exited,
};

static void
on_child(int signo, short what, void *arg)
{
	(void)signo;
	(void)what;
	(void)arg;
	proc_reap();
}

/* One turn of the loop, of 20 ms at most. */
static void
turn(void)
{
	const struct timeval tv = {0, 20000};

	event_base_loopexit(base, &tv);
	assert_int_not_equal(event_base_loop(base, EVLOOP_ONCE), -1);
}

static void
run_for(unsigned int ms)
{
	double end = now() + ms / 1000.0;

	while (now() < end)
		turn();
}

#define RUN_UNTIL(condition)                                         \
	do {                                                         \
		double end = now() + PATIENCE_MS / 1000.0;           \
		while (!(condition)) {                               \
			if (now() > end)                             \
				fail_msg("in vain: %s", #condition); \
			turn();                                      \
		}                                                    \
	} while (0)

static struct proc *
make(const enum child_behaviour *list, size_t count)
{
	struct proc *p = proc_new(base, kind, directory, &hooks, &seen);

	assert_non_null(p);
	live[live[0] != NULL] = p;
	memset(&seen, 0, sizeof(seen));
	memcpy(seen.behaviours, list, count * sizeof(list[0]));
	seen.behaviour_count = count;
	seen.begun = time(NULL);
	assert_int_equal(p->state, PROC_STOPPED);
	assert_int_equal(p->pid, 0);
	proc_start(p);
	return p;
}
#define START(...)                                                \
	make((const enum child_behaviour[]){__VA_ARGS__},         \
	    sizeof((const enum child_behaviour[]){__VA_ARGS__}) / \
		sizeof(enum child_behaviour))

static void
end_one(struct proc *p)
{
	for (size_t i = 0; i < sizeof(live) / sizeof(live[0]); i++)
		if (live[i] == p)
			live[i] = NULL;
	proc_free(p);
}

/* Gone for good, and no zombie left. */
static void
end(struct proc *p)
{
	end_one(p);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
}

static void
link_child(void)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", directory, process_name(kind));
	assert_int_equal(symlink(program, path), 0);
}

static void
unlink_child(void)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", directory, process_name(kind));
	unlink(path);
}

static int
setup_kind(enum process_kind k)
{
	const char *top = getenv("top_builddir");
	char relative[PATH_MAX];

	kind = k;
	looks_a_second = 0;
	snprintf(relative, sizeof(relative), "%s/tests/fake_child",
	    top == NULL ? "." : top);
	if (realpath(relative, program) == NULL)
		fail_msg("%s is not there", relative);
	snprintf(directory, sizeof(directory), "/tmp/test_proc.XXXXXX");
	assert_non_null(mkdtemp(directory));
	link_child();
	base = event_base_new();
	child_event = evsignal_new(base, SIGCHLD, on_child, NULL);
	assert_int_equal(event_add(child_event, NULL), 0);
	log_set_sink(count_line);
	return 0;
}

static int
setup(void **state)
{
	(void)state;
	return setup_kind(PROCESS_WORKER);
}

static int
setup_control(void **state)
{
	(void)state;
	return setup_kind(PROCESS_CONTROL);
}

static int
teardown(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(live) / sizeof(live[0]); i++)
		end_one(live[i]);
	event_free(child_event);
	event_base_free(base);
	unlink_child();
	return rmdir(directory);
}

static void
a_child_starts_and_is_ready(void **state)
{
	struct proc *p = START(CHILD_READY);
	pid_t pid = p->pid;

	(void)state;
	assert_int_equal(seen.starts, 1);
	assert_int_equal(p->state, PROC_STARTING);
	RUN_UNTIL(seen.ready == 1);
	assert_int_equal(p->state, PROC_RUNNING);
	assert_int_equal(p->applied, SANDBOX_REQUIRED);
	assert_int_equal(p->missing, SANDBOX_ALL & ~SANDBOX_REQUIRED);
	assert_int_equal(p->pid, pid);
	assert_int_equal(p->restarts, 0);
	run_for(READY_SECONDS * 1000 + 300);
	assert_int_equal(seen.starts, 1);
	assert_int_equal(seen.exits, 0);
	end(p);
}

static void
it_inherits_its_channel_and_nothing_else(void **state)
{
	int low = open("/dev/zero", O_RDONLY), high = dup2(low, 900);
	struct rlimit limit, old;
	sigset_t set, before;
	struct proc *p;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	if (high == -1) {
		limit = old;
		limit.rlim_cur = 1024;
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
		high = dup2(low, 900);
	}
	assert_int_equal(high, 900);
	setenv("SECRET", "of the parent", 1);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, &before);
	signal(SIGTERM, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	p = START(CHILD_REPORTS);
	RUN_UNTIL(seen.report[0] != '\0');
	assert_string_equal(seen.report,
	    "name tund-worker\n0 null\n1 null\n2 null\n3 socket\n");
	end(p);
	signal(SIGTERM, SIG_DFL);
	signal(SIGHUP, SIG_DFL);
	sigprocmask(SIG_SETMASK, &before, NULL);
	close(low);
	close(high);
}

static void
one_that_falls_is_started_again_ever_later(void **state)
{
	struct proc *p = START(CHILD_EXITS);
	double wait, delay = 0.010;
	size_t i;

	(void)state;
	RUN_UNTIL(seen.exits == 7);
	assert_string_equal(seen.why, "exited with status 3");
	assert_int_equal(seen.ready, 0);
	for (i = 0; i + 1 < seen.starts && i < 6; i++) {
		wait = seen.started[i + 1] - seen.ended[i];
		/* the loop's clock may be some milliseconds behind */
		if (wait < delay * 0.7)
			fail_msg("restart %zu after %f s", i + 1, wait);
		delay = delay * 2 > DELAY_MAX / 1000.0 ? DELAY_MAX / 1000.0
						       : delay * 2;
	}
	assert_int_equal(i, 6);
	assert_in_range(p->restarts, 6, 7);
	end(p);
}

static void
the_delay_is_bounded(void **state)
{
	struct proc *p = START(CHILD_EXITS);
	size_t i;

	(void)state;
	RUN_UNTIL(seen.starts == 12);
	/* 10 + 20 + 40 and then 80 each, and some for a slow machine */
	for (i = 5; i < 11; i++)
		assert_true(seen.started[i + 1] - seen.ended[i] < 1.0);
	end(p);
}

static void
a_life_forgives_earlier_falls(void **state)
{
	struct proc *p = START(CHILD_EXITS, CHILD_EXITS, CHILD_EXITS,
	    CHILD_EXITS, CHILD_EXITS, CHILD_READY);
	double wait;

	(void)state;
	RUN_UNTIL(seen.ready == 1);
	assert_int_equal(p->restarts, 5);
	run_for(2100);
	kill(p->pid, SIGKILL);
	RUN_UNTIL(seen.ready == 2);
	assert_string_equal(seen.why, "killed by signal 9 (Killed)");
	wait = seen.started[6] - seen.ended[5];
	if (wait >= DELAY_MAX / 1000.0)
		fail_msg("started again after %f s", wait);
	end(p);
}

static void
one_that_crashes_is_told_with_its_signal(void **state)
{
	struct proc *p = START(CHILD_CRASHES, CHILD_READY);

	(void)state;
	RUN_UNTIL(seen.ready == 2);
	assert_string_equal(seen.why, "killed by signal 6 (Aborted)");
	assert_int_equal(p->restarts, 1);
	end(p);
}

static void
one_that_floods_is_killed(void **state)
{
	struct proc *p = START(CHILD_FLOODS, CHILD_READY);

	(void)state;
	RUN_UNTIL(seen.exits == 1);
	if (strstr(seen.why, "it sent too many messages") == NULL)
		fail_msg("%s", seen.why);
	/* the count begins anew with each second */
	assert_in_range(seen.messages, MESSAGES_MAX - 10, 3 * MESSAGES_MAX);
	/* the one after it is another, and well */
	RUN_UNTIL(seen.ready == 2);
	run_for(200);
	assert_int_equal(p->restarts, 1);
	assert_int_equal(seen.exits, 1);
	end(p);
}

static void
breaks_protocol(enum child_behaviour b, size_t ready, size_t messages)
{
	struct proc *p = START(b, CHILD_READY);

	RUN_UNTIL(seen.exits == 1);
	if (strstr(seen.why, "it sent a message that is not legal") == NULL)
		fail_msg("behaviour %d: %s", b, seen.why);
	assert_int_equal(seen.ready, ready);
	/* of what it sent afterwards nothing was taken */
	assert_int_equal(seen.messages, messages);
	assert_int_equal(seen.after_refusal, 0);
	RUN_UNTIL(seen.ready == ready + 1);
	assert_int_equal(p->restarts, 1);
	end(p);
}

static void
one_that_breaks_the_protocol_is_killed_and_not_heard(void **state)
{
	(void)state;
	breaks_protocol(CHILD_SPEAKS_AS_PARENT, 1, 1);
	breaks_protocol(CHILD_IS_READY_TWICE, 1, 0);
	breaks_protocol(CHILD_IS_READY_BADLY, 0, 0);
	breaks_protocol(CHILD_IS_READY_BARE, 0, 0);
	breaks_protocol(CHILD_IS_REFUSED, 1, 1);
}

static void
one_that_sends_rubbish_is_killed(void **state)
{
	struct proc *p = START(CHILD_SENDS_RUBBISH, CHILD_READY);

	(void)state;
	RUN_UNTIL(seen.exits == 1);
	assert_non_null(strstr(seen.why, "killed by signal 9"));
	assert_non_null(strstr(seen.why, "it sent what is no message"));
	assert_int_equal(seen.messages, 0);
	RUN_UNTIL(seen.ready == 2);
	end(p);
}

static void
one_that_leaves_its_channel_is_killed(void **state)
{
	struct proc *p = START(CHILD_LEAVES, CHILD_READY);

	(void)state;
	/* also with something unread */
	proc_send(p, MSG_WORKER_START, 0, NULL, 0, -1);
	RUN_UNTIL(seen.exits == 1);
	if (strstr(seen.why, "it left its channel") == NULL)
		fail_msg("%s", seen.why);
	RUN_UNTIL(seen.ready == 2);
	end(p);
}

/* What it owes gives it no more time, and nothing of that is the next one's. */
static void
one_that_leaves_its_channel_owes_nothing_more(void **state)
{
	struct proc *p = START(CHILD_LEAVES, CHILD_READY);

	(void)state;
	RUN_UNTIL(
	    (proc_await(p, "kept it back"), proc_answered(p), seen.exits == 1));
	if (strstr(seen.why, "it left its channel") == NULL)
		fail_msg("%s", seen.why);
	RUN_UNTIL(seen.ready == 2);
	proc_await(p, "kept its answer back");
	RUN_UNTIL(seen.exits == 2);
	if (strstr(seen.why, "it kept its answer back") == NULL)
		fail_msg("%s", seen.why);
	end(p);
}

/* The limit is ours, and must not be looked for in the child. */
static void
one_that_has_no_place_for_descriptors_is_told_so(void **state)
{
	struct rlimit before, few = {0, 0};
	struct proc *p = START(CHILD_IS_SILENT, CHILD_READY);

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	few.rlim_max = before.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	/* until they must wait, for which there is a copy of each */
	while (proc_send(p, MSG_WORKER_SOCKET, 0, NULL, 0, 0) == 0)
		continue;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	RUN_UNTIL(seen.exits == 1);
	if (strstr(seen.why, "raise the limit of open files") == NULL)
		fail_msg("%s", seen.why);
	RUN_UNTIL(seen.ready == 1);
	end(p);
}

static void
one_that_never_is_ready_is_killed(void **state)
{
	struct proc *p = START(CHILD_IS_SILENT, CHILD_READY);

	(void)state;
	RUN_UNTIL(seen.exits == 1);
	if (strstr(seen.why, "it was not ready in time") == NULL)
		fail_msg("%s", seen.why);
	assert_true(seen.ended[0] - seen.started[0] > READY_SECONDS - 0.1);
	RUN_UNTIL(seen.ready == 1);
	end(p);
}

/* Not while it starts, nor while it waits to be started again. */
static void
an_answer_that_nobody_awaits_changes_no_deadline(void **state)
{
	struct proc *p = START(CHILD_IS_SILENT, CHILD_READY);

	(void)state;
	RUN_UNTIL((proc_answered(p), seen.exits == 1));
	RUN_UNTIL((proc_answered(p), seen.ready == 1));
	end(p);
}

static void
one_that_owes_an_answer_is_killed_in_time(void **state)
{
	struct proc *p = START(CHILD_READY);
	double began;

	(void)state;
	/* before it runs it has another deadline */
	proc_await(p, "was asked too early");
	RUN_UNTIL(seen.ready == 1);
	began = now();
	proc_await(p, "kept its answer back");
	run_for(ANSWER_SECONDS * 500);
	assert_int_equal(seen.exits, 0);
	/* what else it owes gives it no more time */
	proc_await(p, "kept another back");
	RUN_UNTIL(seen.exits == 1);
	assert_non_null(strstr(seen.why, "it kept its answer back"));
	assert_true(seen.ended[0] - began > ANSWER_SECONDS - 0.1);
	assert_true(seen.ended[0] - began < ANSWER_SECONDS * 1.5);
	/* the one after it owes nothing */
	RUN_UNTIL(seen.ready == 2);
	run_for(ANSWER_SECONDS * 1000 + 300);
	assert_int_equal(seen.exits, 1);
	/* until it is asked, too */
	proc_await(p, "kept the second back");
	RUN_UNTIL(seen.exits == 2);
	assert_non_null(strstr(seen.why, "it kept the second back"));
	/* of two reasons it is the first that ended it */
	RUN_UNTIL(seen.ready == 3);
	proc_kill(p, "did this");
	proc_kill(p, "did that");
	RUN_UNTIL(seen.exits == 3);
	assert_non_null(strstr(seen.why, "it did this"));
	end(p);
}

static void
one_that_gave_its_answer_lives(void **state)
{
	struct proc *p = START(CHILD_READY);

	(void)state;
	RUN_UNTIL(seen.ready == 1);
	proc_await(p, "kept its answer back");
	run_for(ANSWER_SECONDS * 500);
	proc_answered(p);
	run_for(ANSWER_SECONDS * 700);
	/* another time, with time of its own */
	proc_await(p, "kept its answer back");
	run_for(ANSWER_SECONDS * 700);
	proc_answered(p);
	assert_int_equal(seen.exits, 0);
	end(p);
}

static void
one_that_logs_much_is_cut_short_and_lives(void **state)
{
	struct proc *p = START(CHILD_LOGS);

	(void)state;
	RUN_UNTIL(seen.report[0] != '\0');
	assert_string_equal(seen.report, "all");
	/* the count begins anew with each second */
	assert_in_range(seen.lines, LINES_MAX, 3 * LINES_MAX);
	run_for(100);
	assert_int_equal(seen.exits, 0);
	end(p);
}

/* A hundred thousand lines are many in a second, and few in a day. */
static void
one_that_logs_for_long_lives(void **state)
{
	struct proc *p;

	(void)state;
	looks_a_second = LOOKS_A_SECOND;
	p = START(CHILD_LOGS_FOR_EVER);
	RUN_UNTIL(seen.lines > 6 * LINES_MAX);
	assert_int_equal(seen.exits, 0);
	end(p);
}

static void
one_that_logs_without_end_is_killed(void **state)
{
	struct proc *p = START(CHILD_LOGS_FOR_EVER, CHILD_READY);

	(void)state;
	RUN_UNTIL(seen.exits == 1);
	if (strstr(seen.why, "it sent too many messages") == NULL)
		fail_msg("%s", seen.why);
	RUN_UNTIL(seen.ready == 2);
	end(p);
}

/* Its lines are decided by no client. */
static void
a_worker_that_logs_much_is_killed(void **state)
{
	struct proc *p = START(CHILD_LOGS, CHILD_READY);

	(void)state;
	RUN_UNTIL(seen.exits == 1);
	if (strstr(seen.why, "it sent too many messages") == NULL)
		fail_msg("%s", seen.why);
	assert_string_equal(seen.report, "");
	RUN_UNTIL(seen.ready == 2);
	end(p);
}

/* The parent has something else to do, and then finds it dead. */
static void
the_last_line_of_one_that_ends_is_logged(void **state)
{
	struct proc *p = START(CHILD_LOGS_AND_EXITS);
	siginfo_t ended;

	(void)state;
	assert_int_equal(
	    waitid(P_PID, (id_t)p->pid, &ended, WEXITED | WNOWAIT), 0);
	/* which the channel does not survive */
	assert_int_equal(proc_send(p, MSG_WORKER_START, 0, NULL, 0, -1), -1);
	proc_reap();
	assert_int_equal(seen.exits, 1);
	assert_int_equal(seen.lines, 1);
	assert_int_equal(seen.ready, 0);
	assert_string_equal(seen.report, "");
	end(p);
}

/* Of what it was sent: then its end is a reset. */
static void
it_is_logged_also_where_something_was_left_unread(void **state)
{
	struct proc *p = START(CHILD_LOGS_AND_EXITS);
	siginfo_t ended;

	(void)state;
	assert_int_equal(proc_send(p, MSG_WORKER_START, 0, NULL, 0, -1), 0);
	assert_int_equal(
	    waitid(P_PID, (id_t)p->pid, &ended, WEXITED | WNOWAIT), 0);
	proc_reap();
	assert_int_equal(seen.exits, 1);
	assert_int_equal(seen.lines, 1);
	end(p);
}

static void
an_absent_program_is_tried_again(void **state)
{
	struct proc *p;

	(void)state;
	unlink_child();
	p = START(CHILD_READY);
	assert_int_equal(p->state, PROC_WAITING);
	RUN_UNTIL(p->restarts >= 3);
	assert_int_equal(seen.starts, 0);
	/* each is a fall, told as any other */
	assert_int_equal(seen.exits, p->restarts);
	assert_string_equal(seen.why, "no process could be made for it");
	assert_int_equal(p->pid, 0);
	assert_int_equal(proc_send(p, MSG_WORKER_START, 0, NULL, 0, -1), -1);
	link_child();
	RUN_UNTIL(seen.ready == 1);
	end(p);
}

static void
what_is_no_program_falls(void **state)
{
	char path[128];
	/* it may be gone before it could be told anything */
	const enum child_behaviour nothing[1] = {0};
	struct proc *p;
	int fd;

	(void)state;
	unlink_child();
	snprintf(path, sizeof(path), "%s/tund-worker", directory);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
	assert_int_equal(write(fd, "no program", 10), 10);
	close(fd);
	p = make(nothing, 0);
	RUN_UNTIL(seen.exits == 1);
	assert_string_equal(seen.why, "exited with status 127");
	end(p);
}

static void
one_that_is_stopped_stays_so(void **state)
{
	struct proc *p = START(CHILD_READY);

	(void)state;
	RUN_UNTIL(seen.ready == 1);
	proc_stop(p);
	assert_int_equal(p->state, PROC_STOPPED);
	RUN_UNTIL(seen.exits == 1);
	assert_string_equal(seen.why, "exited with status 0");
	assert_int_equal(p->pid, 0);
	run_for(300);
	assert_int_equal(seen.starts, 1);
	/* and may be started another time */
	proc_start(p);
	RUN_UNTIL(seen.ready == 2);
	end(p);
}

static void
one_that_waits_is_stopped_too(void **state)
{
	struct proc *p = START(CHILD_EXITS);
	size_t starts;

	(void)state;
	RUN_UNTIL(p->state == PROC_WAITING && p->restarts > 4);
	proc_stop(p);
	starts = seen.starts;
	run_for(300);
	assert_int_equal(seen.starts, starts);
	end(p);
}

static void
a_stubborn_one_ends_with_free(void **state)
{
	struct proc *p = START(CHILD_IS_STUBBORN);
	pid_t pid;

	(void)state;
	RUN_UNTIL(seen.ready == 1);
	pid = p->pid;
	proc_stop(p);
	run_for(200);
	assert_int_equal(kill(pid, 0), 0);
	end(p);
	assert_int_equal(kill(pid, 0), -1);
	proc_free(NULL);
}

/* It has the same descriptors: a device that it holds is not free yet. */
static void
what_a_child_started_ends_with_it(void **state)
{
	struct proc *p = START(CHILD_FORKS);
	pid_t first, second;

	(void)state;
	RUN_UNTIL(seen.report[0] != '\0');
	first = atoi(seen.report);
	assert_int_equal(kill(first, 0), 0);
	seen.report[0] = '\0';
	proc_kill(p, "shall fall");
	RUN_UNTIL(seen.report[0] != '\0');
	assert_int_equal(kill(first, 0), -1);
	second = atoi(seen.report);
	assert_int_equal(kill(second, 0), 0);
	end(p);
	assert_int_equal(kill(second, 0), -1);
}

static void
restart_is_at_once_and_no_fall(void **state)
{
	struct proc *p = START(
	    CHILD_EXITS, CHILD_EXITS, CHILD_EXITS, CHILD_EXITS, CHILD_READY);
	pid_t pid;

	(void)state;
	RUN_UNTIL(seen.ready == 1);
	assert_int_equal(p->restarts, 4);
	pid = p->pid;
	proc_restart(p);
	RUN_UNTIL(seen.ready == 2);
	assert_int_not_equal(p->pid, pid);
	assert_int_equal(p->restarts, 4);
	assert_non_null(strstr(seen.why, "it is started anew"));
	assert_true(seen.started[5] - seen.ended[4] < DELAY_MAX / 1000.0);
	end(p);
}

static void
restart_does_not_wait_for_the_delay(void **state)
{
	struct proc *p = START(CHILD_EXITS);
	size_t starts;

	(void)state;
	RUN_UNTIL(p->state == PROC_WAITING && p->restarts > 4);
	starts = seen.starts;
	seen.behaviours[0] = CHILD_READY;
	proc_restart(p);
	assert_int_equal(seen.starts, starts + 1);
	RUN_UNTIL(seen.ready == 1);
	run_for(2 * DELAY_MAX);
	assert_int_equal(seen.starts, starts + 1);
	end(p);
}

static size_t
open_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	size_t n = 0;

	assert_non_null(d);
	while (readdir(d) != NULL)
		n++;
	closedir(d);
	return n;
}

static void
falls_cost_no_descriptors(void **state)
{
	struct proc *p = START(CHILD_READY);
	size_t before, i;

	(void)state;
	RUN_UNTIL(seen.ready == 1);
	before = open_fds();
	seen.behaviours[0] = CHILD_EXITS;
	for (i = 1; i < 8; i++) {
		kill(p->pid, SIGKILL);
		RUN_UNTIL(seen.exits >= 2 * i);
		seen.behaviours[0] = CHILD_READY;
		RUN_UNTIL(p->state == PROC_RUNNING);
		seen.behaviours[0] = CHILD_EXITS;
	}
	assert_int_equal(open_fds(), before);
	end(p);
}

static void
another_ones_fall_is_not_ones_own(void **state)
{
	struct proc *a = START(CHILD_READY), *b;
	pid_t pid = a->pid;

	(void)state;
	RUN_UNTIL(a->state == PROC_RUNNING);
	b = START(CHILD_EXITS, CHILD_READY);
	RUN_UNTIL(b->state == PROC_RUNNING);
	assert_int_equal(seen.exits, 1);
	assert_int_equal(b->restarts, 1);
	assert_int_equal(a->restarts, 0);
	assert_int_equal(a->pid, pid);
	kill(pid, SIGKILL);
	RUN_UNTIL(a->restarts == 1 && a->state == PROC_RUNNING);
	assert_int_equal(b->restarts, 1);
	end_one(b);
	end(a);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
#define TEST_CONTROL(f) \
	cmocka_unit_test_setup_teardown(f, setup_control, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(a_child_starts_and_is_ready),
	    TEST(it_inherits_its_channel_and_nothing_else),
	    TEST(one_that_falls_is_started_again_ever_later),
	    TEST(the_delay_is_bounded),
	    TEST(a_life_forgives_earlier_falls),
	    TEST(one_that_crashes_is_told_with_its_signal),
	    TEST(one_that_floods_is_killed),
	    TEST(one_that_breaks_the_protocol_is_killed_and_not_heard),
	    TEST(one_that_sends_rubbish_is_killed),
	    TEST(one_that_leaves_its_channel_is_killed),
	    TEST(one_that_leaves_its_channel_owes_nothing_more),
	    TEST(one_that_has_no_place_for_descriptors_is_told_so),
	    TEST(one_that_never_is_ready_is_killed),
	    TEST(an_answer_that_nobody_awaits_changes_no_deadline),
	    TEST(one_that_owes_an_answer_is_killed_in_time),
	    TEST(one_that_gave_its_answer_lives),
	    TEST_CONTROL(one_that_logs_much_is_cut_short_and_lives),
	    TEST_CONTROL(one_that_logs_for_long_lives),
	    TEST_CONTROL(one_that_logs_without_end_is_killed),
	    TEST(a_worker_that_logs_much_is_killed),
	    TEST(the_last_line_of_one_that_ends_is_logged),
	    TEST(it_is_logged_also_where_something_was_left_unread),
	    TEST(an_absent_program_is_tried_again),
	    TEST(what_is_no_program_falls),
	    TEST(one_that_is_stopped_stays_so),
	    TEST(one_that_waits_is_stopped_too),
	    TEST(a_stubborn_one_ends_with_free),
	    TEST(what_a_child_started_ends_with_it),
	    TEST(restart_is_at_once_and_no_fall),
	    TEST(restart_does_not_wait_for_the_delay),
	    TEST(falls_cost_no_descriptors),
	    TEST(another_ones_fall_is_not_ones_own),
	};

	/* as main.c does: what_a_child_started_ends_with_it */
	if (prctl(PR_SET_CHILD_SUBREAPER, 1) == -1)
		return 1;
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("proc", tests, NULL, NULL);
}

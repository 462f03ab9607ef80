#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <errno.h>
#include <event2/event.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log_limit.h"
#include "common/why.h"
#include "ipc/channel.h"
#include "ipc/limits.h"
#include "privsep/proc.h"
#include "privsep/spawn.h"

#define PROC_DELAY_MIN 10 /* ms before the first restart */
#define PROC_LEFT_MS 100  /* from its EOF until it is killed */
/* the tests do not wait that long */
#ifndef PROC_READY_SECONDS
#define PROC_READY_SECONDS 10  /* to say that it is ready */
#define PROC_ANSWER_SECONDS 10 /* to give an answer that is awaited */
#define PROC_DELAY_MAX 10000   /* ms before any restart */
#define PROC_STABLE_SECONDS 10 /* of life that forgive earlier falls */
/*
 * Of tund-control in a second.  At the level debug each connection has one:
 * clients brought it to 29,000 on a machine where 270,000 could be read.
 */
#define PROC_LINES_MAX 100000
#endif

struct proc_private {
	LIST_ENTRY(proc_private) entry;
	struct proc *proc;
	struct event_base *base;
	const char *directory;
	const struct proc_hooks *hooks;
	void *arg;
	struct channel *channel;
	struct event *timer; /* deadline of ready, answer or end; restart */
	unsigned int delay;  /* ms */
	const char *awaited; /* what it did if no answer comes, or NULL */
	const char *killed;  /* why we killed it */
	const char *left;    /* why its channel is of no use */
	bool again;	     /* start anew without delay */
	bool ended;	     /* only what it logged still counts */
	time_t window;	     /* second of the counts */
	unsigned int messages;
	unsigned int control_lines;
	struct log_limit logged;
};
static LIST_HEAD(, proc_private) procs = LIST_HEAD_INITIALIZER(procs);

static void
proc_timer(struct proc_private *pp, unsigned int ms)
{
	struct timeval tv = {ms / 1000, (ms % 1000) * 1000};

	/* from now on, not from when this turn of the loop began */
	event_base_update_cache_time(pp->base);
	event_add(pp->timer, &tv);
}

static void
proc_on_timer(int fd, short what, void *arg)
{
	struct proc_private *pp = arg;

	(void)fd;
	(void)what;
	if (pp->proc->state == PROC_WAITING)
		proc_start(pp->proc);
	else if (pp->left != NULL)
		proc_kill(pp->proc, pp->left);
	else if (pp->proc->state == PROC_STARTING)
		proc_kill(pp->proc, "was not ready in time");
	else if (pp->awaited != NULL)
		proc_kill(pp->proc, pp->awaited);
}

struct proc *
proc_new(struct event_base *base, enum process_kind kind, const char *directory,
    const struct proc_hooks *hooks, void *arg)
{
	struct proc *p = calloc(1, sizeof(*p));
	struct proc_private *pp = calloc(1, sizeof(*pp));

	if (p == NULL || pp == NULL ||
	    (pp->timer = evtimer_new(base, proc_on_timer, pp)) == NULL) {
		free(p);
		free(pp);
		return NULL;
	}
	p->kind = kind;
	p->state = PROC_STOPPED;
	p->priv = pp;
	pp->proc = p;
	pp->base = base;
	pp->directory = directory;
	pp->hooks = hooks;
	pp->arg = arg;
	LIST_INSERT_HEAD(&procs, pp, entry);
	return p;
}

static int
proc_on_log(struct proc *p, struct imsg *m)
{
	uint32_t level;
	const char *text;

	if (msg_read_log(m, &level, &text) == -1)
		return -1;
	if (log_limit_pass(&p->priv->logged, process_name(p->kind)))
		log_from(process_name(p->kind), level, text);
	return 0;
}

static int
proc_on_ready(struct proc *p, struct imsg *m)
{
	struct proc_private *pp = p->priv;
	struct msg_ready r;

	if (p->state != PROC_STARTING || msg_read_ready(m, &r) == -1)
		return -1;
	p->applied = r.applied;
	p->missing = r.missing;
	p->state = PROC_RUNNING;
	event_del(pp->timer);
	pp->hooks->ready(p, pp->arg);
	return 0;
}

/*
 * Who connects to tund-control decides how much it logs: no reason to end it,
 * as long as it is they.  What a worker logs is decided by nobody.
 */
static bool
is_one_too_many(struct proc_private *pp, uint32_t type)
{
	time_t second = clock_seconds();

	if (second != pp->window)
		pp->messages = pp->control_lines = 0;
	pp->window = second;
	if (type == MSG_LOG && pp->proc->kind == PROCESS_CONTROL)
		return ++pp->control_lines > PROC_LINES_MAX;
	return ++pp->messages > LIMIT_MESSAGES;
}

static void
proc_on_message(struct imsg *m, void *arg)
{
	struct proc_private *pp = arg;
	struct proc *p = pp->proc;
	int r;

	/* it dies; nothing more of it counts */
	if (pp->killed != NULL || (pp->ended && m->hdr.type != MSG_LOG))
		return;
	if (is_one_too_many(pp, m->hdr.type)) {
		proc_kill(p, "sent too many messages");
		return;
	}
	if (m->hdr.type == MSG_LOG)
		r = proc_on_log(p, m);
	else if (m->hdr.type == MSG_READY)
		r = proc_on_ready(p, m);
	else
		r = pp->hooks->message(p, m, pp->arg);
	if (r == -1)
		proc_kill(p, "sent a message that is not legal");
}

static void
proc_on_close(const char *why, void *arg)
{
	struct proc_private *pp = arg;

	/* it has most likely died, and SIGCHLD says how; else it is ended */
	pp->left = why;
	proc_timer(pp, PROC_LEFT_MS);
}

static void
proc_schedule(struct proc *p)
{
	struct proc_private *pp = p->priv;

	/* whole seconds: one more than that is at least as long */
	if (clock_seconds() - p->since > PROC_STABLE_SECONDS)
		pp->delay = 0;
	pp->delay = pp->delay == 0 ? PROC_DELAY_MIN : pp->delay * 2;
	if (pp->delay > PROC_DELAY_MAX)
		pp->delay = PROC_DELAY_MAX;
	p->state = PROC_WAITING;
	p->restarts++;
	proc_timer(pp, pp->delay);
}

/* No process could be made: a fall, too, or the start would never end. */
static void
proc_fell(struct proc *p, const char *path)
{
	log_warnx("cannot start %s: %s", path, why_errno(errno));
	p->pid = 0;
	p->priv->hooks->exited(
	    p, "no process could be made for it", p->priv->arg);
	if (p->state != PROC_STOPPED)
		proc_schedule(p);
}

void
proc_start(struct proc *p)
{
	struct proc_private *pp = p->priv;
	char path[PATH_MAX];
	int sock;

	p->since = clock_seconds();
	p->started = time(NULL);
	p->applied = p->missing = 0;
	p->state = PROC_STARTING;
	pp->killed = NULL;
	pp->left = NULL;
	pp->awaited = NULL;
	pp->ended = false;
	pp->window = 0;
	snprintf(
	    path, sizeof(path), "%s/%s", pp->directory, process_name(p->kind));
	if ((p->pid = spawn(path, process_name(p->kind), &sock)) == -1) {
		proc_fell(p, path);
		return;
	}
	pp->channel = channel_new(
	    pp->base, sock, imsg_read, proc_on_message, proc_on_close, pp);
	if (pp->channel == NULL) {
		close(sock);
		proc_kill(p, "has no channel");
		return;
	}
	proc_timer(pp, PROC_READY_SECONDS * 1000);
	pp->hooks->setup(p, pp->arg);
}

void
proc_kill(struct proc *p, const char *why)
{
	if (p->pid <= 0 || p->priv->ended)
		return;
	if (p->priv->killed == NULL)
		p->priv->killed = why;
	kill(p->pid, SIGKILL);
}

/* While it runs the timer has nothing else to do, unless it has left. */
void
proc_await(struct proc *p, const char *why)
{
	struct proc_private *pp = p->priv;

	if (p->state != PROC_RUNNING || pp->awaited != NULL)
		return;
	pp->awaited = why;
	if (pp->left == NULL)
		proc_timer(pp, PROC_ANSWER_SECONDS * 1000);
}

void
proc_answered(struct proc *p)
{
	struct proc_private *pp = p->priv;

	if (p->state != PROC_RUNNING || pp->awaited == NULL)
		return;
	pp->awaited = NULL;
	if (pp->left == NULL)
		event_del(pp->timer);
}

void
proc_stop(struct proc *p)
{
	p->state = PROC_STOPPED;
	event_del(p->priv->timer);
	channel_free(p->priv->channel);
	p->priv->channel = NULL;
}

void
proc_restart(struct proc *p)
{
	if (p->pid <= 0) {
		event_del(p->priv->timer);
		proc_start(p);
		return;
	}
	p->priv->again = true;
	proc_kill(p, "is started anew for a new configuration");
}

void
proc_free(struct proc *p)
{
	struct proc_private *pp;

	if (p == NULL)
		return;
	pp = p->priv;
	proc_stop(p);
	if (p->pid > 0)
		spawn_end(p->pid);
	LIST_REMOVE(pp, entry);
	event_free(pp->timer);
	free(pp);
	free(p);
}

int
proc_send(struct proc *p, uint32_t type, uint32_t id, const void *data,
    size_t len, int fd)
{
	if (p == NULL || p->priv->channel == NULL)
		return -1;
	return channel_send(p->priv->channel, type, id, data, len, fd);
}

size_t
proc_unsent(const struct proc *p)
{
	return p->priv->channel != NULL ? channel_unsent(p->priv->channel) : 0;
}

bool
proc_has_unsent_fds(const struct proc *p)
{
	return p->priv->channel != NULL &&
	       channel_has_unsent_fds(p->priv->channel);
}

/* "exited with status 1", "killed by signal 9 (Killed)". */
static void
describe_end(const struct proc_private *pp, int status, char *buf, size_t len)
{
	size_t used;

	if (WIFSIGNALED(status))
		snprintf(buf, len, "killed by signal %d (%s)", WTERMSIG(status),
		    strsignal(WTERMSIG(status)));
	else
		snprintf(
		    buf, len, "exited with status %d", WEXITSTATUS(status));
	used = strlen(buf);
	if (pp->killed != NULL)
		snprintf(buf + used, len - used, ": it %s", pp->killed);
}

static void
proc_ended(struct proc_private *pp)
{
	struct proc *p = pp->proc;
	bool stopped;
	char why[160];

	/* its last line says why, and may not have been read */
	pp->ended = true;
	if (pp->channel != NULL)
		channel_drain(pp->channel);
	describe_end(pp, spawn_end(p->pid), why, sizeof(why));
	channel_free(pp->channel);
	pp->channel = NULL;
	event_del(pp->timer);
	pp->hooks->exited(p, why, pp->arg);
	stopped = p->state == PROC_STOPPED;
	if (!stopped && !pp->again)
		log_warnx("%s%s%s (pid %d) %s", process_name(p->kind),
		    p->serves[0] != '\0' ? " " : "", p->serves, p->pid, why);
	p->pid = 0;
	if (stopped)
		return;
	if (!pp->again) {
		proc_schedule(p);
		return;
	}
	pp->again = false;
	proc_start(p);
}

void
proc_reap(void)
{
	struct proc_private *pp;
	siginfo_t ended = {0};

	while (waitid(P_ALL, 0, &ended, WEXITED | WNOHANG | WNOWAIT) == 0 &&
	       ended.si_pid != 0) {
		LIST_FOREACH (pp, &procs, entry)
			if (pp->proc->pid == ended.si_pid)
				break;
		if (pp != NULL)
			proc_ended(pp);
		else
			waitpid(ended.si_pid, NULL, 0);
		ended.si_pid = 0;
	}
}

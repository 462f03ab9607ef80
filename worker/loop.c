#include <event2/event.h>
#include <sched.h>

#include "common/log.h"
#include "ipc/limits.h"
#include "worker/egress.h"
#include "worker/ingress.h"
#include "worker/loop.h"
#include "worker/moderation.h"
#include "worker/parent.h"
#include "worker/worker.h"

/* Rounds of both pipelines before the channel gets its turn. */
#define ROUNDS_MAX 64

static struct event_base *base;
static bool running;
/* Slots that may have more to read, in turn: a ring, each at most once. */
static size_t ready[LIMIT_SLOTS];
static size_t ready_first;
static size_t ready_count;

static void
worker_on_channel_readable(int fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	/* a reload may have come meanwhile: after MSG_READY it is answered */
	if (running)
		parent_readable(arg);
}

static void
worker_on_tun_readable(int fd, short what, void *arg)
{
	struct worker *w = arg;

	(void)fd;
	(void)what;
	w->tun_ready = true;
}

static void
ready_push(struct peer *p)
{
	ready[(ready_first + ready_count++) % LIMIT_SLOTS] = p->slot;
	p->ready = true;
}

static struct peer *
ready_pop(struct worker *w)
{
	struct peer *p = &w->peers.peer[ready[ready_first]];

	ready_first = (ready_first + 1) % LIMIT_SLOTS;
	ready_count--;
	p->ready = false;
	return p;
}

static void
worker_on_socket_readable(int fd, short what, void *arg)
{
	struct peer *p = arg;

	(void)fd;
	(void)what;
	if (!p->ready)
		ready_push(p);
}

static void
watch(int fd, event_callback_fn callback, void *arg)
{
	struct event *ev =
	    event_new(base, fd, EV_READ | EV_PERSIST, callback, arg);

	if (ev == NULL || event_add(ev, NULL) == -1)
		fatalx("no memory for events");
}

void
loop_init(struct worker *w)
{
	struct event_config *config = event_config_new();
	size_t i;

	/* no environment, no locks, no timer descriptors, no time */
	if (config == NULL ||
	    event_config_set_flag(
		config, EVENT_BASE_FLAG_NOLOCK | EVENT_BASE_FLAG_IGNORE_ENV |
			    EVENT_BASE_FLAG_NO_CACHE_TIME) == -1 ||
	    (base = event_base_new_with_config(config)) == NULL)
		fatalx("no memory for events");
	event_config_free(config);
	watch(PARENT_FD, worker_on_channel_readable, w);
	watch(w->tun, worker_on_tun_readable, w);
	for (i = 0; i < w->peers.slots; i++)
		if (w->peers.peer[i].fd != -1)
			watch(w->peers.peer[i].fd, worker_on_socket_readable,
			    &w->peers.peer[i]);
	/* one pass: what libevent does once it does here */
	event_base_loop(base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
}

/*
 * After a megabyte whoever is to take it gets the CPU, where it waits for this
 * one: the next tick may be 4 ms away, in which the queue behind grows by as
 * many megabytes.  One stream of cubic carries 1.04 of what it did for 0.95 of
 * the CPU, UDP in runs 1.06 for 0.84.  Not after small frames: beside a process
 * that computes their rate was 0.44, for it had the CPU until its tick.
 */
static void
egress_turn(struct worker *w)
{
	enum egress_end end = egress_run(w);

	w->tun_ready = end != EGRESS_EMPTY;
	if (end == EGRESS_FULL)
		sched_yield();
}

/*
 * The tun and one peer after another take turns, until all are empty or others
 * wait.  However many peers send, the tun has half of the turns while it has
 * something, and is looked at again after ROUNDS_MAX (with 200 that flooded in
 * rounds of their own, not one frame was read in three seconds).
 */
static void
work(struct worker *w)
{
	struct peer *p;
	int round;

	for (round = 0; round < ROUNDS_MAX && (w->tun_ready || ready_count > 0);
	     round++) {
		if (w->tun_ready)
			egress_turn(w);
		if (ready_count == 0)
			continue;
		p = ready_pop(w);
		if (ingress_run(w, p))
			ready_push(p);
	}
}

static bool
is_idle(const struct worker *w)
{
	return !w->tun_ready && ready_count == 0;
}

static void
look(int flags)
{
	if (event_base_loop(base, EVLOOP_ONCE | flags) == -1)
		fatalx("the event loop failed");
}

/*
 * Once work is done for now.  Under load a worker with sched-policy rr waits
 * until the period is over, and what has come meanwhile is there; another looks
 * a few times before it sleeps.
 */
static void
wait_for_work(struct worker *w, struct moderation *m)
{
	unsigned int looks = 0;

	if (is_idle(w)) {
		if (moderation_pause(m, w->packets)) {
			look(EVLOOP_NONBLOCK);
			return;
		}
		looks = moderation_looks(m, w->packets);
	}
	for (; looks > 0; looks--) {
		look(EVLOOP_NONBLOCK);
		if (!is_idle(w))
			return;
	}
	/* the rest of a frame that was cut short wakes nobody */
	look(is_idle(w) ? 0 : EVLOOP_NONBLOCK);
}

void
loop_run(struct worker *w, struct moderation *m)
{
	running = true;
	for (;;) {
		work(w);
		wait_for_work(w, m);
	}
}

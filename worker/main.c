#include <event2/event.h>
#include <fcntl.h>
#include <malloc.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/event_log.h"
#include "common/log.h"
#include "common/sandbox.h"
#include "ipc/imsg.h"
#include "ipc/limits.h"
#include "worker/csum.h"
#include "worker/egress.h"
#include "worker/ingress.h"
#include "worker/moderation.h"
#include "worker/parent.h"
#include "worker/report.h"
#include "worker/seccomp.h"
#include "worker/worker.h"

/*
 * tund-worker: touches packets and nothing else.  Everything that it will
 * ever need is received, allocated and registered before it locks itself
 * down; after that there is no way to get more.
 */

/* Rounds of both pipelines before the channel gets its turn. */
#define ROUNDS_MAX 64
/* Kept free in the heap: libevent grows its list of ready events once. */
#define HEAP_RESERVE ((size_t)256 << 10)

static struct worker worker;
static struct moderation moderation = {.timer = -1};
/* Slots that may have more to read, in turn: a ring, each at most once. */
static size_t ready[LIMIT_SLOTS];
static size_t ready_first;
static size_t ready_count;
static bool locked_down;

static void
worker_on_channel_readable(int fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	/* a reload may have come meanwhile: after MSG_READY it is answered */
	if (locked_down)
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
watch(struct event_base *base, int fd, event_callback_fn callback, void *arg)
{
	struct event *ev =
	    event_new(base, fd, EV_READ | EV_PERSIST, callback, arg);

	if (ev == NULL || event_add(ev, NULL) == -1)
		fatalx("no memory for events");
}

static struct event_base *
make_events(struct worker *w)
{
	struct event_config *config = event_config_new();
	struct event_base *base;
	size_t i;

	/* no environment, no locks, no timer descriptors, no time */
	if (config == NULL ||
	    event_config_set_flag(
		config, EVENT_BASE_FLAG_NOLOCK | EVENT_BASE_FLAG_IGNORE_ENV |
			    EVENT_BASE_FLAG_NO_CACHE_TIME) == -1 ||
	    (base = event_base_new_with_config(config)) == NULL)
		fatalx("no memory for events");
	event_config_free(config);
	watch(base, PARENT_FD, worker_on_channel_readable, w);
	watch(base, w->tun, worker_on_tun_readable, w);
	for (i = 0; i < w->peers.slots; i++)
		if (w->peers.peer[i].fd != -1)
			watch(base, w->peers.peer[i].fd,
			    worker_on_socket_readable, &w->peers.peer[i]);
	return base;
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
look(struct event_base *base, int flags)
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
wait_for_work(struct worker *w, struct event_base *base)
{
	unsigned int looks = 0;

	if (is_idle(w)) {
		if (moderation_pause(&moderation, w->packets)) {
			look(base, EVLOOP_NONBLOCK);
			return;
		}
		looks = moderation_looks(&moderation, w->packets);
	}
	for (; looks > 0; looks--) {
		look(base, EVLOOP_NONBLOCK);
		if (!is_idle(w))
			return;
	}
	/* the rest of a frame that was cut short wakes nobody */
	look(base, is_idle(w) ? 0 : EVLOOP_NONBLOCK);
}

static void
lock_down(
    struct worker *w, const struct msg_worker_config *config, pid_t parent)
{
	struct sandbox s = {.uid = config->uid,
	    .gid = config->gid,
	    .parent = parent,
	    .strict = config->strict == 1,
	    .nofile = 0,
	    .seccomp = worker_seccomp};
	uint32_t applied, missing;

	sandbox_enter(&s, &applied, &missing);
	/* from here on the parent may use those sockets for other peers */
	ingress_drain_unused(w);
	report_ready(applied, missing);
	locked_down = true;
}

/*
 * SCHED_BATCH: fewer wake-up preemptions (with SCHED_OTHER 0.97 of cubic's
 * throughput, 1.02 of bbr's).  SCHED_RR runs before all others, under load once
 * a period: a ping beside a TCP stream that fills the tunnel takes 1.4 ms in
 * place of 2.5 with bbr, 0.9 in place of 3.3 with cubic (p99, two CPUs of an
 * Intel Xeon for all).  It needs the RLIMIT_RTPRIO that the parent raised.
 */
static void
set_policy(const struct msg_worker_config *config)
{
	struct sched_param normal = {.sched_priority = 0};
	struct sched_param first = {.sched_priority = 1};

	if (config->sched_policy == SCHED_POLICY_RR) {
		if (sched_setscheduler(0, SCHED_RR, &first) == 0) {
			if (moderation_start(&moderation) == -1)
				fatal("a timer");
			return;
		}
		log_warnx("sched-policy rr is not permitted here, so batch is "
			  "used; put LimitRTPRIO=1 and RestrictRealtime=no "
			  "into the unit, in a container also "
			  "CapabilityBoundingSet=CAP_SYS_NICE, or restart "
			  "tund");
	}
	if (sched_setscheduler(0, SCHED_BATCH, &normal) == -1)
		log_warn("SCHED_BATCH");
	/* on a CPU of the operator's choice others may wait for it: 0.99 */
	moderation.lingers = config->pinned == 0;
}

/*
 * Before memory is taken, the buffers' and the prefixes', which then is of that
 * CPU's node.
 */
static void
set_affinity(const struct msg_worker_config *config)
{
	cpu_set_t set;

	if (config->pinned == 0)
		return;
	CPU_ZERO(&set);
	CPU_SET(config->cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set) == -1)
		log_warnx("CPU %u is not there, or not allowed to this "
			  "service, so any is used; change cpus in the "
			  "configuration",
		    config->cpu);
}

static void
reserve_heap(void)
{
	/* volatile: a pair of malloc and free would be optimised away */
	void *volatile reserve;

	mallopt(M_TRIM_THRESHOLD, 16 << 20);
	mallopt(M_MMAP_THRESHOLD, 16 << 20);
	if ((reserve = malloc(HEAP_RESERVE)) == NULL)
		fatalx("no memory for the events");
	free(reserve);
}

static void
prepare(struct worker *w, const struct msg_worker_config *config)
{
	csum_init();
	w->egress = egress_new();
	w->ingress = ingress_new();
	if (w->egress == NULL || w->ingress == NULL)
		fatalx("no memory for the packet buffers");
	set_policy(config);
	if (fcntl(PARENT_FD, F_SETFL, O_NONBLOCK) == -1)
		fatal("the channel");
	reserve_heap();
}

int
main(void)
{
	struct msg_worker_config config;
	struct event_base *base;
	pid_t parent = getppid();

	log_init("tund-worker", LOG_LEVEL_INFO);
	event_log_init();
	if (!imsg_is_channel(PARENT_FD))
		fatalx("this is started by tund(8), not by hand");
	signal(SIGPIPE, SIG_IGN);
	log_set_sink(report_log);
	parent_configure(&worker, &config);
	set_affinity(&config);
	parent_setup(&worker, &config);
	prepare(&worker, &config);
	base = make_events(&worker);
	/* one pass: what libevent does once it does here */
	event_base_loop(base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
	lock_down(&worker, &config, parent);
	log_debug("checksums by %s", csum_name());
	for (;;) {
		work(&worker);
		wait_for_work(&worker, base);
	}
}

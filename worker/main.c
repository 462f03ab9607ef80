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
#include "worker/csum.h"
#include "worker/egress.h"
#include "worker/ingress.h"
#include "worker/loop.h"
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

/* Kept free in the heap: libevent grows its list of ready events once. */
#define HEAP_RESERVE ((size_t)256 << 10)

static struct worker worker;
static struct moderation moderation = {.timer = -1};

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
		log_warn("sched-policy batch cannot be set, so the worker "
			 "keeps the policy of whoever started tund");
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
	loop_init(&worker);
	lock_down(&worker, &config, parent);
	log_debug("checksums by %s", csum_name());
	loop_run(&worker, &moderation);
}

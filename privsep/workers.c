#include <stdio.h>
#include <string.h>

#include "common/log.h"
#include "common/sandbox.h"
#include "common/why.h"
#include "ipc/counters.h"
#include "privsep/daemon.h"
#include "privsep/events.h"
#include "privsep/iface.h"
#include "privsep/proc.h"
#include "privsep/slot.h"
#include "privsep/slots.h"
#include "privsep/workers.h"

/* Room for reloads that bring more prefixes than there are now. */
#define PREFIXES_SPARE 4096
#define PREFIXES_PER_MESSAGE (IMSG_DATA_MAX / sizeof(struct prefix))

static size_t
count_prefixes(const struct iface *ifc)
{
	const struct conf_peer *p;
	size_t n = 0;

	TAILQ_FOREACH (p, &ifc->conf->peers, entry)
		n += p->allow.count;
	return n;
}

static void
send_peer(struct queue *q, uint32_t slot, const struct conf_peer *p)
{
	struct msg_peer peer = {.family = p->endpoint.addr.family};
	size_t i, n;

	proc_send(q->proc, MSG_WORKER_PEER, slot, &peer, sizeof(peer), -1);
	for (i = 0; i < p->allow.count; i += n) {
		n = p->allow.count - i;
		if (n > PREFIXES_PER_MESSAGE)
			n = PREFIXES_PER_MESSAGE;
		proc_send(q->proc, MSG_WORKER_PREFIXES, slot, &p->allow.list[i],
		    n * sizeof(p->allow.list[0]), -1);
	}
}

static void
send_table(struct queue *q)
{
	struct iface *ifc = q->iface;
	uint32_t i;

	proc_send(q->proc, MSG_WORKER_PEERS_BEGIN, 0, NULL, 0, -1);
	for (i = 0; i < ifc->slot_count; i++)
		if (ifc->slots[i].state == SLOT_USED)
			send_peer(q, i, ifc->slots[i].peer);
	proc_send(
	    q->proc, MSG_WORKER_PEERS_COMMIT, ifc->generation, NULL, 0, -1);
	q->generation_sent = ifc->generation;
	q->table_out = true;
}

/*
 * One table is under way at a time: it may be a megabyte, and a worker need not
 * read them as fast as somebody asks for changes.  One that keeps it back keeps
 * the sockets of old peers from new ones.
 */
static void
renew_table(struct queue *q)
{
	if (q->table_out)
		return;
	send_table(q);
	proc_await(q->proc, "did not take its table of peers in time");
}

static void
has_table(struct queue *q)
{
	struct iface *ifc = q->iface;

	q->table_out = false;
	slots_peers_done(ifc, q, q->generation_sent);
	proc_answered(q->proc);
	if (q->generation_sent != ifc->generation && !iface_is_gone(ifc))
		renew_table(q);
}

static void
workers_on_setup(struct proc *p, void *arg)
{
	struct queue *q = arg;
	struct iface *ifc = q->iface;
	struct daemon *d = ifc->daemon;
	size_t prefixes = count_prefixes(ifc) * 2 + PREFIXES_SPARE;
	struct msg_worker_config c = {.vnet_hdr = ifc->tun.vnet_hdr,
	    .offloads = offloads_used(&ifc->offloads),
	    .slots = (uint32_t)ifc->slot_count,
	    .max_prefixes =
		prefixes < LIMIT_PREFIXES ? (uint32_t)prefixes : LIMIT_PREFIXES,
	    .uid = d->uid,
	    .gid = d->gid,
	    .log_level = d->log_level[PROCESS_WORKER],
	    .strict = d->conf->sandbox_strict,
	    .sched_policy = ifc->conf->sched_policy};
	uint32_t i;

	if (ifc->conf->cpu_count > 0) {
		c.pinned = 1;
		c.cpu = ifc->conf->cpus[q->number % ifc->conf->cpu_count];
	}
	q->prefix_room = c.max_prefixes;
	proc_send(p, MSG_WORKER_CONFIG, 0, &c, sizeof(c), -1);
	proc_send(p, MSG_WORKER_TUN, 0, NULL, 0, q->tun_fd);
	if (counters_write_head(q->counters_fd, c.slots) == -1)
		log_warn("%s: the counters of queue %u cannot be written",
		    iface_name(ifc), q->number);
	/* before that, tund-control may have found it unreadable */
	q->page_sent = false;
	proc_send(p, MSG_WORKER_COUNTERS, 0, NULL, 0, q->counters_fd);
	for (i = 0; i < ifc->slot_count; i++)
		proc_send(p, MSG_WORKER_SOCKET, i, NULL, 0,
		    ifc->slots[i].fd[q->number]);
	send_table(q);
	proc_send(p, MSG_WORKER_START, 0, NULL, 0, -1);
	daemon_changed(d);
}

static void
workers_on_ready(struct proc *p, void *arg)
{
	char without[SANDBOX_WITHOUT_STRLEN];
	struct queue *q = arg;

	/* it has thrown away what waited on sockets that are nobody's */
	has_table(q);
	log_info("%s: tund-worker %u (pid %d) runs%s", iface_name(q->iface),
	    q->number, p->pid, sandbox_without(p->missing, without));
	events_publish(q->iface->daemon, "worker.started", iface_name(q->iface),
	    json_pack("{s:i, s:i, s:i}", "queue", (int)q->number, "pid",
		(int)p->pid, "restarts", (int)p->restarts));
}

/*
 * Notes the refusal; false if it was noted before: each worker says it for
 * itself, and one that was taken over may say it without end.  A peer may be
 * told of again after the next table, and is nobody once it was removed.
 */
static bool
note_refusal(struct iface *ifc, uint32_t id, enum offload o)
{
	return id == 0 ? offloads_refuse(&ifc->offloads, o)
		       : slots_refuse(ifc, id - 1);
}

static int
on_offload_off(struct queue *q, struct imsg *m)
{
	struct iface *ifc = q->iface;
	struct msg_offload_off off;
	const char *peer = NULL;
	struct why why;

	if (msg_read_offload_off(m, &off) == -1 || m->hdr.id > ifc->slot_count)
		return -1;
	if (!note_refusal(ifc, m->hdr.id, off.offload))
		return 0;
	if (m->hdr.id != 0)
		peer = ifc->slots[m->hdr.id - 1].peer->name;
	why_set(&why, "the kernel refused it: %s", strerror(off.error));
	events_offload_off(ifc->daemon, iface_name(ifc), off.offload,
	    offloads_note(&ifc->offloads, off.offload, why.text), peer);
	if (m->hdr.id == 0)
		workers_send_offloads(ifc);
	return 0;
}

static bool
device_is_gone(const struct queue *q)
{
	char name[IFNAMSIZ];

	return tun_name(q->tun_fd, name) == -1;
}

/* No use in a new worker before there is a new device. */
static void
end_with_device(struct queue *q)
{
	iface_set_gone(q->iface);
	daemon_changed(q->iface->daemon);
	proc_stop(q->proc);
}

/* Believed when the descriptor says the same: else all would stop for ever. */
static int
on_tun_gone(struct queue *q, struct imsg *m)
{
	if (msg_read_empty(m) == -1 || !device_is_gone(q))
		return -1;
	end_with_device(q);
	return 0;
}

static int
workers_on_message(struct proc *p, struct imsg *m, void *arg)
{
	struct queue *q = arg;

	if (p->state != PROC_RUNNING)
		return -1;
	switch (m->hdr.type) {
	case MSG_PEERS_DONE:
		if (msg_read_empty(m) == -1 || !q->table_out ||
		    m->hdr.id != q->generation_sent)
			return -1;
		has_table(q);
		return 0;
	case MSG_OFFLOAD_OFF:
		return on_offload_off(q, m);
	case MSG_TUN_GONE:
		return on_tun_gone(q, m);
	}
	return -1;
}

static void
workers_on_exited(struct proc *p, const char *why, void *arg)
{
	struct queue *q = arg;

	/* it ended because of that, and its word for it may be unread */
	if (device_is_gone(q))
		end_with_device(q);
	else
		daemon_child_ended(q->iface->daemon, p, why);
	daemon_changed(q->iface->daemon);
	if (p->pid == 0)
		return;
	events_publish(q->iface->daemon, "worker.exited", iface_name(q->iface),
	    json_pack("{s:i, s:i, s:s}", "queue", (int)q->number, "pid",
		(int)p->pid, "reason", why));
}

static const struct proc_hooks worker_hooks = {
    .setup = workers_on_setup,
    .ready = workers_on_ready,
    .message = workers_on_message,
    .exited = workers_on_exited,
};

int
workers_start(struct iface *ifc)
{
	struct daemon *d = ifc->daemon;
	struct proc *p;
	size_t i;

	ifc->generation = 1;
	for (i = 0; i < ifc->queue_count; i++) {
		p = proc_new(d->base, PROCESS_WORKER, d->libexec, &worker_hooks,
		    &ifc->queue[i]);
		if (p == NULL)
			return -1;
		ifc->queue[i].proc = p;
		snprintf(
		    p->serves, sizeof(p->serves), "%s %zu", iface_name(ifc), i);
		proc_start(p);
	}
	return 0;
}

void
workers_stop(struct iface *ifc)
{
	size_t i;

	for (i = 0; i < ifc->queue_count; i++)
		if (ifc->queue[i].proc != NULL) {
			proc_free(ifc->queue[i].proc);
			ifc->queue[i].proc = NULL;
		}
}

/* Its memory is fixed at its start. */
static void
restart_for_room(struct queue *q, size_t prefixes)
{
	log_info("%s: tund-worker %u is started again: it has room for %zu "
		 "prefixes, and there are %zu",
	    iface_name(q->iface), q->number, q->prefix_room, prefixes);
	proc_restart(q->proc);
}

/* restart: also those that have room for the table. */
static void
renew(struct iface *ifc, bool restart)
{
	size_t i, prefixes = count_prefixes(ifc);
	struct queue *q;

	ifc->generation++;
	for (i = 0; i < ifc->queue_count; i++) {
		q = &ifc->queue[i];
		/* one that ended with its device has no use for anything */
		if (q->proc == NULL || iface_is_gone(ifc))
			continue;
		if (restart) {
			proc_restart(q->proc);
		} else if (prefixes > q->prefix_room) {
			restart_for_room(q, prefixes);
		} else {
			renew_table(q);
		}
	}
	daemon_changed(ifc->daemon);
}

void
workers_send_peers(struct iface *ifc)
{
	renew(ifc, false);
}

void
workers_restart(struct iface *ifc)
{
	renew(ifc, true);
}

void
workers_send_offloads(struct iface *ifc)
{
	struct msg_offload o = {.offloads = offloads_used(&ifc->offloads)};
	size_t i;

	for (i = 0; i < ifc->queue_count; i++)
		if (ifc->queue[i].proc != NULL)
			proc_send(ifc->queue[i].proc, MSG_WORKER_OFFLOAD, 0, &o,
			    sizeof(o), -1);
	daemon_changed(ifc->daemon);
}

void
workers_send_log_level(struct iface *ifc)
{
	struct msg_log_level l = {
	    .level = ifc->daemon->log_level[PROCESS_WORKER]};
	size_t i;

	for (i = 0; i < ifc->queue_count; i++)
		if (ifc->queue[i].proc != NULL)
			proc_send(ifc->queue[i].proc, MSG_WORKER_LOG_LEVEL, 0,
			    &l, sizeof(l), -1);
}

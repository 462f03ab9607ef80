#include <errno.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "common/why.h"
#include "ipc/counters.h"
#include "privsep/daemon.h"
#include "privsep/events.h"
#include "privsep/iface.h"
#include "privsep/ifaddr.h"
#include "privsep/ifconf.h"
#include "privsep/lifecycle.h"
#include "privsep/link.h"
#include "privsep/path.h"
#include "privsep/ports.h"
#include "privsep/slots.h"
#include "privsep/steering.h"
#include "privsep/tun_offload.h"
#include "privsep/udp.h"
#include "privsep/workers.h"

static void
steer(struct iface *ifc)
{
	if (ifc->queue_count > 1)
		ifc->steering_error =
		    steering_set(ifc->tun.fd) == -1 ? errno : 0;
}

static const char *
queue_errno(int error)
{
	if (error == ENODEV)
		return "its device is in another network namespace; bring it "
		       "back, or set `queues 1`";
	return why_errno(error);
}

static int
open_queues(struct iface *ifc, struct why *why)
{
	struct queue *q;
	uint32_t i;

	for (i = 0; i < ifc->conf->queues; i++) {
		q = &ifc->queue[i];
		q->iface = ifc;
		q->number = i;
		ifc->queue_count = i + 1;
		q->tun_fd = i == 0 ? ifc->tun.fd : tun_open_queue(&ifc->tun);
		if (q->tun_fd != -1)
			q->counters_fd =
			    counters_create((uint32_t)ifc->slot_count);
		if (q->counters_fd != -1)
			continue;
		return why_set(why, "%s: queue %u: %s", iface_name(ifc), i,
		    queue_errno(errno));
	}
	/* what others may have is theirs until it is certain */
	if (ifc->conf->device == CONF_DEVICE_CREATE)
		steer(ifc);
	return 0;
}

static void
init_offloads(struct iface *ifc)
{
	uint32_t udp = 0;

	if (udp_has_gso())
		udp |= OFFLOAD_BIT(OFFLOAD_UDP_GSO);
	if (udp_has_gro())
		udp |= OFFLOAD_BIT(OFFLOAD_UDP_GRO);
	ifc->offloads.wanted = ifc->conf->offloads;
	offloads_grant(
	    &ifc->offloads, OFFLOADS_TUN, ifc->tun.granted, ifc->tun.reason);
	offloads_grant(&ifc->offloads, OFFLOAD_ALL & ~OFFLOADS_TUN, udp, "");
}

/* 16 bits of it go with the counters; a failed try takes none. */
static uint32_t
take_id(struct daemon *d)
{
	uint32_t id;

	do {
		id = d->next_iface++ & IFACE_ID_MAX;
	} while (iface_find(d, id) != NULL);
	return id;
}

/* As what a worker meets. */
static void
tell_refusals(struct iface *ifc, uint32_t offload_bits)
{
	enum offload o;

	for (o = 0; o < OFFLOAD_COUNT; o++)
		if (offload_bits & OFFLOAD_BIT(o))
			events_offload_off(ifc->daemon, iface_name(ifc), o,
			    offloads_reason(&ifc->offloads, o), NULL);
}

/* Of what was granted; told when the interface is certain. */
static void
note_refusals(struct iface *ifc, uint32_t offload_bits, const char *why)
{
	enum offload o;

	for (o = 0; o < OFFLOAD_COUNT; o++)
		if (offload_bits & OFFLOAD_BIT(o)) {
			offloads_refuse(&ifc->offloads, o);
			offloads_note(&ifc->offloads, o, why);
		}
	if (ifc->state != IFACE_OPENED)
		tell_refusals(ifc, offload_bits);
}

/* The device decides what it hands us, the worker all else. */
static void
apply_to_tun(struct iface *ifc, uint32_t use)
{
	uint32_t got, tx = use & (OFFLOAD_BIT(OFFLOAD_TSO_TX) |
				     OFFLOAD_BIT(OFFLOAD_USO_TX));
	char reason[128], name[IFNAMSIZ];

	/* one that is deleted refuses everything; netlink tells of that */
	if (!ifc->tun.vnet_hdr || tun_name(ifc->tun.fd, name) == -1)
		return;
	got = tun_set_offloads(ifc->tun.fd, tx, reason, sizeof(reason));
	note_refusals(ifc, tx & ~got, reason);
}

static void
apply_to_sockets(struct iface *ifc, uint32_t use)
{
	bool on = (use & OFFLOAD_BIT(OFFLOAD_UDP_GRO)) != 0;
	int error = slots_set_gro(ifc, on);
	struct why why;

	/* where there is no such option it cannot be cleared either */
	if (!on || error == 0)
		return;
	slots_set_gro(ifc, false);
	why_set(&why, "the kernel refused it: %s", strerror(error));
	note_refusals(ifc, OFFLOAD_BIT(OFFLOAD_UDP_GRO), why.text);
}

/* Makes the wanted offloads hold: the device, the sockets, the workers. */
static void
apply_offloads(struct iface *ifc)
{
	uint32_t use = offloads_used(&ifc->offloads);

	apply_to_tun(ifc, use);
	apply_to_sockets(ifc, use);
	workers_send_offloads(ifc);
}

/* It may have been renamed, and the file with it. */
static int
check_name(
    const struct daemon *d, const struct conf_interface *c, struct why *why)
{
	const struct iface *other;

	if (c->device == CONF_DEVICE_FD)
		return 0;
	TAILQ_FOREACH (other, &d->ifaces, entry)
		if (iface_is_here(other) &&
		    strcmp(other->conf->name, c->name) != 0 &&
		    strcmp(iface_name(other), c->name) == 0)
			return why_set(why,
			    "%s is the device of interface \"%s\" by now; take "
			    "that out of the file and reload, then give it "
			    "this name and reload again",
			    c->name, other->conf->name);
	return 0;
}

/*
 * Once closed it could not come back: by its name in the file another device is
 * found, or none to adopt.
 */
static int
check_renamed(const struct iface *old, struct why *why)
{
	const struct conf_interface *c = old->conf;

	if (!iface_is_here(old) || c->device == CONF_DEVICE_FD ||
	    strcmp(iface_name(old), c->name) == 0 ||
	    (c->device == CONF_DEVICE_CREATE && if_nametoindex(c->name) == 0))
		return 0;
	return why_set(why,
	    "interface \"%s\" has the device %s by now; name that %s again, "
	    "then reload",
	    c->name, iface_name(old), c->name);
}

int
lifecycle_check(
    const struct iface *old, const struct conf_interface *c, struct why *why)
{
	if (old != NULL && old->conf->monitored && !iface_is_gone(old) &&
	    !iface_is_here(old) && c->device != CONF_DEVICE_CREATE)
		return why_set(why,
		    "%s is in another network namespace; bring it back, then "
		    "reload",
		    iface_name(old));
	if (old != NULL && check_renamed(old, why) == -1)
		return -1;
	return slots_check(c, why);
}

/* It has nothing yet.  NULL: no memory. */
static struct iface *
iface_new(struct daemon *d, struct conf_interface *c)
{
	struct iface *ifc = calloc(1, sizeof(*ifc));
	size_t i;

	if (ifc == NULL)
		return NULL;
	ifc->daemon = d;
	ifc->conf = c;
	ifc->tun.fd = -1;
	for (i = 0; i < LIMIT_QUEUES; i++)
		ifc->queue[i].tun_fd = ifc->queue[i].counters_fd = -1;
	return ifc;
}

struct iface *
lifecycle_away(
    struct daemon *d, struct conf_interface *c, const struct why *why)
{
	struct iface *ifc = iface_new(d, c);

	if (ifc == NULL)
		return NULL;
	ifc->id = take_id(d);
	ifc->offloads.wanted = c->offloads;
	offloads_grant(&ifc->offloads, OFFLOAD_ALL, 0, "the interface is away");
	ifc->gone_why = *why;
	ifc->state = IFACE_AWAY;
	return ifc;
}

struct iface *
lifecycle_open(struct daemon *d, struct conf_interface *c, struct why *why)
{
	struct iface *ifc = iface_new(d, c);

	if (ifc == NULL) {
		why_set(why, "no memory");
		return NULL;
	}
	if (check_name(d, c, why) == -1 || ports_check(ifc, why) == -1 ||
	    tun_open(c, &ifc->tun, why) == -1 || slots_open(ifc, why) == -1 ||
	    open_queues(ifc, why) == -1 || ifconf_apply(ifc, why) == -1 ||
	    slots_prepare(ifc, c, why) == -1) {
		lifecycle_close(ifc);
		return NULL;
	}
	ifc->id = take_id(d);
	init_offloads(ifc);
	apply_offloads(ifc);
	return ifc;
}

int
lifecycle_watch(struct iface *ifc)
{
	ifc->link = link_watch(ifc->daemon->links, ifc->ifindex, ifc->tun.fd);
	if (ifc->link == NULL)
		return -1;
	iface_set_place(ifc, ifc->link);
	/* it may have been down and up again before */
	if (ifc->link->up)
		ifconf_restore(ifc);
	return 0;
}

int
lifecycle_start(struct iface *ifc)
{
	struct why why;

	/* now it is: an interface that had the same device has cleared it */
	if (ifc->conf->device != CONF_DEVICE_CREATE)
		steer(ifc);
	if (ifc->steering_error != 0) {
		steering_explain(ifc->steering_error, &why);
		log_warnx("%s: %s", iface_name(ifc), why.text);
	}
	ifconf_settle(ifc);
	ifc->state = IFACE_RUNNING;
	tell_refusals(ifc, ifc->offloads.refused);
	path_warn_loops(ifc);
	slots_tell(ifc);
	if (ifc->conf->monitored && lifecycle_watch(ifc) == -1)
		log_warn("%s cannot be watched: tried again every second",
		    iface_name(ifc));
	return workers_start(ifc);
}

void
lifecycle_stop(struct iface *ifc)
{
	if (ifc->link != NULL) {
		/* what was not told yet will not be */
		iface_set_place(ifc, ifc->link);
		link_unwatch(ifc->daemon->links, ifc->link);
	}
	ifc->link = NULL;
	workers_stop(ifc);
}

void
lifecycle_close(struct iface *ifc)
{
	size_t i;

	/* what we created goes with its last descriptor */
	if (ifc->conf->device == CONF_DEVICE_CREATE)
		ifconf_settle(ifc);
	else if (ifc->state != IFACE_OPENED)
		ifaddr_remove(ifc, ifc->conf, NULL);
	else {
		ifconf_undo(ifc);
		tun_give_back(&ifc->tun);
	}
	if (ifc->queue_count > 1 && ifc->state != IFACE_OPENED &&
	    ifc->conf->device != CONF_DEVICE_CREATE)
		steering_clear(ifc->tun.fd);
	if (ifc->conf->device == CONF_DEVICE_ADOPT)
		tun_leave(&ifc->tun);
	slots_close(ifc);
	/*
	 * From the last: the driver puts its own last one in the place of what
	 * is closed, and an interface that has the same device by now shall
	 * keep its order.
	 */
	for (i = ifc->queue_count; i-- > 0;) {
		if (i > 0 && ifc->queue[i].tun_fd != -1)
			close(ifc->queue[i].tun_fd);
		if (ifc->queue[i].counters_fd != -1)
			close(ifc->queue[i].counters_fd);
	}
	if (ifc->tun.fd != -1)
		close(ifc->tun.fd);
	free(ifc);
}

void
lifecycle_set_offloads(struct iface *ifc, uint32_t wanted, uint32_t again)
{
	offloads_want(&ifc->offloads, wanted, again);
	apply_offloads(ifc);
}

void
lifecycle_reassert(struct iface *ifc)
{
	ifconf_set_lengths(ifc, ifc->conf);
	ifconf_restore(ifc);
	apply_offloads(ifc);
}

/* What was taken is free when the workers have said so. */
static void
give_slots_back(struct iface *ifc, const struct conf_interface *c)
{
	slots_abandon(ifc, c);
	workers_send_peers(ifc);
}

int
lifecycle_prepare(struct iface *ifc, struct conf_interface *c, struct why *why)
{
	if (slots_prepare(ifc, c, why) == 0 && ifconf_prepare(ifc, c, why) == 0)
		return 0;
	give_slots_back(ifc, c);
	return -1;
}

void
lifecycle_abandon(struct iface *ifc, struct conf_interface *c)
{
	ifconf_abandon(ifc);
	give_slots_back(ifc, c);
}

/* Of what is granted, what was refused when it was switched on: behind why. */
static int
add_refusals(const struct iface *ifc, int r, struct why *why)
{
	const struct offloads *of = &ifc->offloads;
	uint32_t off = of->wanted & of->granted & of->refused;
	struct why before, one;
	enum offload o;

	for (o = 0; o < OFFLOAD_COUNT; o++) {
		if (!(off & OFFLOAD_BIT(o)))
			continue;
		offloads_explain(of, o, iface_name(ifc), &one);
		before = *why;
		r = why_set(why, "%s%s%s", r == -1 ? before.text : "",
		    r == -1 ? "; " : "", one.text);
	}
	return r;
}

int
lifecycle_commit(struct iface *ifc, struct conf_interface *c, struct why *why)
{
	const struct conf_interface *old = ifc->conf;
	bool offloads = old->offloads != c->offloads;
	bool placed_anew =
	    old->sched_policy != c->sched_policy || !conf_cpus_equal(old, c);
	int r = ifconf_commit(ifc, c, why);

	slots_commit(ifc, c);
	ifc->conf = c;
	if (offloads) {
		lifecycle_set_offloads(ifc, c->offloads, OFFLOAD_ALL);
		r = add_refusals(ifc, r, why);
	}
	/* a worker sets both before it gives up what it takes to set them */
	if (placed_anew)
		workers_restart(ifc);
	else
		workers_send_peers(ifc);
	path_warn_loops(ifc);
	slots_tell(ifc);
	return r;
}

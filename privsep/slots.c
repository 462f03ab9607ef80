#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "common/why.h"
#include "ipc/counters.h"
#include "privsep/daemon.h"
#include "privsep/events.h"
#include "privsep/iface.h"
#include "privsep/ports.h"
#include "privsep/slot.h"
#include "privsep/slots.h"

/*
 * A peer that changes has its new socket before the old one is let go, so
 * there are some more than peers.
 */
#define SLOTS_SPARE 8

static uint32_t
pool_size(const struct conf_interface *c)
{
	bool both = c->listen4.port != 0 && c->listen6.port != 0;
	uint32_t most = both ? LIMIT_SLOTS / 2 : LIMIT_SLOTS;
	uint32_t want = c->max_peers + SLOTS_SPARE;

	return want < most ? want : most;
}

static int
open_family(struct iface *ifc, unsigned int family, struct why *why)
{
	struct slot *s;
	uint32_t i, q;

	for (i = 0; i < pool_size(ifc->conf); i++) {
		s = &ifc->slots[ifc->slot_count++];
		s->family = family;
		for (q = 0; q < LIMIT_QUEUES; q++)
			s->fd[q] = -1;
		for (q = 0; q < ifc->conf->queues; q++) {
			s->fd[q] =
			    udp_open(family, ifc->conf->socket_buffer, &s->got);
			if (s->fd[q] != -1)
				continue;
			return why_set(why, "%s: IPv%u socket: %s%s",
			    ifc->conf->name, family, why_errno(errno),
			    errno == EMFILE ? ", or lower max-peers or queues"
					    : "");
		}
	}
	return 0;
}

int
slots_open(struct iface *ifc, struct why *why)
{
	const struct conf_interface *c = ifc->conf;

	ifc->slots = calloc((size_t)pool_size(c) * 2, sizeof(*ifc->slots));
	if (ifc->slots == NULL)
		return why_set(why, "no memory");
	if (c->listen4.port != 0 && open_family(ifc, 4, why) == -1)
		return -1;
	if (c->listen6.port != 0 && open_family(ifc, 6, why) == -1)
		return -1;
	return 0;
}

void
slots_close(struct iface *ifc)
{
	size_t i, q;

	for (i = 0; i < ifc->slot_count; i++)
		for (q = 0; q < LIMIT_QUEUES; q++)
			if (ifc->slots[i].fd[q] != -1)
				close(ifc->slots[i].fd[q]);
	free(ifc->slots);
}

static void
slot_unaim(struct iface *ifc, struct slot *s)
{
	size_t q;

	for (q = 0; q < ifc->queue_count; q++)
		if (udp_retire(s->fd[q]) == -1)
			log_warn("%s: a socket cannot be closed to its peer",
			    iface_name(ifc));
	s->aimed = false;
}

static void
slot_retire(struct iface *ifc, struct slot *s)
{
	slot_unaim(ifc, s);
	s->peer = NULL;
	/* nobody has it yet who would have to let go */
	s->state = ifc->generation == 0 ? SLOT_FREE : SLOT_RETIRING;
}

static void
note_bound(struct iface *ifc, struct slot *s, size_t q, uint16_t port)
{
	struct endpoint e;

	if (q < s->bound || udp_local(s->fd[q], &e) == -1 || e.port != port)
		return;
	s->bound = q + 1;
	ifc->bound_anew = true;
}

/* The kernel has its number alone. */
static void
slot_name_zone(struct slot *s)
{
	if (s->local.scope == s->scope)
		strlcpy(s->local.zone, s->peer->endpoint.zone, IFNAMSIZ);
}

/*
 * Each queue has a port of its own, counted up from the configured one: the
 * kernel does not spread one peer's datagrams over sockets of the same port.
 * failed (or NULL): where the one was to listen that could not be aimed.
 */
static int
slot_aim(struct iface *ifc, const struct conf_interface *c, struct slot *s,
    struct endpoint *failed)
{
	const struct conf_peer *p = s->peer;
	struct udp_aim aim = {.local = s->family == 4 ? c->listen4 : c->listen6,
	    .remote = p->endpoint,
	    .mark = p->mark,
	    .device = p->bind_device};
	size_t q;
	int saved, r;

	aim.local.scope = udp_scope(&aim.local);
	aim.remote.scope = udp_scope(&aim.remote);
	for (q = 0; q < ifc->queue_count; q++) {
		r = udp_aim(s->fd[q], &aim);
		saved = errno;
		note_bound(ifc, s, q, aim.local.port);
		if (r == -1) {
			slot_unaim(ifc, s);
			s->aim_error = saved;
			if (failed != NULL)
				*failed = aim.local;
			errno = saved;
			return -1;
		}
		aim.local.port++;
		aim.remote.port++;
	}
	s->aimed = udp_local(s->fd[0], &s->local) == 0;
	s->scope = aim.remote.scope;
	slot_name_zone(s);
	return 0;
}

/* The slot's counters begin again with its new peer. */
static void
slot_zero_counters(struct iface *ifc, size_t slot)
{
	size_t q;

	for (q = 0; q < ifc->queue_count; q++)
		if (ifc->queue[q].counters_fd != -1 &&
		    counters_zero_peer(ifc->queue[q].counters_fd, slot) == -1)
			log_warn("%s: the counters of a peer cannot be set to "
				 "zero",
			    iface_name(ifc));
}

/* Where no worker runs, as for a device that is gone, none has to let go. */
static bool
slot_is_free(const struct iface *ifc, const struct slot *s)
{
	return s->state == SLOT_FREE ||
	       (s->state == SLOT_RETIRING && ifc->queue[0].proc == NULL);
}

static struct slot *
slot_take(struct iface *ifc, unsigned int family)
{
	size_t i;

	for (i = 0; i < ifc->slot_count; i++)
		if (slot_is_free(ifc, &ifc->slots[i]) &&
		    ifc->slots[i].family == family) {
			slot_zero_counters(ifc, i);
			return &ifc->slots[i];
		}
	return NULL;
}

static int
explain_no_device(const char *name, const struct conf_peer *p, struct why *why)
{
	return why_set(why,
	    "%s: peer \"%s\": bind-device %s does not exist; make it first, or "
	    "name another",
	    name, p->name, p->bind_device);
}

int
slots_check(const struct conf_interface *c, struct why *why)
{
	const struct conf_peer *p;

	TAILQ_FOREACH (p, &c->peers, entry)
		if (p->bind_device[0] != '\0' &&
		    if_nametoindex(p->bind_device) == 0)
			return explain_no_device(c->name, p, why);
	return 0;
}

static void
explain_aim(struct iface *ifc, const struct conf_peer *p,
    const struct endpoint *local, int error, struct why *why)
{
	char text[ENDPOINT_STRLEN];

	if (error == EADDRINUSE)
		ports_explain(ifc, local, why);
	else if (error == ENODEV && p->bind_device[0] != '\0')
		explain_no_device(iface_name(ifc), p, why);
	else if (error == EINVAL && p->endpoint.scope != 0 &&
		 p->bind_device[0] != '\0')
		why_set(why,
		    "%s: peer \"%s\": its endpoint %s is not on bind-device "
		    "%s; name the same device in both",
		    iface_name(ifc), p->name,
		    endpoint_format(&p->endpoint, text), p->bind_device);
	else
		why_set(why, "%s: peer \"%s\" at %s: %s", iface_name(ifc),
		    p->name, endpoint_format(&p->endpoint, text),
		    strerror(error));
}

/* No route yet, or one that refuses, is no reason to give up. */
static bool
may_be_aimed_later(int error)
{
	return error == ENETUNREACH || error == EHOSTUNREACH ||
	       error == EADDRNOTAVAIL || error == EACCES;
}

static int
slot_assign(struct iface *ifc, const struct conf_interface *c,
    const struct conf_peer *p, struct why *why)
{
	struct slot *s = slot_take(ifc, p->endpoint.addr.family);
	struct endpoint local;

	if (s == NULL)
		return why_set(why,
		    "%s: no free socket for peer \"%s\"; %s, or reload again "
		    "in a second",
		    iface_name(ifc), p->name,
		    c->max_peers < LIMIT_PEERS ? "raise max-peers"
					       : "change fewer peers at once");
	s->peer = p;
	s->state = SLOT_USED;
	s->told = false;
	if (slot_aim(ifc, c, s, &local) == 0 || may_be_aimed_later(errno))
		return 0;
	explain_aim(ifc, p, &local, errno, why);
	slot_retire(ifc, s);
	return -1;
}

static bool
has_peer(const struct conf_interface *c, const struct conf_peer *peer)
{
	const struct conf_peer *p;

	TAILQ_FOREACH (p, &c->peers, entry)
		if (p == peer)
			return true;
	return false;
}

/* Another device may have the name of the endpoint's zone by now. */
static bool
slot_serves(const struct slot *s, const struct conf_peer *p)
{
	return conf_peer_same_aim(s->peer, p) &&
	       (!s->aimed || s->scope == udp_scope(&p->endpoint));
}

/* Does a socket already do for this peer what it needs? */
static bool
is_served(const struct iface *ifc, const struct conf_peer *p)
{
	const struct slot *s;
	size_t i;

	for (i = 0; i < ifc->slot_count; i++) {
		s = &ifc->slots[i];
		if (s->state == SLOT_USED && slot_serves(s, p))
			return true;
	}
	return false;
}

/* See udp_retire. */
static void
slots_retire_again(struct iface *ifc)
{
	struct slot *s;
	size_t i;

	if (!ifc->bound_anew)
		return;
	ifc->bound_anew = false;
	for (i = 0; i < ifc->slot_count; i++) {
		s = &ifc->slots[i];
		if (s->bound > 0 && !s->aimed)
			slot_unaim(ifc, s);
	}
}

int
slots_prepare(struct iface *ifc, struct conf_interface *c, struct why *why)
{
	const struct conf_peer *p;
	int r = 0;

	TAILQ_FOREACH (p, &c->peers, entry)
		if (!is_served(ifc, p) &&
		    (r = slot_assign(ifc, c, p, why)) == -1)
			break;
	slots_retire_again(ifc);
	return r;
}

void
slots_tell(struct iface *ifc)
{
	char text[ENDPOINT_STRLEN], reason[SLOT_REASON_STRLEN];
	struct slot *s;
	size_t i;

	for (i = 0; i < ifc->slot_count; i++) {
		s = &ifc->slots[i];
		if (s->state != SLOT_USED || s->aimed || s->told)
			continue;
		s->told = true;
		log_warnx("%s: peer \"%s\" at %s: %s: tried again every second",
		    iface_name(ifc), s->peer->name,
		    endpoint_format(&s->peer->endpoint, text),
		    slot_reason(ifc, s, reason));
	}
}

void
slots_abandon(struct iface *ifc, const struct conf_interface *c)
{
	struct slot *s;
	size_t i;

	for (i = 0; i < ifc->slot_count; i++) {
		s = &ifc->slots[i];
		if (s->state == SLOT_USED && has_peer(c, s->peer))
			slot_retire(ifc, s);
	}
}

static bool
has_slot(const struct iface *ifc, const struct conf_peer *p)
{
	size_t i;

	for (i = 0; i < ifc->slot_count; i++)
		if (ifc->slots[i].state == SLOT_USED && ifc->slots[i].peer == p)
			return true;
	return false;
}

/* It is the same peer, whose zone may have another name by now. */
static void
slot_take_over(struct slot *s, const struct conf_peer *p)
{
	s->peer = p;
	slot_name_zone(s);
}

void
slots_commit(struct iface *ifc, const struct conf_interface *c)
{
	const struct conf_peer *p;
	struct slot *s;
	size_t i;

	for (i = 0; i < ifc->slot_count; i++) {
		s = &ifc->slots[i];
		if (s->state != SLOT_USED || has_peer(c, s->peer))
			continue;
		p = conf_find_peer(c, s->peer->name);
		if (p != NULL && conf_peer_same_aim(s->peer, p) &&
		    !has_slot(ifc, p))
			slot_take_over(s, p);
		else
			slot_retire(ifc, s);
	}
}

/*
 * What the socket has from when it was aimed, and the host no longer.  Without
 * its address nothing arrives; one that connect() chose it sends from still.
 */
static const char *
slot_lost(const struct slot *s)
{
	if (udp_lost_device(s->fd[0]))
		return s->peer->bind_device[0] != '\0'
			   ? "its bind-device"
			   : "the device of its link-local address";
	return udp_is_local(s->fd[0]) ? NULL
				      : "the address that it was reached from";
}

static void
slot_aim_again(
    struct iface *ifc, const struct conf_interface *c, struct slot *s)
{
	int before = s->aim_error;
	char local[ENDPOINT_STRLEN];

	if (slot_aim(ifc, c, s, NULL) == 0) {
		endpoint_format(&s->local, local);
		log_info("%s: peer \"%s\" is aimed now, from %s",
		    iface_name(ifc), s->peer->name, local);
		events_publish(ifc->daemon, "peer.aimed", iface_name(ifc),
		    json_pack(
			"{s:s, s:s}", "peer", s->peer->name, "local", local));
	} else if (s->aim_error != before) {
		daemon_changed(ifc->daemon);
	}
}

static void
slot_lose(struct iface *ifc, struct slot *s, const char *lost)
{
	char reason[64];

	snprintf(reason, sizeof(reason), "%s is gone", lost);
	log_warnx(
	    "%s: peer \"%s\": %s", iface_name(ifc), s->peer->name, reason);
	slot_unaim(ifc, s);
	s->told = true;
	events_publish(ifc->daemon, "peer.lost", iface_name(ifc),
	    json_pack("{s:s, s:s}", "peer", s->peer->name, "reason", reason));
}

void
slots_aim(struct iface *ifc, bool look)
{
	const struct conf_interface *c = ifc->conf;
	const char *lost;
	struct slot *s;
	size_t i;

	for (i = 0; i < ifc->slot_count; i++) {
		s = &ifc->slots[i];
		if (look && s->state == SLOT_USED && s->aimed &&
		    (lost = slot_lost(s)) != NULL)
			slot_lose(ifc, s, lost);
		if (s->state != SLOT_USED || s->aimed)
			continue;
		slot_aim_again(ifc, c, s);
	}
	slots_retire_again(ifc);
}

int
slots_set_gro(struct iface *ifc, bool on)
{
	size_t i, q;
	int error = 0;

	for (i = 0; i < ifc->slot_count; i++)
		for (q = 0; q < ifc->queue_count; q++)
			if (udp_set_gro(ifc->slots[i].fd[q], on) == -1 &&
			    error == 0)
				error = errno;
	return error;
}

bool
slots_refuse(struct iface *ifc, size_t slot)
{
	struct slot *s = &ifc->slots[slot];

	if (s->peer == NULL || s->refused == ifc->generation)
		return false;
	s->refused = ifc->generation;
	return true;
}

bool
slots_unaimed(const struct iface *ifc)
{
	size_t i;

	for (i = 0; i < ifc->slot_count; i++)
		if (ifc->slots[i].state == SLOT_USED && !ifc->slots[i].aimed)
			return true;
	return false;
}

void
slots_peers_done(struct iface *ifc, struct queue *q, uint32_t generation)
{
	size_t i;

	q->generation_done = generation;
	for (i = 0; i < ifc->queue_count; i++)
		if (ifc->queue[i].generation_done != ifc->generation)
			return;
	for (i = 0; i < ifc->slot_count; i++)
		if (ifc->slots[i].state == SLOT_RETIRING)
			ifc->slots[i].state = SLOT_FREE;
}

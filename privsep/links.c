#include <event2/event.h>
#include <jansson.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "privsep/daemon.h"
#include "privsep/events.h"
#include "privsep/iface.h"
#include "privsep/ifconf.h"
#include "privsep/lifecycle.h"
#include "privsep/links.h"
#include "privsep/slots.h"
#include "privsep/state.h"

#define GONE_TICKS 3
#define GONE_FOR_GOOD UINT_MAX
#define LOOK_SECONDS 60
#define LOOKS 2 /* after the kernel spoke */

/* What an event tells: the new values. */
static json_t *
fields_up(const struct link_state *now, const struct link_state *before)
{
	(void)before;
	return json_pack("{s:b, s:b}", "up", now->up, "running", now->running);
}

static json_t *
fields_mtu(const struct link_state *now, const struct link_state *before)
{
	(void)before;
	return json_pack("{s:i}", "mtu_bytes", (int)now->mtu);
}

static json_t *
fields_rename(const struct link_state *now, const struct link_state *before)
{
	return json_pack(
	    "{s:s, s:s}", "name", now->name, "old_name", before->name);
}

static bool
has_address(const struct link_state *s, const struct prefix *p)
{
	uint32_t i;

	for (i = 0; i < s->address_count; i++)
		if (prefix_equal(&s->addresses[i], p))
			return true;
	return false;
}

/* The addresses of a, less those of another state; NULL: all. */
static json_t *
address_list(const struct link_state *a, const struct link_state *without)
{
	json_t *array = json_array();
	char text[PREFIX_STRLEN];
	uint32_t i;

	for (i = 0; i < a->address_count; i++)
		if (without == NULL || !has_address(without, &a->addresses[i]))
			json_array_append_new(array,
			    json_string(prefix_format(&a->addresses[i], text)));
	return array;
}

static json_t *
fields_address(const struct link_state *now, const struct link_state *before)
{
	return json_pack("{s:o, s:o, s:o}", "addresses",
	    address_list(now, NULL), "added", address_list(now, before),
	    "removed", address_list(before, now));
}

static json_t *
fields_netns(const struct link_state *now, const struct link_state *before)
{
	(void)before;
	return json_pack("{s:o}", "netns",
	    now->nsid < 0 ? json_null() : json_integer(now->nsid));
}

static json_t *
fields_none(const struct link_state *now, const struct link_state *before)
{
	(void)now;
	(void)before;
	return json_object();
}

static json_t *(*const fields[LINK_CHANGE_COUNT])(
    const struct link_state *, const struct link_state *) = {
    [LINK_UP] = fields_up,
    [LINK_DOWN] = fields_up,
    [LINK_MTU] = fields_mtu,
    [LINK_RENAME] = fields_rename,
    [LINK_ADDRESS] = fields_address,
    [LINK_NETNS] = fields_netns,
    [LINK_DELETED] = fields_none,
};

/* Where we may not listen it can be up again before its return is told. */
static void
on_netns(struct iface *ifc, const struct link_state *now)
{
	iface_set_place(ifc, now);
	if (ifc->ifindex == 0)
		return;
	ifconf_return(ifc);
	if (now->up)
		ifconf_restore(ifc);
}

/* With the values that the event has. */
static void
log_change(const char *change, const char *name, const json_t *values)
{
	char *text = json_dumps(values, JSON_COMPACT);

	log_info("%s: %s%s%s", name, change, text == NULL ? "" : " ",
	    text == NULL ? "" : text);
	free(text);
}

void
links_on_change(const struct link_state *link, enum link_change change,
    const struct link_state *now, const struct link_state *before, void *arg)
{
	struct daemon *d = arg;
	struct iface *ifc;
	json_t *values;

	TAILQ_FOREACH (ifc, &d->ifaces, entry)
		if (ifc->link == link)
			break;
	if (ifc == NULL)
		return;
	if (change == LINK_RUNNING) {
		state_changed(d);
		return;
	}
	values = fields[change](now, before);
	log_change(link_change_name(change), now->name, values);
	events_publish(d, link_change_name(change), now->name, values);
	if (change == LINK_NETNS)
		on_netns(ifc, now);
	if (change == LINK_UP)
		ifconf_restore(ifc);
	if (change == LINK_DELETED)
		iface_set_gone(ifc);
}

/* Once for each reason: it is tried again every second. */
static void
tell_why_gone(struct iface *ifc, const char *why)
{
	if (strcmp(ifc->gone_why, why) == 0)
		return;
	strlcpy(ifc->gone_why, why, sizeof(ifc->gone_why));
	log_warnx("%s; tried again every second", why);
}

static bool
is_lost_for_good(const struct iface *ifc)
{
	return ifc->gone_ticks == GONE_FOR_GOOD;
}

/*
 * The old one's descriptors go when the new one is there; an inherited
 * descriptor cannot be had again.
 */
static void
make_again(struct daemon *d, struct iface *ifc)
{
	struct iface *anew;
	char why[256];

	/* the worker may know before rtnetlink: let the event be told first */
	if (is_lost_for_good(ifc) ||
	    (ifc->gone_ticks++ < GONE_TICKS && ifc->link != NULL &&
		!ifc->link->deleted))
		return;
	lifecycle_stop(ifc);
	if (ifc->conf->device == CONF_DEVICE_FD) {
		log_warnx("%s is deleted, and an inherited descriptor cannot "
			  "be had again: restart tund with a new one",
		    iface_name(ifc));
		ifc->gone_ticks = GONE_FOR_GOOD;
		return;
	}
	anew = lifecycle_open(d, ifc->conf, why, sizeof(why));
	if (anew == NULL) {
		tell_why_gone(ifc, why);
		return;
	}
	log_info("%s: made again", iface_name(anew));
	TAILQ_INSERT_BEFORE(ifc, anew, entry);
	TAILQ_REMOVE(&d->ifaces, ifc, entry);
	lifecycle_close(ifc);
	if (lifecycle_start(anew) == -1)
		fatalx("no memory for a worker");
	events_publish(d, "link.created", iface_name(anew), NULL);
}

static bool
is_unwatched(const struct iface *ifc)
{
	return ifc->conf->monitored && ifc->link == NULL;
}

/* It may have been down meanwhile, and have lost what the kernel takes then. */
static void
watch_again(struct iface *ifc)
{
	if (lifecycle_watch(ifc) == -1)
		return;
	log_info("%s is watched now", iface_name(ifc));
	state_changed(ifc->daemon);
}

/*
 * May an address or a device be gone that a peer's socket has?  The kernel says
 * that an IPv4 address goes just before it does: so also a second later.  Now
 * and then in any case: it says nothing of what a local route made an address.
 */
static bool
may_be_lost(struct daemon *d)
{
	time_t now = clock_seconds();

	if (d->looks > 0)
		d->looks--;
	else if (d->tick_soon && now - d->looked < LOOK_SECONDS)
		return false;
	d->looked = now;
	return true;
}

static void
on_tick(int fd, short what, void *arg)
{
	struct daemon *d = arg;
	struct iface *ifc, *next;
	bool look = may_be_lost(d);

	(void)fd;
	(void)what;
	TAILQ_FOREACH_SAFE (ifc, &d->ifaces, entry, next) {
		if (ifc->gone) {
			make_again(d, ifc);
			continue;
		}
		if (is_unwatched(ifc))
			watch_again(ifc);
		slots_aim(ifc, look);
	}
}

/* Is there anything to try again? */
static bool
is_restless(const struct daemon *d)
{
	const struct iface *ifc;

	if (d->looks > 0)
		return true;
	TAILQ_FOREACH (ifc, &d->ifaces, entry)
		if (ifc->gone ? !is_lost_for_good(ifc)
			      : is_unwatched(ifc) || slots_unaimed(ifc))
			return true;
	return false;
}

int
links_open(struct daemon *d)
{
	d->tick = evtimer_new(d->base, on_tick, d);
	return d->tick == NULL ? -1 : 0;
}

void
links_close(struct daemon *d)
{
	if (d->tick != NULL)
		event_free(d->tick);
	d->tick = NULL;
}

void
links_schedule(struct daemon *d)
{
	static const struct timeval second = {1, 0}, minute = {LOOK_SECONDS, 0};
	bool soon;

	if (link_monitor_heard(d->links))
		d->looks = LOOKS;
	soon = is_restless(d);
	if (evtimer_pending(d->tick, NULL) && (d->tick_soon || !soon))
		return;
	evtimer_add(d->tick, soon ? &second : &minute);
	d->tick_soon = soon;
}

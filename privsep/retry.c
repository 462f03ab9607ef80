#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/why.h"
#include "privsep/daemon.h"
#include "privsep/events.h"
#include "privsep/heard.h"
#include "privsep/iface.h"
#include "privsep/ifconf.h"
#include "privsep/lifecycle.h"
#include "privsep/link.h"
#include "privsep/retry.h"
#include "privsep/slots.h"

#define GONE_TICKS 3
#define LOOK_SECONDS 60
#define RESTORE_TICKS 32
#define LOOKS 2 /* after the kernel spoke */

struct retry {
	struct daemon *daemon;
	struct event *timer;
	bool soon;	    /* it is set for the next second */
	unsigned int looks; /* ticks that look for what may be lost, yet */
	time_t looked;	    /* when one did, CLOCK_MONOTONIC */
};

/* Once for each reason: it is tried again every second. */
static void
tell_why_gone(struct iface *ifc, const struct why *why)
{
	if (why_is_news(&ifc->gone_why, why))
		log_warnx("%s; tried again every second", why->text);
}

/*
 * The old one's descriptors go when the new one is there; an inherited
 * descriptor cannot be had again.
 */
static void
make_again(struct iface *ifc)
{
	struct daemon *d = ifc->daemon;
	struct iface *anew;
	struct why why;

	/* the worker may know before rtnetlink: let the event be told first */
	if (ifc->state == IFACE_LOST ||
	    (ifc->gone_ticks++ < GONE_TICKS && ifc->link != NULL &&
		!ifc->link->deleted))
		return;
	lifecycle_stop(ifc);
	if (ifc->conf->device == CONF_DEVICE_FD && ifc->state == IFACE_GONE) {
		log_warnx("%s is deleted, and an inherited descriptor cannot "
			  "be had again: restart tund with a new one",
		    iface_name(ifc));
		ifc->state = IFACE_LOST;
		return;
	}
	anew = lifecycle_open(d, ifc->conf, &why);
	if (anew == NULL) {
		tell_why_gone(ifc, &why);
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
	daemon_changed(ifc->daemon);
}

/*
 * May an address or a device be gone that a peer's socket has?  The kernel says
 * that an IPv4 address goes just before it does: so also a second later.  Now
 * and then in any case: it says nothing of what a local route made an address.
 */
static bool
may_be_lost(struct retry *r)
{
	time_t now = clock_seconds();

	if (r->looks > 0)
		r->looks--;
	else if (r->soon && now - r->looked < LOOK_SECONDS)
		return false;
	r->looked = now;
	return true;
}

/*
 * All of an interface's routes are tried, which may be many thousands: after a
 * second, after two, four and so on, then each half minute.
 */
static bool
is_due(unsigned int ticks)
{
	return ticks % RESTORE_TICKS == 0 || (ticks & (ticks - 1)) == 0;
}

static void
on_timer(int fd, short what, void *arg)
{
	struct retry *r = arg;
	struct iface *ifc, *next;
	bool look = may_be_lost(r);

	(void)fd;
	(void)what;
	TAILQ_FOREACH_SAFE (ifc, &r->daemon->ifaces, entry, next) {
		if (iface_is_gone(ifc)) {
			make_again(ifc);
			continue;
		}
		if (is_unwatched(ifc))
			watch_again(ifc);
		if (ifc->lacks && is_due(++ifc->lacks_ticks))
			ifconf_restore(ifc);
		slots_aim(ifc, look);
		if (look)
			heard_look(ifc);
	}
}

/* Is there anything to try again? */
static bool
is_restless(const struct retry *r)
{
	const struct iface *ifc;

	if (r->looks > 0)
		return true;
	TAILQ_FOREACH (ifc, &r->daemon->ifaces, entry)
		if (iface_is_gone(ifc)
			? ifc->state != IFACE_LOST
			: is_unwatched(ifc) || ifc->lacks || slots_unaimed(ifc))
			return true;
	return false;
}

struct retry *
retry_new(struct daemon *d)
{
	struct retry *r = calloc(1, sizeof(*r));

	if (r == NULL ||
	    (r->timer = evtimer_new(d->base, on_timer, r)) == NULL) {
		free(r);
		return NULL;
	}
	r->daemon = d;
	return r;
}

void
retry_free(struct retry *r)
{
	if (r == NULL)
		return;
	event_free(r->timer);
	free(r);
}

void
retry_schedule(struct retry *r)
{
	static const struct timeval second = {1, 0}, minute = {LOOK_SECONDS, 0};
	bool soon;

	if (link_monitor_heard(r->daemon->links))
		r->looks = LOOKS;
	soon = is_restless(r);
	if (evtimer_pending(r->timer, NULL) && (r->soon || !soon))
		return;
	evtimer_add(r->timer, soon ? &second : &minute);
	r->soon = soon;
}

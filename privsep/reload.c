#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "common/log.h"
#include "common/why.h"
#include "privsep/conf.h"
#include "privsep/daemon.h"
#include "privsep/events.h"
#include "privsep/iface.h"
#include "privsep/ifconf.h"
#include "privsep/lifecycle.h"
#include "privsep/mtu.h"
#include "privsep/reload.h"
#include "privsep/reload_report.h"

enum fate { FATE_REMOVED, FATE_ADDED, FATE_KEPT, FATE_ANEW };

/* What becomes of an interface that is in either configuration, or in both. */
struct plan {
	enum fate fate;
	struct iface *ifc;	     /* NULL: added, or taken away by now */
	struct conf_interface *next; /* NULL: removed */
};

/*
 * A reload in progress.  Order: what may fail is done first, beside what is
 * there (open the new interfaces, prepare the kept ones), and undone when it
 * fails; then the interfaces that can only be replaced, which come back as they
 * were when one fails; then what is no longer wanted is taken away.
 */
struct reload {
	struct daemon *d;
	struct conf *next;
	struct plan *plans; /* made by compare */
	size_t plan_count;
	json_t *changes; /* of lines */
	struct refusal refusal;
};

static void __attribute__((format(printf, 2, 3)))
note(struct reload *r, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	json_array_append_new(r->changes, json_vsprintf(fmt, ap));
	va_end(ap);
}

static void
reload_on_error(const char *message, void *arg)
{
	struct reload *r = arg;

	reload_report_error(&r->refusal, message);
}

static void
compare_peers(struct reload *r, const struct conf_interface *a,
    const struct conf_interface *b)
{
	const struct conf_peer *p, *q;
	char names[CONF_NAMES_MAX];

	TAILQ_FOREACH (p, &a->peers, entry) {
		q = conf_find_peer(b, p->name);
		if (q == NULL)
			note(r, "%s: peer \"%s\" removed", a->name, p->name);
		else if (!conf_peer_compare(p, q, names))
			note(r, "%s: peer \"%s\" changed: %s", a->name, p->name,
			    names);
	}
	TAILQ_FOREACH (q, &b->peers, entry)
		if (conf_find_peer(a, q->name) == NULL)
			note(r, "%s: peer \"%s\" added", a->name, q->name);
}

static void
plan_add(struct reload *r, enum fate fate, struct iface *ifc,
    struct conf_interface *next)
{
	r->plans =
	    reallocarray(r->plans, r->plan_count + 1, sizeof(r->plans[0]));
	if (r->plans == NULL)
		fatalx("no memory for a reload");
	r->plans[r->plan_count++] =
	    (struct plan){.fate = fate, .ifc = ifc, .next = next};
}

/* The next one with that fate behind p, or from the first: NULL. */
static struct plan *
plan_next(const struct reload *r, const struct plan *p, enum fate fate)
{
	size_t i = p == NULL ? 0 : (size_t)(p - r->plans) + 1;

	for (; i < r->plan_count; i++)
		if (r->plans[i].fate == fate)
			return &r->plans[i];
	return NULL;
}

/* One that the file does not name follows the routes of today. */
static void
compare_mtu(
    struct reload *r, struct iface *ifc, const struct conf_interface *next)
{
	uint32_t mtu;

	if (next->mtu != ifc->conf->mtu || (mtu = mtu_change(ifc, next)) == 0)
		return;
	note(r, "%s: mtu %u becomes %u%s", next->name, mtu_of_link(ifc), mtu,
	    next->mtu == 0 ? ", by the routes to its peers" : "");
}

static void
compare_interface(
    struct reload *r, struct iface *ifc, struct conf_interface *next)
{
	char names[CONF_NAMES_MAX];
	enum conf_change change =
	    conf_interface_compare(ifc->conf, next, names);
	bool anew = change == CONF_ANEW || ifc->state == IFACE_AWAY;

	plan_add(r, anew ? FATE_ANEW : FATE_KEPT, ifc, next);
	if (change != CONF_SAME)
		note(r, "%s: interface %s: %s", next->name,
		    anew ? "made anew" : "changed", names);
	else if (anew)
		note(r, "%s: interface opened again", next->name);
	if (!anew)
		compare_mtu(r, ifc, next);
	compare_peers(r, ifc->conf, next);
}

/* Fills plans and changes.  -1 when the difference needs a restart. */
static int
compare(struct reload *r)
{
	struct conf_interface *c;
	struct iface *ifc;

	if (!conf_global_equal(r->d->conf, r->next))
		return why_set(&r->refusal.why,
		    "user, control and sandbox cannot change while tund "
		    "runs; restart it");
	TAILQ_FOREACH (ifc, &r->d->ifaces, entry)
		if (conf_find_interface(r->next, ifc->conf->name) == NULL) {
			plan_add(r, FATE_REMOVED, ifc, NULL);
			note(r, "%s: interface removed", ifc->conf->name);
		}
	TAILQ_FOREACH (c, &r->next->interfaces, entry)
		if ((ifc = iface_of(r->d, c)) == NULL) {
			plan_add(r, FATE_ADDED, NULL, c);
			note(r, "%s: interface added", c->name);
		} else {
			compare_interface(r, ifc, c);
		}
	return 0;
}

/* Opens beside the running ones what is new; they start only at the end. */
static int
open_added(struct reload *r, struct ifaces *added)
{
	struct plan *p = NULL;
	struct iface *ifc;

	while ((p = plan_next(r, p, FATE_ADDED)) != NULL) {
		ifc = lifecycle_open(r->d, p->next, &r->refusal.why);
		if (ifc == NULL)
			return -1;
		TAILQ_INSERT_TAIL(added, ifc, entry);
	}
	return 0;
}

static void
close_all(struct ifaces *list)
{
	struct iface *ifc;

	while ((ifc = TAILQ_FIRST(list)) != NULL) {
		TAILQ_REMOVE(list, ifc, entry);
		lifecycle_stop(ifc);
		lifecycle_close(ifc);
	}
}

/* Those before end; NULL: all. */
static void
abandon_kept(struct reload *r, const struct plan *end)
{
	struct plan *p = NULL;

	while ((p = plan_next(r, p, FATE_KEPT)) != NULL && p != end)
		lifecycle_abandon(p->ifc, p->next);
}

static int
prepare_kept(struct reload *r)
{
	struct plan *p = NULL;

	while ((p = plan_next(r, p, FATE_KEPT)) != NULL)
		if (lifecycle_prepare(p->ifc, p->next, &r->refusal.why) == -1) {
			abandon_kept(r, p);
			return -1;
		}
	return 0;
}

static void
commit_kept(struct reload *r)
{
	struct plan *p = NULL;
	struct why why;

	while ((p = plan_next(r, p, FATE_KEPT)) != NULL)
		if (lifecycle_commit(p->ifc, p->next, &why) == -1) {
			reload_report_warning(why.text);
			note(r, "%s", why.text);
		}
}

static void
start_all(struct daemon *d, struct ifaces *list)
{
	struct iface *ifc;

	while ((ifc = TAILQ_FIRST(list)) != NULL) {
		TAILQ_REMOVE(list, ifc, entry);
		TAILQ_INSERT_TAIL(&d->ifaces, ifc, entry);
		if (lifecycle_start(ifc) == -1)
			fatalx("no memory for a worker");
	}
}

static void
take_away(struct reload *r, struct plan *p)
{
	TAILQ_REMOVE(&r->d->ifaces, p->ifc, entry);
	lifecycle_stop(p->ifc);
	lifecycle_close(p->ifc);
	p->ifc = NULL;
}

/* What cannot be had is gone until it can (retry.c). */
static void
put_back(struct reload *r, struct conf_interface *c, struct ifaces *back)
{
	struct iface *ifc;
	struct why why, first;
	char away[128];

	ifc = lifecycle_open(r->d, c, &why);
	if (ifc != NULL) {
		log_warnx("%s: made anew as it was; its counters begin at "
			  "zero, and what was set by request is forgotten",
		    c->name);
		TAILQ_INSERT_TAIL(back, ifc, entry);
		return;
	}
	if ((ifc = lifecycle_away(r->d, c, &why)) == NULL)
		fatalx("no memory for a reload");
	TAILQ_INSERT_TAIL(&r->d->ifaces, ifc, entry);
	events_publish(r->d, "link.deleted", c->name, NULL);
	snprintf(away, sizeof(away),
	    "interface \"%s\" is away, and tried again every second", c->name);
	log_warnx("%s; %s", why.text, away);
	first = r->refusal.why;
	why_set(&r->refusal.why, "%s; %s", first.text, away);
	r->refusal.lost = true;
}

/*
 * What was closed for its replacement comes back as it was, once no replacement
 * is in its way.
 */
static void
put_all_back(struct reload *r, struct ifaces *replaced)
{
	struct ifaces back = TAILQ_HEAD_INITIALIZER(back);
	struct conf_interface *c;

	close_all(replaced);
	TAILQ_FOREACH (c, &r->d->conf->interfaces, entry)
		if (iface_of(r->d, c) == NULL)
			put_back(r, c, &back);
	start_all(r->d, &back);
}

/*
 * An interface whose device or sockets must differ is closed, then opened: its
 * name is taken until then.  One that was deleted under us takes none, and is
 * tried again every second unless it has been replaced.
 */
static int
replace(struct reload *r, bool gone, struct ifaces *replaced)
{
	struct plan *p = NULL;
	struct iface *anew;

	while ((p = plan_next(r, p, FATE_ANEW)) != NULL) {
		if (p->ifc == NULL || iface_is_gone(p->ifc) != gone)
			continue;
		if (!gone)
			take_away(r, p);
		anew = lifecycle_open(r->d, p->next, &r->refusal.why);
		if (anew == NULL)
			return -1;
		if (gone)
			take_away(r, p);
		TAILQ_INSERT_TAIL(replaced, anew, entry);
	}
	return 0;
}

/* First what may fail with nobody the worse for it. */
static int
replace_changed(struct reload *r, struct ifaces *replaced)
{
	if (replace(r, true, replaced) == -1)
		return -1;
	return replace(r, false, replaced);
}

/* What could not even come back as it was is not closed in the first place. */
static int
check_opened(struct reload *r)
{
	const struct plan *p;
	size_t i;

	for (i = 0; i < r->plan_count; i++) {
		p = &r->plans[i];
		if ((p->fate == FATE_ADDED || p->fate == FATE_ANEW) &&
		    lifecycle_check(p->ifc, p->next, &r->refusal.why) == -1)
			return -1;
	}
	return 0;
}

static void
remove_gone(struct reload *r)
{
	struct plan *p = NULL;

	while ((p = plan_next(r, p, FATE_REMOVED)) != NULL)
		take_away(r, p);
}

/*
 * An inherited descriptor that has another name in the file: what the removed
 * interface took from the device may be what the added one wants.
 */
static void
restore_added(struct ifaces *added)
{
	struct iface *ifc;

	TAILQ_FOREACH (ifc, added, entry)
		if (ifc->conf->device == CONF_DEVICE_FD)
			ifconf_restore(ifc);
}

/* The same, where the added one was opened in vain. */
static void
reassert_inherited(struct reload *r)
{
	struct plan *p = NULL;

	while ((p = plan_next(r, p, FATE_REMOVED)) != NULL)
		if (p->ifc->conf->device == CONF_DEVICE_FD)
			lifecycle_reassert(p->ifc);
}

/* -1: nothing has changed. */
static int
prepare(struct reload *r, struct ifaces *added)
{
	struct ifaces replaced = TAILQ_HEAD_INITIALIZER(replaced);

	if (open_added(r, added) == -1 || prepare_kept(r) == -1)
		return -1;
	if (replace_changed(r, &replaced) == -1) {
		/* what was prepared may hold a route that comes back */
		abandon_kept(r, NULL);
		close_all(added);
		put_all_back(r, &replaced);
		return -1;
	}
	TAILQ_CONCAT(added, &replaced, entry);
	return 0;
}

static int
apply(struct reload *r)
{
	struct daemon *d = r->d;
	struct ifaces added = TAILQ_HEAD_INITIALIZER(added);

	d->next = r->next;
	if (prepare(r, &added) == -1) {
		close_all(&added);
		reassert_inherited(r);
		d->next = NULL;
		return -1;
	}
	remove_gone(r);
	restore_added(&added);
	commit_kept(r);
	conf_free(d->conf);
	d->conf = r->next;
	d->next = r->next = NULL;
	d->generation++;
	d->loaded = time(NULL);
	start_all(d, &added);
	return 0;
}

int
reload(struct daemon *d, bool dry, json_t **result)
{
	struct reload r = {.d = d, .changes = json_array()};
	int ok = -1;

	r.next = conf_parse(
	    d->conf_path, d->macros, d->macro_count, reload_on_error, &r);
	if (r.next != NULL && compare(&r) == 0 && check_opened(&r) == 0)
		ok = dry ? 0 : apply(&r);
	if (r.next != NULL)
		conf_free(r.next);
	free(r.plans);
	*result = ok == 0 ? reload_report_done(d, r.changes, dry)
			  : reload_report_refused(d, &r.refusal, dry);
	json_decref(r.changes);
	return ok;
}

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/log.h"
#include "privsep/conf.h"
#include "privsep/daemon.h"
#include "privsep/events.h"
#include "privsep/iface.h"
#include "privsep/lifecycle.h"
#include "privsep/reload.h"
#include "privsep/state.h"

#define CHANGES_TOLD 16 /* in an event */

/*
 * A reload in progress.  Order: what may fail is done first (open the new
 * interfaces, update the kept ones), and undone when it does; then what is no
 * longer wanted is taken away.
 */
struct reload {
	struct daemon *d;
	struct conf *next;
	json_t *changes; /* of lines */
	char why[512];	 /* the first error */
};

static void
note(struct reload *r, const char *interface, const char *what,
    const char *name, const char *verb)
{
	char line[256];

	if (name != NULL)
		snprintf(line, sizeof(line), "%s: %s \"%s\" %s", interface,
		    what, name, verb);
	else
		snprintf(line, sizeof(line), "%s: %s%s", interface, what, verb);
	json_array_append_new(r->changes, json_string(line));
}

static void
reload_on_error(const char *message, void *arg)
{
	struct reload *r = arg;

	log_warnx("%s", message);
	if (r->why[0] == '\0')
		strlcpy(r->why, message, sizeof(r->why));
}

static struct iface *
find_running(struct daemon *d, const char *configured)
{
	struct iface *ifc;

	TAILQ_FOREACH (ifc, &d->ifaces, entry)
		if (strcmp(ifc->conf->name, configured) == 0)
			return ifc;
	return NULL;
}

static void
compare_peers(struct reload *r, const struct conf_interface *a,
    const struct conf_interface *b)
{
	const struct conf_peer *p, *q;

	TAILQ_FOREACH (p, &a->peers, entry) {
		q = conf_find_peer(b, p->name);
		if (q == NULL)
			note(r, a->name, "peer", p->name, "removed");
		else if (!conf_peer_equal(p, q))
			note(r, a->name, "peer", p->name, "changed");
	}
	TAILQ_FOREACH (q, &b->peers, entry)
		if (conf_find_peer(a, q->name) == NULL)
			note(r, a->name, "peer", q->name, "added");
}

/* Fills r->changes.  -1 when the difference needs a restart. */
static int
compare(struct reload *r)
{
	struct conf_interface *c;
	struct iface *ifc;

	if (!conf_global_equal(r->d->conf, r->next)) {
		strlcpy(r->why,
		    "user, control and sandbox cannot change while tund "
		    "runs; restart it",
		    sizeof(r->why));
		return -1;
	}
	TAILQ_FOREACH (ifc, &r->d->ifaces, entry)
		if (conf_find_interface(r->next, ifc->conf->name) == NULL)
			note(r, ifc->conf->name, "interface removed", NULL, "");
	TAILQ_FOREACH (c, &r->next->interfaces, entry) {
		ifc = find_running(r->d, c->name);
		if (ifc == NULL) {
			note(r, c->name, "interface added", NULL, "");
			continue;
		}
		if (!conf_interface_equal(ifc->conf, c))
			note(r, c->name, "interface ", NULL,
			    lifecycle_can_update(ifc, c) ? "changed"
							 : "made anew");
		compare_peers(r, ifc->conf, c);
	}
	return 0;
}

/* Opens beside the running ones what is new; they start only at the end. */
static int
open_added(struct reload *r, struct ifaces *added)
{
	struct conf_interface *c;
	struct iface *ifc;

	TAILQ_FOREACH (c, &r->next->interfaces, entry) {
		if (find_running(r->d, c->name) != NULL)
			continue;
		ifc = lifecycle_open(r->d, c, r->why, sizeof(r->why));
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

/* Those that can be, in place; the others keep their old configuration. */
static int
update_kept(struct reload *r)
{
	struct iface *ifc, *done;
	struct conf_interface *c;
	char again[256];

	TAILQ_FOREACH (ifc, &r->d->ifaces, entry) {
		c = conf_find_interface(r->next, ifc->conf->name);
		if (c == NULL || !lifecycle_can_update(ifc, c))
			continue;
		if (lifecycle_update(ifc, c, r->why, sizeof(r->why)) == -1)
			goto fail;
	}
	return 0;
fail:
	TAILQ_FOREACH (done, &r->d->ifaces, entry) {
		if (done == ifc)
			break;
		c = conf_find_interface(r->d->conf, done->conf->name);
		if (c != NULL && c != done->conf &&
		    lifecycle_update(done, c, again, sizeof(again)) == -1)
			log_warnx("%s", again);
	}
	return -1;
}

/*
 * An interface whose device or sockets must differ is closed and opened; its
 * name is taken until then, so a failure here can only be told.
 */
static void
replace_or_remove(struct reload *r, struct ifaces *added)
{
	struct iface *ifc, *next;
	struct conf_interface *c;

	TAILQ_FOREACH_SAFE (ifc, &r->d->ifaces, entry, next) {
		c = conf_find_interface(r->next, ifc->conf->name);
		if (c == ifc->conf)
			continue;
		TAILQ_REMOVE(&r->d->ifaces, ifc, entry);
		lifecycle_stop(ifc);
		lifecycle_close(ifc);
		if (c == NULL)
			continue;
		ifc = lifecycle_open(r->d, c, r->why, sizeof(r->why));
		if (ifc != NULL)
			TAILQ_INSERT_TAIL(added, ifc, entry);
		else
			log_warnx("%s; interface \"%s\" stays away until the "
				  "next reload",
			    r->why, c->name);
	}
}

static int
apply(struct reload *r)
{
	struct daemon *d = r->d;
	struct ifaces added = TAILQ_HEAD_INITIALIZER(added);
	struct iface *ifc;

	if (open_added(r, &added) == -1 || update_kept(r) == -1) {
		close_all(&added);
		return -1;
	}
	replace_or_remove(r, &added);
	conf_free(d->conf);
	d->conf = r->next;
	r->next = NULL;
	d->generation++;
	d->loaded = time(NULL);
	while ((ifc = TAILQ_FIRST(&added)) != NULL) {
		TAILQ_REMOVE(&added, ifc, entry);
		TAILQ_INSERT_TAIL(&d->ifaces, ifc, entry);
		if (lifecycle_start(ifc) == -1)
			fatalx("no memory for a worker");
	}
	return 0;
}

/* As many changes as an event has room for. */
static json_t *
first_changes(const json_t *changes)
{
	json_t *list = json_array();
	char line[64];
	size_t i, n = json_array_size(changes);

	for (i = 0; i < n && i < CHANGES_TOLD; i++)
		json_array_append(list, json_array_get(changes, i));
	if (i < n) {
		snprintf(line, sizeof(line), "and %zu more", n - i);
		json_array_append_new(list, json_string(line));
	}
	return list;
}

static json_t *
refusal(const struct reload *r)
{
	return json_pack("{s:s, s:s}", "message", r->why, "hint",
	    "the old configuration stays in force");
}

int
reload(struct daemon *d, bool dry, json_t **result)
{
	struct reload r = {.d = d, .changes = json_array()};
	int ok = -1;

	r.next = conf_parse(
	    d->conf_path, d->macros, d->macro_count, reload_on_error, &r);
	if (r.next != NULL && compare(&r) == 0)
		ok = dry ? 0 : apply(&r);
	if (r.next != NULL)
		conf_free(r.next);
	if (ok == -1) {
		log_warnx(
		    "reload: %s; the old configuration stays in force", r.why);
		*result = refusal(&r);
		json_decref(r.changes);
		return -1;
	}
	*result = json_pack("{s:b, s:O, s:i}", "dry_run", dry, "changes",
	    r.changes, "generation", (int)d->generation);
	if (!dry) {
		log_info("configuration reloaded: %zu changes",
		    json_array_size(r.changes));
		events_publish(d, "config.reloaded", NULL,
		    json_pack("{s:i, s:o}", "generation", (int)d->generation,
			"changes", first_changes(r.changes)));
	}
	json_decref(r.changes);
	return 0;
}

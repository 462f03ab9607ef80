#include <stdio.h>
#include <string.h>

#include "common/log.h"
#include "common/log_limit.h"
#include "privsep/conf.h"
#include "privsep/daemon.h"
#include "privsep/events.h"
#include "privsep/iface.h"
#include "privsep/reload_report.h"
#include "privsep/slot.h"

#define CHANGES_TOLD 16	  /* in an event */
#define NOT_AIMED_TOLD 16 /* in an answer */

static bool
may_log(void)
{
	static struct log_limit lines;

	return log_limit_pass(&lines, "reload");
}

void
reload_report_warning(const char *message)
{
	if (may_log())
		log_warnx("%s", message);
}

void
reload_report_error(struct refusal *r, const char *message)
{
	reload_report_warning(message);
	if (r->errors++ == 0)
		why_set(&r->why, "%s", message);
}

/* As many changes as an event has room for, and the number of the others. */
static json_t *
event_fields(const struct daemon *d, const json_t *changes)
{
	size_t i, n = json_array_size(changes);
	json_t *list = json_array();
	json_t *o;

	for (i = 0; i < n && i < CHANGES_TOLD; i++)
		json_array_append(list, json_array_get(changes, i));
	o = json_pack(
	    "{s:i, s:o}", "generation", (int)d->generation, "changes", list);
	if (i < n)
		json_object_set_new(
		    o, "more", json_integer((json_int_t)(n - i)));
	return o;
}

/* The same in the log, where nobody may have listened to the event. */
static void
log_changes(const struct daemon *d, const json_t *fields)
{
	const json_t *changes = json_object_get(fields, "changes");
	const json_t *more = json_object_get(fields, "more");
	const json_t *one;
	size_t i;

	if (may_log())
		log_info("configuration reloaded, generation %u: %s",
		    d->generation,
		    json_array_size(changes) == 0 ? "no difference"
						  : "what follows");
	json_array_foreach (changes, i, one)
		if (may_log())
			log_info("reload: %s", json_string_value(one));
	if (more != NULL && may_log())
		log_info("reload: and %lld more", json_integer_value(more));
}

static const char *
count_errors(const struct refusal *r, char buf[32])
{
	if (r->errors > CONF_ERRORS_MAX)
		snprintf(buf, 32, "more than %d errors", CONF_ERRORS_MAX);
	else
		snprintf(buf, 32, "%u error%s", r->errors,
		    r->errors == 1 ? "" : "s");
	return buf;
}

/* What the file's errors said is in the log already, line by line. */
static void
log_refusal(const struct refusal *r, bool dry)
{
	const char *what = dry ? "reload -n" : "reload";
	char errors[32];

	if (!may_log())
		return;
	if (r->errors > 0)
		log_warnx("%s: the file has %s; the old configuration stays "
			  "in force",
		    what, count_errors(r, errors));
	else
		log_warnx("%s: %s%s", what, r->why.text,
		    r->lost ? "" : "; the old configuration stays in force");
}

/* Sentences of the peers that have no route as yet: no reload fails by them. */
static json_t *
not_aimed(const struct daemon *d)
{
	json_t *list = json_array();
	char reason[SLOT_REASON_STRLEN];
	const struct iface *ifc;
	const struct slot *s;
	size_t i, more = 0;

	TAILQ_FOREACH (ifc, &d->ifaces, entry)
		for (i = 0; i < ifc->slot_count; i++) {
			s = &ifc->slots[i];
			if (s->state != SLOT_USED || s->aimed)
				continue;
			if (json_array_size(list) == NOT_AIMED_TOLD)
				more++;
			else
				json_array_append_new(list,
				    json_sprintf(
					"%s: peer \"%s\" is not aimed: %s",
					ifc->conf->name, s->peer->name,
					slot_reason(ifc, s, reason)));
		}
	if (more > 0)
		json_array_append_new(
		    list, json_sprintf("%zu more peers are not aimed", more));
	return list;
}

static json_t *
refusal_answer(const struct refusal *r)
{
	char hint[96] = "the old configuration stays in force";
	bool all = r->errors <= CONF_ERRORS_MAX;

	if (r->lost)
		strlcpy(hint, "look at the log for what is in its way",
		    sizeof(hint));
	else if (r->errors > 1)
		snprintf(hint, sizeof(hint),
		    "the old configuration stays in force; the log has %s %u "
		    "errors of the file",
		    all ? "all" : "the first",
		    all ? r->errors : CONF_ERRORS_MAX);
	return json_pack("{s:s, s:s}", "message", r->why.text, "hint", hint);
}

json_t *
reload_report_refused(struct daemon *d, const struct refusal *r, bool dry)
{
	log_refusal(r, dry);
	if (!dry)
		events_publish(d, "config.refused", NULL,
		    json_pack("{s:s}", "reason", r->why.text));
	return refusal_answer(r);
}

json_t *
reload_report_done(struct daemon *d, json_t *changes, bool dry)
{
	json_t *fields;

	if (!dry) {
		fields = event_fields(d, changes);
		log_changes(d, fields);
		events_publish(d, "config.reloaded", NULL, fields);
	}
	return json_pack("{s:b, s:O, s:o, s:i}", "dry_run", dry, "changes",
	    changes, "not_aimed", dry ? json_array() : not_aimed(d),
	    "generation", (int)d->generation);
}

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "common/log.h"
#include "common/log_limit.h"
#include "privsep/daemon.h"
#include "privsep/events.h"
#include "privsep/publish.h"
#include "privsep/state.h"

/* RFC 3339, UTC, milliseconds.  buf: 32 bytes. */
static const char *
events_time(char *buf)
{
	struct timespec ts;
	struct tm tm;
	size_t used;

	clock_gettime(CLOCK_REALTIME, &ts);
	gmtime_r(&ts.tv_sec, &tm);
	used = strftime(buf, 32, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(buf + used, 32 - used, ".%03dZ",
	    (int)(ts.tv_nsec / 1000000) % 1000);
	return buf;
}

static void
log_event(const char *text)
{
	static struct log_limit lines;

	if (log_get_level() >= LOG_LEVEL_DEBUG &&
	    log_limit_pass(&lines, "events"))
		log_debug("event %s", text);
}

void
events_publish(
    struct daemon *d, const char *event, const char *interface, json_t *fields)
{
	char when[32], *text;
	json_t *o;

	state_changed(d);
	if (d->stopping) {
		json_decref(fields);
		return;
	}
	o = json_pack("{s:I, s:s, s:s, s:s?}", "seq", (json_int_t)(d->seq + 1),
	    "time", events_time(when), "event", event, "interface", interface);
	text =
	    o == NULL || (fields != NULL && json_object_update(o, fields) == -1)
		? NULL
		: json_dumps(o, JSON_COMPACT);
	json_decref(fields);
	if (text == NULL) {
		log_warnx("event %s cannot be told", event);
		json_decref(o);
		return;
	}
	d->seq++;
	log_event(text);
	publish_event(d, text);
	free(text);
	json_decref(o);
}

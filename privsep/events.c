#include <stdlib.h>
#include <time.h>

#include "common/log.h"
#include "common/log_limit.h"
#include "common/utc.h"
#include "privsep/daemon.h"
#include "privsep/events.h"
#include "privsep/publish.h"

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
	char when[UTC_SIZE], *text;
	struct timespec now;
	json_t *o;

	daemon_changed(d);
	if (d->stopping) {
		json_decref(fields);
		return;
	}
	clock_gettime(CLOCK_REALTIME, &now);
	o = json_pack("{s:I, s:s, s:s, s:s?}", "seq", (json_int_t)(d->seq + 1),
	    "time", utc_milliseconds(when, &now), "event", event, "interface",
	    interface);
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

void
events_offload_off(struct daemon *d, const char *interface, enum offload o,
    const char *reason, const char *peer)
{
	static struct log_limit lines;
	json_t *fields = json_pack(
	    "{s:s, s:s}", "offload", offload_name(o), "reason", reason);

	if (log_limit_pass(&lines, "offloads"))
		log_warnx("%s: %s is switched off%s%s: %s", interface,
		    offload_name(o), peer != NULL ? " for peer " : "",
		    peer != NULL ? peer : "", reason);
	if (peer != NULL)
		json_object_set_new(fields, "peer", json_string(peer));
	events_publish(d, "offload.off", interface, fields);
}

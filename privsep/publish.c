#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/log_limit.h"
#include "ipc/counters.h"
#include "ipc/limits.h"
#include "privsep/daemon.h"
#include "privsep/iface.h"
#include "privsep/proc.h"
#include "privsep/publish.h"
#include "privsep/state.h"

static void
send_page(struct daemon *d, struct queue *q)
{
	int fd = counters_reopen_readonly(q->counters_fd);

	if (fd == -1) {
		log_warn(
		    "the counters of %s cannot be shown", iface_name(q->iface));
		return;
	}
	q->page_sent = proc_send(d->control, MSG_CONTROL_COUNTERS,
			   q->iface->id << 16 | q->number, NULL, 0, fd) == 0;
	close(fd);
}

/* It keeps them until a state comes without their interface. */
static void
send_new_pages(struct daemon *d)
{
	struct iface *ifc;
	size_t i;

	TAILQ_FOREACH (ifc, &d->ifaces, entry)
		for (i = 0; i < ifc->queue_count; i++)
			if (!ifc->queue[i].page_sent)
				send_page(d, &ifc->queue[i]);
}

/*
 * Each is a descriptor and its memory: they must not pile up.  Events without
 * end are no reason to let it become old.
 */
static bool
must_wait(const struct daemon *d)
{
	/* its next one is told when it is started (publish_anew) */
	if (d->control->state == PROC_WAITING)
		return true;
	return proc_unsent(d->control) > 0 &&
	       (proc_has_unsent_fds(d->control) ||
		   clock_seconds() == d->published);
}

/* The state goes before the pages: a page must belong to an interface. */
void
publish_state(struct daemon *d)
{
	static struct log_limit failures;
	int fd;

	d->state_dirty = false;
	if (d->control == NULL)
		return;
	if (must_wait(d)) {
		d->state_dirty = true;
		return;
	}
	d->published = clock_seconds();
	if ((fd = state_memfd(d)) == -1) {
		if (log_limit_pass(&failures, "state"))
			log_warn("the state cannot be published");
		d->state_dirty = true; /* tried again in the next turn */
		return;
	}
	proc_send(d->control, MSG_CONTROL_STATE, 0, NULL, 0, fd);
	close(fd);
	send_new_pages(d);
}

void
publish_anew(struct daemon *d)
{
	struct iface *ifc;
	size_t i;

	TAILQ_FOREACH (ifc, &d->ifaces, entry)
		for (i = 0; i < ifc->queue_count; i++)
			ifc->queue[i].page_sent = false;
	publish_state(d);
}

void
publish_event(struct daemon *d, const char *json)
{
	size_t len = strlen(json);

	if (len > LIMIT_EVENT) {
		log_warnx("event %" PRIu64 " is too long to be told", d->seq);
		return;
	}
	proc_send(d->control, MSG_CONTROL_EVENT, 0, json, len, -1);
}

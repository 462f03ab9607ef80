#include "privsep/daemon.h"

#include <event2/event.h>

#include "common/log.h"
#include "privsep/iface.h"
#include "privsep/proc.h"

#define FALLS_AT_START 3 /* of one child, before all ran once */

/* One whose device is gone waits for that, not for its workers. */
static bool
all_running(const struct daemon *d)
{
	const struct iface *ifc;
	size_t i;

	if (d->control->state != PROC_RUNNING)
		return false;
	TAILQ_FOREACH (ifc, &d->ifaces, entry) {
		if (iface_is_gone(ifc))
			continue;
		for (i = 0; i < ifc->queue_count; i++)
			if (ifc->queue[i].proc == NULL ||
			    ifc->queue[i].proc->state != PROC_RUNNING)
				return false;
	}
	return true;
}

void
daemon_changed(struct daemon *d)
{
	d->state_dirty = true;
}

bool
daemon_prove(struct daemon *d)
{
	if (d->proven || !all_running(d))
		return false;
	d->proven = true;
	return true;
}

void
daemon_child_ended(struct daemon *d, const struct proc *p, const char *why)
{
	if (d->proven || d->stopping || p->restarts + 1 < FALLS_AT_START)
		return;
	log_warnx("%s cannot be started: %s; what it said before tells "
		  "why",
	    process_name(p->kind), why);
	d->failed = d->stopping = true;
	event_base_loopbreak(d->base);
}

#include <jansson.h>

#include "common/log.h"
#include "common/sandbox.h"
#include "privsep/control.h"
#include "privsep/daemon.h"
#include "privsep/events.h"
#include "privsep/link.h"
#include "privsep/proc.h"
#include "privsep/publish.h"
#include "privsep/requests.h"

/* Beyond this it is told no more of links: some 5,000 events. */
#define UNREAD_MAX ((size_t)1 << 20)

static void
control_on_setup(struct proc *p, void *arg)
{
	struct daemon *d = arg;
	struct msg_control_config c = {.uid = d->control_uid,
	    .gid = d->control_gid,
	    .log_level = d->log_level[PROCESS_CONTROL],
	    .strict = d->conf->sandbox_strict};

	proc_send(p, MSG_CONTROL_CONFIG, 0, &c, sizeof(c), -1);
	proc_send(p, MSG_CONTROL_LISTEN, 1, NULL, 0, d->control_socket.fd);
	proc_send(p, MSG_CONTROL_LISTEN, 0, NULL, 0, d->control_rsocket.fd);
	proc_send(p, MSG_CONTROL_START, 0, NULL, 0, -1);
	publish_anew(d);
}

static void
control_on_ready(struct proc *p, void *arg)
{
	char without[SANDBOX_WITHOUT_STRLEN];

	log_info("tund-control (pid %d) runs%s", p->pid,
	    sandbox_without(p->missing, without));
	events_publish(arg, "control.started", NULL,
	    json_pack("{s:i, s:i}", "pid", (int)p->pid, "restarts",
		(int)p->restarts));
}

static int
control_on_message(struct proc *p, struct imsg *m, void *arg)
{
	struct msg_request r;

	if (p->state != PROC_RUNNING || m->hdr.type != MSG_REQUEST ||
	    msg_read_request(m, &r) == -1)
		return -1;
	return requests_answer(arg, m->hdr.id, &r);
}

static void
control_on_exited(struct proc *p, const char *why, void *arg)
{
	daemon_child_ended(arg, p, why);
}

static const struct proc_hooks control_hooks = {
    .setup = control_on_setup,
    .ready = control_on_ready,
    .message = control_on_message,
    .exited = control_on_exited,
};

/* One that reads nothing at all must not keep links from being looked after. */
static bool
control_has_room(void *arg)
{
	const struct daemon *d = arg;
	bool room = d->control == NULL || proc_unsent(d->control) < UNREAD_MAX;

	if (!room)
		proc_await(d->control, "does not read what it is sent");
	else if (d->control != NULL)
		proc_answered(d->control);
	return room;
}

int
control_start(struct daemon *d)
{
	link_monitor_mind_room(d->links, control_has_room);
	d->control =
	    proc_new(d->base, PROCESS_CONTROL, d->libexec, &control_hooks, d);
	if (d->control == NULL)
		return -1;
	proc_start(d->control);
	return 0;
}

void
control_stop(struct daemon *d)
{
	proc_free(d->control);
	d->control = NULL;
}

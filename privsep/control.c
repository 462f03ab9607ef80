#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/log_limit.h"
#include "common/sandbox.h"
#include "common/why.h"
#include "privsep/control.h"
#include "privsep/daemon.h"
#include "privsep/events.h"
#include "privsep/iface.h"
#include "privsep/ifconf.h"
#include "privsep/lifecycle.h"
#include "privsep/link.h"
#include "privsep/proc.h"
#include "privsep/publish.h"
#include "privsep/reload.h"
#include "privsep/workers.h"

/* Requests may take so much before all else must have had as much. */
#define REQUESTS_MS 500
/* In a second, whatever they take: a script has some to ask after a reload. */
#define REQUESTS_FREE 8
/* But those that take long are not: the end of a child would be seen late. */
#define REQUESTS_OWED_MS 2000
/* Beyond this it is told no more of links: some 5,000 events. */
#define UNREAD_MAX ((size_t)1 << 20)
#define REPLY_TEXT_MAX (IMSG_DATA_MAX - sizeof(struct msg_reply) - 1)

static void
send_log_level(struct daemon *d)
{
	struct msg_log_level l = {.level = d->log_level[PROCESS_CONTROL]};

	proc_send(d->control, MSG_CONTROL_LOG_LEVEL, 0, &l, sizeof(l), -1);
}

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

/* A text that is not UTF-8 has no place in JSON. */
static char *
reply_text(const json_t *result)
{
	char *text = json_dumps(result, JSON_COMPACT);

	if (text == NULL)
		text = strdup("{\"message\":\"see the log of tund\"}");
	if (text == NULL)
		fatalx("no memory for a reply");
	return text;
}

/* Takes the reference of result. */
static void
send_reply(
    struct daemon *d, uint32_t id, enum reply_status status, json_t *result)
{
	struct msg_reply head = {.status = status};
	char *text = reply_text(result);
	uint8_t *buf;
	size_t len;

	/* only a list of changes can be that long */
	if (strlen(text) > REPLY_TEXT_MAX) {
		free(text);
		json_object_set_new(
		    result, "changes", json_pack("[s]", "too many to list"));
		text = reply_text(result);
	}
	json_decref(result);
	len = strlen(text);
	if ((buf = malloc(sizeof(head) + len)) == NULL)
		fatalx("no memory for a reply");
	memcpy(buf, &head, sizeof(head));
	memcpy(buf + sizeof(head), text, len);
	proc_send(
	    d->control, MSG_CONTROL_REPLY, id, buf, sizeof(head) + len, -1);
	free(buf);
	free(text);
}

/* Takes the reference of result. */
static void
control_reply(
    struct daemon *d, uint32_t id, enum reply_status status, json_t *result)
{
	/* who hears that it is done and looks, sees it */
	link_monitor_catch_up(d->links);
	if (d->state_dirty)
		publish_state(d);
	send_reply(d, id, status, result);
}

static json_t *
refusal(const char *message, const char *hint)
{
	return json_pack("{s:s, s:s?}", "message", message, "hint", hint);
}

static void
control_refuse(struct daemon *d, uint32_t id, enum reply_status status,
    const char *message, const char *hint)
{
	control_reply(d, id, status, refusal(message, hint));
}

static void
control_on_reload(struct daemon *d, uint32_t id, const struct msg_request *r)
{
	json_t *result;
	int ok = reload(d, r->value == 1, &result);

	control_reply(d, id, ok == 0 ? REPLY_OK : REPLY_REFUSED, result);
}

/* What somebody set, so that a reader of the log knows later; ifc: or NULL. */
static void
tell_set(struct daemon *d, const struct iface *ifc, const char *setting,
    const char *value)
{
	static struct log_limit lines;
	const char *name = ifc != NULL ? iface_name(ifc) : NULL;

	if (log_limit_pass(&lines, "settings"))
		log_info("%s%s%s is set to %s by request",
		    name != NULL ? name : "", name != NULL ? ": " : "", setting,
		    value);
	events_publish(d, "config.set", name,
	    json_pack("{s:s, s:s}", "setting", setting, "value", value));
}

static void
control_on_set_mtu(struct daemon *d, uint32_t id, const struct msg_request *r)
{
	struct iface *ifc = iface_find(d, r->interface);
	uint32_t before;
	char value[16];
	struct why why;

	if (ifc == NULL) {
		control_refuse(d, id, REPLY_INVALID, "no such interface",
		    "see \"interfaces\"");
		return;
	}
	before = ifconf_mtu(ifc);
	if (ifconf_set_mtu(ifc, r->value, &why) == -1) {
		control_refuse(d, id, REPLY_REFUSED, why.text, NULL);
		return;
	}
	snprintf(value, sizeof(value), "%" PRIu32, r->value);
	if (before != r->value)
		tell_set(d, ifc, "mtu", value);
	control_reply(d, id, REPLY_OK,
	    json_pack("{s:s, s:i}", "interface", iface_name(ifc), "mtu_bytes",
		(int)r->value));
}

/* What is made again has the offloads of the file. */
static void
refuse_deleted(struct daemon *d, uint32_t id, const struct iface *ifc)
{
	struct why why;

	why_set(&why, "%s is deleted: set its offloads when it is there again",
	    iface_name(ifc));
	control_refuse(d, id, REPLY_REFUSED, why.text, NULL);
}

static void
refuse_offload(
    struct daemon *d, uint32_t id, const struct iface *ifc, enum offload o)
{
	bool header = ifc->tun.vnet_hdr || !(OFFLOADS_TUN & OFFLOAD_BIT(o));
	struct why why;

	why_set(&why, "%s: %s cannot be switched on: %s", iface_name(ifc),
	    offload_name(o), ifc->reason[o]);
	control_refuse(d, id, REPLY_REFUSED, why.text,
	    header ? NULL : "set \"vnet-header on\" and reload");
}

static void
control_on_set_offload(
    struct daemon *d, uint32_t id, const struct msg_request *r)
{
	struct iface *ifc = iface_find(d, r->interface);
	uint32_t bit = OFFLOAD_BIT(r->what), wanted, used;

	if (ifc == NULL) {
		control_refuse(d, id, REPLY_INVALID, "no such interface",
		    "see \"interfaces\"");
		return;
	}
	if (iface_is_deleted(ifc)) {
		refuse_deleted(d, id, ifc);
		return;
	}
	if (r->value == 1 && !(ifc->granted & bit)) {
		refuse_offload(d, id, ifc, r->what);
		return;
	}
	wanted = ifc->wanted;
	used = iface_offloads(ifc);
	lifecycle_set_offloads(
	    ifc, r->value == 1 ? wanted | bit : wanted & ~bit, bit);
	if (ifc->wanted != wanted || iface_offloads(ifc) != used)
		tell_set(d, ifc, offload_name(r->what),
		    r->value == 1 ? "on" : "off");
	/* with a new table the workers forget refusals that were one peer's */
	if (r->what == OFFLOAD_UDP_GSO)
		workers_send_peers(ifc);
	control_reply(d, id, REPLY_OK,
	    json_pack("{s:s, s:s, s:b}", "interface", iface_name(ifc),
		"offload", offload_name(r->what), "enabled", r->value == 1));
}

static void
control_on_log_level(struct daemon *d, uint32_t id, const struct msg_request *r)
{
	bool change = d->log_level[r->what] != r->value;
	struct iface *ifc;
	char setting[32];

	d->log_level[r->what] = r->value;
	if (r->what == PROCESS_PARENT)
		log_set_level(r->value);
	else if (r->what == PROCESS_CONTROL)
		send_log_level(d);
	else
		TAILQ_FOREACH (ifc, &d->ifaces, entry)
			workers_send_log_level(ifc);
	snprintf(setting, sizeof(setting), "log %s", process_name(r->what));
	if (change)
		tell_set(d, NULL, setting, log_level_name(r->value));
	control_reply(d, id, REPLY_OK,
	    json_pack("{s:s, s:s}", "process", process_name(r->what), "level",
		log_level_name(r->value)));
}

static const struct {
	enum request_kind kind;
	void (*handle)(
	    struct daemon *, uint32_t id, const struct msg_request *);
} requests[] = {
    {REQUEST_RELOAD, control_on_reload},
    {REQUEST_SET_MTU, control_on_set_mtu},
    {REQUEST_SET_OFFLOAD, control_on_set_offload},
    {REQUEST_LOG_LEVEL, control_on_log_level},
};

static int
handle_request(struct daemon *d, uint32_t id, const struct msg_request *r)
{
	size_t i;

	for (i = 0; i < sizeof(requests) / sizeof(requests[0]); i++)
		if (requests[i].kind == r->kind) {
			requests[i].handle(d, id, r);
			return 0;
		}
	return -1;
}

/*
 * A request is work, and so is the state that goes before its answer, some
 * milliseconds for each thousand prefixes: half of the time is for all else, so
 * that what took long is followed by as long a time.
 */
struct budget {
	int64_t owed; /* ms from then until nothing is */
	int64_t then;
	int64_t second;
	unsigned int count; /* of requests in it */
};

static void
budget_pass(struct budget *b, int64_t now)
{
	b->owed -= now - b->then;
	if (b->owed < 0)
		b->owed = 0;
	b->then = now;
	if (now / 1000 != b->second)
		b->count = 0;
	b->second = now / 1000;
}

/* Half of what is owed for a request passes while it is answered. */
static void
budget_spend(struct budget *b, int64_t ms)
{
	b->owed += 2 * ms;
	b->count++;
}

static bool
budget_is_spent(const struct budget *b, const struct msg_request *r)
{
	return b->owed >= REQUESTS_MS &&
	       (r->kind == REQUEST_RELOAD || b->count >= REQUESTS_FREE ||
		   b->owed >= REQUESTS_OWED_MS);
}

/* To refuse must cost nothing of what it is for. */
static void
control_refuse_cheaply(struct daemon *d, uint32_t id, const struct budget *b)
{
	char hint[64];

	snprintf(hint, sizeof(hint), "try again in %" PRId64 " s",
	    (b->owed - REQUESTS_MS) / 1000 + 1);
	send_reply(d, id, REPLY_BUSY,
	    refusal("requests have taken half of the time", hint));
}

static int
control_on_message(struct proc *p, struct imsg *m, void *arg)
{
	static struct budget budget;
	struct msg_request r;
	int64_t began;
	int ok;

	if (p->state != PROC_RUNNING || m->hdr.type != MSG_REQUEST ||
	    msg_read_request(m, &r) == -1)
		return -1;
	began = clock_ms();
	budget_pass(&budget, began);
	if (budget_is_spent(&budget, &r)) {
		control_refuse_cheaply(arg, m->hdr.id, &budget);
		return 0;
	}
	ok = handle_request(arg, m->hdr.id, &r);
	budget_spend(&budget, clock_ms() - began);
	return ok;
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

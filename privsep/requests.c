#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/log_limit.h"
#include "common/why.h"
#include "privsep/budget.h"
#include "privsep/daemon.h"
#include "privsep/events.h"
#include "privsep/iface.h"
#include "privsep/lifecycle.h"
#include "privsep/link.h"
#include "privsep/mtu.h"
#include "privsep/proc.h"
#include "privsep/publish.h"
#include "privsep/reload.h"
#include "privsep/requests.h"
#include "privsep/workers.h"

#define REPLY_TEXT_MAX (IMSG_DATA_MAX - sizeof(struct msg_reply) - 1)

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
answer(struct daemon *d, uint32_t id, enum reply_status status, json_t *result)
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
refuse(struct daemon *d, uint32_t id, enum reply_status status,
    const char *message, const char *hint)
{
	answer(d, id, status, refusal(message, hint));
}

static void
request_reload(struct daemon *d, uint32_t id, const struct msg_request *r)
{
	json_t *result;
	int ok = reload(d, r->value == 1, &result);

	answer(d, id, ok == 0 ? REPLY_OK : REPLY_REFUSED, result);
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

/* NULL after an answer. */
static struct iface *
find_interface(struct daemon *d, uint32_t id, const struct msg_request *r)
{
	struct iface *ifc = iface_find(d, r->interface);

	if (ifc == NULL)
		refuse(d, id, REPLY_INVALID, "no such interface",
		    "see \"interfaces\"");
	return ifc;
}

static void
request_set_mtu(struct daemon *d, uint32_t id, const struct msg_request *r)
{
	struct iface *ifc = find_interface(d, id, r);
	uint32_t before;
	char value[16];
	struct why why;

	if (ifc == NULL)
		return;
	before = mtu_of_link(ifc);
	if (mtu_set_by_request(ifc, r->value, &why) == -1) {
		refuse(d, id, REPLY_REFUSED, why.text, NULL);
		return;
	}
	snprintf(value, sizeof(value), "%" PRIu32, r->value);
	if (before != r->value)
		tell_set(d, ifc, "mtu", value);
	answer(d, id, REPLY_OK,
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
	refuse(d, id, REPLY_REFUSED, why.text, NULL);
}

static void
refuse_offload(
    struct daemon *d, uint32_t id, const struct iface *ifc, enum offload o)
{
	bool header = ifc->tun.vnet_hdr || !(OFFLOADS_TUN & OFFLOAD_BIT(o));
	struct why why;

	offloads_explain(&ifc->offloads, o, iface_name(ifc), &why);
	refuse(d, id, REPLY_REFUSED, why.text,
	    header ? NULL : "set \"vnet-header on\" and reload");
}

static void
request_set_offload(struct daemon *d, uint32_t id, const struct msg_request *r)
{
	struct iface *ifc = find_interface(d, id, r);
	uint32_t bit = OFFLOAD_BIT(r->what), wanted, used;

	if (ifc == NULL)
		return;
	if (iface_is_deleted(ifc)) {
		refuse_deleted(d, id, ifc);
		return;
	}
	if (r->value == 1 && !(ifc->offloads.granted & bit)) {
		refuse_offload(d, id, ifc, r->what);
		return;
	}
	wanted = ifc->offloads.wanted;
	used = offloads_used(&ifc->offloads);
	lifecycle_set_offloads(
	    ifc, r->value == 1 ? wanted | bit : wanted & ~bit, bit);
	if (r->value == 1 && !(offloads_used(&ifc->offloads) & bit)) {
		offloads_want(&ifc->offloads, wanted, 0);
		refuse_offload(d, id, ifc, r->what);
		return;
	}
	if (ifc->offloads.wanted != wanted ||
	    offloads_used(&ifc->offloads) != used)
		tell_set(d, ifc, offload_name(r->what),
		    r->value == 1 ? "on" : "off");
	/* with a new table the workers forget refusals that were one peer's */
	if (r->what == OFFLOAD_UDP_GSO && r->value == 1)
		workers_send_peers(ifc);
	answer(d, id, REPLY_OK,
	    json_pack("{s:s, s:s, s:b}", "interface", iface_name(ifc),
		"offload", offload_name(r->what), "enabled", r->value == 1));
}

static void
send_log_level(struct daemon *d)
{
	struct msg_log_level l = {.level = d->log_level[PROCESS_CONTROL]};

	proc_send(d->control, MSG_CONTROL_LOG_LEVEL, 0, &l, sizeof(l), -1);
}

static void
request_log_level(struct daemon *d, uint32_t id, const struct msg_request *r)
{
	uint32_t before = d->log_level[r->what];
	struct iface *ifc;
	char setting[32];

	snprintf(setting, sizeof(setting), "log %s", process_name(r->what));
	/* the line that says why there are no more is one of them */
	if (r->value < before)
		tell_set(d, NULL, setting, log_level_name(r->value));
	d->log_level[r->what] = r->value;
	if (r->what == PROCESS_PARENT)
		log_set_level(r->value);
	else if (r->what == PROCESS_CONTROL)
		send_log_level(d);
	else
		TAILQ_FOREACH (ifc, &d->ifaces, entry)
			workers_send_log_level(ifc);
	if (r->value > before)
		tell_set(d, NULL, setting, log_level_name(r->value));
	answer(d, id, REPLY_OK,
	    json_pack("{s:s, s:s}", "process", process_name(r->what), "level",
		log_level_name(r->value)));
}

static const struct {
	enum request_kind kind;
	void (*handle)(
	    struct daemon *, uint32_t id, const struct msg_request *);
} requests[] = {
    {REQUEST_RELOAD, request_reload},
    {REQUEST_SET_MTU, request_set_mtu},
    {REQUEST_SET_OFFLOAD, request_set_offload},
    {REQUEST_LOG_LEVEL, request_log_level},
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

/* To refuse must cost nothing of what it is for. */
static void
refuse_cheaply(struct daemon *d, uint32_t id, const struct budget *b)
{
	char hint[64];

	snprintf(
	    hint, sizeof(hint), "try again in %" PRId64 " s", budget_wait(b));
	send_reply(d, id, REPLY_BUSY,
	    refusal("requests have taken half of tund's time", hint));
}

int
requests_answer(struct daemon *d, uint32_t id, const struct msg_request *r)
{
	static struct budget budget;
	int64_t began = clock_ms();
	int ok;

	budget_pass(&budget, began);
	if (budget_is_spent(&budget, r)) {
		refuse_cheaply(d, id, &budget);
		return 0;
	}
	ok = handle_request(d, id, r);
	budget_spend(&budget, clock_ms() - began);
	return ok;
}

#include <jansson.h>
#include <stdlib.h>

#include "common/log.h"
#include "common/log_limit.h"
#include "privsep/daemon.h"
#include "privsep/events.h"
#include "privsep/iface.h"
#include "privsep/ifconf.h"
#include "privsep/link_events.h"
#include "privsep/state.h"

/* What an event tells: the new values. */
static json_t *
fields_up(const struct link_state *now, const struct link_state *before)
{
	(void)before;
	return json_pack("{s:b, s:b}", "up", now->up, "running", now->running);
}

static json_t *
fields_mtu(const struct link_state *now, const struct link_state *before)
{
	(void)before;
	return json_pack("{s:i}", "mtu_bytes", (int)now->mtu);
}

static json_t *
fields_rename(const struct link_state *now, const struct link_state *before)
{
	return json_pack(
	    "{s:s, s:s}", "name", now->name, "old_name", before->name);
}

/* The addresses of one state that the other has not. */
static json_t *
addresses_beyond(const struct link_state *a, const struct link_state *other)
{
	struct prefix beyond[LIMIT_ADDRESSES];
	size_t i, n = 0;

	for (i = 0; i < a->address_count; i++)
		if (!prefix_is_among(&a->addresses[i], other->addresses,
			other->address_count))
			beyond[n++] = a->addresses[i];
	return state_prefixes(beyond, n);
}

static json_t *
fields_address(const struct link_state *now, const struct link_state *before)
{
	return json_pack("{s:o, s:o, s:o}", "addresses",
	    state_prefixes(now->addresses, now->address_count), "added",
	    addresses_beyond(now, before), "removed",
	    addresses_beyond(before, now));
}

static json_t *
fields_netns(const struct link_state *now, const struct link_state *before)
{
	(void)before;
	return json_pack("{s:o}", "netns",
	    now->nsid < 0 ? json_null() : json_integer(now->nsid));
}

static json_t *
fields_none(const struct link_state *now, const struct link_state *before)
{
	(void)now;
	(void)before;
	return json_object();
}

/* Without a name: no event. */
static const struct link_event {
	const char *name;
	json_t *(*fields)(
	    const struct link_state *now, const struct link_state *before);
} link_events[LINK_CHANGE_COUNT] = {
    [LINK_UP] = {"link.up", fields_up},
    [LINK_DOWN] = {"link.down", fields_up},
    [LINK_MTU] = {"link.mtu", fields_mtu},
    [LINK_RENAME] = {"link.rename", fields_rename},
    [LINK_ADDRESS] = {"link.address", fields_address},
    [LINK_NETNS] = {"link.netns", fields_netns},
    [LINK_DELETED] = {"link.deleted", fields_none},
};

/* Where we may not listen it can be up again before its return is told. */
static void
on_netns(struct iface *ifc, const struct link_state *now)
{
	iface_set_place(ifc, now);
	if (ifc->ifindex == 0)
		return;
	ifconf_return(ifc);
	if (now->up)
		ifconf_restore(ifc);
}

static bool
has_ipv6(const struct link_state *s)
{
	uint32_t i;

	for (i = 0; i < s->address_count; i++)
		if (s->addresses[i].addr.family == 6)
			return true;
	return false;
}

/*
 * It goes with an MTU below 1280 and by disable_ipv6; where it comes back the
 * kernel gives it a link-local address and nothing else.
 */
static bool
ipv6_is_back(enum link_change change, const struct link_state *now,
    const struct link_state *before)
{
	return change == LINK_ADDRESS && has_ipv6(now) && !has_ipv6(before);
}

/*
 * With the values that the event has.  In another network namespace anybody
 * may decide how often something changes.
 */
static void
log_change(const char *change, const char *name, const json_t *values)
{
	static struct log_limit lines;
	char *text;

	if (!log_limit_pass(&lines, "link events"))
		return;
	text = json_dumps(values, JSON_COMPACT);
	log_info("%s: %s%s%s", name, change, text == NULL ? "" : " ",
	    text == NULL ? "" : text);
	free(text);
}

void
link_events_on_change(const struct link_state *link, enum link_change change,
    const struct link_state *now, const struct link_state *before, void *arg)
{
	const struct link_event *event = &link_events[change];
	struct daemon *d = arg;
	struct iface *ifc;
	json_t *values;

	TAILQ_FOREACH (ifc, &d->ifaces, entry)
		if (ifc->link == link)
			break;
	if (ifc == NULL)
		return;
	if (change == LINK_RUNNING) {
		daemon_changed(d);
		return;
	}
	if (change == LINK_LOOKED) {
		if (now->up)
			ifconf_restore(ifc);
		return;
	}
	values = event->fields(now, before);
	log_change(event->name, now->name, values);
	events_publish(d, event->name, now->name, values);
	if (change == LINK_NETNS)
		on_netns(ifc, now);
	if (change == LINK_UP || ipv6_is_back(change, now, before))
		ifconf_restore(ifc);
	if (change == LINK_DELETED)
		iface_set_gone(ifc);
}

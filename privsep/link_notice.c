#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "privsep/link_notice.h"

void
link_notice_add(struct link_notices *list, uint64_t serial,
    enum link_change change, const struct link_state *now,
    const struct link_state *before)
{
	struct link_notice *n;

	n = calloc(1, sizeof(*n));
	if (n == NULL) {
		log_warn("a change of %s is not told", now->name);
		return;
	}
	n->serial = serial;
	n->change = change;
	n->now = *now;
	n->before = *before;
	TAILQ_INSERT_TAIL(list, n, entry);
}

static bool
addresses_differ(const struct link_state *a, const struct link_state *b)
{
	return a->address_count != b->address_count ||
	       memcmp(a->addresses, b->addresses,
		   a->address_count * sizeof(a->addresses[0])) != 0;
}

void
link_notice_differences(struct link_notices *list, uint64_t serial,
    const struct link_state *now, const struct link_state *was)
{
	if (strcmp(now->name, was->name) != 0)
		link_notice_add(list, serial, LINK_RENAME, now, was);
	if (now->nsid != was->nsid || now->ifindex != was->ifindex)
		link_notice_add(list, serial, LINK_NETNS, now, was);
	if (now->mtu != was->mtu)
		link_notice_add(list, serial, LINK_MTU, now, was);
	if (addresses_differ(now, was))
		link_notice_add(list, serial, LINK_ADDRESS, now, was);
	if (now->up && !was->up)
		link_notice_add(list, serial, LINK_UP, now, was);
	if (!now->up && was->up)
		link_notice_add(list, serial, LINK_DOWN, now, was);
	if (now->up == was->up && now->running != was->running)
		link_notice_add(list, serial, LINK_RUNNING, now, was);
	if (now->deleted && !was->deleted)
		link_notice_add(list, serial, LINK_DELETED, now, was);
}

struct link_notice *
link_notice_take(struct link_notices *list)
{
	struct link_notice *n = TAILQ_FIRST(list);

	if (n != NULL)
		TAILQ_REMOVE(list, n, entry);
	return n;
}

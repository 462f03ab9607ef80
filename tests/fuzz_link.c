#include <event2/event.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "privsep/link.h"

#define LO 1 /* the loopback's ifindex in every namespace */

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
on_change(const struct link_state *link, enum link_change change,
    const struct link_state *now, const struct link_state *before, void *arg)
{
	(void)link;
	(void)arg;
	/* No event without a change. */
	if (change == LINK_MTU && now->mtu == before->mtu)
		abort();
	if (now->address_count > LIMIT_ADDRESSES)
		abort();
}

/* The first byte is the namespace, the rest a datagram of rtnetlink(7). */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct link_monitor *monitor;
	static struct event_base *base;
	const struct link_state *link;

	if (monitor == NULL) {
		base = event_base_new();
		monitor = link_monitor_open(base, on_change, NULL);
		if (monitor == NULL)
			abort();
	}
	if (len == 0)
		return 0;
	if ((link = link_watch(monitor, LO, -1)) == NULL)
		abort();
	link_monitor_feed(monitor, data + 1, len - 1, (int8_t)data[0]);
	link_unwatch(monitor, link);
	return 0;
}

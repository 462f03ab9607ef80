#include <time.h>

#include "ipc/counters.h"
#include "privsep/heard.h"
#include "privsep/iface.h"

/*
 * When a peer was last heard.  A worker has no clock, and would have to ask one
 * for each batch; the parent sees in the counters that there was something.
 */
static void
look(struct counters *page, size_t slots, uint64_t now)
{
	struct peer_heard *h;
	uint64_t packets;
	size_t i;

	for (i = 0; i < slots; i++) {
		h = &page->heard[i];
		packets = counter_read(&page->peers[i].rx_packets);
		if (packets == h->rx_packets)
			continue;
		h->rx_packets = packets;
		counter_set(&h->time, now);
	}
}

/* A page that a worker has spoilt is nothing to look at until the next one. */
void
heard_look(const struct iface *ifc)
{
	uint64_t now = (uint64_t)time(NULL);
	struct counters *page;
	size_t q;

	for (q = 0; q < ifc->queue_count; q++) {
		page = counters_map(ifc->queue[q].counters_fd);
		if (page == NULL)
			continue;
		look(page, ifc->slot_count, now);
		counters_unmap(page);
	}
}

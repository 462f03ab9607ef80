#ifndef WORKER_WORKER_H
#define WORKER_WORKER_H

#include <stdbool.h>
#include <stdint.h>

#include "ipc/counters.h"
#include "ipc/msg.h"
#include "worker/peer.h"

struct egress;
struct ingress;

/*
 * What the two pipelines share.  One process, one thread, one tun queue.
 */
struct worker {
	int tun;
	bool vnet_hdr;	   /* frames carry a virtio_net_hdr */
	bool tun_ready;	   /* there may be more to read */
	uint32_t offloads; /* OFFLOAD_BIT()s that may be used */
	uint64_t packets;  /* both ways, ever, dropped ones too */
	struct counters *counters;
	struct peers peers;
	struct egress *egress;
	struct ingress *ingress;
};

static inline void
worker_count(struct worker *w, enum counter c, uint64_t n)
{
	counter_add(&w->counters->c[c], n);
}

static inline bool
worker_may(const struct worker *w, enum offload o)
{
	return (w->offloads & OFFLOAD_BIT(o)) != 0;
}

#endif

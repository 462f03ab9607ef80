#ifndef PRIVSEP_SLOT_H
#define PRIVSEP_SLOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/addr.h"
#include "ipc/limits.h"
#include "privsep/udp.h"

struct conf_peer;
struct iface;

enum slot_state {
	SLOT_FREE,
	SLOT_USED,
	SLOT_RETIRING /* until every worker has let go of the old peer */
};

/* Where one peer may be: a socket for each queue. */
struct slot {
	enum slot_state state;
	unsigned int family;
	int fd[LIMIT_QUEUES];
	size_t bound;	/* queues whose socket has the port, for good */
	bool aimed;	/* else its endpoint has no route yet: tried again */
	uint32_t scope; /* aimed: that of the peer's endpoint then */
	int aim_error;	/* not aimed: the errno of the last try */
	bool told;	/* that it could not be aimed at first */
	struct endpoint local; /* aimed: from where, in the first queue */
	const struct conf_peer *peer; /* SLOT_USED: whose it is */
	struct udp_buffers got;
	uint32_t refused; /* generation in which a worker told of a refusal */
};

/* Why one is not aimed: as the kernel said, or what it meant. */
#define SLOT_REASON_STRLEN 128
const char *slot_reason(
    const struct iface *, const struct slot *, char buf[SLOT_REASON_STRLEN]);

#endif

#ifndef CONTROL_PARENT_H
#define CONTROL_PARENT_H

#include <stddef.h>
#include <stdint.h>

#include "ipc/channel.h"
#include "ipc/msg.h"

/* The channel to the parent, which is PARENT_FD. */

struct event_base;

/* Ends the process unless that descriptor is such a channel. */
void parent_check(void);
/*
 * Waits for everything that comes before MSG_CONTROL_START.  Log lines go
 * to the parent from here on.
 */
struct parent_start {
	struct msg_control_config config;
	int listen[2]; /* 0: read-only, 1: admin */
};
void parent_receive_start(struct parent_start *);

/* From now on the loop hands on what comes, and messages are sent. */
void parent_serve(struct event_base *, channel_on_message *);
void parent_send(uint32_t type, uint32_t id, const void *, size_t len);

#endif

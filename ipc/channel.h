#ifndef IPC_CHANNEL_H
#define IPC_CHANNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ipc/imsg.h"

struct event_base;
struct channel;

/*
 * A message channel on an event loop, with a bounded queue for what the
 * other side has not yet taken.  Used by the parent and by tund-control; the
 * worker, which may not allocate, uses ipc/imsg.h alone.
 */

/*
 * Called for each message.  A handler that takes m->fd sets it to -1; else it
 * is closed.
 */
typedef void channel_on_message(struct imsg *m, void *arg);
/*
 * Called once, when the channel is dead.  why is constant, and goes on after
 * "it": "left its channel".
 */
typedef void channel_on_close(const char *why, void *arg);

/* imsg_recv, or imsg_read for who takes no descriptor from the other side. */
typedef int channel_receive(int sock, struct imsg *);

/* Takes sock (made non-blocking).  NULL: sock stays the caller's. */
struct channel *channel_new(struct event_base *, int sock, channel_receive *,
    channel_on_message *, channel_on_close *, void *arg);
/*
 * Tells the messages that are there already, dead or not: what the other side
 * sent before it ended.  The callback must not free the channel.
 */
void channel_drain(struct channel *);
/* May be called from within the callbacks.  Closes the socket. */
void channel_free(struct channel *);

/*
 * Queues and sends.  fd: -1, or duplicated when it must wait, so it stays
 * the caller's.  -1 if the queue is full, memory short or the channel dead:
 * the close callback follows from the loop.
 */
int channel_send(struct channel *, uint32_t type, uint32_t id, const void *data,
    size_t len, int fd);
/* What the other side has not taken yet: bytes; is a descriptor among it? */
size_t channel_unsent(const struct channel *);
bool channel_has_unsent_fds(const struct channel *);

#endif

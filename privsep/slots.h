#ifndef PRIVSEP_SLOTS_H
#define PRIVSEP_SLOTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct conf_interface;
struct iface;
struct queue;
struct why;

/*
 * The pool of sockets of an interface: a few more than max-peers of each
 * family that it listens on, passed to the workers at their start, aimed as
 * peers come and retired as they go.
 */

/* -1 after why; slots_close in either case. */
int slots_open(struct iface *, struct why *why);
/* Are the bind-devices there?  -1 after why. */
int slots_check(const struct conf_interface *, struct why *why);
void slots_close(struct iface *);
/*
 * A change of peers has two steps.  Prepare takes and aims free slots for the
 * peers of the configuration that no slot serves as it is; -1 after why.
 * Commit hands the other slots over to their peers in it and retires the
 * rest; abandon gives back what prepare took.
 */
int slots_prepare(struct iface *, struct conf_interface *, struct why *why);
void slots_commit(struct iface *, const struct conf_interface *);
void slots_abandon(struct iface *, const struct conf_interface *);
/* Once it is certain: tells of each peer that could not be aimed, once. */
void slots_tell(struct iface *);
/*
 * Aims what could not be aimed before; look: also where the local address or
 * the bind-device is gone, to see which is six system calls for each peer.
 */
void slots_aim(struct iface *, bool look);
/* UDP_GRO on all of them, or off: 0, or the errno of the first refusal. */
int slots_set_gro(struct iface *, bool on);
/*
 * A worker told of a refusal for the peer of a slot; false: it is nobody's, or
 * that was told since the newest table.
 */
bool slots_refuse(struct iface *, size_t slot);
/* Is there one that slots_aim would try? */
bool slots_unaimed(const struct iface *);
/*
 * The worker of a queue has this table of peers.  When all have the newest,
 * retired slots may serve again.
 */
void slots_peers_done(struct iface *, struct queue *, uint32_t generation);

#endif

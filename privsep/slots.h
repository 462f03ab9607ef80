#ifndef PRIVSEP_SLOTS_H
#define PRIVSEP_SLOTS_H

#include <stddef.h>
#include <stdint.h>

struct conf_interface;
struct iface;
struct queue;

/*
 * The pool of sockets of an interface: max-peers of each family that it
 * listens on, passed to the workers at their start, aimed as peers come and
 * retired as they go.
 */
int slots_open(struct iface *, char *why, size_t whylen);
void slots_close(struct iface *);
/*
 * Makes the slots serve the peers of this configuration: keeps those whose
 * socket is as before, retires the others, takes free ones for the rest.
 * -1 after why; slots then still serve as far as they got, and a call with
 * the old configuration brings it back.
 */
int slots_assign(
    struct iface *, struct conf_interface *, char *why, size_t whylen);
/* Aims what could not be aimed before: how many still cannot. */
size_t slots_aim(struct iface *, const struct conf_interface *);
/*
 * The worker of a queue has this table of peers.  When all have the newest,
 * retired slots may serve again.
 */
void slots_peers_done(struct iface *, struct queue *, uint32_t generation);

#endif

#ifndef PRIVSEP_LIFECYCLE_H
#define PRIVSEP_LIFECYCLE_H

#include <stdbool.h>
#include <stddef.h>

struct conf_interface;
struct daemon;
struct iface;
struct why;

/* How an interface comes, changes and goes. */

/*
 * Would lifecycle_open fail for certain, also once the old interface of that
 * name (or NULL) is closed?  -1 after writing to why.
 */
int lifecycle_check(
    const struct iface *old, const struct conf_interface *, struct why *why);
/*
 * Opens the device, configures the link, makes and aims the sockets.  Does not
 * start workers.  NULL after writing to why.
 */
struct iface *lifecycle_open(
    struct daemon *, struct conf_interface *, struct why *why);
/* The event loop runs: watch the link, start the workers. */
int lifecycle_start(struct iface *);
/*
 * Where that could not watch it: once more.  What the link missed meanwhile is
 * set again.  -1 with errno.
 */
int lifecycle_watch(struct iface *);
/* Ends the workers (stop), then removes what was made and frees (close). */
void lifecycle_stop(struct iface *);
void lifecycle_close(struct iface *);
/*
 * One that could not be opened, for that reason, and is to be tried again
 * (retry.c): it has nothing but its configuration.  NULL: no memory.
 */
struct iface *lifecycle_away(
    struct daemon *, struct conf_interface *, const struct why *);

/*
 * Makes those offloads hold (OFFLOAD_BIT()s): in the device, the sockets and
 * the workers.  again: what the kernel refused before of these is tried again.
 * What it refuses is told, and not used then.
 */
void lifecycle_set_offloads(struct iface *, uint32_t wanted, uint32_t again);
/* Sets on the device what another user of the descriptor may have set. */
void lifecycle_reassert(struct iface *);

/*
 * Replaces the configuration by one of the same name that is not CONF_ANEW
 * (conf_interface_compare).  All that may fail is in lifecycle_prepare, beside
 * what is there; it returns -1 after writing to why, when nothing is left of
 * it.  Then one of the two others follows, which is always done: only from
 * lifecycle_commit on is the new configuration referred to.  Its -1 says that
 * a part is not done, and why.
 */
int lifecycle_prepare(struct iface *, struct conf_interface *, struct why *why);
int lifecycle_commit(struct iface *, struct conf_interface *, struct why *why);
void lifecycle_abandon(struct iface *, struct conf_interface *);

#endif

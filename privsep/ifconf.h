#ifndef PRIVSEP_IFCONF_H
#define PRIVSEP_IFCONF_H

#include <stddef.h>
#include <stdint.h>

struct conf_interface;
struct iface;
struct why;

/*
 * What an interface is given through rtnetlink: MTU, addresses, routes, queue
 * length, and up.  Nothing of it is done for one that is unmonitored.  All
 * write one line to why when they return -1.
 */
int ifconf_apply(struct iface *, struct why *why);
/*
 * From the configuration in force to c in two steps: what c adds comes beside
 * what is there (prepare, and nothing is left of it when it fails); then either
 * what c no longer has goes (commit, whose -1 says that the kernel refused
 * something, and why the last of it), or what it added (abandon).
 */
int ifconf_prepare(
    struct iface *, const struct conf_interface *c, struct why *why);
int ifconf_commit(
    struct iface *, const struct conf_interface *c, struct why *why);
void ifconf_abandon(struct iface *);
/*
 * After the link came home from another network namespace: what a reload may
 * have changed meanwhile, and what the move took away, which sets it down, too.
 * Addresses and routes wait until it is up.
 */
void ifconf_return(struct iface *);
/*
 * After the link came up again: setting it down took the IPv6 addresses and
 * the routes away.
 */
void ifconf_restore(struct iface *);
/*
 * Warns of each peer whose endpoint is routed into the interface: its packets
 * would come out there again, without end.
 */
void ifconf_warn_loops(struct iface *);
/* That a reload to c sets in place of another, bytes; 0: it stays. */
uint32_t ifconf_mtu_change(struct iface *, const struct conf_interface *c);
/* Of the link as it is, bytes; 0: not known. */
uint32_t ifconf_mtu(const struct iface *);
/* For an administrator: the MTU until the next reload that changes it. */
int ifconf_set_mtu(struct iface *, uint32_t mtu, struct why *why);
/* What ifconf_apply has given it stays, or goes again, and nothing else. */
void ifconf_settle(struct iface *);
void ifconf_undo(struct iface *);
/* Queue length and segments, as c has them; nothing where it is not here. */
void ifconf_set_lengths(struct iface *, const struct conf_interface *c);
/* Removes what c has and kept has not (kept NULL: all). */
void ifconf_remove(struct iface *, const struct conf_interface *c,
    const struct conf_interface *kept);

#endif

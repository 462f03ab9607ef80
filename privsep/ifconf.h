#ifndef PRIVSEP_IFCONF_H
#define PRIVSEP_IFCONF_H

struct conf_interface;
struct iface;
struct why;

/*
 * What an interface is given through rtnetlink: MTU (mtu.c), addresses and
 * routes (ifaddr.c), queue length, and up.  Nothing of it is done for one that
 * is unmonitored.  All write one line to why when they return -1.
 */
int ifconf_apply(struct iface *, struct why *why);
/*
 * From the configuration in force to c in two steps: what c adds comes beside
 * what is there (prepare, and nothing is left of it when it fails); then either
 * what c no longer has goes (commit, whose -1 says that the kernel refused
 * something, or that it is not here, and why the last of it), or what it added
 * (abandon).
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
/* What ifconf_apply has given it stays, or goes again, and nothing else. */
void ifconf_settle(struct iface *);
void ifconf_undo(struct iface *);
/* Queue length and segments, as c has them; nothing where it is not here. */
void ifconf_set_lengths(struct iface *, const struct conf_interface *c);

#endif

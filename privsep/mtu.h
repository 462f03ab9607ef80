#ifndef PRIVSEP_MTU_H
#define PRIVSEP_MTU_H

#include <stdint.h>

struct conf_interface;
struct iface;
struct why;

/*
 * The MTU of an interface, in bytes: what the configuration or the routes to
 * its peers ask for, and what was set by hand since.
 */

/* As c has it, or by routes. */
uint32_t mtu_wanted(struct iface *, const struct conf_interface *c);
/* Of the link as it is; 0: not known. */
uint32_t mtu_of_link(const struct iface *);
/*
 * What c asks for in place of what was asked for before, wanted being
 * mtu_wanted; 0: nothing else, and while that is so one that was set by hand
 * stays.
 */
uint32_t mtu_to_set(
    const struct iface *, const struct conf_interface *c, uint32_t wanted);
/* That a reload to c sets in place of another; 0: it stays. */
uint32_t mtu_change(struct iface *, const struct conf_interface *c);
/* -1 after why. */
int mtu_set(struct iface *, uint32_t mtu, struct why *why);
/* The same for an administrator: until the next reload that changes it. */
int mtu_set_by_request(struct iface *, uint32_t mtu, struct why *why);

#endif

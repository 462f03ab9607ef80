#ifndef PRIVSEP_IFADDR_H
#define PRIVSEP_IFADDR_H

#include <stdbool.h>
#include <stddef.h>

struct conf_interface;
struct iface;
struct why;

/*
 * The addresses of an interface, and the routes to what its peers are allowed
 * ("routes on").  What is added is noted in the interface's undo.
 */

/* What c has and old has not (old NULL: all); -1 after why, at the first. */
int ifaddr_add_addresses(struct iface *, const struct conf_interface *c,
    const struct conf_interface *old, struct why *why);
int ifaddr_add_routes(struct iface *, const struct conf_interface *c,
    const struct conf_interface *old, struct why *why);
/*
 * All of c that there is not, also behind one that is refused.  Returns how
 * many were, and why the first of them was.
 */
size_t ifaddr_restore(
    struct iface *, const struct conf_interface *c, struct why *first);
/* Removes what c has and kept has not (kept NULL: all). */
void ifaddr_remove(struct iface *, const struct conf_interface *c,
    const struct conf_interface *kept);
/* Has c an address that kept has not? */
bool ifaddr_loses(
    const struct conf_interface *c, const struct conf_interface *kept);
/* Is an address or a route in one of them alone? */
bool ifaddr_differ(
    const struct conf_interface *, const struct conf_interface *);

#endif

#ifndef PRIVSEP_LINK_MSG_H
#define PRIVSEP_LINK_MSG_H

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#include "privsep/link.h"

/*
 * Reads the messages of rtnetlink(7) about links and addresses.  The header
 * of a message must be sound (nlsock.h); nothing else is taken for granted.
 */
struct nlmsghdr;

/* What a link message says of the state. */
struct link_message {
	uint32_t ifindex;
	uint32_t flags;
	char name[IFNAMSIZ]; /* "": not told */
	uint32_t mtu;	     /* 0: not told */
	bool moved;	     /* to another namespace, by that one's numbers: */
	int32_t new_nsid;
	uint32_t new_ifindex;
};

/* RTM_NEWLINK, RTM_DELLINK: 0, or -1 if it is no such message. */
int link_parse(const struct nlmsghdr *, struct link_message *);
void link_apply(const struct link_message *, struct link_state *);
/*
 * The kernel takes any bytes for a name, and in another namespace others may
 * choose them: what is not printable becomes '?' before it is told or logged.
 */
void link_name_clean(char name[IFNAMSIZ]);

/* RTM_NEWADDR, RTM_DELADDR; our own address, not the peer's. */
int link_parse_address(
    const struct nlmsghdr *, uint32_t *ifindex, struct prefix *);
/* The set stays sorted; what is there, or is not, is no error. */
void link_add_address(struct link_state *, const struct prefix *);
/* Was it there? */
bool link_del_address(struct link_state *, const struct prefix *);

#endif

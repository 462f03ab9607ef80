#ifndef PRIVSEP_NLSOCK_H
#define PRIVSEP_NLSOCK_H

#include <linux/netlink.h>

#include <stddef.h>
#include <stdint.h>

/*
 * A NETLINK_ROUTE socket: requests answered before they return, and what the
 * kernel tells by itself.  Every byte that comes from netlink comes in here:
 * the sender is the kernel, lengths hold, answers are ours.  rtnetlink(7)
 */
struct nlattr;
struct nlsock;

#define NLSOCK_HOME (-1) /* nsid of the socket's own namespace */

/*
 * One message.  nsid: where it comes from.  Header and length are sound;
 * the payload is not checked.
 */
typedef void nlsock_on_message(const struct nlmsghdr *, int nsid, void *arg);

/*
 * groups: RTMGRP bits to listen to, also in other namespaces where the
 * kernel lets us; their messages go to told.  NULL with errno.
 */
struct nlsock *nlsock_open(uint32_t groups, nlsock_on_message *told, void *);
void nlsock_close(struct nlsock *);
int nlsock_fd(const struct nlsock *); /* non-blocking, close-on-exec */

struct nlsock_request {
	union {
		struct nlmsghdr header;
		uint8_t bytes[512];
	};
};
/* An empty request; NLM_F_REQUEST, and NLM_F_ACK where fit, are added. */
void nlsock_request(struct nlsock_request *, uint16_t type, uint16_t flags);

/*
 * Sends a request and reads until it is answered.  What answers goes to
 * reply (may be NULL), what else comes in before it to told.  0, or -1 with
 * errno as the kernel gave it; ENOBUFS: messages were lost, EINTR: a dump
 * that changed while it ran.
 */
int nlsock_call(
    struct nlsock *, struct nlsock_request *, nlsock_on_message *reply, void *);

/*
 * Reads one datagram.  1, or 0 when there is none, or -1 with errno;
 * ENOBUFS: messages were lost.
 */
int nlsock_read(struct nlsock *);
/* Throws away what waits to be read, but ends where more comes without end. */
void nlsock_discard(struct nlsock *);
/* For tests alone, by link_monitor_feed: as if these bytes had been read. */
void nlsock_feed(struct nlsock *, const void *, size_t len, int nsid);

/*
 * The first attribute of a type behind a family header of that size, with
 * a payload of len bytes at least; NULL if there is none.
 */
const struct nlattr *nlsock_attr(
    const struct nlmsghdr *, size_t header, uint16_t type, size_t len);
const struct nlattr *nlsock_attr_nested(
    const struct nlattr *, uint16_t type, size_t len);
/* Of IFLA_INFO_DATA in a link's message; NULL also if it is no tun device. */
const struct nlattr *nlsock_attr_tun(
    const struct nlmsghdr *, uint16_t type, size_t len);

#endif

#include <sys/socket.h>

#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>

#include <errno.h>
#include <libmnl/libmnl.h>
#include <poll.h>
#include <string.h>

#include "privsep/link_look.h"
#include "privsep/link_msg.h"
#include "privsep/netns.h"
#include "privsep/nlsock.h"
#include "privsep/tun.h"

#define LOOK_TRIES 4

static void
on_link_answer(const struct nlmsghdr *h, int nsid, void *arg)
{
	struct link_look *l = arg;
	struct link_message msg;

	(void)nsid;
	if (h->nlmsg_type == RTM_NEWLINK && link_parse(h, &msg) == 0)
		link_apply(&msg, l->found);
}

/* A kernel without strict checking tells the addresses of all links. */
static void
on_address_answer(const struct nlmsghdr *h, int nsid, void *arg)
{
	struct link_look *l = arg;
	uint32_t ifindex;
	struct prefix p;

	(void)nsid;
	if (h->nlmsg_type == RTM_NEWADDR &&
	    link_parse_address(h, &ifindex, &p) == 0 &&
	    ifindex == l->found->ifindex)
		link_add_address(l->found, &p);
}

/* By name where the tun gave us today's, for the ifindex may be another. */
static int
ask_link(struct link_look *l, bool by_name)
{
	struct nlsock_request rq;
	struct ifinfomsg *info;

	nlsock_request(&rq, RTM_GETLINK, 0);
	info = mnl_nlmsg_put_extra_header(&rq.header, sizeof(*info));
	if (by_name)
		mnl_attr_put_strz(&rq.header, IFLA_IFNAME, l->found->name);
	else
		info->ifi_index = (int)l->found->ifindex;
	if (l->found->nsid >= 0)
		mnl_attr_put_u32(
		    &rq.header, IFLA_TARGET_NETNSID, (uint32_t)l->found->nsid);
	return nlsock_call(l->told, &rq, on_link_answer, l);
}

static int
ask_addresses(struct link_look *l, uint8_t family)
{
	struct nlsock_request rq;
	struct ifaddrmsg *ifa;

	nlsock_request(&rq, RTM_GETADDR, NLM_F_DUMP);
	ifa = mnl_nlmsg_put_extra_header(&rq.header, sizeof(*ifa));
	ifa->ifa_family = family;
	ifa->ifa_index = l->found->ifindex;
	if (l->found->nsid >= 0)
		mnl_attr_put_u32(
		    &rq.header, IFA_TARGET_NETNSID, (uint32_t)l->found->nsid);
	return nlsock_call(l->told, &rq, on_address_answer, l);
}

/* Name and namespace as the descriptor tells them. */
static enum link_found
locate(struct link_look *l, int tun_fd)
{
	int32_t nsid;

	if (tun_fd != -1) {
		if (tun_name(tun_fd, l->found->name) == -1)
			return errno == EBADFD ? LINK_FOUND_GONE
					       : LINK_FOUND_UNSURE;
		/* Where we may not know, what was told last holds. */
		if (netns_need_id_of_tun(l->asked, l->home, tun_fd, &nsid) == 0)
			l->found->nsid = nsid;
	}
	return l->found->nsid == LINK_NSID_UNKNOWN ? LINK_FOUND_UNSURE
						   : LINK_FOUND;
}

/* The kernel lets us poll for POLLOUT exactly while the link is up. */
static enum link_found
poll_tun(int tun_fd, struct link_state *found)
{
	struct pollfd p = {.fd = tun_fd, .events = POLLOUT};

	if (tun_fd == -1 || poll(&p, 1, 0) == -1)
		return LINK_FOUND_UNSURE;
	if (p.revents & (POLLERR | POLLNVAL))
		return LINK_FOUND_GONE;
	found->up = (p.revents & POLLOUT) != 0;
	found->running = found->up;
	return LINK_FOUND;
}

static enum link_found
ask(struct link_look *l, int tun_fd)
{
	const bool by_name = tun_fd != -1 && l->found->name[0] != '\0';

	l->found->address_count = 0;
	memset(l->found->addresses, 0, sizeof(l->found->addresses));
	if (ask_link(l, by_name) == 0 && ask_addresses(l, AF_INET) == 0 &&
	    ask_addresses(l, AF_INET6) == 0)
		return l->moved ? LINK_FOUND_AGAIN : LINK_FOUND;
	switch (errno) {
	case ENODEV:
		return tun_fd == -1 ? LINK_FOUND_GONE : LINK_FOUND_AGAIN;
	case EPERM:
	case EACCES:
	case EOPNOTSUPP:
		return LINK_FOUND_UNSURE;
	case ENOBUFS:
		l->lost = true;
		return LINK_FOUND_AGAIN;
	default:
		return LINK_FOUND_AGAIN;
	}
}

enum link_found
link_look(struct link_look *l, int tun_fd)
{
	const struct link_state was = *l->found;
	enum link_found where = LINK_FOUND_AGAIN;
	int tries;

	for (tries = 0; where == LINK_FOUND_AGAIN && tries < LOOK_TRIES;
	     tries++) {
		l->moved = false;
		errno = 0;
		where = locate(l, tun_fd);
		if (where == LINK_FOUND)
			where = ask(l, tun_fd);
	}
	/* It is alive, and not where we ask. */
	if (where == LINK_FOUND_AGAIN && errno == ENODEV) {
		if (l->found->nsid == LINK_NSID_HOME)
			l->found->nsid = LINK_NSID_UNKNOWN;
		where = LINK_FOUND_UNSURE;
	}
	if (where == LINK_FOUND_UNSURE) {
		memcpy(
		    l->found->addresses, was.addresses, sizeof(was.addresses));
		l->found->address_count = was.address_count;
		where = poll_tun(tun_fd, l->found);
	}
	return where;
}

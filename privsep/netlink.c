#include <sys/socket.h>

#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/ip.h>
#include <linux/rtnetlink.h>

#include <errno.h>
#include <libmnl/libmnl.h>
#include <net/if.h>
#include <stdbool.h>
#include <string.h>

#include "privsep/netlink.h"
#include "privsep/nlsock.h"

#define ROUTE_METRIC_IPV6 1024 /* that of a route made without one */

/* As nlsock_call without an answer to read; one kind of error is success. */
static int
call_but(struct nlsock *s, struct nlsock_request *rq, int harmless)
{
	if (nlsock_call(s, rq, NULL, NULL) == 0 || errno == harmless)
		return 0;
	return -1;
}

/* 0, 1 when it was there already, or -1. */
static int
add(struct nlsock *s, struct nlsock_request *rq)
{
	if (nlsock_call(s, rq, NULL, NULL) == 0)
		return 0;
	return errno == EEXIST ? 1 : -1;
}

static int
family_of(const struct addr *a)
{
	return a->family == 4 ? AF_INET : AF_INET6;
}

static size_t
bytes_of(const struct addr *a)
{
	return addr_bits(a) / 8;
}

static struct ifinfomsg *
link_request(struct nlsock_request *rq, uint16_t type, uint32_t ifindex)
{
	struct ifinfomsg *info;

	nlsock_request(rq, type, 0);
	info = mnl_nlmsg_put_extra_header(&rq->header, sizeof(*info));
	info->ifi_family = AF_UNSPEC;
	info->ifi_index = (int)ifindex;
	return info;
}

int
netlink_set_up(struct nlsock *s, uint32_t ifindex, bool up)
{
	struct nlsock_request rq;
	struct ifinfomsg *info;

	info = link_request(&rq, RTM_NEWLINK, ifindex);
	info->ifi_flags = up ? IFF_UP : 0;
	info->ifi_change = IFF_UP;
	return nlsock_call(s, &rq, NULL, NULL);
}

static int
set_link_u32(
    struct nlsock *s, uint32_t ifindex, uint16_t attribute, uint32_t value)
{
	struct nlsock_request rq;

	link_request(&rq, RTM_NEWLINK, ifindex);
	mnl_attr_put_u32(&rq.header, attribute, value);
	return nlsock_call(s, &rq, NULL, NULL);
}

int
netlink_set_mtu(struct nlsock *s, uint32_t ifindex, uint32_t mtu)
{
	return set_link_u32(s, ifindex, IFLA_MTU, mtu);
}

int
netlink_set_txqueuelen(struct nlsock *s, uint32_t ifindex, uint32_t len)
{
	return set_link_u32(s, ifindex, IFLA_TXQLEN, len);
}

int
netlink_set_gso_max_segs(struct nlsock *s, uint32_t ifindex, uint32_t segs)
{
	return set_link_u32(s, ifindex, IFLA_GSO_MAX_SEGS, segs);
}

int
netlink_set_promote(struct nlsock *s, uint32_t ifindex, bool on)
{
	struct nlattr *family, *inet, *conf;
	struct nlsock_request rq;

	link_request(&rq, RTM_SETLINK, ifindex);
	family = mnl_attr_nest_start(&rq.header, IFLA_AF_SPEC);
	inet = mnl_attr_nest_start(&rq.header, AF_INET);
	conf = mnl_attr_nest_start(&rq.header, IFLA_INET_CONF);
	mnl_attr_put_u32(&rq.header, IPV4_DEVCONF_PROMOTE_SECONDARIES, on);
	mnl_attr_nest_end(&rq.header, conf);
	mnl_attr_nest_end(&rq.header, inet);
	mnl_attr_nest_end(&rq.header, family);
	return nlsock_call(s, &rq, NULL, NULL);
}

static void
address_request(struct nlsock_request *rq, uint16_t type, uint16_t flags,
    uint32_t ifindex, const struct prefix *p)
{
	struct ifaddrmsg *ifa;

	nlsock_request(rq, type, flags);
	ifa = mnl_nlmsg_put_extra_header(&rq->header, sizeof(*ifa));
	ifa->ifa_family = (uint8_t)family_of(&p->addr);
	ifa->ifa_prefixlen = p->len;
	ifa->ifa_index = ifindex;
	ifa->ifa_scope = RT_SCOPE_UNIVERSE;
	/* Usable at once: nobody else is on a point-to-point link. */
	if (p->addr.family == 6)
		ifa->ifa_flags = IFA_F_NODAD;
	mnl_attr_put(&rq->header, IFA_LOCAL, bytes_of(&p->addr), p->addr.bytes);
	mnl_attr_put(
	    &rq->header, IFA_ADDRESS, bytes_of(&p->addr), p->addr.bytes);
}

int
netlink_add_address(struct nlsock *s, uint32_t ifindex, const struct prefix *p)
{
	struct nlsock_request rq;

	address_request(
	    &rq, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, ifindex, p);
	return add(s, &rq);
}

int
netlink_del_address(struct nlsock *s, uint32_t ifindex, const struct prefix *p)
{
	struct nlsock_request rq;

	address_request(&rq, RTM_DELADDR, 0, ifindex, p);
	return call_but(s, &rq, EADDRNOTAVAIL);
}

static void
route_request(struct nlsock_request *rq, uint16_t type, uint16_t flags,
    uint32_t ifindex, const struct prefix *p)
{
	struct prefix net = *p;
	struct rtmsg *rt;

	prefix_mask(&net);
	nlsock_request(rq, type, flags);
	rt = mnl_nlmsg_put_extra_header(&rq->header, sizeof(*rt));
	rt->rtm_family = (uint8_t)family_of(&net.addr);
	rt->rtm_dst_len = net.len;
	rt->rtm_table = RT_TABLE_MAIN;
	rt->rtm_protocol = RTPROT_STATIC;
	rt->rtm_scope = RT_SCOPE_LINK;
	rt->rtm_type = RTN_UNICAST;
	mnl_attr_put(&rq->header, RTA_DST, bytes_of(&net.addr), net.addr.bytes);
	mnl_attr_put_u32(&rq->header, RTA_OIF, ifindex);
}

struct route_search {
	struct prefix net;
	uint32_t ifindex;
	bool found;
};

static void
on_route(const struct nlmsghdr *h, int nsid, void *arg)
{
	static const uint8_t zero[16];
	struct route_search *search = arg;
	const struct prefix *net = &search->net;
	const struct nlattr *dst, *oif;
	const struct rtmsg *rt;
	const void *bytes = zero;

	(void)nsid;
	oif = nlsock_attr(h, sizeof(*rt), RTA_OIF, sizeof(uint32_t));
	if (h->nlmsg_type != RTM_NEWROUTE || oif == NULL)
		return;
	rt = mnl_nlmsg_get_payload(h);
	dst = nlsock_attr(h, sizeof(*rt), RTA_DST, bytes_of(&net->addr));
	if (dst != NULL)
		bytes = mnl_attr_get_payload(dst);
	if (rt->rtm_family == family_of(&net->addr) &&
	    rt->rtm_dst_len == net->len && rt->rtm_table == RT_TABLE_MAIN &&
	    mnl_attr_get_u32(oif) == search->ifindex &&
	    memcmp(bytes, net->addr.bytes, bytes_of(&net->addr)) == 0)
		search->found = true;
}

/* Among all routes by a device (NLM_F_DUMP), or the one that is taken (0). */
static bool
route_is_among(struct nlsock *s, struct route_search *search, uint16_t flags)
{
	const struct prefix *net = &search->net;
	struct nlsock_request rq;
	struct rtmsg *rt;

	nlsock_request(&rq, RTM_GETROUTE, flags);
	rt = mnl_nlmsg_put_extra_header(&rq.header, sizeof(*rt));
	rt->rtm_family = (uint8_t)family_of(&net->addr);
	if (flags == NLM_F_DUMP) {
		rt->rtm_table = RT_TABLE_MAIN;
	} else {
		rt->rtm_flags = RTM_F_FIB_MATCH;
		/* else each is told as one of main; IPv6 knows no such flag */
		if (net->addr.family == 4)
			rt->rtm_flags |= RTM_F_LOOKUP_TABLE;
		rt->rtm_dst_len = (uint8_t)addr_bits(&net->addr);
		mnl_attr_put(
		    &rq.header, RTA_DST, bytes_of(&net->addr), net->addr.bytes);
	}
	mnl_attr_put_u32(&rq.header, RTA_OIF, search->ifindex);
	return nlsock_call(s, &rq, on_route, search) == 0 && search->found;
}

/*
 * Is there such a route by this device?  Most often it is the one that its
 * first address takes: of ten thousand that are there already, each would be
 * looked for among ten thousand.
 */
static bool
route_exists(struct nlsock *s, uint32_t ifindex, const struct prefix *p)
{
	struct route_search search = {.net = *p, .ifindex = ifindex};

	prefix_mask(&search.net);
	return route_is_among(s, &search, 0) ||
	       route_is_among(s, &search, NLM_F_DUMP);
}

int
netlink_add_route(struct nlsock *s, uint32_t ifindex, const struct prefix *p)
{
	struct nlsock_request rq;

	route_request(&rq, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, ifindex, p);
	if (nlsock_call(s, &rq, NULL, NULL) == 0)
		return 0;
	if (errno != EEXIST)
		return -1;
	/* EEXIST also says that another device has the prefix. */
	if (route_exists(s, ifindex, p))
		return 1;
	errno = EEXIST;
	return -1;
}

int
netlink_append_route(struct nlsock *s, uint32_t ifindex, const struct prefix *p)
{
	struct nlsock_request rq;

	route_request(
	    &rq, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_APPEND, ifindex, p);
	return add(s, &rq);
}

int
netlink_del_route(struct nlsock *s, uint32_t ifindex, const struct prefix *p)
{
	struct nlsock_request rq;

	route_request(&rq, RTM_DELROUTE, 0, ifindex, p);
	/* without one the kernel takes the first, which may be another's */
	if (p->addr.family == 6)
		mnl_attr_put_u32(&rq.header, RTA_PRIORITY, ROUTE_METRIC_IPV6);
	return call_but(s, &rq, ESRCH);
}

static uint32_t
link_u32(const struct nlmsghdr *h, uint16_t type)
{
	const struct nlattr *a =
	    nlsock_attr(h, sizeof(struct ifinfomsg), type, sizeof(uint32_t));

	return a != NULL ? mnl_attr_get_u32(a) : 0;
}

/* net.ipv4.conf.*: all of them, as they are counted from 1. */
static bool
has_promote(const struct nlmsghdr *h)
{
	const size_t at = IPV4_DEVCONF_PROMOTE_SECONDARIES - 1;
	const struct nlattr *a;
	uint32_t value;

	a = nlsock_attr(h, sizeof(struct ifinfomsg), IFLA_AF_SPEC, 0);
	if (a != NULL)
		a = nlsock_attr_nested(a, AF_INET, 0);
	if (a != NULL)
		a = nlsock_attr_nested(
		    a, IFLA_INET_CONF, (at + 1) * sizeof(value));
	if (a == NULL)
		return false;
	memcpy(&value,
	    (const uint8_t *)mnl_attr_get_payload(a) + at * sizeof(value),
	    sizeof(value));
	return value != 0;
}

static void
on_link(const struct nlmsghdr *h, int nsid, void *arg)
{
	const struct ifinfomsg *info = mnl_nlmsg_get_payload(h);
	struct netlink_link *l = arg;

	(void)nsid;
	if (h->nlmsg_type != RTM_NEWLINK ||
	    mnl_nlmsg_get_payload_len(h) < sizeof(*info))
		return;
	l->mtu = link_u32(h, IFLA_MTU);
	l->txqueuelen = link_u32(h, IFLA_TXQLEN);
	l->gso_max_segs = link_u32(h, IFLA_GSO_MAX_SEGS);
	l->up = (info->ifi_flags & IFF_UP) != 0;
	l->promote = has_promote(h);
}

int
netlink_get_link(struct nlsock *s, uint32_t ifindex, struct netlink_link *l)
{
	struct nlsock_request rq;

	*l = (struct netlink_link){0};
	link_request(&rq, RTM_GETLINK, ifindex);
	if (nlsock_call(s, &rq, on_link, l) == -1)
		return -1;
	if (l->mtu != 0)
		return 0;
	errno = ENODEV;
	return -1;
}

int
netlink_link_mtu(struct nlsock *s, uint32_t ifindex, uint32_t *mtu)
{
	struct netlink_link l;
	int r = netlink_get_link(s, ifindex, &l);

	*mtu = l.mtu;
	return r;
}

struct route_answer {
	uint32_t mtu;
	uint32_t ifindex;
	uint8_t type;
};

static void
on_lookup(const struct nlmsghdr *h, int nsid, void *arg)
{
	struct route_answer *found = arg;
	const struct nlattr *a;
	const struct rtmsg *rt;

	(void)nsid;
	if (h->nlmsg_type != RTM_NEWROUTE ||
	    mnl_nlmsg_get_payload_len(h) < sizeof(*rt))
		return;
	rt = mnl_nlmsg_get_payload(h);
	found->type = rt->rtm_type;
	a = nlsock_attr(h, sizeof(*rt), RTA_OIF, sizeof(uint32_t));
	if (a != NULL)
		found->ifindex = mnl_attr_get_u32(a);
	a = nlsock_attr(h, sizeof(*rt), RTA_METRICS, 0);
	if (a != NULL)
		a = nlsock_attr_nested(a, RTAX_MTU, sizeof(uint32_t));
	if (a != NULL)
		found->mtu = mnl_attr_get_u32(a);
}

int
netlink_get_route(struct nlsock *s, const struct addr *dst, uint32_t mark,
    uint32_t oif, struct netlink_route *route)
{
	struct route_answer found = {0};
	struct nlsock_request rq;
	struct rtmsg *rt;

	nlsock_request(&rq, RTM_GETROUTE, 0);
	rt = mnl_nlmsg_put_extra_header(&rq.header, sizeof(*rt));
	rt->rtm_family = (uint8_t)family_of(dst);
	rt->rtm_dst_len = (uint8_t)addr_bits(dst);
	mnl_attr_put(&rq.header, RTA_DST, bytes_of(dst), dst->bytes);
	if (mark != 0)
		mnl_attr_put_u32(&rq.header, RTA_MARK, mark);
	if (oif != 0)
		mnl_attr_put_u32(&rq.header, RTA_OIF, oif);
	if (nlsock_call(s, &rq, on_lookup, &found) == -1)
		return -1;
	if (found.type != RTN_UNICAST && found.type != RTN_LOCAL) {
		errno = ENETUNREACH;
		return -1;
	}
	*route = (struct netlink_route){found.ifindex, found.mtu};
	return found.mtu != 0 ? 0
			      : netlink_link_mtu(s, found.ifindex, &route->mtu);
}

static void
on_queues(const struct nlmsghdr *h, int nsid, void *arg)
{
	uint32_t *queues = arg;
	const struct nlattr *a =
	    nlsock_attr_tun(h, IFLA_TUN_NUM_QUEUES, sizeof(*queues));

	(void)nsid;
	if (a != NULL)
		*queues = mnl_attr_get_u32(a);
}

int
netlink_tun_queues(struct nlsock *s, uint32_t ifindex, uint32_t *queues)
{
	struct nlsock_request rq;

	*queues = 0;
	link_request(&rq, RTM_GETLINK, ifindex);
	if (nlsock_call(s, &rq, on_queues, queues) == -1)
		return -1;
	if (*queues != 0)
		return 0;
	errno = ENOENT;
	return -1;
}

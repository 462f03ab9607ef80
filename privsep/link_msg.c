#include <sys/socket.h>

#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>

#include <libmnl/libmnl.h>
#include <stdlib.h>
#include <string.h>

#include "privsep/link_msg.h"
#include "privsep/nlsock.h"

static void
parse_move(const struct nlmsghdr *h, struct link_message *msg)
{
	const size_t header = sizeof(struct ifinfomsg);
	const struct nlattr *a;

	msg->new_nsid = LINK_NSID_UNKNOWN;
	msg->new_ifindex = msg->ifindex;
	a = nlsock_attr(h, header, IFLA_NEW_NETNSID, sizeof(int32_t));
	if (a == NULL)
		return;
	msg->moved = true;
	if ((int32_t)mnl_attr_get_u32(a) >= 0)
		msg->new_nsid = (int32_t)mnl_attr_get_u32(a);
	a = nlsock_attr(h, header, IFLA_NEW_IFINDEX, sizeof(uint32_t));
	if (a != NULL && mnl_attr_get_u32(a) != 0)
		msg->new_ifindex = mnl_attr_get_u32(a);
}

int
link_parse(const struct nlmsghdr *h, struct link_message *msg)
{
	const size_t header = sizeof(struct ifinfomsg);
	const struct ifinfomsg *info;
	const struct nlattr *a;

	memset(msg, 0, sizeof(*msg));
	if (mnl_nlmsg_get_payload_len(h) < header)
		return -1;
	info = mnl_nlmsg_get_payload(h);
	/* A bridge tells of its ports in messages of its own family. */
	if (info->ifi_family != AF_UNSPEC || info->ifi_index <= 0)
		return -1;
	msg->ifindex = (uint32_t)info->ifi_index;
	msg->flags = info->ifi_flags;
	a = nlsock_attr(h, header, IFLA_IFNAME, 1);
	if (a != NULL && mnl_attr_validate(a, MNL_TYPE_NUL_STRING) == 0 &&
	    mnl_attr_get_payload_len(a) <= sizeof(msg->name))
		strlcpy(msg->name, mnl_attr_get_str(a), sizeof(msg->name));
	a = nlsock_attr(h, header, IFLA_MTU, sizeof(uint32_t));
	if (a != NULL)
		msg->mtu = mnl_attr_get_u32(a);
	parse_move(h, msg);
	return 0;
}

void
link_name_clean(char name[IFNAMSIZ])
{
	size_t i;

	for (i = 0; i < IFNAMSIZ && name[i] != '\0'; i++)
		if (name[i] <= ' ' || name[i] > '~')
			name[i] = '?';
}

void
link_apply(const struct link_message *msg, struct link_state *state)
{
	state->ifindex = msg->ifindex;
	state->up = (msg->flags & IFF_UP) != 0;
	state->running = (msg->flags & IFF_RUNNING) != 0;
	if (msg->name[0] != '\0')
		memcpy(state->name, msg->name, sizeof(state->name));
	if (msg->mtu != 0)
		state->mtu = msg->mtu;
}

void
link_add_address(struct link_state *state, const struct prefix *p)
{
	const size_t count = state->address_count;

	if (bsearch(p, state->addresses, count, sizeof(*p), prefix_compare))
		return;
	if (count == LIMIT_ADDRESSES)
		return;
	state->addresses[count] = *p;
	state->address_count++;
	qsort(state->addresses, count + 1, sizeof(*p), prefix_compare);
}

bool
link_del_address(struct link_state *state, const struct prefix *p)
{
	struct prefix *at, *last;

	at = bsearch(p, state->addresses, state->address_count, sizeof(*p),
	    prefix_compare);
	if (at == NULL)
		return false;
	last = &state->addresses[--state->address_count];
	memmove(at, at + 1, (size_t)(last - at) * sizeof(*at));
	memset(last, 0, sizeof(*last));
	return true;
}

int
link_parse_address(
    const struct nlmsghdr *h, uint32_t *ifindex, struct prefix *p)
{
	const struct ifaddrmsg *ifa;
	const struct nlattr *a;
	size_t len;

	if (mnl_nlmsg_get_payload_len(h) < sizeof(*ifa))
		return -1;
	ifa = mnl_nlmsg_get_payload(h);
	if (ifa->ifa_family != AF_INET && ifa->ifa_family != AF_INET6)
		return -1;
	len = ifa->ifa_family == AF_INET ? 4 : 16;
	if (ifa->ifa_prefixlen > len * 8)
		return -1;
	/* IFA_ADDRESS is the peer's where the two are different. */
	a = nlsock_attr(h, sizeof(*ifa), IFA_LOCAL, len);
	if (a == NULL)
		a = nlsock_attr(h, sizeof(*ifa), IFA_ADDRESS, len);
	if (a == NULL)
		return -1;
	*ifindex = ifa->ifa_index;
	memset(p, 0, sizeof(*p));
	p->addr.family = ifa->ifa_family == AF_INET ? 4 : 6;
	p->len = ifa->ifa_prefixlen;
	memcpy(p->addr.bytes, mnl_attr_get_payload(a), len);
	return 0;
}

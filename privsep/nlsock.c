#include <sys/socket.h>
#include <sys/uio.h>

#include <linux/rtnetlink.h>

#include <errno.h>
#include <libmnl/libmnl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "privsep/nlsock.h"

#define NLSOCK_BUFFER 32768 /* the kernel never makes a larger datagram */
#define NLSOCK_RCVBUF (1024 * 1024)
#define DISCARD_MAX 4096 /* datagrams: more than the buffer holds */

/* What a call waits for. */
struct pending {
	nlsock_on_message *reply;
	void *arg;
	bool done;
	bool interrupted;
	int error;
};

struct nlsock {
	struct mnl_socket *mnl;
	uint32_t portid;
	uint32_t seq;
	nlsock_on_message *told;
	void *arg;
	struct pending *pending;
	union {
		struct nlmsghdr align;
		uint8_t bytes[NLSOCK_BUFFER];
	} buffer;
};

static void
set_option(const struct nlsock *s, int option)
{
	int on = 1;

	/* What an old kernel lacks, or we may not, costs comfort only. */
	if (mnl_socket_setsockopt(s->mnl, option, &on, sizeof(on)) == -1)
		log_debug(
		    "netlink socket option %d: %s", option, strerror(errno));
}

struct nlsock *
nlsock_open(uint32_t groups, nlsock_on_message *told, void *arg)
{
	int size = NLSOCK_RCVBUF, saved;
	struct nlsock *s;

	s = calloc(1, sizeof(*s));
	if (s == NULL)
		return NULL;
	s->told = told;
	s->arg = arg;
	s->mnl = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (s->mnl == NULL)
		goto fail;
	set_option(s, NETLINK_GET_STRICT_CHK);
	set_option(s, NETLINK_CAP_ACK);
	set_option(s, NETLINK_EXT_ACK);
	if (groups != 0) {
		set_option(s, NETLINK_LISTEN_ALL_NSID);
		setsockopt(nlsock_fd(s), SOL_SOCKET, SO_RCVBUFFORCE, &size,
		    sizeof(size));
	}
	if (mnl_socket_bind(s->mnl, groups, MNL_SOCKET_AUTOPID) == -1)
		goto fail;
	s->portid = mnl_socket_get_portid(s->mnl);
	return s;
fail:
	saved = errno;
	nlsock_close(s);
	errno = saved;
	return NULL;
}

void
nlsock_close(struct nlsock *s)
{
	if (s == NULL)
		return;
	if (s->mnl != NULL)
		mnl_socket_close(s->mnl);
	free(s);
}

int
nlsock_fd(const struct nlsock *s)
{
	return mnl_socket_get_fd(s->mnl);
}

void
nlsock_request(struct nlsock_request *rq, uint16_t type, uint16_t flags)
{
	memset(rq, 0, sizeof(*rq));
	mnl_nlmsg_put_header(rq->bytes);
	rq->header.nlmsg_type = type;
	rq->header.nlmsg_flags = NLM_F_REQUEST | flags;
	if ((flags & NLM_F_DUMP) != NLM_F_DUMP)
		rq->header.nlmsg_flags |= NLM_F_ACK;
}

static int
nsid_of(struct msghdr *msg)
{
	struct cmsghdr *c;
	int nsid = NLSOCK_HOME;

	for (c = CMSG_FIRSTHDR(msg); c != NULL; c = CMSG_NXTHDR(msg, c))
		if (c->cmsg_level == SOL_NETLINK &&
		    c->cmsg_type == NETLINK_LISTEN_ALL_NSID &&
		    c->cmsg_len >= CMSG_LEN(sizeof(nsid)))
			memcpy(&nsid, CMSG_DATA(c), sizeof(nsid));
	return nsid;
}

/*
 * One datagram from the kernel: its length, or 0 for one to be ignored.
 * Any process with CAP_NET_ADMIN may send us one as well.
 */
static ssize_t
receive(struct nlsock *s, int *nsid)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int)) * 4];
	} control;
	struct sockaddr_nl from = {0};
	struct iovec iov = {s->buffer.bytes, sizeof(s->buffer.bytes)};
	struct msghdr msg = {
	    .msg_name = &from,
	    .msg_namelen = sizeof(from),
	    .msg_iov = &iov,
	    .msg_iovlen = 1,
	    .msg_control = control.bytes,
	    .msg_controllen = sizeof(control.bytes),
	};
	ssize_t n;

	n = recvmsg(nlsock_fd(s), &msg, MSG_DONTWAIT);
	if (n == -1)
		return -1;
	if (msg.msg_namelen != sizeof(from) || from.nl_family != AF_NETLINK ||
	    from.nl_pid != 0)
		return 0;
	if (msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) {
		errno = ENOBUFS;
		return -1;
	}
	*nsid = nsid_of(&msg);
	return n;
}

static void
log_extack(const struct nlmsghdr *h)
{
	const struct nlattr *a;

	/* With NETLINK_CAP_ACK attributes follow the header directly. */
	if (!(h->nlmsg_flags & NLM_F_ACK_TLVS) ||
	    !(h->nlmsg_flags & NLM_F_CAPPED))
		return;
	a = nlsock_attr(h, sizeof(struct nlmsgerr), NLMSGERR_ATTR_MSG, 1);
	if (a != NULL && mnl_attr_validate(a, MNL_TYPE_NUL_STRING) == 0)
		log_debug("netlink says: %s", mnl_attr_get_str(a));
}

static void
finish(struct pending *p, const struct nlmsghdr *h)
{
	int value = 0;

	if (mnl_nlmsg_get_payload_len(h) >= sizeof(value))
		memcpy(&value, mnl_nlmsg_get_payload(h), sizeof(value));
	else if (h->nlmsg_type == NLMSG_ERROR)
		value = -EPROTO;
	if (value > 0 || value < -4095) /* MAX_ERRNO */
		value = -EPROTO;
	if (value != 0)
		log_extack(h);
	p->error = -value;
	p->done = true;
}

static void
answer(struct pending *p, const struct nlmsghdr *h)
{
	if (h->nlmsg_flags & NLM_F_DUMP_INTR)
		p->interrupted = true;
	if (h->nlmsg_type == NLMSG_ERROR || h->nlmsg_type == NLMSG_DONE)
		finish(p, h);
	else if (p->reply != NULL)
		p->reply(h, NLSOCK_HOME, p->arg);
}

/*
 * Told messages carry the port and number of whoever caused them, who may have
 * our port in another namespace.
 */
static bool
is_ours(const struct nlsock *s, const struct nlmsghdr *h, int nsid)
{
	return nsid == NLSOCK_HOME && h->nlmsg_pid == s->portid;
}

static void
dispatch(struct nlsock *s, const struct nlmsghdr *h, int nsid)
{
	if (s->pending != NULL && is_ours(s, h, nsid) && h->nlmsg_seq == s->seq)
		answer(s->pending, h);
	else if (h->nlmsg_type >= RTM_BASE && s->told != NULL &&
		 !is_ours(s, h, nsid))
		s->told(h, nsid, s->arg);
}

/* mnl_nlmsg_ok() takes a length of 2 GB and more for a negative number. */
static void
walk(struct nlsock *s, size_t len, int nsid)
{
	const struct nlmsghdr *h;
	size_t at = 0;

	while (len - at >= sizeof(*h)) {
		h = (const struct nlmsghdr *)(s->buffer.bytes + at);
		if (h->nlmsg_len < sizeof(*h) || h->nlmsg_len > len - at)
			return;
		dispatch(s, h, nsid);
		if (NLMSG_ALIGN(h->nlmsg_len) > len - at)
			return;
		at += NLMSG_ALIGN(h->nlmsg_len);
	}
}

int
nlsock_call(struct nlsock *s, struct nlsock_request *rq,
    nlsock_on_message *reply, void *arg)
{
	struct pending p = {.reply = reply, .arg = arg};

	rq->header.nlmsg_seq = ++s->seq;
	if (mnl_socket_sendto(s->mnl, &rq->header, rq->header.nlmsg_len) == -1)
		return -1;
	/* The kernel has answered by now: nothing here waits. */
	s->pending = &p;
	while (!p.done && p.error == 0)
		if (nlsock_read(s) <= 0)
			p.error = errno == EAGAIN ? ENOBUFS : errno;
	s->pending = NULL;
	if (p.error == 0 && p.interrupted)
		p.error = EINTR;
	errno = p.error;
	return p.error == 0 ? 0 : -1;
}

int
nlsock_read(struct nlsock *s)
{
	int nsid = NLSOCK_HOME;
	ssize_t n;

	n = receive(s, &nsid);
	if (n == -1)
		return errno == EAGAIN || errno == EINTR ? 0 : -1;
	walk(s, (size_t)n, nsid);
	return 1;
}

void
nlsock_discard(struct nlsock *s)
{
	ssize_t n;
	int nsid, i = 0;

	/* An overrun is reported once, and before what still waits. */
	do
		n = receive(s, &nsid);
	while ((n != -1 || errno == ENOBUFS) && ++i < DISCARD_MAX);
}

void
nlsock_feed(struct nlsock *s, const void *bytes, size_t len, int nsid)
{
	if (len > sizeof(s->buffer.bytes))
		len = sizeof(s->buffer.bytes);
	memcpy(s->buffer.bytes, bytes, len);
	walk(s, len, nsid);
}

/* The first of a type in len bytes of attributes. */
static const struct nlattr *
attr_in(const struct nlattr *a, int left, uint16_t type, size_t len)
{
	for (; mnl_attr_ok(a, left); a = mnl_attr_next(a)) {
		if (mnl_attr_get_type(a) == type &&
		    mnl_attr_get_payload_len(a) >= len)
			return a;
		left -= MNL_ALIGN(a->nla_len);
	}
	return NULL;
}

const struct nlattr *
nlsock_attr(const struct nlmsghdr *h, size_t header, uint16_t type, size_t len)
{
	const size_t payload = mnl_nlmsg_get_payload_len(h);

	header = MNL_ALIGN(header);
	if (payload < header)
		return NULL;
	return attr_in(mnl_nlmsg_get_payload_offset(h, header),
	    (int)(payload - header), type, len);
}

const struct nlattr *
nlsock_attr_nested(const struct nlattr *nest, uint16_t type, size_t len)
{
	return attr_in(mnl_attr_get_payload(nest),
	    (int)mnl_attr_get_payload_len(nest), type, len);
}

const struct nlattr *
nlsock_attr_tun(const struct nlmsghdr *h, uint16_t type, size_t len)
{
	const struct nlattr *info, *kind, *data;

	if (h->nlmsg_type != RTM_NEWLINK)
		return NULL;
	info = nlsock_attr(h, sizeof(struct ifinfomsg), IFLA_LINKINFO, 0);
	if (info == NULL)
		return NULL;
	kind = nlsock_attr_nested(info, IFLA_INFO_KIND, sizeof("tun"));
	data = nlsock_attr_nested(info, IFLA_INFO_DATA, 0);
	if (kind == NULL || data == NULL ||
	    memcmp(mnl_attr_get_payload(kind), "tun", sizeof("tun")) != 0)
		return NULL;
	return nlsock_attr_nested(data, type, len);
}

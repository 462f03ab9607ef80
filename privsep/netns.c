#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <linux/if_tun.h>
#include <linux/net_namespace.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>

#include <errno.h>
#include <libmnl/libmnl.h>
#include <unistd.h>

#include "privsep/netns.h"
#include "privsep/nlsock.h"

/* The kernel's descriptors of namespaces are close-on-exec from the start. */
int
netns_of_socket(int fd)
{
	return ioctl(fd, SIOCGSKNS);
}

int
netns_of_tun(int tun_fd)
{
	return ioctl(tun_fd, TUNGETDEVNETNS);
}

int
netns_equal(int netns, int other)
{
	struct stat a, b;

	if (fstat(netns, &a) == -1 || fstat(other, &b) == -1)
		return -1;
	return a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

/* Closes both; either may be -1. */
static int
compare_and_close(int netns, int other)
{
	int equal = -1;

	if (netns != -1 && other != -1)
		equal = netns_equal(netns, other);
	if (netns != -1)
		close(netns);
	if (other != -1)
		close(other);
	return equal;
}

int
netns_of_tun_equal(int tun_fd, int other_tun_fd)
{
	return compare_and_close(
	    netns_of_tun(tun_fd), netns_of_tun(other_tun_fd));
}

int
netns_of_tun_is_ours(int tun_fd)
{
	int s, ours;

	s = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (s == -1)
		return -1;
	ours = netns_of_socket(s);
	close(s);
	return compare_and_close(netns_of_tun(tun_fd), ours);
}

static void
on_id(const struct nlmsghdr *h, int nsid, void *arg)
{
	const struct nlattr *a;
	int32_t *id = arg;

	(void)nsid;
	if (h->nlmsg_type != RTM_NEWNSID)
		return;
	a = nlsock_attr(h, sizeof(struct rtgenmsg), NETNSA_NSID, sizeof(*id));
	if (a != NULL)
		*id = (int32_t)mnl_attr_get_u32(a);
}

static void
put_netns(struct nlsock_request *rq, int netns)
{
	mnl_nlmsg_put_extra_header(&rq->header, sizeof(struct rtgenmsg));
	mnl_attr_put_u32(&rq->header, NETNSA_FD, (uint32_t)netns);
}

int
netns_get_id(struct nlsock *s, int netns, int32_t *nsid)
{
	struct nlsock_request rq;

	nlsock_request(&rq, RTM_GETNSID, 0);
	put_netns(&rq, netns);
	*nsid = NETNSA_NSID_NOT_ASSIGNED;
	if (nlsock_call(s, &rq, on_id, nsid) == -1)
		return -1;
	if (*nsid >= 0)
		return 0;
	errno = ENOENT;
	return -1;
}

int
netns_need_id(struct nlsock *s, int netns, int32_t *nsid)
{
	struct nlsock_request rq;

	if (netns_get_id(s, netns, nsid) == 0)
		return 0;
	if (errno != ENOENT)
		return -1;
	nlsock_request(&rq, RTM_NEWNSID, 0);
	put_netns(&rq, netns);
	mnl_attr_put_u32(&rq.header, NETNSA_NSID, (uint32_t)-1);
	/* EEXIST: somebody was faster. */
	if (nlsock_call(s, &rq, NULL, NULL) == -1 && errno != EEXIST)
		return -1;
	return netns_get_id(s, netns, nsid);
}

int
netns_need_id_of_tun(struct nlsock *s, int home, int tun_fd, int32_t *nsid)
{
	int netns, rc = 0;

	netns = home != -1 ? netns_of_tun(tun_fd) : -1;
	if (netns == -1)
		return -1;
	if (netns_equal(netns, home) == 1)
		*nsid = NLSOCK_HOME;
	else
		rc = netns_need_id(s, netns, nsid);
	close(netns);
	return rc;
}

/*
 * Preloaded, it is a libmnl whose questions for addresses fail while the file
 * that NOWATCH names is there, so that no link can be watched.
 */
#include <sys/socket.h>

#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#include <errno.h>
#include <libmnl/libmnl.h>
#include <stdlib.h>
#include <unistd.h>

ssize_t
mnl_socket_sendto(const struct mnl_socket *nl, const void *buf, size_t len)
{
	const struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
	const char *path = getenv("NOWATCH");
	const struct nlmsghdr *h = buf;

	if (h->nlmsg_type == RTM_GETADDR && path != NULL &&
	    access(path, F_OK) == 0) {
		errno = EAGAIN;
		return -1;
	}
	return sendto(mnl_socket_get_fd(nl), buf, len, 0,
	    (const struct sockaddr *)&kernel, sizeof(kernel));
}

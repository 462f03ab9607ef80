#include <sys/socket.h>

#include <errno.h>
#include <linux/filter.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

#include "common/udp_options.h"
#include "privsep/udp.h"

static int
set_int(int fd, int level, int name, int value)
{
	return setsockopt(fd, level, name, &value, sizeof(value));
}

uint32_t
udp_scope(const struct endpoint *e)
{
	uint32_t now = e->zone[0] == '\0' ? 0 : if_nametoindex(e->zone);

	return now != 0 ? now : e->scope;
}

/* The kernel keeps twice what is asked, for its own overhead. */
static uint32_t
get_buffer(int fd, int name)
{
	int value = 0;
	socklen_t len = sizeof(value);

	if (getsockopt(fd, SOL_SOCKET, name, &value, &len) == -1)
		return 0;
	return (uint32_t)value / 2;
}

/* Nothing passes: the socket may be bound, but takes nothing in. */
static int
filter_all(int fd)
{
	struct sock_filter code[] = {{BPF_RET | BPF_K, 0, 0, 0}};
	struct sock_fprog prog = {1, code};

	return setsockopt(
	    fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog));
}

/*
 * Each outer packet may be fragmented on its way rather than vanish: the
 * inner MTU is what keeps it from being so.
 */
static int
set_family_options(int fd, unsigned int family)
{
	if (family == 4)
		return set_int(
		    fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT);
	if (set_int(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1) == -1)
		return -1;
	return set_int(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_DONT);
}

int
udp_open(unsigned int family, uint32_t buffer, struct udp_buffers *got)
{
	int saved, fd = socket(family == 4 ? AF_INET : AF_INET6,
		       SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd == -1)
		return -1;
	if (set_family_options(fd, family) == -1 ||
	    set_int(fd, SOL_SOCKET, SO_REUSEPORT, 1) == -1 ||
	    set_int(fd, SOL_SOCKET, SO_RXQ_OVFL, 1) == -1 ||
	    filter_all(fd) == -1) {
		saved = errno;
		close(fd);
		errno = saved;
		return -1;
	}
	/* without CAP_NET_ADMIN as much as the limits allow */
	if (set_int(fd, SOL_SOCKET, SO_RCVBUFFORCE, (int)buffer) == -1)
		set_int(fd, SOL_SOCKET, SO_RCVBUF, (int)buffer);
	if (set_int(fd, SOL_SOCKET, SO_SNDBUFFORCE, (int)buffer) == -1)
		set_int(fd, SOL_SOCKET, SO_SNDBUF, (int)buffer);
	got->rcvbuf = get_buffer(fd, SO_RCVBUF);
	got->sndbuf = get_buffer(fd, SO_SNDBUF);
	return fd;
}

/* That it is bound to, by its name of today; -1 with errno: it is gone. */
static int
bound_device(int fd, char name[IFNAMSIZ], socklen_t *len)
{
	*len = IFNAMSIZ;
	return getsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, name, len);
}

/* That it fails is no harm: without its address nothing arrives. */
static void
connect_to_itself(int fd)
{
	struct sockaddr_storage ss;
	struct endpoint own;
	socklen_t len;

	if (udp_local(fd, &own) == -1)
		return;
	len = endpoint_to_sockaddr(&own, &ss);
	connect(fd, (struct sockaddr *)&ss, len);
}

/*
 * Left connected it would take its peer's datagrams from the socket that
 * serves the same endpoint now.  A port that the kernel chose goes, too.  One
 * that was bound stays, and without its device would be taken on them all.
 *
 * The kernel makes a group of sockets that are bound to one address and port
 * (SO_REUSEPORT).  Where none of a group was connected since it was made, the
 * group is given what comes, without a look at sockets outside that are
 * connected to where it comes from.  To be bound to a device, though it be the
 * same, or none, is to leave.
 *
 * An IPv6 socket that is disconnected keeps the address of its peer, which
 * before Linux 6.13 counts as much as to be connected to it, if the CPU is the
 * one that the last datagram came on: so it is given its own first.
 */
static int
disconnect(int fd)
{
	struct sockaddr none = {.sa_family = AF_UNSPEC};
	char device[IFNAMSIZ];
	socklen_t len;

	if (bound_device(fd, device, &len) == -1)
		len = 0;
	setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "", 0);
	connect_to_itself(fd);
	if (connect(fd, &none, sizeof(none)) == -1)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, device, len);
	return 0;
}

int
udp_local(int fd, struct endpoint *local)
{
	struct sockaddr_storage ss = {.ss_family = AF_UNSPEC};
	socklen_t len = sizeof(ss);

	if (getsockname(fd, (struct sockaddr *)&ss, &len) == -1 ||
	    endpoint_from_sockaddr(&ss, local) == -1)
		return -1;
	return local->port == 0 ? -1 : 0;
}

bool
udp_is_free(const struct endpoint *local, const char *device)
{
	struct sockaddr_storage ss;
	socklen_t len = endpoint_to_sockaddr(local, &ss);
	int saved, fd = socket(ss.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool is_free;

	if (fd == -1)
		return false;
	is_free = filter_all(fd) == 0 &&
		  (ss.ss_family == AF_INET ||
		      set_int(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1) == 0) &&
		  setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, device,
		      (socklen_t)strlen(device)) == 0 &&
		  bind(fd, (struct sockaddr *)&ss, len) == 0;
	saved = errno;
	close(fd);
	errno = saved;
	return is_free;
}

/*
 * May a socket of that device be bound there?  -1 with errno, where the address
 * or its zone is not there; what else may be wrong is for others to say.
 */
static int
try_address(struct endpoint at, const char *device, socklen_t device_len)
{
	struct sockaddr_storage ss;
	socklen_t len;
	int s, error = 0;

	at.port = 0;
	len = endpoint_to_sockaddr(&at, &ss);
	if ((s = socket(ss.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0)) == -1)
		return 0;
	if (setsockopt(s, SOL_SOCKET, SO_BINDTODEVICE, device, device_len) ==
		0 &&
	    bind(s, (struct sockaddr *)&ss, len) == -1)
		error = errno;
	close(s);
	if (error != EADDRNOTAVAIL && error != ENODEV)
		return 0;
	errno = error;
	return -1;
}

/*
 * A socket that was bound before is so for good, and with IPv6 could be
 * connected though its address left the host, which a wildcard cannot do.
 */
static int
bind_once(int fd, const struct udp_aim *aim)
{
	struct sockaddr_storage ss;
	struct endpoint bound;
	socklen_t len;

	if (udp_local(fd, &bound) == 0)
		return addr_is_unspecified(&aim->local.addr)
			   ? 0
			   : try_address(aim->local, aim->device,
				 (socklen_t)strlen(aim->device));
	len = endpoint_to_sockaddr(&aim->local, &ss);
	return bind(fd, (struct sockaddr *)&ss, len) == -1 && errno != EINVAL
		   ? -1
		   : 0;
}

int
udp_aim(int fd, const struct udp_aim *aim)
{
	struct sockaddr_storage remote;
	struct endpoint bound;
	socklen_t remote_len = endpoint_to_sockaddr(&aim->remote, &remote);

	/*
	 * From bind to connect it would hear everybody: the filter is on.  The
	 * worker may have tried to send, and the kernel then chose a port.
	 */
	if (filter_all(fd) == -1 || disconnect(fd) == -1 ||
	    set_int(fd, SOL_SOCKET, SO_MARK, (int)aim->mark) == -1 ||
	    setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, aim->device,
		(socklen_t)strlen(aim->device)) == -1)
		return -1;
	if (bind_once(fd, aim) == -1)
		return -1;
	if (connect(fd, (struct sockaddr *)&remote, remote_len) == -1) {
		/* a blackhole route; a scope has to fit the device, too */
		if (errno == EINVAL && aim->remote.scope == 0)
			errno = EHOSTUNREACH;
		return -1;
	}
	/* it did so only now: when this is tried again, that port is let go */
	if (udp_local(fd, &bound) == -1 || bound.port != aim->local.port) {
		errno = EADDRNOTAVAIL;
		return -1;
	}
	return set_int(fd, SOL_SOCKET, SO_DETACH_FILTER, 0);
}

int
udp_retire(int fd)
{
	if (filter_all(fd) == -1)
		return -1;
	return disconnect(fd);
}

bool
udp_is_local(int fd)
{
	char device[IFNAMSIZ];
	socklen_t len;
	struct endpoint e;

	if (udp_local(fd, &e) == -1 || bound_device(fd, device, &len) == -1)
		return true;
	return try_address(e, device, len) == 0;
}

bool
udp_lost_device(int fd)
{
	char name[IFNAMSIZ];
	socklen_t len;

	return bound_device(fd, name, &len) == -1 && errno == ENODEV;
}

int
udp_set_gro(int fd, bool on)
{
	return set_int(fd, SOL_UDP, UDP_GRO, on);
}

static bool
kernel_has(int option, int value)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool has = fd != -1 && set_int(fd, SOL_UDP, option, value) == 0;

	if (fd != -1)
		close(fd);
	return has;
}

bool
udp_has_gso(void)
{
	return kernel_has(UDP_SEGMENT, 1200);
}

bool
udp_has_gro(void)
{
	return kernel_has(UDP_GRO, 1);
}

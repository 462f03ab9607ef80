/*
 * Preloaded, it is a kernel that refuses to switch offloads on while the file
 * that NOOFFLOAD names is there: of a tun device all but checksums, of sockets
 * UDP_GRO.
 */
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <linux/if_tun.h>

#include <errno.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/udp_options.h"

static int
is_refused(void)
{
	const char *path = getenv("NOOFFLOAD");

	return path != NULL && access(path, F_OK) == 0;
}

int
ioctl(int fd, unsigned long request, ...)
{
	unsigned long value;
	va_list ap;

	va_start(ap, request);
	value = va_arg(ap, unsigned long);
	va_end(ap);
	if (request == TUNSETOFFLOAD &&
	    (value & ~(unsigned long)TUN_F_CSUM) != 0 && is_refused()) {
		errno = EINVAL;
		return -1;
	}
	return (int)syscall(SYS_ioctl, fd, request, value);
}

int
setsockopt(int fd, int level, int name, const void *value, socklen_t len)
{
	int on = 0;

	if (len == sizeof(on))
		memcpy(&on, value, sizeof(on));
	if (level == IPPROTO_UDP && name == UDP_GRO && on != 0 &&
	    is_refused()) {
		errno = ENOBUFS;
		return -1;
	}
	return (int)syscall(SYS_setsockopt, fd, level, name, value, len);
}

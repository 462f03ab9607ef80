#include <sys/socket.h>

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "ipc/fdpass.h"

/* Room for more than we take, so that a surplus is seen and closed. */
#define FDPASS_ROOM 8
#ifndef SO_PASSRIGHTS
#define SO_PASSRIGHTS 83
#endif

union fdpass_control {
	struct cmsghdr align;
	char buf[CMSG_SPACE(sizeof(int) * FDPASS_ROOM)];
};

ssize_t
fdpass_send(int sock, const struct iovec *iov, int iovcnt, int fd)
{
	union fdpass_control control = {0};
	struct iovec copy[4];
	struct msghdr msg = {.msg_iov = copy};
	struct cmsghdr *cmsg;

	if (iovcnt < 1 || iovcnt > 4) {
		errno = EINVAL;
		return -1;
	}
	memcpy(copy, iov, sizeof(*iov) * (size_t)iovcnt);
	msg.msg_iovlen = (size_t)iovcnt;
	msg.msg_control = control.buf;
	msg.msg_controllen = CMSG_SPACE(sizeof(int));
	cmsg = CMSG_FIRSTHDR(&msg);
	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(cmsg), &fd, sizeof(fd));
	return sendmsg(sock, &msg, MSG_NOSIGNAL);
}

/* Takes every descriptor out of the message: how many, the first in *fd. */
static int
fdpass_collect(struct msghdr *msg, int *fd, int *strange)
{
	struct cmsghdr *cmsg;
	int count = 0, one;
	size_t i, n;

	*strange = 0;
	for (cmsg = CMSG_FIRSTHDR(msg); cmsg != NULL;
	     cmsg = CMSG_NXTHDR(msg, cmsg)) {
		if (cmsg->cmsg_level != SOL_SOCKET ||
		    cmsg->cmsg_type != SCM_RIGHTS ||
		    cmsg->cmsg_len < CMSG_LEN(0)) {
			*strange = 1;
			continue;
		}
		n = (cmsg->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (i = 0; i < n; i++) {
			memcpy(&one, CMSG_DATA(cmsg) + i * sizeof(int),
			    sizeof(one));
			if (count++ == 0)
				*fd = one;
			else
				close(one);
		}
	}
	return count;
}

ssize_t
fdpass_recv(int sock, const struct iovec *iov, int iovcnt, int *fd)
{
	union fdpass_control control;
	struct iovec copy[4];
	struct msghdr msg = {.msg_iov = copy};
	ssize_t n;
	int count, strange;

	*fd = -1;
	if (iovcnt < 1 || iovcnt > 4) {
		errno = EINVAL;
		return -1;
	}
	memcpy(copy, iov, sizeof(*iov) * (size_t)iovcnt);
	msg.msg_iovlen = (size_t)iovcnt;
	msg.msg_control = control.buf;
	msg.msg_controllen = sizeof(control.buf);
	if ((n = recvmsg(sock, &msg, MSG_CMSG_CLOEXEC)) == -1)
		return -1;
	count = fdpass_collect(&msg, fd, &strange);
	if (count <= 1 && !strange &&
	    (msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) == 0)
		return n;
	if (*fd != -1)
		close(*fd);
	*fd = -1;
	errno = EBADMSG;
	return -1;
}

void
fdpass_refuse(int sock)
{
	const int off = 0;

	(void)!setsockopt(sock, SOL_SOCKET, SO_PASSRIGHTS, &off, sizeof(off));
}

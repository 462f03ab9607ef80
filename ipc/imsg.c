#include <sys/socket.h>
#include <sys/uio.h>

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "ipc/fdpass.h"
#include "ipc/imsg.h"

int
imsg_send(
    int sock, uint32_t type, uint32_t id, const void *data, size_t len, int fd)
{
	struct imsg_hdr hdr = {.type = type, .len = (uint32_t)len, .id = id};
	struct iovec iov[2];
	int count = 1;
	ssize_t n;

	if (len > IMSG_DATA_MAX) {
		errno = EMSGSIZE;
		return -1;
	}
	iov[0].iov_base = &hdr;
	iov[0].iov_len = sizeof(hdr);
	if (len > 0) {
		/* an iovec has no const, and only a receive would write */
		memcpy(&iov[1].iov_base, &data, sizeof(data));
		iov[1].iov_len = len;
		count = 2;
	}
	do {
		n = fd == -1 ? writev(sock, iov, count)
			     : fdpass_send(sock, iov, count, fd);
	} while (n == -1 && errno == EINTR);
	return n == -1 ? -1 : 0;
}

/* n bytes came: 1 if they are a message, 0 for EOF, else -1. */
static int
imsg_check(struct imsg *m, ssize_t n)
{
	if (n == -1)
		return -1;
	if (n == 0 && m->fd == -1)
		return 0;
	if ((size_t)n >= sizeof(m->hdr) && m->hdr.flags == 0 &&
	    m->hdr.len == (size_t)n - sizeof(m->hdr))
		return 1;
	if (m->fd != -1)
		close(m->fd);
	m->fd = -1;
	errno = EBADMSG;
	return -1;
}

static void
imsg_iov(struct imsg *m, struct iovec iov[2])
{
	m->fd = -1;
	iov[0].iov_base = &m->hdr;
	iov[0].iov_len = sizeof(m->hdr);
	iov[1].iov_base = m->data;
	iov[1].iov_len = sizeof(m->data);
}

int
imsg_recv(int sock, struct imsg *m)
{
	struct iovec iov[2];
	ssize_t n;

	imsg_iov(m, iov);
	do {
		n = fdpass_recv(sock, iov, 2, &m->fd);
	} while (n == -1 && errno == EINTR);
	return imsg_check(m, n);
}

int
imsg_read(int sock, struct imsg *m)
{
	struct iovec iov[2];
	ssize_t n;

	imsg_iov(m, iov);
	do {
		n = readv(sock, iov, 2);
	} while (n == -1 && errno == EINTR);
	return imsg_check(m, n);
}

bool
imsg_is_channel(int fd)
{
	int type = 0;
	socklen_t len = sizeof(type);

	return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0 &&
	       type == SOCK_SEQPACKET;
}

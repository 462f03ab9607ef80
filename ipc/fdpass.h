#ifndef IPC_FDPASS_H
#define IPC_FDPASS_H

#include <sys/types.h>
#include <sys/uio.h>

/* The only code that touches SCM_RIGHTS. */

/* sendmsg(2) of iov with one descriptor, which stays the caller's. */
ssize_t fdpass_send(int sock, const struct iovec *iov, int iovcnt, int fd);

/*
 * recvmsg(2) into iov.  *fd is the descriptor that came, close-on-exec and
 * the caller's, or -1.  More than one, a truncated message or control buffer,
 * or any other control message is EBADMSG, and all that came is closed.
 */
ssize_t fdpass_recv(int sock, const struct iovec *iov, int iovcnt, int *fd);

/*
 * Nobody can send descriptors to this socket, nor to those accepted from it,
 * so that none has to be closed, which may take for ever (SO_LINGER, FUSE).
 * Before Linux 6.16 nothing happens.
 */
void fdpass_refuse(int sock);

#endif

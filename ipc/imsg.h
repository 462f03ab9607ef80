#ifndef IPC_IMSG_H
#define IPC_IMSG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Messages between the parent and a child: one message is one datagram on
 * a SOCK_SEQPACKET socketpair, so that a message is whole or absent.  At most
 * one descriptor travels with a message, by SCM_RIGHTS (ipc/fdpass.c).
 */
#define IMSG_DATA_MAX 32768 /* bytes of payload */

struct imsg_hdr {
	uint32_t type;	/* enum msg_type */
	uint32_t len;	/* bytes of payload that follow */
	uint32_t id;	/* interface, slot or request, by type */
	uint32_t flags; /* zero */
};

struct imsg {
	struct imsg_hdr hdr;
	int fd; /* -1, or the reader's to close */
	uint8_t data[IMSG_DATA_MAX];
};

/*
 * Sends one message; fd may be -1 and stays the caller's.  Uses writev
 * when there is no fd, so that it works under the worker's filter.
 * Returns 0, or -1 with errno (EAGAIN: the channel is full).
 */
int imsg_send(
    int sock, uint32_t type, uint32_t id, const void *data, size_t len, int fd);

/*
 * Receives one message, with its fd if one came.  Returns 1, 0 on EOF, -1
 * with errno: EAGAIN, or EBADMSG when the datagram is no message, which
 * means that the other side is not to be trusted any further.
 */
int imsg_recv(int sock, struct imsg *);

/* The same by read alone, for a process that can take no more fds. */
int imsg_read(int sock, struct imsg *);

/* Is it a socket that messages can come over, as tund gives to a child? */
bool imsg_is_channel(int fd);

#endif

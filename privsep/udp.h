#ifndef PRIVSEP_UDP_H
#define PRIVSEP_UDP_H

#include <stdbool.h>
#include <stdint.h>

#include "common/addr.h"

/*
 * The peers' sockets.  A socket is opened unaimed, when it can receive and
 * send nothing; aimed, when it is bound and connected, so that the kernel
 * delivers one peer's datagrams there and sends to that peer alone; retired,
 * when it is nobody's and a filter throws away what comes, until it is aimed
 * again.  The worker holds a duplicate all the time.
 */
struct udp_buffers {
	uint32_t rcvbuf; /* bytes, as the kernel granted them */
	uint32_t sndbuf;
};

struct udp_aim {
	struct endpoint local; /* the address and port to bind */
	struct endpoint remote;
	uint32_t mark;	    /* fwmark, 0: none */
	const char *device; /* to bind to, "": none */
};

/*
 * The index of the endpoint's zone today; the one from when its name was looked
 * up where no device has it now.
 */
uint32_t udp_scope(const struct endpoint *);
/*
 * family 4 or 6; buffer: bytes asked for each way.  The socket, or -1 with
 * errno.
 */
int udp_open(unsigned int family, uint32_t buffer, struct udp_buffers *got);
/*
 * A socket that was aimed before keeps its local address.  0, or -1 with
 * errno; nothing then comes in, and it can be aimed again.
 */
int udp_aim(int fd, const struct udp_aim *);
/*
 * 0, or -1 with errno.  To be done again when another socket was bound to the
 * same address and port: the kernel then makes both a group, which may be given
 * what is for a third.
 */
int udp_retire(int fd);
/* The address and port that an aimed socket sends from; -1: it has none. */
int udp_local(int fd, struct endpoint *);
/*
 * Could a socket of that device ("": any) be bound there that shares with
 * nobody?  Else false with errno.
 */
bool udp_is_free(const struct endpoint *local, const char *device);
/*
 * Is the address of the socket, bound or chosen by connect(), still one of this
 * host?  It stays the socket's when it leaves the host.
 */
bool udp_is_local(int fd);
/*
 * Was the device deleted that the socket was bound to?  One of the same name
 * that is made later is another one.
 */
bool udp_lost_device(int fd);
/* 0, or -1 with errno. */
int udp_set_gro(int fd, bool on);
/* Does this kernel know UDP_SEGMENT, and UDP_GRO? */
bool udp_has_gso(void);
bool udp_has_gro(void);

#endif

#ifndef TESTS_RIG_H
#define TESTS_RIG_H

#include <setjmp.h>

#include "tests/packets.h"
#include "worker/worker.h"

/*
 * A worker without its process: the tun is one end of a socket pair, where a
 * frame is a datagram, and each peer is a connected UDP socket on loopback
 * whose far end the test holds.  The system calls of the pipelines are wrapped
 * (-Wl,--wrap), so that a test can see them and make them fail.
 */
#define RIG_SLOTS 4
/* Slot 3 is IPv6 outside.  Slot i has the inner addresses that end in 10+i. */
#define RIG_SLOT_IPV6 3
#define RIG_HOST(slot) ((uint8_t)(10 + (slot)))

struct rig {
	struct worker w;
	int tun;	    /* the kernel's end */
	int far[RIG_SLOTS]; /* the peers' ends */
};
extern struct rig rig;

int rig_setup(void **state);
int rig_teardown(void **state);
/* The peers as they are at first; begin and commit are the caller's. */
void rig_add_peer(size_t slot);
uint64_t rig_counter(enum counter);
/* Every counter with _drop_ in its name, together. */
uint64_t rig_drops(void);

/* One frame for the worker to read, and what it has written so far. */
void rig_frame(const void *, size_t len);
void rig_take_frames(struct list *);
/*
 * What came to the far end of a slot: waits for count datagrams, and fails
 * when there are fewer or more.
 */
void rig_take(size_t slot, struct list *, size_t count);
/* One datagram, or with size a run of them (UDP_SEGMENT), from the far end. */
void rig_datagrams(size_t slot, const void *, size_t len, uint16_t size);
/* Waits until the worker's socket has something to read. */
void rig_wait(size_t slot);

/* What a wrapped writev was asked, in order. */
struct rig_write {
	int fd;
	size_t bytes;
	int iovcnt;
	int segment; /* UDP_SEGMENT as set on fd by then */
	int error;   /* 0: it was done */
};
#define RIG_WRITES_MAX 4096
extern struct rig_write rig_writes[RIG_WRITES_MAX];
extern size_t rig_write_count;
/* The writes to a slot's socket, packed together; how many there are. */
size_t rig_sends(size_t slot, struct rig_write *, size_t room);

/*
 * Makes calls fail: of those that match, pass over skip of them, then fail
 * count times.
 */
enum rig_call { RIG_READ, RIG_WRITEV, RIG_RECVMMSG, RIG_SETSOCKOPT };
enum rig_match {
	RIG_ANY,
	RIG_MERGED_TCP, /* writev to the tun with such a gso type */
	RIG_MERGED_UDP,
	RIG_RUN /* writev of more bytes than UDP_SEGMENT; that setsockopt */
};
struct rig_fault {
	enum rig_call call;
	enum rig_match match;
	int fd;
	int error;
	unsigned int skip;
	unsigned int count;
};
void rig_fail(struct rig_fault);
/* Have all faults come to pass?  Forgets them. */
bool rig_faults_done(void);

/* What the next recvmmsg returns in place of what the kernel has. */
struct rig_message {
	const uint8_t *data;
	size_t len;
	int flags;
	bool has_gro, has_overflow, has_odd;
	int gro;
	uint32_t overflow;
};
void rig_receive(const struct rig_message *, size_t count);
extern size_t rig_receive_max; /* that the last recvmmsg asked for */

/* What the worker told the parent. */
struct rig_off {
	enum offload offload;
	int error;
	int slot;
};
extern struct rig_off rig_offs[64];
extern size_t rig_off_count;
/* report_tun_gone() comes back here, if set. */
extern jmp_buf *rig_gone;

#endif

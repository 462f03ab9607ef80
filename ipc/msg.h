#ifndef IPC_MSG_H
#define IPC_MSG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/addr.h"
#include "common/log.h"
#include "ipc/imsg.h"
#include "ipc/limits.h"

/*
 * What the processes say to each other.  A new message is: its type and
 * struct here, its reader in msg.c, a sender, a row in the receiver's table,
 * and a test.
 */
enum msg_type {
	/* parent to worker, in this order until MSG_WORKER_START */
	MSG_WORKER_CONFIG = 1,	 /* struct msg_worker_config */
	MSG_WORKER_TUN,		 /* fd */
	MSG_WORKER_COUNTERS,	 /* fd, to be mapped read-write */
	MSG_WORKER_SOCKET,	 /* fd; id: slot */
	MSG_WORKER_PEERS_BEGIN,	 /* a whole new table */
	MSG_WORKER_PEER,	 /* struct msg_peer; id: slot */
	MSG_WORKER_PREFIXES,	 /* struct prefix[]; id: slot */
	MSG_WORKER_PEERS_COMMIT, /* it holds from now; id: its generation */
	MSG_WORKER_START,	 /* no more fds: lock down, run */
	MSG_WORKER_OFFLOAD,	 /* struct msg_offload */
	MSG_WORKER_LOG_LEVEL,	 /* struct msg_log_level */

	/* parent to control */
	MSG_CONTROL_CONFIG = 100, /* struct msg_control_config */
	MSG_CONTROL_LISTEN,	  /* fd; id: 1 admin socket, 0 read-only */
	MSG_CONTROL_START,	  /* lock down, serve */
	MSG_CONTROL_COUNTERS,	  /* fd; id: interface << 16 | queue */
	MSG_CONTROL_STATE,	  /* fd: sealed memfd with the state, JSON */
	MSG_CONTROL_EVENT,	  /* JSON text of one event */
	MSG_CONTROL_REPLY,	  /* struct msg_reply, text; id: request's */
	MSG_CONTROL_LOG_LEVEL,	  /* struct msg_log_level */

	/* child to parent */
	MSG_READY = 200, /* struct msg_ready: locked down, running */
	MSG_LOG,	 /* uint32_t level, text */
	MSG_PEERS_DONE,	 /* worker; id: that of the commit in force */
	MSG_OFFLOAD_OFF, /* worker: struct msg_offload_off; id: slot + 1 */
	MSG_TUN_GONE,	 /* worker: the device was deleted */
	MSG_REQUEST,	 /* control: struct msg_request; id: its choice */
};

/* The offloads that can be switched, one bit each. */
enum offload {
	OFFLOAD_TSO_TX,	 /* read TCP superpackets from the tun */
	OFFLOAD_USO_TX,	 /* read UDP superpackets from the tun */
	OFFLOAD_TSO_RX,	 /* write merged TCP to the tun */
	OFFLOAD_USO_RX,	 /* write merged UDP to the tun */
	OFFLOAD_UDP_GSO, /* UDP_SEGMENT to peers */
	OFFLOAD_UDP_GRO, /* UDP_GRO from peers */
	OFFLOAD_COUNT
};
#define OFFLOAD_BIT(o) (1u << (o))
#define OFFLOAD_ALL ((1u << OFFLOAD_COUNT) - 1)
/* Those of the tun device: they need its virtio_net_hdr. */
#define OFFLOADS_TUN                                                 \
	(OFFLOAD_BIT(OFFLOAD_TSO_TX) | OFFLOAD_BIT(OFFLOAD_USO_TX) | \
	    OFFLOAD_BIT(OFFLOAD_TSO_RX) | OFFLOAD_BIT(OFFLOAD_USO_RX))
/* "tso-tx", "uso-tx", "tso-rx", "uso-rx", "udp-gso", "udp-gro" */
const char *offload_name(enum offload);

/*
 * The words of tund.conf(5) and of requests: the names, and "tso", "uso" and
 * "gro", which stand for some of them.
 */
#define OFFLOAD_WORDS (OFFLOAD_COUNT + 3)
#define OFFLOAD_WORD_LIST \
	"tso, uso, gro, tso-tx, uso-tx, tso-rx, uso-rx, udp-gso, udp-gro"
struct offload_word {
	const char *name;
	uint32_t bits;
};
/* n is below OFFLOAD_WORDS, which is what is found for any other name. */
const struct offload_word *offload_word(size_t n);
size_t offload_word_find(const char *name);

/* How the kernel shall schedule the workers, sched(7). */
enum sched_policy {
	SCHED_POLICY_BATCH, /* SCHED_BATCH: few wake-ups, large batches */
	SCHED_POLICY_RR,    /* SCHED_RR, priority 1: before others */
	SCHED_POLICY_COUNT
};
/* "batch", "rr": as in tund.conf(5) and in replies. */
const char *sched_policy_name(enum sched_policy);

struct msg_worker_config {
	uint32_t vnet_hdr;     /* 1: frames carry a virtio_net_hdr */
	uint32_t offloads;     /* OFFLOAD_BIT()s that may be used */
	uint32_t slots;	       /* sockets that follow */
	uint32_t max_prefixes; /* room for the prefix table */
	uint32_t uid;	       /* what to become */
	uint32_t gid;
	uint32_t log_level;
	uint32_t strict;       /* 1: every sandbox layer or none */
	uint32_t sched_policy; /* enum sched_policy */
	uint32_t pinned;       /* 1: runs on this CPU alone */
	uint32_t cpu;
};

struct msg_peer {
	uint32_t family; /* of its socket: 4 or 6 */
};

struct msg_offload {
	uint32_t offloads; /* OFFLOAD_BIT()s that may be used from now */
};

struct msg_offload_off {
	uint32_t offload; /* udp-gso of a slot; tso-rx, uso-rx: id is 0 */
	int32_t error;	  /* errno of the refusal */
};

struct msg_log_level {
	uint32_t level; /* enum log_level */
};

struct msg_control_config {
	uint32_t uid;
	uint32_t gid;
	uint32_t log_level;
	uint32_t strict;
};

/*
 * What the sandbox did: enum sandbox_layer bits (common/sandbox.h).  Each layer
 * is in one of them, and those that are required are in the first.
 */
struct msg_ready {
	uint32_t applied;
	uint32_t missing;
};

enum request_kind {
	REQUEST_RELOAD = 1,  /* value: 1 for a dry run */
	REQUEST_SET_MTU,     /* interface, value: bytes */
	REQUEST_SET_OFFLOAD, /* interface, what: enum offload, value: 0, 1 */
	REQUEST_LOG_LEVEL,   /* what: enum process_kind, value: level */
};

enum process_kind {
	PROCESS_PARENT,
	PROCESS_WORKER,
	PROCESS_CONTROL,
	PROCESS_COUNT
};
const char *process_name(enum process_kind); /* "tund", "tund-worker", ... */

struct msg_request {
	uint32_t kind;	    /* enum request_kind */
	uint32_t interface; /* the state's interfaces[].id */
	uint32_t what;
	uint32_t value;
};

/* Followed by JSON text: the result, or {"message": ..., "hint": ...}. */
enum reply_status {
	REPLY_OK,
	REPLY_INVALID, /* the request cannot be: bad value, no such thing */
	REPLY_REFUSED, /* valid, and refused: bad configuration, kernel */
	REPLY_BUSY,    /* not now: requests take too much of the time */
	REPLY_COUNT
};
struct msg_reply {
	uint32_t status; /* enum reply_status */
};

/*
 * Readers: 0 if the message is exactly such a one and every value is in its
 * range, else -1.  What they return points into the message or is a copy.
 */
int msg_read_worker_config(const struct imsg *, struct msg_worker_config *);
int msg_read_peer(const struct imsg *, struct msg_peer *);
int msg_read_prefixes(
    const struct imsg *, const struct prefix **, size_t *count);
int msg_read_offload(const struct imsg *, struct msg_offload *);
int msg_read_offload_off(const struct imsg *, struct msg_offload_off *);
int msg_read_log_level(const struct imsg *, struct msg_log_level *);
int msg_read_control_config(const struct imsg *, struct msg_control_config *);
int msg_read_ready(const struct imsg *, struct msg_ready *);
int msg_read_request(const struct imsg *, struct msg_request *);
/* text is NUL terminated, inside m; level in range, text printable. */
int msg_read_log(struct imsg *m, uint32_t *level, const char **text);
int msg_read_reply(struct imsg *m, uint32_t *status, const char **text);
int msg_read_event(struct imsg *m, const char **text);
/* Has an fd and no data; *fd becomes the caller's. */
int msg_take_fd(struct imsg *m, int *fd);
/* Has neither. */
int msg_read_empty(const struct imsg *);

/*
 * The sink of a child's log: what no line may have is sent as '?', and a line
 * that finds the channel full is lost, for there is nobody else to tell.
 */
void msg_send_log(int sock, enum log_level, const char *text);

const char *msg_type_name(uint32_t type); /* "?" when unknown */

#endif

#ifndef PRIVSEP_CONF_H
#define PRIVSEP_CONF_H

#include <sys/queue.h>

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "common/addr.h"
#include "ipc/limits.h"

struct why;

/*
 * The configuration as parsed: what is in effect, with every default filled
 * in.  tund.conf(5) describes it for its users.
 */
#define CONF_USER_DEFAULT "_tund"
#define CONF_CONTROL_USER_DEFAULT "_tundctl"
#define CONF_SOCKET_DEFAULT TUND_RUNTIMEDIR "/tund.sock"
#define CONF_RSOCKET_DEFAULT TUND_RUNTIMEDIR "/tund.rsock"
#define CONF_TXQUEUELEN_DEFAULT 1000
#define CONF_GSO_MAX_SEGS_DEFAULT 65535	   /* the kernel's own */
#define CONF_SOCKET_BUFFER_DEFAULT 7340032 /* bytes, 7 MiB each way */
#define CONF_MAX_PEERS_DEFAULT 64
#define CONF_PATH_MAX 108 /* sun_path */
#define CONF_NAME_SIZE 64 /* peer and user names, with the NUL */

enum conf_device {
	CONF_DEVICE_CREATE, /* made by us, gone with us */
	CONF_DEVICE_ADOPT,  /* an existing persistent device, by name */
	CONF_DEVICE_FD,	    /* an open tun descriptor that we inherited */
};

struct conf_prefixes {
	struct prefix *list;
	size_t count;
};

/* Grows the list, or ends the program; frees it. */
void conf_prefixes_append(struct conf_prefixes *, const struct prefix *);
void conf_prefixes_clear(struct conf_prefixes *);

struct conf_peer {
	TAILQ_ENTRY(conf_peer) entry;
	char name[CONF_NAME_SIZE];
	struct endpoint endpoint;   /* never without a port */
	struct conf_prefixes allow; /* host bits cleared */
	uint32_t mark;		    /* fwmark, 0: none */
	char bind_device[IFNAMSIZ]; /* "": none */
};
TAILQ_HEAD(conf_peers, conf_peer);

struct conf_interface {
	TAILQ_ENTRY(conf_interface) entry;
	char name[IFNAMSIZ]; /* may end in %d */
	enum conf_device device;
	int fd;		/* CONF_DEVICE_FD */
	bool monitored; /* false: no netlink, no MTU, no addresses */
	bool vnet_hdr;	/* ask for IFF_VNET_HDR */
	uint32_t mtu;	/* 0: from the egress route */
	uint32_t txqueuelen;
	uint32_t gso_max_segs;
	uint32_t queues;	     /* workers */
	uint32_t sched_policy;	     /* enum sched_policy (ipc/msg.h) */
	uint32_t cpus[LIMIT_QUEUES]; /* the workers', in turn */
	uint32_t cpu_count;	     /* 0: any */
	uint32_t max_peers;
	uint32_t socket_buffer; /* bytes, each way */
	uint32_t offloads;	/* OFFLOAD_BIT()s asked for (ipc/msg.h) */
	bool routes;		/* add routes for the peers' prefixes */
	struct conf_prefixes addresses; /* host bits kept */
	struct endpoint listen4;	/* port 0: does not listen */
	struct endpoint listen6;
	uint32_t mark;		    /* default for its peers */
	char bind_device[IFNAMSIZ]; /* default for its peers */
	struct conf_peers peers;
	char *file; /* where it stands, for messages */
	int line;
};
TAILQ_HEAD(conf_interfaces, conf_interface);

struct conf {
	char user[CONF_NAME_SIZE]; /* of the workers */
	char control_user[CONF_NAME_SIZE];
	char control_path[CONF_PATH_MAX];  /* admin socket */
	char control_rpath[CONF_PATH_MAX]; /* read-only twin */
	bool sandbox_strict;
	struct conf_interfaces interfaces; /* at least one */
};

/* name=value from the command line; overrides the file's macro. */
struct conf_macro {
	const char *name;
	const char *value;
};

#define CONF_ERRORS_MAX 20 /* of a file; one more says that there are more */
/*
 * Parses a file.  Returns the configuration, the caller's, or NULL after
 * every error was reported as "file:line: message" to report, or as
 * "file: message" where the file itself is wrong.
 */
typedef void conf_report(const char *message, void *arg);
struct conf *conf_parse(const char *path, const struct conf_macro *,
    size_t macros, conf_report *, void *arg);

/* Prints what is in effect; the print parses to an equal configuration. */
void conf_print(const struct conf *, FILE *);
void conf_free(struct conf *);

/*
 * Comparisons for a reload.  conf_cpus_equal looks at cpus alone,
 * conf_peer_same_aim at the name and what the socket is aimed by.
 */
bool conf_global_equal(const struct conf *, const struct conf *);
/*
 * Would a socket of the one share address and port with one of the other?  A
 * wildcard meets every address; each queue has a port.
 */
bool conf_ports_meet(
    const struct conf_interface *, const struct conf_interface *);
bool conf_cpus_equal(
    const struct conf_interface *, const struct conf_interface *);
/*
 * What it takes to make the first into the second, peers apart, and the
 * settings that differ: "mtu, routes", or "".
 */
enum conf_change {
	CONF_SAME,
	CONF_IN_PLACE, /* it can be changed while it runs */
	CONF_ANEW,     /* another device or other sockets */
};
#define CONF_NAMES_MAX 192
enum conf_change conf_interface_compare(const struct conf_interface *,
    const struct conf_interface *, char names[CONF_NAMES_MAX]);
/* Are all settings of the two peers equal?  names: as above. */
bool conf_peer_compare(const struct conf_peer *, const struct conf_peer *,
    char names[CONF_NAMES_MAX]);
bool conf_peer_same_aim(const struct conf_peer *, const struct conf_peer *);
struct conf_interface *conf_find_interface(
    const struct conf *, const char *name);
struct conf_peer *conf_find_peer(
    const struct conf_interface *, const char *name);
/* Is that prefix, as it stands, one that the peer is allowed? */
bool conf_allows(const struct conf_peer *, const struct prefix *);
/* The first IPv6 address, which asks for an MTU of MTU_MIN_IPV6; or NULL. */
const struct prefix *conf_find_ipv6(const struct conf_interface *);
/*
 * The largest inner packet that a datagram to each of the peers can carry: its
 * length is a 16-bit field, of IPv4 with the headers (RFC 791, RFC 768).  *peer
 * is one that allows no more, or NULL.
 */
uint32_t conf_mtu_max(
    const struct conf_interface *, const struct conf_peer **peer);
/*
 * Do the addresses and the peers go with that MTU?  0, or -1 after why, a
 * sentence that begins with "mtu".
 */
int conf_mtu_check(
    const struct conf_interface *, uint32_t mtu, struct why *why);

#endif

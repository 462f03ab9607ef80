#ifndef WORKER_PEER_H
#define WORKER_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ipc/counters.h"
#include "ipc/limits.h"
#include "worker/prefix.h"
#include "worker/udp_state.h"

/*
 * Peers.  A peer is a socket that the parent connected; a slot is where one
 * may be.  The whole table is replaced at once: what a reload sends is built
 * beside the table in force and takes its place when it is complete.
 */

/* One that was looked up: to know it again saves 19 to 101 ns (bench/micro). */
struct peer_address {
	uint8_t version; /* 0: none */
	uint8_t bytes[16];
};

struct peer {
	int fd; /* -1: the slot has no socket */
	uint16_t slot;
	bool active; /* has a peer; else what comes is dropped */
	bool ready;  /* its socket may have more to read */
	struct udp_state udp;
	struct peer_address last_src; /* of the last packet that passed */
	struct peer_counters *counters;
};

struct peers {
	size_t slots;
	struct peer peer[LIMIT_SLOTS];
	struct prefix_table *table;   /* in force */
	struct peer_address last_dst; /* of a packet that had a peer: this */
	uint16_t last_dst_slot;
	/* the next table */
	bool building;
	struct prefix_table *next_table;
	uint8_t next_family[LIMIT_SLOTS]; /* 0: no peer */
};

/* Reserves all memory.  -1 when there is not enough. */
int peers_init(
    struct peers *, size_t slots, size_t max_prefixes, struct counters *);

/* The next table: begin, any number of peers and prefixes, commit. */
void peers_begin(struct peers *);
int peers_add(struct peers *, size_t slot, unsigned int family);
int peers_add_prefix(struct peers *, size_t slot, const struct prefix *);
int peers_commit(struct peers *);

/* The peer whose prefix is the longest that matches, or NULL. */
struct peer *peers_lookup(
    struct peers *, unsigned int version, const uint8_t *addr);
/* Is the address one that this peer may send from? */
bool peers_source_ok(
    struct peers *, struct peer *, unsigned int version, const uint8_t *addr);

#endif

#ifndef TESTS_BURSTS_H
#define TESTS_BURSTS_H

#include "tests/packets.h"

/*
 * Bursts and superpackets from a seed: the same seed gives the same one on
 * every machine.  What fails is shrunk before it is shown.
 */
#define BURST_MAX 256

/* A packet, and what is done to it after it was built. */
struct piece {
	struct packet_spec spec;
	size_t flip_at;
	uint8_t flip; /* exclusive or; 0: the packet is as built */
	uint8_t cut;  /* bytes taken off the end, but never the first */
};

struct burst {
	size_t count;
	struct piece pieces[BURST_MAX];
};

struct super {
	struct packet_spec spec; /* with all of the payload */
	struct vnet_spec vnet;
	struct {
		size_t at;
		uint8_t flip;
	} lies[3]; /* bytes of the frame that are changed, for a flip not 0 */
};

struct random {
	uint64_t state;
};
uint32_t random_next(struct random *);
/* 0 to n - 1. */
uint32_t random_below(struct random *, uint32_t n);
bool random_percent(struct random *, uint32_t percent);

void burst_generate(uint64_t seed, struct burst *);
void burst_build(const struct burst *, struct list *);
void burst_print(const struct burst *);

/* At most 64 segments of one flow, that a coalescer would make again. */
void super_generate(uint64_t seed, struct super *);
/* Any number of segments, any flags. */
void super_generate_any(uint64_t seed, struct super *);
/* One that lies in its headers, or is cut off. */
void super_generate_lying(uint64_t seed, struct super *);
void super_build(const struct super *, struct list *);
void super_print(const struct super *);

/* NULL, or what is wrong with it: static text, or a buffer of its own. */
typedef const char *burst_property(const struct burst *);
typedef const char *super_property(const struct super *);

/*
 * Makes the case as small as it goes while the property still fails: fewer
 * packets, shorter payloads, no options, flags or lies that it does not take.
 * The property holds for what it is not about, or that is what would be found.
 */
void burst_shrink(struct burst *, burst_property *);
void super_shrink(struct super *, super_property *);

#endif

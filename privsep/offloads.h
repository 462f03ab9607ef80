#ifndef PRIVSEP_OFFLOADS_H
#define PRIVSEP_OFFLOADS_H

#include <stdbool.h>
#include <stdint.h>

#include "ipc/msg.h"

struct why;

/*
 * The offloads of an interface: what was asked for, what the kernel granted at
 * the start, what it refused since; OFFLOAD_BIT()s.  Zeroed, none is asked
 * for and none granted.
 */
struct offloads {
	uint32_t wanted;		/* configured, then set */
	uint32_t granted;		/* by this kernel and device */
	uint32_t refused;		/* in use, or when switched on: off */
	char reason[OFFLOAD_COUNT][96]; /* of a refusal, also of a peer's */
};

/*
 * Of those of asked the kernel granted these, and not the others, for why; "":
 * it did not say.
 */
void offloads_grant(
    struct offloads *, uint32_t asked, uint32_t granted, const char *why);
/* Those that may be used now: asked for, granted, not refused. */
uint32_t offloads_used(const struct offloads *);
/* From now on these; those of again may be tried once more. */
void offloads_want(struct offloads *, uint32_t wanted, uint32_t again);
/* Off until it may be tried again; false: it was already. */
bool offloads_refuse(struct offloads *, enum offload);
/* Why it was refused, be it for one peer alone; returns it as it is kept. */
const char *offloads_note(struct offloads *, enum offload, const char *why);
/* Why it is off, or was refused; NULL: neither.  Until the next change. */
const char *offloads_reason(const struct offloads *, enum offload);
/* The sentence for one that cannot be switched on; -1. */
int offloads_explain(const struct offloads *, enum offload,
    const char *interface, struct why *why);

#endif

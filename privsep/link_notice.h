#ifndef PRIVSEP_LINK_NOTICE_H
#define PRIVSEP_LINK_NOTICE_H

#include <sys/queue.h>

#include <stdint.h>

#include "privsep/link.h"

/*
 * What changed between two states of a link, kept in order until it is told.
 */
struct link_notice {
	TAILQ_ENTRY(link_notice) entry;
	uint64_t serial; /* whose it is; by now it may be watched no more */
	enum link_change change;
	struct link_state now;
	struct link_state before;
};
TAILQ_HEAD(link_notices, link_notice);

/* One for each difference, in the order that link_on_change promises. */
void link_notice_differences(struct link_notices *, uint64_t serial,
    const struct link_state *now, const struct link_state *before);
/* Puts one at the end.  Where memory is short it is logged, and lost. */
void link_notice_add(struct link_notices *, uint64_t serial, enum link_change,
    const struct link_state *now, const struct link_state *before);
/* The first, which is the caller's to free; NULL if there is none. */
struct link_notice *link_notice_take(struct link_notices *);

#endif

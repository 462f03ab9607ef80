#ifndef WORKER_PREFIX_H
#define WORKER_PREFIX_H

#include <stddef.h>
#include <stdint.h>

#include "common/addr.h"

/*
 * Longest-prefix match from an address to a slot.  A trie of four bits a
 * step: the cost of a look-up depends on how long the prefixes are that begin
 * like the address, never on how many there are.  All memory is reserved at
 * start, and taken as prefixes come.
 */
#define PREFIX_NONE 0xffff

struct prefix_table;

/* Room for max prefixes of any length; NULL when memory is short. */
struct prefix_table *prefix_table_new(size_t max);
void prefix_table_free(struct prefix_table *);
void prefix_table_clear(struct prefix_table *);
/* 0, or -1 when there is no room.  The last insertion of a prefix wins. */
int prefix_table_insert(
    struct prefix_table *, const struct prefix *, uint16_t value);
/* version: 4 or 6; addr: 4 or 16 bytes.  PREFIX_NONE if nothing matches. */
uint16_t prefix_table_lookup(
    const struct prefix_table *, unsigned int version, const uint8_t *addr);

#endif

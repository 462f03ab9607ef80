#include <sys/mman.h>

#include <string.h>

#include "worker/prefix.h"

/*
 * Each node has a slot for each value of four address bits.  A prefix whose
 * length is no multiple of four fills all slots that it covers, unless a longer
 * one is there already; len remembers how long, plus one, 0 being empty.
 */
#define FANOUT 16
#define NODES_PER_PREFIX 32 /* 128 bits, four a step */

struct prefix_node {
	uint32_t child[FANOUT]; /* 0: none */
	uint16_t value[FANOUT];
	uint8_t len[FANOUT]; /* of the prefix that set value, + 1 */
};

struct prefix_table {
	size_t room; /* nodes */
	size_t used;
	size_t size;	 /* bytes mapped */
	uint16_t any[2]; /* value of the empty prefix, IPv4 and IPv6 */
	/* node 0 is the IPv4 root, node 1 that of IPv6 */
	struct prefix_node node[];
};

/*
 * Pages are taken as they are touched: the worst case is reserved, not used.
 */
struct prefix_table *
prefix_table_new(size_t max)
{
	size_t room = 2 + max * NODES_PER_PREFIX;
	size_t size =
	    sizeof(struct prefix_table) + room * sizeof(struct prefix_node);
	struct prefix_table *t;

	t = mmap(NULL, size, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (t == MAP_FAILED)
		return NULL;
	t->room = room;
	t->size = size;
	prefix_table_clear(t);
	return t;
}

void
prefix_table_free(struct prefix_table *t)
{
	if (t != NULL)
		munmap(t, t->size);
}

void
prefix_table_clear(struct prefix_table *t)
{
	t->used = 2;
	t->any[0] = t->any[1] = PREFIX_NONE;
	memset(t->node, 0, 2 * sizeof(t->node[0]));
}

static unsigned int
nibble(const uint8_t *addr, unsigned int step)
{
	return step & 1 ? addr[step / 2] & 0x0f : addr[step / 2] >> 4;
}

static uint32_t
descend(struct prefix_table *t, uint32_t node, unsigned int slot)
{
	uint32_t next = t->node[node].child[slot];

	if (next != 0 || t->used == t->room)
		return next;
	next = (uint32_t)t->used++;
	memset(&t->node[next], 0, sizeof(t->node[next]));
	t->node[node].child[slot] = next;
	return next;
}

int
prefix_table_insert(
    struct prefix_table *t, const struct prefix *given, uint16_t value)
{
	struct prefix p = *given;
	unsigned int step, slot, span, i;
	uint32_t node = p.addr.family == 6;

	prefix_mask(&p);
	if (p.len == 0) {
		t->any[node] = value;
		return 0;
	}
	for (step = 0; step < (p.len - 1u) / 4; step++)
		if ((node = descend(t, node, nibble(p.addr.bytes, step))) == 0)
			return -1;
	slot = nibble(p.addr.bytes, step);
	span = 1u << (4 * (step + 1) - p.len);
	for (i = slot; i < slot + span; i++) {
		if (t->node[node].len[i] > p.len + 1)
			continue;
		t->node[node].len[i] = (uint8_t)(p.len + 1);
		t->node[node].value[i] = value;
	}
	return 0;
}

uint16_t
prefix_table_lookup(
    const struct prefix_table *t, unsigned int version, const uint8_t *addr)
{
	uint32_t node = version == 6;
	uint16_t best = t->any[node];
	unsigned int step = 0, slot;

	do {
		slot = nibble(addr, step++);
		if (t->node[node].len[slot] != 0)
			best = t->node[node].value[slot];
		node = t->node[node].child[slot];
	} while (node != 0);
	return best;
}

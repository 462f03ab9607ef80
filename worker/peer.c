#include <string.h>

#include "worker/peer.h"

int
peers_init(struct peers *ps, size_t slots, size_t max_prefixes,
    struct counters *counters)
{
	size_t i;

	memset(ps, 0, sizeof(*ps));
	ps->slots = slots;
	for (i = 0; i < slots; i++) {
		ps->peer[i].fd = -1;
		ps->peer[i].slot = (uint16_t)i;
		ps->peer[i].counters = &counters->peers[i];
	}
	ps->table = prefix_table_new(max_prefixes);
	ps->next_table = prefix_table_new(max_prefixes);
	return ps->table != NULL && ps->next_table != NULL ? 0 : -1;
}

void
peers_begin(struct peers *ps)
{
	ps->building = true;
	prefix_table_clear(ps->next_table);
	memset(ps->next_family, 0, sizeof(ps->next_family));
}

int
peers_add(struct peers *ps, size_t slot, unsigned int family)
{
	if (!ps->building || slot >= ps->slots || ps->peer[slot].fd == -1 ||
	    ps->next_family[slot] != 0)
		return -1;
	ps->next_family[slot] = (uint8_t)family;
	return 0;
}

int
peers_add_prefix(struct peers *ps, size_t slot, const struct prefix *p)
{
	if (!ps->building || slot >= ps->slots || ps->next_family[slot] == 0)
		return -1;
	return prefix_table_insert(ps->next_table, p, (uint16_t)slot);
}

int
peers_commit(struct peers *ps)
{
	struct prefix_table *old = ps->table;
	struct peer *p;
	size_t i;

	if (!ps->building)
		return -1;
	ps->building = false;
	ps->table = ps->next_table;
	ps->next_table = old;
	ps->last_dst.version = 0;
	for (i = 0; i < ps->slots; i++) {
		p = &ps->peer[i];
		udp_state_renew(&p->udp, ps->next_family[i], p->active);
		p->active = ps->next_family[i] != 0;
		p->last_src.version = 0;
	}
	return 0;
}

/*
 * Most packets come from where the last one came from, and go where the last
 * one went: the comparison saves the walk through the trie.
 */
static inline bool
is_address(
    const struct peer_address *a, unsigned int version, const uint8_t *addr)
{
	if (a->version != version)
		return false;
	return version == 4 ? memcmp(a->bytes, addr, 4) == 0
			    : memcmp(a->bytes, addr, 16) == 0;
}

static void
note_address(struct peer_address *a, unsigned int version, const uint8_t *addr)
{
	a->version = (uint8_t)version;
	memcpy(a->bytes, addr, version == 4 ? 4 : 16);
}

struct peer *
peers_lookup(struct peers *ps, unsigned int version, const uint8_t *addr)
{
	uint16_t slot;

	if (is_address(&ps->last_dst, version, addr))
		return &ps->peer[ps->last_dst_slot];
	slot = prefix_table_lookup(ps->table, version, addr);
	if (slot == PREFIX_NONE)
		return NULL;
	note_address(&ps->last_dst, version, addr);
	ps->last_dst_slot = slot;
	return &ps->peer[slot];
}

bool
peers_source_ok(
    struct peers *ps, struct peer *p, unsigned int version, const uint8_t *addr)
{
	if (is_address(&p->last_src, version, addr))
		return true;
	if (prefix_table_lookup(ps->table, version, addr) != p->slot)
		return false;
	note_address(&p->last_src, version, addr);
	return true;
}

#ifndef PRIVSEP_CONF_SCOPE_H
#define PRIVSEP_CONF_SCOPE_H

#include "privsep/conf_build.h"

/*
 * What conf_build.c notes while it builds and conf_check.c looks at when a
 * block ends: where each statement stood.
 */
struct scope {
	struct conf_where begin;
	struct conf_where set[SETTING_COUNT]; /* no file: not set */
	bool lost; /* a statement was lost to a syntax error */
};

struct build_peer {
	TAILQ_ENTRY(build_peer) entry;
	struct conf_peer *conf;
	struct scope scope;
};
TAILQ_HEAD(build_peers, build_peer);

struct build_interface {
	TAILQ_ENTRY(build_interface) entry;
	struct conf_interface *conf;
	struct scope scope;
	struct build_peers peers;
	void *allowed; /* tsearch(3) tree of struct build_allowed */
	size_t prefixes;
	uint32_t offloads_on;	/* switched on by name */
	uint32_t offload_words; /* seen, by row of the table */
};
TAILQ_HEAD(build_interfaces, build_interface);

struct build_allowed {
	struct prefix prefix;
	const struct conf_peer *peer;
	struct conf_where where;
};

const char *setting_name(enum conf_setting);
bool scope_has(const struct scope *, enum conf_setting);

/* What can be said only when the block is complete. */
void check_interface(struct conf_errors *, const struct build_interfaces *,
    struct build_interface *);
void check_peer(struct conf_errors *, struct build_peer *);
void check_global(struct conf_errors *, const struct conf *,
    const struct scope *, struct conf_where end);

#endif

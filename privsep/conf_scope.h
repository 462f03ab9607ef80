#ifndef PRIVSEP_CONF_SCOPE_H
#define PRIVSEP_CONF_SCOPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "privsep/conf_error.h"
#include "privsep/conf_setting.h"

/*
 * What conf_build.c notes while it builds and conf_check.c looks at when a
 * block ends: where each statement stood, and what it belongs to.
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
	uint32_t offload_words; /* seen, a bit each */
};
TAILQ_HEAD(build_interfaces, build_interface);

struct build_allowed {
	struct prefix prefix;
	const struct conf_peer *peer;
	struct conf_where where;
};

static inline bool
scope_has(const struct scope *scope, enum conf_setting setting)
{
	return scope->set[setting].file != NULL;
}

#endif

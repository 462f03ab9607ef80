#include <sys/param.h>

#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/why.h"
#include "privsep/conf.h"

static void
conf_peer_free(struct conf_peer *p)
{
	free(p->allow.list);
	free(p);
}

static void
conf_interface_free(struct conf_interface *i)
{
	struct conf_peer *p;

	while ((p = TAILQ_FIRST(&i->peers)) != NULL) {
		TAILQ_REMOVE(&i->peers, p, entry);
		conf_peer_free(p);
	}
	free(i->addresses.list);
	free(i->file);
	free(i);
}

void
conf_free(struct conf *conf)
{
	struct conf_interface *i;

	if (conf == NULL)
		return;
	while ((i = TAILQ_FIRST(&conf->interfaces)) != NULL) {
		TAILQ_REMOVE(&conf->interfaces, i, entry);
		conf_interface_free(i);
	}
	free(conf);
}

void
conf_prefixes_append(struct conf_prefixes *p, const struct prefix *prefix)
{
	/* full whenever the count is a power of two */
	if ((p->count & (p->count - 1)) == 0) {
		p->list = reallocarray(p->list,
		    p->count == 0 ? 1 : 2 * p->count, sizeof(*p->list));
		if (p->list == NULL)
			fatal("memory for prefixes");
	}
	p->list[p->count++] = *prefix;
}

void
conf_prefixes_clear(struct conf_prefixes *p)
{
	free(p->list);
	*p = (struct conf_prefixes){0};
}

static bool
prefixes_equal(const struct conf_prefixes *a, const struct conf_prefixes *b)
{
	size_t n;

	if (a->count != b->count)
		return false;
	for (n = 0; n < a->count; n++) {
		if (!prefix_equal(&a->list[n], &b->list[n]))
			return false;
	}
	return true;
}

bool
conf_global_equal(const struct conf *a, const struct conf *b)
{
	return strcmp(a->user, b->user) == 0 &&
	       strcmp(a->control_user, b->control_user) == 0 &&
	       strcmp(a->control_path, b->control_path) == 0 &&
	       strcmp(a->control_rpath, b->control_rpath) == 0 &&
	       a->sandbox_strict == b->sandbox_strict;
}

static bool
addresses_meet(const struct endpoint *a, const struct endpoint *b)
{
	return addr_is_unspecified(&a->addr) || addr_is_unspecified(&b->addr) ||
	       endpoint_same_address(a, b);
}

static bool
ranges_meet(const struct endpoint *a, uint32_t a_queues,
    const struct endpoint *b, uint32_t b_queues)
{
	return a->port != 0 && b->port != 0 && addresses_meet(a, b) &&
	       a->port < b->port + b_queues && b->port < a->port + a_queues;
}

bool
conf_ports_meet(const struct conf_interface *a, const struct conf_interface *b)
{
	return ranges_meet(&a->listen4, a->queues, &b->listen4, b->queues) ||
	       ranges_meet(&a->listen6, a->queues, &b->listen6, b->queues);
}

bool
conf_cpus_equal(const struct conf_interface *a, const struct conf_interface *b)
{
	return a->cpu_count == b->cpu_count &&
	       memcmp(a->cpus, b->cpus, a->cpu_count * sizeof(a->cpus[0])) == 0;
}

static void
add_name(char names[CONF_NAMES_MAX], const char *name)
{
	if (names[0] != '\0')
		strlcat(names, ", ", CONF_NAMES_MAX);
	strlcat(names, name, CONF_NAMES_MAX);
}

enum conf_change
conf_interface_compare(const struct conf_interface *a,
    const struct conf_interface *b, char names[CONF_NAMES_MAX])
{
	const struct {
		const char *name;
		enum conf_change change;
		bool same;
	} settings[] = {
	    {"device", CONF_ANEW,
		a->device == b->device && a->fd == b->fd &&
		    a->monitored == b->monitored},
	    {"vnet-header", CONF_ANEW, a->vnet_hdr == b->vnet_hdr},
	    {"queues", CONF_ANEW, a->queues == b->queues},
	    {"sched-policy", CONF_IN_PLACE, a->sched_policy == b->sched_policy},
	    {"cpus", CONF_IN_PLACE, conf_cpus_equal(a, b)},
	    {"offload", CONF_IN_PLACE, a->offloads == b->offloads},
	    {"mtu", CONF_IN_PLACE, a->mtu == b->mtu},
	    {"address", CONF_IN_PLACE,
		prefixes_equal(&a->addresses, &b->addresses)},
	    {"routes", CONF_IN_PLACE, a->routes == b->routes},
	    {"txqueuelen", CONF_IN_PLACE, a->txqueuelen == b->txqueuelen},
	    {"gso-max-segs", CONF_IN_PLACE, a->gso_max_segs == b->gso_max_segs},
	    {"listen", CONF_ANEW,
		endpoint_equal(&a->listen4, &b->listen4) &&
		    endpoint_equal(&a->listen6, &b->listen6)},
	    {"socket-buffer", CONF_ANEW, a->socket_buffer == b->socket_buffer},
	    {"max-peers", CONF_ANEW, a->max_peers == b->max_peers},
	    {"mark", CONF_IN_PLACE, a->mark == b->mark},
	    {"bind-device", CONF_IN_PLACE,
		strcmp(a->bind_device, b->bind_device) == 0},
	};
	enum conf_change change = CONF_SAME;
	size_t n;

	names[0] = '\0';
	for (n = 0; n < sizeof(settings) / sizeof(settings[0]); n++) {
		if (settings[n].same)
			continue;
		change = MAX(change, settings[n].change);
		add_name(names, settings[n].name);
	}
	return change;
}

bool
conf_peer_same_aim(const struct conf_peer *a, const struct conf_peer *b)
{
	return strcmp(a->name, b->name) == 0 &&
	       endpoint_equal(&a->endpoint, &b->endpoint) &&
	       a->mark == b->mark &&
	       strcmp(a->bind_device, b->bind_device) == 0;
}

bool
conf_peer_compare(const struct conf_peer *a, const struct conf_peer *b,
    char names[CONF_NAMES_MAX])
{
	names[0] = '\0';
	if (!endpoint_equal(&a->endpoint, &b->endpoint))
		add_name(names, "endpoint");
	if (!prefixes_equal(&a->allow, &b->allow))
		add_name(names, "allow");
	if (a->mark != b->mark)
		add_name(names, "mark");
	if (strcmp(a->bind_device, b->bind_device) != 0)
		add_name(names, "bind-device");
	return names[0] == '\0';
}

struct conf_interface *
conf_find_interface(const struct conf *conf, const char *name)
{
	struct conf_interface *i;

	TAILQ_FOREACH (i, &conf->interfaces, entry) {
		if (strcmp(i->name, name) == 0)
			return i;
	}
	return NULL;
}

/* The parser has sorted them: there may be ten thousand. */
bool
conf_allows(const struct conf_peer *p, const struct prefix *prefix)
{
	return p->allow.count > 0 &&
	       bsearch(prefix, p->allow.list, p->allow.count, sizeof(*prefix),
		   prefix_compare) != NULL;
}

const struct prefix *
conf_find_ipv6(const struct conf_interface *i)
{
	size_t n;

	for (n = 0; n < i->addresses.count; n++)
		if (i->addresses.list[n].addr.family == 6)
			return &i->addresses.list[n];
	return NULL;
}

uint32_t
conf_mtu_max(const struct conf_interface *i, const struct conf_peer **peer)
{
	uint32_t most = MTU_MAX, one;
	const struct conf_peer *p;

	*peer = NULL;
	TAILQ_FOREACH (p, &i->peers, entry) {
		one = p->endpoint.addr.family == 4 ? 65535 - 20 - 8 : 65535 - 8;
		if (one < most) {
			most = one;
			*peer = p;
		}
	}
	return most;
}

int
conf_mtu_check(const struct conf_interface *i, uint32_t mtu, struct why *why)
{
	const struct prefix *ipv6 = conf_find_ipv6(i);
	const struct conf_peer *peer;
	uint32_t most = conf_mtu_max(i, &peer);
	char text[PREFIX_STRLEN];

	if (mtu > most)
		return why_set(why,
		    "mtu %u is more than a datagram to peer \"%s\" can "
		    "carry; lower it to %u",
		    mtu, peer->name, most);
	/* with less than it needs the kernel takes its addresses away */
	if (mtu < MTU_MIN_IPV6 && ipv6 != NULL)
		return why_set(why,
		    "mtu %u is too small for IPv6, which needs %d; raise it or "
		    "remove address %s",
		    mtu, MTU_MIN_IPV6, prefix_format(ipv6, text));
	return 0;
}

struct conf_peer *
conf_find_peer(const struct conf_interface *i, const char *name)
{
	struct conf_peer *p;

	TAILQ_FOREACH (p, &i->peers, entry) {
		if (strcmp(p->name, name) == 0)
			return p;
	}
	return NULL;
}

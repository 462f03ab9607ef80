#include <stdlib.h>
#include <string.h>

#include "common/why.h"
#include "ipc/msg.h"
#include "privsep/conf_check.h"

/* Links are set up through netlink, which an unmonitored one does not have. */
static void
check_unmonitored(struct conf_errors *errors, const struct build_interface *i)
{
	static const enum conf_setting needs[] = {SETTING_MTU, SETTING_ADDRESS,
	    SETTING_TXQUEUELEN, SETTING_GSO_MAX_SEGS, SETTING_ROUTES};
	const struct conf_where *set = i->scope.set;
	size_t n;

	for (n = 0; n < sizeof(needs) / sizeof(needs[0]); n++) {
		if (!scope_has(&i->scope, needs[n]) ||
		    (needs[n] == SETTING_ROUTES && !i->conf->routes))
			continue;
		conf_error(errors, set[needs[n]],
		    "%s cannot be set on an unmonitored device; remove it, or "
		    "\"unmonitored\" (%s)",
		    setting_name(needs[n]),
		    conf_cite(set[needs[n]], set[SETTING_DEVICE]).text);
	}
}

static void
check_fd_is_free(struct conf_errors *errors, const struct build_interfaces *all,
    const struct build_interface *i)
{
	const struct build_interface *other;
	struct conf_where where = i->scope.set[SETTING_DEVICE];

	TAILQ_FOREACH (other, all, entry) {
		if (other == i)
			return;
		if (other->conf->fd != i->conf->fd)
			continue;
		conf_error(errors, where,
		    "device fd %d is that of interface \"%s\" already (%s)",
		    i->conf->fd, other->conf->name,
		    conf_cite(where, other->scope.set[SETTING_DEVICE]).text);
	}
}

static void
check_device(struct conf_errors *errors, const struct build_interfaces *all,
    const struct build_interface *i)
{
	const struct conf_interface *c = i->conf;
	const struct scope *scope = &i->scope;

	if (c->device != CONF_DEVICE_CREATE && strchr(c->name, '%') != NULL)
		conf_error(errors, scope->set[SETTING_DEVICE],
		    "interface \"%s\": a name with %%d needs \"device create\"",
		    c->name);
	if (c->fd != -1)
		check_fd_is_free(errors, all, i);
	if (!c->monitored)
		check_unmonitored(errors, i);
}

static void
check_mtu(struct conf_errors *errors, const struct build_interface *i)
{
	struct why why;

	if (i->conf->mtu != 0 &&
	    conf_mtu_check(i->conf, i->conf->mtu, &why) == -1)
		conf_error(errors, i->scope.set[SETTING_MTU], "%s", why.text);
}

/* Superpackets cross the tun only with a virtio_net_hdr before them. */
static void
check_offloads(struct conf_errors *errors, struct build_interface *i)
{
	uint32_t wrong = i->offloads_on & OFFLOADS_TUN;
	enum offload o;

	if (i->conf->vnet_hdr)
		return;
	i->conf->offloads &= ~OFFLOADS_TUN;
	for (o = 0; o < OFFLOAD_COUNT; o++) {
		if ((wrong & OFFLOAD_BIT(o)) == 0)
			continue;
		conf_error(errors, i->scope.set[SETTING_OFFLOAD],
		    "offload %s on needs \"vnet-header on\"", offload_name(o));
		return;
	}
}

static void
check_peer_listens(struct conf_errors *errors, const struct build_interface *i,
    const struct build_peer *p)
{
	const struct endpoint *e = &p->conf->endpoint;
	const struct endpoint *own, *other;
	struct conf_where where = p->scope.set[SETTING_ENDPOINT];
	bool is4 = e->addr.family == 4;

	own = is4 ? &i->conf->listen4 : &i->conf->listen6;
	other = is4 ? &i->conf->listen6 : &i->conf->listen4;
	if (e->port == 0)
		return;
	if (own->port == 0 && other->port != 0)
		conf_error(errors, where,
		    "peer \"%s\": endpoint is IPv%d but the interface listens "
		    "on IPv%d only; add \"listen udp on %s port N\"",
		    p->conf->name, is4 ? 4 : 6, is4 ? 6 : 4,
		    is4 ? "0.0.0.0" : "::");
	else if (endpoint_equal(own, e))
		conf_error(errors, where,
		    "peer \"%s\": endpoint is where this interface itself "
		    "listens; give the peer's own",
		    p->conf->name);
}

static void
check_listen(struct conf_errors *errors, const struct build_interface *i)
{
	const struct conf_interface *c = i->conf;
	const struct build_peer *p;

	if (i->scope.lost || TAILQ_EMPTY(&i->peers))
		return;
	if (c->listen4.port == 0 && c->listen6.port == 0) {
		p = TAILQ_FIRST(&i->peers);
		conf_error(errors, i->scope.begin,
		    "interface \"%s\" has peers but does not listen; add "
		    "\"listen udp on %s port N\"",
		    c->name,
		    p->conf->endpoint.addr.family == 6 ? "::" : "0.0.0.0");
		return;
	}
	TAILQ_FOREACH (p, &i->peers, entry)
		check_peer_listens(errors, i, p);
}

/* Each queue has a port of its own, counted up from the configured one. */
static bool
ports_fit(const struct conf_interface *c, uint16_t port)
{
	return port + c->queues - 1 <= UINT16_MAX;
}

/* That was said when it was parsed. */
static bool
same_listen(const struct conf_interface *a, const struct conf_interface *b)
{
	return (a->listen4.port != 0 &&
		   endpoint_equal(&a->listen4, &b->listen4)) ||
	       (a->listen6.port != 0 &&
		   endpoint_equal(&a->listen6, &b->listen6));
}

static void
check_ports(struct conf_errors *errors, const struct build_interfaces *all,
    const struct build_interface *i)
{
	const struct conf_interface *c = i->conf;
	const struct build_interface *other;
	const struct build_peer *p;

	if (!ports_fit(c, c->listen4.port) || !ports_fit(c, c->listen6.port))
		conf_error(errors, i->scope.set[SETTING_QUEUES],
		    "the last of %u queues would listen above port 65535; "
		    "listen on a lower port",
		    c->queues);
	TAILQ_FOREACH (p, &i->peers, entry)
		if (!ports_fit(c, p->conf->endpoint.port))
			conf_error(errors, p->scope.begin,
			    "peer \"%s\": the last of %u queues would send to "
			    "a port above 65535; choose a lower port",
			    p->conf->name, c->queues);
	TAILQ_FOREACH (other, all, entry) {
		if (other == i)
			return;
		if (conf_ports_meet(c, other->conf) &&
		    !same_listen(c, other->conf))
			conf_error(errors, i->scope.begin,
			    "interface \"%s\" and \"%s\" listen on the same "
			    "ports, counting one for each queue; move them "
			    "apart",
			    c->name, other->conf->name);
	}
}

static void
check_peer_count(struct conf_errors *errors, const struct build_interface *i)
{
	const struct build_peer *p;
	uint32_t n = 0;

	TAILQ_FOREACH (p, &i->peers, entry) {
		if (n++ < i->conf->max_peers)
			continue;
		conf_error(errors, p->scope.begin,
		    "peer \"%s\" is one more than max-peers %u; raise "
		    "max-peers (at most %d)",
		    p->conf->name, i->conf->max_peers, LIMIT_PEERS);
		return;
	}
}

/* A CPU without a worker is a mistake; workers may share one. */
static void
check_cpus(struct conf_errors *errors, const struct build_interface *i)
{
	const struct conf_interface *c = i->conf;

	if (c->cpu_count > c->queues && !i->scope.lost)
		conf_error(errors, i->scope.set[SETTING_CPUS],
		    "%u cpus for %u queue%s; raise queues or name fewer",
		    c->cpu_count, c->queues, c->queues == 1 ? "" : "s");
}

static void
inherit(const struct conf_interface *c, const struct build_peer *p)
{
	if (!scope_has(&p->scope, SETTING_MARK))
		p->conf->mark = c->mark;
	if (!scope_has(&p->scope, SETTING_BIND_DEVICE))
		strlcpy(p->conf->bind_device, c->bind_device,
		    sizeof(p->conf->bind_device));
}

/* As when both ends have the same file: no packet would reach the tunnel. */
static void
check_own_addresses(struct conf_errors *errors, const struct build_interface *i)
{
	const struct conf_prefixes *own = &i->conf->addresses;
	const struct build_peer *p;
	char text[PREFIX_STRLEN];
	struct prefix host;
	size_t n;

	TAILQ_FOREACH (p, &i->peers, entry) {
		for (n = 0; n < own->count; n++) {
			host = own->list[n];
			host.len = (uint8_t)addr_bits(&host.addr);
			if (conf_allows(p->conf, &host))
				conf_error(errors, p->scope.begin,
				    "peer \"%s\" is allowed %s, an address of "
				    "this interface itself; give the peer its "
				    "own",
				    p->conf->name, prefix_format(&host, text));
		}
	}
}

void
check_interface(struct conf_errors *errors, const struct build_interfaces *all,
    struct build_interface *i)
{
	const struct build_peer *p;

	check_device(errors, all, i);
	check_mtu(errors, i);
	check_offloads(errors, i);
	check_listen(errors, i);
	check_ports(errors, all, i);
	check_peer_count(errors, i);
	check_cpus(errors, i);
	check_own_addresses(errors, i);
	TAILQ_FOREACH (p, &i->peers, entry)
		inherit(i->conf, p);
}

void
check_peer(struct conf_errors *errors, struct build_peer *p)
{
	struct conf_prefixes *allow = &p->conf->allow;

	if (!p->scope.lost && !scope_has(&p->scope, SETTING_ENDPOINT))
		conf_error(errors, p->scope.begin,
		    "peer \"%s\" has no endpoint; add \"endpoint ADDRESS port "
		    "N\"",
		    p->conf->name);
	/* their order means nothing, and a reload compares */
	if (allow->count > 1)
		qsort(allow->list, allow->count, sizeof(*allow->list),
		    prefix_compare);
}

void
check_global(struct conf_errors *errors, const struct conf *conf,
    const struct scope *scope, struct conf_where end)
{
	struct conf_where where;

	if (conf->control_path[0] != '\0' &&
	    strcmp(conf->control_path, conf->control_rpath) == 0) {
		where = scope_has(scope, SETTING_CONTROL_READ_ONLY)
			    ? scope->set[SETTING_CONTROL_READ_ONLY]
			    : scope->set[SETTING_CONTROL];
		conf_error(errors, where,
		    "control and control read-only are both %s; they need two "
		    "paths",
		    conf->control_path);
	}
	if (TAILQ_EMPTY(&conf->interfaces) && errors->count == 0)
		conf_error(errors, end,
		    "no interface; add one, as in interface \"tun0\" { ... }");
}

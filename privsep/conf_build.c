#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "ipc/msg.h"
#include "privsep/conf_build.h"
#include "privsep/conf_check.h"
#include "privsep/conf_scope.h"
#include "privsep/conf_text.h"
#include "privsep/conf_value.h"

#define FD_MIN 3 /* below are standard input, output and error */
#define TXQUEUELEN_MAX 1048576
#define GSO_MAX_SEGS_MAX 65535 /* GSO_MAX_SEGS of the kernel */
#define SOCKET_BUFFER_MIN 4096
#define SOCKET_BUFFER_MAX (INT32_MAX / 2) /* the kernel doubles it */

struct conf_build {
	struct conf_errors *errors;
	struct conf *conf;
	struct scope global;
	struct build_interfaces interfaces;
	unsigned int interface_count;
	struct build_interface *interface; /* the open block, or NULL */
	struct build_peer *peer;
};

struct conf_build *
conf_build_new(struct conf_errors *errors)
{
	struct conf_build *b;

	b = conf_alloc(sizeof(*b));
	b->errors = errors;
	b->conf = conf_alloc(sizeof(*b->conf));
	TAILQ_INIT(&b->conf->interfaces);
	TAILQ_INIT(&b->interfaces);
	strlcpy(b->conf->user, CONF_USER_DEFAULT, sizeof(b->conf->user));
	strlcpy(b->conf->control_user, CONF_CONTROL_USER_DEFAULT,
	    sizeof(b->conf->control_user));
	strlcpy(b->conf->control_path, CONF_SOCKET_DEFAULT,
	    sizeof(b->conf->control_path));
	strlcpy(b->conf->control_rpath, CONF_RSOCKET_DEFAULT,
	    sizeof(b->conf->control_rpath));
	return b;
}

static void
build_interface_free(struct build_interface *i)
{
	struct build_peer *p;

	while ((p = TAILQ_FIRST(&i->peers)) != NULL) {
		TAILQ_REMOVE(&i->peers, p, entry);
		free(p);
	}
	tdestroy(i->allowed, free);
	free(i);
}

void
conf_build_free(struct conf_build *b)
{
	struct build_interface *i;

	while ((i = TAILQ_FIRST(&b->interfaces)) != NULL) {
		TAILQ_REMOVE(&b->interfaces, i, entry);
		build_interface_free(i);
	}
	conf_free(b->conf);
	free(b);
}

struct conf *
conf_build_finish(struct conf_build *b, struct conf_where end)
{
	struct conf *conf = b->conf;

	check_global(b->errors, conf, &b->global, end);
	if (b->errors->count > 0)
		return NULL;
	b->conf = NULL;
	return conf;
}

void
build_lost_statement(struct conf_build *b)
{
	if (b->interface != NULL)
		b->interface->scope.lost = true;
	if (b->peer != NULL)
		b->peer->scope.lost = true;
}

/* The innermost open block. */
static struct scope *
build_scope(struct conf_build *b)
{
	if (b->peer != NULL)
		return &b->peer->scope;
	return b->interface != NULL ? &b->interface->scope : &b->global;
}

/* Notes where a setting stands; false, reported, if it stood before. */
static bool
build_once(
    struct conf_build *b, struct conf_where where, enum conf_setting setting)
{
	struct scope *scope = build_scope(b);

	if (scope_has(scope, setting)) {
		conf_error(b->errors, where, "%s is set already (%s)",
		    setting_name(setting),
		    conf_cite(where, scope->set[setting]).text);
		return false;
	}
	scope->set[setting] = where;
	return true;
}

static struct conf_value
build_value(const struct conf_build *b, struct conf_where where,
    const char *what, const char *text)
{
	return (struct conf_value){
	    .errors = b->errors, .where = where, .what = what, .text = text};
}

/* global statements */

void
build_user(struct conf_build *b, struct conf_where where,
    enum conf_setting setting, const char *name)
{
	struct conf_value v;

	v = build_value(b, where, setting_name(setting), name);
	if (!build_once(b, where, setting))
		return;
	if (strcmp(name, "root") == 0) {
		conf_error(b->errors, where,
		    "%s \"root\" has the privileges that this process must "
		    "not have; name another",
		    v.what);
		return;
	}
	conf_value_name(&v,
	    setting == SETTING_USER ? b->conf->user : b->conf->control_user);
}

void
build_control(struct conf_build *b, struct conf_where where,
    enum conf_setting setting, const char *path)
{
	struct conf_value v;

	v = build_value(b, where, setting_name(setting), path);
	if (build_once(b, where, setting))
		conf_value_path(&v, setting == SETTING_CONTROL
					? b->conf->control_path
					: b->conf->control_rpath);
}

void
build_sandbox(struct conf_build *b, struct conf_where where, bool strict)
{
	if (build_once(b, where, SETTING_SANDBOX))
		b->conf->sandbox_strict = strict;
}

/* interfaces */

static struct conf_interface *
conf_interface_new(struct conf_where where)
{
	struct conf_interface *i;

	i = conf_alloc(sizeof(*i));
	TAILQ_INIT(&i->peers);
	if ((i->file = strdup(where.file)) == NULL)
		fatal("memory for the configuration");
	i->line = where.line;
	i->device = CONF_DEVICE_CREATE;
	i->fd = -1;
	i->monitored = true;
	i->vnet_hdr = true;
	i->txqueuelen = CONF_TXQUEUELEN_DEFAULT;
	i->gso_max_segs = CONF_GSO_MAX_SEGS_DEFAULT;
	i->queues = 1;
	i->max_peers = CONF_MAX_PEERS_DEFAULT;
	i->socket_buffer = CONF_SOCKET_BUFFER_DEFAULT;
	i->offloads = OFFLOAD_ALL;
	return i;
}

static void
build_interface_name(
    struct conf_build *b, struct conf_where where, const char *name)
{
	const struct build_interface *other;
	struct conf_value v;

	v = build_value(b, where, "interface name", name);
	if (conf_value_ifname(&v, true, b->interface->conf->name) == -1)
		return;
	TAILQ_FOREACH (other, &b->interfaces, entry) {
		if (strcmp(other->conf->name, name) != 0)
			continue;
		conf_error(b->errors, where,
		    "interface \"%s\" is defined already (%s)", name,
		    conf_cite(where, other->scope.begin).text);
	}
}

void
build_interface_begin(
    struct conf_build *b, struct conf_where where, const char *name)
{
	struct build_interface *i;

	i = conf_alloc(sizeof(*i));
	TAILQ_INIT(&i->peers);
	i->conf = conf_interface_new(where);
	i->scope.begin = where;
	b->interface = i;
	build_interface_name(b, where, name);
	if (++b->interface_count > LIMIT_INTERFACES)
		conf_error(b->errors, where, "more than %d interfaces",
		    LIMIT_INTERFACES);
	TAILQ_INSERT_TAIL(&b->conf->interfaces, i->conf, entry);
	TAILQ_INSERT_TAIL(&b->interfaces, i, entry);
}

void
build_interface_end(struct conf_build *b)
{
	check_interface(b->errors, &b->interfaces, b->interface);
	b->interface = NULL;
}

void
build_device(
    struct conf_build *b, struct conf_where where, enum conf_device device)
{
	if (build_once(b, where, SETTING_DEVICE))
		b->interface->conf->device = device;
}

void
build_device_fd(struct conf_build *b, struct conf_where where, const char *text,
    bool monitored)
{
	struct conf_interface *c = b->interface->conf;
	struct conf_value v;
	uint32_t fd;

	v = build_value(b, where, "device fd", text);
	if (!build_once(b, where, SETTING_DEVICE))
		return;
	c->device = CONF_DEVICE_FD;
	c->monitored = monitored;
	if (conf_value_number(&v, FD_MIN, INT32_MAX, &fd) == 0)
		c->fd = (int)fd;
}

void
build_number(struct conf_build *b, struct conf_where where,
    enum conf_setting setting, const char *text)
{
	struct conf_interface *c = b->interface->conf;
	const struct {
		enum conf_setting setting;
		uint32_t *out, max;
	} rows[] = {
	    {SETTING_TXQUEUELEN, &c->txqueuelen, TXQUEUELEN_MAX},
	    {SETTING_GSO_MAX_SEGS, &c->gso_max_segs, GSO_MAX_SEGS_MAX},
	    {SETTING_QUEUES, &c->queues, LIMIT_QUEUES},
	    {SETTING_MAX_PEERS, &c->max_peers, LIMIT_PEERS},
	};
	struct conf_value v;
	size_t n;

	v = build_value(b, where, setting_name(setting), text);
	if (!build_once(b, where, setting))
		return;
	for (n = 0; n < sizeof(rows) / sizeof(rows[0]); n++) {
		if (rows[n].setting == setting &&
		    conf_value_number(&v, 1, rows[n].max, rows[n].out) == -1)
			b->interface->scope.lost = true;
	}
}

void
build_mtu(struct conf_build *b, struct conf_where where, const char *text)
{
	struct conf_value v = build_value(b, where, "mtu", text);

	if (!build_once(b, where, SETTING_MTU) || strcmp(text, "auto") == 0)
		return;
	conf_value_number(&v, MTU_MIN, MTU_MAX, &b->interface->conf->mtu);
}

void
build_socket_buffer(
    struct conf_build *b, struct conf_where where, const char *text)
{
	struct conf_value v = build_value(b, where, "socket-buffer", text);

	if (build_once(b, where, SETTING_SOCKET_BUFFER))
		conf_value_size(&v, SOCKET_BUFFER_MIN, SOCKET_BUFFER_MAX,
		    &b->interface->conf->socket_buffer);
}

void
build_sched_policy(
    struct conf_build *b, struct conf_where where, uint32_t policy)
{
	if (build_once(b, where, SETTING_SCHED_POLICY))
		b->interface->conf->sched_policy = policy;
}

void
build_cpus_begin(struct conf_build *b, struct conf_where where)
{
	build_once(b, where, SETTING_CPUS);
	b->interface->conf->cpu_count = 0;
}

void
build_cpu(struct conf_build *b, struct conf_where where, const char *text)
{
	struct conf_value v = build_value(b, where, "cpus", text);
	struct conf_interface *c = b->interface->conf;
	uint32_t cpu;

	if (conf_value_number(&v, 0, LIMIT_CPUS - 1, &cpu) == -1)
		return;
	if (c->cpu_count == LIMIT_QUEUES) {
		conf_error(b->errors, where,
		    "cpu %u is one more than there can be queues (%d)", cpu,
		    LIMIT_QUEUES);
		return;
	}
	c->cpus[c->cpu_count++] = cpu;
}

void
build_switch(struct conf_build *b, struct conf_where where,
    enum conf_setting setting, bool on)
{
	if (!build_once(b, where, setting))
		return;
	if (setting == SETTING_VNET_HEADER)
		b->interface->conf->vnet_hdr = on;
	else
		b->interface->conf->routes = on;
}

void
build_address(struct conf_build *b, struct conf_where where, const char *text)
{
	struct conf_prefixes *addresses = &b->interface->conf->addresses;
	struct conf_value v = build_value(b, where, "address", text);
	struct prefix p;
	size_t n;

	if (!scope_has(&b->interface->scope, SETTING_ADDRESS))
		b->interface->scope.set[SETTING_ADDRESS] = where;
	if (conf_value_prefix(&v, &p) == -1)
		return;
	if (addr_is_unspecified(&p.addr) || addr_is_multicast(&p.addr) ||
	    addr_is_loopback(&p.addr)) {
		conf_error(b->errors, where,
		    "address %s is not one that an interface can have", text);
		return;
	}
	for (n = 0; n < addresses->count; n++) {
		if (memcmp(&addresses->list[n].addr, &p.addr, sizeof(p.addr)) !=
		    0)
			continue;
		conf_error(b->errors, where,
		    "address %s is given already in this interface", text);
		return;
	}
	if (addresses->count == LIMIT_ADDRESSES)
		conf_error(b->errors, where,
		    "more than %d addresses in one interface", LIMIT_ADDRESSES);
	else
		conf_prefixes_append(addresses, &p);
}

/* offloads */

void
build_offload_begin(struct conf_build *b, struct conf_where where)
{
	b->interface->offload_words = 0;
	build_once(b, where, SETTING_OFFLOAD);
}

void
build_offload(
    struct conf_build *b, struct conf_where where, const char *name, bool on)
{
	struct build_interface *i = b->interface;
	size_t n = offload_word_find(name);
	uint32_t bits;

	if (n == OFFLOAD_WORDS) {
		conf_error(b->errors, where,
		    "unknown offload \"%s\"; there are " OFFLOAD_WORD_LIST,
		    name);
		return;
	}
	if ((i->offload_words & (1u << n)) != 0)
		conf_error(b->errors, where, "offload %s is set twice", name);
	i->offload_words |= 1u << n;
	bits = offload_word(n)->bits;
	if (on) {
		i->conf->offloads |= bits;
		i->offloads_on |= bits;
	} else {
		i->conf->offloads &= ~bits;
		i->offloads_on &= ~bits;
	}
}

/* sockets */

static int
build_address_port(struct conf_build *b, struct conf_where where,
    const char *what, const char *address, const char *port, struct endpoint *e)
{
	struct conf_value a = build_value(b, where, what, address);
	struct conf_value p = build_value(b, where, "port", port);
	int bad;

	*e = (struct endpoint){.port = 0};
	bad = conf_value_address(&a, e);
	bad |= conf_value_port(&p, &e->port);
	if (bad == 0 && addr_is_multicast(&e->addr)) {
		conf_error(b->errors, where,
		    "%s %s is a multicast address; give a host's", what,
		    address);
		bad = -1;
	}
	return bad;
}

/* Two interfaces cannot share an address and port. */
static bool
build_listen_is_free(struct conf_build *b, struct conf_where where,
    enum conf_setting setting, const struct endpoint *e)
{
	const struct build_interface *i;
	char text[ENDPOINT_STRLEN];

	TAILQ_FOREACH (i, &b->interfaces, entry) {
		if (i == b->interface ||
		    !endpoint_equal(setting == SETTING_LISTEN4
					? &i->conf->listen4
					: &i->conf->listen6,
			e))
			continue;
		conf_error(b->errors, where,
		    "interface \"%s\" listens on %s already (%s); choose "
		    "another port",
		    i->conf->name, endpoint_format(e, text),
		    conf_cite(where, i->scope.set[setting]).text);
		return false;
	}
	return true;
}

void
build_listen(struct conf_build *b, struct conf_where where, const char *address,
    const char *port)
{
	enum conf_setting setting;
	struct endpoint e;

	if (build_address_port(b, where, "listen", address, port, &e) == -1) {
		b->interface->scope.lost = true;
		return;
	}
	setting = e.addr.family == 4 ? SETTING_LISTEN4 : SETTING_LISTEN6;
	if (!build_once(b, where, setting))
		return;
	build_listen_is_free(b, where, setting, &e);
	if (e.addr.family == 4)
		b->interface->conf->listen4 = e;
	else
		b->interface->conf->listen6 = e;
}

void
build_mark(struct conf_build *b, struct conf_where where, const char *text)
{
	struct conf_value v = build_value(b, where, "mark", text);

	if (build_once(b, where, SETTING_MARK))
		conf_value_mark(&v, b->peer != NULL
					? &b->peer->conf->mark
					: &b->interface->conf->mark);
}

void
build_bind_device(
    struct conf_build *b, struct conf_where where, const char *name)
{
	struct conf_value v = build_value(b, where, "bind-device", name);

	if (build_once(b, where, SETTING_BIND_DEVICE))
		conf_value_ifname(&v, false,
		    b->peer != NULL ? b->peer->conf->bind_device
				    : b->interface->conf->bind_device);
}

/* peers */

static void
build_peer_name(struct conf_build *b, struct conf_where where, const char *name)
{
	struct conf_value v = build_value(b, where, "peer name", name);
	const struct build_peer *other;

	if (conf_value_name(&v, b->peer->conf->name) == -1)
		return;
	TAILQ_FOREACH (other, &b->interface->peers, entry) {
		if (strcmp(other->conf->name, name) != 0)
			continue;
		conf_error(b->errors, where,
		    "peer \"%s\" is defined already in this interface (%s)",
		    name, conf_cite(where, other->scope.begin).text);
	}
}

void
build_peer_begin(
    struct conf_build *b, struct conf_where where, const char *name)
{
	struct build_interface *i = b->interface;
	struct build_peer *p;

	p = conf_alloc(sizeof(*p));
	p->conf = conf_alloc(sizeof(*p->conf));
	p->scope.begin = where;
	b->peer = p;
	build_peer_name(b, where, name);
	TAILQ_INSERT_TAIL(&i->conf->peers, p->conf, entry);
	TAILQ_INSERT_TAIL(&i->peers, p, entry);
}

void
build_peer_end(struct conf_build *b)
{
	check_peer(b->errors, b->peer);
	b->peer = NULL;
}

/* Connected sockets could not tell two peers with one endpoint apart. */
static void
build_endpoint_is_free(
    struct conf_build *b, struct conf_where where, const struct endpoint *e)
{
	const struct build_peer *other;
	char text[ENDPOINT_STRLEN];

	TAILQ_FOREACH (other, &b->interface->peers, entry) {
		if (other == b->peer ||
		    !endpoint_equal(&other->conf->endpoint, e))
			continue;
		conf_error(b->errors, where,
		    "endpoint %s is that of peer \"%s\" already (%s)",
		    endpoint_format(e, text), other->conf->name,
		    conf_cite(where, other->scope.set[SETTING_ENDPOINT]).text);
		return;
	}
}

void
build_endpoint(struct conf_build *b, struct conf_where where,
    const char *address, const char *port)
{
	static const struct addr broadcast = {4, {255, 255, 255, 255}};
	const char *why = NULL;
	struct endpoint e;

	if (!build_once(b, where, SETTING_ENDPOINT) ||
	    build_address_port(b, where, "endpoint", address, port, &e) == -1)
		return;
	if (addr_is_unspecified(&e.addr))
		why = "the unspecified address; give the peer's own";
	else if (memcmp(&e.addr, &broadcast, sizeof(e.addr)) == 0)
		why = "the broadcast address; give the peer's own";
	if (why != NULL) {
		conf_error(b->errors, where, "endpoint %s is %s", address, why);
		return;
	}
	build_endpoint_is_free(b, where, &e);
	b->peer->conf->endpoint = e;
}

static int
allowed_compare(const void *va, const void *vb)
{
	const struct build_allowed *a = va, *b = vb;

	return prefix_compare(&a->prefix, &b->prefix);
}

/* The entry of this prefix: the one just made, or an earlier one. */
static const struct build_allowed *
build_allow_note(
    struct conf_build *b, struct conf_where where, const struct prefix *p)
{
	struct build_allowed *mine, **found;

	mine = conf_alloc(sizeof(*mine));
	mine->prefix = *p;
	mine->peer = b->peer->conf;
	mine->where = where;
	found = tsearch(mine, &b->interface->allowed, allowed_compare);
	if (found == NULL)
		fatal("memory for the configuration");
	if (*found == mine)
		return NULL;
	free(mine);
	return *found;
}

void
build_allow(struct conf_build *b, struct conf_where where, const char *text)
{
	struct conf_value v = build_value(b, where, "allow", text);
	const struct build_allowed *other;
	char canonical[PREFIX_STRLEN];
	struct prefix p;

	if (conf_value_prefix(&v, &p) == -1)
		return;
	prefix_mask(&p);
	if (b->interface->prefixes == LIMIT_PREFIXES) {
		conf_error(b->errors, where,
		    "more than %d prefixes in one interface", LIMIT_PREFIXES);
		return;
	}
	if ((other = build_allow_note(b, where, &p)) != NULL) {
		conf_error(b->errors, where,
		    "prefix %s is already allowed to peer \"%s\" (%s)",
		    prefix_format(&p, canonical), other->peer->name,
		    conf_cite(where, other->where).text);
		return;
	}
	conf_prefixes_append(&b->peer->conf->allow, &p);
	b->interface->prefixes++;
}

#include <sys/mman.h>

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config.h"

#include "common/cpulist.h"
#include "common/log.h"
#include "common/sandbox.h"
#include "common/utc.h"
#include "privsep/daemon.h"
#include "privsep/iface.h"
#include "privsep/link.h"
#include "privsep/proc.h"
#include "privsep/slot.h"
#include "privsep/state.h"

static json_t *
state_time(time_t t)
{
	char buf[UTC_SIZE];

	return json_string(utc_seconds(buf, t));
}

/* Unknown is null. */
static json_t *
state_known(bool known, json_int_t value)
{
	return known ? json_integer(value) : json_null();
}

json_t *
state_prefixes(const struct prefix *list, size_t count)
{
	json_t *array = json_array();
	char text[PREFIX_STRLEN];
	size_t i;

	for (i = 0; i < count; i++)
		json_array_append_new(
		    array, json_string(prefix_format(&list[i], text)));
	return array;
}

static json_t *
state_layers(uint32_t bits)
{
	json_t *array = json_array();
	enum sandbox_layer l;

	for (l = 0; l < SANDBOX_COUNT; l++)
		if (bits & SANDBOX_BIT(l))
			json_array_append_new(
			    array, json_string(sandbox_layer_name(l)));
	return array;
}

/* One that does not run has told nothing, or what it had. */
static json_t *
state_sandbox(const struct proc *p, uint32_t bits)
{
	return p->state == PROC_RUNNING ? state_layers(bits) : json_null();
}

/* What the kernel says, not what was asked for; NULL: none of these. */
static const char *
state_policy(const struct proc *p)
{
	static const struct {
		int policy;
		const char *name;
	} names[] = {
	    {SCHED_OTHER, "other"},
	    {SCHED_BATCH, "batch"},
	    {SCHED_IDLE, "idle"},
	    {SCHED_FIFO, "fifo"},
	    {SCHED_RR, "rr"},
	};
	int policy = p->pid > 0 ? sched_getscheduler(p->pid) : -1;
	size_t i;

	if (policy == -1)
		return NULL;
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (names[i].policy == (policy & ~SCHED_RESET_ON_FORK))
			return names[i].name;
	return NULL;
}

/* The same of the CPUs that it may run on; NULL: no such process. */
static const char *
state_cpus(const struct proc *p, char text[CPULIST_STRLEN])
{
	cpu_set_t set;

	if (p->pid <= 0 || sched_getaffinity(p->pid, sizeof(set), &set) == -1)
		return NULL;
	return cpulist_format(&set, text);
}

static json_t *
state_process(
    const struct daemon *d, const struct proc *p, const struct queue *q)
{
	static const char *const states[] = {
	    [PROC_STARTING] = "starting",
	    [PROC_RUNNING] = "running",
	    [PROC_WAITING] = "waiting",
	    [PROC_STOPPED] = "stopped",
	};
	const struct iface *ifc = q != NULL ? q->iface : NULL;
	char cpus[CPULIST_STRLEN];

	return json_pack("{s:s, s:o, s:s?, s:o, s:o, s:s, s:o, s:i, s:s?, "
			 "s:s?, s:s, s:{s:o, s:o}}",
	    "name", process_name(p->kind), "pid",
	    state_known(p->pid > 0, p->pid), "interface",
	    ifc != NULL ? iface_name(ifc) : NULL, "interface_id",
	    state_known(ifc != NULL, ifc != NULL ? ifc->id : 0), "queue",
	    state_known(q != NULL, q != NULL ? q->number : 0), "state",
	    states[p->state], "started", state_time(p->started), "restarts",
	    (int)p->restarts, "sched_policy", state_policy(p), "cpus",
	    state_cpus(p, cpus), "log_level",
	    log_level_name(d->log_level[p->kind]), "sandbox", "applied",
	    state_sandbox(p, p->applied), "missing",
	    state_sandbox(p, p->missing));
}

static json_t *
state_processes(const struct daemon *d)
{
	struct proc self = {.kind = PROCESS_PARENT,
	    .state = PROC_RUNNING,
	    .pid = getpid(),
	    .started = d->started,
	    .applied = SANDBOX_BIT(SANDBOX_NO_NEW_PRIVS) |
		       SANDBOX_BIT(SANDBOX_SECCOMP)};
	json_t *array = json_array();
	const struct iface *ifc;
	size_t i;

	json_array_append_new(array, state_process(d, &self, NULL));
	TAILQ_FOREACH (ifc, &d->ifaces, entry)
		for (i = 0; i < ifc->queue_count; i++)
			if (ifc->queue[i].proc != NULL)
				json_array_append_new(
				    array, state_process(d, ifc->queue[i].proc,
					       &ifc->queue[i]));
	if (d->control != NULL)
		json_array_append_new(
		    array, state_process(d, d->control, NULL));
	return array;
}

static json_t *
state_offloads(const struct iface *ifc)
{
	const struct offloads *of = &ifc->offloads;
	json_t *array = json_array();
	uint32_t bit;
	enum offload o;

	for (o = 0; o < OFFLOAD_COUNT; o++) {
		bit = OFFLOAD_BIT(o);
		json_array_append_new(
		    array, json_pack("{s:s, s:s, s:b, s:b, s:b, s:s?}", "name",
			       offload_name(o), "direction",
			       o == OFFLOAD_TSO_RX || o == OFFLOAD_USO_RX ||
				       o == OFFLOAD_UDP_GRO
				   ? "rx"
				   : "tx",
			       "asked", (of->wanted & bit) != 0, "granted",
			       (of->granted & bit) != 0, "enabled",
			       (offloads_used(of) & bit) != 0, "reason",
			       offloads_reason(of, o)));
	}
	return array;
}

static json_t *
state_peer(const struct iface *ifc, size_t slot)
{
	const struct slot *s = &ifc->slots[slot];
	const struct conf_peer *p = s->peer;
	uint32_t wanted = ifc->conf->socket_buffer;
	char text[ENDPOINT_STRLEN], local[ENDPOINT_STRLEN];
	char reason[SLOT_REASON_STRLEN];

	return json_pack("{s:s, s:i, s:s, s:b, s:s?, s:s?, s:o, s:o, s:s?, "
			 "s:{s:I, s:I, s:I, s:I, s:b}}",
	    "name", p->name, "slot", (int)slot, "endpoint",
	    endpoint_format(&p->endpoint, text), "aimed", s->aimed, "reason",
	    s->aimed ? NULL : slot_reason(ifc, s, reason), "local",
	    s->aimed ? endpoint_format(&s->local, local) : NULL, "allow",
	    state_prefixes(p->allow.list, p->allow.count), "mark",
	    state_known(p->mark != 0, p->mark), "bind_device",
	    p->bind_device[0] != '\0' ? p->bind_device : NULL, "socket",
	    "rcvbuf_wanted_bytes", (json_int_t)wanted, "rcvbuf_bytes",
	    (json_int_t)s->got.rcvbuf, "sndbuf_wanted_bytes",
	    (json_int_t)wanted, "sndbuf_bytes", (json_int_t)s->got.sndbuf,
	    "udp_gro",
	    (offloads_used(&ifc->offloads) & OFFLOAD_BIT(OFFLOAD_UDP_GRO)) !=
		0);
}

/* In the order of the configuration; that of slots is another after reloads. */
static json_t *
state_peers(const struct iface *ifc)
{
	json_t *array = json_array();
	const struct conf_peer *p;
	size_t i;

	TAILQ_FOREACH (p, &ifc->conf->peers, entry)
		for (i = 0; i < ifc->slot_count; i++)
			if (ifc->slots[i].state == SLOT_USED &&
			    ifc->slots[i].peer == p)
				json_array_append_new(
				    array, state_peer(ifc, i));
	return array;
}

static json_t *
state_listen(const struct conf_interface *c)
{
	json_t *array = json_array();
	char text[ENDPOINT_STRLEN];

	if (c->listen4.port != 0)
		json_array_append_new(
		    array, json_string(endpoint_format(&c->listen4, text)));
	if (c->listen6.port != 0)
		json_array_append_new(
		    array, json_string(endpoint_format(&c->listen6, text)));
	return array;
}

/* What netlink told of the link; null where it is not watched. */
static void
state_link(json_t *o, const struct iface *ifc)
{
	const struct link_state *l = ifc->link;
	const bool known = l != NULL;

	json_object_set_new(o, "ifindex",
	    state_known(
		known || ifc->ifindex != 0, known ? l->ifindex : ifc->ifindex));
	json_object_set_new(o, "up", known ? json_boolean(l->up) : json_null());
	json_object_set_new(
	    o, "running", known ? json_boolean(l->running) : json_null());
	json_object_set_new(
	    o, "mtu_bytes", state_known(known, known ? l->mtu : 0));
	json_object_set_new(o, "addresses",
	    known ? state_prefixes(l->addresses, l->address_count)
		  : json_array());
	json_object_set_new(o, "netns",
	    state_known(known && l->nsid >= 0, known ? l->nsid : 0));
	json_object_set_new(o, "deleted", json_boolean(iface_is_deleted(ifc)));
}

/* As asked for; empty: any. */
static json_t *
state_cpus_asked(const struct conf_interface *c)
{
	json_t *array = json_array();
	uint32_t i;

	for (i = 0; i < c->cpu_count; i++)
		json_array_append_new(array, json_integer(c->cpus[i]));
	return array;
}

/* As the kernel has it; one queue needs none. */
static json_t *
state_steering(const struct iface *ifc)
{
	if (ifc->queue_count < 2)
		return json_null();
	return json_string(ifc->steering_error == 0 ? "ebpf" : "automq");
}

static json_t *
state_interface(const struct iface *ifc)
{
	static const char *const devices[] = {
	    [CONF_DEVICE_CREATE] = "created",
	    [CONF_DEVICE_ADOPT] = "adopted",
	    [CONF_DEVICE_FD] = "inherited",
	};
	const struct conf_interface *c = ifc->conf;
	json_t *o;

	o = json_pack("{s:i, s:s, s:s, s:s, s:b, s:b, s:i, s:i, s:o, s:o, "
		      "s:i, s:o, s:o, s:o, s:s, s:o, s:o, s:o, s:b}",
	    "id", (int)ifc->id, "name", iface_name(ifc), "configured", c->name,
	    "device", devices[c->device], "monitored", c->monitored, "vnet_hdr",
	    ifc->tun.vnet_hdr, "batch_packets",
	    ifc->tun.vnet_hdr ? BATCH_PACKETS : 1, "queues", (int)c->queues,
	    "txqueuelen_packets", state_known(c->monitored, c->txqueuelen),
	    "gso_max_segs", state_known(c->monitored, c->gso_max_segs),
	    "max_peers", (int)c->max_peers, "listen", state_listen(c),
	    "offloads", state_offloads(ifc), "peers", state_peers(ifc),
	    "sched_policy", sched_policy_name(c->sched_policy), "cpus",
	    state_cpus_asked(c), "steering", state_steering(ifc),
	    "mtu_asked_bytes", state_known(c->monitored && c->mtu != 0, c->mtu),
	    "routes", c->monitored && c->routes);
	if (o != NULL)
		state_link(o, ifc);
	return o;
}

static json_t *
state_encode(struct daemon *d)
{
	json_t *interfaces = json_array();
	const struct iface *ifc;

	TAILQ_FOREACH (ifc, &d->ifaces, entry)
		json_array_append_new(interfaces, state_interface(ifc));
	return json_pack("{s:s, s:i, s:o, s:{s:s, s:o, s:i}, s:I, s:o, s:o}",
	    "version", PACKAGE_VERSION, "pid", (int)getpid(), "started",
	    state_time(d->started), "config", "path", d->conf_path, "loaded",
	    state_time(d->loaded), "generation", (int)d->generation, "sequence",
	    (json_int_t)d->seq, "processes", state_processes(d), "interfaces",
	    interfaces);
}

static int
memfd_seal(const char *text, size_t len)
{
	int fd = memfd_create("tund-state", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	ssize_t n;
	size_t at;
	int saved;

	if (fd == -1)
		return -1;
	for (at = 0; at < len; at += (size_t)n)
		if ((n = write(fd, text + at, len - at)) <= 0)
			goto fail;
	if (fcntl(fd, F_ADD_SEALS,
		F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) == -1)
		goto fail;
	return fd;
fail:
	saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

int
state_memfd(struct daemon *d)
{
	json_t *o = state_encode(d);
	char *text = o != NULL ? json_dumps(o, JSON_COMPACT) : NULL;
	int fd = -1;

	if (text != NULL)
		fd = memfd_seal(text, strlen(text));
	else
		errno = ENOMEM;
	free(text);
	json_decref(o);
	return fd;
}

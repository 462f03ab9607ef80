#include "config.h"

#include <stdio.h>

#include "ctl/show.h"
#include "ctl/table.h"
#include "ctl/text.h"

void
show_version(const struct ctl *ctl, const json_t *result)
{
	char version[TEXT_CELL], protocol[TEXT_CELL];

	(void)ctl;
	say("tund %s, protocol %s; tundctl %s",
	    text_value(json_at(result, "version"), version),
	    text_value(json_at(result, "protocol"), protocol), PACKAGE_VERSION);
}

/* name:type, in brackets those that may be left out. */
static const char *
format_params(const json_t *params, char *buf)
{
	char name[TEXT_CELL], type[TEXT_CELL];
	const json_t *p;
	size_t i, n = json_array_size(params), used = 0;
	bool required;

	for (i = 0; i < n && used < TEXT_CELL; i++) {
		p = json_array_get(params, i);
		required = json_is_true(json_at(p, "required"));
		used += (size_t)snprintf(buf + used, TEXT_CELL - used,
		    "%s%s%s:%s%s", i == 0 ? "" : " ", required ? "" : "[",
		    text_value(json_at(p, "name"), name),
		    text_value(json_at(p, "type"), type), required ? "" : "]");
	}
	return n == 0 ? "-" : buf;
}

void
show_methods(const struct ctl *ctl, const json_t *result)
{
	static const struct column columns[] = {
	    {"METHOD", "name", false, NULL},
	    {"PERMISSION", "permission", false, NULL},
	    {"ALLOWED", "allowed", false, NULL},
	    {"PARAMETERS", "params", false, format_params},
	    {"MEANING", "help", false, NULL},
	    {0},
	};

	(void)ctl;
	table_list(json_at(result, "methods"), columns);
}

/* One word for what is known of a link. */
static const char *
format_link(const json_t *interface, char *buf)
{
	const json_t *up = json_at(interface, "up");

	(void)buf;
	if (json_is_true(json_at(interface, "deleted")))
		return "deleted";
	if (!json_is_boolean(up))
		return "-";
	if (json_is_false(up))
		return "down";
	return json_is_false(json_at(interface, "running")) ? "no-carrier"
							    : "up";
}

/* How many peers there are, and how many of them are aimed if not all. */
static const char *
format_peers(const json_t *interface, char *buf)
{
	const json_t *all = json_at(interface, "peer_count");
	const json_t *aimed = json_at(interface, "aimed_peer_count");

	if (!json_is_integer(aimed) || json_equal(aimed, all))
		return text_value(all, buf);
	snprintf(buf, TEXT_CELL, "%lld of %lld aimed",
	    (long long)json_integer_value(aimed),
	    (long long)json_integer_value(all));
	return buf;
}

static void
show_status_head(const json_t *status)
{
	char version[TEXT_CELL], pid[TEXT_CELL], up[TEXT_CELL], path[TEXT_CELL],
	    generation[TEXT_CELL], loaded[TEXT_CELL];

	say("tund %s, pid %s, up %s",
	    text_value(json_at(status, "version"), version),
	    text_value(json_at(status, "pid"), pid),
	    text_seconds(json_at(status, "uptime_seconds"), up));
	say("configuration %s, generation %s, loaded %s",
	    text_value(json_at(status, "config.path"), path),
	    text_value(json_at(status, "config.generation"), generation),
	    text_value(json_at(status, "config.loaded"), loaded));
}

void
show_status(const struct ctl *ctl, const json_t *result)
{
	static const struct column processes[] = {
	    {"PROCESS", "name", false, NULL},
	    {"PID", "pid", true, NULL},
	    {"INTERFACE", "interface", false, NULL},
	    {"QUEUE", "queue", true, NULL},
	    {"STATE", "state", false, NULL},
	    {"RESTARTS", "restarts", true, NULL},
	    {"SCHED", "sched_policy", false, NULL},
	    {"CPUS", "cpus", false, NULL},
	    {"LOG", "log_level", false, NULL},
	    {"STARTED", "started", false, NULL},
	    {0},
	};
	static const struct column interfaces[] = {
	    {"INTERFACE", "name", false, NULL},
	    {"LINK", "", false, format_link},
	    {"MTU", "mtu_bytes", true, NULL},
	    {"PEERS", "", true, format_peers},
	    {"ADDRESSES", "addresses", false, NULL},
	    {0},
	};
	static const struct column traffic[] = {
	    {"INTERFACE", "name", false, NULL},
	    {"TX PACKETS", "traffic.tx_packets", true, NULL},
	    {"TX BYTES", "traffic.tx_bytes", true, text_bytes},
	    {"RX PACKETS", "traffic.rx_packets", true, NULL},
	    {"RX BYTES", "traffic.rx_bytes", true, text_bytes},
	    {"DROPPED", "traffic.dropped_packets", true, NULL},
	    {0},
	};

	(void)ctl;
	show_status_head(result);
	putchar('\n');
	table_list(json_at(result, "processes"), processes);
	putchar('\n');
	table_list(json_at(result, "interfaces"), interfaces);
	putchar('\n');
	table_list(json_at(result, "interfaces"), traffic);
}

/* Of one that is unmonitored nobody asks. */
static const char *
format_mtu_asked(const json_t *interface, char *buf)
{
	const json_t *asked = json_at(interface, "mtu_asked_bytes");

	if (json_is_integer(asked))
		return text_value(asked, buf);
	return json_is_true(json_at(interface, "monitored")) ? "auto" : "-";
}

void
show_interfaces(const struct ctl *ctl, const json_t *result)
{
	static const struct column columns[] = {
	    {"INTERFACE", "name", false, NULL},
	    {"CONFIGURED", "configured", false, NULL},
	    {"ID", "id", false, NULL},
	    {"IFINDEX", "ifindex", false, NULL},
	    {"LINK", "", false, format_link},
	    {"MTU", "mtu_bytes", false, NULL},
	    {"MTU ASKED", "", false, format_mtu_asked},
	    {"ROUTES", "routes", false, NULL},
	    {"DEVICE", "device", false, NULL},
	    {"MONITORED", "monitored", false, NULL},
	    {"NETNS", "netns", false, NULL},
	    {"VNET-HEADER", "vnet_hdr", false, NULL},
	    {"BATCH", "batch_packets", false, NULL},
	    {"QUEUES", "queues", false, NULL},
	    {"STEERING", "steering", false, NULL},
	    {"SCHED-POLICY", "sched_policy", false, NULL},
	    {"CPUS", "cpus", false, NULL},
	    {"TXQUEUELEN", "txqueuelen_packets", false, NULL},
	    {"GSO-MAX-SEGS", "gso_max_segs", false, NULL},
	    {"PEERS", "", false, format_peers},
	    {"MAX-PEERS", "max_peers", false, NULL},
	    {"LISTEN", "listen", false, NULL},
	    {"ADDRESSES", "addresses", false, NULL},
	    {"TX PACKETS", "traffic.tx_packets", false, NULL},
	    {"TX BYTES", "traffic.tx_bytes", false, text_bytes},
	    {"RX PACKETS", "traffic.rx_packets", false, NULL},
	    {"RX BYTES", "traffic.rx_bytes", false, text_bytes},
	    {"DROPPED", "traffic.dropped_packets", false, NULL},
	    {0},
	};

	(void)ctl;
	table_blocks(json_at(result, "interfaces"), columns);
}

/* What a peer's socket was given; less than was wanted shows both. */
static const char *
format_buffers(const json_t *socket, char *buf)
{
	static const char *const keys[2][2] = {
	    {"rcvbuf_bytes", "rcvbuf_wanted_bytes"},
	    {"sndbuf_bytes", "sndbuf_wanted_bytes"}};
	const json_t *got, *wanted;
	size_t i, used = 0;

	buf[0] = '\0';
	for (i = 0; i < 2; i++) {
		got = json_at(socket, keys[i][0]);
		wanted = json_at(socket, keys[i][1]);
		if (!json_is_integer(got) || !json_is_integer(wanted))
			return "-";
		used += (size_t)sprintf(buf + used, "%s%lld", i == 0 ? "" : "/",
		    (long long)json_integer_value(got));
		if (json_integer_value(got) < json_integer_value(wanted))
			used += (size_t)sprintf(buf + used, " of %lld",
			    (long long)json_integer_value(wanted));
	}
	return buf;
}

/* What a peer is reached from, or why it is not. */
static const char *
format_local(const json_t *peer, char *buf)
{
	const char *reason = json_string_value(json_at(peer, "reason"));

	if (json_is_true(json_at(peer, "aimed")))
		return text_value(json_at(peer, "local"), buf);
	snprintf(buf, TEXT_CELL, "not aimed%s%s", reason == NULL ? "" : ": ",
	    reason == NULL ? "" : reason);
	return buf;
}

/* Where they are, what passed, what was lost, by what: each fits a screen. */
void
show_peers(const struct ctl *ctl, const json_t *result)
{
	static const struct column places[] = {
	    {"INTERFACE", "interface", false, NULL},
	    {"PEER", "name", false, NULL},
	    {"ENDPOINT", "endpoint", false, NULL},
	    {"LOCAL", "", false, format_local},
	    {"BIND", "bind_device", false, NULL},
	    {"ALLOW", "allow", false, NULL},
	    {0},
	};
	static const struct column traffic[] = {
	    {"INTERFACE", "interface", false, NULL},
	    {"PEER", "name", false, NULL},
	    {"TX PACKETS", "traffic.tx_packets", true, NULL},
	    {"TX BYTES", "traffic.tx_bytes", true, text_bytes},
	    {"RX PACKETS", "traffic.rx_packets", true, NULL},
	    {"RX BYTES", "traffic.rx_bytes", true, text_bytes},
	    {0},
	};
	static const struct column losses[] = {
	    {"INTERFACE", "interface", false, NULL},
	    {"PEER", "name", false, NULL},
	    {"TX DROPPED", "traffic.tx_dropped_packets", true, NULL},
	    {"RX DROPPED", "traffic.rx_dropped_packets", true, NULL},
	    {"OVERFLOW", "traffic.rx_overflow_messages", true, NULL},
	    {"ERRORS", "traffic.socket_errors", true, NULL},
	    {"HEARD", "heard", false, NULL},
	    {0},
	};
	static const struct column sockets[] = {
	    {"INTERFACE", "interface", false, NULL},
	    {"PEER", "name", false, NULL},
	    {"SLOT", "slot", true, NULL},
	    {"MARK", "mark", true, NULL},
	    {"RCVBUF/SNDBUF", "socket", true, format_buffers},
	    {"UDP-GRO", "socket.udp_gro", false, NULL},
	    {0},
	};
	static const struct column *const tables[] = {
	    places, traffic, losses, sockets};
	size_t i;

	(void)ctl;
	for (i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
		if (i > 0)
			putchar('\n');
		table_list(json_at(result, "peers"), tables[i]);
	}
}

static void
show_stats_row(struct table *t, const json_t *interface, const json_t *counter)
{
	const char *name = json_string_value(json_at(counter, "name"));
	const json_t *queues = json_at(interface, "queues"), *counters;
	char buf[TEXT_CELL];
	size_t i, n = json_array_size(queues);

	table_cell(t, name);
	table_cell(
	    t, text_value(
		   json_object_get(json_at(interface, "total"), name), buf));
	for (i = 0; n > 1 && i < n; i++) {
		counters = json_at(json_array_get(queues, i), "counters");
		table_cell(t, text_value(json_object_get(counters, name), buf));
	}
	table_cell(t, text_value(json_at(counter, "unit"), buf));
	table_cell(t, text_value(json_at(counter, "help"), buf));
}

static void
show_stats_of(
    const struct ctl *ctl, const json_t *interface, const json_t *counters)
{
	struct table *t = table_new();
	const json_t *queues = json_at(interface, "queues"), *one;
	const char *name;
	char buf[TEXT_CELL], head[TEXT_CELL + 16];
	size_t i, n = json_array_size(queues);

	table_column(t, "COUNTER", false);
	table_column(t, "TOTAL", true);
	for (i = 0; n > 1 && i < n; i++) {
		one = json_at(json_array_get(queues, i), "queue");
		snprintf(head, sizeof(head), "QUEUE %s", text_value(one, buf));
		table_column(t, head, true);
	}
	table_column(t, "UNIT", false);
	table_column(t, "MEANING", false);
	for (i = 0; i < json_array_size(counters); i++) {
		one = json_array_get(counters, i);
		name = json_string_value(json_at(one, "name"));
		if (name != NULL &&
		    (ctl->all || json_integer_value(json_object_get(
				     json_at(interface, "total"), name)) != 0))
			show_stats_row(t, interface, one);
	}
	table_print(t);
}

void
show_stats(const struct ctl *ctl, const json_t *result)
{
	const json_t *list = json_at(result, "interfaces"), *one;
	char buf[TEXT_CELL];
	size_t i;

	for (i = 0; i < json_array_size(list); i++) {
		one = json_array_get(list, i);
		if (i > 0)
			putchar('\n');
		say("interface %s%s",
		    text_value(json_at(one, "interface"), buf),
		    json_is_object(json_at(one, "total"))
			? ""
			: ": no counters yet");
		if (json_is_object(json_at(one, "total")))
			show_stats_of(ctl, one, json_at(result, "counters"));
	}
}

/* One line per offload, with the name of its interface. */
static json_t *
flatten(const json_t *interfaces, const char *key)
{
	json_t *flat = json_array(), *item;
	const json_t *one, *items;
	size_t i, k;

	for (i = 0; i < json_array_size(interfaces); i++) {
		one = json_array_get(interfaces, i);
		items = json_object_get(one, key);
		for (k = 0; k < json_array_size(items); k++) {
			item = json_copy(json_array_get(items, k));
			json_object_set(item, "interface",
			    json_object_get(one, "interface"));
			json_array_append_new(flat, item);
		}
	}
	return flat;
}

void
show_offload(const struct ctl *ctl, const json_t *result)
{
	static const struct column columns[] = {
	    {"INTERFACE", "interface", false, NULL},
	    {"OFFLOAD", "name", false, NULL},
	    {"DIRECTION", "direction", false, NULL},
	    {"ASKED", "asked", false, NULL},
	    {"GRANTED", "granted", false, NULL},
	    {"ENABLED", "enabled", false, NULL},
	    {"USED", "used", true, NULL},
	    {"FALLBACKS", "fallbacks", true, NULL},
	    {"REASON", "reason", false, NULL},
	    {0},
	};
	json_t *flat = flatten(json_at(result, "interfaces"), "offloads");

	(void)ctl;
	table_list(flat, columns);
	json_decref(flat);
}

/* Nothing missing is not the same as not known. */
static const char *
format_missing(const json_t *missing, char *buf)
{
	return json_is_array(missing) && json_array_size(missing) == 0
		   ? "none"
		   : text_value(missing, buf);
}

void
show_sandbox(const struct ctl *ctl, const json_t *result)
{
	static const struct column columns[] = {
	    {"PROCESS", "name", false, NULL},
	    {"PID", "pid", true, NULL},
	    {"INTERFACE", "interface", false, NULL},
	    {"QUEUE", "queue", true, NULL},
	    {"MISSING", "missing", false, format_missing},
	    {"APPLIED", "applied", false, NULL},
	    {0},
	};

	(void)ctl;
	table_list(json_at(result, "processes"), columns);
}

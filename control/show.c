#include "control/show.h"

#include <string.h>

#include "common/utc.h"
#include "control/call.h"
#include "control/events.h"
#include "control/state.h"
#include "ipc/limits.h"
#include "ipc/msg.h"

/* What the reading methods answer, made from the state and the counters. */

static json_t *
get(const json_t *object, const char *key)
{
	return json_object_get(object, key);
}

/* Counters are 64 bits wide; the largest JSON integer has 63. */
static json_t *
counter_json(uint64_t n)
{
	return json_integer((json_int_t)(n & INT64_MAX));
}

/* A new object with these keys of the old one, null where it has none. */
static json_t *
pick(json_t *from, const char *const *keys)
{
	json_t *to = json_object(), *value;

	for (; *keys != NULL; keys++) {
		value = get(from, *keys);
		json_object_set_new(to, *keys,
		    value != NULL ? json_incref(value) : json_null());
	}
	return to;
}

/* If one is named it is there, or the call has failed. */
static bool
has_interface(const struct call *call)
{
	return get(call->params, "interface") == NULL ||
	       call_interface(call) != NULL;
}

/* A list of what make() adds for each interface, or for the one named. */
static json_t *
for_interfaces(
    const json_t *name, void (*make)(json_t *list, json_t *interface))
{
	json_t *one, *list = json_array();
	size_t i;

	json_array_foreach (get(state_get(), "interfaces"), i, one)
		if (name == NULL || json_equal(name, get(one, "name")))
			make(list, one);
	return list;
}

static void
answer_interfaces(
    const struct call *call, void (*make)(json_t *list, json_t *interface))
{
	if (has_interface(call))
		call_answer(call,
		    json_pack("{s:o}", "interfaces",
			for_interfaces(get(call->params, "interface"), make)));
}

/*
 * What was lost, or more: the counters with _drop_ in their name, and the
 * kernel's, to which a run of datagrams is one.
 */
static uint64_t
dropped(json_int_t id)
{
	uint64_t sum = state_counter(id, COUNTER_RX_SOCKET_OVERFLOW);
	int c;

	for (c = 0; c < COUNTER_COUNT; c++)
		if (strstr(counter_info[c].name, "_drop_") != NULL)
			sum += state_counter(id, (enum counter)c);
	return sum;
}

static json_t *
traffic(json_int_t id)
{
	if (!state_has_counters(id))
		return json_null();
	return json_pack("{s:o, s:o, s:o, s:o, s:o}", "tx_packets",
	    counter_json(state_counter(id, COUNTER_TX_PACKETS)), "tx_bytes",
	    counter_json(state_counter(id, COUNTER_TX_BYTES)), "rx_packets",
	    counter_json(state_counter(id, COUNTER_RX_PACKETS)), "rx_bytes",
	    counter_json(state_counter(id, COUNTER_RX_BYTES)),
	    "dropped_packets", counter_json(dropped(id)));
}

/* What is counted of an interface, in short and in full. */
static void
set_figures(json_t *to, const json_t *interface)
{
	const json_t *peers = get(interface, "peers"), *one;
	json_int_t aimed = 0;
	size_t i;

	json_array_foreach (peers, i, one)
		aimed += json_is_true(get(one, "aimed"));
	json_object_set_new(
	    to, "peer_count", json_integer((json_int_t)json_array_size(peers)));
	json_object_set_new(to, "aimed_peer_count", json_integer(aimed));
	json_object_set_new(to, "traffic", traffic(state_id(interface)));
}

static void
add_summary(json_t *list, json_t *interface)
{
	static const char *const keys[] = {"id", "name", "ifindex", "up",
	    "running", "deleted", "mtu_bytes", "addresses", "queues", NULL};
	json_t *summary = pick(interface, keys);

	set_figures(summary, interface);
	json_array_append_new(list, summary);
}

static void
add_interface(json_t *list, json_t *interface)
{
	static const char *const keys[] = {"id", "name", "configured", "device",
	    "monitored", "ifindex", "up", "running", "deleted", "mtu_bytes",
	    "addresses", "netns", "vnet_hdr", "batch_packets", "queues",
	    "steering", "sched_policy", "cpus", "txqueuelen_packets",
	    "gso_max_segs", "mtu_asked_bytes", "routes", "max_peers", "listen",
	    NULL};
	json_t *whole = pick(interface, keys);

	set_figures(whole, interface);
	json_array_append_new(list, whole);
}

static json_t *
process_list(void)
{
	static const char *const keys[] = {"name", "pid", "interface", "queue",
	    "state", "started", "restarts", "sched_policy", "cpus", "log_level",
	    NULL};
	json_t *list = json_array(), *process;
	size_t i;

	json_array_foreach (get(state_get(), "processes"), i, process)
		json_array_append_new(list, pick(process, keys));
	return list;
}

/* Seconds since a time of the form 2026-11-23T07:28:00Z, or null. */
static json_t *
seconds_since(const json_t *when)
{
	const char *text = json_string_value(when);
	struct timespec now;
	struct tm tm = {0};
	time_t then;

	if (text == NULL || strptime(text, "%Y-%m-%dT%H:%M:%S", &tm) == NULL)
		return json_null();
	then = timegm(&tm);
	clock_gettime(CLOCK_REALTIME, &now);
	return json_integer(now.tv_sec > then ? now.tv_sec - then : 0);
}

/* Common to status and to a subscriber's snapshot. */
static json_t *
status_object(void)
{
	static const char *const keys[] = {
	    "version", "pid", "started", "config", NULL};
	json_t *status = pick(state_get(), keys);

	json_object_set_new(status, "uptime_seconds",
	    seconds_since(get(state_get(), "started")));
	json_object_set_new(status, "processes", process_list());
	json_object_set_new(
	    status, "interfaces", for_interfaces(NULL, add_summary));
	return status;
}

void
method_status(const struct call *call)
{
	call_answer(call, status_object());
}

void
method_interfaces(const struct call *call)
{
	answer_interfaces(call, add_interface);
}

static json_t *
peer_traffic(json_int_t id, json_int_t slot)
{
	struct peer_counters p;

	if (!state_peer_counters(id, slot, &p))
		return json_null();
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
	    "tx_packets", counter_json(p.tx_packets), "tx_bytes",
	    counter_json(p.tx_bytes), "tx_dropped_packets",
	    counter_json(p.tx_dropped), "rx_packets",
	    counter_json(p.rx_packets), "rx_bytes", counter_json(p.rx_bytes),
	    "rx_dropped_packets", counter_json(p.rx_dropped),
	    "rx_overflow_messages", counter_json(p.rx_overflow),
	    "socket_errors", counter_json(p.socket_errors));
}

/* A worker may write anything there, also what is no time. */
static json_t *
heard_json(uint64_t when)
{
	char buf[UTC_SIZE];

	if (when == 0 || utc_seconds(buf, (time_t)when) == NULL)
		return json_null();
	return json_string(buf);
}

static void
add_peers(json_t *list, json_t *interface)
{
	static const char *const keys[] = {"name", "slot", "endpoint", "aimed",
	    "reason", "local", "allow", "mark", "bind_device", "socket", NULL};
	json_int_t slot, id = state_id(interface);
	json_t *one, *peer;
	size_t i;

	json_array_foreach (get(interface, "peers"), i, one) {
		peer = pick(one, keys);
		slot = json_integer_value(get(one, "slot"));
		json_object_set(peer, "interface", get(interface, "name"));
		json_object_set_new(
		    peer, "heard", heard_json(state_peer_heard(id, slot)));
		json_object_set_new(peer, "traffic", peer_traffic(id, slot));
		json_array_append_new(list, peer);
	}
}

/* Takes the list; NULL, and the call has failed, if none has that name. */
static json_t *
peers_named(const struct call *call, json_t *all, const json_t *name)
{
	json_t *list = json_array(), *one;
	size_t i;

	json_array_foreach (all, i, one)
		if (json_equal(name, get(one, "name")))
			json_array_append(list, one);
	json_decref(all);
	if (json_array_size(list) > 0)
		return list;
	json_decref(list);
	call_refuse(call, JSONRPC_INVALID_PARAMS, "\"peers\" lists them",
	    "no peer \"%.64s\"", json_string_value(name));
	return NULL;
}

void
method_peers(const struct call *call)
{
	const json_t *name = get(call->params, "peer");
	json_t *list;

	if (!has_interface(call))
		return;
	list = for_interfaces(get(call->params, "interface"), add_peers);
	if (name != NULL && (list = peers_named(call, list, name)) == NULL)
		return;
	call_answer(call, json_pack("{s:o}", "peers", list));
}

static json_t *
counters_total(json_int_t id)
{
	json_t *object = json_object();
	int c;

	for (c = 0; c < COUNTER_COUNT; c++)
		json_object_set_new(object, counter_info[c].name,
		    counter_json(state_counter(id, (enum counter)c)));
	return object;
}

static json_t *
counters_of_page(const struct counters *page)
{
	json_t *object = json_object();
	int c;

	for (c = 0; c < COUNTER_COUNT; c++)
		json_object_set_new(object, counter_info[c].name,
		    counter_json(counter_read(&page->c[c])));
	return object;
}

static void
add_stats(json_t *list, json_t *interface)
{
	json_int_t id = state_id(interface);
	json_t *queues = json_array();
	const struct counters *page;
	unsigned int queue;

	for (queue = 0; queue < LIMIT_QUEUES; queue++)
		if ((page = state_page(id, queue)) != NULL)
			json_array_append_new(
			    queues, json_pack("{s:i, s:o}", "queue", (int)queue,
					"counters", counters_of_page(page)));
	json_array_append_new(
	    list, json_pack("{s:O, s:I, s:o, s:o}", "interface",
		      get(interface, "name"), "id", id, "total",
		      state_has_counters(id) ? counters_total(id) : json_null(),
		      "queues", queues));
}

static json_t *
counter_descriptions(void)
{
	json_t *list = json_array();
	int c;

	for (c = 0; c < COUNTER_COUNT; c++)
		json_array_append_new(list,
		    json_pack("{s:s, s:s, s:s}", "name", counter_info[c].name,
			"unit", counter_info[c].unit, "help",
			counter_info[c].help));
	return list;
}

void
method_stats(const struct call *call)
{
	json_t *result;

	if (!has_interface(call))
		return;
	result = json_pack("{s:o}", "interfaces",
	    for_interfaces(get(call->params, "interface"), add_stats));
	if (json_is_true(get(call->params, "describe")))
		json_object_set_new(result, "counters", counter_descriptions());
	call_answer(call, result);
}

/* The counters of what an offload did, and of how often it was refused. */
static const struct {
	enum counter used;
	int fallbacks; /* enum counter, -1: it is never refused */
} offload_counters[OFFLOAD_COUNT] = {
    [OFFLOAD_TSO_TX] = {COUNTER_TUN_READ_TSO, -1},
    [OFFLOAD_USO_TX] = {COUNTER_TUN_READ_USO, -1},
    [OFFLOAD_TSO_RX] = {COUNTER_TUN_WRITE_TSO, COUNTER_FALLBACK_TUN_TSO},
    [OFFLOAD_USO_RX] = {COUNTER_TUN_WRITE_USO, COUNTER_FALLBACK_TUN_USO},
    [OFFLOAD_UDP_GSO] = {COUNTER_TX_GSO_SENDS, COUNTER_FALLBACK_UDP_GSO},
    [OFFLOAD_UDP_GRO] = {COUNTER_RX_GRO_RECEIVES, -1},
};

static void
offload_add_counters(json_t *offload, json_int_t id)
{
	const char *name = json_string_value(get(offload, "name"));
	bool known = state_has_counters(id) && name != NULL;
	json_t *used = json_null(), *fallbacks = json_null();
	int o = 0;

	while (known && o < OFFLOAD_COUNT &&
	       strcmp(offload_name((enum offload)o), name) != 0)
		o++;
	if (known && o < OFFLOAD_COUNT) {
		used =
		    counter_json(state_counter(id, offload_counters[o].used));
		fallbacks = counter_json(
		    offload_counters[o].fallbacks == -1
			? 0
			: state_counter(
			      id, (enum counter)offload_counters[o].fallbacks));
	}
	json_object_set_new(offload, "used", used);
	json_object_set_new(offload, "fallbacks", fallbacks);
}

static void
add_offloads(json_t *list, json_t *interface)
{
	static const char *const keys[] = {
	    "name", "direction", "asked", "granted", "enabled", "reason", NULL};
	json_t *one, *offload, *offloads = json_array();
	size_t i;

	json_array_foreach (get(interface, "offloads"), i, one) {
		offload = pick(one, keys);
		offload_add_counters(offload, state_id(interface));
		json_array_append_new(offloads, offload);
	}
	json_array_append_new(list,
	    json_pack("{s:O, s:O?, s:o}", "interface", get(interface, "name"),
		"vnet_hdr", get(interface, "vnet_hdr"), "offloads", offloads));
}

void
method_offload(const struct call *call)
{
	answer_interfaces(call, add_offloads);
}

void
method_sandbox(const struct call *call)
{
	static const char *const keys[] = {
	    "name", "pid", "interface", "queue", NULL};
	json_t *process, *one, *sandbox, *list = json_array();
	size_t i;

	json_array_foreach (get(state_get(), "processes"), i, process) {
		one = pick(process, keys);
		sandbox = get(process, "sandbox");
		json_object_update_new(
		    one, json_pack("{s:O?, s:O?}", "applied",
			     get(sandbox, "applied"), "missing",
			     get(sandbox, "missing")));
		json_array_append_new(list, one);
	}
	call_answer(call, json_pack("{s:o}", "processes", list));
}

void
method_subscribe(const struct call *call)
{
	json_int_t sequence = state_sequence();

	call_answer(call, json_pack("{s:I, s:o}", "sequence", sequence,
			      "snapshot", status_object()));
	if (events_subscribe(call->client, sequence) == 0)
		return;
	call_refuse(call, JSONRPC_INTERNAL, "subscribe again",
	    "no events will follow: memory is short");
}

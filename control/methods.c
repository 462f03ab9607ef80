#include "config.h"

#include "control/methods.h"

#include "control/admin.h"
#include "control/call.h"
#include "control/client.h"
#include "control/show.h"

/* Changes of the protocol that an old client would notice count up. */
#define PROTOCOL 1

#define PARAM_INTERFACE                                                 \
	{                                                               \
		"interface", JSON_STRING, false, "this interface alone" \
	}

static void method_version(const struct call *);
static void method_methods(const struct call *);

const struct method methods[] = {
    {"version", false, "the version of tund and of the protocol",
	method_version, {{0}}},
    {"methods", false, "this list", method_methods, {{0}}},
    {"status", false, "processes, interfaces, traffic, configuration",
	method_status, {{0}}},
    {"interfaces", false, "interfaces with all that is known of them",
	method_interfaces, {PARAM_INTERFACE}},
    {"peers", false, "peers with their sockets and counters", method_peers,
	{PARAM_INTERFACE, {"peer", JSON_STRING, false, "this peer alone"}}},
    {"stats", false, "every counter, by interface and queue", method_stats,
	{PARAM_INTERFACE,
	    {"describe", JSON_TRUE, false, "add units and help"}}},
    {"offload", false, "offloads: asked, granted, enabled, used",
	method_offload, {PARAM_INTERFACE}},
    {"sandbox", false, "sandbox layers of every process", method_sandbox,
	{{0}}},
    {"subscribe", false, "a snapshot, then events as they come",
	method_subscribe, {{0}}},
    {"reload", true, "read the configuration again, apply the difference",
	method_reload,
	{{"dry_run", JSON_TRUE, false, "say what would change, no more"}}},
    {"set", true, "change an interface while it runs", method_set,
	{{"interface", JSON_STRING, true, "its name"},
	    {"mtu", JSON_INTEGER, false, "bytes, 68 to 65535"},
	    {"offload", JSON_OBJECT, false,
		"offload names, each true or false; tso, uso and gro are "
		"short for tso-tx, uso-tx, and tso-rx with uso-rx"}}},
    {"log", true, "change what a process logs", method_log,
	{{"process", JSON_STRING, true, "tund, tund-worker or tund-control"},
	    {"level", JSON_STRING, true, "error, warn, info or debug"}}},
    {0},
};

static const struct {
	json_type type;
	const char *name;
} type_names[] = {
    {JSON_TRUE, "boolean"},
    {JSON_INTEGER, "integer"},
    {JSON_STRING, "string"},
    {JSON_OBJECT, "object"},
};

const char *
param_type_name(const struct param *p)
{
	size_t i;

	for (i = 0; i < sizeof(type_names) / sizeof(type_names[0]); i++)
		if (type_names[i].type == p->type)
			return type_names[i].name;
	return "null";
}

static void
method_version(const struct call *call)
{
	call_answer(call, json_pack("{s:s, s:i}", "version", PACKAGE_VERSION,
			      "protocol", PROTOCOL));
}

static json_t *
describe_params(const struct method *m)
{
	const struct param *p;
	json_t *list = json_array();

	for (p = m->params; p->name != NULL; p++)
		json_array_append_new(
		    list, json_pack("{s:s, s:s, s:b, s:s}", "name", p->name,
			      "type", param_type_name(p), "required",
			      p->required, "help", p->help));
	return list;
}

static void
method_methods(const struct call *call)
{
	const struct method *m;
	json_t *list = json_array();

	for (m = methods; m->name != NULL; m++)
		json_array_append_new(list,
		    json_pack("{s:s, s:s, s:b, s:s, s:o}", "name", m->name,
			"permission", m->admin ? "admin" : "read", "allowed",
			!m->admin || client_is_admin(call->client), "help",
			m->help, "params", describe_params(m)));
	call_answer(call, json_pack("{s:o}", "methods", list));
}

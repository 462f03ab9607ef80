#include "control/admin.h"

#include <string.h>

#include "common/log.h"
#include "control/call.h"
#include "control/request.h"
#include "control/state.h"
#include "ipc/msg.h"

void
method_reload(const struct call *call)
{
	struct msg_request r = {.kind = REQUEST_RELOAD};

	r.value = json_is_true(json_object_get(call->params, "dry_run"));
	request_start(call, &r, 1);
}

void
method_log(const struct call *call)
{
	struct msg_request r = {.kind = REQUEST_LOG_LEVEL};
	const char *process, *level;
	int l;

	process = json_string_value(json_object_get(call->params, "process"));
	level = json_string_value(json_object_get(call->params, "level"));
	while (r.what < PROCESS_COUNT &&
	       strcmp(process_name((enum process_kind)r.what), process) != 0)
		r.what++;
	if (r.what == PROCESS_COUNT) {
		call_refuse(call, JSONRPC_INVALID_PARAMS,
		    "one of tund, tund-worker, tund-control",
		    "no process \"%.64s\"", process);
	} else if ((l = log_level_parse(level)) == -1) {
		call_refuse(call, JSONRPC_INVALID_PARAMS,
		    "one of error, warn, info, debug", "no log level \"%.64s\"",
		    level);
	} else {
		r.value = (uint32_t)l;
		request_start(call, &r, 1);
	}
}

/* What one "set" asks for. */
struct set {
	json_int_t mtu;	      /* 0: nothing */
	uint32_t offloads[2]; /* OFFLOAD_BIT()s to switch off, and on */
};

static int
set_read_offloads(
    struct set *set, json_t *offloads, struct jsonrpc_error *error)
{
	const char *key;
	json_t *value;
	size_t word;

	json_object_foreach (offloads, key, value) {
		if ((word = offload_word_find(key)) == OFFLOAD_WORDS) {
			jsonrpc_fail(error, JSONRPC_INVALID_PARAMS,
			    "there are " OFFLOAD_WORD_LIST,
			    "no offload \"%.64s\"", key);
			return -1;
		}
		if (!json_is_boolean(value)) {
			jsonrpc_fail(error, JSONRPC_INVALID_PARAMS,
			    "an example is {\"tso-rx\":false}",
			    "offload \"%s\" must be true or false", key);
			return -1;
		}
		set->offloads[json_is_true(value)] |= offload_word(word)->bits;
	}
	if ((set->offloads[0] & set->offloads[1]) == 0)
		return 0;
	jsonrpc_fail(error, JSONRPC_INVALID_PARAMS,
	    "gro stands for tso-rx and uso-rx, tso for tso-tx, uso for uso-tx",
	    "an offload is to be both on and off");
	return -1;
}

static int
set_read(struct set *set, json_t *params, struct jsonrpc_error *error)
{
	json_t *mtu = json_object_get(params, "mtu");

	memset(set, 0, sizeof(*set));
	if (mtu != NULL) {
		set->mtu = json_integer_value(mtu);
		if (set->mtu < MTU_MIN || set->mtu > MTU_MAX) {
			jsonrpc_fail(error, JSONRPC_INVALID_PARAMS,
			    "the smallest MTU is 68, the largest 65535",
			    "no interface can have an MTU of %lld",
			    (long long)set->mtu);
			return -1;
		}
	}
	if (set_read_offloads(set, json_object_get(params, "offload"), error) ==
	    -1)
		return -1;
	if (set->mtu != 0 || (set->offloads[0] | set->offloads[1]) != 0)
		return 0;
	jsonrpc_fail(error, JSONRPC_INVALID_PARAMS,
	    "an example is {\"interface\":\"tun0\",\"mtu\":1400}",
	    "nothing to set: neither \"mtu\" nor \"offload\"");
	return -1;
}

static void
set_start(const struct call *call, const struct set *set, uint32_t interface)
{
	struct msg_request r[OFFLOAD_COUNT + 1];
	size_t n = 0;
	uint32_t o;

	memset(r, 0, sizeof(r));
	if (set->mtu != 0) {
		r[n].kind = REQUEST_SET_MTU;
		r[n].interface = interface;
		r[n++].value = (uint32_t)set->mtu;
	}
	for (o = 0; o < OFFLOAD_COUNT; o++) {
		if (((set->offloads[0] | set->offloads[1]) & OFFLOAD_BIT(o)) ==
		    0)
			continue;
		r[n].kind = REQUEST_SET_OFFLOAD;
		r[n].interface = interface;
		r[n].what = o;
		r[n++].value = (set->offloads[1] & OFFLOAD_BIT(o)) != 0;
	}
	request_start(call, r, n);
}

void
method_set(const struct call *call)
{
	json_t *interface = call_interface(call);
	struct jsonrpc_error error;
	struct set set;

	if (interface == NULL)
		return;
	if (state_shares_name(interface)) {
		call_refuse(call, JSONRPC_REFUSED,
		    "rename one of them with ip link",
		    "more than one interface is named \"%.64s\"",
		    json_string_value(json_object_get(interface, "name")));
	} else if (set_read(&set, call->params, &error) == -1) {
		call_fail(call, &error);
	} else {
		set_start(call, &set, (uint32_t)state_id(interface));
	}
}

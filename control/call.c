#include "control/call.h"

#include <stdarg.h>

#include "control/client.h"
#include "control/state.h"

void
call_answer(const struct call *call, json_t *result)
{
	if (call->id == NULL)
		json_decref(result);
	else
		client_send(call->client, jsonrpc_result(call->id, result));
}

void
call_fail(const struct call *call, const struct jsonrpc_error *error)
{
	if (call->id != NULL)
		client_send(call->client, jsonrpc_error(call->id, error));
}

void
call_refuse(
    const struct call *call, int code, const char *hint, const char *fmt, ...)
{
	struct jsonrpc_error error;
	va_list ap;

	va_start(ap, fmt);
	jsonrpc_vfail(&error, code, hint, fmt, ap);
	va_end(ap);
	call_fail(call, &error);
}

json_t *
call_interface(const struct call *call)
{
	const char *name =
	    json_string_value(json_object_get(call->params, "interface"));
	json_t *interface = state_interface(name);

	if (interface == NULL)
		call_refuse(call, JSONRPC_INVALID_PARAMS,
		    "\"interfaces\" lists them", "no interface \"%.64s\"",
		    name);
	return interface;
}

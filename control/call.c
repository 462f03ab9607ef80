#include "control/call.h"

#include "control/client.h"

void
call_answer(const struct call *call, json_t *result)
{
	struct jsonrpc_error error;

	if (result == NULL) {
		jsonrpc_fail(&error, JSONRPC_INTERNAL, "try again",
		    "no answer could be made: memory is short");
		call_fail(call, &error);
	} else if (call->id == NULL) {
		json_decref(result);
	} else {
		client_send(call->client, jsonrpc_result(call->id, result));
	}
}

void
call_fail(const struct call *call, const struct jsonrpc_error *error)
{
	if (call->id != NULL)
		client_send(call->client, jsonrpc_error(call->id, error));
}

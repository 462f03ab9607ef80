#include "control/call.h"

#include "control/client.h"

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

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "ipc/jsonrpc.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

/*
 * The parser of requests and that of answers.  What is accepted must be a
 * request that can be written and read again; what is refused has a reason.
 */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *line = (const char *)data;
	struct jsonrpc_request r;
	struct jsonrpc_message m;
	struct jsonrpc_error error;
	json_t *answer;
	char *text;

	if (jsonrpc_read_request(line, size, &r, &error) == 0) {
		answer = jsonrpc_result(r.id, json_incref(r.object));
		if (r.method == NULL || answer == NULL)
			abort();
	} else {
		answer = jsonrpc_error(r.id, &error);
		if (answer == NULL || error.message[0] == '\0')
			abort();
	}
	text = json_dumps(answer, JSON_COMPACT);
	if (text == NULL || strchr(text, '\n') != NULL)
		abort();
	free(text);
	json_decref(answer);
	jsonrpc_request_clear(&r);
	if (jsonrpc_read_message(line, size, &m) == 0)
		jsonrpc_message_clear(&m);
	return 0;
}

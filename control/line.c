#include <event2/buffer.h>

#include "control/limits.h"
#include "control/line.h"
#include "ipc/jsonrpc.h"

static int
dump_to_evbuffer(const char *text, size_t len, void *arg)
{
	struct evbuffer *b = arg;

	if (evbuffer_get_length(b) + len > CLIENT_ANSWER_MAX)
		return -1;
	return evbuffer_add(b, text, len);
}

/* 0, or -1 and nothing is appended. */
static int
line_try(struct evbuffer *out, const json_t *line)
{
	struct evbuffer *b = evbuffer_new();
	int r = -1;

	if (b == NULL)
		return -1;
	if (line != NULL &&
	    json_dump_callback(line, dump_to_evbuffer, b, JSON_COMPACT) == 0 &&
	    evbuffer_add(b, "\n", 1) == 0)
		r = evbuffer_add_buffer(out, b);
	evbuffer_free(b);
	return r;
}

void
line_write(struct evbuffer *out, json_t *line)
{
	static const char last[] =
	    "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32603,"
	    "\"message\":\"memory is short\",\"data\":{\"class\":\"internal\","
	    "\"hint\":\"try again\"}}}\n";
	struct jsonrpc_error error;
	json_t *instead;

	if (line_try(out, line) == -1) {
		jsonrpc_fail(&error, JSONRPC_TOO_LARGE,
		    "ask for one interface at a time",
		    "an answer of more than %d bytes", CLIENT_ANSWER_MAX);
		instead = jsonrpc_error(json_object_get(line, "id"), &error);
		if (line_try(out, instead) == -1)
			evbuffer_add(out, last, sizeof(last) - 1);
		json_decref(instead);
	}
	json_decref(line);
}

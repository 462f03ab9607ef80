#include <event2/buffer.h>
#include <stdbool.h>

#include "control/limits.h"
#include "control/line.h"
#include "ipc/jsonrpc.h"

struct dump {
	struct evbuffer *to;
	bool too_large;
};

static int
dump_to_evbuffer(const char *text, size_t len, void *arg)
{
	struct dump *d = arg;

	d->too_large = evbuffer_get_length(d->to) + len > CLIENT_ANSWER_MAX;
	return d->too_large ? -1 : evbuffer_add(d->to, text, len);
}

/* 0, or -1 and nothing is appended. */
static int
line_try(struct evbuffer *out, const json_t *line, bool *too_large)
{
	struct dump d = {.to = evbuffer_new()};
	int r = -1;

	if (d.to != NULL && line != NULL &&
	    json_dump_callback(line, dump_to_evbuffer, &d, JSON_COMPACT) == 0 &&
	    evbuffer_add(d.to, "\n", 1) == 0)
		r = evbuffer_add_buffer(out, d.to);
	if (d.to != NULL)
		evbuffer_free(d.to);
	*too_large = d.too_large;
	return r;
}

/* What is sent in place of a line that cannot be. */
static json_t *
line_instead(const json_t *line, bool too_large)
{
	struct jsonrpc_error error;

	if (too_large)
		jsonrpc_fail(&error, JSONRPC_TOO_LARGE,
		    "ask for one interface at a time",
		    "an answer of more than %d bytes", CLIENT_ANSWER_MAX);
	else
		jsonrpc_fail(&error, JSONRPC_INTERNAL, "try again",
		    "no answer could be made: memory is short");
	return jsonrpc_error(json_object_get(line, "id"), &error);
}

void
line_write(struct evbuffer *out, json_t *line)
{
	static const char last[] =
	    "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32603,"
	    "\"message\":\"memory is short\",\"data\":{\"class\":\"internal\","
	    "\"hint\":\"try again\"}}}\n";
	json_t *instead;
	bool too_large;

	if (line_try(out, line, &too_large) == -1) {
		instead = line_instead(line, too_large);
		if (line_try(out, instead, &too_large) == -1)
			evbuffer_add(out, last, sizeof(last) - 1);
		json_decref(instead);
	}
	json_decref(line);
}

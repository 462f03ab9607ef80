#ifndef CONTROL_CALL_H
#define CONTROL_CALL_H

#include <jansson.h>

#include "ipc/jsonrpc.h"

struct client;

/* A request on its way to a method; everything in it is borrowed. */
struct call {
	struct client *client;
	json_t *id;	/* NULL: a notification, which nobody answers */
	json_t *params; /* an object, or NULL */
};

/* The answer to a call: steals result. */
void call_answer(const struct call *, json_t *result);
void call_fail(const struct call *, const struct jsonrpc_error *);

#endif

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
/* The same with a JSONRPC_ code, a hint that is a constant, and a message. */
void call_refuse(const struct call *, int code, const char *hint,
    const char *fmt, ...) __attribute__((format(printf, 4, 5)));
/*
 * That of the state which the parameter "interface" names; NULL when there is
 * none, and the call has failed.
 */
json_t *call_interface(const struct call *);

#endif

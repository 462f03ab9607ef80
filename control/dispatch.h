#ifndef CONTROL_DISPATCH_H
#define CONTROL_DISPATCH_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "ipc/jsonrpc.h"

/*
 * From a line to a method.  What reaches a method's handler is allowed and
 * its parameters are of the declared types, none unknown, none missing.
 */
struct client;
struct call;

#define METHOD_PARAMS 4

struct param {
	const char *name; /* NULL ends the list */
	json_type type;	  /* JSON_TRUE for a boolean */
	bool required;
	const char *help;
};

struct method {
	const char *name;
	bool admin;
	const char *help;
	void (*handler)(const struct call *);
	struct param params[METHOD_PARAMS + 1];
};
/* All of them, ended by a row without a name. */
extern const struct method methods[];
const char *param_type_name(const struct param *);

/* A request on its way to a handler; everything in it is borrowed. */
struct call {
	struct client *client;
	json_t *id;	/* NULL: a notification, which nobody answers */
	json_t *params; /* an object, or NULL */
};

void dispatch_line(struct client *, const char *line, size_t len);

/* The answer to a call: steals result. */
void call_answer(const struct call *, json_t *result);
void call_fail(const struct call *, const struct jsonrpc_error *);

#endif

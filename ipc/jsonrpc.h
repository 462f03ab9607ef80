#ifndef IPC_JSONRPC_H
#define IPC_JSONRPC_H

#include <jansson.h>
#include <stdarg.h>
#include <stddef.h>

/*
 * JSON-RPC 2.0, one object on one line, without batches.  What is read is
 * bounded: no NUL, no duplicate key, at most JSONRPC_DEPTH levels.  The
 * caller bounds the length of the line, which comes without its newline.
 */
#define JSONRPC_DEPTH 16

/*
 * To be called first: where an allocation of jansson fails, no_memory() ends
 * the program.  jansson 2.14 does not survive it.  A string that it reads may
 * lose the quote at its end, and it reads and writes on behind its buffers; of
 * an object that it makes a member is missing, and nothing says so.
 */
void jsonrpc_init(void (*no_memory)(void));

enum jsonrpc_code {
	JSONRPC_PARSE = -32700,
	JSONRPC_INVALID_REQUEST = -32600,
	JSONRPC_UNKNOWN_METHOD = -32601,
	JSONRPC_INVALID_PARAMS = -32602,
	JSONRPC_INTERNAL = -32603,
	/* our own: -32000..-32099 */
	JSONRPC_PERMISSION = -32000, /* not for this user or this socket */
	JSONRPC_REFUSED = -32001,    /* valid, and tund or the kernel said no */
	JSONRPC_BUSY = -32002,	     /* too much is under way; try again */
	JSONRPC_TOO_MANY = -32003,   /* connections */
	JSONRPC_TOO_LONG = -32004,   /* the line */
	JSONRPC_TOO_LARGE = -32005,  /* the answer */
	JSONRPC_TIMEOUT = -32006,    /* tund did not answer in time */
};
/* The word in data.class; "unknown" for a code that is not above. */
const char *jsonrpc_class(int code);

struct jsonrpc_error {
	int code;
	char message[256]; /* printable ASCII */
	const char *hint;  /* a constant sentence */
};
/* Fills in an error; what is not printable ASCII becomes '?'. */
void jsonrpc_fail(struct jsonrpc_error *, int code, const char *hint,
    const char *fmt, ...) __attribute__((format(printf, 4, 5)));
void jsonrpc_vfail(struct jsonrpc_error *, int code, const char *hint,
    const char *fmt, va_list) __attribute__((format(printf, 4, 0)));

struct jsonrpc_request {
	json_t *object; /* holds what the others point into */
	const char *method;
	json_t *params; /* an object, or NULL */
	json_t *id;	/* integer, string or null; NULL: a notification */
};
/*
 * 0, or -1 with the error; id is then the request's if it could be read.
 * Either way jsonrpc_request_clear() it afterwards.
 */
int jsonrpc_read_request(const char *line, size_t len, struct jsonrpc_request *,
    struct jsonrpc_error *);
void jsonrpc_request_clear(struct jsonrpc_request *);

/* What a server says: a result, an error, or a notification. */
struct jsonrpc_message {
	json_t *object;
	json_t *result; /* NULL unless it is a result */
	int code;	/* not 0: an error, with the next three */
	const char *text;
	const char *class;
	const char *hint;   /* "" if there is none */
	const char *method; /* NULL unless it is a notification */
	json_t *params;	    /* its params, an object */
};
/* 0, or -1 if the line is no such thing.  jsonrpc_message_clear() it. */
int jsonrpc_read_message(
    const char *line, size_t len, struct jsonrpc_message *);
void jsonrpc_message_clear(struct jsonrpc_message *);

/*
 * Builders: a new reference, or NULL when a text is not UTF-8.  result and
 * params are stolen and may be NULL; id is borrowed, NULL for null.
 */
json_t *jsonrpc_call(const char *method, json_t *params, int id);
json_t *jsonrpc_result(json_t *id, json_t *result);
json_t *jsonrpc_error(json_t *id, const struct jsonrpc_error *);
json_t *jsonrpc_notification(const char *method, json_t *params);

#endif

#ifndef CTL_CLIENT_H
#define CTL_CLIENT_H

#include <stdbool.h>

#include "ctl/ctl.h"
#include "ipc/jsonrpc.h"

/*
 * The conversation with tund-control.  Every function that fails has said
 * why, in one line, and returns the exit code; CTL_OK is success.
 */
struct client;

/*
 * Connects; where the socket may not be used and only reading is wanted,
 * to its read-only twin.  *out is the caller's to client_close().
 */
enum ctl_exit client_open(const char *path, bool admin, struct client **out);
void client_close(struct client *);

/* Sends a request (params is stolen, may be NULL), waits for its result. */
enum ctl_exit client_call(struct client *, const char *method, json_t *params,
    struct jsonrpc_message *result);
/* The next message, whenever it comes. */
enum ctl_exit client_next(struct client *, struct jsonrpc_message *);

#endif

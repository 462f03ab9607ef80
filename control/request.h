#ifndef CONTROL_REQUEST_H
#define CONTROL_REQUEST_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "ipc/msg.h"

/*
 * Calls that the parent must carry out.  One call becomes one request or
 * several, of numbers alone, and is answered when all of them are.
 */
struct call;
struct event_base;

void requests_init(struct event_base *);
/*
 * Sends n requests for the call.  Its answer holds what the parent replied
 * to each, as one object; or the first refusal, with what was done.
 */
void request_start(const struct call *, const struct msg_request *, size_t n);
/* The parent's reply.  -1: the text is no JSON object. */
int request_on_reply(uint32_t id, uint32_t status, const char *text);

#endif

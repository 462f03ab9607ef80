#ifndef PRIVSEP_REQUESTS_H
#define PRIVSEP_REQUESTS_H

#include <stdint.h>

struct daemon;
struct msg_request;

/*
 * What a client may have changed.  Does it and answers to tund-control, under
 * the id of the request; -1: there is no such request, so tund-control is not
 * what it should be.
 */
int requests_answer(struct daemon *, uint32_t id, const struct msg_request *);

#endif

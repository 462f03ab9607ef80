#ifndef PRIVSEP_BUDGET_H
#define PRIVSEP_BUDGET_H

#include <stdbool.h>
#include <stdint.h>

struct msg_request;

/*
 * A request is work, and so is the state that goes before its answer, some
 * milliseconds for each thousand prefixes: half of the time is for all else, so
 * that what took long is followed by as long a time.
 */
struct budget {
	int64_t owed; /* ms from then until nothing is */
	int64_t then;
	int64_t second;
	unsigned int count; /* of requests in it */
};

/* Times are clock_ms(). */
void budget_pass(struct budget *, int64_t now);
/* A request took so long. */
void budget_spend(struct budget *, int64_t ms);
/* Is there no time for this one? */
bool budget_is_spent(const struct budget *, const struct msg_request *);
/* Until there is, in seconds. */
int64_t budget_wait(const struct budget *);

#endif

#ifndef COMMON_LOG_LIMIT_H
#define COMMON_LOG_LIMIT_H

#include <stdbool.h>
#include <time.h>

/*
 * For lines of which somebody else decides how many there are: 200 in each
 * second, and how many were left out with the first of a later one.
 */
#define LOG_LIMIT_LINES 200

/* Of one source; all zero at first. */
struct log_limit {
	time_t second; /* CLOCK_MONOTONIC */
	unsigned int lines;
};

/*
 * May one more line be logged?  name: whose lines they are, for the warning,
 * which may be logged at once.
 */
bool log_limit_pass(struct log_limit *, const char *name);

#endif

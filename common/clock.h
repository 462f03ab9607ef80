#ifndef COMMON_CLOCK_H
#define COMMON_CLOCK_H

#include <stdint.h>
#include <time.h>

/* Time that nobody sets, CLOCK_MONOTONIC: whole seconds, and milliseconds. */
time_t clock_seconds(void);
int64_t clock_ms(void);

#endif

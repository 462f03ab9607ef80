#ifndef COMMON_UTC_H
#define COMMON_UTC_H

#include <time.h>

#define UTC_SIZE 32

/*
 * RFC 3339 in UTC, into buf of UTC_SIZE bytes, which is returned: to the
 * second, and to the millisecond.  NULL where the year has not four digits, as
 * it must.
 */
const char *utc_seconds(char *buf, time_t);
const char *utc_milliseconds(char *buf, const struct timespec *);

#endif

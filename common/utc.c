#include <stdio.h>

#include "common/utc.h"

/* Without what ends it; its length, 0 where the year has not four digits. */
static size_t
utc_begin(char *buf, time_t t)
{
	struct tm tm;

	if (gmtime_r(&t, &tm) == NULL || tm.tm_year < 1000 - 1900 ||
	    tm.tm_year > 9999 - 1900)
		return 0;
	return strftime(buf, UTC_SIZE, "%Y-%m-%dT%H:%M:%S", &tm);
}

const char *
utc_seconds(char *buf, time_t t)
{
	size_t used = utc_begin(buf, t);

	if (used == 0)
		return NULL;
	snprintf(buf + used, UTC_SIZE - used, "Z");
	return buf;
}

const char *
utc_milliseconds(char *buf, const struct timespec *ts)
{
	size_t used = utc_begin(buf, ts->tv_sec);

	if (used == 0)
		return NULL;
	snprintf(buf + used, UTC_SIZE - used, ".%03dZ",
	    (int)(ts->tv_nsec / 1000000) % 1000);
	return buf;
}

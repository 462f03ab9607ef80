#include "common/log_limit.h"

#include "common/clock.h"
#include "common/log.h"

bool
log_limit_pass(struct log_limit *l, const char *name)
{
	time_t second = clock_seconds();

	if (second != l->second) {
		if (l->lines > LOG_LIMIT_LINES)
			log_warnx("%s: %u lines left out", name,
			    l->lines - LOG_LIMIT_LINES);
		l->second = second;
		l->lines = 0;
	}
	return l->lines++ < LOG_LIMIT_LINES;
}

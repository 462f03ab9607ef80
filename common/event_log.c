#include <event2/event.h>

#include "common/event_log.h"
#include "common/log.h"

static void
event_log(int severity, const char *text)
{
	if (severity >= EVENT_LOG_WARN)
		log_warnx("libevent: %s", text);
	else
		log_debug("libevent: %s", text);
}

void
event_log_init(void)
{
	event_set_log_callback(event_log);
}

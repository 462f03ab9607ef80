#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "common/log.h"

static const char *log_program = "tund";
static enum log_level log_threshold = LOG_LEVEL_INFO;
static log_sink *log_output;
static bool log_syslog;
static bool log_warnings; /* on standard error, too */

static const struct {
	const char *name;
	int priority;
} log_levels[LOG_LEVEL_COUNT] = {
    [LOG_LEVEL_ERROR] = {"error", LOG_ERR},
    [LOG_LEVEL_WARN] = {"warn", LOG_WARNING},
    [LOG_LEVEL_INFO] = {"info", LOG_INFO},
    [LOG_LEVEL_DEBUG] = {"debug", LOG_DEBUG},
};

void
log_init(const char *name, enum log_level level)
{
	log_program = name;
	log_threshold = level;
}

void
log_to_syslog(bool warnings_too)
{
	if (!log_syslog)
		openlog(log_program, LOG_PID | LOG_NDELAY, LOG_DAEMON);
	log_syslog = true;
	log_warnings = warnings_too;
}

void
log_set_sink(log_sink *sink)
{
	log_output = sink;
}

void
log_set_level(enum log_level level)
{
	log_threshold = level;
}

enum log_level
log_get_level(void)
{
	return log_threshold;
}

const char *
log_level_name(enum log_level level)
{
	return level < LOG_LEVEL_COUNT ? log_levels[level].name : NULL;
}

int
log_level_parse(const char *name)
{
	int i;

	for (i = 0; i < LOG_LEVEL_COUNT; i++)
		if (strcmp(name, log_levels[i].name) == 0)
			return i;
	return -1;
}

void
log_from(const char *name, enum log_level level, const char *text)
{
	if (log_warnings && level <= LOG_LEVEL_WARN)
		dprintf(STDERR_FILENO, "%s: %s\n", name, text);
	if (log_output != NULL)
		log_output(level, text);
	else if (log_syslog && name != log_program)
		syslog(log_levels[level].priority, "%s: %s", name, text);
	else if (log_syslog)
		syslog(log_levels[level].priority, "%s", text);
	else
		dprintf(STDERR_FILENO, "%s: %s\n", name, text);
}

/* One line, one write: formatted on the stack, cut when too long. */
static void __attribute__((format(printf, 3, 0)))
log_line(enum log_level level, int error, const char *fmt, va_list ap)
{
	char line[LOG_LINE_MAX];
	size_t used;

	if (level > log_threshold)
		return;
	vsnprintf(line, sizeof(line), fmt, ap);
	if (error != 0) {
		strlcat(line, ": ", sizeof(line));
		used = strlen(line);
		snprintf(line + used, sizeof(line) - used, "%s",
		    strerrordesc_np(error) != NULL ? strerrordesc_np(error)
						   : "unknown error");
	}
	log_from(log_program, level, line);
}

#define LOG_FUNCTION(function, level, error)     \
	void function(const char *fmt, ...)      \
	{                                        \
		va_list ap;                      \
		int saved = errno;               \
                                                 \
		va_start(ap, fmt);               \
		log_line(level, error, fmt, ap); \
		va_end(ap);                      \
		errno = saved;                   \
	}

LOG_FUNCTION(log_warn, LOG_LEVEL_WARN, saved)
LOG_FUNCTION(log_warnx, LOG_LEVEL_WARN, 0)
LOG_FUNCTION(log_info, LOG_LEVEL_INFO, 0)
LOG_FUNCTION(log_debug, LOG_LEVEL_DEBUG, 0)

void
fatal(const char *fmt, ...)
{
	va_list ap;
	int saved = errno;

	va_start(ap, fmt);
	log_line(LOG_LEVEL_ERROR, saved, fmt, ap);
	va_end(ap);
	_exit(1);
}

void
fatalx(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_line(LOG_LEVEL_ERROR, 0, fmt, ap);
	va_end(ap);
	_exit(1);
}

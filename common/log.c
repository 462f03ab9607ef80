#include <sys/stat.h>

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "common/log.h"
#include "common/why.h"

static const char *log_program = "tund";
static enum log_level log_threshold = LOG_LEVEL_INFO;
static log_sink *log_output;
static bool log_journal; /* standard error is */
static bool log_syslog;
static bool log_warnings;      /* on standard error, too */
static unsigned long log_lost; /* since standard error took the last line */

/* That a reader of standard error may need; whoever waits does nothing else. */
#define PATIENCE_MS 1000

static const struct {
	const char *name;
	int priority;
	const char *mark;
} log_levels[LOG_LEVEL_COUNT] = {
    [LOG_LEVEL_ERROR] = {"error", LOG_ERR, "<3>"},
    [LOG_LEVEL_WARN] = {"warn", LOG_WARNING, "<4>"},
    [LOG_LEVEL_INFO] = {"info", LOG_INFO, "<6>"},
    [LOG_LEVEL_DEBUG] = {"debug", LOG_DEBUG, "<7>"},
};

/* JOURNAL_STREAM is a device and inode, and may be about another descriptor. */
static bool
is_journal(int fd)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long device, inode;
	struct stat st;

	return stream != NULL &&
	       sscanf(stream, "%llu:%llu", &device, &inode) == 2 &&
	       fstat(fd, &st) == 0 && st.st_dev == device && st.st_ino == inode;
}

void
log_init(const char *name, enum log_level level)
{
	log_program = name;
	log_threshold = level;
	log_journal = is_journal(STDERR_FILENO);
}

const char *
log_mark(enum log_level level)
{
	return log_journal ? log_levels[level].mark : "";
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

/* A pipe that is ready has room for a line (PIPE_BUF, pipe(7)). */
static bool
is_ready(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLOUT};
	int n;

	do
		n = poll(&p, 1, log_lost > 0 ? 0 : PATIENCE_MS);
	while (n == -1 && errno == EINTR);
	return n > 0;
}

/* Whoever stops reading loses lines, and stops nobody. */
static void
log_to_stderr(const char *name, enum log_level level, const char *text)
{
	if (!is_ready(STDERR_FILENO)) {
		log_lost++;
		return;
	}
	if (log_lost > 0)
		dprintf(STDERR_FILENO,
		    "%s%s: nobody read standard error: lines lost: %lu\n",
		    log_mark(LOG_LEVEL_WARN), log_program, log_lost);
	log_lost = 0;
	dprintf(STDERR_FILENO, "%s%s: %s\n", log_mark(level), name, text);
}

void
log_from(const char *name, enum log_level level, const char *text)
{
	if (log_warnings && level <= LOG_LEVEL_WARN)
		log_to_stderr(name, level, text);
	if (log_output != NULL)
		log_output(level, text);
	else if (log_syslog && name != log_program)
		syslog(log_levels[level].priority, "%s: %s", name, text);
	else if (log_syslog)
		syslog(log_levels[level].priority, "%s", text);
	else
		log_to_stderr(name, level, text);
}

/* One line, one write: formatted on the stack, cut when too long. */
static void __attribute__((format(printf, 3, 0)))
log_line(enum log_level level, int error, const char *fmt, va_list ap)
{
	char line[LOG_LINE_MAX];

	if (level > log_threshold)
		return;
	vsnprintf(line, sizeof(line), fmt, ap);
	if (error != 0) {
		strlcat(line, ": ", sizeof(line));
		strlcat(line, why_errno(error), sizeof(line));
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

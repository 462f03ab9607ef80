#ifndef COMMON_LOG_H
#define COMMON_LOG_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * Log lines are lower-case sentences that an administrator can act on.
 * info: a state changed; debug: an event; never a line per packet.
 */
enum log_level {
	LOG_LEVEL_ERROR,
	LOG_LEVEL_WARN,
	LOG_LEVEL_INFO,
	LOG_LEVEL_DEBUG,
	LOG_LEVEL_COUNT
};

#define LOG_LINE_MAX 1024 /* bytes of a line with its NUL; more is cut off */

/* Where lines go.  text has no newline and is NUL terminated. */
typedef void log_sink(enum log_level, const char *text);

/*
 * name must outlive the program.  Lines go to standard error at first, behind
 * log_mark where systemd says that this is its journal (JOURNAL_STREAM).
 */
void log_init(const char *name, enum log_level);
/* By what the journal knows a line's level, sd-daemon(3); else "". */
const char *log_mark(enum log_level);
/*
 * Leaves standard error for syslog(3), facility daemon.  warnings_too: but
 * tells warnings and errors there as well, until it is called with false.
 */
void log_to_syslog(bool warnings_too);
/* Send lines to sink instead (a child's channel); NULL: standard error. */
void log_set_sink(log_sink *);
void log_set_level(enum log_level);
enum log_level log_get_level(void);
/* "error", "warn", "info", "debug"; NULL or -1 if there is no such level. */
const char *log_level_name(enum log_level);
int log_level_parse(const char *name);

/* log_warn and fatal add ": " and why_errno(errno); the x forms do not. */
void log_warn(const char *, ...) __attribute__((format(printf, 1, 2)));
void log_warnx(const char *, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *, ...) __attribute__((format(printf, 1, 2)));
void log_debug(const char *, ...) __attribute__((format(printf, 1, 2)));
/* At a given level: what a child wrote, under the child's name. */
void log_from(const char *name, enum log_level, const char *text);
void fatal(const char *, ...) __attribute__((format(printf, 1, 2), noreturn));
void fatalx(const char *, ...) __attribute__((format(printf, 1, 2), noreturn));

#endif

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "privsep/conf_error.h"

static void
conf_error_send(
    struct conf_errors *errors, struct conf_where where, const char *text)
{
	char line[1024];

	if (where.line == 0)
		snprintf(line, sizeof(line), "%s: %s", where.file, text);
	else
		snprintf(line, sizeof(line), "%s:%d: %s", where.file,
		    where.line, text);
	errors->report(line, errors->arg);
}

void
conf_error(
    struct conf_errors *errors, struct conf_where where, const char *fmt, ...)
{
	char text[768];
	va_list ap;

	if (errors->count > CONF_ERRORS_MAX)
		return;
	if (errors->count++ == CONF_ERRORS_MAX) {
		conf_error_send(
		    errors, where, "too many errors; the rest was not read");
		return;
	}
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	conf_error_send(errors, where, text);
}

bool
conf_errors_full(const struct conf_errors *errors)
{
	return errors->count > CONF_ERRORS_MAX;
}

struct conf_cite
conf_cite(struct conf_where here, struct conf_where there)
{
	struct conf_cite cite;

	if (strcmp(here.file, there.file) == 0)
		snprintf(cite.text, sizeof(cite.text), "line %d", there.line);
	else
		snprintf(cite.text, sizeof(cite.text), "%s:%d", there.file,
		    there.line);
	return cite;
}

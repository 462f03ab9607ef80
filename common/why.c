#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/why.h"

int
why_set(struct why *why, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why->text, sizeof(why->text), fmt, ap);
	va_end(ap);
	return -1;
}

bool
why_is_news(struct why *told, const struct why *now)
{
	if (strcmp(told->text, now->text) == 0)
		return false;
	*told = *now;
	return true;
}

const char *
why_errno(int error)
{
	const char *text = strerrordesc_np(error);

	if (error == EMFILE)
		return "Too many open files; raise the limit of open files "
		       "(LimitNOFILE in a unit, else ulimit -n)";
	return text != NULL ? text : "unknown error";
}

#ifndef PRIVSEP_CONF_ERROR_H
#define PRIVSEP_CONF_ERROR_H

#include <stdbool.h>

#include "privsep/conf.h"

/*
 * What the parts of the configuration parser share: places in files, and
 * the reporting of errors.
 */

struct conf_where {
	const char *file; /* NULL: nowhere */
	int line;	  /* 0: the file as a whole */
};

struct conf_errors {
	conf_report *report;
	void *arg;
	unsigned int count;
};

/* Reports "file:line: message", "file: message", or that there are too many. */
void conf_error(struct conf_errors *, struct conf_where, const char *, ...)
    __attribute__((format(printf, 3, 4)));
/* Too many: whatever is left of the files is not worth reading. */
bool conf_errors_full(const struct conf_errors *);

/* How a message at one place names another: "line 9", or "file:9". */
struct conf_cite {
	char text[128];
};
struct conf_cite conf_cite(struct conf_where here, struct conf_where there);

#endif

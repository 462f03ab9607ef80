#ifndef CTL_CTL_H
#define CTL_CTL_H

#include <jansson.h>
#include <stdbool.h>

/* Exit codes, as in tundctl(8). */
enum ctl_exit {
	CTL_OK,
	CTL_REFUSED,
	CTL_USAGE,
	CTL_NOT_RUNNING,
	CTL_PERMISSION,
};

/* What the command line asked for. */
struct ctl {
	const char *socket;
	bool json;		 /* -j */
	bool all;		 /* stats -a */
	bool dry_run;		 /* reload -n */
	long long count;	 /* events -n, 0: without end */
	const char *const *args; /* after the verb */
	int nargs;
};

/*
 * One verb is one row: the method that it calls, with what parameters, and
 * how the result looks.  A verb with run() does all of it itself.
 */
struct verb {
	const char *name;  /* NULL ends the table */
	const char *usage; /* its arguments */
	const char *help;
	const char *options; /* for getopt */
	bool admin;	     /* never asks the read-only socket */
	int min_args;
	int max_args;
	const char *method;
	/* NULL: none.  Returns NULL, with a line printed, if they are bad. */
	json_t *(*params)(const struct ctl *);
	void (*print)(const struct ctl *, const json_t *result);
	enum ctl_exit (*run)(const struct ctl *);
};

#endif

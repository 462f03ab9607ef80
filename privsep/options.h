#ifndef PRIVSEP_OPTIONS_H
#define PRIVSEP_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "privsep/conf.h"

#define OPTIONS_MACROS 64

/* The command line; what it points to lies in argv. */
struct options {
	const char *path;
	const char *libexec;
	struct conf_macro macros[OPTIONS_MACROS];
	size_t macro_count;
	bool foreground;      /* -d */
	bool check;	      /* -n */
	unsigned int verbose; /* -v */
};

/* Ends the process with status 2, and a line, if it cannot be understood. */
void options_parse(int argc, char **argv, struct options *o);

#endif

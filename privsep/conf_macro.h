#ifndef PRIVSEP_CONF_MACRO_H
#define PRIVSEP_CONF_MACRO_H

#include <sys/queue.h>

#include <stdbool.h>

#include "privsep/conf_error.h"

/*
 * What $name stands for: a file says it, or -D, which a file does not
 * override.
 */
struct macro;

/* All zero: there is none.  conf_macros_clear frees what is in it. */
struct conf_macros {
	SLIST_HEAD(, macro) list;
};
void conf_macros_clear(struct conf_macros *);

/*
 * Defines it anew, or reports why the name cannot be one.  value NULL: what it
 * should be is wrong, which was reported.  fixed: a later definition in a file
 * does not change it.  Both texts are the caller's, and live as long as the
 * macros.
 */
void conf_macros_define(struct conf_macros *, struct conf_errors *,
    struct conf_where, const char *name, const char *value, bool fixed);
/* Is it defined?  Then it counts as used, and has the value of above. */
bool conf_macros_use(
    struct conf_macros *, const char *name, const char **value);
/* Logs which of the fixed ones stand nowhere. */
void conf_macros_warn_unused(const struct conf_macros *);

#define CONF_MACRO_NAME_MAX 127
/* May the character, or EOF, stand in a name? */
bool conf_macro_has(int c);

#endif

#ifndef PRIVSEP_CONF_TEXT_H
#define PRIVSEP_CONF_TEXT_H

#include <stddef.h>

/*
 * Memory for what the configuration is made into.  Where there is none, the
 * program ends.
 */

/* All zero; the caller's to free. */
void *conf_alloc(size_t);

/* A text that grows; all zero is an empty one.  Its owner frees bytes. */
struct conf_text {
	char *bytes; /* without a NUL */
	size_t len, size;
};
void conf_text_put(struct conf_text *, char);
void conf_text_append(struct conf_text *, const char *, size_t len);

#endif

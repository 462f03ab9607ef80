#ifndef CONTROL_LINE_H
#define CONTROL_LINE_H

#include <jansson.h>

struct evbuffer;

/*
 * Appends the JSON as one line and steals it.  Where it is too large, or
 * NULL because memory was short, the line is an error with its id instead:
 * never half a line.
 */
void line_write(struct evbuffer *, json_t *line);

#endif

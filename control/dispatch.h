#ifndef CONTROL_DISPATCH_H
#define CONTROL_DISPATCH_H

#include <stddef.h>

struct client;

/*
 * From a line to a method.  What reaches a method's handler is allowed and
 * its parameters are of the declared types, none unknown, none missing.
 */
void dispatch_line(struct client *, const char *line, size_t len);

#endif

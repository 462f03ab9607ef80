#ifndef CONTROL_LISTEN_H
#define CONTROL_LISTEN_H

#include <stdbool.h>

struct event_base;

/*
 * Connections are taken only from listen_start() on, so that they wait in
 * the kernel until there is something to answer; it may be called again.
 * 0, or -1 with errno.
 */
int listen_add(struct event_base *, int fd, bool admin);
void listen_start(void);

#endif

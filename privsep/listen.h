#ifndef PRIVSEP_LISTEN_H
#define PRIVSEP_LISTEN_H

#include <sys/types.h>

struct daemon;

struct listener {
	int fd; /* -1: not made */
	/* of its file */
	dev_t dev;
	ino_t ino;
};

/* The control sockets, as files; -1 after a line in the log. */
int listen_make(struct daemon *);
/* Removes the files of those that were made, not what took their places. */
void listen_remove(const struct daemon *);

#endif

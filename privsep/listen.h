#ifndef PRIVSEP_LISTEN_H
#define PRIVSEP_LISTEN_H

struct daemon;

/* The control sockets, as files; -1 after a line in the log. */
int listen_make(struct daemon *);
/* Removes the files of those that were made. */
void listen_remove(const struct daemon *);

#endif

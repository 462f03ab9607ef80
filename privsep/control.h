#ifndef PRIVSEP_CONTROL_H
#define PRIVSEP_CONTROL_H

struct daemon;

/*
 * tund-control as a child.  What it asks for is in requests.c: numbers alone,
 * no byte of a client's.  -1: no memory.
 */
int control_start(struct daemon *);
void control_stop(struct daemon *);

#endif

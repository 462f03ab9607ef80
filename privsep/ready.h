#ifndef PRIVSEP_READY_H
#define PRIVSEP_READY_H

/*
 * Who started the daemon waits until every child runs: the shell that is given
 * its prompt back, and the service manager.
 */

/*
 * Goes on in a process in the background, whose warnings are told on standard
 * error, too, until it is ready.  The first process ends with 0 then, or, if
 * the other ends before, with its status.  -1 with errno.
 */
int ready_background(void);
/* Connects to $NOTIFY_SOCKET, if there is one (sd_notify(3)). */
void ready_connect(void);
/* Tells both, once; standard error then is /dev/null in the background. */
void ready_tell(void);

#endif

#ifndef CONTROL_INBOX_H
#define CONTROL_INBOX_H

struct imsg;

/*
 * What the parent says while clients are served: one message, for
 * parent_serve.  Ends the process if it is not exact.
 */
void inbox_take(struct imsg *, void *unused);

#endif

#ifndef WORKER_PARENT_H
#define WORKER_PARENT_H

#include <stdbool.h>
#include <stdint.h>

#include "ipc/msg.h"

struct worker;

/*
 * What the parent says.  A message that is not exact or not legal now ends the
 * process.
 */

/* Blocks until MSG_WORKER_CONFIG, which is the first: fills *config. */
void parent_configure(struct worker *w, struct msg_worker_config *config);
/* Then, blocks until MSG_WORKER_START: descriptors and peers into w. */
void parent_setup(struct worker *w, struct msg_worker_config *config);
/* Handles what is there, after the lock-down.  Ends on EOF. */
void parent_readable(struct worker *w);

#endif

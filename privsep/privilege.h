#ifndef PRIVSEP_PRIVILEGE_H
#define PRIVSEP_PRIVILEGE_H

#include <stdbool.h>

/* A capability that privilege_drop keeps and we lack; NULL: none. */
const char *privilege_missing(void);
/*
 * Keeps of root's capabilities those that the parent's jobs need, for itself
 * and for what its children start with; CAP_SYS_NICE only if
 * nice is true and it was there.
 * 0, or -1 with errno.
 */
int privilege_drop(bool nice);

#endif

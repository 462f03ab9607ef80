#ifndef PRIVSEP_PRIVILEGE_H
#define PRIVSEP_PRIVILEGE_H

/*
 * Keeps of root's capabilities those that the parent's jobs need, for itself
 * and for what its children start with.  0, or -1 with errno.
 */
int privilege_drop(void);

#endif

#ifndef COMMON_IDMAP_H
#define COMMON_IDMAP_H

#include <sys/types.h>

/*
 * Shows every user in a process's own user namespace under its own number.
 * SO_PEERCRED reports a user that the namespace does not map as 65534, so
 * that a process which must tell root from others needs this map; only a
 * process outside, with CAP_SETUID and CAP_SETFCAP, may write it.
 */
struct idmap {
	pid_t helper; /* -1: none */
	int go;	      /* our end of its socket pair */
};

/*
 * While still privileged: forks the helper, which becomes owner, the user
 * that will make the namespace.  0, or -1 with errno.
 */
int idmap_start(struct idmap *, uid_t owner);
/* In the new namespace: has the map written and the helper gone.  0 or -1. */
int idmap_finish(struct idmap *);

#endif

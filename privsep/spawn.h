#ifndef PRIVSEP_SPAWN_H
#define PRIVSEP_SPAWN_H

#include <sys/types.h>

/*
 * Executes path as a child, under that name, with the other end of *sock on
 * PARENT_FD, three times /dev/null, an empty environment and nothing else, in
 * a process group of its own.  Returns its pid, and *sock is the caller's; or
 * -1 with errno.  What fails behind the fork the child logs through the
 * channel, as any child does.
 */
pid_t spawn(const char *path, const char *name, int *sock);
/*
 * Kills what is left of such a child's group and waits for it: a child tries
 * its sandbox in a child of its own, which has its descriptors, too, and only
 * when all have ended is a device nobody's.  The child itself has not been
 * waited for, so that its number is no other's.  Returns its status.
 */
int spawn_end(pid_t);

#endif

#ifndef PRIVSEP_WRITERS_H
#define PRIVSEP_WRITERS_H

#include <limits.h>

/*
 * Who may change a directory on the way to a file may put another file in its
 * place, or lead the name elsewhere.  Returns the first such directory that is
 * not root's and the running user's alone, in buf; NULL: there is none, or
 * the way ends before the file.  One that is sticky, as /tmp, lets the owner of
 * a file alone take it away.
 */
const char *writers_directory(const char *path, char buf[PATH_MAX]);

#endif

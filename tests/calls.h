#ifndef TESTS_CALLS_H
#define TESTS_CALLS_H

#include <stddef.h>

/* Makes that system call, with arguments that none can use. */
long calls_in_vain(long number);
/*
 * Every system call that there may be, but the needed ones, ends who makes it
 * behind a filter by SIGSYS.  status_of: of a child that makes it there, as of
 * waitpid.
 */
void calls_kill_but(
    const long *needed, size_t count, int (*status_of)(long number));

#endif

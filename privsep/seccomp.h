#ifndef PRIVSEP_SECCOMP_H
#define PRIVSEP_SECCOMP_H

/*
 * Ends the process at any system call that root could do harm with and that
 * neither the parent nor a child on its way into its sandbox ever makes.
 * The children inherit it and add their own, which allow next to nothing.
 * 0, or -1 with errno.
 */
int privsep_seccomp(void);

#endif

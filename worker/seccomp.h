#ifndef WORKER_SECCOMP_H
#define WORKER_SECCOMP_H

/*
 * Eight system calls, and for everything else the end of the process:
 * read, readv, writev, recvmmsg, epoll_wait, sched_yield, exit_group, and
 * setsockopt for SOL_UDP/UDP_SEGMENT alone.  0, or -1 with errno.
 */
int worker_seccomp(void);

#endif

#ifndef WORKER_SECCOMP_H
#define WORKER_SECCOMP_H

/*
 * Eight system calls, and for everything else the end of the process:
 * read, write, readv, writev, recvmmsg, epoll_wait, exit_group, and setsockopt
 * for SOL_UDP/UDP_SEGMENT alone.  0, or -1 with errno.
 */
int worker_seccomp(void);

#endif

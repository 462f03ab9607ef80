#ifndef TESTS_NETS_H
#define TESTS_NETS_H

#include <stdint.h>
#include <sys/types.h>

/*
 * Network namespaces and tun devices for tests.  Whatever cannot be had
 * fails the test.
 */

/* This process into a new network namespace, lo up, no addresses by itself. */
void nets_enter(void);
/* Another namespace, held by a process until nets_end_other. */
pid_t nets_other(void);
void nets_end_other(pid_t);

/* A shell command; it must succeed. */
void nets_run(const char *, ...) __attribute__((format(printf, 1, 2)));
/* The same in the namespace of a process. */
void nets_run_in(pid_t, const char *, ...)
    __attribute__((format(printf, 2, 3)));
/*
 * Until this address of ours can be used.  A work queue of the kernel makes the
 * route to an IPv6 one, and only then is the address told by rtnetlink, and
 * what is sent to it no longer lost.
 */
void nets_await(const char *addr);

/* A tun device, with IFF_TUN|IFF_NO_PI and more flags; its descriptor. */
int nets_tun(const char *name, unsigned int flags);
uint32_t nets_index(const char *name);

/* A capability of this process, off or on again (effective set only). */
void nets_set_capability(int capability, int on);

/* Prints the line that TAP wants and ends the program unless root. */
void nets_need_root(void);

#endif

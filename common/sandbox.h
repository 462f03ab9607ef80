#ifndef COMMON_SANDBOX_H
#define COMMON_SANDBOX_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * How a child gives everything up, in the order of enum sandbox_layer.
 */
enum sandbox_layer {
	SANDBOX_USER,	      /* setresuid to an unprivileged user */
	SANDBOX_NAMESPACES,   /* own user, net, mnt, ipc, uts, pid, cgroup */
	SANDBOX_ROOT,	      /* an empty read-only root */
	SANDBOX_CAPABILITIES, /* none, and an empty bounding set */
	SANDBOX_PDEATHSIG,    /* dies with the parent */
	SANDBOX_NO_NEW_PRIVS,
	SANDBOX_NOT_DUMPABLE,
	SANDBOX_MDWE,	  /* no memory both writable and executable, >= 6.3 */
	SANDBOX_LANDLOCK, /* no file system access, >= 5.13 */
	SANDBOX_RLIMITS,  /* no new process, no new file */
	SANDBOX_SECCOMP,  /* the allow-list, last */
	SANDBOX_COUNT
};
#define SANDBOX_BIT(l) (1u << (l))
#define SANDBOX_ALL (SANDBOX_BIT(SANDBOX_COUNT) - 1)
/* Without these nothing runs, strict or not. */
#define SANDBOX_REQUIRED                                         \
	(SANDBOX_BIT(SANDBOX_USER) | SANDBOX_BIT(SANDBOX_ROOT) | \
	    SANDBOX_BIT(SANDBOX_NO_NEW_PRIVS) | SANDBOX_BIT(SANDBOX_SECCOMP))

/* The empty root where there is no user namespace; the parent makes it. */
#define SANDBOX_CHROOT TUND_RUNTIMEDIR "/empty"

struct sandbox {
	uid_t uid;
	gid_t gid;
	pid_t parent;	     /* getppid() when the child began */
	bool strict;	     /* a missing layer is fatal */
	unsigned int nofile; /* RLIMIT_NOFILE afterwards; 0: no new fd */
	unsigned int data;   /* MiB of memory afterwards; 0: as it is */
	bool see_users; /* SO_PEERCRED must tell users apart, common/idmap.h */
	/* Installs the seccomp filter; 0, or -1 with errno. */
	int (*seccomp)(void);
};

/*
 * Applies every layer.  *applied and *missing are SANDBOX_BIT()s.  Does not
 * return when a required layer (under strict, any layer) cannot be had: the
 * process ends with one line that names it.
 */
void sandbox_enter(
    const struct sandbox *, uint32_t *applied, uint32_t *missing);

const char *sandbox_layer_name(enum sandbox_layer); /* "seccomp", ... */
/* " without sandbox layer mdwe, landlock", for a line of the log, or "". */
#define SANDBOX_WITHOUT_STRLEN 160
const char *sandbox_without(uint32_t missing, char buf[SANDBOX_WITHOUT_STRLEN]);

#endif

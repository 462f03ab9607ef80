/*
 * Runs a program whose processes are refused one thing, as by another kernel
 * or a container's policy.
 */
#include <sys/prctl.h>

#include <errno.h>
#include <seccomp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int
add_pivot(scmp_filter_ctx filter)
{
	return seccomp_rule_add(
	    filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(pivot_root), 0);
}

static int
add_gather(scmp_filter_ctx filter)
{
	return seccomp_rule_add(filter, SCMP_ACT_ERRNO(EINVAL),
	    SCMP_SYS(writev), 1, SCMP_A2(SCMP_CMP_GT, 8, 0));
}

static int
add_chown(scmp_filter_ctx filter)
{
	/* not every machine has the first */
	(void)!seccomp_rule_add(
	    filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(chown), 0);
	return seccomp_rule_add(
	    filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(fchownat), 0);
}

static int
add_capset(scmp_filter_ctx filter)
{
	return seccomp_rule_add(
	    filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(capset), 0);
}

static int
add_subreaper(scmp_filter_ctx filter)
{
	return seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(prctl),
	    1, SCMP_A0(SCMP_CMP_EQ, PR_SET_CHILD_SUBREAPER, 0));
}

static const struct {
	const char *name;
	int (*add)(scmp_filter_ctx);
} things[] = {
    /* they may make user namespaces, but do nothing in them */
    {"pivot", add_pivot},
    /* more than eight pieces in a writev: neither merged frames nor runs */
    {"gather", add_gather},
    {"chown", add_chown},
    {"capset", add_capset},
    {"subreaper", add_subreaper},
};

int
main(int argc, char *argv[])
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
	size_t i, n = sizeof(things) / sizeof(things[0]);

	for (i = 0; argc > 2 && i < n; i++)
		if (strcmp(argv[1], things[i].name) == 0)
			break;
	if (argc <= 2 || i == n || filter == NULL ||
	    seccomp_attr_set(filter, SCMP_FLTATR_CTL_NNP, 0) != 0 ||
	    things[i].add(filter) != 0 || seccomp_load(filter) != 0) {
		fprintf(stderr, "usage: refuse thing program ...\n");
		return 100;
	}
	execvp(argv[2], argv + 2);
	perror(argv[2]);
	return 100;
}

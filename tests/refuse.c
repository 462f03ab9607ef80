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

#include "common/udp_options.h"

#define PIECES SCMP_A2(SCMP_CMP_GT, 8, 0)
#define SUBREAPER SCMP_A0(SCMP_CMP_EQ, PR_SET_CHILD_SUBREAPER, 0)
#define OPTION(name) \
	SCMP_A1(SCMP_CMP_EQ, SOL_UDP, 0), SCMP_A2(SCMP_CMP_EQ, name, 0)

static const struct {
	const char *name;
	int error;
	int call;
	unsigned int conditions;
	struct scmp_arg_cmp when[2];
} things[] = {
    /* they may make user namespaces, but do nothing in them */
    {"pivot", EPERM, SCMP_SYS(pivot_root), 0, {{0}}},
    /* more than eight pieces in a writev: neither merged frames nor runs */
    {"gather", EINVAL, SCMP_SYS(writev), 1, {PIECES}},
    {"chown", EPERM, SCMP_SYS(lchown), 0, {{0}}},
    {"chown", EPERM, SCMP_SYS(fchownat), 0, {{0}}},
    {"capset", EPERM, SCMP_SYS(capset), 0, {{0}}},
    {"fork", EAGAIN, SCMP_SYS(clone), 0, {{0}}},
    {"subreaper", EPERM, SCMP_SYS(prctl), 1, {SUBREAPER}},
    /* kernels before 4.18, and before 5.0 */
    {"udp-gso", ENOPROTOOPT, SCMP_SYS(setsockopt), 2, {OPTION(UDP_SEGMENT)}},
    {"udp-gso", ENOPROTOOPT, SCMP_SYS(getsockopt), 2, {OPTION(UDP_SEGMENT)}},
    {"udp-gro", ENOPROTOOPT, SCMP_SYS(setsockopt), 2, {OPTION(UDP_GRO)}},
    {"udp-gro", ENOPROTOOPT, SCMP_SYS(getsockopt), 2, {OPTION(UDP_GRO)}},
};

/* How many rules that name has: 0, or -1, if they cannot all be added. */
static int
add_rules(scmp_filter_ctx filter, const char *name)
{
	size_t i;
	int r, added = 0;

	for (i = 0; i < sizeof(things) / sizeof(things[0]); i++) {
		if (strcmp(name, things[i].name) != 0)
			continue;
		r = seccomp_rule_add_array(filter,
		    SCMP_ACT_ERRNO((uint32_t)things[i].error), things[i].call,
		    things[i].conditions, things[i].when);
		/* a call that this machine does not have */
		if (r != 0 && r != -EDOM)
			return -1;
		added++;
	}
	return added;
}

int
main(int argc, char *argv[])
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);

	if (argc <= 2 || filter == NULL ||
	    seccomp_attr_set(filter, SCMP_FLTATR_CTL_NNP, 0) != 0 ||
	    add_rules(filter, argv[1]) <= 0 || seccomp_load(filter) != 0) {
		fprintf(stderr, "usage: refuse thing program ...\n");
		return 100;
	}
	execvp(argv[2], argv + 2);
	perror(argv[2]);
	return 100;
}

/*
 * Runs a program whose processes may make user namespaces, but may do nothing
 * in them: pivot_root is refused, as by AppArmor or a container's policy.
 */
#include <errno.h>
#include <seccomp.h>
#include <stdio.h>
#include <unistd.h>

int
main(int argc, char *argv[])
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);

	if (argc < 2 || filter == NULL ||
	    seccomp_attr_set(filter, SCMP_FLTATR_CTL_NNP, 0) != 0 ||
	    seccomp_rule_add(
		filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(pivot_root), 0) != 0 ||
	    seccomp_load(filter) != 0) {
		fprintf(stderr, "usage: nopivot program ...\n");
		return 100;
	}
	execvp(argv[1], argv + 1);
	perror(argv[1]);
	return 100;
}

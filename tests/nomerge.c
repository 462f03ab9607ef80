/*
 * Runs a program whose processes may gather no more than eight pieces in a
 * writev: as if the kernel took neither merged frames nor runs.
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
	    seccomp_rule_add(filter, SCMP_ACT_ERRNO(EINVAL), SCMP_SYS(writev),
		1, SCMP_A2(SCMP_CMP_GT, 8, 0)) != 0 ||
	    seccomp_load(filter) != 0) {
		fprintf(stderr, "usage: nomerge program ...\n");
		return 100;
	}
	execvp(argv[1], argv + 1);
	perror(argv[1]);
	return 100;
}

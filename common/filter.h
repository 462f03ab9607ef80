#ifndef COMMON_FILTER_H
#define COMMON_FILTER_H

#include <seccomp.h>
#include <stddef.h>
#include <stdint.h>

/* A system call, and what must hold of its arguments. */
struct filter_rule {
	int call;
	unsigned int conditions;
	struct scmp_arg_cmp when[2];
};

/*
 * Puts a filter in force: what to do with the calls of the rules, and with all
 * others (SCMP_ACT_...).  0, or -1 with errno.
 */
int filter_load(uint32_t action, const struct filter_rule *, size_t count,
    uint32_t otherwise);

#endif

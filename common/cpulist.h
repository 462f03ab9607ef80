#ifndef COMMON_CPULIST_H
#define COMMON_CPULIST_H

#include <sched.h>
#include <stddef.h>

/* The longest: every other CPU of CPU_SETSIZE. */
#define CPULIST_STRLEN (CPU_SETSIZE / 2 * 5)

/*
 * CPUs as the kernel writes them, "0-3,7" (Documentation/admin-guide/
 * kernel-parameters.rst, "CPU lists").  Returns out; "" for none.
 */
const char *cpulist_format(const cpu_set_t *, char out[CPULIST_STRLEN]);

#endif

#include <stdio.h>

#include "common/cpulist.h"

const char *
cpulist_format(const cpu_set_t *set, char out[CPULIST_STRLEN])
{
	size_t at = 0;
	int first, last;

	out[0] = '\0';
	for (first = 0; first < CPU_SETSIZE; first = last + 1) {
		last = first;
		if (!CPU_ISSET(first, set))
			continue;
		while (last + 1 < CPU_SETSIZE && CPU_ISSET(last + 1, set))
			last++;
		at += (size_t)snprintf(out + at, CPULIST_STRLEN - at,
		    first == last ? "%s%d" : "%s%d-%d", at > 0 ? "," : "",
		    first, last);
	}
	return out;
}

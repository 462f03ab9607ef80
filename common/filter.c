#include <errno.h>

#include "common/filter.h"

int
filter_load(uint32_t action, const struct filter_rule *rules, size_t count,
    uint32_t otherwise)
{
	scmp_filter_ctx ctx = seccomp_init(otherwise);
	size_t i;
	int r = ctx == NULL ? -ENOMEM : 0;

	for (i = 0; r == 0 && i < count; i++) {
		r = seccomp_rule_add_array(ctx, action, rules[i].call,
		    rules[i].conditions, rules[i].when);
		/* a call that this machine does not have */
		if (r == -EDOM)
			r = 0;
	}
	if (r == 0)
		r = seccomp_load(ctx);
	if (ctx != NULL)
		seccomp_release(ctx);
	if (r == 0)
		return 0;
	errno = -r;
	return -1;
}

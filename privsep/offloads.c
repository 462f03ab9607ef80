#include <string.h>

#include "common/why.h"
#include "privsep/offloads.h"

void
offloads_grant(
    struct offloads *of, uint32_t asked, uint32_t granted, const char *why)
{
	enum offload o;

	of->granted = (of->granted & ~asked) | (granted & asked);
	for (o = 0; o < OFFLOAD_COUNT; o++)
		if (asked & ~granted & OFFLOAD_BIT(o))
			strlcpy(of->reason[o],
			    why[0] != '\0' ? why : "not granted by the kernel",
			    sizeof(of->reason[o]));
}

uint32_t
offloads_used(const struct offloads *of)
{
	return of->wanted & of->granted & ~of->refused;
}

void
offloads_want(struct offloads *of, uint32_t wanted, uint32_t again)
{
	enum offload o;

	of->wanted = wanted;
	of->refused &= ~again;
	/* what was not granted keeps its reason */
	for (o = 0; o < OFFLOAD_COUNT; o++)
		if (again & of->granted & OFFLOAD_BIT(o))
			of->reason[o][0] = '\0';
}

bool
offloads_refuse(struct offloads *of, enum offload o)
{
	if (of->refused & OFFLOAD_BIT(o))
		return false;
	of->refused |= OFFLOAD_BIT(o);
	return true;
}

const char *
offloads_note(struct offloads *of, enum offload o, const char *why)
{
	strlcpy(of->reason[o], why, sizeof(of->reason[o]));
	return of->reason[o];
}

const char *
offloads_reason(const struct offloads *of, enum offload o)
{
	if (of->reason[o][0] != '\0')
		return of->reason[o];
	return offloads_used(of) & OFFLOAD_BIT(o) ? NULL : "switched off";
}

int
offloads_explain(const struct offloads *of, enum offload o,
    const char *interface, struct why *why)
{
	return why_set(why, "%s: %s cannot be switched on: %s", interface,
	    offload_name(o), offloads_reason(of, o));
}

#include <err.h>

#include "ctl/ctl.h"
#include "ctl/memory.h"

void
no_memory(void)
{
	errx(CTL_REFUSED, "memory is short");
}

void *
need(void *p)
{
	if (p == NULL)
		no_memory();
	return p;
}

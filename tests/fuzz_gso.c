#include <stdlib.h>
#include <string.h>

#include "worker/csum.h"

#include "tests/pipeline.h"
#include "tests/reference.h"

/*
 * libFuzzer: any bytes are a frame from the tun.  What split makes of it is
 * what the reference makes of it.
 */
int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct list got = {0}, wanted = {0};
	const char *dropped, *should;

	if (len > VNET_LEN + 65535 + 40)
		return 0;
	csum_init();
	if (pipeline_split(data, len, &got, &dropped) != NULL)
		abort();
	should = ref_split(data, len, &wanted);
	if ((dropped == NULL) != (should == NULL) ||
	    (dropped != NULL && strcmp(dropped, should) != 0) ||
	    got.count != wanted.count)
		abort();
	for (size_t i = 0; i < got.count; i++)
		if (!item_equal(&got.items[i], &wanted.items[i]))
			abort();
	list_clear(&got);
	list_clear(&wanted);
	return 0;
}

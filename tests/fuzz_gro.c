#include <stdlib.h>
#include <string.h>

#include "worker/csum.h"

#include "tests/pipeline.h"
#include "tests/reference.h"

/*
 * libFuzzer: a burst is a row of packets, each behind two bytes of length and
 * one that says what is set right in it, or nothing would ever merge: bit 0
 * the IP length, bit 1 the checksums, bit 2: a copy of the packet before, with
 * the bytes as changes to it.
 */
#define PACKETS_MAX 128

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
set_lengths(uint8_t *p, size_t len)
{
	if (len >= 20 && p[0] >> 4 == 4)
		put16(p + 2, (uint16_t)len);
	if (len >= 40 && p[0] >> 4 == 6)
		put16(p + 4, (uint16_t)(len - 40));
}

static void
set_checksums(uint8_t *p, size_t len)
{
	struct ref_layout l;
	uint8_t *field;
	uint16_t sum;

	if (ref_parse(p, len, &l) != NULL || l.total != len)
		return;
	if (l.version == 4) {
		put16(p + 10, 0);
		put16(p + 10, (uint16_t)~ref_sum(p, l.ip_end));
	}
	if (!l.whole)
		return;
	if (l.proto == 17)
		put16(p + l.l4 + 4, (uint16_t)(len - l.l4));
	field = p + l.l4 + (l.proto == 6 ? 16 : 6);
	put16(field, 0);
	sum = 0xffff - ref_add(ref_pseudo(p, l.proto, len - l.l4),
			   ref_sum(p + l.l4, len - l.l4));
	put16(field, sum == 0 && l.proto == 17 ? 0xffff : sum);
}

/* Exclusive or of byte pairs (where, what) with the packet before. */
static void
vary(uint8_t *p, size_t len, const uint8_t *changes, size_t n)
{
	for (size_t i = 0; i + 1 < n; i += 2)
		if (changes[i] < len)
			p[changes[i]] ^= changes[i + 1];
}

static size_t
one_packet(const uint8_t *data, size_t len, struct list *burst)
{
	static uint8_t p[65535];
	size_t n = get16le(data + 1), bytes;
	uint8_t how = data[0];

	if (n > len - 3)
		n = len - 3;
	bytes = n;
	if ((how & 4) != 0 && burst->count > 0) {
		const struct item *last = &burst->items[burst->count - 1];

		bytes = last->len;
		memcpy(p, last->data, bytes);
		vary(p, bytes, data + 3, n);
	} else {
		memcpy(p, data + 3, n);
	}
	if ((how & 1) != 0)
		set_lengths(p, bytes);
	if ((how & 2) != 0)
		set_checksums(p, bytes);
	list_add(burst, p, bytes);
	return 3 + n;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct list burst = {0}, got = {0}, wanted = {0};

	csum_init();
	while (len > 3 && burst.count < PACKETS_MAX) {
		size_t used = one_packet(data, len, &burst);

		data += used;
		len -= used;
	}
	if (pipeline_coalesce(&burst, &got, NULL) != NULL)
		abort();
	ref_coalesce(&burst, &wanted);
	if (got.count != wanted.count)
		abort();
	for (size_t i = 0; i < got.count; i++)
		if (!item_equal(&got.items[i], &wanted.items[i]))
			abort();
	list_clear(&burst);
	list_clear(&got);
	list_clear(&wanted);
	return 0;
}

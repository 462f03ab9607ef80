#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "worker/csum.h"

#include "tests/pipeline.h"

/*
 * offload split|coalesce: the worker's own modules on records from standard
 * input.  A record is a 32-bit little-endian length and that many bytes.
 *
 * split: each record is a frame as read from the tun, a virtio_net_hdr and a
 * packet; out come its packets and a record of length 0.
 * coalesce: each record is a packet, one of length 0 ends the burst; out come
 * the frames for the tun and a record of length 0.
 *
 * What gives nothing is told on standard error as "drop: reason".  The exit
 * status is 1 for input or output that breaks off, never for a packet.
 */
#define RECORD_MAX (VNET_LEN + 65535 + 40)

enum got { GOT_RECORD, GOT_TOO_BIG, GOT_END };

static void __attribute__((noreturn)) broken(const char *what)
{
	fprintf(stderr, "offload: %s\n", what);
	exit(1);
}

/* What is longer than any frame is read to its end and thrown away. */
static void
skip(uint32_t len)
{
	uint8_t buf[4096];

	while (len > 0) {
		size_t n = len < sizeof(buf) ? len : sizeof(buf);

		if (fread(buf, 1, n, stdin) != n)
			broken("input ends inside a record");
		len -= (uint32_t)n;
	}
}

static enum got
read_record(uint8_t *buf, size_t *len)
{
	uint8_t raw[4];
	size_t got = fread(raw, 1, sizeof(raw), stdin);
	uint32_t n;

	if (got == 0 && feof(stdin))
		return GOT_END;
	if (got != sizeof(raw))
		broken("input ends inside a length");
	n = (uint32_t)get16le(raw + 2) << 16 | get16le(raw);
	if (n > RECORD_MAX) {
		skip(n);
		return GOT_TOO_BIG;
	}
	if (n > 0 && fread(buf, 1, n, stdin) != n)
		broken("input ends inside a record");
	*len = n;
	return GOT_RECORD;
}

static void
write_record(const uint8_t *data, size_t len)
{
	uint8_t raw[4];

	put16le(raw, (uint16_t)len);
	put16le(raw + 2, (uint16_t)(len >> 16));
	if (fwrite(raw, 1, sizeof(raw), stdout) != sizeof(raw) ||
	    (len > 0 && fwrite(data, 1, len, stdout) != len))
		broken("cannot write");
}

/* All of the list, then the record that ends it; the list is emptied. */
static void
write_list(struct list *l)
{
	for (size_t i = 0; i < l->count; i++)
		write_record(l->items[i].data, l->items[i].len);
	write_record(NULL, 0);
	list_clear(l);
	if (fflush(stdout) == EOF)
		broken("cannot write");
}

static void
drop(const char *reason)
{
	fprintf(stderr, "drop: %s\n", reason);
}

/* No record may bring this about: keep one that does. */
static void
must_be_right(const char *wrong)
{
	if (wrong == NULL)
		return;
	fprintf(stderr, "wrong: %s\n", wrong);
	abort();
}

static void
split(void)
{
	static uint8_t buf[RECORD_MAX];
	struct list packets = {0};
	const char *reason;
	enum got got;
	size_t len;

	while ((got = read_record(buf, &len)) != GOT_END) {
		reason = "length";
		if (got != GOT_TOO_BIG)
			must_be_right(
			    pipeline_split(buf, len, &packets, &reason));
		if (reason != NULL)
			drop(reason);
		write_list(&packets);
	}
}

static void
coalesce(void)
{
	static uint8_t buf[RECORD_MAX];
	struct list burst = {0}, frames = {0};
	enum got got;
	size_t len;
	bool open = false;

	while ((got = read_record(buf, &len)) != GOT_END) {
		open = got == GOT_TOO_BIG || len > 0;
		if (got == GOT_TOO_BIG)
			drop("length");
		else if (len > 0)
			list_add(&burst, buf, len);
		if (open)
			continue;
		must_be_right(pipeline_coalesce(&burst, &frames, drop));
		list_clear(&burst);
		write_list(&frames);
	}
	if (open) {
		must_be_right(pipeline_coalesce(&burst, &frames, drop));
		list_clear(&burst);
		write_list(&frames);
	}
}

int
main(int argc, char **argv)
{
	csum_init();
	if (argc == 2 && strcmp(argv[1], "split") == 0)
		split();
	else if (argc == 2 && strcmp(argv[1], "coalesce") == 0)
		coalesce();
	else {
		fprintf(stderr, "usage: offload split|coalesce < records\n");
		return 2;
	}
	return 0;
}

#include <stdlib.h>
#include <string.h>

#include "worker/csum.h"
#include "worker/gro.h"
#include "worker/gso.h"
#include "worker/pkt.h"
#include "worker/vnet.h"

#include "tests/pipeline.h"

/* As the reference says it, and as the counters' names end. */
static const char *const drop_names[PKT_DROP_COUNT] = {
    [PKT_SHORT] = "short",
    [PKT_VERSION] = "version",
    [PKT_LENGTH] = "length",
    [PKT_CHECKSUM] = "checksum",
    [PKT_HEADER] = "header",
};

static void
take_batch(struct batch *b, struct list *packets)
{
	static uint8_t buf[PACKET_MAX];

	for (size_t i = 0; i < b->count; i++) {
		const struct seg *s = &b->segs[i];

		if (seg_len(s) > sizeof(buf))
			abort();
		if (s->hdr_len > 0)
			memcpy(buf, s->hdr, s->hdr_len);
		memcpy(buf + s->hdr_len, s->data, s->data_len);
		list_add(packets, buf, seg_len(s));
	}
	b->count = 0;
	b->used = 0;
}

const char *
pipeline_split(const uint8_t *frame, size_t len, struct list *packets)
{
	static struct batch batch;
	uint8_t hdr[VNET_HDR_LEN], *data;
	struct vnet_hdr vnet;
	struct gso gso;
	enum pkt_drop drop;
	bool done;

	if (len < VNET_HDR_LEN)
		return drop_names[PKT_SHORT];
	memcpy(hdr, frame, VNET_HDR_LEN);
	vnet_decode(hdr, &vnet);
	data = guard_copy(frame + VNET_HDR_LEN, len - VNET_HDR_LEN);
	drop = gso_start(&gso, data, len - VNET_HDR_LEN, &vnet);
	if (drop == PKT_OK) {
		do {
			done = gso_next(&gso, &batch);
			take_batch(&batch, packets);
		} while (!done);
	} else if (memcmp(data, frame + VNET_HDR_LEN, len - VNET_HDR_LEN) != 0)
		abort(); /* what is dropped is left as it was */
	guard_free(data, len - VNET_HDR_LEN);
	return drop_names[drop];
}

/* The packets of the burst at hand, where the coalescer looks at them. */
static struct item held[BATCH_PACKETS];
static size_t held_count;

static void
flush(struct gro *g, struct list *frames)
{
	static uint8_t buf[VNET_LEN + PACKET_MAX];
	struct gro_frame f;

	for (size_t i = 0; i < gro_count(g); i++) {
		size_t len = 0;

		gro_frame(g, i, &f);
		for (int k = 0; k < f.iovcnt; k++) {
			if (f.iov[k].iov_len > sizeof(buf) - len)
				abort();
			memcpy(buf + len, f.iov[k].iov_base, f.iov[k].iov_len);
			len += f.iov[k].iov_len;
		}
		if (len != f.len)
			abort();
		list_add(frames, buf, len);
	}
	gro_reset(g);
	while (held_count > 0) {
		held_count--;
		guard_free(held[held_count].data, held[held_count].len);
	}
}

static void
coalesce(const struct list *burst, struct list *frames,
    pipeline_on_drop *dropped, bool guess)
{
	static const uint32_t key[GRO_KEY_WORDS] = {0x243f6a88, 0x85a308d3,
	    0x13198a2e, 0x03707344, 0xa4093822, 0x299f31d0, 0x082efa98,
	    0xec4e6c89, 0x452821e6, 0x38d01377};
	static struct gro gro;
	static bool ready;

	if (!ready)
		gro_init(&gro, key);
	ready = true;
	for (size_t i = 0; i < burst->count; i++) {
		const struct item *it = &burst->items[i];
		uint8_t *data = guard_copy(it->data, it->len);
		struct pkt pkt;
		enum pkt_drop drop;

		if (gro_room(&gro) == 0)
			flush(&gro, frames);
		if (!guess || !gro_continue(&gro, data, it->len)) {
			drop = pkt_parse(data, it->len, &pkt);
			if (drop != PKT_OK) {
				guard_free(data, it->len);
				if (dropped != NULL)
					dropped(drop_names[drop]);
				continue;
			}
			gro_push(&gro, data, it->len, &pkt);
		}
		held[held_count].data = data;
		held[held_count++].len = it->len;
	}
	flush(&gro, frames);
}

void
pipeline_coalesce(
    const struct list *burst, struct list *frames, pipeline_on_drop *dropped)
{
	struct list parsed = {0};
	size_t before = frames->count;

	coalesce(burst, frames, dropped, true);
	/* what is taken unparsed is what parsing each packet would give */
	coalesce(burst, &parsed, NULL, false);
	if (parsed.count != frames->count - before)
		abort();
	for (size_t i = 0; i < parsed.count; i++)
		if (!item_equal(&frames->items[before + i], &parsed.items[i]))
			abort();
	list_clear(&parsed);
}

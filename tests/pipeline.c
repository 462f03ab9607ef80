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

static const char *
take_batch(struct batch *b, struct list *packets)
{
	static uint8_t buf[PACKET_MAX];
	const char *wrong = NULL;

	for (size_t i = 0; i < b->count; i++) {
		const struct seg *s = &b->segs[i];

		if (seg_len(s) > sizeof(buf)) {
			wrong = "a packet is longer than any can be";
			continue;
		}
		if (s->hdr_len > 0)
			memcpy(buf, s->hdr, s->hdr_len);
		memcpy(buf + s->hdr_len, s->data, s->data_len);
		list_add(packets, buf, seg_len(s));
	}
	b->count = 0;
	b->used = 0;
	return wrong;
}

static const char *
cut(struct gso *gso, struct list *packets)
{
	static struct batch batch;
	const char *wrong = NULL;
	bool done = false;

	while (!done && wrong == NULL) {
		done = gso_next(gso, &batch);
		wrong = take_batch(&batch, packets);
	}
	return wrong;
}

static const char *
split(const uint8_t *frame, size_t len, enum guard side, struct list *packets,
    const char **dropped)
{
	uint8_t hdr[VNET_HDR_LEN], *data;
	const char *wrong = NULL;
	struct vnet_hdr vnet;
	struct gso gso;
	enum pkt_drop drop;

	memcpy(hdr, frame, VNET_HDR_LEN);
	vnet_decode(hdr, &vnet);
	frame += VNET_HDR_LEN;
	len -= VNET_HDR_LEN;
	data = guard_copy(frame, len, side);
	drop = gso_start(&gso, data, len, &vnet);
	*dropped = drop_names[drop];
	if (drop == PKT_OK)
		wrong = cut(&gso, packets);
	else if (memcmp(data, frame, len) != 0)
		wrong = "what was dropped is not what it was before";
	guard_free(data, len);
	return wrong;
}

/* Is what was added to the list the same again? */
static bool
same_again(const struct list *l, size_t before, const struct list *again)
{
	if (again->count != l->count - before)
		return false;
	for (size_t i = 0; i < again->count; i++)
		if (!item_equal(&l->items[before + i], &again->items[i]))
			return false;
	return true;
}

const char *
pipeline_split(const uint8_t *frame, size_t len, struct list *packets,
    const char **dropped)
{
	struct list again = {0};
	size_t before = packets->count;
	const char *wrong, *other;

	*dropped = drop_names[PKT_SHORT];
	if (len < VNET_HDR_LEN)
		return NULL;
	wrong = split(frame, len, GUARD_END, packets, dropped);
	if (wrong == NULL)
		wrong = split(frame, len, GUARD_FRONT, &again, &other);
	if (wrong == NULL &&
	    (other != *dropped || !same_again(packets, before, &again)))
		wrong = "what lies beside a frame changed what became of it";
	list_clear(&again);
	return wrong;
}

/* The frame as it would be written. */
static const char *
take_frame(const struct gro_frame *f, struct list *frames)
{
	static uint8_t buf[VNET_LEN + PACKET_MAX];
	size_t len = 0;

	for (int k = 0; k < f->iovcnt; k++) {
		if (f->iov[k].iov_len > sizeof(buf) - len)
			return "a frame is longer than any can be";
		memcpy(buf + len, f->iov[k].iov_base, f->iov[k].iov_len);
		len += f->iov[k].iov_len;
	}
	list_add(frames, buf, len);
	return len == f->len ? NULL : "a frame is not as long as its pieces";
}

static const char *
flush(struct gro *g, struct list *frames)
{
	const char *wrong = NULL;
	struct gro_frame f;

	for (size_t i = 0; i < gro_count(g) && wrong == NULL; i++) {
		gro_frame(g, i, &f);
		wrong = take_frame(&f, frames);
	}
	gro_reset(g);
	return wrong;
}

static const char *
coalesce(const struct list *burst, bool guess, struct list *frames,
    pipeline_on_drop *dropped)
{
	static const uint32_t key[GRO_KEY_WORDS] = {0x243f6a88, 0x85a308d3,
	    0x13198a2e, 0x03707344, 0xa4093822, 0x299f31d0, 0x082efa98,
	    0xec4e6c89, 0x452821e6, 0x38d01377};
	static struct gro gro;
	static bool ready;
	const char *wrong = NULL, *last;

	if (!ready)
		gro_init(&gro, key);
	ready = true;
	for (size_t i = 0; i < burst->count && wrong == NULL; i++) {
		const struct item *it = &burst->items[i];
		struct pkt pkt;
		enum pkt_drop drop;

		if (gro_room(&gro) == 0)
			wrong = flush(&gro, frames);
		if (guess && gro_continue(&gro, it->data, it->len))
			continue;
		drop = pkt_parse(it->data, it->len, &pkt);
		if (drop == PKT_OK)
			gro_push(&gro, it->data, it->len, &pkt);
		else if (dropped != NULL)
			dropped(drop_names[drop]);
	}
	last = flush(&gro, frames);
	return wrong != NULL ? wrong : last;
}

/* Once more, when it must give the same. */
static const char *
coalesce_again(const struct list *burst, bool guess, const struct list *frames,
    size_t before)
{
	struct list again = {0};
	const char *wrong = coalesce(burst, guess, &again, NULL);

	if (wrong == NULL && !same_again(frames, before, &again))
		wrong = guess ? "what lies beside a packet changed what "
				"became of it"
			      : "a packet that was not parsed went wrong";
	list_clear(&again);
	return wrong;
}

/* The burst where the coalescer looks at it. */
static struct list
hold(const struct list *burst, enum guard side)
{
	struct list held = {.count = burst->count};

	held.items = calloc(held.count + 1, sizeof(*held.items));
	if (held.items == NULL)
		abort();
	for (size_t i = 0; i < held.count; i++) {
		const struct item *it = &burst->items[i];

		held.items[i].data = guard_copy(it->data, it->len, side);
		held.items[i].len = it->len;
	}
	return held;
}

static void
let_go(struct list *held)
{
	for (size_t i = 0; i < held->count; i++)
		guard_free(held->items[i].data, held->items[i].len);
	free(held->items);
}

const char *
pipeline_coalesce(
    const struct list *burst, struct list *frames, pipeline_on_drop *dropped)
{
	struct list held = hold(burst, GUARD_END);
	size_t before = frames->count;
	const char *wrong = coalesce(&held, true, frames, dropped);

	/* what is taken unparsed is what parsing each packet would give */
	if (wrong == NULL)
		wrong = coalesce_again(&held, false, frames, before);
	let_go(&held);
	if (wrong != NULL)
		return wrong;
	held = hold(burst, GUARD_FRONT);
	wrong = coalesce_again(&held, true, frames, before);
	let_go(&held);
	return wrong;
}

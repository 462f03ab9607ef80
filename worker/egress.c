#include <sys/mman.h>
#include <sys/param.h>

#include <unistd.h>

#include "worker/egress.h"
#include "worker/gso.h"
#include "worker/tun_io.h"
#include "worker/udp_io.h"
#include "worker/worker.h"

/*
 * tun_read -> vnet_decode -> gso_start -> peers_lookup -> gso_next ->
 * egress_group -> udp_send.  The frames read stay where they are until
 * everything cut from them has been sent.
 */

/*
 * Frames lie one behind the other, until the turn is over.  Of the largest 16
 * are read, and what is cut from them is sent whenever it fills the batch: more
 * gained nothing.  Of small ones as many as the batch holds: their runs are
 * four times as long as with 16, +8 % of 64-byte datagrams for 0.88 of the CPU.
 */
#define EGRESS_FRAMES BATCH_PACKETS
#define EGRESS_LARGEST ((size_t)16)
/*
 * A superpacket may hold 65,495 segments of one byte, and whoever may send into
 * the tun makes such: a turn ends within one, so that peers and the parent have
 * theirs.  Sixteen of the largest with an MSS of 536 are just below.
 */
#define EGRESS_PACKETS_MAX 2048
/* Before the first frame: behind a virtio_net_hdr IP begins a cache line. */
#define EGRESS_HEADROOM (64 - VNET_HDR_LEN)
#define EGRESS_BYTES \
	(EGRESS_LARGEST * roundup(EGRESS_HEADROOM + TUN_FRAME_MAX, 64))
#define RUN_SEGS_MAX 64 /* UDP_MAX_SEGMENTS before Linux 6.9 */

/* Packets of one peer and one size, the last perhaps smaller: one send. */
struct run {
	struct peer *peer;
	uint32_t size;
	uint32_t bytes;
	uint16_t count;
	uint16_t first, last; /* segments, chained by next */
};

struct egress {
	struct batch batch;
	struct run runs[BATCH_PACKETS];
	size_t run_count;
	struct run *open[LIMIT_SLOTS]; /* the run that the peer's next joins */
	uint16_t next[BATCH_PACKETS];
	struct iovec iov[2 * RUN_SEGS_MAX];
	uint64_t turn_end; /* in w->packets */
	struct gso gso;	   /* the frame that is being cut */
	bool cut_short;	   /* by the end of the turn: it goes on in the next */
	uint8_t frames[EGRESS_BYTES] __attribute__((aligned(64)));
};

/* The way of a packet, from top to bottom: what is called stands below. */
static bool egress_read(struct worker *w, struct egress *e, size_t *at);
static bool is_full(size_t at);
static void egress_frame(
    struct worker *w, struct egress *e, uint8_t *frame, size_t len);
static void egress_cut(struct worker *w, struct egress *e);
static void drop(struct worker *w, enum counter c, uint32_t packets);
static void count_frame(struct worker *w, size_t len);
static void count_superpacket(struct worker *w, const struct gso *g);
static void egress_send(struct worker *w, struct egress *e);
static void egress_group(struct worker *w, struct egress *e);
static inline bool run_takes(const struct run *r, uint32_t len);
static void run_begin(
    struct worker *w, struct egress *e, uint16_t index, uint32_t len);
static void send_run(struct worker *w, struct egress *e, const struct run *r);
static void send_singly(
    struct worker *w, struct egress *e, const struct run *r);
static int gather_seg(const struct seg *s, struct iovec *iov);

enum egress_end
egress_run(struct worker *w)
{
	struct egress *e = w->egress;
	size_t i, most = w->vnet_hdr ? EGRESS_FRAMES : 1;
	size_t at = EGRESS_HEADROOM;
	bool more = true;

	e->turn_end = w->packets + EGRESS_PACKETS_MAX;
	if (e->cut_short) {
		/* it lies where others would be read to */
		egress_cut(w, e);
		egress_send(w, e);
		return EGRESS_MORE;
	}
	for (i = 0; i < most && more && !e->cut_short && !is_full(at); i++)
		more = egress_read(w, e, &at);
	egress_send(w, e);
	if (!more)
		return EGRESS_EMPTY;
	return is_full(at) ? EGRESS_FULL : EGRESS_MORE;
}

/* False: there was no more to read. */
static bool
egress_read(struct worker *w, struct egress *e, size_t *at)
{
	size_t n = tun_read(w, e->frames + *at);

	if (n == 0)
		return false;
	egress_frame(w, e, e->frames + *at, n);
	*at += roundup(n, 64);
	return true;
}

static bool
is_full(size_t at)
{
	return at + TUN_FRAME_MAX > EGRESS_BYTES;
}

/* Why gso_start found no packet. */
static const enum counter drop_counters[PKT_DROP_COUNT] = {
    [PKT_SHORT] = COUNTER_TX_DROP_SHORT,
    [PKT_VERSION] = COUNTER_TX_DROP_VERSION,
    [PKT_LENGTH] = COUNTER_TX_DROP_LENGTH,
    [PKT_CHECKSUM] = COUNTER_TX_DROP_CHECKSUM,
    [PKT_HEADER] = COUNTER_TX_DROP_HEADER,
};

static void
egress_frame(struct worker *w, struct egress *e, uint8_t *frame, size_t len)
{
	struct vnet_hdr h = {.gso_type = VNET_GSO_NONE};
	enum pkt_drop why;

	if (w->vnet_hdr && len < VNET_HDR_LEN) {
		count_frame(w, 0);
		drop(w, COUNTER_TX_DROP_SHORT, 1);
		return;
	}
	if (w->vnet_hdr) {
		vnet_decode(frame, &h);
		frame += VNET_HDR_LEN;
		len -= VNET_HDR_LEN;
	}
	why = gso_start(&e->gso, frame, len, &h);
	count_frame(w, len);
	if (e->gso.split)
		count_superpacket(w, &e->gso);
	if (why == PKT_OK)
		egress_cut(w, e);
	else
		drop(w, drop_counters[why], 1);
}

/* Until the frame, or the turn, is done. */
static void
egress_cut(struct worker *w, struct egress *e)
{
	struct gso *g = &e->gso;
	struct peer *p =
	    peers_lookup(&w->peers, g->pkt.version, pkt_dst(g->data, &g->pkt));
	size_t from;
	bool done;

	e->cut_short = false;
	if (p == NULL) {
		drop(w, COUNTER_TX_DROP_NO_PEER, gso_left(g));
		return;
	}
	do {
		from = e->batch.count;
		done = gso_next(g, &e->batch);
		for (; from < e->batch.count; from++)
			e->batch.segs[from].slot = p->slot;
		if (!done)
			egress_send(w, e);
		e->cut_short = !done && w->packets >= e->turn_end;
	} while (!done && !e->cut_short);
}

/* The load that moderation sees has what is dropped in it, too. */
static void
drop(struct worker *w, enum counter c, uint32_t packets)
{
	worker_count(w, c, packets);
	w->packets += packets;
}

/* len: without the virtio_net_hdr. */
static void
count_frame(struct worker *w, size_t len)
{
	worker_count(w, COUNTER_TUN_READ_FRAMES, 1);
	worker_count(w, COUNTER_TUN_READ_BYTES, len);
}

static void
count_superpacket(struct worker *w, const struct gso *g)
{
	worker_count(w,
	    g->pkt.proto == PKT_TCP ? COUNTER_TUN_READ_TSO
				    : COUNTER_TUN_READ_USO,
	    1);
}

static void
egress_send(struct worker *w, struct egress *e)
{
	size_t i;

	egress_group(w, e);
	for (i = 0; i < e->run_count; i++)
		send_run(w, e, &e->runs[i]);
	w->packets += e->batch.count;
	e->batch.count = e->batch.used = 0;
}

/*
 * Runs in the order of their first packets.  A smaller packet ends its run,
 * so that order within a peer, and so within a flow, is kept.
 */
static void
egress_group(struct worker *w, struct egress *e)
{
	struct run *r;
	uint32_t slot, len;
	uint16_t i;

	e->run_count = 0;
	for (i = 0; i < e->batch.count; i++) {
		slot = e->batch.segs[i].slot;
		len = seg_len(&e->batch.segs[i]);
		r = e->open[slot];
		if (r == NULL || !run_takes(r, len)) {
			run_begin(w, e, i, len);
			continue;
		}
		e->next[r->last] = i;
		r->last = i;
		r->count++;
		r->bytes += len;
		if (len < r->size)
			e->open[slot] = NULL;
	}
	for (i = 0; i < e->run_count; i++)
		e->open[e->runs[i].peer->slot] = NULL;
}

/* Does the segment belong at the end of the peer's open run? */
static inline bool
run_takes(const struct run *r, uint32_t len)
{
	return len <= r->size && r->count < RUN_SEGS_MAX &&
	       r->bytes + len <= r->peer->udp.send_max;
}

static void
run_begin(struct worker *w, struct egress *e, uint16_t index, uint32_t len)
{
	uint32_t slot = e->batch.segs[index].slot;
	struct peer *p = &w->peers.peer[slot];
	struct run *r = &e->runs[e->run_count++];

	e->open[slot] =
	    worker_may(w, OFFLOAD_UDP_GSO) && !p->udp.gso_off ? r : NULL;
	*r = (struct run){.peer = p,
	    .size = len,
	    .bytes = len,
	    .count = 1,
	    .first = index,
	    .last = index};
}

static void
send_run(struct worker *w, struct egress *e, const struct run *r)
{
	struct udp_run all = {.iov = e->iov,
	    .size = r->size,
	    .count = r->count,
	    .bytes = r->bytes};
	uint16_t i, index = r->first;

	for (i = 0; i < r->count; i++, index = e->next[index])
		all.iovcnt +=
		    gather_seg(&e->batch.segs[index], &e->iov[all.iovcnt]);
	if (udp_send(w, r->peer, &all) != 0)
		send_singly(w, e, r);
}

/* What the kernel would not take as a run, packet by packet. */
static void
send_singly(struct worker *w, struct egress *e, const struct run *r)
{
	const struct seg *s;
	uint16_t i, index = r->first;
	struct udp_run one = {.iov = e->iov, .count = 1};

	for (i = 0; i < r->count; i++, index = e->next[index]) {
		s = &e->batch.segs[index];
		one.iovcnt = gather_seg(s, e->iov);
		one.size = one.bytes = seg_len(s);
		udp_send(w, r->peer, &one);
	}
}

static int
gather_seg(const struct seg *s, struct iovec *iov)
{
	int n = 0;

	/* an iovec has no const; a write only reads */
	if (s->hdr_len > 0) {
		iov[n].iov_base = (uint8_t *)(uintptr_t)s->hdr;
		iov[n++].iov_len = s->hdr_len;
	}
	iov[n].iov_base = (uint8_t *)(uintptr_t)s->data;
	iov[n++].iov_len = s->data_len;
	return n;
}

struct egress *
egress_new(void)
{
	/*
	 * Zeroed, and on a page: the batch wants its cache lines whole.  All
	 * of it is taken now, so that the process never grows.  A read beyond
	 * the frames would meet the page behind.
	 */
	const size_t page = (size_t)sysconf(_SC_PAGESIZE);
	const size_t size = roundup(sizeof(struct egress), page);
	uint8_t *p = mmap(NULL, size + page, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	if (p == MAP_FAILED || mprotect(p + size, page, PROT_NONE) == -1)
		return NULL;
	return (struct egress *)(void *)p;
}

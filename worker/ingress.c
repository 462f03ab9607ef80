#include <sys/param.h>

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

#include "worker/gro.h"
#include "worker/ingress.h"
#include "worker/report.h"
#include "worker/tun_io.h"
#include "worker/udp_io.h"
#include "worker/worker.h"

/*
 * udp_receive -> udp_message -> gro_continue, or else pkt_parse ->
 * peers_source_ok -> gro_push; then gro_frame -> tun_write.  Buffers are reused
 * when the burst is written.
 */

/*
 * Runs that UDP_GRO made fill their buffers: four of them stay in an L2 cache
 * of 512 KB, where eight carried no more of one TCP stream (0.99, 0.98); with
 * 2 MiB of it 64 carried as much of one (0.99), and 1.07 of UDP in runs.
 * Single datagrams do not: there more of them save system calls.  Runs of small
 * packets would make a batch of thousands while the tun waits.
 */
#define INGRESS_DEPTH_RUNS 4
#define INGRESS_DEPTH_SINGLE UDP_RX_MESSAGES
#define INGRESS_RUN_BYTES 8192 /* an average message above is a run */
#define INGRESS_RUN_PACKETS 4  /* so is one of more packets */

/*
 * The parent's filter keeps more from coming, so that a drain ends when the
 * socket is empty.  Should there be no filter, it ends after more than can have
 * waited: the largest receive buffer holds 2 GiB, and no datagram takes less of
 * it than 512 bytes, what the kernel has for its own use.
 */
#define DRAIN_TURNS_MAX (INT32_MAX / 512 / UDP_RX_MESSAGES + 1)

struct ingress {
	struct udp_rx rx;
	struct gro gro;
	struct gro_frame frame;
	bool singles[LIMIT_SLOTS]; /* the last receive had no runs in it */
};

/* The way of a packet, from top to bottom: what is called stands below. */
static size_t receive_depth(
    const struct worker *w, const struct ingress *in, const struct peer *p);
static void ingress_message(struct worker *w, struct ingress *in,
    struct peer *p, const struct udp_message *m);
static void ingress_packet(struct worker *w, struct ingress *in, struct peer *p,
    const uint8_t *data, size_t len);
static void drop(struct worker *w, struct peer *p, enum counter c, uint64_t n);
static void ingress_flush(struct worker *w, struct ingress *in, struct peer *p);
static int write_frame(
    struct worker *w, struct peer *p, const struct gro_frame *f);
static void write_singly(struct worker *w, struct ingress *in,
    struct peer *peer, const struct gro_frame *f);
static int write_counted(struct worker *w, struct peer *p,
    const struct iovec *iov, int iovcnt, size_t bytes, size_t packets);
static size_t drain_batch(struct worker *w, struct peer *p);

bool
ingress_run(struct worker *w, struct peer *p)
{
	struct ingress *in = w->ingress;
	size_t i, n, depth = receive_depth(w, in, p), bytes = 0, packets = 0;
	struct udp_message m;

	/* a slot that gets its peer soon has no filter: no more than others */
	if (!p->active)
		return drain_batch(w, p) == UDP_RX_MESSAGES;
	in->gro.tcp = worker_may(w, OFFLOAD_TSO_RX);
	in->gro.udp = worker_may(w, OFFLOAD_USO_RX);
	n = udp_receive(w, p, &in->rx, depth);
	for (i = 0; i < n; i++) {
		m = udp_message(w, p, &in->rx, i);
		bytes += m.len;
		packets += m.size > 0 ? howmany(m.len, m.size) : 1;
		ingress_message(w, in, p, &m);
	}
	ingress_flush(w, in, p);
	if (n > 0)
		in->singles[p->slot] = bytes / n <= INGRESS_RUN_BYTES &&
				       packets / n <= INGRESS_RUN_PACKETS;
	return n == depth;
}

/* As the last receive from this peer says, whatever others send. */
static size_t
receive_depth(
    const struct worker *w, const struct ingress *in, const struct peer *p)
{
	if (!w->vnet_hdr)
		return 1;
	return in->singles[p->slot] ? INGRESS_DEPTH_SINGLE : INGRESS_DEPTH_RUNS;
}

static void
ingress_message(struct worker *w, struct ingress *in, struct peer *p,
    const struct udp_message *m)
{
	size_t at, len, count = 0;

	if (m->data == NULL)
		return;
	/* a run that would not fit whole goes into a burst of its own */
	if (m->size > 0 && gro_room(&in->gro) * m->size < m->len)
		ingress_flush(w, in, p);
	/* an empty datagram is one too */
	for (at = 0; at < m->len || count == 0; at += len, count++) {
		len = m->len - at < m->size ? m->len - at : m->size;
		ingress_packet(w, in, p, m->data + at, len);
	}
	w->packets += count;
	worker_count(w, COUNTER_RX_PACKETS, count);
	worker_count(w, COUNTER_RX_BYTES, m->len);
	counter_add(&p->counters->rx_packets, count);
	counter_add(&p->counters->rx_bytes, m->len);
}

/* Why pkt_parse found no packet. */
static const enum counter drop_counters[PKT_DROP_COUNT] = {
    [PKT_SHORT] = COUNTER_RX_DROP_SHORT,
    [PKT_VERSION] = COUNTER_RX_DROP_VERSION,
    [PKT_LENGTH] = COUNTER_RX_DROP_LENGTH,
};

static void
ingress_packet(struct worker *w, struct ingress *in, struct peer *p,
    const uint8_t *data, size_t len)
{
	struct pkt pkt;
	enum pkt_drop why;

	if (gro_room(&in->gro) == 0)
		ingress_flush(w, in, p);
	if (gro_continue(&in->gro, data, len))
		return;
	why = pkt_parse(data, len, &pkt);
	if (why != PKT_OK) {
		drop(w, p, drop_counters[why], 1);
		return;
	}
	if (!peers_source_ok(&w->peers, p, pkt.version, pkt_src(data, &pkt))) {
		drop(w, p, COUNTER_RX_DROP_SOURCE, 1);
		return;
	}
	gro_push(&in->gro, data, len, &pkt);
}

static void
drop(struct worker *w, struct peer *p, enum counter c, uint64_t n)
{
	worker_count(w, c, n);
	counter_add(&p->counters->rx_dropped, n);
}

/* All of a burst came from one peer. */
static void
ingress_flush(struct worker *w, struct ingress *in, struct peer *p)
{
	const struct gro_frame *f = &in->frame;
	size_t i;
	int error;

	for (i = 0; i < gro_count(&in->gro); i++) {
		gro_frame(&in->gro, i, &in->frame);
		error = write_frame(w, p, f);
		if (f->count == 1)
			continue;
		if (error == EINVAL)
			write_singly(w, in, p, f);
		else if (error == 0)
			worker_count(w,
			    f->gso_type == VNET_GSO_UDP_L4
				? COUNTER_TUN_WRITE_USO
				: COUNTER_TUN_WRITE_TSO,
			    1);
	}
	gro_reset(&in->gro);
}

static int
write_frame(struct worker *w, struct peer *p, const struct gro_frame *f)
{
	/* iov[0] is the virtio_net_hdr, for one packet nothing else */
	int skip = w->vnet_hdr ? 0 : 1;

	return write_counted(w, p, f->iov + skip, f->iovcnt - skip,
	    f->len - VNET_HDR_LEN, f->count);
}

/*
 * The kernel refused a merged frame: its packets go singly, as they came, and
 * this kind of merging stops (some kernels refuse a short tail, some all).
 */
static void
write_singly(struct worker *w, struct ingress *in, struct peer *peer,
    const struct gro_frame *f)
{
	static uint8_t header[VNET_HDR_LEN];
	bool tcp = f->gso_type != VNET_GSO_UDP_L4;
	enum offload kind = tcp ? OFFLOAD_TSO_RX : OFFLOAD_USO_RX;
	const struct gro_packet *p;
	struct iovec iov[2];
	uint16_t i, index = f->first;

	worker_count(
	    w, tcp ? COUNTER_FALLBACK_TUN_TSO : COUNTER_FALLBACK_TUN_USO, 1);
	/* once: the burst may hold more that were merged before */
	if (worker_may(w, kind)) {
		w->offloads &= ~OFFLOAD_BIT(kind);
		report_offload_off(kind, EINVAL, -1);
	}
	for (i = 0; i < f->count; i++) {
		index = gro_packet_of(&in->gro, index, &p);
		iov[0].iov_base = header;
		iov[0].iov_len = sizeof(header);
		/* an iovec has no const; a write only reads */
		iov[1].iov_base = (uint8_t *)(uintptr_t)p->data;
		iov[1].iov_len = p->len;
		write_counted(w, peer, iov, 2, p->len, 1);
	}
}

/* As tun_write; what is lost there is the peer's loss, too. */
static int
write_counted(struct worker *w, struct peer *p, const struct iovec *iov,
    int iovcnt, size_t bytes, size_t packets)
{
	int error = tun_write(w, iov, iovcnt, bytes, packets);

	/* a merged frame that is refused is not lost yet */
	if (error != 0 && (error != EINVAL || packets == 1))
		counter_add(&p->counters->rx_dropped, packets);
	return error;
}

void
ingress_drain_unused(struct worker *w)
{
	struct peers *ps = &w->peers;
	size_t i;

	for (i = 0; i < ps->slots; i++)
		if (!ps->peer[i].active && ps->peer[i].fd != -1)
			ingress_drain(w, &ps->peer[i]);
}

void
ingress_drain(struct worker *w, struct peer *p)
{
	size_t turn;

	for (turn = 0; turn < DRAIN_TURNS_MAX; turn++)
		if (drain_batch(w, p) == 0)
			break;
}

/* How many messages there were. */
static size_t
drain_batch(struct worker *w, struct peer *p)
{
	struct ingress *in = w->ingress;
	size_t i, n = udp_receive(w, p, &in->rx, UDP_RX_MESSAGES);
	struct udp_message m;

	for (i = 0; i < n; i++) {
		m = udp_message(w, p, &in->rx, i);
		if (m.data != NULL)
			drop(w, p, COUNTER_RX_DROP_NO_PEER,
			    m.len == 0 ? 1 : howmany(m.len, m.size));
	}
	return n;
}

struct ingress *
ingress_new(void)
{
	struct ingress *in = calloc(1, sizeof(*in));
	uint32_t key[GRO_KEY_WORDS];

	if (in == NULL || udp_rx_init(&in->rx) == -1) {
		free(in);
		return NULL;
	}
	arc4random_buf(key, sizeof(key));
	gro_init(&in->gro, key);
	return in;
}

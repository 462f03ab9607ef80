#include <sys/mman.h>

#include <errno.h>
#include <string.h>

#include "common/udp_options.h"
#include "worker/report.h"
#include "worker/udp_io.h"
#include "worker/worker.h"

/* Refusals in a row after which a peer gets no UDP_SEGMENT any more. */
#define GSO_REFUSALS_MAX 3

/*
 * UDP_SEGMENT stays set on the socket; a run of another size changes it
 * (+0.15 us on a send of 61 KB), a smaller single datagram needs no change.
 */
static int
set_gso_size(struct peer *p, uint32_t size, uint32_t count)
{
	int value = (int)size;

	if (p->udp.gso_size == size || (count == 1 && size < p->udp.gso_size))
		return 0;
	/* a single datagram that is larger: 0 lets it go as it is */
	if (count == 1) {
		if (p->udp.gso_size == 0)
			return 0;
		value = 0;
	}
	if (setsockopt(p->fd, SOL_UDP, UDP_SEGMENT, &value, sizeof(value)) ==
	    -1)
		return -1;
	p->udp.gso_size = (uint16_t)value;
	return 0;
}

/*
 * A size that stays set has the kernel refuse single packets for what it
 * would refuse a run: a size beyond the path's MTU, a route through IPsec.
 * False: it stays, and so does errno, which is the send's.
 */
static bool
clear_gso_size(struct peer *p)
{
	const int none = 0, error = errno;

	if (p->udp.gso_size == 0)
		return false;
	if (setsockopt(p->fd, SOL_UDP, UDP_SEGMENT, &none, sizeof(none)) ==
	    -1) {
		errno = error;
		return false;
	}
	p->udp.gso_size = 0;
	return true;
}

void
udp_adopt(struct peer *p, int fd)
{
	const int none = 0;

	p->fd = fd;
	p->udp.gso_size = 0;
	/* an error says that this kernel has no such size to be set */
	setsockopt(fd, SOL_UDP, UDP_SEGMENT, &none, sizeof(none));
}

static bool
is_gso_refusal(int error)
{
	return error == EIO || error == EINVAL || error == EMSGSIZE;
}

/*
 * An error that belongs to an earlier datagram, reported once, then gone: what
 * ICMP may bring a connected socket (icmp_err_convert and tab_unreach of
 * Linux).
 */
static bool
is_pending_error(int error)
{
	return error == ECONNREFUSED || error == EHOSTUNREACH ||
	       error == ENETUNREACH || error == EHOSTDOWN || error == ENONET ||
	       error == EPROTO || error == ENOPROTOOPT || error == EACCES;
}

static enum counter
drop_counter(int error)
{
	static const struct {
		int error;
		enum counter counter;
	} reasons[] = {
	    {EAGAIN, COUNTER_TX_DROP_FULL},
	    {ENOBUFS, COUNTER_TX_DROP_FULL},
	    {ENOMEM, COUNTER_TX_DROP_FULL},
	    {EMSGSIZE, COUNTER_TX_DROP_TOO_BIG},
	    {ENETDOWN, COUNTER_TX_DROP_REFUSED},
	    /* not connected: the parent has yet to aim it */
	    {EDESTADDRREQ, COUNTER_TX_DROP_NOT_AIMED},
	};
	size_t i;

	for (i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
		if (reasons[i].error == error)
			return reasons[i].counter;
	return is_pending_error(error) ? COUNTER_TX_DROP_REFUSED
				       : COUNTER_TX_DROP_ERROR;
}

/* Of an earlier datagram, or of all: an interrupted call has none. */
static void
count_socket_error(struct worker *w, struct peer *p, int error)
{
	if (error == EINTR)
		return;
	worker_count(w, COUNTER_RX_SOCKET_ERRORS, 1);
	counter_add(&p->counters->socket_errors, 1);
}

/* The kernel will not segment this run: the caller sends it singly. */
static int
gso_refused(struct worker *w, struct peer *p, uint32_t size, int error)
{
	worker_count(w, COUNTER_FALLBACK_UDP_GSO, 1);
	clear_gso_size(p);
	if (p->udp.gso_refused == 0 || size < p->udp.gso_refused_min)
		p->udp.gso_refused_min = (uint16_t)size;
	if (++p->udp.gso_refused >= GSO_REFUSALS_MAX && !p->udp.gso_off) {
		p->udp.gso_off = true;
		report_offload_off(OFFLOAD_UDP_GSO, error, p->slot);
	}
	return error;
}

/*
 * A run was taken: that ends the refusals in a row, unless all of them were of
 * larger segments, as where a larger one exceeds the MTU.
 */
static void
gso_taken(struct peer *p, uint32_t size)
{
	if (size < p->udp.gso_refused_min)
		return;
	p->udp.gso_refused = 0;
	p->udp.gso_refused_min = 0;
}

/* Once more where the error was an earlier datagram's, or a signal came. */
static ssize_t
send_past_error(struct worker *w, struct peer *p, const struct udp_run *r)
{
	ssize_t n = writev(p->fd, r->iov, r->iovcnt);

	if (n != -1 || (errno != EINTR && !is_pending_error(errno)))
		return n;
	count_socket_error(w, p, errno);
	return writev(p->fd, r->iov, r->iovcnt);
}

int
udp_send(struct worker *w, struct peer *p, const struct udp_run *r)
{
	bool set = set_gso_size(p, r->size, r->count) == 0;
	ssize_t n = set ? send_past_error(w, p, r) : -1;

	/* a single packet may go where the size that is set was refused */
	if (n == -1 && set && r->count == 1 && is_gso_refusal(errno) &&
	    clear_gso_size(p))
		n = send_past_error(w, p, r);
	if (n == -1) {
		/* the option's own error says nothing about the run */
		if (r->count > 1 && (!set || is_gso_refusal(errno)))
			return gso_refused(w, p, r->size, errno);
		worker_count(w, drop_counter(errno), r->count);
		counter_add(&p->counters->tx_dropped, r->count);
		return 0;
	}
	if (r->count > 1) {
		gso_taken(p, r->size);
		worker_count(w, COUNTER_TX_GSO_SENDS, 1);
	}
	worker_count(w, COUNTER_TX_SENDS, 1);
	worker_count(w, COUNTER_TX_PACKETS, r->count);
	worker_count(w, COUNTER_TX_BYTES, r->bytes);
	counter_add(&p->counters->tx_packets, r->count);
	counter_add(&p->counters->tx_bytes, r->bytes);
	return 0;
}

int
udp_rx_init(struct udp_rx *rx)
{
	size_t i;

	rx->buffers = mmap(NULL, (size_t)UDP_RX_MESSAGES * UDP_RX_SIZE,
	    PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE,
	    -1, 0);
	if (rx->buffers == MAP_FAILED)
		return -1;
	for (i = 0; i < UDP_RX_MESSAGES; i++) {
		rx->iov[i].iov_base = rx->buffers + i * UDP_RX_SIZE;
		rx->iov[i].iov_len = UDP_RX_SIZE;
		rx->msgs[i].msg_hdr.msg_iov = &rx->iov[i];
		rx->msgs[i].msg_hdr.msg_iovlen = 1;
		rx->msgs[i].msg_hdr.msg_control = rx->control[i].bytes;
	}
	rx->used = UDP_RX_MESSAGES;
	return 0;
}

size_t
udp_receive(struct worker *w, struct peer *p, struct udp_rx *rx, size_t max)
{
	int n, tries;

	for (; rx->used > 0; rx->used--)
		rx->msgs[rx->used - 1].msg_hdr.msg_controllen =
		    sizeof(rx->control[0].bytes);
	for (tries = 0; tries < 2; tries++) {
		n = recvmmsg(
		    p->fd, rx->msgs, (unsigned int)max, MSG_DONTWAIT, NULL);
		if (n > 0) {
			worker_count(w, COUNTER_RX_RECEIVES, (uint64_t)n);
			rx->used = (size_t)n;
			return rx->used;
		}
		if (n == 0 || errno == EAGAIN)
			break;
		/* an ICMP error: reading it cleared it, messages may wait */
		count_socket_error(w, p, errno);
	}
	return 0;
}

/*
 * The socket's total since it was made, as it was when a message was queued.
 * What was before the first message is another worker's or another peer's.
 */
static void
count_overflow(struct worker *w, struct peer *p, uint32_t total)
{
	uint32_t more = p->udp.overflow_known ? total - p->udp.overflow : 0;

	p->udp.overflow = total;
	p->udp.overflow_known = true;
	worker_count(w, COUNTER_RX_SOCKET_OVERFLOW, more);
	counter_add(&p->counters->rx_overflow, more);
}

struct udp_message
udp_message(struct worker *w, struct peer *p, struct udp_rx *rx, size_t i)
{
	struct msghdr *msg = &rx->msgs[i].msg_hdr;
	struct udp_message out = {
	    .data = rx->iov[i].iov_base, .len = rx->msgs[i].msg_len};
	struct cmsghdr *cmsg;
	uint32_t dropped = p->udp.overflow_known ? p->udp.overflow : 0;
	int size = 0;

	for (cmsg = CMSG_FIRSTHDR(msg); cmsg != NULL;
	     cmsg = CMSG_NXTHDR(msg, cmsg)) {
		if (cmsg->cmsg_level == SOL_UDP && cmsg->cmsg_type == UDP_GRO &&
		    cmsg->cmsg_len == CMSG_LEN(sizeof(size))) {
			memcpy(&size, CMSG_DATA(cmsg), sizeof(size));
		} else if (cmsg->cmsg_level == SOL_SOCKET &&
			   cmsg->cmsg_type == SO_RXQ_OVFL &&
			   cmsg->cmsg_len == CMSG_LEN(sizeof(dropped))) {
			memcpy(&dropped, CMSG_DATA(cmsg), sizeof(dropped));
		}
	}
	if (dropped != p->udp.overflow || !p->udp.overflow_known)
		count_overflow(w, p, dropped);
	if (msg->msg_flags & (MSG_TRUNC | MSG_CTRUNC)) {
		worker_count(w, COUNTER_RX_DROP_TRUNCATED, 1);
		counter_add(&p->counters->rx_dropped, 1);
		out.data = NULL;
		out.len = 0;
	}
	out.size = size > 0 && (size_t)size < out.len ? (size_t)size : out.len;
	if (out.size < out.len)
		worker_count(w, COUNTER_RX_GRO_RECEIVES, 1);
	return out;
}

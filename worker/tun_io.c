#include <errno.h>
#include <unistd.h>

#include "worker/report.h"
#include "worker/tun_io.h"
#include "worker/worker.h"

size_t
tun_read(struct worker *w, uint8_t *buf)
{
	ssize_t n;

	do {
		n = read(w->tun, buf, TUN_FRAME_MAX);
	} while (n == -1 && errno == EINTR);
	if (n > 0)
		return (size_t)n;
	if (n == -1 && (errno == EBADFD || errno == EBADF))
		report_tun_gone();
	/* EINVAL: it was a superpacket that no virtio_net_hdr can describe */
	if (n == -1 && errno != EAGAIN)
		worker_count(w, COUNTER_TUN_READ_ERRORS, 1);
	return 0;
}

int
tun_write(struct worker *w, const struct iovec *iov, int iovcnt, size_t bytes,
    size_t packets)
{
	ssize_t n;

	do {
		n = writev(w->tun, iov, iovcnt);
	} while (n == -1 && errno == EINTR);
	if (n != -1) {
		worker_count(w, COUNTER_TUN_WRITE_FRAMES, 1);
		worker_count(w, COUNTER_TUN_WRITE_BYTES, bytes);
		return 0;
	}
	switch (errno) {
	case EINVAL:
		if (packets == 1)
			worker_count(w, COUNTER_RX_DROP_TUN_REFUSED, 1);
		return EINVAL;
	case EIO:
		worker_count(w, COUNTER_RX_DROP_DOWN, packets);
		return EIO;
	case EAGAIN:
	case ENOBUFS:
	case ENOMEM:
		worker_count(w, COUNTER_RX_DROP_TUN_FULL, packets);
		return EAGAIN;
	case EBADFD:
		report_tun_gone();
	default:
		worker_count(w, COUNTER_RX_DROP_TUN_ERROR, packets);
		return EIO;
	}
}

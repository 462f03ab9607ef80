#ifndef WORKER_TUN_IO_H
#define WORKER_TUN_IO_H

#include <sys/uio.h>

#include <stddef.h>
#include <stdint.h>

#include "worker/vnet.h"

struct worker;

/* The largest frame; a shorter buffer would be truncated silently. */
#define TUN_FRAME_MAX (VNET_HDR_LEN + 65535)

/*
 * Reads one frame into buf (TUN_FRAME_MAX bytes).  Bytes read, or 0 when there
 * is nothing now.  Does not return when the device is gone.
 */
size_t tun_read(struct worker *, uint8_t *buf);

/*
 * Writes one frame that holds so many packets and so many bytes of them.
 * 0; or EINVAL: the kernel does not take it in this form, which is counted
 * here if it is one packet; or EAGAIN (the queue is full, or memory short) or
 * EIO for what is lost and counted here.
 */
int tun_write(struct worker *, const struct iovec *, int iovcnt, size_t bytes,
    size_t packets);

#endif

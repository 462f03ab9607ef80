#ifndef WORKER_REPORT_H
#define WORKER_REPORT_H

#include <stdint.h>

#include "common/log.h"
#include "ipc/msg.h"

/* What the worker tells its parent. */

/* A sink for log_set_sink. */
void report_log(enum log_level, const char *text);
/* Locked down, by what of SANDBOX_...; ends if nobody can be told. */
void report_ready(uint32_t applied, uint32_t missing);
/* The peers of that message are in force; ends if nobody can be told. */
void report_peers_done(uint32_t generation);
/*
 * The kernel refused an offload with this errno, and it is not used any more;
 * if the channel is full, the counters still tell.  slot: of the peer that it
 * concerns, or -1 for all.
 */
void report_offload_off(enum offload, int error, int slot);
/* The tun device is gone, and so is the worker. */
void report_tun_gone(void) __attribute__((noreturn));

#endif

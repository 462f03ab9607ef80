#ifndef PRIVSEP_TUN_OFFLOAD_H
#define PRIVSEP_TUN_OFFLOAD_H

#include <stddef.h>
#include <stdint.h>

/*
 * What the kernel hands us of a device and takes from us by TUNSETOFFLOAD, from
 * the most that is wanted (OFFLOAD_BIT()s of OFFLOADS_TUN) down to what it
 * grants.  Returns that, and writes why it is not all, or "", to reason.
 */
uint32_t tun_set_offloads(
    int fd, uint32_t wanted, char *reason, size_t reasonlen);

#endif

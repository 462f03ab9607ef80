#include <sys/ioctl.h>

#include <linux/if_tun.h>

#include <errno.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "ipc/msg.h"
#include "privsep/tun_offload.h"

#ifndef TUN_F_USO4
#define TUN_F_USO4 0x20 /* Linux 6.2 */
#define TUN_F_USO6 0x40
#endif

#define FEATURES_TSO (TUN_F_TSO4 | TUN_F_TSO6)
/* The kernel takes the two of them together or not at all. */
#define FEATURES_USO (TUN_F_USO4 | TUN_F_USO6)
#define OFFLOADS_TSO (OFFLOAD_BIT(OFFLOAD_TSO_TX) | OFFLOAD_BIT(OFFLOAD_TSO_RX))

/* The best of what is asked that the kernel takes; -1 with 0: not even this. */
static int
walk_ladder(int fd, unsigned int asked, unsigned int *taken)
{
	static const unsigned int rungs[] = {
	    ~0u,
	    ~(unsigned int)TUN_F_TSO_ECN,
	    ~(unsigned int)FEATURES_USO,
	    ~(unsigned int)(FEATURES_USO | TUN_F_TSO_ECN),
	    TUN_F_CSUM,
	    0,
	};
	size_t i;

	for (i = 0; i < sizeof(rungs) / sizeof(rungs[0]); i++) {
		*taken = asked & rungs[i];
		if (ioctl(fd, TUNSETOFFLOAD, (unsigned long)*taken) == 0)
			return 0;
	}
	return -1;
}

static unsigned int
features_for(uint32_t wanted)
{
	unsigned int features = TUN_F_CSUM;

	if (wanted & OFFLOAD_BIT(OFFLOAD_TSO_TX))
		features |= FEATURES_TSO | TUN_F_TSO_ECN;
	if (wanted & OFFLOAD_BIT(OFFLOAD_USO_TX))
		features |= FEATURES_USO;
	return features;
}

/*
 * What is written needs no leave, only a kernel that knows the type: TCP
 * always, UDP since 6.2, which is the version that grants USO.
 */
static bool
knows_uso(int fd)
{
	return ioctl(fd, TUNSETOFFLOAD,
		   (unsigned long)(TUN_F_CSUM | FEATURES_USO)) == 0;
}

static void
explain_refusal(uint32_t missing, int error, char *reason, size_t reasonlen)
{
	if (missing == 0)
		reason[0] = '\0';
	else if (error != 0 && error != EINVAL)
		snprintf(reason, reasonlen, "the kernel refuses offloads: %s",
		    strerror(error));
	else if (missing & OFFLOADS_TSO)
		strlcpy(reason, "this kernel refuses TSO on a tun device",
		    reasonlen);
	else
		strlcpy(reason,
		    "this kernel refuses USO on a tun device: it needs "
		    "Linux 6.2 or later",
		    reasonlen);
}

uint32_t
tun_set_offloads(int fd, uint32_t wanted, char *reason, size_t reasonlen)
{
	struct ifreq ifr = {0};
	uint32_t granted = 0;
	unsigned int taken;
	bool uso;
	int error = 0;

	wanted &= OFFLOADS_TUN;
	if (ioctl(fd, TUNGETIFF, &ifr) == -1) {
		explain_refusal(wanted, errno, reason, reasonlen);
		return 0;
	}
	if (!(ifr.ifr_flags & IFF_VNET_HDR)) {
		/* The last user of a persistent device may have left some. */
		ioctl(fd, TUNSETOFFLOAD, 0UL);
		strlcpy(reason,
		    wanted == 0 ? "" : "the device has no virtio_net_hdr",
		    reasonlen);
		return 0;
	}
	uso = (wanted & OFFLOAD_BIT(OFFLOAD_USO_RX)) && knows_uso(fd);
	if (walk_ladder(fd, features_for(wanted), &taken) == -1)
		error = errno;
	if (taken & TUN_F_TSO4)
		granted |= OFFLOAD_BIT(OFFLOAD_TSO_TX);
	if (taken & TUN_F_USO4)
		granted |= OFFLOAD_BIT(OFFLOAD_USO_TX);
	if (error == 0)
		granted |= wanted & OFFLOAD_BIT(OFFLOAD_TSO_RX);
	if (uso)
		granted |= OFFLOAD_BIT(OFFLOAD_USO_RX);
	explain_refusal(wanted & ~granted, error, reason, reasonlen);
	return granted;
}

#ifndef PRIVSEP_TUN_H
#define PRIVSEP_TUN_H

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

struct conf_interface;
struct why;

/*
 * Opens and prepares /dev/net/tun: flags, owner, header size, endianness,
 * offloads.  Nothing here changes anything by netlink.
 */
struct tun {
	int fd;		     /* O_NONBLOCK | O_CLOEXEC; the first queue */
	char name[IFNAMSIZ]; /* as the kernel says */
	bool vnet_hdr;
	bool multi_queue;
	uint32_t owner;	  /* before it was adopted; 0: root, or none */
	uint32_t granted; /* OFFLOAD_BIT()s of TSO/USO_TX, _RX granted */
	char reason[128]; /* why less than asked, or "" */
};

/*
 * Opens by the configuration's device kind.  0, or -1 after writing to why
 * one line that names the cause and the remedy.  Of an inherited descriptor
 * the tun gets a duplicate, so that its number can be used again.
 */
int tun_open(const struct conf_interface *, struct tun *, struct why *why);
/* For one adopted in vain: its owner is who it was.  Before the close. */
void tun_give_back(const struct tun *);
/* Of one that stays: it keeps no offloads, which its next user may not know. */
void tun_leave(const struct tun *);
/* One more queue of the same device; -1 with errno, ENODEV: it is elsewhere. */
int tun_open_queue(const struct tun *);
/* Today's name, also after a rename or a move; -1 with errno. */
int tun_name(int fd, char name[IFNAMSIZ]);

#endif

#ifndef PRIVSEP_IFACE_H
#define PRIVSEP_IFACE_H

#include <sys/queue.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/why.h"
#include "ipc/msg.h"
#include "privsep/conf.h"
#include "privsep/netlink.h"
#include "privsep/offloads.h"
#include "privsep/tun.h"

#define IFACE_ID_MAX 0xffffu

struct daemon;
struct link_state;
struct proc;
struct slot;

/* Of the device, and its worker. */
struct queue {
	struct proc *proc;
	struct iface *iface;
	uint32_t number;
	int tun_fd;
	int counters_fd;
	bool page_sent; /* of the counters, to the tund-control that runs */
	uint32_t generation_sent; /* peers table that the worker was sent */
	uint32_t generation_done; /* peers table that it has */
	bool table_out;		  /* it has not said yet that it has that one */
	size_t prefix_room;	  /* that the worker was started with */
};

/*
 * What a failure takes back, until it is certain: of an interface that is being
 * opened all that it was given, of a running one what a reload has prepared.
 */
struct iface_undo {
	struct netlink_link link;	/* as it was; mtu 0: it is still so */
	bool all;			/* that is, not the MTU alone */
	struct conf_prefixes addresses; /* that were added */
	struct conf_prefixes routes;
};

/*
 *	OPENED --lifecycle_start--> RUNNING --iface_set_gone--> GONE
 *
 * A GONE one is closed for one that was opened anew, or LOST.  In the place of
 * one that was closed, and could not be had again, stands one that is AWAY
 * until it can.
 */
enum iface_state {
	IFACE_OPENED, /* a start or a reload that fails takes it away again */
	IFACE_RUNNING,
	IFACE_GONE, /* its device was deleted: to be made again */
	IFACE_AWAY, /* the same, and nothing is open */
	IFACE_LOST  /* what was deleted cannot be had again */
};

/*
 * An interface at run time: its device, the sockets of its peers, its workers.
 * lifecycle.c makes it; then ifconf.c and what is below that care for the link,
 * slots.c for the sockets, workers.c for the processes, publish.c for what
 * tund-control has of it, retry.c for what is gone.
 */
struct iface {
	TAILQ_ENTRY(iface) entry;
	struct daemon *daemon;
	uint32_t id;		     /* IFACE_ID_MAX at most */
	struct conf_interface *conf; /* of the configuration in force */
	struct tun tun;
	/*
	 * In our network namespace, as far as the monitor has told; 0: not
	 * monitored, or not there.  See iface_is_here.
	 */
	uint32_t ifindex;
	/*
	 * As the monitor has read it, which may be more than it has told. NULL:
	 * not monitored, not started, stopped, or it could not be watched yet.
	 */
	const struct link_state *link;
	enum iface_state state;
	unsigned int gone_ticks; /* tries since it is gone; retry.c's */
	struct why gone_why;	 /* why it could not be, as told last */
	uint32_t mtu;		 /* as last set by us, bytes; 0: never */
	uint32_t mtu_asked;	 /* as last set by the file, or by routes */
	uint32_t mtu_next;	 /* the same of a reload, from ifconf_prepare */
	uint32_t mtu_at_commit;	 /* that ifconf_commit sets; 0: none */
	bool lacks;		 /* addresses or routes that were refused */
	struct why lacks_why;	 /* the first of them, as told last */
	unsigned int lacks_ticks; /* since they were */
	struct iface_undo undo;
	struct offloads offloads;
	size_t slot_count;
	struct slot *slots;
	bool bound_anew;     /* a socket, since slots_retire_again */
	uint32_t generation; /* of the peers table */
	size_t queue_count;
	int steering_error; /* why our program does not; 0: it does */
	struct queue queue[LIMIT_QUEUES];
};

/*
 * May it be asked for through rtnetlink?  In another network namespace, or once
 * it is deleted, its ifindex may be another device's here.
 */
bool iface_is_here(const struct iface *);
/* Deleted under us, as far as anybody knows. */
bool iface_is_deleted(const struct iface *);
/* GONE, AWAY or LOST. */
bool iface_is_gone(const struct iface *);
/* It was deleted: by the monitor, or by a worker, which may know earlier. */
void iface_set_gone(struct iface *);
/* Sets ifindex by where the link is now. */
void iface_set_place(struct iface *, const struct link_state *now);
/*
 * Today's name, until it changes; of one that is not watched until the next
 * call.
 */
const char *iface_name(const struct iface *);
/* By its name in the configuration; NULL if there is none. */
struct iface *iface_of(struct daemon *, const struct conf_interface *);
/* By the id that the state tells; NULL if there is none. */
struct iface *iface_find(struct daemon *, uint32_t id);

#endif

#ifndef PRIVSEP_LINK_H
#define PRIVSEP_LINK_H

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/addr.h"
#include "ipc/limits.h"

/*
 * Watches rtnetlink for the links we own, keeps their state, compares, and
 * tells of changes only.
 */
struct event_base;
struct link_monitor;

#define LINK_NSID_HOME (-1)    /* the monitor's own namespace */
#define LINK_NSID_UNKNOWN (-2) /* another one, which we cannot name */

struct link_state {
	uint32_t ifindex;
	char name[IFNAMSIZ];
	bool up;      /* IFF_UP */
	bool running; /* IFF_RUNNING */
	bool deleted;
	uint32_t mtu;
	int32_t nsid; /* LINK_NSID_HOME, _UNKNOWN, or our number for it */
	uint32_t address_count;
	struct prefix addresses[LIMIT_ADDRESSES]; /* sorted */
};

enum link_change {
	LINK_UP,
	LINK_DOWN,
	LINK_MTU,
	LINK_RENAME,
	LINK_ADDRESS,
	LINK_NETNS,
	LINK_DELETED,
	LINK_RUNNING, /* alone, without up: no event, but another state */
	LINK_LOOKED,  /* no event: messages were lost, or may be by a look, so
		       * what was may be more than the difference, as down and
		       * up again */
	LINK_CHANGE_COUNT
};

/*
 * One call per change.  link is what link_watch returned: whose change it is,
 * and the state as it was read last.  now and before are copies from the time
 * of the change, and several may be read before the first is told.  What
 * changed at once is told in the order rename, netns (also where it is back as
 * another ifindex), mtu, address, up or down or running, deleted, looked.
 * Called from the event loop and by link_monitor_catch_up, by nothing else
 * here; it may watch and unwatch.
 */
typedef void link_on_change(const struct link_state *link, enum link_change,
    const struct link_state *now, const struct link_state *before, void *arg);

/* Opens the event socket and its events; NULL with errno. */
struct link_monitor *link_monitor_open(
    struct event_base *, link_on_change *, void *arg);
void link_monitor_close(struct link_monitor *);

/*
 * Starts to watch; the state is read from the kernel first, and only what
 * changes after that is told.  tun_fd (not owned, or -1) helps to follow the
 * link where netlink cannot.  Returns the state, owned by the monitor until
 * link_unwatch, or NULL with errno.
 */
const struct link_state *link_watch(
    struct link_monitor *, uint32_t ifindex, int tun_fd);
/* link: what link_watch returned; an ifindex may be two links'. */
void link_unwatch(struct link_monitor *, const struct link_state *link);
/*
 * Says whether there is room for more to be told; arg as for link_on_change.
 * While there is none the loop reads once a second at most: what the kernel
 * cannot keep meanwhile is looked at, and told, as what it came to.
 */
typedef bool link_has_room(void *arg);
void link_monitor_mind_room(struct link_monitor *, link_has_room *);
/*
 * Did the kernel tell anything of the links and addresses of our namespace, be
 * they watched or not, or was anything lost, since this was asked last?
 */
bool link_monitor_heard(struct link_monitor *);
/* Tells now what the loop would tell soon. */
void link_monitor_catch_up(struct link_monitor *);

/* For tests alone: as if these bytes had come from a namespace; tells, too. */
void link_monitor_feed(
    struct link_monitor *, const void *bytes, size_t len, int nsid);
/* For tests alone: the netlink socket, to make its buffer small. */
int link_monitor_fd(const struct link_monitor *);

#endif

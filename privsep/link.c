/*
 * How a link is followed.
 *
 * A link is known by (nsid, ifindex): another device may take the ifindex
 * that ours had before it moved.  A message changes a copy of the state, and
 * each difference from the original becomes a notice (link_notice.h), which is
 * told later, in order.
 *
 * Where messages do not suffice the link is looked at again: when it is new,
 * after ENOBUFS, after it moved on from another namespace (the message then
 * has that namespace's numbers), and every second while it is away, for we
 * may not be allowed to listen there; and in the next second where it changes
 * too fast, or lost an address when it had as many as we hold.  Questions go
 * through the socket that listens, so their answers have a place in the order
 * of what is told: what comes in before an answer is older.  Only questions
 * about namespaces go another way, because they are asked while a message is
 * being read.
 */
#include <sys/queue.h>

#include <linux/rtnetlink.h>

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "privsep/link.h"
#include "privsep/link_look.h"
#include "privsep/link_msg.h"
#include "privsep/link_notice.h"
#include "privsep/netns.h"
#include "privsep/nlsock.h"

#define LINK_GROUPS                                              \
	(RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR | \
	    1u << (RTNLGRP_NSID - 1))
#define LINK_BUDGET 256 /* datagrams in one turn of the loop */
/*
 * Rounds of looks in one turn: each may read all addresses of all links, of
 * which whoever has our device in another namespace decides how many there are.
 */
#define LINK_LOOKS 4
#define LINK_PAUSE_MS 20

struct link_entry {
	TAILQ_ENTRY(link_entry) entry;
	struct link_state state;
	uint64_t serial;
	int tun_fd;
	bool known; /* its state was read: what differs from it is told */
	bool stale; /* to be looked at again */
	bool later; /* the same, but not before the next tick */
	bool lossy; /* for something was lost, or will be by the look */
};
TAILQ_HEAD(link_entries, link_entry);

_Static_assert(LINK_NSID_HOME == NLSOCK_HOME, "nsid");

struct link_monitor {
	struct event *readable;
	struct event *tick;
	struct event *pause; /* until it is readable again */
	link_on_change *on_change;
	link_has_room *has_room; /* or NULL: always */
	void *arg;
	struct link_entries entries;
	struct link_notices notices;
	uint64_t serial;
	int32_t home_id; /* the number that our namespace may have for itself */
	bool heard;	 /* link_monitor_heard */
	struct link_look look;
	struct link_entry *looked; /* the entry that look is about, or NULL */
};

/*
 * Makes now the entry's state, and notes what is different.  While a look at
 * the entry is under way, what is told meanwhile is put into what the look
 * finds; that is settled when the look is over (look_again).
 */
static void
settle(struct link_monitor *m, struct link_entry *e, struct link_state *now)
{
	if (e == m->looked) {
		*m->look.found = *now;
		return;
	}
	link_name_clean(now->name);
	if (e->known)
		link_notice_differences(&m->notices, e->serial, now, &e->state);
	e->known = true;
	e->state = *now;
}

static const struct link_state *
current(const struct link_monitor *m, const struct link_entry *e)
{
	return e == m->looked ? m->look.found : &e->state;
}

static struct link_entry *
find(const struct link_monitor *m, int nsid, uint32_t ifindex)
{
	const struct link_state *state;
	struct link_entry *e;

	TAILQ_FOREACH (e, &m->entries, entry) {
		state = current(m, e);
		if (!state->deleted && state->nsid == nsid &&
		    state->ifindex == ifindex)
			return e;
	}
	return NULL;
}

static void
set_gone(struct link_state *state)
{
	state->deleted = true;
	state->up = false;
	state->running = false;
	state->address_count = 0;
}

static void
on_newlink(struct link_monitor *m, const struct nlmsghdr *h, int nsid)
{
	struct link_message msg;
	struct link_state now;
	struct link_entry *e;

	if (link_parse(h, &msg) == -1 ||
	    (e = find(m, nsid, msg.ifindex)) == NULL)
		return;
	now = *current(m, e);
	link_apply(&msg, &now);
	settle(m, e, &now);
}

/*
 * A link that leaves us goes where the message says.  One that leaves
 * another namespace goes where that namespace's numbers say, which are not
 * ours.
 */
static void
on_dellink(struct link_monitor *m, const struct nlmsghdr *h, int nsid)
{
	struct link_message msg;
	struct link_state now;
	struct link_entry *e;

	if (link_parse(h, &msg) == -1 ||
	    (e = find(m, nsid, msg.ifindex)) == NULL)
		return;
	if (e == m->looked)
		m->look.moved = true;
	now = *current(m, e);
	if (msg.moved && now.nsid == LINK_NSID_HOME) {
		now.nsid = msg.new_nsid;
		now.ifindex = msg.new_ifindex;
	} else if (msg.moved && e->tun_fd != -1) {
		e->stale = true;
		return;
	} else if (msg.moved) {
		now.nsid = LINK_NSID_UNKNOWN;
	} else if (e != m->looked) {
		set_gone(&now);
	}
	settle(m, e, &now);
}

static void
on_address(struct link_monitor *m, const struct nlmsghdr *h, int nsid)
{
	struct link_state now;
	struct link_entry *e;
	struct prefix p;
	uint32_t ifindex;

	if (link_parse_address(h, &ifindex, &p) == -1 ||
	    (e = find(m, nsid, ifindex)) == NULL)
		return;
	now = *current(m, e);
	if (h->nlmsg_type == RTM_NEWADDR)
		link_add_address(&now, &p);
	else if (link_del_address(&now, &p) &&
		 now.address_count + 1 == LIMIT_ADDRESSES)
		/* there may be one that we did not hold */
		e->later = e->lossy = true;
	settle(m, e, &now);
}

/*
 * Our namespace may be given a number for itself.  Its messages carry it
 * from then on, where the kernel lacks the fix of May 2026.
 */
static void
learn_home_id(struct link_monitor *m)
{
	if (m->look.home == -1 ||
	    netns_get_id(m->look.asked, m->look.home, &m->home_id) == -1)
		m->home_id = LINK_NSID_UNKNOWN;
}

static void
on_nsid(struct link_monitor *m, const struct nlmsghdr *h, int nsid)
{
	(void)h;
	(void)nsid;
	learn_home_id(m);
}

static void
on_told(const struct nlmsghdr *h, int nsid, void *arg)
{
	static const struct {
		uint16_t type;
		void (*handle)(
		    struct link_monitor *, const struct nlmsghdr *, int);
	} table[] = {
	    {RTM_NEWLINK, on_newlink},
	    {RTM_DELLINK, on_dellink},
	    {RTM_NEWADDR, on_address},
	    {RTM_DELADDR, on_address},
	    {RTM_NEWNSID, on_nsid},
	    {RTM_DELNSID, on_nsid},
	};
	struct link_monitor *m = arg;
	size_t i;

	if (nsid >= 0 && nsid == m->home_id)
		nsid = LINK_NSID_HOME;
	m->heard = m->heard || nsid == LINK_NSID_HOME;
	for (i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (table[i].type == h->nlmsg_type)
			table[i].handle(m, h, nsid);
}

/* After messages were lost. */
static void
mark_stale(struct link_monitor *m)
{
	struct link_entry *e;

	m->heard = true;
	TAILQ_FOREACH (e, &m->entries, entry)
		e->stale = e->lossy = true;
}

static int
look_again(struct link_monitor *m, struct link_entry *e)
{
	struct link_state found = e->state;
	enum link_found where;

	m->look.found = &found;
	m->look.lost = false;
	m->looked = e;
	e->later = false;
	where = link_look(&m->look, e->tun_fd);
	m->looked = NULL;
	if (m->look.lost)
		mark_stale(m);
	e->stale = false;
	if (where == LINK_FOUND_AGAIN)
		e->later = true;
	if (where == LINK_FOUND_GONE)
		set_gone(&found);
	if (where == LINK_FOUND || where == LINK_FOUND_GONE)
		settle(m, e, &found);
	if (where == LINK_FOUND && e->lossy)
		link_notice_add(
		    &m->notices, e->serial, LINK_LOOKED, &e->state, &e->state);
	if (!e->later)
		e->lossy = false;
	if (where == LINK_FOUND)
		return 0;
	errno = where == LINK_FOUND_AGAIN ? EAGAIN : ENODEV;
	return -1;
}

/* Was there one? */
static bool
look_at_stale(struct link_monitor *m)
{
	struct link_entry *e;
	bool looked = false;

	TAILQ_FOREACH (e, &m->entries, entry)
		if (e->stale && !e->state.deleted) {
			look_again(m, e);
			looked = true;
		}
	return looked;
}

/* NULL: it is no longer watched. */
static const struct link_entry *
find_serial(const struct link_monitor *m, uint64_t serial)
{
	const struct link_entry *e;

	TAILQ_FOREACH (e, &m->entries, entry)
		if (e->serial == serial)
			break;
	return e;
}

static void
tell(struct link_monitor *m)
{
	const struct link_entry *e;
	struct link_notice *n;

	while ((n = link_notice_take(&m->notices)) != NULL) {
		if ((e = find_serial(m, n->serial)) != NULL)
			m->on_change(
			    &e->state, n->change, &n->now, &n->before, m->arg);
		free(n);
	}
}

/* The second hand runs while a link is away, or is to be looked at. */
static void
schedule_tick(struct link_monitor *m)
{
	static const struct timeval second = {1, 0};
	const struct link_entry *e;

	TAILQ_FOREACH (e, &m->entries, entry) {
		if (e->state.deleted ||
		    (e->state.nsid == LINK_NSID_HOME && !e->stale && !e->later))
			continue;
		if (!evtimer_pending(m->tick, NULL))
			evtimer_add(m->tick, &second);
		return;
	}
	evtimer_del(m->tick);
}

static void
on_lost(struct link_monitor *m)
{
	log_debug("netlink messages were lost: reading the links again");
	/* What still waits is older than what was lost. */
	nlsock_discard(m->look.told);
	learn_home_id(m);
	mark_stale(m);
}

/* Reads what there is.  Each message meets the state of its own time. */
static void
pump(struct link_monitor *m)
{
	int i, n = 1, looks = 0;

	for (i = 0; i < LINK_BUDGET && looks < LINK_LOOKS && n != 0; i++) {
		n = nlsock_read(m->look.told);
		if (n == -1)
			on_lost(m);
		looks += look_at_stale(m);
	}
}

bool
link_monitor_heard(struct link_monitor *m)
{
	bool heard = m->heard;

	m->heard = false;
	return heard;
}

void
link_monitor_catch_up(struct link_monitor *m)
{
	pump(m);
	tell(m);
	schedule_tick(m);
}

void
link_monitor_mind_room(struct link_monitor *m, link_has_room *has_room)
{
	m->has_room = has_room;
}

static bool
has_room(const struct link_monitor *m)
{
	return m->has_room == NULL || m->has_room(m->arg);
}

static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
	static const struct timeval pause = {0, LINK_PAUSE_MS * 1000};
	struct link_monitor *m = arg;

	(void)fd;
	(void)what;
	if (has_room(m)) {
		link_monitor_catch_up(m);
		return;
	}
	event_del(m->readable);
	event_add(m->pause, &pause);
}

/*
 * Looked at until there is room, though nothing may be left to read by then
 * (who waited for an answer has caught up): a child that reads again is to be
 * seen.
 */
static void
on_pause_over(evutil_socket_t fd, short what, void *arg)
{
	struct link_monitor *m = arg;

	(void)fd;
	(void)what;
	if (!has_room(m))
		return;
	event_del(m->pause);
	event_add(m->readable, NULL);
}

static void
on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct link_monitor *m = arg;
	struct link_entry *e;

	(void)fd;
	(void)what;
	pump(m);
	TAILQ_FOREACH (e, &m->entries, entry)
		if (e->later ||
		    (e->state.nsid != LINK_NSID_HOME && e->tun_fd != -1))
			e->stale = true;
	look_at_stale(m);
	tell(m);
	schedule_tick(m);
}

struct link_monitor *
link_monitor_open(struct event_base *base, link_on_change *on_change, void *arg)
{
	struct link_monitor *m;
	int saved;

	m = calloc(1, sizeof(*m));
	if (m == NULL)
		return NULL;
	TAILQ_INIT(&m->entries);
	TAILQ_INIT(&m->notices);
	m->on_change = on_change;
	m->arg = arg;
	m->heard = true; /* nobody listened so far */
	m->look.home = -1;
	m->look.told = nlsock_open(LINK_GROUPS, on_told, m);
	m->look.asked = nlsock_open(0, NULL, NULL);
	if (m->look.told == NULL || m->look.asked == NULL)
		goto fail;
	m->look.home = netns_of_socket(nlsock_fd(m->look.told));
	learn_home_id(m);
	errno = ENOMEM;
	m->readable = event_new(base, nlsock_fd(m->look.told),
	    EV_READ | EV_PERSIST, on_readable, m);
	m->tick = evtimer_new(base, on_tick, m);
	m->pause = event_new(base, -1, EV_PERSIST, on_pause_over, m);
	if (m->readable == NULL || m->tick == NULL || m->pause == NULL ||
	    event_add(m->readable, NULL) == -1)
		goto fail;
	return m;
fail:
	saved = errno;
	link_monitor_close(m);
	errno = saved;
	return NULL;
}

void
link_monitor_close(struct link_monitor *m)
{
	struct link_notice *n;
	struct link_entry *e;

	if (m == NULL)
		return;
	while ((e = TAILQ_FIRST(&m->entries)) != NULL) {
		TAILQ_REMOVE(&m->entries, e, entry);
		free(e);
	}
	while ((n = link_notice_take(&m->notices)) != NULL)
		free(n);
	if (m->readable != NULL)
		event_free(m->readable);
	if (m->tick != NULL)
		event_free(m->tick);
	if (m->pause != NULL)
		event_free(m->pause);
	if (m->look.home != -1)
		close(m->look.home);
	nlsock_close(m->look.told);
	nlsock_close(m->look.asked);
	free(m);
}

const struct link_state *
link_watch(struct link_monitor *m, uint32_t ifindex, int tun_fd)
{
	struct link_entry *e;
	int saved;

	/* What was told so far is older than the state to be read. */
	pump(m);
	event_active(m->tick, EV_TIMEOUT, 0);
	if (find(m, LINK_NSID_HOME, ifindex) != NULL) {
		errno = EEXIST;
		return NULL;
	}
	e = calloc(1, sizeof(*e));
	if (e == NULL)
		return NULL;
	e->serial = ++m->serial;
	e->tun_fd = tun_fd;
	e->state.ifindex = ifindex;
	e->state.nsid = LINK_NSID_HOME;
	TAILQ_INSERT_TAIL(&m->entries, e, entry);
	if (look_again(m, e) == 0)
		return &e->state;
	saved = errno;
	TAILQ_REMOVE(&m->entries, e, entry);
	free(e);
	errno = saved;
	return NULL;
}

void
link_unwatch(struct link_monitor *m, const struct link_state *link)
{
	struct link_entry *e;

	TAILQ_FOREACH (e, &m->entries, entry)
		if (&e->state == link)
			break;
	if (e == NULL)
		return;
	TAILQ_REMOVE(&m->entries, e, entry);
	free(e);
}

void
link_monitor_feed(
    struct link_monitor *m, const void *bytes, size_t len, int nsid)
{
	nlsock_feed(m->look.told, bytes, len, nsid);
	tell(m);
}

int
link_monitor_fd(const struct link_monitor *m)
{
	return nlsock_fd(m->look.told);
}

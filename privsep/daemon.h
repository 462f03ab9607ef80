#ifndef PRIVSEP_DAEMON_H
#define PRIVSEP_DAEMON_H

#include <sys/queue.h>
#include <sys/types.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "ipc/msg.h"
#include "privsep/conf.h"
#include "privsep/listen.h"

struct event_base;
struct iface;
struct link_monitor;
struct nlsock;
struct proc;
struct retry;

/* What there is one of.  main.c makes it; the others are given it. */
struct daemon {
	const char *conf_path;
	const struct conf_macro *macros;
	size_t macro_count;
	const char *libexec; /* where the children's executables are */

	struct conf *conf;   /* in force */
	struct conf *next;   /* of a reload that is under way, or NULL */
	uint32_t generation; /* of the configuration, from 1 */
	time_t loaded;	     /* when it was */
	time_t started;
	uint32_t log_level[PROCESS_COUNT];

	uid_t uid; /* of the workers */
	gid_t gid;
	uid_t control_uid;
	gid_t control_gid;
	struct listener control_socket;
	struct listener control_rsocket; /* read-only */

	struct event_base *base;
	struct nlsock *netlink; /* for netlink.h; it listens to nothing */
	struct link_monitor *links;
	struct retry *retry;
	TAILQ_HEAD(ifaces, iface) ifaces;
	uint32_t next_iface; /* id */
	struct proc *control;
	uint64_t seq;	  /* of the last event */
	bool state_dirty; /* to be published when the loop comes round */
	time_t published; /* when the state was, CLOCK_MONOTONIC */
	bool hangup;	  /* SIGHUP came: reload */
	bool proven;	  /* every child was running at once */
	bool failed;	  /* it cannot go on: the end, with status 1 */
	bool stopping;
};

/* What the state tells has changed: published when the loop comes round. */
void daemon_changed(struct daemon *);
/*
 * To be asked whenever something changed: does every child run?  True when that
 * is so for the first time.
 */
bool daemon_prove(struct daemon *);
/*
 * A child ended.  One that falls again and again before everything ran once
 * will not do better later: the daemon ends.
 */
void daemon_child_ended(struct daemon *, const struct proc *, const char *why);

#endif

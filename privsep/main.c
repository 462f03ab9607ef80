#include <sys/prctl.h>
#include <sys/resource.h>

#include <event2/event.h>
#include <jansson.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "config.h"

#include "common/descriptors.h"
#include "common/event_log.h"
#include "common/log.h"
#include "common/why.h"
#include "privsep/conf.h"
#include "privsep/control.h"
#include "privsep/daemon.h"
#include "privsep/iface.h"
#include "privsep/lifecycle.h"
#include "privsep/link_events.h"
#include "privsep/listen.h"
#include "privsep/nlsock.h"
#include "privsep/options.h"
#include "privsep/privilege.h"
#include "privsep/proc.h"
#include "privsep/publish.h"
#include "privsep/ready.h"
#include "privsep/reload.h"
#include "privsep/retry.h"
#include "privsep/seccomp.h"
#include "privsep/start.h"
#include "privsep/steering.h"

static void
print_error(const char *message, void *arg)
{
	(void)arg;
	fprintf(stderr, "%s%s\n", log_mark(LOG_LEVEL_ERROR), message);
}

/* Symbolic links stay: what they point to may be another at a reload. */
static char *
absolute(const char *path, char buf[PATH_MAX])
{
	size_t used = 0;

	buf[0] = '\0';
	if (path[0] != '/') {
		if (getcwd(buf, PATH_MAX) == NULL)
			fatal("the working directory");
		used = strlcat(buf, "/", PATH_MAX);
	}
	if (strlcpy(buf + used, path, PATH_MAX - used) >= PATH_MAX - used)
		fatalx("%s: the path is too long", path);
	return buf;
}

static int
open_interfaces(struct daemon *d)
{
	struct conf_interface *c;
	struct iface *ifc;
	struct why why;

	TAILQ_FOREACH (c, &d->conf->interfaces, entry) {
		if ((ifc = lifecycle_open(d, c, &why)) == NULL) {
			log_warnx("%s:%d: %s", c->file, c->line, why.text);
			return -1;
		}
		TAILQ_INSERT_TAIL(&d->ifaces, ifc, entry);
	}
	return 0;
}

static void
on_hangup(int signo, short what, void *arg)
{
	struct daemon *d = arg;

	(void)signo;
	(void)what;
	d->hangup = true;
}

static void
on_terminate(int signo, short what, void *arg)
{
	struct daemon *d = arg;

	(void)what;
	log_info("ending on signal %d", signo);
	d->stopping = true;
	event_base_loopbreak(d->base);
}

static void
on_child(int signo, short what, void *arg)
{
	struct daemon *d = arg;

	(void)signo;
	(void)what;
	proc_reap();
	daemon_changed(d);
}

static bool
watch(struct event *ev)
{
	return ev != NULL && event_add(ev, NULL) == 0;
}

/*
 * One that comes during the start waits until it can be handled in order; what
 * the starter held back is not, or no child's end would be heard of.
 */
static void
hold_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_SETMASK, &set, NULL);
}

static void
release_signals(void)
{
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static int
watch_events(struct daemon *d)
{
	struct event_base *base = event_base_new();

	if ((d->base = base) == NULL ||
	    !watch(evsignal_new(base, SIGHUP, on_hangup, d)) ||
	    !watch(evsignal_new(base, SIGTERM, on_terminate, d)) ||
	    !watch(evsignal_new(base, SIGINT, on_terminate, d)) ||
	    !watch(evsignal_new(base, SIGCHLD, on_child, d)) ||
	    (d->retry = retry_new(d)) == NULL)
		return -1;
	release_signals();
	return 0;
}

/*
 * Workers get a real-time priority by RLIMIT_RTPRIO.  Root in a container may
 * be unable to raise it: then, if any interface asks, by CAP_SYS_NICE.
 */
static bool
needs_nice(const struct daemon *d)
{
	const struct iface *ifc;
	struct rlimit r;

	if (getrlimit(RLIMIT_RTPRIO, &r) == 0 && r.rlim_max > 0)
		return false;
	TAILQ_FOREACH (ifc, &d->ifaces, entry)
		if (ifc->conf->sched_policy == SCHED_POLICY_RR)
			return true;
	return false;
}

static int
start_children(struct daemon *d)
{
	struct iface *ifc;

	if (control_start(d) == -1)
		return -1;
	TAILQ_FOREACH (ifc, &d->ifaces, entry)
		if (lifecycle_start(ifc) == -1)
			return -1;
	return 0;
}

/* From open_interfaces on nothing is fatal: end() takes it away again. */
static int
begin(struct daemon *d)
{
	const char *why;

	if (watch_events(d) == -1)
		why = "events cannot be watched";
	/* what a child leaves behind is ours to wait for */
	else if (prctl(PR_SET_CHILD_SUBREAPER, 1) == -1)
		why = "not every process could be waited for";
	else if ((d->links = link_monitor_open(
		      d->base, link_events_on_change, d)) == NULL)
		why = "rtnetlink cannot be watched";
	else if (privilege_drop(needs_nice(d)) == -1)
		why = "capabilities cannot be dropped";
	else if (privsep_seccomp() == -1)
		why = "the system call filter cannot be loaded";
	else if (start_children(d) == -1)
		why = "its processes cannot be started";
	else
		return 0;
	log_warn("%s", why);
	return -1;
}

/* Once for all signals of a turn, between which others are served. */
static void
heed_hangup(struct daemon *d)
{
	json_t *result;

	if (!d->hangup || d->stopping)
		return;
	d->hangup = false;
	reload(d, false, &result);
	json_decref(result);
}

static void
run(struct daemon *d)
{
	log_info("tund %s runs with %s", PACKAGE_VERSION, d->conf_path);
	while (!d->stopping) {
		/* one state for all that a turn of the loop changed */
		if (d->state_dirty)
			publish_state(d);
		/* who waited for it looks, and sees that every process runs */
		if (daemon_prove(d))
			ready_tell();
		retry_schedule(d->retry);
		if (event_base_loop(d->base, EVLOOP_ONCE) == -1) {
			log_warnx("the event loop failed");
			d->failed = d->stopping = true;
		}
		heed_hangup(d);
	}
}

/* Clients first, then packets, then what was made. */
static void
end(struct daemon *d)
{
	struct iface *ifc;

	control_stop(d);
	listen_remove(d);
	while ((ifc = TAILQ_FIRST(&d->ifaces)) != NULL) {
		TAILQ_REMOVE(&d->ifaces, ifc, entry);
		lifecycle_stop(ifc);
		lifecycle_close(ifc);
	}
	retry_free(d->retry);
	link_monitor_close(d->links);
	nlsock_close(d->netlink);
	conf_free(d->conf);
}

static void
print_checked(const struct conf *conf, bool all)
{
	if (all)
		conf_print(conf, stdout);
	else
		fprintf(stderr, "configuration OK\n");
	if (fflush(stdout) == EOF || ferror(stdout))
		fatal("standard output cannot be written");
}

/* JSON, in which it is told, has no other bytes. */
static void
check_path(const char *path)
{
	json_t *text = json_string(path);

	if (text == NULL)
		fatalx("the path of the configuration is not UTF-8; rename it");
	json_decref(text);
}

/* What must be had before anything is made; without it there is no start. */
static void
prepare(struct daemon *d, const struct options *o)
{
	static char conf_path[PATH_MAX], libexec[PATH_MAX];

	start_close_strays(d->conf);
	start_need_privilege(d->conf);
	/* the background has another directory, and a reload reads it again */
	d->conf_path = absolute(o->path, conf_path);
	check_path(d->conf_path);
	d->libexec = start_find_executables(o->libexec, libexec);
	if (!o->foreground && ready_background() == -1)
		fatal("it cannot go into the background");
	ready_connect();
	d->macros = o->macros;
	d->macro_count = o->macro_count;
	d->log_level[PROCESS_PARENT] = d->log_level[PROCESS_WORKER] =
	    d->log_level[PROCESS_CONTROL] = log_get_level();
	start_find_user(d->conf->user, &d->uid, &d->gid);
	start_find_user(
	    d->conf->control_user, &d->control_uid, &d->control_gid);
	signal(SIGPIPE, SIG_IGN);
	hold_signals();
	umask(022); /* the group must reach the control socket */
	start_raise_limits();
	start_make_empty_root();
	steering_load();
	if ((d->netlink = nlsock_open(0, NULL, NULL)) == NULL)
		fatalx("rtnetlink cannot be opened: %s; let tund have sockets "
		       "of AF_NETLINK",
		    why_errno(errno));
}

int
main(int argc, char **argv)
{
	struct daemon d = {.control_socket.fd = -1,
	    .control_rsocket.fd = -1,
	    .generation = 1,
	    .started = time(NULL),
	    .loaded = time(NULL)};
	struct options o;

	descriptors_fill();
	options_parse(argc, argv, &o);
	log_init("tund", o.verbose > 0 ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO);
	event_log_init();
	TAILQ_INIT(&d.ifaces);
	d.conf = conf_parse(o.path, o.macros, o.macro_count, print_error, NULL);
	if (d.conf == NULL)
		return 1;
	if (o.check) {
		start_warn_users(d.conf);
		print_checked(d.conf, o.verbose > 0);
		conf_free(d.conf);
		return 0;
	}
	prepare(&d, &o);
	if (listen_make(&d) == -1 || open_interfaces(&d) == -1 ||
	    begin(&d) == -1) {
		end(&d);
		return 1;
	}
	run(&d);
	end(&d);
	log_info("tund ended");
	return d.failed ? 1 : 0;
}

#include <sys/resource.h>
#include <sys/stat.h>

#include <errno.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config.h"

#include "common/log.h"
#include "common/sandbox.h"
#include "common/why.h"
#include "privsep/conf.h"
#include "privsep/privilege.h"
#include "privsep/proc.h"
#include "privsep/start.h"

/* The lowest `device fd` that is at least least; -1: none. */
static int
next_device_fd(const struct conf *conf, int least)
{
	const struct conf_interface *c;
	int next = -1;

	TAILQ_FOREACH (c, &conf->interfaces, entry)
		if (c->device == CONF_DEVICE_FD && c->fd >= least &&
		    (next == -1 || c->fd < next))
			next = c->fd;
	return next;
}

void
start_close_strays(const struct conf *conf)
{
	int fd, least = STDERR_FILENO + 1;

	while ((fd = next_device_fd(conf, least)) != -1) {
		if (fd > least)
			close_range(
			    (unsigned int)least, (unsigned int)fd - 1, 0);
		/* the highest number there is would leave none after it */
		if (fd == INT_MAX)
			return;
		least = fd + 1;
	}
	closefrom(least);
}

void
start_need_privilege(const struct conf *conf)
{
	const char *missing;

	if (geteuid() != 0)
		fatalx("tund needs root to open /dev/net/tun; its workers "
		       "then run as \"%s\"",
		    conf->user);
	if ((missing = privilege_missing()) != NULL)
		fatalx("%s is missing: add it to CapabilityBoundingSet of the "
		       "unit, or to the container's capabilities",
		    missing);
}

/* getpwnam(3): every other errno, and none, says that there is no such user. */
static bool
is_failed_look_up(int error)
{
	return error == EINTR || error == EIO || error == EMFILE ||
	       error == ENFILE || error == ENOMEM;
}

/* NULL after why. */
static struct passwd *
find_user(const char *name, struct why *why)
{
	struct passwd *pw;

	errno = 0;
	if ((pw = getpwnam(name)) != NULL)
		return pw;
	if (is_failed_look_up(errno))
		why_set(why,
		    "user \"%s\" cannot be looked up: %s; see passwd in "
		    "/etc/nsswitch.conf",
		    name, why_errno(errno));
	else
		why_set(why,
		    "there is no user \"%s\"; make it: useradd --system "
		    "--home-dir / --shell /usr/sbin/nologin %s",
		    name, name);
	return NULL;
}

void
start_warn_users(const struct conf *conf)
{
	const char *const names[] = {conf->user, conf->control_user};
	struct why why;
	size_t i;

	for (i = 0; i < 2; i++)
		if (find_user(names[i], &why) == NULL)
			log_warnx("%s", why.text);
}

void
start_find_user(const char *name, uid_t *uid, gid_t *gid)
{
	struct why why;
	struct passwd *pw = find_user(name, &why);

	if (pw == NULL)
		fatalx("%s", why.text);
	if (pw->pw_uid == 0 || pw->pw_gid == 0)
		fatalx(
		    "user \"%s\" is root; choose one without privilege", name);
	*uid = pw->pw_uid;
	*gid = pw->pw_gid;
}

void
start_raise_limits(void)
{
	struct rlimit r = {1, 1};

	setrlimit(RLIMIT_RTPRIO, &r);
	if (getrlimit(RLIMIT_NOFILE, &r) == -1)
		fatal("getrlimit");
	if (r.rlim_max < 65536)
		r.rlim_max = 65536;
	r.rlim_cur = r.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &r) == -1) {
		r.rlim_max = r.rlim_cur;
		getrlimit(RLIMIT_NOFILE, &r);
		r.rlim_cur = r.rlim_max;
		setrlimit(RLIMIT_NOFILE, &r);
	}
}

void
start_make_empty_root(void)
{
	if ((mkdir(TUND_RUNTIMEDIR, 0755) == -1 && errno != EEXIST) ||
	    (mkdir(SANDBOX_CHROOT, 0555) == -1 && errno != EEXIST))
		fatalx("%s: %s; make this directory, or let tund make it",
		    SANDBOX_CHROOT, strerror(errno));
}

static void __attribute__((noreturn)) no_executable(const char *path)
{
	fatalx("%s: %s; install tund, or name its directory with -x", path,
	    strerror(errno));
}

const char *
start_find_executables(const char *directory, char *buf)
{
	static const enum process_kind kinds[] = {
	    PROCESS_WORKER, PROCESS_CONTROL};
	char path[PATH_MAX];
	size_t i;

	if (realpath(directory, buf) == NULL)
		no_executable(directory);
	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (snprintf(path, sizeof(path), "%s/%s", buf,
			process_name(kinds[i])) >= (int)sizeof(path)) {
			errno = ENAMETOOLONG;
			no_executable(directory);
		}
		if (access(path, X_OK) == -1)
			no_executable(path);
	}
	return buf;
}

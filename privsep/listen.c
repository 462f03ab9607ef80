#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <errno.h>
#include <libgen.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "common/why.h"
#include "ipc/fdpass.h"
#include "privsep/daemon.h"
#include "privsep/listen.h"
#include "privsep/writers.h"

#define CONTROL_BACKLOG 16

/*
 * 1: a socket that still answers belongs to a daemon that still runs; so does
 * one whose queue is full (EAGAIN), where a blocking connect would wait.  0: it
 * is dead.  -1 with errno: who knows.
 */
static int
socket_is_alive(int fd, const struct sockaddr_un *sun)
{
	if (connect(fd, (const struct sockaddr *)sun, sizeof(*sun)) == 0 ||
	    errno == EAGAIN)
		return 1;
	return errno == ECONNREFUSED || errno == ENOENT || errno == EPROTOTYPE
		   ? 0
		   : -1;
}

/* What a dead daemon left, or nothing; a file of others is not ours to take. */
static int
remove_stale(const char *path)
{
	struct stat st;

	if (lstat(path, &st) == -1)
		return errno == ENOENT ? 0 : -1;
	if (!S_ISSOCK(st.st_mode)) {
		errno = EEXIST;
		return -1;
	}
	return unlink(path);
}

/* -1 with errno. */
static int
have_directory(const char *dir)
{
	struct stat st;

	if (mkdir(dir, 0755) == 0) {
		log_info("%s is made for the control socket", dir);
		return 0;
	}
	if (errno != EEXIST || stat(dir, &st) == -1)
		return -1;
	errno = ENOTDIR;
	return S_ISDIR(st.st_mode) ? 0 : -1;
}

static int
make_directory(const char *path)
{
	char copy[CONF_PATH_MAX], writable[PATH_MAX];
	const char *others;

	strlcpy(copy, path, sizeof(copy));
	if (have_directory(dirname(copy)) == -1) {
		log_warnx("the directory of %s cannot be made: %s; make it, or "
			  "choose another \"control\" path",
		    path, strerror(errno));
		return -1;
	}
	/* who may could have what an administrator tells tund */
	if ((others = writers_directory(path, writable)) == NULL)
		return 0;
	log_warnx(
	    "users other than root may write to %s, and could replace the "
	    "control socket; let root own it, and chmod go-w, or choose "
	    "another \"control\" path",
	    others);
	return -1;
}

/*
 * 0660, root and the control group: SO_PEERCRED tells root from others.  -1
 * with errno, and no file.
 */
static int
bind_file(int fd, const struct sockaddr_un *sun, gid_t gid)
{
	mode_t old = umask(0117);
	int r = bind(fd, (const struct sockaddr *)sun, sizeof(*sun)), saved;

	umask(old);
	if (r == -1)
		return -1;
	if (lchown(sun->sun_path, 0, gid) == 0 &&
	    listen(fd, CONTROL_BACKLOG) == 0)
		return 0;
	saved = errno;
	unlink(sun->sun_path);
	errno = saved;
	return -1;
}

/* What stands in the way of a socket there, if it may go. */
static int
clear_path(const struct sockaddr_un *sun)
{
	const char *path = sun->sun_path;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int alive, error;

	if (fd == -1) {
		log_warnx("control socket: %s", why_errno(errno));
		return -1;
	}
	alive = socket_is_alive(fd, sun);
	error = errno;
	close(fd);
	if (alive == -1) {
		log_warnx(
		    "whether another tund has %s is not known: %s; "
		    "remove it if none has, or choose another \"control\" "
		    "path",
		    path, strerror(error));
		return -1;
	}
	if (alive) {
		log_warnx("%s answers: another tund runs; stop it, or choose "
			  "another \"control\" path",
		    path);
		return -1;
	}
	if (remove_stale(path) == -1) {
		log_warnx("%s is in the way: %s; remove it, or choose another "
			  "\"control\" path",
		    path,
		    errno == EEXIST ? "it is no socket" : strerror(errno));
		return -1;
	}
	return 0;
}

/* -1 after a line in the log. */
static int
listen_on(struct listener *l, const char *path, gid_t gid)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	struct stat st = {.st_ino = 0};
	int fd;

	strlcpy(sun.sun_path, path, sizeof(sun.sun_path));
	if (make_directory(path) == -1 || clear_path(&sun) == -1)
		return -1;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd == -1) {
		log_warnx("control socket: %s", why_errno(errno));
		return -1;
	}
	fdpass_refuse(fd);
	if (bind_file(fd, &sun, gid) == -1) {
		log_warnx("control socket %s: %s; let root write there and "
			  "change groups (CAP_CHOWN), or choose another "
			  "\"control\" path",
		    path, strerror(errno));
		close(fd);
		return -1;
	}
	lstat(path, &st);
	*l = (struct listener){.fd = fd, .dev = st.st_dev, .ino = st.st_ino};
	return 0;
}

int
listen_make(struct daemon *d)
{
	const struct conf *c = d->conf;

	if (listen_on(&d->control_socket, c->control_path, d->control_gid) ==
		-1 ||
	    listen_on(&d->control_rsocket, c->control_rpath, d->control_gid) ==
		-1)
		return -1;
	return 0;
}

/* One that was removed by hand may have been made again by another tund. */
static void
remove_file(const struct listener *l, const char *path)
{
	struct stat st;

	if (l->fd == -1)
		return;
	if (lstat(path, &st) == 0 &&
	    (st.st_dev != l->dev || st.st_ino != l->ino))
		log_info("%s is not ours any more, and stays", path);
	else if (unlink(path) == -1)
		log_warn("%s cannot be removed", path);
}

void
listen_remove(const struct daemon *d)
{
	remove_file(&d->control_socket, d->conf->control_path);
	remove_file(&d->control_rsocket, d->conf->control_rpath);
}

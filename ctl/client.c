#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <errno.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "ctl/client.h"
#include "ctl/memory.h"
#include "ctl/text.h"

/*
 * Until the whole answer is there: tund-control gives up on tund after 30
 * seconds, and says so.
 */
#ifndef ANSWER_SECONDS /* a test waits less */
#define ANSWER_SECONDS 40
#endif
#define FOR_EVER (-1) /* no deadline */
/* Nobody has taken the connections before ours. */
#define CONNECT_SECONDS 5
#define LINE_MAX_BYTES ((size_t)64 << 20)

struct client {
	int fd;
	char *buf;
	size_t room;
	size_t held;  /* bytes in buf */
	size_t taken; /* of those, bytes of the line taken last */
};

static int
connect_to(const char *path)
{
	static const struct timeval wait = {CONNECT_SECONDS, 0};
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	int fd, saved;

	if (strlcpy(sun.sun_path, path, sizeof(sun.sun_path)) >=
	    sizeof(sun.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd == -1)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait));
	if (connect(fd, (const struct sockaddr *)&sun, sizeof(sun)) == 0)
		return fd;
	saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

/* tund.sock's read-only twin is tund.rsock. */
static int
connect_to_twin(const char *path)
{
	char twin[sizeof(((struct sockaddr_un *)NULL)->sun_path)];
	size_t n = strlen(path);

	if (n < 5 || n + 2 > sizeof(twin) || strcmp(path + n - 5, ".sock") != 0)
		return -1;
	memcpy(twin, path, n - 4);
	memcpy(twin + n - 4, "rsock", sizeof("rsock"));
	return connect_to(twin);
}

/* connect(2) refuses a file or a folder as it does a socket of the dead. */
static bool
is_other_file(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && !S_ISSOCK(st.st_mode);
}

/* control-user in the configuration may be another than the usual one. */
static const char *
group_of(const char *path)
{
	const struct group *g = NULL;
	struct stat st;

	if (stat(path, &st) == 0)
		g = getgrgid(st.st_gid);
	return g == NULL ? "of control-user in tund.conf(5)" : g->gr_name;
}

static enum ctl_exit
connect_failed(const char *path, bool admin, int error)
{
	if (is_other_file(path)) {
		complain("%s: not a socket; name that of tund with -s", path);
		return CTL_NOT_RUNNING;
	}
	switch (error) {
	case ENAMETOOLONG:
		complain("%s: longer than the %zu bytes that the path of a "
			 "socket can have; name a shorter one with -s",
		    path, sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1);
		return CTL_USAGE;
	case EACCES:
	case EPERM:
		if (admin)
			complain("%s: permission denied; be root", path);
		else
			complain("%s: permission denied; be root, or in the "
				 "group %s",
			    path, group_of(path));
		return CTL_PERMISSION;
	case EAGAIN:
		complain("%s: no connection within %d seconds; tund hangs, or "
			 "is starting: see its log",
		    path, CONNECT_SECONDS);
		return CTL_NOT_RUNNING;
	case ENOENT:
	case ECONNREFUSED:
		complain("%s: tund is not running, or listens elsewhere (%s); "
			 "start it, or name its socket with -s",
		    path, error == ENOENT ? "no such socket" : "refused");
		return CTL_NOT_RUNNING;
	default:
		complain("%s: %s; name the control socket of tund with -s",
		    path, strerror(error));
		return CTL_NOT_RUNNING;
	}
}

enum ctl_exit
client_open(const char *path, bool admin, struct client **out)
{
	struct client *c;
	int error, fd = connect_to(path);

	if (fd == -1) {
		error = errno;
		if (!admin && error == EACCES)
			fd = connect_to_twin(path);
		if (fd == -1)
			return connect_failed(path, admin, error);
	}
	c = need(calloc(1, sizeof(*c)));
	c->fd = fd;
	*out = c;
	return CTL_OK;
}

void
client_close(struct client *c)
{
	close(c->fd);
	free(c->buf);
	free(c);
}

static enum ctl_exit
stopped(void)
{
	complain("tund closed the connection; see its log, and start it if it "
		 "does not run");
	return CTL_NOT_RUNNING;
}

/* What it said before it left may still be read: a failure is seen there. */
static void
client_send(struct client *c, const char *text, size_t len)
{
	ssize_t n;

	for (; len > 0; text += n, len -= (size_t)n) {
		n = send(c->fd, text, len, MSG_NOSIGNAL);
		if (n == -1 && errno == EINTR)
			n = 0;
		else if (n == -1)
			return;
	}
}

static int
make_room(struct client *c)
{
	size_t room = c->room == 0 ? 16384 : 2 * c->room;

	if (c->held < c->room)
		return 0;
	if (room > LINE_MAX_BYTES)
		return -1;
	c->buf = need(realloc(c->buf, room));
	c->room = room;
	return 0;
}

/* True when there is something to read, false at the deadline. */
static bool
client_wait(const struct client *c, int64_t deadline)
{
	struct pollfd p[2] = {
	    {.fd = c->fd, .events = POLLIN}, {.fd = STDOUT_FILENO}};
	int64_t left = -1;
	int r;

	do {
		if (deadline != FOR_EVER && (left = deadline - clock_ms()) <= 0)
			return false;
		r = poll(p, deadline == FOR_EVER ? 2 : 1, (int)left);
	} while (r == -1 && errno == EINTR);
	/* nobody is left to read what comes: as when it would be written */
	if (p[1].revents & POLLERR)
		raise(SIGPIPE);
	return r != 0;
}

/* Reads once. */
static enum ctl_exit
client_read(struct client *c, int64_t deadline)
{
	ssize_t n;

	if (make_room(c) == -1) {
		complain("the answer is too long; ask for one interface");
		return CTL_REFUSED;
	}
	if (!client_wait(c, deadline)) {
		complain("no whole answer within %d seconds; tund hangs, or is "
			 "starting: see its log",
		    ANSWER_SECONDS);
		return CTL_NOT_RUNNING;
	}
	n = recv(c->fd, c->buf + c->held, c->room - c->held, 0);
	if (n <= 0)
		return stopped();
	c->held += (size_t)n;
	return CTL_OK;
}

static enum ctl_exit
client_message(struct client *c, int64_t deadline, struct jsonrpc_message *m)
{
	enum ctl_exit r;
	size_t from = 0;
	char *newline = NULL;

	if (c->taken > 0)
		memmove(c->buf, c->buf + c->taken, c->held - c->taken);
	c->held -= c->taken;
	c->taken = 0;
	while (c->held == from || (newline = memchr(c->buf + from, '\n',
				       c->held - from)) == NULL) {
		from = c->held;
		if ((r = client_read(c, deadline)) != CTL_OK)
			return r;
	}
	c->taken = (size_t)(newline - c->buf) + 1;
	if (jsonrpc_read_message(c->buf, c->taken - 1, m) == 0)
		return CTL_OK;
	complain("the answer makes no sense; name the control socket of tund "
		 "with -s");
	return CTL_REFUSED;
}

/* An error from the daemon becomes a line and an exit code. */
static enum ctl_exit
refused(const struct jsonrpc_message *m)
{
	static const struct {
		const char *class;
		enum ctl_exit exit;
	} exits[] = {
	    {"permission", CTL_PERMISSION}, {"invalid-params", CTL_USAGE},
	    {"timeout", CTL_NOT_RUNNING}, /* it may still be carried out */
	};
	size_t i;

	complain("%s%s%s", m->text, m->hint[0] == '\0' ? "" : "; ", m->hint);
	for (i = 0; i < sizeof(exits) / sizeof(exits[0]); i++)
		if (strcmp(m->class, exits[i].class) == 0)
			return exits[i].exit;
	return CTL_REFUSED;
}

enum ctl_exit
client_call(struct client *c, const char *method, json_t *params,
    struct jsonrpc_message *result)
{
	json_t *call = jsonrpc_call(method, params, 1);
	char *text = call == NULL ? NULL : json_dumps(call, JSON_COMPACT);
	int64_t deadline = clock_ms() + ANSWER_SECONDS * 1000;
	enum ctl_exit r;

	json_decref(call);
	if (text == NULL) {
		complain("the request cannot be written as JSON");
		return CTL_USAGE;
	}
	client_send(c, text, strlen(text));
	client_send(c, "\n", 1);
	free(text);
	while ((r = client_message(c, deadline, result)) == CTL_OK) {
		if (result->result != NULL)
			return CTL_OK;
		if (result->code != 0) {
			r = refused(result);
			jsonrpc_message_clear(result);
			return r;
		}
		jsonrpc_message_clear(result);
	}
	return r;
}

enum ctl_exit
client_next(struct client *c, struct jsonrpc_message *m)
{
	return client_message(c, FOR_EVER, m);
}

#include <sys/socket.h>
#include <sys/uio.h>

#include <errno.h>
#include <event2/event.h>
#include <event2/util.h>
#include <string.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/log.h"
#include "control/client.h"
#include "control/limits.h"
#include "control/listen.h"
#include "ipc/jsonrpc.h"

#define LISTEN_TURN 16 /* connections taken in one turn of the loop */

static struct event *listeners[2]; /* 0: read-only, 1: admin */
static struct event *listen_again;

static const struct timeval one_second = {1, 0};

/* Why this user may have no further connection; NULL: it may. */
static const char *
refusal(uid_t uid)
{
	if (clients_count() >= CLIENTS_MAX)
		return "all connections are taken";
	if (uid == 0)
		return NULL;
	if (clients_count() >= CLIENTS_MAX - CLIENTS_RESERVED)
		return "the remaining connections are for root";
	if (clients_of_user(uid) >= CLIENTS_PER_USER)
		return "this user has too many connections";
	return NULL;
}

static void
refuse(int fd, const char *why)
{
	struct jsonrpc_error error;
	struct iovec iov[2];
	char newline[] = "\n";
	json_t *line;

	jsonrpc_fail(&error, JSONRPC_TOO_MANY,
	    "close a connection, or try again later", "%s", why);
	line = jsonrpc_error(NULL, &error);
	iov[0].iov_base = line == NULL ? NULL : json_dumps(line, JSON_COMPACT);
	if (iov[0].iov_base != NULL) {
		iov[0].iov_len = strlen(iov[0].iov_base);
		iov[1].iov_base = newline;
		iov[1].iov_len = 1;
		/* a new socket's buffer takes the line or nobody cares */
		(void)!writev(fd, iov, 2);
		free(iov[0].iov_base);
	}
	json_decref(line);
}

static void
admit(int fd, bool admin)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);
	const char *why;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) == -1) {
		log_warn("a client's user cannot be read");
	} else if ((why = refusal(cred.uid)) != NULL) {
		log_debug("connection of uid %u refused: %s", cred.uid, why);
		refuse(fd, why);
	} else if (client_new(fd, cred.uid, admin) == 0) {
		log_debug("connection of uid %u%s", cred.uid,
		    admin ? "" : ", read-only");
		return;
	}
	close(fd);
}

static void
listen_on_readable(int fd, short what, void *arg)
{
	int i, sock;

	(void)what;
	for (i = 0; i < LISTEN_TURN; i++) {
		sock = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (sock != -1) {
			admit(sock, arg != NULL);
			continue;
		}
		if (errno == EAGAIN)
			return;
		if (errno == EINTR || errno == ECONNABORTED)
			continue;
		log_warn("no connection can be taken for a second");
		event_del(listeners[0]);
		event_del(listeners[1]);
		event_add(listen_again, &one_second);
		return;
	}
}

static void
listen_on_again(int fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	listen_start();
}

int
listen_add(struct event_base *base, int fd, bool admin)
{
	/* the event's argument tells the two apart */
	listeners[admin] = event_new(base, fd, EV_READ | EV_PERSIST,
	    listen_on_readable, admin ? &listeners[1] : NULL);
	if (listen_again == NULL)
		listen_again = evtimer_new(base, listen_on_again, NULL);
	if (listeners[admin] == NULL || listen_again == NULL)
		return -1;
	return evutil_make_socket_nonblocking(fd);
}

void
listen_start(void)
{
	/* every new state calls this: the pause after a failure stands */
	if (evtimer_pending(listen_again, NULL))
		return;
	event_add(listeners[0], NULL);
	event_add(listeners[1], NULL);
}

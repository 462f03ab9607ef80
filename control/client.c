#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <errno.h>
#include <event2/buffer.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "control/client.h"
#include "control/limits.h"
#include "control/line.h"
#include "ipc/jsonrpc.h"
#include "ipc/limits.h"

/*
 * Theory of operation.  Everything that happens to a client ends in
 * client_turn(): a few requests are taken from the input buffer, the output
 * buffer is written as far as the socket takes it, and then it is decided
 * what to wait for.  A client with more to do gets its next turn after a
 * pass of the loop, so that all others have theirs.  A client that does not
 * read is not read from, which bounds its output buffer.
 */
struct client {
	TAILQ_ENTRY(client) entry;
	uint64_t serial;
	int fd;
	uid_t uid;
	bool on_admin_socket;
	bool eof;	 /* it sends no more */
	bool finishing;	 /* it is read from only to be ignored */
	time_t since;	 /* finishing, or its last request */
	time_t progress; /* it read something, or there was something to */
	unsigned int requests;
	struct event *readable;
	struct event *writable;
	struct event *turn;
	struct evbuffer *in;
	struct evbuffer *out;
	struct subscriber *subscriber;
};

static TAILQ_HEAD(client_list, client) clients = TAILQ_HEAD_INITIALIZER(
    clients);
static struct event_base *clients_base;
static const struct client_handlers *handlers;
static struct event *clients_sweeper;
static uint64_t clients_serial;
static unsigned int clients_number;

static const struct timeval soon = {0, 0};
static const struct timeval one_second = {1, 0};

static void
client_free(struct client *c)
{
	if (c->serial != 0) {
		TAILQ_REMOVE(&clients, c, entry);
		clients_number--;
	}
	handlers->gone(c->subscriber);
	if (c->readable != NULL)
		event_free(c->readable);
	if (c->writable != NULL)
		event_free(c->writable);
	if (c->turn != NULL)
		event_free(c->turn);
	if (c->in != NULL)
		evbuffer_free(c->in);
	if (c->out != NULL)
		evbuffer_free(c->out);
	if (c->fd != -1)
		close(c->fd);
	free(c);
}

/* May another request be answered, or must the client first read? */
static bool
client_has_room(const struct client *c)
{
	return !c->finishing && c->requests < CLIENT_REQUESTS &&
	       evbuffer_get_length(c->out) < CLIENT_OUTPUT_HIGH;
}

/* No request is read any more; closed when what was sent is read. */
static void
client_finish(struct client *c)
{
	c->finishing = true;
	c->since = clock_seconds();
	evbuffer_drain(c->in, evbuffer_get_length(c->in));
}

static void
client_line_too_long(struct client *c)
{
	struct jsonrpc_error error;

	jsonrpc_fail(&error, JSONRPC_TOO_LONG,
	    "the connection is closed; no request needs so many bytes",
	    "a line of more than %d bytes", LIMIT_REQUEST);
	client_send(c, jsonrpc_error(NULL, &error));
	client_finish(c);
}

/* The length of the next line, or -1: there is none as yet. */
static ssize_t
client_next_line(struct client *c, size_t *skip)
{
	struct evbuffer_ptr end;
	size_t held = evbuffer_get_length(c->in);

	*skip = 1;
	end = evbuffer_search_eol(c->in, NULL, NULL, EVBUFFER_EOL_LF);
	if (end.pos >= 0 && end.pos <= LIMIT_REQUEST)
		return end.pos;
	if (end.pos > LIMIT_REQUEST || held > LIMIT_REQUEST) {
		client_line_too_long(c);
		return -1;
	}
	/* half-closed: what is left is the last line */
	*skip = 0;
	return c->eof && held > 0 ? (ssize_t)held : -1;
}

/* Answers up to CLIENT_TURN requests; true if another one is waiting. */
static bool
client_process(struct client *c)
{
	const unsigned char *line;
	size_t skip;
	ssize_t len;
	int i;

	for (i = 0; client_has_room(c); i++) {
		if ((len = client_next_line(c, &skip)) == -1)
			return false;
		if (i == CLIENT_TURN)
			return true;
		if ((line = evbuffer_pullup(c->in, len)) != NULL)
			handlers->line(c, (const char *)line, (size_t)len);
		evbuffer_drain(c->in, (size_t)len + skip);
		c->since = clock_seconds();
	}
	return false;
}

/* Writes what the socket takes; -1 if the client is gone. */
static int
client_flush(struct client *c)
{
	struct evbuffer_iovec iov[16];
	ssize_t n;
	int count;

	while (evbuffer_get_length(c->out) > 0) {
		count = evbuffer_peek(c->out, -1, NULL, iov, 16);
		/* sendmsg could pass descriptors on: the filter lacks it */
		n = writev(c->fd, iov, count < 16 ? count : 16);
		if (n == -1)
			return errno == EAGAIN || errno == EINTR ? 0 : -1;
		evbuffer_drain(c->out, (size_t)n);
		c->progress = clock_seconds();
	}
	return 0;
}

/* Is there something that client_process() would take? */
static bool
client_has_line(const struct client *c)
{
	size_t held = evbuffer_get_length(c->in);
	struct evbuffer_ptr end;

	if (held == 0 || c->eof || held > LIMIT_REQUEST)
		return held > 0;
	end = evbuffer_search_eol(c->in, NULL, NULL, EVBUFFER_EOL_LF);
	return end.pos >= 0;
}

/* Nothing to send, nothing to wait for. */
static bool
client_is_done(const struct client *c)
{
	if (evbuffer_get_length(c->out) > 0 || c->requests > 0)
		return false;
	if (c->finishing)
		return c->eof;
	return c->eof && c->subscriber == NULL &&
	       evbuffer_get_length(c->in) == 0;
}

/* A subscriber that sends no more is seen to have left only by writing. */
static bool
client_has_left(const struct client *c)
{
	return c->eof && c->subscriber != NULL &&
	       send(c->fd, "", 0, MSG_NOSIGNAL) == -1 && errno != EAGAIN;
}

static void
client_watch(struct client *c, bool more)
{
	bool wants_input =
	    c->finishing ||
	    (client_has_room(c) && evbuffer_get_length(c->in) <= LIMIT_REQUEST);

	if (!c->eof && wants_input && !more)
		event_add(c->readable, NULL);
	else
		event_del(c->readable);
	if (evbuffer_get_length(c->out) > 0)
		event_add(c->writable, NULL);
	else
		event_del(c->writable);
	if (more)
		event_add(c->turn, &soon);
}

static void
client_turn(struct client *c)
{
	bool more = client_process(c);

	if (client_flush(c) == -1) {
		client_free(c);
		return;
	}
	if (c->subscriber != NULL)
		handlers->read(c->subscriber);
	/* room that this turn made is used in the next one */
	more = more || (client_has_room(c) && client_has_line(c));
	if (client_is_done(c) || client_has_left(c))
		client_free(c);
	else
		client_watch(c, more);
}

static void
client_on_turn(int fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	client_turn(arg);
}

static void
client_on_readable(int fd, short what, void *arg)
{
	struct client *c = arg;
	char buf[CLIENT_READ];
	ssize_t n = read(fd, buf, sizeof(buf));

	(void)what;
	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n == -1) {
		client_free(c);
		return;
	}
	if (n == 0)
		c->eof = true;
	else if (!c->finishing && evbuffer_add(c->in, buf, (size_t)n) == -1) {
		client_free(c);
		return;
	}
	client_turn(c);
}

/* Has the time of this client run out? */
static bool
client_is_overdue(const struct client *c, time_t t)
{
	if (c->finishing)
		return t - c->since > CLIENT_LINGER;
	if (evbuffer_get_length(c->out) > 0)
		return c->subscriber == NULL && t - c->progress > CLIENT_STALL;
	return c->subscriber == NULL && c->requests == 0 &&
	       t - c->since > CLIENT_IDLE;
}

static void
clients_sweep(int fd, short what, void *arg)
{
	struct client *c, *next;
	time_t t = clock_seconds();

	(void)fd;
	(void)what;
	(void)arg;
	for (c = TAILQ_FIRST(&clients); c != NULL; c = next) {
		next = TAILQ_NEXT(c, entry);
		if (client_is_overdue(c, t) || client_has_left(c))
			client_free(c);
	}
	if (!TAILQ_EMPTY(&clients))
		event_add(clients_sweeper, &one_second);
}

void
clients_init(struct event_base *base, const struct client_handlers *above)
{
	clients_base = base;
	handlers = above;
	clients_sweeper = evtimer_new(base, clients_sweep, NULL);
	if (clients_sweeper == NULL)
		fatalx("memory is short");
}

int
client_new(int fd, uid_t uid, bool on_admin_socket)
{
	struct client *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return -1;
	c->fd = -1;
	c->uid = uid;
	c->on_admin_socket = on_admin_socket;
	c->since = c->progress = clock_seconds();
	c->in = evbuffer_new();
	c->out = evbuffer_new();
	c->readable = event_new(
	    clients_base, fd, EV_READ | EV_PERSIST, client_on_readable, c);
	c->writable = event_new(
	    clients_base, fd, EV_WRITE | EV_PERSIST, client_on_turn, c);
	c->turn = evtimer_new(clients_base, client_on_turn, c);
	if (c->in == NULL || c->out == NULL || c->readable == NULL ||
	    c->writable == NULL || c->turn == NULL ||
	    event_add(c->readable, NULL) == -1) {
		client_free(c);
		return -1;
	}
	c->fd = fd;
	c->serial = ++clients_serial;
	TAILQ_INSERT_TAIL(&clients, c, entry);
	clients_number++;
	if (!event_pending(clients_sweeper, EV_TIMEOUT, NULL))
		event_add(clients_sweeper, &one_second);
	return 0;
}

unsigned int
clients_count(void)
{
	return clients_number;
}

unsigned int
clients_of_user(uid_t uid)
{
	struct client *c;
	unsigned int n = 0;

	TAILQ_FOREACH (c, &clients, entry)
		if (c->uid == uid)
			n++;
	return n;
}

/* The time in which it must read something starts with the first byte. */
static void
client_output_begins(struct client *c)
{
	if (evbuffer_get_length(c->out) == 0)
		c->progress = clock_seconds();
}

void
client_send(struct client *c, json_t *line)
{
	client_output_begins(c);
	line_write(c->out, line);
	event_add(c->turn, &soon);
}

int
client_send_text(struct client *c, const char *text, size_t len)
{
	client_output_begins(c);
	if (evbuffer_add(c->out, text, len) == -1)
		return -1;
	event_add(c->turn, &soon);
	return 0;
}

size_t
client_unread(const struct client *c)
{
	return evbuffer_get_length(c->out);
}

uint64_t
client_serial(const struct client *c)
{
	return c->serial;
}

struct client *
client_find(uint64_t serial)
{
	struct client *c;

	TAILQ_FOREACH (c, &clients, entry)
		if (c->serial == serial)
			return c;
	return NULL;
}

bool
client_is_root(const struct client *c)
{
	return c->uid == 0;
}

bool
client_is_admin(const struct client *c)
{
	return c->uid == 0 && c->on_admin_socket;
}

void
client_add_requests(struct client *c, int change)
{
	c->requests = (unsigned int)((int)c->requests + change);
	c->since = clock_seconds();
	event_add(c->turn, &soon);
}

struct subscriber *
client_subscriber(const struct client *c)
{
	return c->subscriber;
}

void
client_set_subscriber(struct client *c, struct subscriber *s)
{
	c->subscriber = s;
}

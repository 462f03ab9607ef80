#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ipc/channel.h"

/* A child that leaves this much unread is not doing its work. */
#define CHANNEL_QUEUE_MAX ((size_t)16 << 20)
/* Messages taken in one turn of the loop, so that nobody starves. */
#define CHANNEL_TURN 32
/* More than a socket holds. */
#define CHANNEL_DRAIN 4096

struct waiting {
	STAILQ_ENTRY(waiting) entry;
	uint32_t type;
	uint32_t id;
	int fd;
	size_t len;
	uint8_t data[];
};

struct channel {
	int sock;
	struct event *readable;
	struct event *writable;
	channel_receive *receive;
	channel_on_message *on_message;
	channel_on_close *on_close;
	void *arg;
	STAILQ_HEAD(, waiting) queue;
	size_t queued;	  /* bytes */
	size_t fds;	  /* in the queue */
	const char *dead; /* why, once it is */
	bool in_callback;
	bool freed; /* while in a callback */
	struct imsg m;
};

static void
channel_release(struct channel *ch)
{
	struct waiting *w;

	while ((w = STAILQ_FIRST(&ch->queue)) != NULL) {
		STAILQ_REMOVE_HEAD(&ch->queue, entry);
		if (w->fd != -1)
			close(w->fd);
		free(w);
	}
	if (ch->readable != NULL)
		event_free(ch->readable);
	if (ch->writable != NULL)
		event_free(ch->writable);
	close(ch->sock);
	free(ch);
}

static void
channel_die(struct channel *ch, const char *why)
{
	if (ch->dead != NULL)
		return;
	ch->dead = why;
	event_del(ch->writable);
	/* told from the loop, never from within the caller's send */
	event_active(ch->readable, EV_READ, 0);
}

/*
 * A reset, which is an end that leaves something unread, is told once, and
 * before what came earlier.
 */
static int
channel_receive_next(struct channel *ch)
{
	int r = ch->receive(ch->sock, &ch->m);

	return r == -1 && errno == ECONNRESET ? ch->receive(ch->sock, &ch->m)
					      : r;
}

/* What a send met. */
static const char *
channel_failed(void)
{
	return errno == ECONNRESET || errno == EPIPE ? "left its channel"
						     : "cannot be written to";
}

/* Returns false when the channel must not be used any more. */
static bool
channel_deliver(struct channel *ch)
{
	ch->in_callback = true;
	ch->on_message(&ch->m, ch->arg);
	ch->in_callback = false;
	if (ch->m.fd != -1)
		close(ch->m.fd);
	if (!ch->freed)
		return ch->dead == NULL;
	channel_release(ch);
	return false;
}

static void
channel_readable(int fd, short what, void *arg)
{
	struct channel *ch = arg;
	int i, r;

	(void)fd;
	(void)what;
	for (i = 0; i < CHANNEL_TURN && ch->dead == NULL; i++) {
		r = channel_receive_next(ch);
		if (r == 1) {
			if (!channel_deliver(ch))
				return;
			continue;
		}
		if (r == 0)
			ch->dead = "left its channel";
		else if (errno == EBADMSG)
			ch->dead = "sent what is no message";
		else if (errno != EAGAIN)
			ch->dead = "cannot be read";
		else
			return;
	}
	if (ch->dead == NULL)
		return;
	event_del(ch->readable);
	event_del(ch->writable);
	ch->on_close(ch->dead, ch->arg);
}

static bool
has_answered(int fd)
{
	char byte;
	struct iovec iov = {&byte, sizeof(byte)};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};

	return recvmsg(fd, &msg, MSG_PEEK | MSG_DONTWAIT) >= 0;
}

/*
 * All that waits, unless the other side answers meanwhile: then its answers are
 * read between, for they would fill its side of the socket.
 */
static void
channel_writable(int fd, short what, void *arg)
{
	struct channel *ch = arg;
	struct waiting *w;
	unsigned int sent = 0;

	(void)what;
	while ((w = STAILQ_FIRST(&ch->queue)) != NULL) {
		if (sent++ >= CHANNEL_TURN && has_answered(fd))
			return;
		if (imsg_send(fd, w->type, w->id, w->data, w->len, w->fd) ==
		    -1) {
			if (errno != EAGAIN && errno != ENOBUFS)
				channel_die(ch, channel_failed());
			return;
		}
		STAILQ_REMOVE_HEAD(&ch->queue, entry);
		ch->queued -= sizeof(*w) + w->len;
		ch->fds -= w->fd != -1;
		if (w->fd != -1)
			close(w->fd);
		free(w);
	}
	event_del(ch->writable);
}

struct channel *
channel_new(struct event_base *base, int sock, channel_receive *receive,
    channel_on_message *on_message, channel_on_close *on_close, void *arg)
{
	struct channel *ch = calloc(1, sizeof(*ch));

	if (ch == NULL)
		return NULL;
	ch->sock = sock;
	ch->receive = receive;
	ch->on_message = on_message;
	ch->on_close = on_close;
	ch->arg = arg;
	STAILQ_INIT(&ch->queue);
	ch->readable =
	    event_new(base, sock, EV_READ | EV_PERSIST, channel_readable, ch);
	ch->writable =
	    event_new(base, sock, EV_WRITE | EV_PERSIST, channel_writable, ch);
	if (ch->readable == NULL || ch->writable == NULL ||
	    fcntl(sock, F_SETFL, O_NONBLOCK) == -1 ||
	    event_add(ch->readable, NULL) == -1) {
		if (ch->readable != NULL)
			event_free(ch->readable);
		if (ch->writable != NULL)
			event_free(ch->writable);
		free(ch);
		return NULL;
	}
	return ch;
}

void
channel_drain(struct channel *ch)
{
	int i;

	/* somebody else may have the other end, too, and go on */
	for (i = 0; i < CHANNEL_DRAIN && channel_receive_next(ch) == 1; i++)
		channel_deliver(ch);
}

void
channel_free(struct channel *ch)
{
	if (ch == NULL)
		return;
	if (ch->in_callback)
		ch->freed = true;
	else
		channel_release(ch);
}

static int
channel_queue(struct channel *ch, uint32_t type, uint32_t id, const void *data,
    size_t len, int fd)
{
	struct waiting *w;

	if (ch->queued + sizeof(*w) + len > CHANNEL_QUEUE_MAX) {
		channel_die(ch, "does not read what it is sent");
		return -1;
	}
	if ((w = malloc(sizeof(*w) + len)) == NULL) {
		channel_die(ch, "cannot be sent to: memory is short");
		return -1;
	}
	w->type = type;
	w->id = id;
	w->len = len;
	w->fd = -1;
	if (len > 0)
		memcpy(w->data, data, len);
	if (fd != -1 && (w->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0)) == -1) {
		free(w);
		channel_die(ch, "cannot be sent a descriptor; raise the limit "
				"of open files");
		return -1;
	}
	ch->queued += sizeof(*w) + len;
	ch->fds += fd != -1;
	STAILQ_INSERT_TAIL(&ch->queue, w, entry);
	event_add(ch->writable, NULL);
	return 0;
}

int
channel_send(struct channel *ch, uint32_t type, uint32_t id, const void *data,
    size_t len, int fd)
{
	if (ch->dead != NULL)
		return -1;
	if (!STAILQ_EMPTY(&ch->queue))
		return channel_queue(ch, type, id, data, len, fd);
	if (imsg_send(ch->sock, type, id, data, len, fd) == 0)
		return 0;
	if (errno == EAGAIN || errno == ENOBUFS)
		return channel_queue(ch, type, id, data, len, fd);
	channel_die(ch, channel_failed());
	return -1;
}

size_t
channel_unsent(const struct channel *ch)
{
	return ch->queued;
}

bool
channel_has_unsent_fds(const struct channel *ch)
{
	return ch->fds > 0;
}

#include <sys/socket.h>

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "control/events.h"
#include "control/listen.h"
#include "control/parent.h"
#include "control/request.h"
#include "control/state.h"
#include "ipc/channel.h"
#include "ipc/limits.h"

static struct channel *channel;

/* A line that finds the channel full is lost: there is nobody else to tell. */
static void
parent_log(enum log_level level, const char *text)
{
	struct {
		uint32_t level;
		char text[LIMIT_LOG];
	} line = {.level = level};
	size_t i;

	for (i = 0; i < sizeof(line.text) && text[i] != '\0'; i++)
		line.text[i] = text[i] < ' ' || text[i] > '~' ? '?' : text[i];
	(void)!imsg_send(
	    PARENT_FD, MSG_LOG, 0, &line, sizeof(line.level) + i, -1);
}

void
parent_check(void)
{
	int type = 0;
	socklen_t len = sizeof(type);

	if (getsockopt(PARENT_FD, SOL_SOCKET, SO_TYPE, &type, &len) == -1 ||
	    type != SOCK_SEQPACKET)
		fatalx("tund-control is started by tund, not by hand");
}

/* Each message before the start comes once, in this order. */
static const uint32_t start_order[] = {MSG_CONTROL_CONFIG, MSG_CONTROL_LISTEN,
    MSG_CONTROL_LISTEN, MSG_CONTROL_START};

static int
start_take(struct parent_start *s, struct imsg *m)
{
	int *sock;

	switch (m->hdr.type) {
	case MSG_CONTROL_CONFIG:
		return msg_read_control_config(m, &s->config);
	case MSG_CONTROL_LISTEN:
		if (m->hdr.id > 1 || *(sock = &s->listen[m->hdr.id]) != -1)
			return -1;
		return msg_take_fd(m, sock);
	default:
		return msg_read_empty(m);
	}
}

void
parent_receive_start(struct parent_start *s)
{
	static struct imsg m;
	size_t i;
	int r;

	s->listen[0] = s->listen[1] = -1;
	for (i = 0; i < sizeof(start_order) / sizeof(start_order[0]); i++) {
		r = imsg_recv(PARENT_FD, &m);
		if (r == 0)
			exit(1);
		if (r == -1)
			fatal("the parent cannot be read");
		if (m.hdr.type != start_order[i] || start_take(s, &m) == -1)
			fatalx("the parent sent a bad message: %s",
			    msg_type_name(m.hdr.type));
		if (m.hdr.type == MSG_CONTROL_CONFIG) {
			log_set_level((enum log_level)s->config.log_level);
			log_set_sink(parent_log);
		}
	}
}

static int
parent_on_counters(struct imsg *m)
{
	int fd;

	if (msg_take_fd(m, &fd) == -1)
		return -1;
	return state_take_counters(m->hdr.id, fd) ? 0 : -1;
}

static int
parent_on_state(struct imsg *m)
{
	int fd;

	if (msg_take_fd(m, &fd) == -1 || !state_take(fd))
		return -1;
	events_settled(state_sequence());
	listen_start();
	return 0;
}

static int
parent_on_event(struct imsg *m)
{
	const char *text;

	if (msg_read_event(m, &text) == -1 || !events_publish(text))
		return -1;
	return 0;
}

static int
parent_on_reply(struct imsg *m)
{
	uint32_t status;
	const char *text;

	if (msg_read_reply(m, &status, &text) == -1)
		return -1;
	return request_on_reply(m->hdr.id, status, text);
}

static int
parent_on_log_level(struct imsg *m)
{
	struct msg_log_level l;

	if (msg_read_log_level(m, &l) == -1)
		return -1;
	log_set_level((enum log_level)l.level);
	return 0;
}

static const struct {
	uint32_t type;
	int (*handler)(struct imsg *);
} parent_messages[] = {
    {MSG_CONTROL_COUNTERS, parent_on_counters},
    {MSG_CONTROL_STATE, parent_on_state},
    {MSG_CONTROL_EVENT, parent_on_event},
    {MSG_CONTROL_REPLY, parent_on_reply},
    {MSG_CONTROL_LOG_LEVEL, parent_on_log_level},
};

/* The parent is trusted, so nonsense means that one of us is broken. */
static void
parent_on_message(struct imsg *m, void *arg)
{
	size_t i, n = sizeof(parent_messages) / sizeof(parent_messages[0]);

	(void)arg;
	for (i = 0; i < n; i++)
		if (parent_messages[i].type == m->hdr.type)
			break;
	if (i == n || parent_messages[i].handler(m) == -1)
		fatalx("the parent sent a bad message: %s",
		    msg_type_name(m->hdr.type));
}

static void
parent_on_close(const char *why, void *arg)
{
	(void)arg;
	log_debug("channel to the parent: %s", why);
	_exit(0);
}

void
parent_serve(struct event_base *base)
{
	channel = channel_new(base, PARENT_FD, imsg_recv, parent_on_message,
	    parent_on_close, NULL);
	if (channel == NULL)
		fatal("channel to the parent");
}

void
parent_send(uint32_t type, uint32_t id, const void *data, size_t len)
{
	/* a dead channel ends the process from the loop */
	(void)channel_send(channel, type, id, data, len, -1);
}

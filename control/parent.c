#include <sys/socket.h>

#include <event2/event.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/log.h"
#include "control/parent.h"
#include "ipc/imsg.h"
#include "ipc/limits.h"

static struct channel *channel;

static void
parent_log(enum log_level level, const char *text)
{
	msg_send_log(PARENT_FD, level, text);
}

void
parent_check(void)
{
	if (!imsg_is_channel(PARENT_FD))
		fatalx("this is started by tund(8), not by hand");
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

static void
parent_on_close(const char *why, void *arg)
{
	(void)arg;
	log_debug("channel to the parent: %s", why);
	_exit(0);
}

void
parent_serve(struct event_base *base, channel_on_message *on_message)
{
	channel = channel_new(
	    base, PARENT_FD, imsg_recv, on_message, parent_on_close, NULL);
	if (channel == NULL)
		fatal("channel to the parent");
}

void
parent_send(uint32_t type, uint32_t id, const void *data, size_t len)
{
	/* a dead channel ends the process from the loop */
	(void)channel_send(channel, type, id, data, len, -1);
}

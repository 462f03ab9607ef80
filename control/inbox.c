#include "control/inbox.h"

#include "common/log.h"
#include "control/events.h"
#include "control/listen.h"
#include "control/request.h"
#include "control/state.h"
#include "ipc/imsg.h"
#include "ipc/msg.h"

static int
inbox_on_counters(struct imsg *m)
{
	int fd;

	if (msg_take_fd(m, &fd) == -1)
		return -1;
	return state_take_counters(m->hdr.id, fd) ? 0 : -1;
}

static int
inbox_on_state(struct imsg *m)
{
	int fd;

	if (msg_take_fd(m, &fd) == -1 || !state_take(fd))
		return -1;
	events_settled(state_sequence());
	listen_start();
	return 0;
}

static int
inbox_on_event(struct imsg *m)
{
	const char *text;

	if (msg_read_event(m, &text) == -1 || !events_take(text))
		return -1;
	return 0;
}

static int
inbox_on_reply(struct imsg *m)
{
	uint32_t status;
	const char *text;

	if (msg_read_reply(m, &status, &text) == -1)
		return -1;
	return request_on_reply(m->hdr.id, status, text);
}

static int
inbox_on_log_level(struct imsg *m)
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
} inbox[] = {
    {MSG_CONTROL_COUNTERS, inbox_on_counters},
    {MSG_CONTROL_STATE, inbox_on_state},
    {MSG_CONTROL_EVENT, inbox_on_event},
    {MSG_CONTROL_REPLY, inbox_on_reply},
    {MSG_CONTROL_LOG_LEVEL, inbox_on_log_level},
};

/* The parent is trusted, so nonsense means that one of us is broken. */
void
inbox_take(struct imsg *m, void *arg)
{
	size_t i, n = sizeof(inbox) / sizeof(inbox[0]);

	(void)arg;
	for (i = 0; i < n; i++)
		if (inbox[i].type == m->hdr.type)
			break;
	if (i == n || inbox[i].handler(m) == -1)
		fatalx("the parent sent a bad message: %s",
		    msg_type_name(m->hdr.type));
}

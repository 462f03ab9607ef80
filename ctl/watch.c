#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "ctl/client.h"
#include "ctl/table.h"
#include "ctl/text.h"
#include "ctl/watch.h"

#define ROW "%6s  %-24s  %-16s  %-15s  %s"

/* Each line has been flushed, so that there is nothing left to do. */
static void
on_interrupt(int sig)
{
	(void)sig;
	_exit(CTL_OK);
}

/* key=value for everything that has no column of its own. */
static void
event_details(json_t *event, char *buf, size_t size)
{
	static const char *const columns[] = {
	    "seq", "time", "event", "interface"};
	char cell[TEXT_CELL];
	const char *key;
	json_t *value;
	size_t i, used = 0;

	buf[0] = '\0';
	json_object_foreach (event, key, value) {
		for (i = 0; i < 4 && strcmp(columns[i], key) != 0; i++)
			;
		if (i < 4 || used >= size)
			continue;
		used += (size_t)snprintf(buf + used, size - used, "%s%s=%s",
		    used == 0 ? "" : " ", key, text_value(value, cell));
	}
}

static int
print_event(const struct ctl *ctl, json_t *event)
{
	char seq[TEXT_CELL], time[TEXT_CELL], name[TEXT_CELL],
	    interface[TEXT_CELL], details[4 * TEXT_CELL];

	if (ctl->json)
		return say_json(event);
	event_details(event, details, sizeof(details));
	say(ROW, text_value(json_at(event, "seq"), seq),
	    text_value(json_at(event, "time"), time),
	    text_value(json_at(event, "event"), name),
	    text_value(json_at(event, "interface"), interface), details);
	return fflush(stdout) == EOF ? -1 : 0;
}

/* What was lost stands in the list like an event. */
static int
print_overflow(const struct ctl *ctl, json_t *params)
{
	json_object_set_new(params, "event", json_string("overflow"));
	return print_event(ctl, params);
}

static enum ctl_exit
unwritable(void)
{
	complain("standard output cannot be written: %s", strerror(errno));
	return CTL_REFUSED;
}

static enum ctl_exit
watch(const struct ctl *ctl, struct client *c)
{
	struct jsonrpc_message m;
	enum ctl_exit r;
	long long seen = 0;
	int printed;

	if ((r = client_call(c, "subscribe", NULL, &m)) != CTL_OK)
		return r;
	jsonrpc_message_clear(&m);
	if (!ctl->json) {
		say(ROW, "SEQ", "TIME", "EVENT", "INTERFACE", "DETAILS");
		if (fflush(stdout) == EOF)
			return unwritable();
	}
	while (ctl->count == 0 || seen < ctl->count) {
		if ((r = client_next(c, &m)) != CTL_OK)
			return r;
		printed = 0;
		if (m.method != NULL && strcmp(m.method, "event") == 0) {
			printed = print_event(ctl, m.params);
			seen++;
		} else if (m.method != NULL &&
			   strcmp(m.method, "overflow") == 0) {
			printed = print_overflow(ctl, m.params);
		}
		jsonrpc_message_clear(&m);
		if (printed == -1)
			return unwritable();
	}
	return CTL_OK;
}

enum ctl_exit
watch_events(const struct ctl *ctl)
{
	struct sigaction sa = {.sa_handler = on_interrupt};
	struct client *c;
	enum ctl_exit r;

	sigaction(SIGINT, &sa, NULL);
	if ((r = client_open(ctl->socket, false, &c)) != CTL_OK)
		return r;
	r = watch(ctl, c);
	client_close(c);
	return r;
}

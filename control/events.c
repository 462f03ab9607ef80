#include <sys/queue.h>

#include <stdlib.h>
#include <string.h>

#include "control/client.h"
#include "control/events.h"
#include "control/limits.h"
#include "ipc/jsonrpc.h"

struct subscriber {
	TAILQ_ENTRY(subscriber) entry;
	struct client *client;
	json_int_t sequence; /* of the last event sent, or lost */
	json_int_t lost;     /* since overflow was told last */
	json_int_t lost_first;
};

/* An event that the published state does not show yet. */
struct recent {
	STAILQ_ENTRY(recent) entry;
	json_int_t sequence;
	size_t len;
	char line[];
};

static TAILQ_HEAD(subscriber_list,
    subscriber) subscribers = TAILQ_HEAD_INITIALIZER(subscribers);
static STAILQ_HEAD(recent_list, recent) recents = STAILQ_HEAD_INITIALIZER(
    recents);
static unsigned int recents_number;
static json_int_t events_last;	/* sequence of the newest */
static json_int_t events_shown; /* by the published state */

static void
subscriber_lose(struct subscriber *s, json_int_t sequence)
{
	if (s->lost == 0)
		s->lost_first = s->sequence + 1;
	s->lost += sequence - s->sequence;
	s->sequence = sequence;
}

/* Events are numbered without gaps, so that a gap is a loss. */
static void
subscriber_send(struct subscriber *s, const struct recent *e)
{
	if (e->sequence <= s->sequence)
		return;
	if (s->lost > 0 ||
	    client_unread(s->client) + e->len > CLIENT_EVENTS_HIGH) {
		subscriber_lose(s, e->sequence);
		return;
	}
	if (e->sequence > s->sequence + 1) {
		subscriber_lose(s, e->sequence - 1);
		events_tell_overflow(s);
		/* nothing comes before the loss that was before it */
		if (s->lost > 0) {
			subscriber_lose(s, e->sequence);
			return;
		}
	}
	if (client_send_text(s->client, e->line, e->len) == -1)
		subscriber_lose(s, e->sequence);
	s->sequence = e->sequence;
}

void
events_tell_overflow(struct subscriber *s)
{
	if (s->lost == 0 || client_unread(s->client) > CLIENT_EVENTS_HIGH / 2)
		return;
	client_send(s->client,
	    jsonrpc_notification("overflow",
		json_pack("{s:I, s:I, s:I}", "lost", s->lost, "first_seq",
		    s->lost_first, "last_seq", s->sequence)));
	s->lost = 0;
}

static struct recent *
recent_new(json_t *event)
{
	json_t *seq = json_object_get(event, "seq");
	struct recent *e = NULL;
	json_t *line = NULL;
	char *text = NULL;
	size_t len;

	if (!json_is_integer(seq) ||
	    !json_is_string(json_object_get(event, "event")))
		return NULL;
	line = jsonrpc_notification("event", json_incref(event));
	if ((text = json_dumps(line, JSON_COMPACT)) != NULL) {
		len = strlen(text);
		if ((e = malloc(sizeof(*e) + len + 1)) != NULL) {
			e->sequence = json_integer_value(seq);
			memcpy(e->line, text, len);
			e->line[len] = '\n';
			e->len = len + 1;
		}
	}
	free(text);
	json_decref(line);
	return e;
}

static void
recents_drop_first(void)
{
	struct recent *e = STAILQ_FIRST(&recents);

	STAILQ_REMOVE_HEAD(&recents, entry);
	recents_number--;
	free(e);
}

bool
events_take(const char *text)
{
	struct subscriber *s;
	struct recent *e;
	json_t *event;

	event = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
	e = recent_new(event);
	json_decref(event);
	if (e == NULL)
		return false;
	if (e->sequence <= events_last) {
		free(e);
		return false;
	}
	events_last = e->sequence;
	TAILQ_FOREACH (s, &subscribers, entry)
		subscriber_send(s, e);
	STAILQ_INSERT_TAIL(&recents, e, entry);
	if (++recents_number > EVENTS_KEPT)
		recents_drop_first();
	events_settled(events_shown);
	return true;
}

void
events_settled(json_int_t sequence)
{
	struct recent *e;

	events_shown = sequence;
	while ((e = STAILQ_FIRST(&recents)) != NULL && e->sequence <= sequence)
		recents_drop_first();
}

int
events_subscribe(struct client *c, json_int_t sequence)
{
	struct subscriber *s = client_subscriber(c);
	struct recent *e;

	if (s == NULL) {
		if ((s = calloc(1, sizeof(*s))) == NULL)
			return -1;
		s->client = c;
		client_set_subscriber(c, s);
		TAILQ_INSERT_TAIL(&subscribers, s, entry);
	}
	s->sequence = sequence;
	s->lost = 0;
	STAILQ_FOREACH (e, &recents, entry)
		subscriber_send(s, e);
	return 0;
}

void
events_unsubscribe(struct subscriber *s)
{
	if (s == NULL)
		return;
	TAILQ_REMOVE(&subscribers, s, entry);
	free(s);
}

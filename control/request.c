#include <event2/event.h>
#include <stdlib.h>

#include "common/clock.h"
#include "common/log.h"
#include "control/call.h"
#include "control/client.h"
#include "control/limits.h"
#include "control/parent.h"
#include "control/request.h"
#include "ipc/limits.h"

/* A call that waits for the parent; its client may leave before. */
struct job {
	uint64_t client;
	json_t *id;    /* NULL: a notification */
	size_t left;   /* requests without a reply */
	json_t *done;  /* what the replies said */
	json_t *error; /* the first refusal, or NULL */
};

static struct {
	uint32_t id; /* 0: free */
	time_t until;
	struct job *job;
} in_flight[REQUESTS_MAX];
static uint32_t last_id;
/* In this second: the parent ends a child that sends too many messages. */
static struct {
	time_t second;
	size_t messages;
} pace;
#define PACE_MAX (LIMIT_MESSAGES / 2)
static struct event *request_sweeper;

static const struct timeval one_second = {1, 0};

static const struct {
	int code;
	const char *hint; /* when the parent gave none */
} by_status[REPLY_COUNT] = {
    [REPLY_OK] = {0, ""},
    [REPLY_INVALID] = {JSONRPC_INVALID_PARAMS, "check the parameters"},
    [REPLY_REFUSED] = {JSONRPC_REFUSED, ""},
    [REPLY_BUSY] = {JSONRPC_BUSY, "try again in a moment"},
};

/* Answers the call, if there is still somebody to answer. */
static void
job_finish(struct job *job)
{
	struct client *c = client_find(job->client);
	json_t *data;

	if (c != NULL && job->id != NULL && job->error != NULL) {
		data = json_object_get(
		    json_object_get(job->error, "error"), "data");
		if (json_object_size(job->done) > 0)
			json_object_set(data, "applied", job->done);
		client_send(c, json_incref(job->error));
	} else if (c != NULL && job->id != NULL) {
		client_send(c, jsonrpc_result(job->id, json_incref(job->done)));
	}
	if (c != NULL)
		client_add_requests(c, -1);
	json_decref(job->id);
	json_decref(job->done);
	json_decref(job->error);
	free(job);
}

static void
slot_finish(size_t slot)
{
	struct job *job = in_flight[slot].job;

	in_flight[slot].id = 0;
	in_flight[slot].job = NULL;
	if (--job->left == 0)
		job_finish(job);
}

static void
requests_sweep(int fd, short what, void *arg)
{
	struct jsonrpc_error error;
	struct job *job;
	time_t t = clock_seconds();
	size_t i;
	int left = 0;

	(void)fd;
	(void)what;
	(void)arg;
	for (i = 0; i < REQUESTS_MAX; i++) {
		if (in_flight[i].id == 0)
			continue;
		if (t <= in_flight[i].until) {
			left++;
			continue;
		}
		job = in_flight[i].job;
		jsonrpc_fail(&error, JSONRPC_TIMEOUT,
		    "it may still be carried out: look at status",
		    "tund did not answer within %d seconds", REQUEST_SECONDS);
		if (job->error == NULL)
			job->error = jsonrpc_error(job->id, &error);
		slot_finish(i);
	}
	if (left > 0)
		event_add(request_sweeper, &one_second);
}

void
requests_init(struct event_base *base)
{
	request_sweeper = evtimer_new(base, requests_sweep, NULL);
	if (request_sweeper == NULL)
		fatalx("memory is short");
}

static struct job *
job_new(const struct call *call)
{
	struct job *job = calloc(1, sizeof(*job));

	if (job == NULL || (job->done = json_object()) == NULL) {
		free(job);
		return NULL;
	}
	job->client = client_serial(call->client);
	job->id = json_incref(call->id);
	return job;
}

static size_t
slots_free(void)
{
	size_t i, n = 0;

	for (i = 0; i < REQUESTS_MAX; i++)
		n += in_flight[i].id == 0;
	return n;
}

static bool
is_within_pace(size_t n)
{
	time_t t = clock_seconds();

	if (t != pace.second)
		pace.messages = 0;
	pace.second = t;
	if (pace.messages + n > PACE_MAX)
		return false;
	pace.messages += n;
	return true;
}

void
request_start(const struct call *call, const struct msg_request *r, size_t n)
{
	struct job *job;
	size_t i, sent = 0;

	if (slots_free() < n || !is_within_pace(n)) {
		call_refuse(call, JSONRPC_BUSY, "try again in a moment",
		    "too many requests are under way");
		return;
	}
	if ((job = job_new(call)) == NULL) {
		call_refuse(call, JSONRPC_INTERNAL, "try again",
		    "the request was not made: memory is short");
		return;
	}
	job->left = n;
	for (i = 0; i < REQUESTS_MAX && sent < n; i++) {
		if (in_flight[i].id != 0)
			continue;
		last_id = last_id == UINT32_MAX ? 1 : last_id + 1;
		in_flight[i].id = last_id;
		in_flight[i].job = job;
		in_flight[i].until = clock_seconds() + REQUEST_SECONDS;
		parent_send(MSG_REQUEST, last_id, &r[sent++], sizeof(*r));
	}
	client_add_requests(call->client, 1);
	if (!event_pending(request_sweeper, EV_TIMEOUT, NULL))
		event_add(request_sweeper, &one_second);
}

/* {"offload":"tso-rx","enabled":false} becomes "offload":{"tso-rx":false} */
static void
job_merge(struct job *job, json_t *reply)
{
	json_t *name = json_object_get(reply, "offload");
	json_t *set = json_object_get(job->done, "offload");

	if (!json_is_string(name)) {
		json_object_update(job->done, reply);
		return;
	}
	json_object_set(
	    job->done, "interface", json_object_get(reply, "interface"));
	if (set == NULL) {
		set = json_object();
		json_object_set_new(job->done, "offload", set);
	}
	json_object_set(
	    set, json_string_value(name), json_object_get(reply, "enabled"));
}

static void
job_refuse(struct job *job, uint32_t status, json_t *reply)
{
	json_t *message = json_object_get(reply, "message");
	json_t *hint = json_object_get(reply, "hint");
	struct jsonrpc_error error;
	json_t *object;

	if (job->error != NULL)
		return;
	jsonrpc_fail(
	    &error, by_status[status].code, by_status[status].hint, "refused");
	job->error = jsonrpc_error(job->id, &error);
	object = json_object_get(job->error, "error");
	if (json_is_string(message))
		json_object_set(object, "message", message);
	if (json_is_string(hint))
		json_object_set(json_object_get(object, "data"), "hint", hint);
}

int
request_on_reply(uint32_t id, uint32_t status, const char *text)
{
	json_t *reply = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
	size_t i;

	if (!json_is_object(reply)) {
		json_decref(reply);
		return -1;
	}
	for (i = 0; i < REQUESTS_MAX; i++)
		if (id != 0 && in_flight[i].id == id)
			break;
	if (i == REQUESTS_MAX) {
		log_debug("a reply came to no request, or too late");
	} else {
		if (status == REPLY_OK)
			job_merge(in_flight[i].job, reply);
		else
			job_refuse(in_flight[i].job, status, reply);
		slot_finish(i);
	}
	json_decref(reply);
	return 0;
}

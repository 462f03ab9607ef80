#include "control/dispatch.h"

#include <string.h>

#include "control/call.h"
#include "control/client.h"
#include "control/methods.h"

static const struct method *
method_find(const char *name)
{
	const struct method *m;

	for (m = methods; m->name != NULL; m++)
		if (strcmp(m->name, name) == 0)
			return m;
	return NULL;
}

static const struct param *
param_find(const struct method *m, const char *name)
{
	const struct param *p;

	for (p = m->params; p->name != NULL; p++)
		if (strcmp(p->name, name) == 0)
			return p;
	return NULL;
}

static bool
type_fits(const struct param *p, const json_t *value)
{
	if (p->type == JSON_TRUE)
		return json_is_boolean(value);
	return json_typeof(value) == p->type;
}

/* 0, or -1 with what is wrong with the first bad parameter. */
static int
params_check(
    const struct method *m, json_t *params, struct jsonrpc_error *error)
{
	static const char hint[] = "the method \"methods\" lists them";
	const struct param *p;
	const char *key;
	json_t *value;

	json_object_foreach (params, key, value) {
		p = param_find(m, key);
		if (p != NULL && type_fits(p, value))
			continue;
		if (p != NULL)
			jsonrpc_fail(error, JSONRPC_INVALID_PARAMS, hint,
			    "parameter \"%s\" must be of type %s", p->name,
			    param_type_name(p));
		else
			jsonrpc_fail(error, JSONRPC_INVALID_PARAMS, hint,
			    "%s has no parameter \"%.64s\"", m->name, key);
		return -1;
	}
	for (p = m->params; p->name != NULL; p++) {
		if (!p->required || json_object_get(params, p->name) != NULL)
			continue;
		jsonrpc_fail(error, JSONRPC_INVALID_PARAMS, hint,
		    "parameter \"%s\" is missing", p->name);
		return -1;
	}
	return 0;
}

static int
permission_check(
    const struct method *m, const struct client *c, struct jsonrpc_error *error)
{
	if (!m->admin || client_is_admin(c))
		return 0;
	if (!client_is_root(c))
		jsonrpc_fail(error, JSONRPC_PERMISSION,
		    "run the command as root", "%s is for root alone", m->name);
	else
		jsonrpc_fail(error, JSONRPC_PERMISSION,
		    "use the socket that \"control\" names in tund.conf",
		    "%s is not served on the read-only socket", m->name);
	return -1;
}

static void
dispatch_request(struct client *c, const struct jsonrpc_request *r)
{
	struct call call = {.client = c, .id = r->id, .params = r->params};
	const struct method *m = method_find(r->method);
	struct jsonrpc_error error;

	if (m == NULL) {
		call_refuse(&call, JSONRPC_UNKNOWN_METHOD,
		    "the method \"methods\" lists them all",
		    "no method \"%.64s\"", r->method);
	} else if (permission_check(m, c, &error) == -1 ||
		   params_check(m, r->params, &error) == -1) {
		call_fail(&call, &error);
	} else {
		m->handler(&call);
	}
}

static bool
is_blank(const char *line, size_t len)
{
	while (len > 0 && strchr(" \t\r", line[len - 1]) != NULL &&
	       line[len - 1] != '\0')
		len--;
	return len == 0;
}

void
dispatch_line(struct client *c, const char *line, size_t len)
{
	struct jsonrpc_request r;
	struct jsonrpc_error error;

	if (is_blank(line, len))
		return;
	if (jsonrpc_read_request(line, len, &r, &error) == 0)
		dispatch_request(c, &r);
	else if (r.id != NULL || error.code != JSONRPC_INVALID_PARAMS)
		client_send(c, jsonrpc_error(r.id, &error));
	/* else a notification with bad parameters: never answered */
	jsonrpc_request_clear(&r);
}

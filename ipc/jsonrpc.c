#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ipc/jsonrpc.h"

static const struct {
	int code;
	const char *name;
} classes[] = {
    {JSONRPC_PARSE, "parse"},
    {JSONRPC_INVALID_REQUEST, "invalid-request"},
    {JSONRPC_UNKNOWN_METHOD, "unknown-method"},
    {JSONRPC_INVALID_PARAMS, "invalid-params"},
    {JSONRPC_INTERNAL, "internal"},
    {JSONRPC_PERMISSION, "permission"},
    {JSONRPC_REFUSED, "refused"},
    {JSONRPC_BUSY, "busy"},
    {JSONRPC_TOO_MANY, "too-many"},
    {JSONRPC_TOO_LONG, "too-long"},
    {JSONRPC_TOO_LARGE, "too-large"},
    {JSONRPC_TIMEOUT, "timeout"},
};

/* jansson quotes what it was given, which may be cut inside a character. */
static const struct {
	enum json_error_code code;
	const char *why;
} parse_errors[] = {
    {json_error_invalid_utf8, "bytes that are not UTF-8"},
    {json_error_premature_end_of_input, "it ends too soon"},
    {json_error_end_of_input_expected, "something follows the value"},
    {json_error_invalid_syntax, "a syntax error"},
    {json_error_duplicate_key, "a key stands twice in one object"},
    {json_error_numeric_overflow, "a number is too large"},
    {json_error_null_character, "a NUL character in a string"},
    {json_error_null_byte_in_key, "a NUL character in a key"},
    {json_error_stack_overflow, "nested too deeply"},
};

static const char parse_hint[] = "send one JSON object on one line, in UTF-8";

static void (*end_program)(void);

static void *
malloc_or_end(size_t size)
{
	void *p = malloc(size);

	if (p == NULL) {
		end_program();
		abort();
	}
	return p;
}

void
jsonrpc_init(void (*no_memory)(void))
{
	end_program = no_memory;
	json_set_alloc_funcs(malloc_or_end, free);
}

const char *
jsonrpc_class(int code)
{
	size_t i;

	for (i = 0; i < sizeof(classes) / sizeof(classes[0]); i++)
		if (classes[i].code == code)
			return classes[i].name;
	return "unknown";
}

void
jsonrpc_vfail(struct jsonrpc_error *error, int code, const char *hint,
    const char *fmt, va_list ap)
{
	char *p;

	error->code = code;
	error->hint = hint;
	vsnprintf(error->message, sizeof(error->message), fmt, ap);
	for (p = error->message; *p != '\0'; p++)
		if (*p < ' ' || *p > '~')
			*p = '?';
}

void
jsonrpc_fail(struct jsonrpc_error *error, int code, const char *hint,
    const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	jsonrpc_vfail(error, code, hint, fmt, ap);
	va_end(ap);
}

/* Brackets that are open at once, outside of strings. */
static size_t
json_depth(const char *s, size_t len)
{
	size_t i, depth = 0, deepest = 0;
	bool in_string = false;

	for (i = 0; i < len; i++) {
		if (in_string) {
			if (s[i] == '\\')
				i++;
			else if (s[i] == '"')
				in_string = false;
		} else if (s[i] == '"') {
			in_string = true;
		} else if (s[i] == '{' || s[i] == '[') {
			if (++depth > deepest)
				deepest = depth;
		} else if ((s[i] == '}' || s[i] == ']') && depth > 0) {
			depth--;
		}
	}
	return deepest;
}

static const char *
parse_why(enum json_error_code code)
{
	size_t i;

	for (i = 0; i < sizeof(parse_errors) / sizeof(parse_errors[0]); i++)
		if (parse_errors[i].code == code)
			return parse_errors[i].why;
	return "a syntax error";
}

/* The checks that a parser cannot make, then the parser. */
static json_t *
json_read(const char *line, size_t len, struct jsonrpc_error *error)
{
	json_error_t where;
	json_t *value;

	if (memchr(line, '\0', len) != NULL) {
		jsonrpc_fail(error, JSONRPC_PARSE, parse_hint,
		    "not JSON: a NUL byte in the line");
		return NULL;
	}
	if (json_depth(line, len) > JSONRPC_DEPTH) {
		jsonrpc_fail(error, JSONRPC_INVALID_REQUEST,
		    "no method needs more than three levels",
		    "nested more than %d levels deep", JSONRPC_DEPTH);
		return NULL;
	}
	value = json_loadb(
	    line, len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &where);
	if (value == NULL)
		jsonrpc_fail(error, JSONRPC_PARSE, parse_hint,
		    "not JSON: %s, at byte %d",
		    parse_why(json_error_code(&where)), where.position);
	return value;
}

static bool
id_is_legal(const json_t *id)
{
	return json_is_integer(id) || json_is_string(id) || json_is_null(id);
}

/* The first member of the object that a request does not have. */
static const char *
request_stranger(json_t *object)
{
	static const char *const known[] = {
	    "jsonrpc", "id", "method", "params"};
	const char *key;
	json_t *value;
	size_t i;

	json_object_foreach (object, key, value) {
		for (i = 0; i < sizeof(known) / sizeof(known[0]); i++)
			if (strcmp(key, known[i]) == 0)
				break;
		if (i == sizeof(known) / sizeof(known[0]))
			return key;
	}
	return NULL;
}

/* What is wrong with the request object, or NULL. */
static const char *
request_fault(const struct jsonrpc_request *r, const json_t *params)
{
	const char *version;

	version = json_string_value(json_object_get(r->object, "jsonrpc"));
	if (version == NULL || strcmp(version, "2.0") != 0)
		return "\"jsonrpc\" must be \"2.0\"";
	if (r->method == NULL)
		return "\"method\" must be a string";
	if (params != NULL && !json_is_object(params) && !json_is_array(params))
		return "\"params\" must be an object";
	return NULL;
}

int
jsonrpc_read_request(const char *line, size_t len, struct jsonrpc_request *r,
    struct jsonrpc_error *error)
{
	static const char hint[] = "a request is {\"jsonrpc\":\"2.0\","
				   "\"id\":1,\"method\":\"status\"}";
	const char *fault;
	json_t *id;

	memset(r, 0, sizeof(*r));
	if ((r->object = json_read(line, len, error)) == NULL)
		return -1;
	if (!json_is_object(r->object)) {
		jsonrpc_fail(error, JSONRPC_INVALID_REQUEST,
		    "send one request object on each line", "%s",
		    json_is_array(r->object) ? "batches are not served"
					     : "a request is an object");
		return -1;
	}
	id = json_object_get(r->object, "id");
	if (id != NULL && !id_is_legal(id)) {
		jsonrpc_fail(error, JSONRPC_INVALID_REQUEST, hint,
		    "\"id\" must be an integer, a string or null");
		return -1;
	}
	r->id = id;
	r->method = json_string_value(json_object_get(r->object, "method"));
	r->params = json_object_get(r->object, "params");
	if ((fault = request_fault(r, r->params)) != NULL) {
		jsonrpc_fail(error, JSONRPC_INVALID_REQUEST, hint, "%s", fault);
		return -1;
	}
	if ((fault = request_stranger(r->object)) != NULL) {
		jsonrpc_fail(error, JSONRPC_INVALID_REQUEST, hint,
		    "a request has no member \"%.64s\"", fault);
		return -1;
	}
	if (json_is_array(r->params)) {
		jsonrpc_fail(error, JSONRPC_INVALID_PARAMS,
		    "name each parameter: {\"interface\":\"tun0\"}",
		    "parameters by position are not served");
		return -1;
	}
	return 0;
}

void
jsonrpc_request_clear(struct jsonrpc_request *r)
{
	json_decref(r->object);
	memset(r, 0, sizeof(*r));
}

static const char *
string_or(const json_t *object, const char *key, const char *otherwise)
{
	const char *s = json_string_value(json_object_get(object, key));

	return s != NULL ? s : otherwise;
}

static int
message_take(struct jsonrpc_message *m)
{
	json_t *error, *data, *code;

	m->result = json_object_get(m->object, "result");
	m->method = json_string_value(json_object_get(m->object, "method"));
	m->params = json_object_get(m->object, "params");
	if (m->result != NULL)
		return 0;
	if (m->method != NULL)
		return json_is_object(m->params) ? 0 : -1;
	error = json_object_get(m->object, "error");
	code = json_object_get(error, "code");
	if (json_integer_value(code) == 0)
		return -1;
	data = json_object_get(error, "data");
	m->code = (int)json_integer_value(code);
	m->text = string_or(error, "message", "no message");
	m->class = string_or(data, "class", jsonrpc_class(m->code));
	m->hint = string_or(data, "hint", "");
	return 0;
}

int
jsonrpc_read_message(const char *line, size_t len, struct jsonrpc_message *m)
{
	struct jsonrpc_error error;

	memset(m, 0, sizeof(*m));
	m->object = json_read(line, len, &error);
	if (m->object != NULL && json_is_object(m->object) &&
	    message_take(m) == 0)
		return 0;
	jsonrpc_message_clear(m);
	return -1;
}

void
jsonrpc_message_clear(struct jsonrpc_message *m)
{
	json_decref(m->object);
	memset(m, 0, sizeof(*m));
}

json_t *
jsonrpc_call(const char *method, json_t *params, int id)
{
	if (params == NULL)
		return json_pack("{s:s, s:i, s:s}", "jsonrpc", "2.0", "id", id,
		    "method", method);
	return json_pack("{s:s, s:i, s:s, s:o}", "jsonrpc", "2.0", "id", id,
	    "method", method, "params", params);
}

json_t *
jsonrpc_result(json_t *id, json_t *result)
{
	return json_pack(
	    "{s:s, s:O?, s:o?}", "jsonrpc", "2.0", "id", id, "result", result);
}

json_t *
jsonrpc_error(json_t *id, const struct jsonrpc_error *error)
{
	return json_pack("{s:s, s:O?, s:{s:i, s:s, s:{s:s, s:s}}}", "jsonrpc",
	    "2.0", "id", id, "error", "code", error->code, "message",
	    error->message, "data", "class", jsonrpc_class(error->code), "hint",
	    error->hint);
}

json_t *
jsonrpc_notification(const char *method, json_t *params)
{
	return json_pack("{s:s, s:s, s:o?}", "jsonrpc", "2.0", "method", method,
	    "params", params);
}

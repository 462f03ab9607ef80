#include <stdlib.h>
#include <string.h>

#include "ctl/change.h"
#include "ctl/table.h"
#include "ctl/text.h"
#include "ipc/limits.h"

json_t *
params_made(json_t *params)
{
	if (params == NULL)
		complain("an argument is not UTF-8");
	return params;
}

json_t *
params_reload(const struct ctl *ctl)
{
	return params_made(json_pack("{s:b}", "dry_run", ctl->dry_run));
}

json_t *
params_log(const struct ctl *ctl)
{
	return params_made(json_pack(
	    "{s:s, s:s}", "process", ctl->args[0], "level", ctl->args[1]));
}

static json_t *
params_set_mtu(const struct ctl *ctl)
{
	const char *error;
	long long mtu;

	if (ctl->nargs != 3) {
		complain("set %s mtu takes one number, as in \"set %s mtu "
			 "1400\"",
		    ctl->args[0], ctl->args[0]);
		return NULL;
	}
	mtu = strtonum(ctl->args[2], MTU_MIN, MTU_MAX, &error);
	if (error != NULL) {
		complain("mtu %s is %s; give bytes from %d to %d", ctl->args[2],
		    error, MTU_MIN, MTU_MAX);
		return NULL;
	}
	return params_made(json_pack(
	    "{s:s, s:I}", "interface", ctl->args[0], "mtu", (json_int_t)mtu));
}

static json_t *
params_set_offload(const struct ctl *ctl)
{
	const char *state = ctl->nargs == 4 ? ctl->args[3] : "";
	int on = strcmp(state, "on") == 0;

	if (!on && strcmp(state, "off") != 0) {
		complain("set %s offload takes a name, then on or off, as in "
			 "\"set %s offload gro off\"",
		    ctl->args[0], ctl->args[0]);
		return NULL;
	}
	return params_made(json_pack("{s:s, s:{s:b}}", "interface",
	    ctl->args[0], "offload", ctl->args[2], on));
}

json_t *
params_set(const struct ctl *ctl)
{
	if (strcmp(ctl->args[1], "mtu") == 0)
		return params_set_mtu(ctl);
	if (strcmp(ctl->args[1], "offload") == 0)
		return params_set_offload(ctl);
	complain("nothing to set by the name \"%s\"; there are mtu and "
		 "offload",
	    ctl->args[1]);
	return NULL;
}

static void
say_each(const json_t *sentences)
{
	char buf[TEXT_CELL];
	size_t i;

	for (i = 0; i < json_array_size(sentences); i++)
		say("%s", text_value(json_array_get(sentences, i), buf));
}

void
show_reload(const struct ctl *ctl, const json_t *result)
{
	const json_t *changes = json_at(result, "changes");
	char buf[TEXT_CELL];

	if (json_array_size(changes) == 0)
		say("no difference");
	say_each(changes);
	say_each(json_at(result, "not_aimed"));
	say("generation %s %s in force",
	    text_value(json_at(result, "generation"), buf),
	    ctl->dry_run ? "stays" : "is");
}

void
show_set(const struct ctl *ctl, const json_t *result)
{
	const json_t *mtu = json_at(result, "mtu_bytes");
	json_t *offloads = json_object_get(result, "offload"), *value;
	char buf[TEXT_CELL];
	const char *name;

	if (mtu != NULL)
		say("%s: mtu %s", ctl->args[0], text_value(mtu, buf));
	json_object_foreach (offloads, name, value)
		say("%s: %s %s", ctl->args[0], name,
		    json_is_true(value) ? "on" : "off");
}

void
show_log(const struct ctl *ctl, const json_t *result)
{
	char process[TEXT_CELL], level[TEXT_CELL];

	(void)ctl;
	say("%s: log %s", text_value(json_at(result, "process"), process),
	    text_value(json_at(result, "level"), level));
}

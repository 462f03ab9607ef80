#include "config.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/descriptors.h"
#include "ctl/change.h"
#include "ctl/client.h"
#include "ctl/ctl.h"
#include "ctl/memory.h"
#include "ctl/show.h"
#include "ctl/text.h"
#include "ctl/watch.h"
#include "ipc/jsonrpc.h"

static json_t *
params_interface(const struct ctl *ctl)
{
	if (ctl->nargs == 0)
		return json_object();
	return params_made(json_pack("{s:s}", "interface", ctl->args[0]));
}

static json_t *
params_peers(const struct ctl *ctl)
{
	if (ctl->nargs < 2)
		return params_interface(ctl);
	return params_made(json_pack(
	    "{s:s, s:s}", "interface", ctl->args[0], "peer", ctl->args[1]));
}

/* The table needs units and help, which the JSON has with -a alone. */
static json_t *
params_stats(const struct ctl *ctl)
{
	json_t *params = params_interface(ctl);

	if (params != NULL && (!ctl->json || ctl->all))
		json_object_set_new(params, "describe", json_true());
	return params;
}

#define IF "[interface]"
#define PEER "[interface [peer]]"
#define SET "interface mtu number | interface offload name on|off"
#define LOG "tund|tund-worker|tund-control error|warn|info|debug"
static const struct verb verbs[] = {
    {"status", "", "processes, interfaces, traffic", "", false, 0, 0, "status",
	NULL, show_status, NULL},
    {"interfaces", IF, "interfaces in full", "", false, 0, 1, "interfaces",
	params_interface, show_interfaces, NULL},
    {"peers", PEER, "peers with their traffic", "", false, 0, 2, "peers",
	params_peers, show_peers, NULL},
    {"stats", "[-a] " IF, "counters; -a: also zeros; with -j: their units", "a",
	false, 0, 1, "stats", params_stats, show_stats, NULL},
    {"offload", IF, "offloads: asked, granted, enabled, used", "", false, 0, 1,
	"offload", params_interface, show_offload, NULL},
    {"sandbox", "", "sandbox layers of every process", "", false, 0, 0,
	"sandbox", NULL, show_sandbox, NULL},
    {"events", "[-n count]", "events as they come", "n:", false, 0, 0,
	"subscribe", NULL, NULL, watch_events},
    {"reload", "[-n]", "apply the configuration; -n: say what would change",
	"n", true, 0, 0, "reload", params_reload, show_reload, NULL},
    {"set", SET, "change an interface while it runs", "", true, 3, 4, "set",
	params_set, show_set, NULL},
    {"log", LOG, "change what a process logs", "", true, 2, 2, "log",
	params_log, show_log, NULL},
    {"version", "", "versions of tund and tundctl", "", false, 0, 0, "version",
	NULL, show_version, NULL},
    {"methods", "", "methods of the control socket", "", false, 0, 0, "methods",
	NULL, show_methods, NULL},
    {0},
};

static void __attribute__((noreturn)) usage(void)
{
	const struct verb *v;

	fputs("usage: tundctl [-jV] [-s socket] verb [argument ...]\nverbs:\n",
	    stderr);
	for (v = verbs; v->name != NULL; v++)
		fprintf(stderr, "  %s%s%s\n      %s\n", v->name,
		    v->usage[0] == '\0' ? "" : " ", v->usage, v->help);
	exit(CTL_USAGE);
}

/* The verb of that name, or the only one that begins so. */
static const struct verb *
verb_find(const char *name)
{
	const struct verb *v, *found = NULL;
	size_t n = strlen(name);
	int matches = 0;

	for (v = verbs; v->name != NULL; v++) {
		if (strcmp(v->name, name) == 0)
			return v;
		if (strncmp(v->name, name, n) == 0) {
			found = v;
			matches++;
		}
	}
	return n > 0 && matches == 1 ? found : NULL;
}

/* Those that begin so, with commas. */
static void
verbs_list(const char *beginning, char *list, size_t size)
{
	const struct verb *v;

	list[0] = '\0';
	for (v = verbs; v->name != NULL; v++) {
		if (strncmp(v->name, beginning, strlen(beginning)) != 0)
			continue;
		strlcat(list, list[0] == '\0' ? "" : ", ", size);
		strlcat(list, v->name, size);
	}
}

static void __attribute__((noreturn)) verb_unknown(const char *name)
{
	char list[512];

	verbs_list(name, list, sizeof(list));
	if (list[0] != '\0') {
		complain(
		    "\"%s\" begins several verbs; write one of %s", name, list);
	} else {
		verbs_list("", list, sizeof(list));
		complain("no verb \"%s\"; there are %s", name, list);
	}
	exit(CTL_USAGE);
}

/* What is wrong, then how it is written: of a verb, or of tundctl (NULL). */
static void __attribute__((noreturn, format(printf, 2, 3)))
misused(const struct verb *v, const char *fmt, ...)
{
	char what[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	complain("%s; usage: tundctl [-j] [-s socket] %s%s%s", what,
	    v == NULL ? "verb" : v->name,
	    v != NULL && v->usage[0] == '\0' ? "" : " ",
	    v == NULL ? "[argument ...]; tundctl alone lists the verbs"
		      : v->usage);
	exit(CTL_USAGE);
}

/* After getopt has returned that for an option. */
static void __attribute__((noreturn))
option_misused(const struct verb *v, int option)
{
	const char *of = v == NULL ? "" : " of ";

	if (optopt == '-')
		misused(v, "there are no options that begin with \"--\"");
	misused(v,
	    option == ':' ? "option \"-%c\"%s%s needs a value"
			  : "there is no option \"-%c\"%s%s",
	    optopt, of, v == NULL ? "" : v->name);
}

static void
verb_option(struct ctl *ctl, const struct verb *v, int option)
{
	const char *error;

	switch (option) {
	case 'j':
		ctl->json = true;
		break;
	case 'a':
		ctl->all = true;
		break;
	case 'n':
		ctl->dry_run = true;
		if (optarg == NULL)
			break;
		ctl->count = strtonum(optarg, 1, 1LL << 40, &error);
		if (error == NULL)
			break;
		complain("count %s is %s; give a number from 1", optarg, error);
		exit(CTL_USAGE);
	default:
		option_misused(v, option);
	}
}

/* Options of the verb, then its arguments; argv[0] is the verb. */
static void
verb_options(struct ctl *ctl, const struct verb *v, int argc, char *argv[])
{
	char options[16];
	int option;

	snprintf(options, sizeof(options), "+:j%s", v->options);
	optind = 0;
	while ((option = getopt(argc, argv, options)) != -1)
		verb_option(ctl, v, option);
	ctl->nargs = argc - optind;
	ctl->args = (const char *const *)(argv + optind);
	if (ctl->nargs < v->min_args)
		misused(v, "%s needs more arguments", v->name);
	if (ctl->nargs > v->max_args)
		misused(v, "\"%s\" is too much for %s", ctl->args[v->max_args],
		    v->name);
}

static enum ctl_exit
output_failed(void)
{
	complain("standard output cannot be written: %s", strerror(errno));
	return CTL_REFUSED;
}

static enum ctl_exit
output_end(void)
{
	return fflush(stdout) == 0 && !ferror(stdout) ? CTL_OK
						      : output_failed();
}

static enum ctl_exit
verb_show(const struct ctl *ctl, const struct verb *v, const json_t *result)
{
	if (!ctl->json)
		v->print(ctl, result);
	else if (say_json(result) == -1)
		return output_failed();
	return output_end();
}

static enum ctl_exit
verb_run(const struct ctl *ctl, const struct verb *v)
{
	struct jsonrpc_message m;
	struct client *c;
	json_t *params = NULL;
	enum ctl_exit r;

	if (v->run != NULL)
		return v->run(ctl);
	if (v->params != NULL && (params = v->params(ctl)) == NULL)
		return CTL_USAGE;
	if ((r = client_open(ctl->socket, v->admin, &c)) != CTL_OK) {
		json_decref(params);
		return r;
	}
	if ((r = client_call(c, v->method, params, &m)) == CTL_OK) {
		r = verb_show(ctl, v, m.result);
		jsonrpc_message_clear(&m);
	}
	client_close(c);
	return r;
}

static void __attribute__((noreturn)) version_own(void)
{
	printf("tundctl %s\n", PACKAGE_VERSION);
	exit((int)output_end());
}

int
main(int argc, char *argv[])
{
	struct ctl ctl = {.socket = TUND_RUNTIMEDIR "/tund.sock"};
	const struct verb *v;
	int option;

	descriptors_fill();
	jsonrpc_init(no_memory);
	while ((option = getopt(argc, argv, "+:js:V")) != -1) {
		if (option == 'j')
			ctl.json = true;
		else if (option == 'V')
			version_own();
		else if (option == 's' && optarg[0] == '\0')
			misused(NULL, "the path behind -s is empty");
		else if (option == 's')
			ctl.socket = optarg;
		else
			option_misused(NULL, option);
	}
	if (optind == argc)
		usage();
	if ((v = verb_find(argv[optind])) == NULL)
		verb_unknown(argv[optind]);
	verb_options(&ctl, v, argc - optind, argv + optind);
	return (int)verb_run(&ctl, v);
}

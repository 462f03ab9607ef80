/*
 * Checks a configuration as "tund -n" does, without the daemon around it:
 * conf_check [-nv] [-D name=value] -f file
 */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "privsep/conf.h"

#define MACROS_MAX 16

static void
print_error(const char *message, void *arg)
{
	(void)arg;
	fprintf(stderr, "%s\n", message);
}

static void __attribute__((noreturn)) usage(void)
{
	fprintf(stderr, "usage: conf_check [-nv] [-D name=value] -f file\n");
	exit(2);
}

static void
add_macro(struct conf_macro *macros, size_t *count, char *arg)
{
	char *value;

	if (*count == MACROS_MAX || (value = strchr(arg, '=')) == NULL)
		usage();
	*value++ = '\0';
	macros[*count].name = arg;
	macros[(*count)++].value = value;
}

int
main(int argc, char *argv[])
{
	struct conf_macro macros[MACROS_MAX];
	const char *path = NULL;
	size_t count = 0;
	struct conf *conf;
	int c, verbose = 0;

	while ((c = getopt(argc, argv, "D:f:nv")) != -1) {
		switch (c) {
		case 'D':
			add_macro(macros, &count, optarg);
			break;
		case 'f':
			path = optarg;
			break;
		case 'n':
			break;
		case 'v':
			verbose = 1;
			break;
		default:
			usage();
		}
	}
	if (path == NULL || optind != argc)
		usage();
	if ((conf = conf_parse(path, macros, count, print_error, NULL)) == NULL)
		return 1;
	if (verbose)
		conf_print(conf, stdout);
	conf_free(conf);
	return 0;
}

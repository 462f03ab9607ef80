#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config.h"

#include "privsep/options.h"

#define USAGE                                            \
	"usage: tund [-dnVv] [-D name=value] [-f file] " \
	"[-x directory]"

static void
add_macro(struct options *o, char *text)
{
	char *value = strchr(text, '=');

	if (value == NULL || value == text)
		errx(2, "-D %s: write it as name=value", text);
	if (o->macro_count == OPTIONS_MACROS)
		errx(2, "-D %s: more than %d; put it into the file", text,
		    OPTIONS_MACROS);
	*value++ = '\0';
	o->macros[o->macro_count++] = (struct conf_macro){text, value};
}

void
options_parse(int argc, char **argv, struct options *o)
{
	int ch;

	*o = (struct options){.path = TUND_SYSCONFDIR "/tund/tund.conf",
	    .libexec = TUND_LIBEXECDIR};
	while ((ch = getopt(argc, argv, ":D:df:nVvx:")) != -1) {
		switch (ch) {
		case 'D':
			add_macro(o, optarg);
			break;
		case 'd':
			o->foreground = true;
			break;
		case 'f':
			if (*optarg == '\0')
				errx(2, "-f: an empty name; name the file");
			o->path = optarg;
			break;
		case 'n':
			o->check = true;
			break;
		case 'v':
			o->verbose++;
			break;
		case 'x':
			o->libexec = optarg;
			break;
		case 'V':
			printf("tund %s\n", PACKAGE_VERSION);
			exit(fflush(stdout) == 0 ? 0 : 1);
		case ':':
			errx(2, "option \"-%c\" needs a value; " USAGE, optopt);
		default:
			errx(2, "there is no option \"-%c\"; " USAGE, optopt);
		}
	}
	if (optind != argc)
		errx(2, "%s: not an option; name a configuration with -f",
		    argv[optind]);
}

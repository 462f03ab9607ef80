/*
 * libFuzzer on the configuration parser.  What parses must print, and the
 * print must parse again and print the same.
 */
#include <sys/mman.h>
#include <sys/stat.h>

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "privsep/conf.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
count_error(const char *message, void *arg)
{
	*(size_t *)arg += strlen(message);
}

/* Parses bytes as if they were a file of ours. */
static struct conf *
parse_bytes(const void *data, size_t size)
{
	const struct conf_macro macros[] = {{"d", "tun1"}, {"e", "{ a, \"b"}};
	struct conf *conf = NULL;
	size_t errors = 0;
	char path[64];
	int fd;

	if ((fd = memfd_create("fuzz", MFD_CLOEXEC)) == -1)
		abort();
	if (fchmod(fd, 0600) == -1 || write(fd, data, size) != (ssize_t)size)
		abort();
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	conf = conf_parse(path, macros, 2, count_error, &errors);
	close(fd);
	if ((conf == NULL) != (errors > 0))
		abort();
	return conf;
}

static char *
print_text(const struct conf *conf, size_t *size)
{
	char *text = NULL;
	FILE *f;

	if ((f = open_memstream(&text, size)) == NULL)
		abort();
	conf_print(conf, f);
	if (fclose(f) != 0)
		abort();
	return text;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *first, *second;
	size_t first_size, second_size;
	struct conf *conf;

	if ((conf = parse_bytes(data, size)) == NULL)
		return 0;
	first = print_text(conf, &first_size);
	conf_free(conf);
	if ((conf = parse_bytes(first, first_size)) == NULL)
		abort();
	second = print_text(conf, &second_size);
	conf_free(conf);
	if (first_size != second_size || memcmp(first, second, first_size) != 0)
		abort();
	free(first);
	free(second);
	return 0;
}

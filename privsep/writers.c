#include <sys/stat.h>

#include <libgen.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "privsep/writers.h"

static bool
others_may_write(const struct stat *st)
{
	mode_t others = S_IWOTH | (st->st_gid == 0 ? 0 : S_IWGRP);

	return (st->st_uid != 0 && st->st_uid != geteuid()) ||
	       ((st->st_mode & others) != 0 && (st->st_mode & S_ISVTX) == 0);
}

const char *
writers_directory(const char *path, char buf[PATH_MAX])
{
	char copy[PATH_MAX];
	struct stat st;

	if (strlcpy(copy, path, sizeof(copy)) >= sizeof(copy) ||
	    realpath(dirname(copy), buf) == NULL)
		return NULL;
	for (;;) {
		if (stat(buf, &st) == 0 && others_may_write(&st))
			return buf;
		if (strcmp(buf, "/") == 0)
			return NULL;
		dirname(buf); /* in place: the path is absolute */
	}
}

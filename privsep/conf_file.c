#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/why.h"
#include "privsep/conf_file.h"
#include "privsep/conf_text.h"
#include "privsep/writers.h"

#define FILE_SIZE_MAX (16 << 20) /* bytes */

/* The first file is wrong as a whole, one that is included where it is. */
static void
file_refuse(struct conf_errors *errors, struct conf_where from,
    const char *path, const char *why)
{
	struct conf_where whole = {.file = path};

	if (from.file == NULL)
		conf_error(errors, whole, "%s", why);
	else
		conf_error(errors, from, "include \"%s\": %s", path, why);
}

static const char *
open_remedy(int error, bool included)
{
	if (error == EMFILE) /* why_errno has it */
		return "";
	if (error == EACCES && geteuid() == 0)
		return "; it and its directories must be root's: tund has no "
		       "capability to read those of others";
	if (error == EACCES)
		return "; run tund as root, or make it readable";
	if (error != ENOENT)
		return included ? "; correct the name"
				: "; name another with tund -f";
	return included ? "; make it, or correct the name"
			: "; make it, or name another with tund -f";
}

static void
file_refuse_errno(struct conf_errors *errors, struct conf_where from,
    const char *path, int error)
{
	char why[256];

	snprintf(why, sizeof(why), "%s%s", why_errno(error),
	    open_remedy(error, from.file != NULL));
	file_refuse(errors, from, path, why);
}

/* Where the name lies, and where it leads as a link. */
static const char *
file_writable(const char *path, char buf[PATH_MAX])
{
	char end[PATH_MAX];
	const char *found = writers_directory(path, buf);

	if (found != NULL || realpath(path, end) == NULL)
		return found;
	return writers_directory(end, buf);
}

static bool
file_is_safe(struct conf_errors *errors, struct conf_where from,
    const char *path, const struct stat *st)
{
	char why[768], buf[PATH_MAX];
	const char *others;

	if (!S_ISREG(st->st_mode))
		snprintf(why, sizeof(why), "not a regular file; name one%s",
		    from.file == NULL ? " with tund -f" : "");
	else if (st->st_uid != 0 && st->st_uid != geteuid())
		snprintf(why, sizeof(why),
		    "owned by uid %u, who is neither root nor the current "
		    "user; run chown root %s",
		    (unsigned int)st->st_uid, path);
	else if ((st->st_mode & (S_IWGRP | S_IWOTH)) != 0)
		snprintf(why, sizeof(why), "writable by %s; run chmod go-w %s",
		    (st->st_mode & S_IWOTH) ? "everyone" : "its group", path);
	else if (st->st_size > FILE_SIZE_MAX)
		snprintf(why, sizeof(why),
		    "larger than %d bytes; split it with include",
		    FILE_SIZE_MAX);
	else if ((others = file_writable(path, buf)) != NULL)
		snprintf(why, sizeof(why),
		    "users other than root may write to %.512s, and put "
		    "another file there; let root own it, and chmod go-w",
		    others);
	else
		return true;
	file_refuse(errors, from, path, why);
	return false;
}

/* Reads at most size bytes, which is what fstat promised. */
static ssize_t
file_fill(int fd, char *data, size_t size)
{
	size_t len = 0;
	ssize_t n;

	while (len < size) {
		n = read(fd, data + len, size - len);
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			return -1;
		if (n == 0)
			break;
		len += (size_t)n;
	}
	return (ssize_t)len;
}

static int
file_load(struct conf_errors *errors, struct conf_where from, const char *path,
    int fd, struct conf_file *file)
{
	struct stat st;
	char *data;
	ssize_t n;

	if (fstat(fd, &st) == -1) {
		file_refuse_errno(errors, from, path, errno);
		return -1;
	}
	if (!file_is_safe(errors, from, path, &st))
		return -1;
	data = conf_alloc((size_t)st.st_size + 1);
	if ((n = file_fill(fd, data, (size_t)st.st_size)) == -1) {
		file_refuse_errno(errors, from, path, errno);
		free(data);
		return -1;
	}
	*file = (struct conf_file){
	    .data = data, .len = (size_t)n, .dev = st.st_dev, .ino = st.st_ino};
	return 0;
}

int
conf_file_read(struct conf_errors *errors, struct conf_where from,
    const char *path, struct conf_file *file)
{
	int fd, result;

	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd == -1) {
		file_refuse_errno(errors, from, path, errno);
		return -1;
	}
	result = file_load(errors, from, path, fd, file);
	close(fd);
	return result;
}

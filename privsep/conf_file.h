#ifndef PRIVSEP_CONF_FILE_H
#define PRIVSEP_CONF_FILE_H

#include <sys/types.h>

#include <stddef.h>

#include "privsep/conf_error.h"

/*
 * The files of the configuration, each read into memory as a whole.  Who may
 * write to one may start what root starts: one that others can change, or put
 * another in the place of, is refused.
 */
struct conf_file {
	char *data; /* the caller's to free */
	size_t len;
	dev_t dev; /* with ino, which file it is */
	ino_t ino;
};

/*
 * 0, or -1 after it reported why the file is not read.  from is the include
 * statement, or has no file.
 */
int conf_file_read(struct conf_errors *, struct conf_where from,
    const char *path, struct conf_file *);

#endif

#ifndef PRIVSEP_START_H
#define PRIVSEP_START_H

#include <sys/types.h>

struct conf;

/*
 * What the system must give before anything is made.  Each ends the process
 * with a line that tells what to do.
 */

/*
 * Closes what the starter left open beside 0 to 2 and each `device fd`: while
 * nothing of ours is open.
 */
void start_close_strays(const struct conf *conf);
/* Root, and the capabilities that stay. */
void start_need_privilege(const struct conf *);
/* For a check: warns of users that this host does not have. */
void start_warn_users(const struct conf *conf);
void start_find_user(const char *name, uid_t *uid, gid_t *gid);
/*
 * Each peer is a socket, each worker holds them all.  A worker may ask for the
 * lowest real-time priority (sched-policy rr) before it gives up this right.
 */
void start_raise_limits(void);
void start_make_empty_root(void);
/*
 * Follows the links of the directory of the children's programs into buf, of
 * PATH_MAX bytes, and sees that they are there: better to say so now than to
 * try again for ever.  Returns buf.
 */
const char *start_find_executables(const char *directory, char *buf);

#endif

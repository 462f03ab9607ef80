#ifndef CTL_CHANGE_H
#define CTL_CHANGE_H

#include "ctl/ctl.h"

/*
 * The verbs that change something: parameters, which are the caller's, and the
 * result as lines.  NULL after the reason was printed.
 */

/* Of what json_pack() made, or could not make, of the arguments of any verb. */
json_t *params_made(json_t *);
json_t *params_reload(const struct ctl *);
json_t *params_set(const struct ctl *);
json_t *params_log(const struct ctl *);
void show_reload(const struct ctl *, const json_t *);
void show_set(const struct ctl *, const json_t *);
void show_log(const struct ctl *, const json_t *);

#endif

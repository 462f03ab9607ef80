#ifndef CTL_SHOW_H
#define CTL_SHOW_H

#include "ctl/ctl.h"

/* How the results of the reading verbs look. */
void show_version(const struct ctl *, const json_t *);
void show_methods(const struct ctl *, const json_t *);
void show_status(const struct ctl *, const json_t *);
void show_interfaces(const struct ctl *, const json_t *);
void show_peers(const struct ctl *, const json_t *);
void show_stats(const struct ctl *, const json_t *);
void show_offload(const struct ctl *, const json_t *);
void show_sandbox(const struct ctl *, const json_t *);

#endif

#ifndef CTL_WATCH_H
#define CTL_WATCH_H

#include "ctl/ctl.h"

/* Prints events until SIGINT, or until there were enough. */
enum ctl_exit watch_events(const struct ctl *);

#endif

#ifndef TESTS_FAKE_CLOCK_H
#define TESTS_FAKE_CLOCK_H

#include <time.h>

/* What clock_seconds() says in a program linked with --wrap=clock_seconds. */
extern time_t fake_now;

#endif

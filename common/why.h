#ifndef COMMON_WHY_H
#define COMMON_WHY_H

#include <stdbool.h>

/*
 * Why something failed and what to do about it: a line for the log or an
 * answer, set by the function that returns -1.
 */
struct why {
	char text[512];
};

/* Returns -1, for who returns that, too. */
int why_set(struct why *, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Is now another reason than what was told?  Then it is what was told. */
bool why_is_news(struct why *told, const struct why *now);

/* The text of an errno, with the remedy where every cause has the same. */
const char *why_errno(int error);

#endif

#ifndef PRIVSEP_RELOAD_REPORT_H
#define PRIVSEP_RELOAD_REPORT_H

#include <jansson.h>
#include <stdbool.h>

#include "common/why.h"

struct daemon;

/*
 * What is said of a reload: in the log, as events, in the answer to who asked
 * for it.  Who may ask decides how often, so that the log takes no more of it
 * than log_limit lets pass.
 */

/* Why there was none. */
struct refusal {
	struct why why;	     /* the first error */
	unsigned int errors; /* of the file, each of them logged */
	bool lost;	     /* an interface could not be put back yet */
};

/* An error of the file, in the log and as the reason if it is the first. */
void reload_report_error(struct refusal *, const char *message);
/* What a reload that goes on could not do. */
void reload_report_warning(const char *message);
/*
 * Each logs, publishes an event unless dry, and returns the answer, which is
 * the caller's.  changes: an array of sentences.
 */
json_t *reload_report_refused(
    struct daemon *, const struct refusal *, bool dry);
json_t *reload_report_done(struct daemon *, json_t *changes, bool dry);

#endif

#ifndef TESTS_PIPELINE_H
#define TESTS_PIPELINE_H

#include "tests/packets.h"

/*
 * The worker's modules, called in the order in which its two pipelines call
 * them.  They are given all of it twice: where it ends, and where it begins, at
 * a guard page.
 *
 * NULL, or what is wrong with what they did, which no input may bring about.
 */

/* The packets of one frame from the tun; *dropped: why not, or NULL. */
const char *pipeline_split(const uint8_t *frame, size_t len,
    struct list *packets, const char **dropped);

/*
 * The frames to be written to the tun for one burst.  dropped is called for
 * each packet that gives none; it may be NULL.
 */
typedef void pipeline_on_drop(const char *reason);
const char *pipeline_coalesce(
    const struct list *burst, struct list *frames, pipeline_on_drop *dropped);

#endif

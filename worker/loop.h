#ifndef WORKER_LOOP_H
#define WORKER_LOOP_H

struct moderation;
struct worker;

/* Registers all that the worker waits for; no memory is taken later. */
void loop_init(struct worker *);
/*
 * Runs both pipelines while there is work, listens to the parent between, and
 * sleeps when nothing is left.
 */
void loop_run(struct worker *, struct moderation *) __attribute__((noreturn));

#endif

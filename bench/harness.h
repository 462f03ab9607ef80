#ifndef BENCH_HARNESS_H
#define BENCH_HARNESS_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/*
 * Measures a piece of work against memcpy of as many bytes.  Both take turns
 * within a round, so that whatever disturbs the machine disturbs both; a round
 * gives one ratio, and what is printed is the median of all rounds.
 */
struct measurement {
	const char *name;
	/* Does the work reps times. */
	void (*run)(void *arg, size_t reps);
	void *arg;
	size_t bytes; /* of the memcpy beside it; 0: none, nanoseconds only */
	size_t units; /* things done in one rep; time is told for one, 0: 1 */
	double goal;  /* the ratio to reach; 0: none */
};

struct quantiles {
	double low, median, high; /* 10, 50 and 90 per cent */
};

struct result {
	struct quantiles time;	/* nanoseconds of one unit */
	struct quantiles copy;	/* nanoseconds of the memcpy */
	struct quantiles ratio; /* time to copy */
};

/* Pins the process to a CPU; -1: to the last one that it may use. */
int harness_pin(int cpu);
void harness_measure(
    const struct measurement *, size_t rounds, struct result *);

/* The table for eyes, and the JSON beside it (may be NULL). */
void harness_begin(FILE *json);
void harness_print(
    FILE *json, const struct measurement *, const struct result *);
/* Goals missed. */
size_t harness_end(FILE *json);

#endif

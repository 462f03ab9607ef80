#include <err.h>
#include <sched.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench/harness.h"

/*
 * A sample is as many repetitions as fit this time: long enough that reading
 * the clock (25 ns) does not show, short enough that few samples are cut by
 * the scheduler's tick.
 */
#define SAMPLE_NS 40000
#define COPY_MAX ((size_t)256 * 1024)

/*
 * The buffers of the memcpy lie half a page apart: at the same offset of a page
 * each store would look like the load that follows it, and a copy of 64 KiB
 * would take longer than it has to.
 */
static uint8_t copy_from[COPY_MAX] __attribute__((aligned(4096)));
static uint8_t copy_room[COPY_MAX + 2048] __attribute__((aligned(4096)));

static size_t missed, printed;

int
harness_pin(int cpu)
{
	cpu_set_t may, set;
	int i;

	if (sched_getaffinity(0, sizeof(may), &may) == -1)
		err(1, "sched_getaffinity");
	for (i = 0; cpu == -1 && i < CPU_SETSIZE; i++)
		if (CPU_ISSET(CPU_SETSIZE - 1 - i, &may))
			cpu = CPU_SETSIZE - 1 - i;
	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set) == -1)
		err(1, "cannot be pinned to CPU %d", cpu);
	return cpu;
}

static double
now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC_RAW, &ts);
	return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

static void
copy_run(void *arg, size_t reps)
{
	size_t bytes = *(const size_t *)arg;

	for (; reps > 0; reps--) {
		memcpy(copy_room + 2048, copy_from, bytes);
		__asm__ volatile("" ::: "memory");
	}
}

/* Nanoseconds of one repetition; the first warms the caches, untimed. */
static double
sample(void (*run)(void *, size_t), void *arg, size_t reps)
{
	double start;

	run(arg, 1);
	start = now();
	run(arg, reps);
	return (now() - start) / (double)reps;
}

static size_t
calibrate(void (*run)(void *, size_t), void *arg)
{
	size_t reps = 1;

	while (
	    reps < 1000000 && sample(run, arg, reps) * (double)reps < SAMPLE_NS)
		reps *= 2;
	return reps;
}

static int
compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static struct quantiles
quantiles(double *v, size_t n)
{
	qsort(v, n, sizeof(*v), compare);
	return (struct quantiles){v[n / 10], v[n / 2], v[n - 1 - n / 10]};
}

void
harness_measure(const struct measurement *w, size_t rounds, struct result *r)
{
	double *time = calloc(3 * rounds, sizeof(*time));
	double *copy, *ratio;
	size_t i, reps, copies = 0, bytes = w->bytes;
	size_t units = w->units == 0 ? 1 : w->units;

	if (time == NULL || bytes > COPY_MAX)
		errx(1, "%s: too much", w->name);
	copy = time + rounds;
	ratio = copy + rounds;
	reps = calibrate(w->run, w->arg);
	if (bytes > 0)
		copies = calibrate(copy_run, &bytes);
	for (i = 0; i < rounds; i++) {
		time[i] = sample(w->run, w->arg, reps);
		if (bytes > 0) {
			copy[i] = sample(copy_run, &bytes, copies);
			ratio[i] = time[i] / copy[i];
		}
		time[i] /= (double)units;
	}
	r->time = quantiles(time, rounds);
	r->copy = quantiles(copy, rounds);
	r->ratio = quantiles(ratio, rounds);
	free(time);
}

void
harness_begin(FILE *json)
{
	memset(copy_from, 0x5a, sizeof(copy_from));
	memset(copy_room, 0xa5, sizeof(copy_room));
	printf("%-44s %10s %17s %9s  %-21s %s\n", "", "ns", "10..90 %",
	    "memcpy ns", "ratio (10..90 %)", "goal");
	if (json != NULL)
		fprintf(json, "{\n  \"micro\": [\n");
}

static void
json_quantiles(FILE *json, const char *name, const struct quantiles *q)
{
	fprintf(json,
	    ", \"%s\": {\"p10\": %.3f, \"median\": %.3f, \"p90\": %.3f}", name,
	    q->low, q->median, q->high);
}

static void
json_result(FILE *json, const struct measurement *w, const struct result *r)
{
	fprintf(json, "%s    {\"name\": \"%s\", \"bytes\": %zu",
	    printed == 0 ? "" : ",\n", w->name, w->bytes);
	json_quantiles(json, "ns", &r->time);
	if (w->bytes > 0) {
		json_quantiles(json, "memcpy_ns", &r->copy);
		json_quantiles(json, "ratio", &r->ratio);
	}
	if (w->goal > 0)
		fprintf(json, ", \"goal\": %.2f, \"pass\": %s", w->goal,
		    r->ratio.median <= w->goal ? "true" : "false");
	fprintf(json, "}");
}

void
harness_print(FILE *json, const struct measurement *w, const struct result *r)
{
	bool pass = r->ratio.median <= w->goal;

	printf("%-44s %10.1f %8.1f %8.1f", w->name, r->time.median, r->time.low,
	    r->time.high);
	if (w->bytes > 0)
		printf(" %9.1f  %5.2f (%.2f..%.2f)", r->copy.median,
		    r->ratio.median, r->ratio.low, r->ratio.high);
	if (w->goal > 0) {
		printf("     <= %.2f %s", w->goal, pass ? "pass" : "FAIL");
		missed += !pass;
	}
	printf("\n");
	fflush(stdout);
	if (json != NULL)
		json_result(json, w, r);
	printed++;
}

size_t
harness_end(FILE *json)
{
	if (json != NULL)
		fprintf(json, "\n  ]\n}\n");
	return missed;
}

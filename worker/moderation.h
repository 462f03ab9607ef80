#ifndef WORKER_MODERATION_H
#define WORKER_MODERATION_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Moderation of wake-ups, as network drivers moderate interrupts (rx-usecs of
 * ethtool(8)).  A worker that runs as soon as there is a packet would, under
 * load, be woken for each; instead it looks once every MODERATION_US.
 */
#define MODERATION_US 200

struct moderation {
	int timer;    /* a timerfd, or -1: no moderation */
	bool lingers; /* without a timer: looks again before it sleeps */
	bool loaded;
	unsigned int quiet; /* looks in a row that found little to do */
	uint64_t seen;	    /* packets when last asked about */
};

/* Before the process locks itself down.  -1 with errno: there is no timer. */
int moderation_start(struct moderation *);

/*
 * To be asked when nothing is left to do; packets: how many were handled since
 * the start.  Under load, waits until the period is over and returns true: look
 * at what has come meanwhile, and do not wait for it.  Else false: wait for the
 * next packet.
 */
bool moderation_pause(struct moderation *, uint64_t packets);

/*
 * The same without a timer: how often to look for more before waiting for it.
 * After a burst MODERATION_LOOKS times, else not at all.
 */
#define MODERATION_LOOKS 16
unsigned int moderation_looks(struct moderation *, uint64_t packets);

#endif

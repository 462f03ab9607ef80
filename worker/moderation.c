#include "worker/moderation.h"

#include <sys/timerfd.h>

#include <stddef.h>
#include <unistd.h>

/*
 * Theory of operation.  The timer expires every MODERATION_US; to read it
 * waits for the next time, or tells at once how often that was since it was
 * read.  So it is the clock, too: where MODERATION_ENTER packets took several
 * periods, to read it took no time, and nothing was delayed.  Requests and
 * answers that wait for each other stay below that rate.  Load ends only after
 * some quiet looks, for a sender may not run for as long as others do.
 *
 * SCHED_RR with and without it, both ends on two cores with all else: 64-byte
 * datagrams 281 and 114 kpps; one stream of TCP, cubic, 10.2 and 9.2 Gbit/s for
 * 1.00 and 1.28 s/GB of CPU; a ping beside it 1.4 and 0.3 ms (p99).
 */
#define MODERATION_ENTER 16 /* packets a period: load begins; more: a burst */
#define MODERATION_STAY 8   /* fewer a period: a quiet look */
#define MODERATION_QUIET 10 /* so many of them end it */

int
moderation_start(struct moderation *m)
{
	const struct timespec period = {.tv_nsec = MODERATION_US * 1000};
	const struct itimerspec its = {
	    .it_interval = period, .it_value = period};

	*m = (struct moderation){
	    .timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC)};
	if (m->timer == -1)
		return -1;
	return timerfd_settime(m->timer, 0, &its, NULL);
}

/* Until the period is over; how many there were since the last time. */
static uint64_t
periods(const struct moderation *m)
{
	uint64_t n;

	/* a signal ends the wait: that is no reason to wait again */
	return read(m->timer, &n, sizeof(n)) == sizeof(n) ? n : 1;
}

bool
moderation_pause(struct moderation *m, uint64_t packets)
{
	uint64_t n, fresh = packets - m->seen;

	if (m->timer == -1 || (!m->loaded && fresh < MODERATION_ENTER))
		return false;
	n = periods(m);
	if (fresh >= n * MODERATION_ENTER)
		m->loaded = true;
	if (fresh >= n * MODERATION_STAY)
		m->quiet = 0;
	else if (++m->quiet >= MODERATION_QUIET)
		m->loaded = false;
	m->seen = packets;
	return m->loaded;
}

/*
 * To be woken costs more than to look a few times: 16 looks take 4 us, an
 * interrupt for a CPU that has halted 31 us in a virtual machine, of the
 * sender's time.  One stream of TCP by bbr carries 1.07 of what it did, for
 * 0.90 of the CPU: preemptions of the workers fall to a third, such interrupts
 * to half.  More looks gained less, fewer too.
 */
unsigned int
moderation_looks(struct moderation *m, uint64_t packets)
{
	uint64_t fresh = packets - m->seen;

	if (!m->lingers)
		return 0;
	m->seen = packets;
	return fresh > MODERATION_ENTER ? MODERATION_LOOKS : 0;
}

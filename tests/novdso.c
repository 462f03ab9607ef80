/*
 * Preloaded, it is a kernel without a vDSO, or with a clock that the vDSO
 * cannot read: to ask for the time is a system call.
 */
#include <sys/syscall.h>
#include <sys/time.h>

#include <stddef.h>
#include <time.h>
#include <unistd.h>

int
clock_gettime(clockid_t id, struct timespec *ts)
{
	return (int)syscall(SYS_clock_gettime, id, ts);
}

int
gettimeofday(struct timeval *restrict tv, void *restrict zone)
{
	return (int)syscall(SYS_gettimeofday, tv, zone);
}

#include "common/clock.h"
#include "tests/fake_clock.h"

time_t fake_now;

time_t __wrap_clock_seconds(void);

time_t
__wrap_clock_seconds(void)
{
	return fake_now;
}

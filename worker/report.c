#include "worker/report.h"

#include <stddef.h>
#include <unistd.h>

#include "ipc/imsg.h"
#include "ipc/limits.h"

void
report_log(enum log_level level, const char *text)
{
	msg_send_log(PARENT_FD, level, text);
}

void
report_ready(uint32_t applied, uint32_t missing)
{
	struct msg_ready r = {.applied = applied, .missing = missing};

	if (imsg_send(PARENT_FD, MSG_READY, 0, &r, sizeof(r), -1) == -1)
		_exit(1);
}

void
report_peers_done(uint32_t generation)
{
	if (imsg_send(PARENT_FD, MSG_PEERS_DONE, generation, NULL, 0, -1) == -1)
		_exit(1);
}

void
report_offload_off(enum offload o, int error, int slot)
{
	struct msg_offload_off off = {.offload = o, .error = error};

	imsg_send(PARENT_FD, MSG_OFFLOAD_OFF, (uint32_t)(slot + 1), &off,
	    sizeof(off), -1);
}

void
report_tun_gone(void)
{
	imsg_send(PARENT_FD, MSG_TUN_GONE, 0, NULL, 0, -1);
	_exit(0);
}

#include <event2/event.h>
#include <jansson.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include "common/event_log.h"
#include "common/log.h"
#include "common/sandbox.h"
#include "control/client.h"
#include "control/dispatch.h"
#include "control/events.h"
#include "control/inbox.h"
#include "control/limits.h"
#include "control/listen.h"
#include "control/parent.h"
#include "control/request.h"
#include "control/seccomp.h"
#include "ipc/jsonrpc.h"

/*
 * tund-control serves the JSON control socket.  It is started by tund with
 * the channel on descriptor 3, gets the listening sockets from it, and gives
 * up everything else before it takes the first connection.
 */

static const struct client_handlers above = {
    .line = dispatch_line,
    .read = events_tell_overflow,
    .gone = events_unsubscribe,
};

static void
no_memory(void)
{
	fatalx("memory is short");
}

/* What would read a file or allocate much later, done while it may. */
static struct event_base *
prepare(void)
{
	struct event_base *base;

	signal(SIGPIPE, SIG_IGN);
	jsonrpc_init(no_memory);
	json_object_seed(0);
	tzset();
	if ((base = event_base_new()) == NULL)
		fatalx("no event loop can be had");
	return base;
}

int
main(int argc, char *argv[])
{
	struct parent_start start;
	struct sandbox sandbox = {.parent = getppid(),
	    .nofile = CONTROL_NOFILE,
	    .data = CONTROL_DATA,
	    .see_users = true,
	    .seccomp = control_seccomp};
	struct msg_ready ready;
	struct event_base *base;

	log_init("tund-control", LOG_LEVEL_INFO);
	event_log_init();
	if (argc != 1)
		fatalx("%s takes no arguments; see tund-control(7)", argv[0]);
	parent_check();
	base = prepare();
	parent_receive_start(&start);
	if (listen_add(base, start.listen[0], false) == -1 ||
	    listen_add(base, start.listen[1], true) == -1)
		fatal("listening sockets");
	clients_init(base, &above);
	requests_init(base);
	sandbox.uid = start.config.uid;
	sandbox.gid = start.config.gid;
	sandbox.strict = start.config.strict;
	parent_serve(base, inbox_take);
	sandbox_enter(&sandbox, &ready.applied, &ready.missing);

	parent_send(MSG_READY, 0, &ready, sizeof(ready));
	event_base_dispatch(base);
	fatalx("the event loop ended");
}

#include <errno.h>
#include <unistd.h>

#include "common/log.h"
#include "ipc/imsg.h"
#include "ipc/limits.h"
#include "worker/ingress.h"
#include "worker/parent.h"
#include "worker/report.h"
#include "worker/udp_io.h"
#include "worker/worker.h"

/* When a message is legal. */
enum phase {
	PHASE_NEW = 1,	 /* nothing known yet */
	PHASE_SETUP = 2, /* configured, receiving descriptors */
	PHASE_RUN = 4,	 /* locked down */
};

struct context {
	struct worker *w;
	struct msg_worker_config *config;
	enum phase phase;
};

static struct imsg message; /* too large for the stack */

static int
worker_on_config(struct context *c, struct imsg *m)
{
	struct worker *w = c->w;

	if (msg_read_worker_config(m, c->config) == -1)
		return -1;
	log_set_level(c->config->log_level);
	w->tun = -1;
	w->vnet_hdr = c->config->vnet_hdr == 1;
	w->offloads = c->config->offloads;
	c->phase = PHASE_SETUP;
	return 0;
}

static int
worker_on_tun(struct context *c, struct imsg *m)
{
	return c->w->tun == -1 ? msg_take_fd(m, &c->w->tun) : -1;
}

/* The page comes before the sockets, which count on it. */
static int
worker_on_counters(struct context *c, struct imsg *m)
{
	int fd;

	if (c->w->counters != NULL || msg_take_fd(m, &fd) == -1)
		return -1;
	c->w->counters = counters_map(fd);
	close(fd);
	if (c->w->counters == NULL)
		return -1;
	if (peers_init(&c->w->peers, c->config->slots, c->config->max_prefixes,
		c->w->counters) == -1)
		fatalx("no memory for the table of peers");
	return 0;
}

static int
worker_on_socket(struct context *c, struct imsg *m)
{
	struct peers *ps = &c->w->peers;
	uint32_t slot = m->hdr.id;
	int fd;

	if (c->w->counters == NULL || slot >= ps->slots ||
	    ps->peer[slot].fd != -1 || msg_take_fd(m, &fd) == -1)
		return -1;
	udp_adopt(&ps->peer[slot], fd);
	return 0;
}

static int
worker_on_peers_begin(struct context *c, struct imsg *m)
{
	if (c->w->counters == NULL || msg_read_empty(m) == -1)
		return -1;
	peers_begin(&c->w->peers);
	return 0;
}

static int
worker_on_peer(struct context *c, struct imsg *m)
{
	struct msg_peer p;

	if (msg_read_peer(m, &p) == -1)
		return -1;
	return peers_add(&c->w->peers, m->hdr.id, p.family);
}

static int
worker_on_prefixes(struct context *c, struct imsg *m)
{
	const struct prefix *list;
	size_t i, count;

	if (msg_read_prefixes(m, &list, &count) == -1)
		return -1;
	for (i = 0; i < count; i++)
		if (peers_add_prefix(&c->w->peers, m->hdr.id, &list[i]) == -1)
			return -1;
	return 0;
}

/*
 * What waits on the sockets of peers that are gone is thrown away before the
 * parent hears that it may use those sockets for others.
 */
static int
worker_on_peers_commit(struct context *c, struct imsg *m)
{
	if (msg_read_empty(m) == -1 || peers_commit(&c->w->peers) == -1)
		return -1;
	if (c->phase != PHASE_RUN)
		return 0;
	ingress_drain_unused(c->w);
	report_peers_done(m->hdr.id);
	return 0;
}

static int
worker_on_offload(struct context *c, struct imsg *m)
{
	struct msg_offload o;

	if (msg_read_offload(m, &o) == -1)
		return -1;
	c->w->offloads = o.offloads;
	return 0;
}

static int
worker_on_log_level(struct context *c, struct imsg *m)
{
	struct msg_log_level l;

	(void)c;
	if (msg_read_log_level(m, &l) == -1)
		return -1;
	log_set_level(l.level);
	return 0;
}

static int
worker_on_start(struct context *c, struct imsg *m)
{
	if (msg_read_empty(m) == -1 || c->w->tun == -1 ||
	    c->w->counters == NULL)
		return -1;
	c->phase = PHASE_RUN;
	return 0;
}

static const struct {
	uint32_t type;
	unsigned int phases;
	int (*handle)(struct context *, struct imsg *);
} handlers[] = {
    {MSG_WORKER_CONFIG, PHASE_NEW, worker_on_config},
    {MSG_WORKER_TUN, PHASE_SETUP, worker_on_tun},
    {MSG_WORKER_COUNTERS, PHASE_SETUP, worker_on_counters},
    {MSG_WORKER_SOCKET, PHASE_SETUP, worker_on_socket},
    {MSG_WORKER_PEERS_BEGIN, PHASE_SETUP | PHASE_RUN, worker_on_peers_begin},
    {MSG_WORKER_PEER, PHASE_SETUP | PHASE_RUN, worker_on_peer},
    {MSG_WORKER_PREFIXES, PHASE_SETUP | PHASE_RUN, worker_on_prefixes},
    {MSG_WORKER_PEERS_COMMIT, PHASE_SETUP | PHASE_RUN, worker_on_peers_commit},
    {MSG_WORKER_OFFLOAD, PHASE_RUN, worker_on_offload},
    {MSG_WORKER_LOG_LEVEL, PHASE_RUN, worker_on_log_level},
    {MSG_WORKER_START, PHASE_SETUP, worker_on_start},
};

static void
dispatch(struct context *c, struct imsg *m)
{
	size_t i;

	for (i = 0; i < sizeof(handlers) / sizeof(handlers[0]); i++) {
		if (handlers[i].type != m->hdr.type)
			continue;
		if ((handlers[i].phases & c->phase) == 0 ||
		    handlers[i].handle(c, m) == -1)
			break;
		return;
	}
	fatalx("message \"%s\" is not legal now or not well formed",
	    msg_type_name(m->hdr.type));
}

/* Handles what the parent says until it has brought the phase about. */
static void
receive_until(struct context *c, enum phase phase)
{
	while (c->phase != phase) {
		switch (imsg_recv(PARENT_FD, &message)) {
		case 1:
			dispatch(c, &message);
			if (message.fd != -1)
				close(message.fd);
			break;
		case 0:
			_exit(0);
		default:
			fatal("the parent cannot be understood");
		}
	}
}

void
parent_configure(struct worker *w, struct msg_worker_config *config)
{
	struct context c = {.w = w, .config = config, .phase = PHASE_NEW};

	receive_until(&c, PHASE_SETUP);
}

void
parent_setup(struct worker *w, struct msg_worker_config *config)
{
	struct context c = {.w = w, .config = config, .phase = PHASE_SETUP};

	receive_until(&c, PHASE_RUN);
}

void
parent_readable(struct worker *w)
{
	struct context c = {.w = w, .phase = PHASE_RUN};
	int r;

	while ((r = imsg_read(PARENT_FD, &message)) == 1)
		dispatch(&c, &message);
	if (r == 0)
		_exit(0);
	if (errno != EAGAIN)
		fatal("the parent cannot be understood");
}

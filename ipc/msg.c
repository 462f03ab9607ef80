#include <string.h>

#include "common/log.h"
#include "common/sandbox.h"
#include "ipc/limits.h"
#include "ipc/msg.h"

static const struct offload_word offload_words[OFFLOAD_WORDS] = {
    [OFFLOAD_TSO_TX] = {"tso-tx", OFFLOAD_BIT(OFFLOAD_TSO_TX)},
    [OFFLOAD_USO_TX] = {"uso-tx", OFFLOAD_BIT(OFFLOAD_USO_TX)},
    [OFFLOAD_TSO_RX] = {"tso-rx", OFFLOAD_BIT(OFFLOAD_TSO_RX)},
    [OFFLOAD_USO_RX] = {"uso-rx", OFFLOAD_BIT(OFFLOAD_USO_RX)},
    [OFFLOAD_UDP_GSO] = {"udp-gso", OFFLOAD_BIT(OFFLOAD_UDP_GSO)},
    [OFFLOAD_UDP_GRO] = {"udp-gro", OFFLOAD_BIT(OFFLOAD_UDP_GRO)},
    {"tso", OFFLOAD_BIT(OFFLOAD_TSO_TX)},
    {"uso", OFFLOAD_BIT(OFFLOAD_USO_TX)},
    {"gro", OFFLOAD_BIT(OFFLOAD_TSO_RX) | OFFLOAD_BIT(OFFLOAD_USO_RX)},
};

static const char *const sched_policy_names[SCHED_POLICY_COUNT] = {
    [SCHED_POLICY_BATCH] = "batch",
    [SCHED_POLICY_RR] = "rr",
};

static const char *const process_names[PROCESS_COUNT] = {
    [PROCESS_PARENT] = "tund",
    [PROCESS_WORKER] = "tund-worker",
    [PROCESS_CONTROL] = "tund-control",
};

static const struct {
	uint32_t type;
	const char *name;
} msg_names[] = {
    {MSG_WORKER_CONFIG, "worker-config"},
    {MSG_WORKER_TUN, "worker-tun"},
    {MSG_WORKER_COUNTERS, "worker-counters"},
    {MSG_WORKER_SOCKET, "worker-socket"},
    {MSG_WORKER_PEERS_BEGIN, "worker-peers-begin"},
    {MSG_WORKER_PEER, "worker-peer"},
    {MSG_WORKER_PREFIXES, "worker-prefixes"},
    {MSG_WORKER_PEERS_COMMIT, "worker-peers-commit"},
    {MSG_WORKER_START, "worker-start"},
    {MSG_WORKER_OFFLOAD, "worker-offload"},
    {MSG_WORKER_LOG_LEVEL, "worker-log-level"},
    {MSG_CONTROL_CONFIG, "control-config"},
    {MSG_CONTROL_LISTEN, "control-listen"},
    {MSG_CONTROL_START, "control-start"},
    {MSG_CONTROL_COUNTERS, "control-counters"},
    {MSG_CONTROL_STATE, "control-state"},
    {MSG_CONTROL_EVENT, "control-event"},
    {MSG_CONTROL_REPLY, "control-reply"},
    {MSG_CONTROL_LOG_LEVEL, "control-log-level"},
    {MSG_READY, "ready"},
    {MSG_LOG, "log"},
    {MSG_PEERS_DONE, "peers-done"},
    {MSG_OFFLOAD_OFF, "offload-off"},
    {MSG_TUN_GONE, "tun-gone"},
    {MSG_REQUEST, "request"},
};

const char *
offload_name(enum offload o)
{
	return o < OFFLOAD_COUNT ? offload_words[o].name : "?";
}

const struct offload_word *
offload_word(size_t n)
{
	return &offload_words[n];
}

size_t
offload_word_find(const char *name)
{
	size_t n;

	for (n = 0; n < OFFLOAD_WORDS; n++)
		if (strcmp(offload_words[n].name, name) == 0)
			break;
	return n;
}

const char *
sched_policy_name(enum sched_policy p)
{
	return p < SCHED_POLICY_COUNT ? sched_policy_names[p] : "?";
}

const char *
process_name(enum process_kind p)
{
	return p < PROCESS_COUNT ? process_names[p] : "?";
}

const char *
msg_type_name(uint32_t type)
{
	size_t i;

	for (i = 0; i < sizeof(msg_names) / sizeof(msg_names[0]); i++)
		if (msg_names[i].type == type)
			return msg_names[i].name;
	return "?";
}

/* Copies a fixed-width body of exactly this size that came without an fd. */
static int
msg_read_fixed(const struct imsg *m, void *out, size_t size)
{
	if (m->hdr.len != size || m->fd != -1)
		return -1;
	memcpy(out, m->data, size);
	return 0;
}

int
msg_read_worker_config(const struct imsg *m, struct msg_worker_config *c)
{
	if (msg_read_fixed(m, c, sizeof(*c)) == -1 || c->vnet_hdr > 1 ||
	    (c->offloads & ~OFFLOAD_ALL) != 0 || c->slots > LIMIT_SLOTS ||
	    c->max_prefixes > LIMIT_PREFIXES || c->uid == 0 || c->gid == 0 ||
	    c->log_level >= LOG_LEVEL_COUNT || c->strict > 1 ||
	    c->sched_policy >= SCHED_POLICY_COUNT || c->pinned > 1 ||
	    c->cpu >= LIMIT_CPUS)
		return -1;
	return 0;
}

int
msg_read_peer(const struct imsg *m, struct msg_peer *p)
{
	if (msg_read_fixed(m, p, sizeof(*p)) == -1 ||
	    m->hdr.id >= LIMIT_SLOTS || (p->family != 4 && p->family != 6))
		return -1;
	return 0;
}

int
msg_read_prefixes(
    const struct imsg *m, const struct prefix **list, size_t *count)
{
	const struct prefix *p = (const void *)m->data;
	size_t i, n = m->hdr.len / sizeof(*p);

	if (m->fd != -1 || m->hdr.id >= LIMIT_SLOTS || n == 0 ||
	    m->hdr.len % sizeof(*p) != 0)
		return -1;
	for (i = 0; i < n; i++)
		if ((p[i].addr.family != 4 && p[i].addr.family != 6) ||
		    p[i].len > addr_bits(&p[i].addr))
			return -1;
	*list = p;
	*count = n;
	return 0;
}

int
msg_read_offload(const struct imsg *m, struct msg_offload *o)
{
	if (msg_read_fixed(m, o, sizeof(*o)) == -1 ||
	    (o->offloads & ~OFFLOAD_ALL) != 0)
		return -1;
	return 0;
}

/* The kernel refuses sends to one peer, and writes to the tun. */
int
msg_read_offload_off(const struct imsg *m, struct msg_offload_off *o)
{
	if (msg_read_fixed(m, o, sizeof(*o)) == -1 || o->error <= 0 ||
	    o->error > 4095)
		return -1;
	switch (o->offload) {
	case OFFLOAD_TSO_RX:
	case OFFLOAD_USO_RX:
		return m->hdr.id == 0 ? 0 : -1;
	case OFFLOAD_UDP_GSO:
		return m->hdr.id != 0 && m->hdr.id <= LIMIT_SLOTS ? 0 : -1;
	}
	return -1;
}

int
msg_read_log_level(const struct imsg *m, struct msg_log_level *l)
{
	if (msg_read_fixed(m, l, sizeof(*l)) == -1 ||
	    l->level >= LOG_LEVEL_COUNT)
		return -1;
	return 0;
}

int
msg_read_control_config(const struct imsg *m, struct msg_control_config *c)
{
	if (msg_read_fixed(m, c, sizeof(*c)) == -1 || c->uid == 0 ||
	    c->gid == 0 || c->log_level >= LOG_LEVEL_COUNT || c->strict > 1)
		return -1;
	return 0;
}

int
msg_read_ready(const struct imsg *m, struct msg_ready *r)
{
	if (msg_read_fixed(m, r, sizeof(*r)) == -1 ||
	    (r->applied & r->missing) != 0 ||
	    (r->applied | r->missing) != SANDBOX_ALL ||
	    (r->applied & SANDBOX_REQUIRED) != SANDBOX_REQUIRED)
		return -1;
	return 0;
}

int
msg_read_request(const struct imsg *m, struct msg_request *r)
{
	if (msg_read_fixed(m, r, sizeof(*r)) == -1)
		return -1;
	switch (r->kind) {
	case REQUEST_RELOAD:
		return r->value <= 1 ? 0 : -1;
	case REQUEST_SET_MTU:
		return r->value >= MTU_MIN && r->value <= MTU_MAX ? 0 : -1;
	case REQUEST_SET_OFFLOAD:
		return r->what < OFFLOAD_COUNT && r->value <= 1 ? 0 : -1;
	case REQUEST_LOG_LEVEL:
		return r->what < PROCESS_COUNT && r->value < LOG_LEVEL_COUNT
			   ? 0
			   : -1;
	}
	return -1;
}

/* A word of 32 bits, then text, which is made to end in a NUL. */
static int
msg_read_text(struct imsg *m, uint32_t *word, const char **text)
{
	if (m->fd != -1 || m->hdr.len < sizeof(*word) ||
	    m->hdr.len >= IMSG_DATA_MAX ||
	    memchr(m->data + sizeof(*word), '\0', m->hdr.len - sizeof(*word)) !=
		NULL)
		return -1;
	m->data[m->hdr.len] = '\0';
	memcpy(word, m->data, sizeof(*word));
	*text = (const char *)m->data + sizeof(*word);
	return 0;
}

static bool
is_printable(char c)
{
	return c >= ' ' && c <= '~';
}

void
msg_send_log(int sock, enum log_level level, const char *text)
{
	struct {
		uint32_t level;
		char text[LOG_LINE_MAX - 1];
	} line = {.level = level};
	size_t i;

	for (i = 0; i < sizeof(line.text) && text[i] != '\0'; i++)
		line.text[i] = is_printable(text[i]) ? text[i] : '?';
	(void)!imsg_send(sock, MSG_LOG, 0, &line, sizeof(line.level) + i, -1);
}

int
msg_read_log(struct imsg *m, uint32_t *level, const char **text)
{
	const char *p;

	if (msg_read_text(m, level, text) == -1 || *level >= LOG_LEVEL_COUNT ||
	    m->hdr.len >= sizeof(*level) + LOG_LINE_MAX)
		return -1;
	for (p = *text; *p != '\0'; p++)
		if (!is_printable(*p))
			return -1;
	return 0;
}

int
msg_read_reply(struct imsg *m, uint32_t *status, const char **text)
{
	if (msg_read_text(m, status, text) == -1 || *status >= REPLY_COUNT)
		return -1;
	return 0;
}

int
msg_read_event(struct imsg *m, const char **text)
{
	if (m->fd != -1 || m->hdr.len == 0 || m->hdr.len > LIMIT_EVENT ||
	    memchr(m->data, '\0', m->hdr.len) != NULL)
		return -1;
	m->data[m->hdr.len] = '\0';
	*text = (const char *)m->data;
	return 0;
}

int
msg_take_fd(struct imsg *m, int *fd)
{
	if (m->fd == -1 || m->hdr.len != 0)
		return -1;
	*fd = m->fd;
	m->fd = -1;
	return 0;
}

int
msg_read_empty(const struct imsg *m)
{
	return m->fd == -1 && m->hdr.len == 0 ? 0 : -1;
}

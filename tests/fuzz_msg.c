/*
 * libFuzzer on what one process reads of another: a datagram's header, then
 * every reader of ipc/msg.c, whatever the type, for which type is legal when is
 * the receiver's.  What is accepted is in its range, and nothing behind the
 * message is looked at.
 */
#include <sys/socket.h>

#include <sanitizer/asan_interface.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/sandbox.h"
#include "ipc/imsg.h"
#include "ipc/msg.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static struct imsg m;

static void
require(bool what)
{
	if (!what)
		abort();
}

/*
 * The first byte decides: what follows is a whole datagram, or an id and the
 * payload of one whose header is right.  False: it is no message.
 */
static bool
receive(const uint8_t *data, size_t size)
{
	static int sv[2] = {-1, -1};
	uint32_t id;

	if (sv[0] == -1)
		require(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sv) == 0);
	if (data[0] != 0 || size < 1 + sizeof(id)) {
		require(
		    send(sv[0], data + 1, size - 1, 0) == (ssize_t)size - 1);
	} else {
		memcpy(&id, data + 1, sizeof(id));
		require(imsg_send(sv[0], 0, id, data + 1 + sizeof(id),
			    size - 1 - sizeof(id), -1) == 0);
	}
	return imsg_read(sv[1], &m) == 1;
}

static void
read_fixed(void)
{
	struct msg_worker_config worker;
	struct msg_control_config control;
	struct msg_log_level level;
	struct msg_offload offload;
	struct msg_peer peer;

	if (msg_read_worker_config(&m, &worker) == 0)
		require(worker.uid != 0 && worker.gid != 0 &&
			worker.log_level < LOG_LEVEL_COUNT);
	if (msg_read_control_config(&m, &control) == 0)
		require(control.uid != 0 && control.gid != 0);
	if (msg_read_log_level(&m, &level) == 0)
		require(level.level < LOG_LEVEL_COUNT);
	if (msg_read_offload(&m, &offload) == 0)
		require((offload.offloads & ~OFFLOAD_ALL) == 0);
	if (msg_read_peer(&m, &peer) == 0)
		require(peer.family == 4 || peer.family == 6);
	require((msg_read_empty(&m) == 0) == (m.hdr.len == 0));
}

/* What the parent takes from a child. */
static void
read_from_child(void)
{
	struct msg_offload_off off;
	struct msg_request request;
	struct msg_ready ready;

	if (msg_read_ready(&m, &ready) == 0)
		require((ready.applied & ready.missing) == 0 &&
			(ready.applied & SANDBOX_REQUIRED) == SANDBOX_REQUIRED);
	if (msg_read_offload_off(&m, &off) == 0)
		require(off.offload < OFFLOAD_COUNT && off.error > 0);
	if (msg_read_request(&m, &request) == 0 &&
	    request.kind == REQUEST_SET_OFFLOAD)
		require(request.what < OFFLOAD_COUNT && request.value <= 1);
}

static void
read_lists(void)
{
	const struct prefix *list;
	uint32_t word, status;
	const char *text;
	size_t i, count;

	if (msg_read_prefixes(&m, &list, &count) == 0)
		for (i = 0; i < count; i++)
			require(list[i].len <= addr_bits(&list[i].addr));
	/* these end their text, so that it is one byte longer */
	ASAN_UNPOISON_MEMORY_REGION(m.data, sizeof(m.data));
	if (msg_read_log(&m, &word, &text) == 0)
		require(word < LOG_LEVEL_COUNT &&
			strlen(text) == m.hdr.len - sizeof(word));
	if (msg_read_reply(&m, &status, &text) == 0)
		require(status < REPLY_COUNT &&
			strlen(text) == m.hdr.len - sizeof(status));
	if (msg_read_event(&m, &text) == 0)
		require(strlen(text) == m.hdr.len);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 2 || size > sizeof(m.data) || !receive(data, size))
		return 0;
	ASAN_POISON_MEMORY_REGION(
	    m.data + m.hdr.len, sizeof(m.data) - m.hdr.len);
	read_fixed();
	read_from_child();
	read_lists();
	return 0;
}

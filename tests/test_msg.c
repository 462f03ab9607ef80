#include <sys/mman.h>
#include <sys/socket.h>

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/log.h"
#include "common/sandbox.h"
#include "ipc/counters.h"
#include "ipc/msg.h"

static struct imsg m;

static void
put(uint32_t type, const void *data, size_t len)
{
	memset(&m, 0, sizeof(m));
	m.fd = -1;
	m.hdr.type = type;
	m.hdr.len = (uint32_t)len;
	if (len > 0)
		memcpy(m.data, data, len);
}

/* Any other size, and any descriptor, must be refused. */
#define ONLY_EXACTLY(value, read)                \
	do {                                     \
		put(0, &(value), sizeof(value)); \
		assert_int_equal(read, 0);       \
		m.hdr.len--;                     \
		assert_int_equal(read, -1);      \
		m.hdr.len += 2;                  \
		assert_int_equal(read, -1);      \
		m.hdr.len--;                     \
		m.fd = 0;                        \
		assert_int_equal(read, -1);      \
	} while (0)

#define REFUSED(value, member, bad, read)       \
	do {                                    \
		__typeof__(value) copy = value; \
		copy.member = bad;              \
		put(0, &copy, sizeof(copy));    \
		assert_int_equal(read, -1);     \
	} while (0)

static void
worker_config_is_exact_and_in_range(void **state)
{
	struct msg_worker_config c = {.uid = 1, .gid = 1, .slots = 2}, out;

	(void)state;
	ONLY_EXACTLY(c, msg_read_worker_config(&m, &out));
	REFUSED(c, uid, 0, msg_read_worker_config(&m, &out));
	REFUSED(c, gid, 0, msg_read_worker_config(&m, &out));
	REFUSED(c, vnet_hdr, 2, msg_read_worker_config(&m, &out));
	REFUSED(c, strict, 2, msg_read_worker_config(&m, &out));
	REFUSED(c, sched_policy, SCHED_POLICY_COUNT,
	    msg_read_worker_config(&m, &out));
	REFUSED(c, pinned, 2, msg_read_worker_config(&m, &out));
	REFUSED(c, cpu, LIMIT_CPUS, msg_read_worker_config(&m, &out));
	REFUSED(c, slots, LIMIT_SLOTS + 1, msg_read_worker_config(&m, &out));
	REFUSED(c, offloads, OFFLOAD_ALL + 1, msg_read_worker_config(&m, &out));
	REFUSED(c, max_prefixes, LIMIT_PREFIXES + 1,
	    msg_read_worker_config(&m, &out));
	REFUSED(
	    c, log_level, LOG_LEVEL_COUNT, msg_read_worker_config(&m, &out));
}

static void
peers_have_a_family_and_a_slot(void **state)
{
	struct msg_peer p = {.family = 4}, out;

	(void)state;
	ONLY_EXACTLY(p, msg_read_peer(&m, &out));
	REFUSED(p, family, 5, msg_read_peer(&m, &out));
	put(0, &p, sizeof(p));
	m.hdr.id = LIMIT_SLOTS;
	assert_int_equal(msg_read_peer(&m, &out), -1);
}

static void
prefixes_come_in_whole_numbers_and_fit_their_family(void **state)
{
	struct prefix list[2] = {
	    {.addr.family = 4, .len = 32}, {.addr.family = 6, .len = 128}};
	const struct prefix *out;
	size_t count;

	(void)state;
	put(0, list, sizeof(list));
	assert_int_equal(msg_read_prefixes(&m, &out, &count), 0);
	assert_int_equal(count, 2);
	m.hdr.len--;
	assert_int_equal(msg_read_prefixes(&m, &out, &count), -1);
	m.hdr.len++;
	m.hdr.id = LIMIT_SLOTS;
	assert_int_equal(msg_read_prefixes(&m, &out, &count), -1);
	m.hdr.id--;
	assert_int_equal(msg_read_prefixes(&m, &out, &count), 0);
	m.fd = 0;
	assert_int_equal(msg_read_prefixes(&m, &out, &count), -1);
	m.fd = -1;
	m.hdr.len = 0;
	assert_int_equal(msg_read_prefixes(&m, &out, &count), -1);
	list[0].len = 33;
	put(0, list, sizeof(list));
	assert_int_equal(msg_read_prefixes(&m, &out, &count), -1);
	list[0].len = 32;
	list[1].addr.family = 0;
	put(0, list, sizeof(list));
	assert_int_equal(msg_read_prefixes(&m, &out, &count), -1);
}

static void
offloads_and_levels_are_in_range(void **state)
{
	struct msg_offload o = {.offloads = OFFLOAD_ALL}, oo;
	struct msg_log_level l = {.level = LOG_LEVEL_DEBUG}, ll;

	(void)state;
	ONLY_EXACTLY(o, msg_read_offload(&m, &oo));
	REFUSED(o, offloads, OFFLOAD_ALL + 1, msg_read_offload(&m, &oo));
	ONLY_EXACTLY(l, msg_read_log_level(&m, &ll));
	REFUSED(l, level, LOG_LEVEL_COUNT, msg_read_log_level(&m, &ll));
}

static int
read_refusal(const struct msg_offload_off *f, uint32_t id)
{
	struct msg_offload_off out;

	put(0, f, sizeof(*f));
	m.hdr.id = id;
	return msg_read_offload_off(&m, &out);
}

static void
only_what_the_kernel_may_refuse_is_refused(void **state)
{
	struct msg_offload_off f = {.offload = OFFLOAD_USO_RX, .error = 22}, ff;

	(void)state;
	ONLY_EXACTLY(f, msg_read_offload_off(&m, &ff));
	REFUSED(f, error, -1, msg_read_offload_off(&m, &ff));
	REFUSED(f, error, 0, msg_read_offload_off(&m, &ff));
	REFUSED(f, error, 4096, msg_read_offload_off(&m, &ff));
	for (f.offload = 0; f.offload <= OFFLOAD_COUNT; f.offload++) {
		/* of no one peer, and of one */
		assert_int_equal(read_refusal(&f, 0),
		    f.offload == OFFLOAD_TSO_RX || f.offload == OFFLOAD_USO_RX
			? 0
			: -1);
		assert_int_equal(read_refusal(&f, LIMIT_SLOTS),
		    f.offload == OFFLOAD_UDP_GSO ? 0 : -1);
		assert_int_equal(read_refusal(&f, LIMIT_SLOTS + 1), -1);
	}
}

static void
control_config_is_exact_and_in_range(void **state)
{
	struct msg_control_config c = {.uid = 1, .gid = 1}, cc;

	(void)state;
	ONLY_EXACTLY(c, msg_read_control_config(&m, &cc));
	REFUSED(c, uid, 0, msg_read_control_config(&m, &cc));
	REFUSED(c, gid, 0, msg_read_control_config(&m, &cc));
	REFUSED(c, strict, 2, msg_read_control_config(&m, &cc));
	REFUSED(
	    c, log_level, LOG_LEVEL_COUNT, msg_read_control_config(&m, &cc));
}

static void
ready_is_what_has_the_required_layers(void **state)
{
	static const struct {
		uint32_t applied;
		uint32_t missing;
		int result;
	} cases[] = {
	    {SANDBOX_ALL, 0, 0},
	    {SANDBOX_REQUIRED, SANDBOX_ALL & ~SANDBOX_REQUIRED, 0},
	    {0, 0, -1},
	    {0, SANDBOX_ALL, -1},
	    {SANDBOX_ALL & ~SANDBOX_BIT(SANDBOX_SECCOMP),
		SANDBOX_BIT(SANDBOX_SECCOMP), -1},
	    /* both, neither, and no layer at all */
	    {SANDBOX_ALL, SANDBOX_BIT(SANDBOX_MDWE), -1},
	    {SANDBOX_ALL & ~SANDBOX_BIT(SANDBOX_MDWE), 0, -1},
	    {SANDBOX_ALL | SANDBOX_BIT(SANDBOX_COUNT), 0, -1},
	    {SANDBOX_ALL, SANDBOX_BIT(SANDBOX_COUNT), -1},
	};
	struct msg_ready r = {.applied = SANDBOX_ALL}, out;
	size_t i;

	(void)state;
	ONLY_EXACTLY(r, msg_read_ready(&m, &out));
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		r.applied = cases[i].applied;
		r.missing = cases[i].missing;
		put(MSG_READY, &r, sizeof(r));
		assert_int_equal(msg_read_ready(&m, &out), cases[i].result);
	}
}

static void
requests_are_known_and_in_range(void **state)
{
	static const struct {
		struct msg_request r;
		int result;
	} cases[] = {
	    {{.kind = 0}, -1},
	    {{.kind = REQUEST_LOG_LEVEL + 1}, -1},
	    {{.kind = REQUEST_RELOAD, .value = 1}, 0},
	    {{.kind = REQUEST_RELOAD, .value = 2}, -1},
	    {{.kind = REQUEST_SET_MTU, .value = MTU_MIN}, 0},
	    {{.kind = REQUEST_SET_MTU, .value = MTU_MIN - 1}, -1},
	    {{.kind = REQUEST_SET_MTU, .value = MTU_MAX}, 0},
	    {{.kind = REQUEST_SET_MTU, .value = MTU_MAX + 1}, -1},
	    {{.kind = REQUEST_SET_OFFLOAD, .what = OFFLOAD_UDP_GRO}, 0},
	    {{.kind = REQUEST_SET_OFFLOAD, .what = OFFLOAD_COUNT}, -1},
	    {{.kind = REQUEST_SET_OFFLOAD, .value = 2}, -1},
	    {{.kind = REQUEST_LOG_LEVEL, .what = PROCESS_CONTROL}, 0},
	    {{.kind = REQUEST_LOG_LEVEL, .what = PROCESS_COUNT}, -1},
	    {{.kind = REQUEST_LOG_LEVEL, .value = LOG_LEVEL_COUNT}, -1},
	};
	struct msg_request out;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		put(MSG_REQUEST, &cases[i].r, sizeof(cases[i].r));
		assert_int_equal(msg_read_request(&m, &out), cases[i].result);
	}
	m.hdr.len--;
	assert_int_equal(msg_read_request(&m, &out), -1);
}

static void
log_lines_are_printable_and_without_nul(void **state)
{
	struct {
		uint32_t level;
		char text[8];
	} line = {LOG_LEVEL_INFO, "hello"};
	const char *text;
	uint32_t level;

	(void)state;
	put(MSG_LOG, &line, sizeof(line.level) + 5);
	assert_int_equal(msg_read_log(&m, &level, &text), 0);
	assert_string_equal(text, "hello");
	m.fd = 0;
	assert_int_equal(msg_read_log(&m, &level, &text), -1);
	put(MSG_LOG, &line, sizeof(line.level) + 6); /* the NUL */
	assert_int_equal(msg_read_log(&m, &level, &text), -1);
	line.text[1] = '\033';
	put(MSG_LOG, &line, sizeof(line.level) + 5);
	assert_int_equal(msg_read_log(&m, &level, &text), -1);
	line.text[1] = 'e';
	line.level = LOG_LEVEL_COUNT;
	put(MSG_LOG, &line, sizeof(line.level) + 5);
	assert_int_equal(msg_read_log(&m, &level, &text), -1);
	put(MSG_LOG, &line, 3);
	assert_int_equal(msg_read_log(&m, &level, &text), -1);
	put(MSG_LOG, NULL, 0);
	m.hdr.len = sizeof(level) + LOG_LINE_MAX - 1;
	memset(m.data, 'x', sizeof(m.data));
	memset(m.data, 0, 4);
	assert_int_equal(msg_read_log(&m, &level, &text), 0);
	m.data[m.hdr.len++] = 'x'; /* where the reader put the NUL */
	assert_int_equal(msg_read_log(&m, &level, &text), -1);
}

/* What the reader makes of a line that a child logs. */
static void
logged(const char *line, const char *expected)
{
	const char *text;
	uint32_t level;
	int sv[2];

	assert_int_equal(
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv), 0);
	msg_send_log(sv[0], LOG_LEVEL_WARN, line);
	assert_int_equal(imsg_read(sv[1], &m), 1);
	assert_int_equal(m.hdr.type, MSG_LOG);
	assert_int_equal(msg_read_log(&m, &level, &text), 0);
	assert_int_equal(level, LOG_LEVEL_WARN);
	assert_string_equal(text, expected);
	close(sv[0]);
	close(sv[1]);
}

static void
any_line_that_a_child_logs_can_be_read(void **state)
{
	char line[2 * LOG_LINE_MAX] = "", cut[LOG_LINE_MAX] = "";

	(void)state;
	logged("hello", "hello");
	logged("", "");
	logged("a\033b\nc\x7f\xc3\xa9 ~", "a?b?c??? ~");
	memset(line, 'x', sizeof(line) - 1);
	memset(cut, 'x', sizeof(cut) - 1);
	logged(line, cut);
}

static void
a_line_that_finds_the_channel_full_is_lost(void **state)
{
	int sv[2], i;

	(void)state;
	assert_int_equal(
	    socketpair(
		AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, sv),
	    0);
	while (imsg_send(sv[0], MSG_TUN_GONE, 0, NULL, 0, -1) == 0)
		continue;
	msg_send_log(sv[0], LOG_LEVEL_WARN, "hello");
	for (i = 0; imsg_read(sv[1], &m) == 1; i++)
		assert_int_equal(m.hdr.type, MSG_TUN_GONE);
	assert_true(i > 0);
	close(sv[0]);
	close(sv[1]);
}

static void
replies_and_events_are_text(void **state)
{
	struct {
		uint32_t status;
		char text[4];
	} reply = {REPLY_OK, "{}"};
	const char *text;
	uint32_t status;

	(void)state;
	put(MSG_CONTROL_REPLY, &reply, 6);
	assert_int_equal(msg_read_reply(&m, &status, &text), 0);
	assert_string_equal(text, "{}");
	reply.status = REPLY_COUNT;
	put(MSG_CONTROL_REPLY, &reply, 6);
	assert_int_equal(msg_read_reply(&m, &status, &text), -1);
	memset(m.data, 'x', sizeof(m.data));
	memset(m.data, 0, sizeof(status));
	m.hdr.len = IMSG_DATA_MAX; /* no room for the NUL */
	assert_int_equal(msg_read_reply(&m, &status, &text), -1);
	m.hdr.len--;
	assert_int_equal(msg_read_reply(&m, &status, &text), 0);
	put(MSG_CONTROL_EVENT, "{}", 2);
	assert_int_equal(msg_read_event(&m, &text), 0);
	assert_string_equal(text, "{}");
	m.fd = 0;
	assert_int_equal(msg_read_event(&m, &text), -1);
	put(MSG_CONTROL_EVENT, "{}", 3);
	assert_int_equal(msg_read_event(&m, &text), -1);
	put(MSG_CONTROL_EVENT, NULL, 0);
	assert_int_equal(msg_read_event(&m, &text), -1);
	memset(m.data, 'x', sizeof(m.data));
	m.hdr.len = LIMIT_EVENT + 1;
	assert_int_equal(msg_read_event(&m, &text), -1);
	m.hdr.len = LIMIT_EVENT;
	assert_int_equal(msg_read_event(&m, &text), 0);
}

static void
descriptors_come_where_they_belong(void **state)
{
	int fd;

	(void)state;
	put(0, NULL, 0);
	assert_int_equal(msg_take_fd(&m, &fd), -1);
	assert_int_equal(msg_read_empty(&m), 0);
	m.fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	assert_int_equal(msg_read_empty(&m), -1);
	assert_int_equal(msg_take_fd(&m, &fd), 0);
	assert_int_equal(m.fd, -1);
	close(fd);
	put(0, "x", 1);
	assert_int_equal(msg_read_empty(&m), -1);
	m.fd = 0;
	assert_int_equal(msg_take_fd(&m, &fd), -1);
}

static void
every_message_offload_and_process_has_a_name(void **state)
{
	enum offload o;
	enum process_kind p;
	uint32_t type;

	(void)state;
	for (type = MSG_WORKER_CONFIG; type <= MSG_WORKER_LOG_LEVEL; type++)
		assert_string_not_equal(msg_type_name(type), "?");
	for (type = MSG_CONTROL_CONFIG; type <= MSG_CONTROL_LOG_LEVEL; type++)
		assert_string_not_equal(msg_type_name(type), "?");
	for (type = MSG_READY; type <= MSG_REQUEST; type++)
		assert_string_not_equal(msg_type_name(type), "?");
	assert_string_equal(msg_type_name(0), "?");
	for (o = 0; o < OFFLOAD_COUNT; o++)
		assert_string_not_equal(offload_name(o), "?");
	for (p = 0; p < PROCESS_COUNT; p++)
		assert_string_not_equal(process_name(p), "?");
	assert_string_equal(sched_policy_name(SCHED_POLICY_BATCH), "batch");
	assert_string_equal(sched_policy_name(SCHED_POLICY_RR), "rr");
	assert_string_equal(sched_policy_name(SCHED_POLICY_COUNT), "?");
}

static void
a_word_switches_one_offload_or_two(void **state)
{
	static const struct {
		const char *name;
		uint32_t bits;
	} words[OFFLOAD_WORDS] = {
	    {"tso", OFFLOAD_BIT(OFFLOAD_TSO_TX)},
	    {"uso", OFFLOAD_BIT(OFFLOAD_USO_TX)},
	    {"gro", OFFLOAD_BIT(OFFLOAD_TSO_RX) | OFFLOAD_BIT(OFFLOAD_USO_RX)},
	    {"tso-tx", OFFLOAD_BIT(OFFLOAD_TSO_TX)},
	    {"uso-tx", OFFLOAD_BIT(OFFLOAD_USO_TX)},
	    {"tso-rx", OFFLOAD_BIT(OFFLOAD_TSO_RX)},
	    {"uso-rx", OFFLOAD_BIT(OFFLOAD_USO_RX)},
	    {"udp-gso", OFFLOAD_BIT(OFFLOAD_UDP_GSO)},
	    {"udp-gro", OFFLOAD_BIT(OFFLOAD_UDP_GRO)},
	};
	char list[sizeof(OFFLOAD_WORD_LIST) + 1] = "";
	size_t i, n, used = 0;

	(void)state;
	for (i = 0; i < OFFLOAD_WORDS; i++) {
		n = offload_word_find(words[i].name);
		assert_true(n < OFFLOAD_WORDS);
		assert_int_equal(offload_word(n)->bits, words[i].bits);
		used += (size_t)snprintf(list + used, sizeof(list) - used,
		    "%s%s", i == 0 ? "" : ", ", words[i].name);
	}
	assert_string_equal(list, OFFLOAD_WORD_LIST);
	assert_int_equal(offload_word_find("tso-"), OFFLOAD_WORDS);
	assert_int_equal(offload_word_find(""), OFFLOAD_WORDS);
}

static void
the_counters_page_is_shared_and_cannot_shrink(void **state)
{
	const struct counters *seen;
	struct counters *page;
	int fd = counters_create(3), ro;

	(void)state;
	assert_int_not_equal(fd, -1);
	page = counters_map(fd);
	ro = counters_reopen_readonly(fd);
	assert_non_null(page);
	assert_int_not_equal(ro, -1);
	seen = counters_map_readonly(ro);
	assert_non_null(seen);
	assert_null(counters_map(ro)); /* not for writing */
	counter_add(&page->c[COUNTER_TX_PACKETS], 5);
	counter_add(&page->c[COUNTER_TX_PACKETS], 2);
	assert_int_equal(counter_read(&seen->c[COUNTER_TX_PACKETS]), 7);
	assert_int_equal(seen->slots, 3);
	assert_int_equal(ftruncate(fd, 0), -1);
	assert_int_equal(ftruncate(fd, 2 * sizeof(*page)), -1);
	/* nor can who has it keep the parent from writing there */
	assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE), -1);
	assert_int_equal(write(ro, "x", 1), -1);
	counters_unmap(page);
	counters_unmap(seen);
	close(fd);
	close(ro);
	assert_int_equal(counters_create(LIMIT_SLOTS + 1), -1);
}

static void
what_is_no_counters_page_is_not_mapped(void **state)
{
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	(void)state;
	assert_null(counters_map(fd));
	close(fd);
	assert_null(counters_map(-1));
	/* nor one that is too small, for to read it would be the end */
	fd = memfd_create("small", MFD_CLOEXEC);
	assert_int_equal(ftruncate(fd, 8192), 0);
	assert_int_equal(counters_write_head(fd, 3), 0);
	assert_null(counters_map(fd));
	close(fd);
}

static void
a_head_that_was_overwritten_can_be_written_again(void **state)
{
	int fd = counters_create(3);
	struct counters *page = counters_map(fd);

	(void)state;
	assert_non_null(page);
	counter_add(&page->c[COUNTER_TX_PACKETS], 7);
	page->magic++;
	assert_null(counters_map_readonly(fd));
	assert_int_equal(errno, EBADMSG);
	page->magic--;
	page->slots = LIMIT_SLOTS + 1;
	assert_null(counters_map_readonly(fd));
	counters_unmap(page);
	assert_int_equal(counters_write_head(fd, 3), 0);
	page = counters_map(fd);
	assert_non_null(page);
	assert_int_equal(page->slots, 3);
	assert_int_equal(counter_read(&page->c[COUNTER_TX_PACKETS]), 7);
	counters_unmap(page);
	close(fd);
}

static void
every_counter_is_described_once(void **state)
{
	size_t i, j;

	(void)state;
	for (i = 0; i < COUNTER_COUNT; i++) {
		assert_non_null(counter_info[i].name);
		assert_true(strlen(counter_info[i].help) > 8);
		assert_true(strlen(counter_info[i].unit) > 0);
		for (j = 0; j < i; j++)
			assert_string_not_equal(
			    counter_info[i].name, counter_info[j].name);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(worker_config_is_exact_and_in_range),
	    cmocka_unit_test(peers_have_a_family_and_a_slot),
	    cmocka_unit_test(
		prefixes_come_in_whole_numbers_and_fit_their_family),
	    cmocka_unit_test(offloads_and_levels_are_in_range),
	    cmocka_unit_test(only_what_the_kernel_may_refuse_is_refused),
	    cmocka_unit_test(control_config_is_exact_and_in_range),
	    cmocka_unit_test(ready_is_what_has_the_required_layers),
	    cmocka_unit_test(requests_are_known_and_in_range),
	    cmocka_unit_test(log_lines_are_printable_and_without_nul),
	    cmocka_unit_test(any_line_that_a_child_logs_can_be_read),
	    cmocka_unit_test(a_line_that_finds_the_channel_full_is_lost),
	    cmocka_unit_test(replies_and_events_are_text),
	    cmocka_unit_test(descriptors_come_where_they_belong),
	    cmocka_unit_test(every_message_offload_and_process_has_a_name),
	    cmocka_unit_test(a_word_switches_one_offload_or_two),
	    cmocka_unit_test(the_counters_page_is_shared_and_cannot_shrink),
	    cmocka_unit_test(what_is_no_counters_page_is_not_mapped),
	    cmocka_unit_test(a_head_that_was_overwritten_can_be_written_again),
	    cmocka_unit_test(every_counter_is_described_once),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

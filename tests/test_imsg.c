#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "ipc/channel.h"
#include "ipc/fdpass.h"
#include "ipc/imsg.h"

static int sv[2];
static struct imsg m;
static bool memory_is_short;

void *__real_malloc(size_t);
void *__wrap_malloc(size_t);

void *
__wrap_malloc(size_t size)
{
	return memory_is_short ? NULL : __real_malloc(size);
}

static int
make_pair(void **state)
{
	(void)state;
	memset(&m, 0, sizeof(m));
	m.fd = -1;
	return socketpair(
	    AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, sv);
}

static int
close_pair(void **state)
{
	(void)state;
	if (m.fd != -1)
		close(m.fd);
	close(sv[0]);
	close(sv[1]);
	return 0;
}

/* How many descriptors this process has open. */
static int
count_fds(void)
{
	int fd, n = 0;

	for (fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) != -1;
	return n;
}

static void
a_message_arrives_whole(void **state)
{
	(void)state;
	assert_int_equal(imsg_send(sv[0], 7, 9, "hello", 5, -1), 0);
	assert_int_equal(imsg_recv(sv[1], &m), 1);
	assert_int_equal(m.hdr.type, 7);
	assert_int_equal(m.hdr.id, 9);
	assert_int_equal(m.hdr.len, 5);
	assert_memory_equal(m.data, "hello", 5);
	assert_int_equal(m.fd, -1);
}

static void
the_largest_message_passes_and_a_larger_one_does_not(void **state)
{
	static uint8_t data[IMSG_DATA_MAX + 1];

	(void)state;
	memset(data, 0x5a, sizeof(data));
	assert_int_equal(imsg_send(sv[0], 1, 0, data, IMSG_DATA_MAX, -1), 0);
	assert_int_equal(imsg_read(sv[1], &m), 1);
	assert_memory_equal(m.data, data, IMSG_DATA_MAX);
	assert_int_equal(
	    imsg_send(sv[0], 1, 0, data, IMSG_DATA_MAX + 1, -1), -1);
	assert_int_equal(errno, EMSGSIZE);
}

static void
a_descriptor_travels_and_is_close_on_exec(void **state)
{
	struct stat a, b;
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

	(void)state;
	assert_int_not_equal(null, -1);
	assert_int_equal(imsg_send(sv[0], 1, 0, NULL, 0, null), 0);
	assert_int_equal(imsg_recv(sv[1], &m), 1);
	assert_int_not_equal(m.fd, -1);
	assert_int_equal(fstat(null, &a) | fstat(m.fd, &b), 0);
	assert_int_equal(a.st_rdev, b.st_rdev);
	assert_int_equal(fcntl(m.fd, F_GETFD), FD_CLOEXEC);
	close(null);
}

static void
nothing_there_is_eagain_and_a_closed_end_is_eof(void **state)
{
	(void)state;
	assert_int_equal(imsg_recv(sv[1], &m), -1);
	assert_int_equal(errno, EAGAIN);
	shutdown(sv[0], SHUT_WR);
	assert_int_equal(imsg_recv(sv[1], &m), 0);
}

static void
datagrams_that_are_no_messages_are_refused(void **state)
{
	struct imsg_hdr h = {.type = 1, .len = 4};
	uint8_t buf[64] = {0};
	static uint8_t large[40000];

	(void)state;
	/* shorter than a header */
	assert_int_equal(send(sv[0], buf, 3, 0), 3);
	assert_int_equal(imsg_recv(sv[1], &m), -1);
	assert_int_equal(errno, EBADMSG);
	/* a length that says more, or less, than came */
	memcpy(buf, &h, sizeof(h));
	assert_int_equal(send(sv[0], buf, sizeof(h) + 3, 0), sizeof(h) + 3);
	assert_int_equal(imsg_recv(sv[1], &m), -1);
	assert_int_equal(errno, EBADMSG);
	assert_int_equal(send(sv[0], buf, sizeof(h) + 5, 0), sizeof(h) + 5);
	assert_int_equal(imsg_read(sv[1], &m), -1);
	assert_int_equal(errno, EBADMSG);
	/* flags that we do not know */
	h.len = 0;
	h.flags = 1;
	memcpy(buf, &h, sizeof(h));
	assert_int_equal(send(sv[0], buf, sizeof(h), 0), sizeof(h));
	assert_int_equal(imsg_recv(sv[1], &m), -1);
	assert_int_equal(errno, EBADMSG);
	/* longer than any message, which its head does not say */
	h.flags = 0;
	h.len = IMSG_DATA_MAX;
	memcpy(large, &h, sizeof(h));
	assert_int_equal(send(sv[0], large, sizeof(large), 0), 40000);
	assert_int_equal(imsg_recv(sv[1], &m), -1);
	assert_int_equal(errno, EBADMSG);
}

/* Sends count descriptors with one datagram, as our own code never would. */
static void
send_many(int count)
{
	struct imsg_hdr h = {.type = 1};
	struct iovec iov = {&h, sizeof(h)};
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(sizeof(int) * 16)];
	} control = {0};
	struct msghdr msg = {.msg_iov = &iov,
	    .msg_iovlen = 1,
	    .msg_control = control.buf,
	    .msg_controllen = CMSG_SPACE(sizeof(int) * (size_t)count)};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);
	int fds[16] = {0}, i;

	for (i = 0; i < count; i++)
		fds[i] = sv[0];
	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(int) * (size_t)count);
	memcpy(CMSG_DATA(cmsg), fds, sizeof(int) * (size_t)count);
	assert_int_equal(sendmsg(sv[0], &msg, 0), sizeof(h));
}

static void
more_than_one_descriptor_is_refused_and_all_are_closed(void **state)
{
	int before = count_fds(), count;

	(void)state;
	for (count = 2; count <= 16; count += 7) {
		send_many(count);
		assert_int_equal(imsg_recv(sv[1], &m), -1);
		assert_int_equal(errno, EBADMSG);
		assert_int_equal(m.fd, -1);
		assert_int_equal(count_fds(), before);
	}
}

static void
other_control_messages_are_refused(void **state)
{
	int on = 1;

	(void)state;
	assert_int_equal(
	    setsockopt(sv[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)), 0);
	assert_int_equal(imsg_send(sv[0], 1, 0, NULL, 0, -1), 0);
	assert_int_equal(imsg_recv(sv[1], &m), -1);
	assert_int_equal(errno, EBADMSG);
}

static void
a_bad_message_with_a_descriptor_leaks_nothing(void **state)
{
	struct imsg_hdr h = {.type = 1, .len = 99};
	struct iovec iov = {&h, sizeof(h)};
	int before = count_fds();

	(void)state;
	assert_int_equal(fdpass_send(sv[0], &iov, 1, sv[0]), sizeof(h));
	assert_int_equal(imsg_recv(sv[1], &m), -1);
	assert_int_equal(errno, EBADMSG);
	assert_int_equal(count_fds(), before);
	/* nor is one of no byte the end */
	iov.iov_len = 0;
	assert_int_equal(fdpass_send(sv[0], &iov, 1, sv[0]), 0);
	assert_int_equal(imsg_recv(sv[1], &m), -1);
	assert_int_equal(errno, EBADMSG);
	assert_int_equal(count_fds(), before);
}

static void
a_descriptor_that_finds_no_room_is_missed(void **state)
{
	struct rlimit before, none;

	(void)state;
	assert_int_equal(imsg_send(sv[0], 1, 0, NULL, 0, sv[0]), 0);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = before;
	none.rlim_cur = 0;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	assert_int_equal(imsg_recv(sv[1], &m), -1);
	assert_int_equal(errno, EBADMSG);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
}

/* A channel's other side in the tests is the raw socket sv[0]. */
static struct {
	unsigned int messages;
	const char *closed;
	struct channel *ch;
	bool free_in_callback;
} seen;

static void
on_message(struct imsg *msg, void *arg)
{
	(void)msg;
	(void)arg;
	seen.messages++;
	if (seen.free_in_callback)
		channel_free(seen.ch);
}

static void
on_close(const char *why, void *arg)
{
	(void)arg;
	seen.closed = why;
}

static struct event_base *
open_channel(void)
{
	struct event_base *base = event_base_new();

	memset(&seen, 0, sizeof(seen));
	assert_non_null(base);
	seen.ch = channel_new(
	    base, dup(sv[1]), imsg_recv, on_message, on_close, NULL);
	assert_non_null(seen.ch);
	return base;
}

static void
turn(struct event_base *base)
{
	int i;

	for (i = 0; i < 64; i++)
		event_base_loop(base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
}

static void
a_channel_queues_what_does_not_fit_and_keeps_order(void **state)
{
	struct event_base *base = open_channel();
	uint32_t i, got = 0;
	int before, n = 2000;

	(void)state;
	before = count_fds();
	for (i = 0; i < (uint32_t)n; i++)
		assert_int_equal(channel_send(seen.ch, 1, i, m.data, 1000,
				     i == 1999 ? sv[0] : -1),
		    0);
	while (got < (uint32_t)n) {
		if (imsg_recv(sv[0], &m) == 1) {
			assert_int_equal(m.hdr.id, got);
			got++;
			continue;
		}
		turn(base);
	}
	assert_int_not_equal(m.fd, -1);
	close(m.fd);
	m.fd = -1;
	assert_int_equal(count_fds(), before);
	channel_free(seen.ch);
	event_base_free(base);
}

/* Sends until that fails, and looks for what is told of it. */
static void
send_until_it_dies(bool is_short, const char *why)
{
	struct event_base *base = open_channel();
	unsigned int i;

	memory_is_short = is_short;
	for (i = 0; i < 100000; i++)
		if (channel_send(seen.ch, 1, 0, m.data, IMSG_DATA_MAX, -1) ==
		    -1)
			break;
	memory_is_short = false;
	/* twice what may wait, and what the socket holds */
	assert_true(i < (32 << 20) / IMSG_DATA_MAX);
	assert_null(seen.closed);
	turn(base);
	assert_non_null(seen.closed);
	assert_string_equal(seen.closed, why);
	channel_free(seen.ch);
	event_base_free(base);
}

/* What the channel sends in the next turn, read from its other side. */
static uint32_t
next_turn(struct event_base *base)
{
	uint32_t got = 0;

	event_base_loop(base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
	while (imsg_recv(sv[0], &m) == 1)
		got++;
	return got;
}

/* Else its answers fill its own side, which nobody reads meanwhile. */
static void
a_channel_hears_who_answers_before_it_sends_more(void **state)
{
	struct event_base *base = open_channel();
	uint32_t i, got, total = 0;

	(void)state;
	for (i = 0; i < 2000; i++)
		assert_int_equal(
		    channel_send(seen.ch, 1, i, m.data, 100, -1), 0);
	while (imsg_recv(sv[0], &m) == 1)
		total++;
	assert_in_range(total, 1, 1800);
	/* who says nothing gets as much as there is room for */
	got = next_turn(base);
	assert_in_range(got, 100, 2000 - total);
	for (total += got; total < 2000; total += got) {
		for (i = 0; i < 34; i++)
			assert_int_equal(
			    imsg_send(sv[0], 1, i, NULL, 0, -1), 0);
		got = next_turn(base);
		assert_in_range(got, 1, 64);
	}
	channel_free(seen.ch);
	event_base_free(base);
}

static void
a_channel_takes_some_messages_in_a_turn(void **state)
{
	struct event_base *base = open_channel();
	uint32_t i;

	(void)state;
	for (i = 0; i < 100; i++)
		assert_int_equal(imsg_send(sv[0], 1, i, NULL, 0, -1), 0);
	event_base_loop(base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
	assert_in_range(seen.messages, 1, 50);
	turn(base);
	assert_int_equal(seen.messages, 100);
	channel_free(seen.ch);
	event_base_free(base);
}

static void
a_descriptor_that_nobody_takes_is_closed(void **state)
{
	struct event_base *base = open_channel();
	int before = count_fds();

	(void)state;
	assert_int_equal(imsg_send(sv[0], 1, 0, NULL, 0, sv[0]), 0);
	turn(base);
	assert_int_equal(seen.messages, 1);
	assert_int_equal(count_fds(), before);
	channel_free(seen.ch);
	event_base_free(base);
}

static void
what_was_not_sent_is_closed_with_the_channel(void **state)
{
	int before = count_fds();
	struct event_base *base = open_channel();
	int opened = count_fds();

	(void)state;
	while (count_fds() < opened + 8)
		assert_int_equal(
		    channel_send(seen.ch, 1, 0, m.data, 1000, sv[0]), 0);
	channel_free(seen.ch);
	event_base_free(base);
	assert_int_equal(count_fds(), before);
}

/* What the other side is sent, until nothing waits. */
static void
read_all(struct event_base *base)
{
	while (channel_unsent(seen.ch) > 0) {
		while (imsg_recv(sv[0], &m) == 1)
			if (m.fd != -1)
				close(m.fd);
		turn(base);
	}
}

/* However much that was. */
static void
what_was_read_does_not_count_as_unread(void **state)
{
	struct event_base *base = open_channel();
	unsigned int i;

	(void)state;
	for (i = 0; i < 1000; i++) {
		assert_int_equal(channel_send(seen.ch, 1, 0, m.data,
				     IMSG_DATA_MAX, i % 50 == 49 ? sv[0] : -1),
		    0);
		if (i % 50 == 0)
			read_all(base);
	}
	assert_true(channel_unsent(seen.ch) > IMSG_DATA_MAX);
	assert_true(channel_has_unsent_fds(seen.ch));
	read_all(base);
	assert_int_equal(channel_unsent(seen.ch), 0);
	assert_false(channel_has_unsent_fds(seen.ch));
	channel_free(seen.ch);
	event_base_free(base);
}

static unsigned int to_come;

static int
receive_much(int sock, struct imsg *msg)
{
	(void)sock;
	msg->fd = -1;
	if (to_come == 0) {
		errno = EAGAIN;
		return -1;
	}
	to_come--;
	return 1;
}

/* Somebody else may have the other end, too, and go on. */
static void
to_drain_a_channel_has_an_end(void **state)
{
	struct event_base *base = event_base_new();

	(void)state;
	memset(&seen, 0, sizeof(seen));
	seen.ch = channel_new(
	    base, dup(sv[1]), receive_much, on_message, on_close, NULL);
	to_come = 1000000;
	channel_drain(seen.ch);
	assert_in_range(seen.messages, 1000, 10000);
	channel_free(seen.ch);
	event_base_free(base);
}

static void
a_channel_that_is_not_read_dies_and_says_so(void **state)
{
	(void)state;
	send_until_it_dies(false, "does not read what it is sent");
}

static void
the_other_side_is_not_blamed_for_a_lack_of_memory(void **state)
{
	(void)state;
	send_until_it_dies(true, "cannot be sent to: memory is short");
}

static void
a_channel_tells_of_eof_and_of_nonsense_once(void **state)
{
	struct event_base *base = open_channel();

	(void)state;
	assert_int_equal(send(sv[0], "x", 1, 0), 1);
	turn(base);
	assert_string_equal(seen.closed, "sent what is no message");
	seen.closed = NULL;
	turn(base);
	assert_null(seen.closed);
	channel_free(seen.ch);
	event_base_free(base);
}

static void
a_channel_may_be_freed_in_its_callback(void **state)
{
	struct event_base *base = open_channel();

	(void)state;
	seen.free_in_callback = true;
	assert_int_equal(imsg_send(sv[0], 1, 0, NULL, 0, -1), 0);
	assert_int_equal(imsg_send(sv[0], 1, 0, NULL, 0, -1), 0);
	turn(base);
	assert_int_equal(seen.messages, 1);
	event_base_free(base);
}

#define PAIR_TEST(f) cmocka_unit_test_setup_teardown(f, make_pair, close_pair)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    PAIR_TEST(a_message_arrives_whole),
	    PAIR_TEST(the_largest_message_passes_and_a_larger_one_does_not),
	    PAIR_TEST(a_descriptor_travels_and_is_close_on_exec),
	    PAIR_TEST(nothing_there_is_eagain_and_a_closed_end_is_eof),
	    PAIR_TEST(datagrams_that_are_no_messages_are_refused),
	    PAIR_TEST(more_than_one_descriptor_is_refused_and_all_are_closed),
	    PAIR_TEST(other_control_messages_are_refused),
	    PAIR_TEST(a_bad_message_with_a_descriptor_leaks_nothing),
	    PAIR_TEST(a_descriptor_that_finds_no_room_is_missed),
	    PAIR_TEST(a_channel_queues_what_does_not_fit_and_keeps_order),
	    PAIR_TEST(a_channel_hears_who_answers_before_it_sends_more),
	    PAIR_TEST(a_channel_takes_some_messages_in_a_turn),
	    PAIR_TEST(a_descriptor_that_nobody_takes_is_closed),
	    PAIR_TEST(what_was_not_sent_is_closed_with_the_channel),
	    PAIR_TEST(what_was_read_does_not_count_as_unread),
	    PAIR_TEST(to_drain_a_channel_has_an_end),
	    PAIR_TEST(a_channel_that_is_not_read_dies_and_says_so),
	    PAIR_TEST(the_other_side_is_not_blamed_for_a_lack_of_memory),
	    PAIR_TEST(a_channel_tells_of_eof_and_of_nonsense_once),
	    PAIR_TEST(a_channel_may_be_freed_in_its_callback),
	};

	signal(SIGPIPE, SIG_IGN);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

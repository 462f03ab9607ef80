#include <sys/socket.h>
#include <sys/uio.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/rig.h"
#include "worker/csum.h"
#include "worker/egress.h"
#include "worker/ingress.h"
#include "worker/report.h"

#ifndef SOL_UDP
#define SOL_UDP 17
#endif
#define RIG_UDP_SEGMENT 103
#define RIG_UDP_GRO 104
#define RIG_BUFFER (4 << 20)
#define RIG_WAIT_MS 5000
#define RIG_FDS 1024
#define RIG_FAULTS 8
#define RIG_MESSAGES 256

struct rig rig;
struct rig_write rig_writes[RIG_WRITES_MAX];
size_t rig_write_count;
struct rig_off rig_offs[64];
size_t rig_off_count;
size_t rig_receive_max;
jmp_buf *rig_gone;

static struct egress *egress;
static struct ingress *ingress;
static struct counters *counters;
static int segment_of[RIG_FDS];
static struct rig_fault faults[RIG_FAULTS];
static size_t fault_count;
static struct rig_message messages[RIG_MESSAGES];
static size_t message_next, message_count;

ssize_t __real_read(int, void *, size_t);
ssize_t __real_writev(int, const struct iovec *, int);
int __real_recvmmsg(
    int, struct mmsghdr *, unsigned int, int, struct timespec *);
int __real_setsockopt(int, int, int, const void *, socklen_t);
ssize_t __wrap_read(int, void *, size_t);
ssize_t __wrap_writev(int, const struct iovec *, int);
int __wrap_recvmmsg(
    int, struct mmsghdr *, unsigned int, int, struct timespec *);
int __wrap_setsockopt(int, int, int, const void *, socklen_t);

void
report_offload_off(enum offload o, int error, int slot)
{
	assert_true(rig_off_count < sizeof(rig_offs) / sizeof(rig_offs[0]));
	rig_offs[rig_off_count++] = (struct rig_off){o, error, slot};
}

void
report_tun_gone(void)
{
	if (rig_gone == NULL)
		abort(); /* no test wanted that */
	longjmp(*rig_gone, 1);
}

void
rig_fail(struct rig_fault f)
{
	assert_true(fault_count < RIG_FAULTS);
	faults[fault_count++] = f;
}

bool
rig_faults_done(void)
{
	bool done = true;

	while (fault_count > 0)
		done = faults[--fault_count].count == 0 && done;
	return done;
}

/* The error that this call is to give, or 0. */
static int
fault(enum rig_call call, int fd, enum rig_match what)
{
	struct rig_fault *f;
	size_t i;

	for (i = 0; i < fault_count; i++) {
		f = &faults[i];
		if (f->call != call || f->fd != fd || f->count == 0 ||
		    (f->match != RIG_ANY && f->match != what))
			continue;
		if (f->skip > 0) {
			f->skip--;
			continue;
		}
		f->count--;
		return f->error;
	}
	return 0;
}

ssize_t
__wrap_read(int fd, void *buf, size_t len)
{
	int error = fault(RIG_READ, fd, RIG_ANY);

	if (error == 0) {
		/* all that it may fill is there */
		memset(buf, 0xa5, len);
		return __real_read(fd, buf, len);
	}
	errno = error;
	return -1;
}

static enum rig_match
what_is_written(int fd, const struct iovec *iov, size_t bytes)
{
	const uint8_t *vnet = iov[0].iov_base;

	if (fd != rig.w.tun)
		return segment_of[fd] > 0 && bytes > (size_t)segment_of[fd]
			   ? RIG_RUN
			   : RIG_ANY;
	if (!rig.w.vnet_hdr || vnet[1] == GSO_NONE)
		return RIG_ANY;
	return vnet[1] == GSO_UDP ? RIG_MERGED_UDP : RIG_MERGED_TCP;
}

ssize_t
__wrap_writev(int fd, const struct iovec *iov, int iovcnt)
{
	size_t bytes = 0;
	int i, error;
	ssize_t n = -1;

	for (i = 0; i < iovcnt; i++)
		bytes += iov[i].iov_len;
	error = fault(RIG_WRITEV, fd, what_is_written(fd, iov, bytes));
	if (error == 0 && (n = __real_writev(fd, iov, iovcnt)) == -1)
		error = errno;
	assert_true(rig_write_count < RIG_WRITES_MAX);
	rig_writes[rig_write_count++] =
	    (struct rig_write){fd, bytes, iovcnt, segment_of[fd], error};
	errno = error;
	return n;
}

int
__wrap_setsockopt(int fd, int level, int name, const void *value, socklen_t len)
{
	bool segment = level == SOL_UDP && name == RIG_UDP_SEGMENT;
	int error = fault(RIG_SETSOCKOPT, fd, segment ? RIG_RUN : RIG_ANY);

	if (error != 0) {
		errno = error;
		return -1;
	}
	if (__real_setsockopt(fd, level, name, value, len) == -1)
		return -1;
	if (segment && len == sizeof(segment_of[0]))
		memcpy(&segment_of[fd], value, sizeof(segment_of[0]));
	return 0;
}

static void
put_control(struct msghdr *msg, size_t *at, int level, int type,
    const void *value, size_t len)
{
	struct cmsghdr c = {
	    .cmsg_level = level, .cmsg_type = type, .cmsg_len = CMSG_LEN(len)};
	uint8_t *p = (uint8_t *)msg->msg_control + *at;

	assert_true(*at + CMSG_SPACE(len) <= msg->msg_controllen);
	memcpy(p, &c, sizeof(c));
	memcpy(p + CMSG_LEN(0), value, len);
	*at += CMSG_SPACE(len);
}

static void
put_message(struct mmsghdr *to, const struct rig_message *m)
{
	static const uint8_t odd[2] = {1, 0};
	size_t at = 0;

	assert_true(m->len <= to->msg_hdr.msg_iov->iov_len);
	memcpy(to->msg_hdr.msg_iov->iov_base, m->data, m->len);
	to->msg_len = (unsigned int)m->len;
	to->msg_hdr.msg_flags = m->flags;
	/* a length that none of ours has is to be passed over */
	if (m->has_odd)
		put_control(
		    &to->msg_hdr, &at, SOL_UDP, RIG_UDP_GRO, odd, sizeof(odd));
	if (m->has_gro)
		put_control(&to->msg_hdr, &at, SOL_UDP, RIG_UDP_GRO, &m->gro,
		    sizeof(m->gro));
	if (m->has_overflow)
		put_control(&to->msg_hdr, &at, SOL_SOCKET, SO_RXQ_OVFL,
		    &m->overflow, sizeof(m->overflow));
	to->msg_hdr.msg_controllen = at;
}

int
__wrap_recvmmsg(int fd, struct mmsghdr *msgs, unsigned int max, int flags,
    struct timespec *timeout)
{
	int error = fault(RIG_RECVMMSG, fd, RIG_ANY), n;

	rig_receive_max = max;
	if (error != 0) {
		errno = error;
		return -1;
	}
	if (message_next == message_count)
		return __real_recvmmsg(fd, msgs, max, flags, timeout);
	for (n = 0; (unsigned int)n < max && message_next < message_count; n++)
		put_message(&msgs[n], &messages[message_next++]);
	return n;
}

void
rig_receive(const struct rig_message *m, size_t count)
{
	size_t i;

	if (message_next == message_count)
		message_next = message_count = 0;
	for (i = 0; i < count; i++) {
		assert_true(message_count < RIG_MESSAGES);
		messages[message_count++] = m[i];
	}
}

static socklen_t
loopback(int family, struct sockaddr_storage *ss)
{
	struct sockaddr_in sin = {
	    .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct sockaddr_in6 sin6 = {
	    .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};

	memset(ss, 0, sizeof(*ss));
	if (family == AF_INET) {
		memcpy(ss, &sin, sizeof(sin));
		return sizeof(sin);
	}
	memcpy(ss, &sin6, sizeof(sin6));
	return sizeof(sin6);
}

static int
udp_end(int family)
{
	struct sockaddr_storage ss;
	socklen_t len = loopback(family, &ss);
	int on = 1, size = RIG_BUFFER;
	int fd = socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	assert_in_range(fd, 0, RIG_FDS - 1);
	assert_int_equal(bind(fd, (struct sockaddr *)&ss, len), 0);
	/* without privilege what the limits allow is enough */
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size));
	assert_int_equal(
	    setsockopt(fd, SOL_SOCKET, SO_RXQ_OVFL, &on, sizeof(on)), 0);
	segment_of[fd] = 0;
	return fd;
}

static void
connect_to(int fd, int other)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);

	assert_int_equal(getsockname(other, (struct sockaddr *)&ss, &len), 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&ss, len), 0);
}

static void
open_slot(size_t slot)
{
	int family = slot == RIG_SLOT_IPV6 ? AF_INET6 : AF_INET, on = 1;
	int fd = udp_end(family);

	rig.far[slot] = udp_end(family);
	connect_to(fd, rig.far[slot]);
	connect_to(rig.far[slot], fd);
	assert_int_equal(
	    setsockopt(fd, SOL_UDP, RIG_UDP_GRO, &on, sizeof(on)), 0);
	rig.w.peers.peer[slot].fd = fd;
}

void
rig_add_peer(size_t slot)
{
	struct peers *ps = &rig.w.peers;
	struct prefix p = {{4, {10, 9, 0, RIG_HOST(slot)}}, 32};

	assert_int_equal(peers_add(ps, slot, slot == RIG_SLOT_IPV6 ? 6 : 4), 0);
	assert_int_equal(peers_add_prefix(ps, slot, &p), 0);
	p = (struct prefix){{6, {0xfd, 0x09, [15] = RIG_HOST(slot)}}, 128};
	assert_int_equal(peers_add_prefix(ps, slot, &p), 0);
}

static void
open_tun(void)
{
	int sv[2], size = RIG_BUFFER;

	assert_int_equal(socketpair(AF_UNIX,
			     SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, sv),
	    0);
	for (size_t i = 0; i < 2; i++) {
		setsockopt(sv[i], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
		setsockopt(
		    sv[i], SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size));
		assert_in_range(sv[i], 0, RIG_FDS - 1);
		segment_of[sv[i]] = 0;
	}
	rig.w.tun = sv[0];
	rig.tun = sv[1];
}

int
rig_setup(void **state)
{
	size_t i;

	(void)state;
	csum_init();
	/* their memory is taken once, as in the worker */
	if (egress == NULL) {
		egress = egress_new();
		ingress = ingress_new();
		counters = malloc(sizeof(*counters));
	}
	assert_true(egress != NULL && ingress != NULL && counters != NULL);
	memset(counters, 0, sizeof(*counters));
	memset(&rig, 0, sizeof(rig));
	rig_write_count = rig_off_count = fault_count = 0;
	message_next = message_count = 0;
	rig_gone = NULL;
	rig.w.vnet_hdr = true;
	rig.w.offloads = OFFLOAD_ALL;
	rig.w.counters = counters;
	rig.w.egress = egress;
	rig.w.ingress = ingress;
	open_tun();
	assert_int_equal(peers_init(&rig.w.peers, RIG_SLOTS, 64, counters), 0);
	for (i = 0; i < RIG_SLOTS; i++)
		open_slot(i);
	peers_begin(&rig.w.peers);
	for (i = 0; i < RIG_SLOTS; i++)
		rig_add_peer(i);
	assert_int_equal(peers_commit(&rig.w.peers), 0);
	return 0;
}

int
rig_teardown(void **state)
{
	(void)state;
	for (size_t i = 0; i < RIG_SLOTS; i++) {
		close(rig.far[i]);
		close(rig.w.peers.peer[i].fd);
	}
	close(rig.tun);
	close(rig.w.tun);
	prefix_table_free(rig.w.peers.table);
	prefix_table_free(rig.w.peers.next_table);
	return 0;
}

uint64_t
rig_counter(enum counter c)
{
	return counter_read(&counters->c[c]);
}

uint64_t
rig_drops(void)
{
	uint64_t sum = 0;

	for (enum counter c = 0; c < COUNTER_COUNT; c++)
		if (strstr(counter_info[c].name, "_drop_") != NULL)
			sum += rig_counter(c);
	return sum;
}

void
rig_frame(const void *data, size_t len)
{
	assert_int_equal(send(rig.tun, data, len, 0), (ssize_t)len);
}

void
rig_take_frames(struct list *l)
{
	static uint8_t buf[VNET_LEN + PACKET_MAX];
	ssize_t n;

	while ((n = recv(rig.tun, buf, sizeof(buf), 0)) != -1)
		list_add(l, buf, (size_t)n);
	assert_int_equal(errno, EAGAIN);
}

static bool
readable(int fd, int ms)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	return poll(&p, 1, ms) == 1;
}

void
rig_take(size_t slot, struct list *l, size_t count)
{
	static uint8_t buf[PACKET_MAX];
	size_t got = 0;
	ssize_t n;

	/* one too many is looked for without waiting: loopback is at once */
	while (readable(rig.far[slot], got < count ? RIG_WAIT_MS : 0)) {
		n = recv(rig.far[slot], buf, sizeof(buf), 0);
		assert_int_not_equal(n, -1);
		list_add(l, buf, (size_t)n);
		got++;
	}
	assert_int_equal(got, count);
}

void
rig_datagrams(size_t slot, const void *data, size_t len, uint16_t size)
{
	int segment = size;
	ssize_t n;

	assert_int_equal(__real_setsockopt(rig.far[slot], SOL_UDP,
			     RIG_UDP_SEGMENT, &segment, sizeof(segment)),
	    0);
	n = send(rig.far[slot], data, len, 0);
	assert_int_equal(n, (ssize_t)len);
}

void
rig_wait(size_t slot)
{
	assert_true(readable(rig.w.peers.peer[slot].fd, RIG_WAIT_MS));
}

size_t
rig_sends(size_t slot, struct rig_write *out, size_t room)
{
	size_t i, n = 0;

	for (i = 0; i < rig_write_count; i++)
		if (rig_writes[i].fd == rig.w.peers.peer[slot].fd) {
			assert_true(n < room);
			out[n++] = rig_writes[i];
		}
	return n;
}

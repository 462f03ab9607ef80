#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <linux/if_packet.h>
#include <linux/if_tun.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/ethernet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/why.h"
#include "privsep/steering.h"
#include "tests/nets.h"
#include "tests/packets.h"

/*
 * The program in the kernel, asked by way of a device: packets are sent to it,
 * and the queues tell which of them came where.
 */
#define QUEUES 16
#define FLOWS 4096

static int queues[QUEUES];
static int packets = -1; /* a packet socket */
static struct why why;
static int bpf_error; /* what the call bpf fails with, 0: it does not */

long __real_syscall(long, ...);
long __wrap_syscall(long, ...);

long
__wrap_syscall(long number, ...)
{
	unsigned long a, b, c;
	va_list ap;

	va_start(ap, number);
	a = va_arg(ap, unsigned long);
	b = va_arg(ap, unsigned long);
	c = va_arg(ap, unsigned long);
	va_end(ap);
	if (number == SYS_bpf && bpf_error != 0) {
		errno = bpf_error;
		return -1;
	}
	return __real_syscall(number, a, b, c);
}

static int
setup(void **state)
{
	size_t i;

	(void)state;
	bpf_error = 0;
	nets_enter();
	for (i = 0; i < QUEUES; i++) {
		queues[i] = nets_tun("t0", IFF_MULTI_QUEUE);
		assert_int_equal(fcntl(queues[i], F_SETFL, O_NONBLOCK), 0);
	}
	nets_run("ip link set t0 mtu 65535 up");
	packets = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_int_not_equal(packets, -1);
	steering_load();
	if (steering_set(queues[0]) == -1)
		fail_msg("%s", strerror(errno));
	return 0;
}

static int
teardown(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < QUEUES; i++)
		close(queues[i]);
	close(packets);
	return 0;
}

/* Sends it out of the device; the queue that has it, as it was sent. */
static size_t
queue_of_bytes(const uint8_t *data, size_t len, uint16_t protocol)
{
	static uint8_t got[PACKET_MAX];
	struct sockaddr_ll to = {.sll_family = AF_PACKET,
	    .sll_protocol = htons(protocol),
	    .sll_ifindex = (int)nets_index("t0")};
	size_t i, found = QUEUES;
	ssize_t n;

	assert_int_equal(sendto(packets, data, len, 0,
			     (const struct sockaddr *)&to, sizeof(to)),
	    len);
	for (i = 0; i < QUEUES; i++) {
		n = read(queues[i], got, sizeof(got));
		if (n == -1)
			continue;
		assert_int_equal(found, QUEUES);
		assert_int_equal(n, len);
		assert_memory_equal(got, data, len);
		found = i;
	}
	assert_int_not_equal(found, QUEUES);
	return found;
}

static size_t
queue_of(const struct packet_spec *spec)
{
	static uint8_t data[PACKET_MAX];
	size_t len = packet_build(spec, data);

	return queue_of_bytes(
	    data, len, spec->version == 4 ? ETHERTYPE_IP : ETHERTYPE_IPV6);
}

static struct packet_spec
reverse(const struct packet_spec *spec)
{
	struct packet_spec back = *spec;

	back.src = spec->dst;
	back.dst = spec->src;
	back.sport = spec->dport;
	back.dport = spec->sport;
	return back;
}

static void
both_directions_take_one_queue(void **state)
{
	struct packet_spec out, back;
	unsigned int i;

	(void)state;
	EACH(version, proto)
	{
		out = packet_default(version, proto);
		for (i = 0; i < 100; i++) {
			out.src = (uint8_t)(i * 7);
			out.sport = (uint16_t)(40000 + i * i);
			back = reverse(&out);
			assert_int_equal(queue_of(&out), queue_of(&back));
		}
	}
}

/* All but addresses and ports may change within a flow. */
static void
a_flow_stays_in_its_queue(void **state)
{
	struct packet_spec p;
	size_t queue;

	(void)state;
	EACH(version, proto)
	{
		p = packet_default(version, proto);
		queue = queue_of(&p);
		packet_next(&p);
		p.tos = 0xb8;
		p.ttl = 3;
		p.df = !p.df;
		p.flow_label = 0xabcde;
		p.flags = TCP_FIN | TCP_ACK | TCP_CWR;
		p.payload = 1;
		p.fill = 99;
		assert_int_equal(queue_of(&p), queue);
		p.ip_options = version == 4 ? 40 : 0;
		p.tcp_options = proto == IPPROTO_TCP ? 40 : 0;
		assert_int_equal(queue_of(&p), queue);
	}
}

/* Other packets of a host pair that go to another queue than this one. */
static unsigned int
elsewhere(const struct packet_spec *spec, size_t queue)
{
	struct packet_spec p = *spec;
	unsigned int i, count = 0;

	for (i = 0; i < 64; i++) {
		p.sport = (uint16_t)(1024 + i);
		count += queue_of(&p) != queue;
	}
	return count;
}

static void
ports_count_where_there_are_any(void **state)
{
	static const uint8_t with[] = {IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP,
	    IPPROTO_DCCP, IPPROTO_UDPLITE};
	static const uint8_t without[] = {
	    IPPROTO_ICMP, IPPROTO_GRE, IPPROTO_ESP, IPPROTO_IPIP};
	struct packet_spec p, udp;
	uint8_t data[PACKET_MAX], version;
	size_t i, j, len, at;
	uint16_t protocol;

	(void)state;
	for (version = 4; version <= 6; version += 2) {
		udp = packet_default(version, IPPROTO_UDP);
		protocol = version == 4 ? ETHERTYPE_IP : ETHERTYPE_IPV6;
		at = version == 4 ? 9 : 6;
		assert_in_range(elsewhere(&udp, queue_of(&udp)), 48, 64);
		for (i = 0; i < sizeof(with); i++) {
			len = packet_build(&udp, data);
			data[at] = with[i];
			assert_int_equal(queue_of_bytes(data, len, protocol),
			    queue_of(&udp));
		}
		for (i = 0; i < sizeof(without); i++) {
			p = udp;
			len = packet_build(&p, data);
			data[at] = without[i];
			j = queue_of_bytes(data, len, protocol);
			p.sport++;
			len = packet_build(&p, data);
			data[at] = without[i];
			assert_int_equal(
			    queue_of_bytes(data, len, protocol), j);
		}
	}
}

/* The later ones have none, so those of the first do not count either. */
static void
of_fragments_only_the_addresses_count(void **state)
{
	static const uint16_t words[] = {
	    0x2000, 0x2001, 0x20b9, 0x0001, 0x1fff};
	struct packet_spec p = packet_default(4, IPPROTO_UDP);
	size_t i, queue;

	(void)state;
	p.frag = words[0];
	queue = queue_of(&p);
	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		p.frag = words[i];
		assert_int_equal(queue_of(&p), queue);
		assert_int_equal(elsewhere(&p, queue), 0);
	}
	/* DF, and the bit that is reserved, make no fragment */
	p.frag = 0x8000;
	assert_in_range(elsewhere(&p, queue_of(&p)), 48, 64);
}

static void
behind_an_ipv6_extension_header_no_port_counts(void **state)
{
	struct packet_spec p = packet_default(6, IPPROTO_TCP);

	(void)state;
	p.ext[0] = IPPROTO_HOPOPTS;
	p.ext_count = 1;
	assert_int_equal(elsewhere(&p, queue_of(&p)), 0);
	p.ext_count = 0;
	p.frag = 0x0001; /* a fragment header with more to come */
	assert_int_equal(elsewhere(&p, queue_of(&p)), 0);
}

/* No queue has less than half of its share, or more than one and a half. */
static void
check_spread(const unsigned int *count, unsigned int total)
{
	size_t i;

	for (i = 0; i < QUEUES; i++)
		assert_in_range(
		    count[i], total / QUEUES / 2, total / QUEUES * 3 / 2);
}

/* As hosts are: neighbours, and ports one after the other. */
static void
flows_are_spread(void **state)
{
	unsigned int by_port[QUEUES], by_host[QUEUES], by_pair[QUEUES], i;
	struct packet_spec p;

	(void)state;
	EACH(version, proto)
	{
		memset(by_port, 0, sizeof(by_port));
		memset(by_host, 0, sizeof(by_host));
		memset(by_pair, 0, sizeof(by_pair));
		p = packet_default(version, proto);
		p.payload = 0;
		for (i = 0; i < FLOWS; i++) {
			p.sport = (uint16_t)(32768 + i);
			by_port[queue_of(&p)]++;
		}
		p = packet_default(version, proto);
		for (i = 0; i < FLOWS; i++) {
			p.src = (uint8_t)(i / 64);
			p.dst = (uint8_t)(64 + i % 64);
			by_host[queue_of(&p)]++;
		}
		/* each with the one of the same number: their XOR is one */
		for (i = 0; i < 128; i++) {
			p.src = (uint8_t)i;
			p.dst = (uint8_t)(128 + i);
			by_pair[queue_of(&p)]++;
		}
		check_spread(by_port, FLOWS);
		check_spread(by_host, FLOWS);
		for (i = 0; i < QUEUES; i++)
			assert_in_range(by_pair[i], 1, 24);
	}
}

/* Whatever its length and its first bits are, it arrives. */
static void
what_is_no_packet_arrives(void **state)
{
	struct packet_spec p;
	uint8_t data[PACKET_MAX], version;
	size_t len, ports;

	(void)state;
	for (version = 4; version <= 6; version += 2) {
		p = packet_default(version, IPPROTO_UDP);
		ports = packet_l4(&p) + 4;
		packet_build(&p, data);
		for (len = 1; len < ports; len++)
			assert_int_equal(
			    queue_of_bytes(data, len, ETHERTYPE_IP), 0);
		assert_int_equal(
		    queue_of_bytes(data, ports, ETHERTYPE_IP), queue_of(&p));
	}
	memset(data, 0xff, sizeof(data));
	for (len = 1; len < 100; len++)
		queue_of_bytes(data, len, ETHERTYPE_IP);
}

/* Writes the other direction to a queue; where the flow is then. */
static size_t
after_an_answer(const struct packet_spec *p, size_t queue)
{
	static uint8_t frame[PACKET_MAX];
	struct packet_spec back = reverse(p);
	size_t len = packet_build(&back, frame);

	assert_int_equal(write(queues[queue], frame, len), len);
	return queue_of(p);
}

/* The driver alone would move the flow to the queue of the answer. */
static void
an_answer_elsewhere_moves_nothing(void **state)
{
	struct packet_spec p = packet_default(4, IPPROTO_UDP);
	size_t queue = queue_of(&p), other = (queue + 1) % QUEUES;

	(void)state;
	assert_int_equal(after_an_answer(&p, other), queue);
	steering_clear(queues[0]);
	assert_int_equal(after_an_answer(&p, other), other);
	assert_int_equal(after_an_answer(&p, queue), queue);
	assert_int_equal(after_an_answer(&p, other), other);
	assert_int_equal(steering_set(queues[0]), 0);
	assert_int_equal(after_an_answer(&p, other), queue);
}

static void
expect_refusal(int tun, int error)
{
	assert_int_equal(steering_set(tun), -1);
	assert_int_equal(errno, error);
	steering_explain(error, &why);
	assert_non_null(strstr(why.text, "may overtake each other"));
	assert_non_null(strstr(why.text, strerror(error)));
}

static void
a_refusal_is_explained(void **state)
{
	(void)state;
	bpf_error = EPERM;
	steering_load();
	expect_refusal(queues[0], EPERM);
	assert_non_null(
	    strstr(why.text, "add CAP_BPF to CapabilityBoundingSet"));
	bpf_error = ENOSYS;
	steering_load();
	expect_refusal(queues[0], ENOSYS);
	assert_null(strstr(why.text, "CAP_BPF"));
	/* what is no tun device cannot have it */
	bpf_error = 0;
	steering_load();
	expect_refusal(packets, ENOTTY);
}

#define STEERING_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    STEERING_TEST(both_directions_take_one_queue),
	    STEERING_TEST(a_flow_stays_in_its_queue),
	    STEERING_TEST(ports_count_where_there_are_any),
	    STEERING_TEST(of_fragments_only_the_addresses_count),
	    STEERING_TEST(behind_an_ipv6_extension_header_no_port_counts),
	    STEERING_TEST(flows_are_spread),
	    STEERING_TEST(what_is_no_packet_arrives),
	    STEERING_TEST(an_answer_elsewhere_moves_nothing),
	    STEERING_TEST(a_refusal_is_explained),
	};

	nets_need_root();
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("steering", tests, NULL, NULL);
}

#include <sys/socket.h>
#include <sys/time.h>

#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/*
 * UDP as fast as one thread sends it, and how much of it arrives: the same
 * program for everything that is measured.  "send" is for a number of flows
 * (destination addresses) by way of a number of peers (source addresses);
 * "receive" counts until SIGTERM.  Each prints one line of JSON.
 */
#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif
#ifndef UDP_GRO
#define UDP_GRO 104
#endif
#define BURST_MAX 64
#define PEERS_MAX 64
#define FLOWS_MAX 16384
#define RUN_BYTES 64000 /* of a send with UDP_SEGMENT; 64 segments at most */
#define BUFFER (8 << 20)

static size_t size = 64; /* payload of a datagram */
static size_t burst = BURST_MAX;
static size_t flows = 1, peers = 1;
static const char *source;
static bool runs; /* UDP_SEGMENT, UDP_GRO */
static double seconds = 5;
static double rate; /* bytes of payload a second; 0 for as fast as it goes */
static volatile sig_atomic_t stopped;

static void
on_signal(int sig)
{
	(void)sig;
	stopped = 1;
}

static double
now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void
print(const char *what, uint64_t packets, uint64_t bytes, double took)
{
	printf("{\"%s\": %llu, \"bytes\": %llu, \"seconds\": %.6f}\n", what,
	    (unsigned long long)packets, (unsigned long long)bytes, took);
}

static struct sockaddr_storage
address(const char *text, uint16_t port, socklen_t *len)
{
	struct sockaddr_storage ss = {0};
	struct sockaddr_in *v4 = (struct sockaddr_in *)&ss;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&ss;

	if (inet_pton(AF_INET, text, &v4->sin_addr) == 1) {
		ss.ss_family = AF_INET;
		v4->sin_port = htons(port);
		*len = sizeof(*v4);
	} else if (inet_pton(AF_INET6, text, &v6->sin6_addr) == 1) {
		ss.ss_family = AF_INET6;
		v6->sin6_port = htons(port);
		*len = sizeof(*v6);
	} else {
		errx(2, "%s: not an address", text);
	}
	return ss;
}

/* IPv4: the second byte is the peer's, the last two are the flow's. */
static struct sockaddr_storage
step(const struct sockaddr_storage *base, size_t peer, size_t flow)
{
	struct sockaddr_storage ss = *base;
	struct sockaddr_in *v4 = (struct sockaddr_in *)&ss;

	if (ss.ss_family == AF_INET)
		v4->sin_addr.s_addr = htonl(
		    ntohl(v4->sin_addr.s_addr) + (uint32_t)(peer << 16 | flow));
	return ss;
}

static int
send_socket(int family, size_t peer)
{
	struct sockaddr_storage ss;
	socklen_t len;
	int fd, value = BUFFER;

	if ((fd = socket(family, SOCK_DGRAM, 0)) == -1)
		err(1, "socket");
	setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &value, sizeof(value));
	if (source != NULL) {
		ss = address(source, 0, &len);
		ss = step(&ss, peer, 0);
		if (bind(fd, (struct sockaddr *)&ss, len) == -1)
			err(1, "bind to %s", source);
	}
	value = (int)size;
	if (runs &&
	    setsockopt(fd, SOL_UDP, UDP_SEGMENT, &value, sizeof(value)) == -1)
		err(1, "UDP_SEGMENT");
	return fd;
}

/* With a rate: until what was sent is due. */
static void
pace(double start, uint64_t bytes)
{
	struct timespec ts = {0};
	double ahead;

	if (rate <= 0)
		return;
	ahead = (double)bytes - (now() - start) * rate;
	if (ahead <= 0)
		return;
	ts.tv_nsec = (long)(ahead / rate * 1e9);
	nanosleep(&ts, NULL);
}

static void
do_send(const char *to, uint16_t port)
{
	static struct sockaddr_storage dst[FLOWS_MAX];
	static uint8_t payload[65536];
	struct mmsghdr msgs[BURST_MAX] = {0};
	struct iovec iov = {.iov_base = payload, .iov_len = size};
	struct sockaddr_storage base;
	int fd[PEERS_MAX], n;
	uint64_t sent = 0;
	size_t i, flow, per_send = 1;
	socklen_t len;
	double start, end;

	base = address(to, port, &len);
	for (i = 0; i < peers; i++)
		fd[i] = send_socket(base.ss_family, i);
	for (i = 0; i < flows; i++)
		dst[i] = step(&base, i % peers, i / peers);
	if (runs) {
		per_send = RUN_BYTES / size > 64 ? 64 : RUN_BYTES / size;
		iov.iov_len = per_send * size;
	}
	/* one flow: as a program that talks to one host would do it */
	if (flows == 1 && connect(fd[0], (struct sockaddr *)&base, len) == -1)
		err(1, "connect to %s", to);
	for (i = 0; i < burst; i++) {
		msgs[i].msg_hdr.msg_iov = &iov;
		msgs[i].msg_hdr.msg_iovlen = 1;
		msgs[i].msg_hdr.msg_namelen = flows == 1 ? 0 : len;
	}
	start = now();
	end = start + seconds;
	for (flow = 0; !stopped && now() < end; flow = (flow + 1) % flows) {
		for (i = 0; flows > 1 && i < burst; i++)
			msgs[i].msg_hdr.msg_name = &dst[flow];
		n = sendmmsg(fd[flow % peers], msgs, (unsigned int)burst, 0);
		if (n > 0)
			sent += (uint64_t)n * per_send;
		else if (errno != ENOBUFS && errno != EAGAIN &&
			 errno != ECONNREFUSED && errno != EINTR)
			err(1, "sendmmsg");
		pace(start, sent * size);
	}
	print("sent", sent, sent * size, now() - start);
}

/* With UDP_GRO a message is a run; its datagrams are told by their size. */
static uint64_t
datagrams(const struct msghdr *msg, size_t len)
{
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(msg);
	int one = 0;

	if (cmsg != NULL && cmsg->cmsg_level == SOL_UDP &&
	    cmsg->cmsg_type == UDP_GRO)
		memcpy(&one, CMSG_DATA(cmsg), sizeof(one));
	return one <= 0 ? 1 : (len + (size_t)one - 1) / (size_t)one;
}

static int
receive_socket(uint16_t port)
{
	struct sockaddr_in6 any = {
	    .sin6_family = AF_INET6, .sin6_port = htons(port)};
	struct timeval wait = {.tv_usec = 100000};
	int fd, off = 0, on = 1, value = BUFFER;

	if ((fd = socket(AF_INET6, SOCK_DGRAM, 0)) == -1)
		err(1, "socket");
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &value, sizeof(value));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
	setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
	if (runs && setsockopt(fd, SOL_UDP, UDP_GRO, &on, sizeof(on)) == -1)
		err(1, "UDP_GRO");
	if (bind(fd, (struct sockaddr *)&any, sizeof(any)) == -1)
		err(1, "bind to port %u", port);
	return fd;
}

static void
do_receive(uint16_t port)
{
	static uint8_t buffers[BURST_MAX][65536];
	static union {
		struct cmsghdr align;
		uint8_t bytes[CMSG_SPACE(sizeof(int))];
	} control[BURST_MAX];
	struct mmsghdr msgs[BURST_MAX] = {0};
	struct iovec iov[BURST_MAX];
	uint64_t packets = 0, bytes = 0;
	double first = 0, last = 0;
	int i, n, fd = receive_socket(port);

	for (i = 0; i < BURST_MAX; i++) {
		iov[i].iov_base = buffers[i];
		iov[i].iov_len = runs ? sizeof(buffers[i]) : 2048;
		msgs[i].msg_hdr.msg_iov = &iov[i];
		msgs[i].msg_hdr.msg_iovlen = 1;
		msgs[i].msg_hdr.msg_control = &control[i];
	}
	printf("ready\n");
	fflush(stdout);
	while (!stopped) {
		for (i = 0; i < BURST_MAX; i++)
			msgs[i].msg_hdr.msg_controllen =
			    runs ? sizeof(control[i].bytes) : 0;
		n = recvmmsg(fd, msgs, BURST_MAX, MSG_WAITFORONE, NULL);
		if (n <= 0)
			continue;
		last = now();
		if (packets == 0)
			first = last;
		for (i = 0; i < n; i++) {
			packets += datagrams(&msgs[i].msg_hdr, msgs[i].msg_len);
			bytes += msgs[i].msg_len;
		}
	}
	print("received", packets, bytes, last - first);
}

static size_t
number(const char *text, size_t most)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	if (*end != '\0' || n == 0 || n > most)
		errx(2, "%s: not a number from 1 to %zu", text, most);
	return n;
}

static void
usage(void)
{
	fprintf(stderr,
	    "usage: pps [-g] [-b burst] [-f flows] [-l bytes] [-p peers] "
	    "[-r Gbit/s]\n"
	    "           [-s source] [-t seconds] send address port\n"
	    "       pps [-g] receive port\n");
	exit(2);
}

int
main(int argc, char **argv)
{
	struct sigaction sa = {.sa_handler = on_signal};
	int ch;

	while ((ch = getopt(argc, argv, "b:f:gl:p:r:s:t:")) != -1)
		switch (ch) {
		case 'b':
			burst = number(optarg, BURST_MAX);
			break;
		case 'f':
			flows = number(optarg, FLOWS_MAX);
			break;
		case 'g':
			runs = true;
			break;
		case 'l':
			size = number(optarg, 1472);
			break;
		case 'p':
			peers = number(optarg, PEERS_MAX);
			break;
		case 'r':
			rate = (double)number(optarg, 1000) * 1e9 / 8;
			break;
		case 's':
			source = optarg;
			break;
		case 't':
			seconds = atof(optarg);
			break;
		default:
			usage();
		}
	argc -= optind;
	argv += optind;
	sigaction(SIGTERM, &sa, NULL);
	sigaction(SIGINT, &sa, NULL);
	if (runs)
		burst = burst > 4 ? 4 : burst;
	if (argc == 3 && strcmp(argv[0], "send") == 0)
		do_send(argv[1], (uint16_t)number(argv[2], 65535));
	else if (argc == 2 && strcmp(argv[0], "receive") == 0)
		do_receive((uint16_t)number(argv[1], 65535));
	else
		usage();
	return 0;
}

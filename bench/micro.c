#include <err.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "worker/csum.h"
#include "worker/gro.h"
#include "worker/gso.h"
#include "worker/prefix.h"

#include "bench/harness.h"
#include "tests/packets.h"

/*
 * The worker's packet modules by themselves: no system calls, warm caches.
 * Each is printed as its ratio to memcpy of the bytes that went through it.
 */
#define PAYLOAD 1448 /* of an MTU of 1,500 with TCP timestamps */
#define TIMESTAMPS 12
#define BURST 128
#define ADDRESSES 4096 /* a power of two */
#define PREFIXES_MAX 10000

static size_t rounds = 501;
static const char *only;
static FILE *json;

static void
measure(const struct measurement *w)
{
	struct result r;

	if (only != NULL && strstr(w->name, only) == NULL)
		return;
	harness_measure(w, rounds, &r);
	harness_print(json, w, &r);
}

/* Checksums */

struct csum_arg {
	uint64_t (*bytes)(const uint8_t *, size_t);
	size_t len;
};

static uint8_t buffer[2][PACKET_MAX] __attribute__((aligned(4096)));
static volatile uint64_t sink;

static void
csum_run(void *arg, size_t reps)
{
	const struct csum_arg *a = arg;
	uint64_t sum = 0;

	for (; reps > 0; reps--) {
		sum += a->bytes(buffer[0], a->len);
		__asm__ volatile("" ::: "memory");
	}
	sink = sum;
}

static void
bench_csum(void)
{
	static const size_t lens[] = {64, 1500, 65536};
	const struct csum_impl *impls;
	size_t i, k, n = csum_impls(&impls);
	struct csum_arg arg;
	char name[64];

	for (i = 0; i < sizeof(lens) / sizeof(lens[0]); i++)
		for (k = 0; k < n; k++) {
			arg = (struct csum_arg){impls[k].bytes, lens[i]};
			snprintf(name, sizeof(name), "checksum %zu B, %s%s",
			    lens[i], impls[k].name,
			    k == n - 1 ? " (in use)" : "");
			measure(&(struct measurement){.name = name,
			    .run = csum_run,
			    .arg = &arg,
			    .bytes = lens[i],
			    /* the goal is for the one that is used */
			    .goal = lens[i] == 65536 && k == n - 1 ? 0.7 : 0});
		}
}

#ifdef __x86_64__
/*
 * How the kernel copies where the processor has "erms": not the worker's doing,
 * but more of a stream's time than its own code takes.  Some processors take
 * many times as long where the destination is a few bytes beyond the source,
 * seen modulo a page.
 */
#define KERNEL_COPY 65536
static uint8_t kernel_room[KERNEL_COPY + 4096] __attribute__((aligned(4096)));

static void
kernel_copy_run(void *arg, size_t reps)
{
	const size_t *beyond = arg;

	for (; reps > 0; reps--) {
		void *to = kernel_room + *beyond;
		const void *from = buffer[0];
		size_t n = KERNEL_COPY;

		__asm__ volatile("rep movsb"
				 : "+D"(to), "+S"(from), "+c"(n)
				 :
				 : "memory");
	}
}

static void
bench_kernel_copy(void)
{
	size_t beyond[] = {0, 8, 28, 48, 2048, 4088};
	char name[64];
	size_t i;

	for (i = 0; i < sizeof(beyond) / sizeof(beyond[0]); i++) {
		snprintf(name, sizeof(name), "rep movsb %d B, %zu B beyond",
		    KERNEL_COPY, beyond[i]);
		measure(&(struct measurement){.name = name,
		    .run = kernel_copy_run,
		    .arg = &beyond[i],
		    .bytes = KERNEL_COPY});
	}
}
#else
static void
bench_kernel_copy(void)
{
	/* other processors have no such instruction */
}
#endif

/* Split */

struct split_arg {
	uint8_t *data;
	size_t len;
	struct vnet_hdr vnet;
};

static struct batch batch;

static void
split_run(void *arg, size_t reps)
{
	const struct split_arg *a = arg;
	struct gso g;
	bool done;

	for (; reps > 0; reps--) {
		if (gso_start(&g, a->data, a->len, &a->vnet) != PKT_OK)
			errx(1, "the superpacket was dropped");
		do {
			done = gso_next(&g, &batch);
			sink = batch.count;
			batch.count = batch.used = 0;
			__asm__ volatile("" ::: "memory");
		} while (!done);
	}
}

static void
bench_split(uint8_t version, uint8_t proto)
{
	struct packet_spec s = packet_default(version, proto);
	struct vnet_spec v;
	uint8_t encoded[VNET_HDR_LEN];
	struct split_arg arg = {.data = buffer[0]};
	size_t segs;
	char name[64];

	if (proto == IPPROTO_TCP)
		s.tcp_options = TIMESTAMPS;
	s.sums = SUM_PARTIAL;
	/* what fits 64 KiB, whole segments alone */
	segs = (65535 - packet_headers(&s)) / PAYLOAD;
	s.payload = segs * PAYLOAD;
	v = vnet_for(&s, PAYLOAD);
	vnet_put(&v, encoded);
	vnet_decode(encoded, &arg.vnet);
	arg.len = packet_build(&s, arg.data);
	snprintf(name, sizeof(name), "split %sv%d, 64 KiB into %zu x %d B",
	    proto == IPPROTO_TCP ? "TCP" : "UDP", version, segs, PAYLOAD);
	measure(&(struct measurement){.name = name,
	    .run = split_run,
	    .arg = &arg,
	    .bytes = arg.len,
	    .goal = proto == IPPROTO_TCP ? 1.3 : 0});
}

/* Coalesce */

struct burst_arg {
	size_t lens[BURST];
	uint8_t *at[BURST];
	uint8_t data[BURST * 1600];
	size_t frames; /* must come out */
};

static struct gro gro;
static struct gro_frame frame;

static void
burst_run(void *arg, size_t reps)
{
	const struct burst_arg *a = arg;
	struct pkt pkt;
	size_t i;

	for (; reps > 0; reps--) {
		for (i = 0; i < BURST; i++) {
			if (gro_continue(&gro, a->at[i], a->lens[i]))
				continue;
			if (pkt_parse(a->at[i], a->lens[i], &pkt) != PKT_OK)
				errx(1, "a packet was dropped");
			gro_push(&gro, a->at[i], a->lens[i], &pkt);
		}
		if (gro_count(&gro) != a->frames)
			errx(1, "%zu frames in place of %zu", gro_count(&gro),
			    a->frames);
		for (i = 0; i < gro_count(&gro); i++) {
			gro_frame(&gro, i, &frame);
			sink = frame.len;
			__asm__ volatile("" ::: "memory");
		}
		gro_reset(&gro);
	}
}

/*
 * Packets lie one behind the other, as UDP_GRO delivers them; flows take turns
 * packet by packet, or, in runs, each flow's packets come together.
 */
static void
bench_coalesce(uint8_t version, uint8_t proto, size_t flows, bool runs)
{
	static struct burst_arg arg;
	struct packet_spec s = packet_default(version, proto);
	size_t i, flow, turn, per_flow = BURST / flows, most;
	uint8_t *at = arg.data;
	char name[96];

	if (proto == IPPROTO_TCP)
		s.tcp_options = TIMESTAMPS;
	s.payload = PAYLOAD;
	for (i = 0; i < BURST; i++) {
		flow = runs ? i / per_flow : i % flows;
		turn = runs ? i % per_flow : i / flows;
		s.sport = (uint16_t)(40000 + flow);
		s.seq = (uint32_t)(flow * 1000003 + turn * PAYLOAD);
		s.id = (uint16_t)turn;
		arg.at[i] = at;
		arg.lens[i] = packet_build(&s, buffer[0]);
		memcpy(at, buffer[0], arg.lens[i]);
		at += arg.lens[i];
	}
	/* one frame takes 64 packets or 65,535 bytes */
	most = (65535 - packet_headers(&s)) / PAYLOAD;
	arg.frames = flows * ((per_flow + most - 1) / most);
	snprintf(name, sizeof(name), "coalesce %sv%d, %d x %d B, %zu flow%s%s",
	    proto == IPPROTO_TCP ? "TCP" : "UDP", version, BURST, PAYLOAD,
	    flows, flows == 1 ? "" : "s", runs ? " in runs" : "");
	measure(&(struct measurement){.name = name,
	    .run = burst_run,
	    .arg = &arg,
	    .bytes = (size_t)BURST * PAYLOAD,
	    .goal = proto != IPPROTO_TCP ? 0
		    : flows <= 8	 ? 1.5
					 : 3});
}

/* What has no ports that can be seen is passed on: no frame may grow. */
static void
bench_pass(uint8_t version)
{
	static struct burst_arg arg;
	struct packet_spec s = packet_default(version, IPPROTO_UDP);
	uint8_t *at = arg.data;
	char name[64];
	size_t i;

	s.payload = PAYLOAD;
	for (i = 0; i < BURST; i++) {
		arg.at[i] = at;
		arg.lens[i] = packet_build(&s, at);
		at[version == 4 ? 9 : 6] = IPPROTO_ESP;
		at += arg.lens[i];
	}
	arg.frames = BURST;
	snprintf(name, sizeof(name), "pass on ESPv%d, %d x %d B", version,
	    BURST, PAYLOAD);
	measure(&(struct measurement){.name = name,
	    .run = burst_run,
	    .arg = &arg,
	    .bytes = (size_t)BURST * PAYLOAD});
}

/* Prefix look-up */

struct lookup_arg {
	struct prefix_table *table;
	unsigned int version;
	size_t mask; /* of the address's index; 0: always the same one */
};

static uint8_t addresses[ADDRESSES][16];

/*
 * A look-up begins when the one before has ended, as in a pipeline that needs
 * the answer: times are latencies.
 */
static void
lookup_run(void *arg, size_t reps)
{
	const struct lookup_arg *a = arg;
	uint16_t value = 0;
	size_t i, zero = 0;

	for (i = 0; i < reps; i++) {
		__asm__ volatile("" : "+r"(zero));
		value = prefix_table_lookup(a->table, a->version,
		    addresses[(i & a->mask) + (value & zero)]);
		if (value == PREFIX_NONE)
			errx(1, "no prefix matched");
	}
	sink = value;
}

/* Any generator will do, so that each run sees the same. */
static uint32_t
random_next(void)
{
	static uint64_t state = 1;

	state = state * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(state >> 33);
}

/* Lengths as in a routing table of a site: /16 to /32, or /40 to /128. */
static struct prefix
random_prefix(unsigned int version)
{
	static const uint8_t v4[] = {16, 20, 24, 24, 24, 28, 32, 32};
	static const uint8_t v6[] = {40, 48, 48, 56, 64, 64, 128, 128};
	struct prefix p = {.addr.family = (uint8_t)version};
	size_t i;

	for (i = 0; i < (version == 4 ? 4 : 16); i++)
		p.addr.bytes[i] = (uint8_t)random_next();
	if (version == 6)
		p.addr.bytes[0] = 0xfd;
	p.len = version == 4 ? v4[random_next() % 8] : v6[random_next() % 8];
	return p;
}

static void
bench_lookup(unsigned int version, size_t count)
{
	static struct prefix prefixes[PREFIXES_MAX];
	struct lookup_arg arg = {.table = prefix_table_new(count),
	    .version = version,
	    .mask = ADDRESSES - 1};
	const struct prefix *p;
	struct measurement w = {.run = lookup_run, .arg = &arg};
	char name[64];
	size_t i, bit;

	if (arg.table == NULL)
		errx(1, "out of memory");
	for (i = 0; i < count; i++) {
		prefixes[i] = random_prefix(version);
		if (prefix_table_insert(
			arg.table, &prefixes[i], (uint16_t)(i % 256)) == -1)
			errx(1, "no room for prefix %zu", i);
	}
	for (i = 0; i < ADDRESSES; i++) {
		p = &prefixes[random_next() % count];
		memcpy(addresses[i], p->addr.bytes, 16);
		for (bit = p->len; bit < addr_bits(&p->addr); bit++)
			addresses[i][bit / 8] ^=
			    (uint8_t)((random_next() & 1) << (7 - bit % 8));
	}
	w.name = name;
	snprintf(name, sizeof(name), "look-up IPv%u, %zu prefix%s, random",
	    version, count, count == 1 ? "" : "es");
	measure(&w);
	arg.mask = 0;
	snprintf(name, sizeof(name), "look-up IPv%u, %zu prefix%s, the same",
	    version, count, count == 1 ? "" : "es");
	measure(&w);
	prefix_table_free(arg.table);
}

static void
bench_all(void)
{
	static const uint8_t versions[] = {4, 6};
	static const uint8_t protos[] = {IPPROTO_TCP, IPPROTO_UDP};
	static const size_t flows[] = {1, 8, 128};
	static const size_t counts[] = {1, 100, PREFIXES_MAX};
	size_t i, v, p;

	memset(buffer[0], 0x5a, sizeof(buffer[0]));
	bench_csum();
	bench_kernel_copy();
	for (p = 0; p < 2; p++)
		for (v = 0; v < 2; v++)
			bench_split(versions[v], protos[p]);
	for (p = 0; p < 2; p++)
		for (v = 0; v < 2; v++)
			for (i = 0; i < 3; i++) {
				bench_coalesce(
				    versions[v], protos[p], flows[i], false);
				if (flows[i] == 8)
					bench_coalesce(versions[v], protos[p],
					    flows[i], true);
			}
	for (v = 0; v < 2; v++)
		bench_pass(versions[v]);
	for (v = 0; v < 2; v++)
		for (i = 0; i < 3; i++)
			bench_lookup(versions[v], counts[i]);
}

static void
usage(void)
{
	fprintf(stderr, "usage: micro [-c cpu] [-j file] [-o name] "
			"[-r rounds]\n");
	exit(2);
}

int
main(int argc, char **argv)
{
	uint32_t key[GRO_KEY_WORDS];
	int ch, cpu = -1;
	size_t missed;

	while ((ch = getopt(argc, argv, "c:j:o:r:")) != -1)
		switch (ch) {
		case 'c':
			cpu = atoi(optarg);
			break;
		case 'j':
			if ((json = fopen(optarg, "w")) == NULL)
				err(1, "%s", optarg);
			break;
		case 'o':
			only = optarg;
			break;
		case 'r':
			rounds = (size_t)atoi(optarg);
			break;
		default:
			usage();
		}
	if (optind != argc || rounds == 0)
		usage();
	csum_init();
	arc4random_buf(key, sizeof(key));
	gro_init(&gro, key);
	cpu = harness_pin(cpu);
	printf("pinned to CPU %d, %zu rounds, medians\n", cpu, rounds);
	harness_begin(json);
	bench_all();
	missed = harness_end(json);
	if (json != NULL && fclose(json) != 0)
		err(1, "cannot write the JSON");
	printf("%zu goal%s missed\n", missed, missed == 1 ? "" : "s");
	return 0;
}

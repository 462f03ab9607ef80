#include <sys/resource.h>
#include <sys/wait.h>

#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "worker/csum.h"

#include "tests/bursts.h"
#include "tests/pipeline.h"
#include "tests/reference.h"

/*
 * Properties of split and coalesce, held against bursts and superpackets from
 * a seed.  TUND_PROPERTY_SEED and TUND_PROPERTY_COUNT choose which and how
 * many; a failure prints the seed and the smallest case that still fails, and
 * a signal the seed.
 */
#define SEED_DEFAULT 1
#define COUNT_DEFAULT 2000

static uint64_t
from_environment(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text == NULL ? otherwise : strtoull(text, NULL, 0);
}

/* ---- the seed, if all else fails ---- */

static const int fatal[] = {SIGSEGV, SIGBUS, SIGABRT};
#define FATAL_COUNT (sizeof(fatal) / sizeof(fatal[0]))
static struct sigaction before[FATAL_COUNT];
static volatile uint64_t looked_at;
static bool is_looking;

/* Called by a signal handler. */
static void
tell_seed(void)
{
	static const char name[] = "# TUND_PROPERTY_SEED=";
	char text[sizeof(name) + 20], digits[20];
	uint64_t rest = looked_at;
	size_t len = sizeof(name) - 1, n = 0;

	memcpy(text, name, len);
	do {
		digits[n++] = (char)('0' + rest % 10);
		rest /= 10;
	} while (rest > 0);
	while (n > 0)
		text[len++] = digits[--n];
	text[len++] = '\n';
	if (write(STDERR_FILENO, text, len) == -1)
		return;
}

static void
look_no_more(void)
{
	is_looking = false;
	for (size_t i = 0; i < FATAL_COUNT; i++)
		sigaction(fatal[i], &before[i], NULL);
}

/* What it would have done comes next. */
static void
on_fatal(int sig)
{
	tell_seed();
	look_no_more();
	raise(sig);
}

/* A sanitizer that finds something would end the program without a signal. */
const char *__asan_default_options(void);
const char *__ubsan_default_options(void);

const char *
__asan_default_options(void)
{
	return "abort_on_error=1";
}

const char *
__ubsan_default_options(void)
{
	return "abort_on_error=1";
}

static void
look_at(uint64_t seed)
{
	const struct sigaction act = {.sa_handler = on_fatal};

	looked_at = seed;
	if (is_looking)
		return;
	is_looking = true;
	for (size_t i = 0; i < FATAL_COUNT; i++)
		sigaction(fatal[i], &act, &before[i]);
}

/* ---- what holds for bursts ---- */

static bool
whole_packet(const struct item *it, struct ref_layout *l)
{
	return ref_parse(it->data, it->len, l) == NULL;
}

/* Could it be of any flow of its address pair? */
static bool
of_any_flow(const struct ref_layout *l)
{
	return l->fragment || !l->chain ||
	       (!l->whole &&
		   (l->proto == IPPROTO_TCP || l->proto == IPPROTO_UDP));
}

/* Is it of the flow of that packet, or could it be? */
static bool
of_flow(const struct item *flow, const struct item *it)
{
	struct ref_layout x, y;

	if (!whole_packet(flow, &x) || !whole_packet(it, &y) ||
	    !ref_same_pair(flow->data, it->data))
		return false;
	if (of_any_flow(&x) || of_any_flow(&y))
		return of_any_flow(&y);
	return x.proto == y.proto &&
	       (!x.whole || memcmp(flow->data + x.l4, it->data + y.l4, 4) == 0);
}

/* Equal but for an ID with DF set, RFC 6864, and what hangs on it. */
static bool
came_back(const struct item *in, const struct item *out)
{
	struct ref_layout l;
	uint8_t *p;
	bool same;

	if (!whole_packet(in, &l) || l.total != out->len)
		return false;
	if (memcmp(in->data, out->data, out->len) == 0)
		return true;
	if (l.version != 4 || (in->data[6] & 0x40) == 0 ||
	    ref_check(in->data, l.total) != NULL ||
	    ref_check(out->data, out->len) != NULL)
		return false;
	p = malloc(out->len);
	if (p == NULL)
		abort();
	memcpy(p, out->data, out->len);
	memcpy(p + 4, in->data + 4, 2);
	memcpy(p + 10, in->data + 10, 2);
	same = memcmp(p, in->data, out->len) == 0;
	free(p);
	return same;
}

/* All that is, or could be, of the flow of packet i, in order. */
static bool
flow_came_back(const struct list *in, size_t i, const struct list *out)
{
	const struct item *flow = &in->items[i];
	size_t o = 0;

	for (size_t n = 0; n < in->count; n++) {
		if (!of_flow(flow, &in->items[n]))
			continue;
		while (o < out->count && !of_flow(flow, &out->items[o]))
			o++;
		if (o == out->count ||
		    !came_back(&in->items[n], &out->items[o]))
			return false;
		o++;
	}
	return true;
}

static const char *
all_came_back(const struct list *in, const struct list *out)
{
	struct ref_layout l;
	size_t whole = 0;

	for (size_t i = 0; i < in->count; i++)
		whole += whole_packet(&in->items[i], &l);
	if (out->count != whole)
		return "not every packet exactly once";
	for (size_t i = 0; i < in->count; i++) {
		bool seen = false;

		for (size_t k = 0; k < i && !seen; k++)
			seen = of_flow(&in->items[k], &in->items[i]) &&
			       of_flow(&in->items[i], &in->items[k]);
		if (!seen && whole_packet(&in->items[i], &l) &&
		    !flow_came_back(in, i, out))
			return "a flow's packets did not come back in order";
	}
	return NULL;
}

/* NULL, or why the frame gave no packets. */
static const char *
split_whole(const struct item *frame, struct list *packets)
{
	const char *dropped;
	const char *why =
	    pipeline_split(frame->data, frame->len, packets, &dropped);

	return why != NULL ? why : dropped;
}

static const char *
split_of_coalesce_is_the_burst(const struct burst *b)
{
	struct list in = {0}, frames = {0}, out = {0};
	const char *why;

	burst_build(b, &in);
	why = pipeline_coalesce(&in, &frames, NULL);
	for (size_t i = 0; i < frames.count && why == NULL; i++)
		why = split_whole(&frames.items[i], &out);
	if (why == NULL)
		why = all_came_back(&in, &out);
	list_clear(&in);
	list_clear(&frames);
	list_clear(&out);
	return why;
}

static const char *
same_lists(const struct list *a, const struct list *b)
{
	if (a->count != b->count)
		return "another number of them than the reference";
	for (size_t i = 0; i < a->count; i++)
		if (!item_equal(&a->items[i], &b->items[i]))
			return "not what the reference gives";
	return NULL;
}

static const char *
coalesces_as_the_reference(const struct burst *b)
{
	struct list in = {0}, frames = {0}, wanted = {0};
	const char *why;

	burst_build(b, &in);
	why = pipeline_coalesce(&in, &frames, NULL);
	ref_coalesce(&in, &wanted);
	if (why == NULL)
		why = same_lists(&frames, &wanted);
	list_clear(&in);
	list_clear(&frames);
	list_clear(&wanted);
	return why;
}

/* Limits, lengths and checksums of one frame that we would write. */
static const char *
frame_is_true(const struct item *frame)
{
	struct list packets = {0};
	struct vnet_spec v;
	const char *why;

	vnet_get(frame->data, &v);
	if (v.gso_type == GSO_NONE)
		return NULL;
	if (frame->len - VNET_LEN > 65535)
		return "more than 65,535 bytes";
	if (ref_sum(frame->data + VNET_LEN, 20) != 0xffff &&
	    frame->data[VNET_LEN] == 0x45)
		return "superpacket's IPv4 header checksum";
	why = ref_split(frame->data, frame->len, &packets);
	if (why == NULL && packets.count > 64)
		why = "more than 64 segments";
	if (why == NULL && packets.count < 2)
		why = "a superpacket of less than two segments";
	for (size_t i = 0; i < packets.count && why == NULL; i++)
		why = ref_check(packets.items[i].data, packets.items[i].len);
	list_clear(&packets);
	return why;
}

static const char *
every_frame_is_true(const struct burst *b)
{
	struct list in = {0}, frames = {0};
	const char *why;

	burst_build(b, &in);
	why = pipeline_coalesce(&in, &frames, NULL);
	for (size_t i = 0; i < frames.count && why == NULL; i++)
		why = frame_is_true(&frames.items[i]);
	list_clear(&in);
	list_clear(&frames);
	return why;
}

static const char *
two_merge_when_they_may(struct item *first)
{
	struct list two = {.items = first, .count = 2}, frames = {0};
	bool may = ref_may_merge(&first[0], &first[1]);
	const char *why = pipeline_coalesce(&two, &frames, NULL);
	bool one = frames.count == 1 && frames.items[0].data[1] != GSO_NONE;

	if (why == NULL && one && !may)
		why = "merged what may not be merged";
	if (why == NULL && !one && may)
		why = "did not merge what may be merged";
	list_clear(&frames);
	return why;
}

static const char *
neighbours_merge_when_they_may(const struct burst *b)
{
	struct list in = {0};
	const char *why = NULL;

	burst_build(b, &in);
	for (size_t i = 0; i + 1 < in.count && why == NULL; i++)
		why = two_merge_when_they_may(&in.items[i]);
	list_clear(&in);
	return why;
}

/* ---- what holds for superpackets ---- */

static const char *
same_drop(const char *got, const char *wanted)
{
	if (got == NULL && wanted != NULL)
		return "delivered what should be dropped";
	if (got != NULL && wanted == NULL)
		return "dropped what should be delivered";
	if (got != NULL && strcmp(got, wanted) != 0)
		return "dropped for another reason";
	return NULL;
}

static const char *
splits_as_the_reference(const struct super *s)
{
	struct list frame = {0}, packets = {0}, wanted = {0};
	const char *why, *got, *want;

	super_build(s, &frame);
	why = pipeline_split(
	    frame.items[0].data, frame.items[0].len, &packets, &got);
	want = ref_split(frame.items[0].data, frame.items[0].len, &wanted);
	if (why == NULL)
		why = same_drop(got, want);
	if (why == NULL)
		why = same_lists(&packets, &wanted);
	list_clear(&frame);
	list_clear(&packets);
	list_clear(&wanted);
	return why;
}

static const char *
every_segment_is_true(const struct super *s)
{
	struct list frame = {0}, packets = {0};
	size_t bytes = 0;
	const char *why;

	super_build(s, &frame);
	why = split_whole(&frame.items[0], &packets);
	for (size_t i = 0; i < packets.count && why == NULL; i++) {
		why = ref_check(packets.items[i].data, packets.items[i].len);
		bytes += packets.items[i].len - packet_headers(&s->spec);
	}
	if (why == NULL && bytes != s->spec.payload)
		why = "payload bytes were lost";
	list_clear(&frame);
	list_clear(&packets);
	return why;
}

static const char *
coalesce_of_split_is_the_superpacket(const struct super *s)
{
	struct list frame = {0}, packets = {0}, frames = {0};
	const char *why;

	/* one that is shrunk may be none that a coalescer makes */
	if (s->spec.payload <= s->vnet.gso_size ||
	    (s->spec.flags & TCP_ACK) == 0)
		return NULL;
	super_build(s, &frame);
	why = split_whole(&frame.items[0], &packets);
	if (why == NULL)
		why = pipeline_coalesce(&packets, &frames, NULL);
	if (why == NULL)
		why = same_lists(&frames, &frame);
	list_clear(&frame);
	list_clear(&packets);
	list_clear(&frames);
	return why;
}

/* ---- the runs ---- */

static void
hold_bursts(burst_property *holds)
{
	uint64_t seed = from_environment("TUND_PROPERTY_SEED", SEED_DEFAULT);
	uint64_t count = from_environment("TUND_PROPERTY_COUNT", COUNT_DEFAULT);
	static struct burst b;
	const char *why;

	for (; count > 0; count--, seed++) {
		look_at(seed);
		burst_generate(seed, &b);
		if (holds(&b) == NULL)
			continue;
		burst_shrink(&b, holds);
		why = holds(&b);
		look_no_more();
		burst_print(&b);
		fail_msg(
		    "TUND_PROPERTY_SEED=%llu: %s, of the %zu packets above",
		    (unsigned long long)seed, why, b.count);
	}
	look_no_more();
}

static void
hold_supers(void (*generate)(uint64_t, struct super *), super_property *holds)
{
	uint64_t seed = from_environment("TUND_PROPERTY_SEED", SEED_DEFAULT);
	uint64_t count = from_environment("TUND_PROPERTY_COUNT", COUNT_DEFAULT);
	struct super s;
	const char *why;

	for (; count > 0; count--, seed++) {
		look_at(seed);
		generate(seed, &s);
		if (holds(&s) == NULL)
			continue;
		super_shrink(&s, holds);
		why = holds(&s);
		look_no_more();
		super_print(&s);
		fail_msg("TUND_PROPERTY_SEED=%llu: %s, of the frame above",
		    (unsigned long long)seed, why);
	}
	look_no_more();
}

static void
split_of_coalesce_gives_the_burst_back(void **state)
{
	(void)state;
	hold_bursts(split_of_coalesce_is_the_burst);
}

static void
coalesce_is_what_the_reference_gives(void **state)
{
	(void)state;
	hold_bursts(coalesces_as_the_reference);
}

static void
every_superpacket_is_in_its_limits_and_true(void **state)
{
	(void)state;
	hold_bursts(every_frame_is_true);
}

static void
two_neighbours_merge_exactly_when_they_may(void **state)
{
	(void)state;
	hold_bursts(neighbours_merge_when_they_may);
}

static void
coalesce_of_split_gives_the_superpacket_back(void **state)
{
	(void)state;
	hold_supers(super_generate, coalesce_of_split_is_the_superpacket);
}

static void
split_of_any_superpacket_is_true_and_whole(void **state)
{
	(void)state;
	hold_supers(super_generate_any, every_segment_is_true);
	hold_supers(super_generate_any, splits_as_the_reference);
}

static void
a_lying_header_does_what_the_reference_says(void **state)
{
	(void)state;
	hold_supers(super_generate_lying, splits_as_the_reference);
}

/* ---- the generator itself ---- */

/* Else the properties would hold for want of anything to merge. */
static void
the_generator_makes_what_may_be_merged_and_what_may_not(void **state)
{
	static struct burst b;
	size_t merged = 0, alone = 0, dropped = 0, full = 0;

	(void)state;
	for (uint64_t seed = 1; seed <= 300; seed++) {
		struct list in = {0}, frames = {0};
		struct ref_layout l;

		burst_generate(seed, &b);
		burst_build(&b, &in);
		ref_coalesce(&in, &frames);
		for (size_t i = 0; i < in.count; i++)
			dropped += !whole_packet(&in.items[i], &l);
		for (size_t i = 0; i < frames.count; i++) {
			const struct item *f = &frames.items[i];
			bool gso = f->data[1] != GSO_NONE;

			merged += gso;
			alone += !gso;
			full += gso && f->len > VNET_LEN + 60000;
		}
		list_clear(&in);
		list_clear(&frames);
	}
	assert_true(merged > 500);
	assert_true(alone > 500);
	assert_true(dropped > 10);
	assert_true(full > 10);
}

static void
a_seed_gives_the_same_burst_again(void **state)
{
	static struct burst a, b, c;

	(void)state;
	burst_generate(7, &a);
	burst_generate(7, &b);
	burst_generate(8, &c);
	assert_memory_equal(&a, &b, sizeof(a));
	assert_memory_not_equal(&a, &c, sizeof(a));
}

/* ---- what makes a failure small ---- */

static const char *
has_not_two_syns(const struct burst *b)
{
	size_t n = 0;

	for (size_t i = 0; i < b->count; i++)
		n += (b->pieces[i].spec.flags & TCP_SYN) != 0;
	return n >= 2 ? "two SYNs" : NULL;
}

static void
expect_plain(const struct packet_spec *s, uint8_t flags, size_t payload)
{
	assert_int_equal(s->flags, flags);
	assert_int_equal(s->payload, payload);
	assert_int_equal(s->tos | s->frag | s->reserved | s->urgent, 0);
	assert_int_equal(s->tcp_options + s->ip_options + s->ext_count, 0);
	assert_int_equal(s->flow_label, 0);
	assert_int_equal(s->trailing, 0);
}

static void
shrinking_leaves_what_fails_and_no_more(void **state)
{
	static struct burst b;

	(void)state;
	burst_generate(3, &b);
	b.count = 60;
	for (size_t i = 0; i < b.count; i++) {
		b.pieces[i].spec.flags =
		    i % 25 == 5 ? TCP_SYN | TCP_ACK : TCP_ACK;
		b.pieces[i].spec.trailing = i;
		b.pieces[i].flip = b.pieces[i].cut = 1;
	}
	assert_non_null(has_not_two_syns(&b));
	burst_shrink(&b, has_not_two_syns);
	assert_int_equal(b.count, 2);
	assert_non_null(has_not_two_syns(&b));
	for (size_t i = 0; i < b.count; i++) {
		expect_plain(&b.pieces[i].spec, TCP_SYN, 0);
		assert_int_equal(b.pieces[i].flip | b.pieces[i].cut, 0);
	}
}

/* No packet can go before one that comes later is gone. */
static const char *
has_no_syn_or_less_of_urg_than_of_fin(const struct burst *b)
{
	size_t urg = 0, fin = 0, syn = 0;

	for (size_t i = 0; i < b->count; i++) {
		urg += (b->pieces[i].spec.flags & TCP_URG) != 0;
		fin += (b->pieces[i].spec.flags & TCP_FIN) != 0;
		syn += (b->pieces[i].spec.flags & TCP_SYN) != 0;
	}
	return syn > 0 && urg >= fin ? "as much of both" : NULL;
}

static void
shrinking_goes_on_until_nothing_can_go(void **state)
{
	static const uint8_t flags[] = {TCP_URG, TCP_FIN, TCP_SYN};
	static struct burst b;

	(void)state;
	for (size_t i = 0; i < sizeof(flags); i++) {
		b.pieces[i].spec = packet_default(4, IPPROTO_TCP);
		b.pieces[i].spec.flags = flags[i];
	}
	b.count = sizeof(flags);
	assert_non_null(has_no_syn_or_less_of_urg_than_of_fin(&b));
	burst_shrink(&b, has_no_syn_or_less_of_urg_than_of_fin);
	assert_int_equal(b.count, 1);
	expect_plain(&b.pieces[0].spec, TCP_SYN, 0);
}

/* As for a merge: one follows the other, with as much. */
static const char *
none_follows_with_100_bytes(const struct burst *b)
{
	for (size_t i = 0; i + 1 < b->count; i++) {
		const struct packet_spec *s = &b->pieces[i].spec;
		const struct packet_spec *next = &b->pieces[i + 1].spec;

		if (s->payload >= 100 && next->payload == s->payload &&
		    next->seq == s->seq + s->payload)
			return "one follows the other";
	}
	return NULL;
}

static void
shrinking_keeps_a_flow_together(void **state)
{
	struct packet_spec s = packet_default(6, IPPROTO_TCP);
	static struct burst b;

	(void)state;
	s.payload = 1448;
	s.tcp_options = 12;
	for (b.count = 0; b.count < 40; packet_next(&s))
		b.pieces[b.count++].spec = s;
	burst_shrink(&b, none_follows_with_100_bytes);
	assert_int_equal(b.count, 2);
	assert_non_null(none_follows_with_100_bytes(&b));
	for (size_t i = 0; i < b.count; i++)
		expect_plain(&b.pieces[i].spec, 0, 100);
}

/* Of what it is made of it takes three. */
static const char *
has_no_fin_777_bytes_or_lie(const struct super *s)
{
	for (size_t i = 0; i < 3; i++)
		if (s->lies[i].at == 33 && s->lies[i].flip == 4 &&
		    s->spec.payload >= 777 && (s->spec.flags & TCP_FIN) != 0)
			return "all of it";
	return NULL;
}

static void
shrinking_a_superpacket_leaves_what_fails_and_no_more(void **state)
{
	struct super s;

	(void)state;
	for (size_t lie = 0; lie < 3; lie++) {
		super_generate_any(4711, &s);
		s.spec.payload = 50000;
		s.spec.flags = TCP_FIN | TCP_ACK | TCP_PSH | TCP_CWR;
		s.spec.tcp_options = 12;
		s.spec.trailing = 9;
		s.vnet = vnet_for(&s.spec, 1448);
		for (size_t i = 0; i < 3; i++) {
			s.lies[i].at = i == lie ? 33 : 40 + i;
			s.lies[i].flip = 4;
		}
		super_shrink(&s, has_no_fin_777_bytes_or_lie);
		assert_non_null(has_no_fin_777_bytes_or_lie(&s));
		expect_plain(&s.spec, TCP_FIN, 777);
		/* of the header no lie was made */
		assert_int_equal(s.vnet.csum_start, packet_l4(&s.spec));
		assert_int_equal(s.vnet.hdr_len, packet_headers(&s.spec));
		for (size_t i = 0; i < 3; i++)
			assert_int_equal(s.lies[i].flip, i == lie ? 4 : 0);
	}
}

/* 0: a read behind the end of a packet. */
static int planted;

static const char *
ends_the_program(const struct burst *b)
{
	const volatile uint8_t *p;

	(void)b;
	if (planted != 0)
		raise(planted);
	p = guard_copy("", 1, GUARD_END);
	return p[1] == 0 ? NULL : "no guard";
}

/* In a process of its own, whose standard error is a pipe. */
static void
end_in_a_child(int pipe_in)
{
	const struct rlimit none = {0, 0};

	/* cmocka would go on */
	signal(planted == 0 ? SIGSEGV : planted, SIG_DFL);
	setrlimit(RLIMIT_CORE, &none);
	dup2(pipe_in, STDERR_FILENO);
	setenv("TUND_PROPERTY_SEED", "18446744073709551615", 1);
	setenv("TUND_PROPERTY_COUNT", "1", 1);
	hold_bursts(ends_the_program);
	_exit(0);
}

static void
a_signal_that_ends_it_tells_the_seed(void **state)
{
	static const int signals[] = {0, SIGSEGV, SIGBUS, SIGABRT};
	static const char want[] =
	    "# TUND_PROPERTY_SEED=18446744073709551615\n";
	char told[sizeof(want)];
	int ends[2], status;
	pid_t pid;

	(void)state;
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
		planted = signals[i];
		assert_int_equal(pipe(ends), 0);
		pid = fork();
		assert_int_not_equal(pid, -1);
		if (pid == 0)
			end_in_a_child(ends[1]);
		close(ends[1]);
		memset(told, 0, sizeof(told));
		/* an emulator says more behind it */
		assert_int_equal(
		    read(ends[0], told, sizeof(want) - 1), sizeof(want) - 1);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		close(ends[0]);
		assert_true(WIFSIGNALED(status));
		assert_int_equal(
		    WTERMSIG(status), planted == 0 ? SIGSEGV : planted);
		assert_string_equal(told, want);
	}
}

/* Before csum_init sums are portable ones, which fill all of 64 bits. */
static int
portable(void **state)
{
	(void)state;
	assert_string_equal(csum_name(), "portable");
	return 0;
}

static int
fastest(void **state)
{
	(void)state;
	csum_init();
	return 0;
}

#define PORTABLE(f) cmocka_unit_test_setup(f, portable)
#define TEST(f) cmocka_unit_test_setup(f, fastest)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    PORTABLE(split_of_coalesce_gives_the_burst_back),
	    PORTABLE(every_superpacket_is_in_its_limits_and_true),
	    PORTABLE(coalesce_of_split_gives_the_superpacket_back),
	    PORTABLE(split_of_any_superpacket_is_true_and_whole),
	    TEST(a_seed_gives_the_same_burst_again),
	    TEST(shrinking_leaves_what_fails_and_no_more),
	    TEST(shrinking_goes_on_until_nothing_can_go),
	    TEST(shrinking_keeps_a_flow_together),
	    TEST(shrinking_a_superpacket_leaves_what_fails_and_no_more),
	    TEST(a_signal_that_ends_it_tells_the_seed),
	    TEST(the_generator_makes_what_may_be_merged_and_what_may_not),
	    TEST(split_of_coalesce_gives_the_burst_back),
	    TEST(coalesce_is_what_the_reference_gives),
	    TEST(every_superpacket_is_in_its_limits_and_true),
	    TEST(two_neighbours_merge_exactly_when_they_may),
	    TEST(coalesce_of_split_gives_the_superpacket_back),
	    TEST(split_of_any_superpacket_is_true_and_whole),
	    TEST(a_lying_header_does_what_the_reference_says),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

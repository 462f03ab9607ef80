#include "worker/csum.h"

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

/*
 * Theory of operation.  RFC 1071 lets the words be added in any width and
 * order as long as carries are brought round.  The vector versions therefore
 * keep 16-bit halves in 32-bit lanes, or 32-bit halves in 64-bit lanes, where
 * nothing can overflow within a packet, and add the lanes at the end.
 */

/* What is left behind the last whole vector: fewer than 64 bytes. */
static inline uint64_t
csum_tail(const uint8_t *p, size_t len)
{
	uint64_t sum = 0;
	uint8_t last[2] = {0, 0};

	for (; len >= 8; p += 8, len -= 8)
		sum = csum_add(sum, pkt_load64(p));
	if (len >= 4) {
		sum = csum_add(sum, pkt_load32(p));
		p += 4;
		len -= 4;
	}
	if (len >= 2) {
		sum = csum_add(sum, pkt_load16(p));
		p += 2;
		len -= 2;
	}
	if (len == 1) {
		last[0] = *p;
		sum = csum_add(sum, pkt_load16(last));
	}
	return sum;
}

uint64_t
csum_bytes_portable(const uint8_t *p, size_t len)
{
	uint64_t a = 0, b = 0, v, w;

	/* two chains of add-with-carry keep two adders busy */
	for (; len >= 16; p += 16, len -= 16) {
		v = pkt_load64(p);
		w = pkt_load64(p + 8);
		a += v;
		a += a < v;
		b += w;
		b += b < w;
	}
	return csum_add(csum_add(a, b), csum_tail(p, len));
}

#if defined(__x86_64__)
__attribute__((target("avx2"))) static uint64_t
csum_bytes_avx2(const uint8_t *p, size_t len)
{
	const __m256i low = _mm256_set1_epi64x(0xffffffff);
	__m256i a = _mm256_setzero_si256(), b = a, c = a, d = a, v, w;
	uint64_t lanes[4];

	for (; len >= 64; p += 64, len -= 64) {
		v = _mm256_loadu_si256((const __m256i_u *)p);
		w = _mm256_loadu_si256((const __m256i_u *)(p + 32));
		a = _mm256_add_epi64(a, _mm256_and_si256(v, low));
		b = _mm256_add_epi64(b, _mm256_srli_epi64(v, 32));
		c = _mm256_add_epi64(c, _mm256_and_si256(w, low));
		d = _mm256_add_epi64(d, _mm256_srli_epi64(w, 32));
	}
	a = _mm256_add_epi64(_mm256_add_epi64(a, b), _mm256_add_epi64(c, d));
	_mm256_storeu_si256((__m256i_u *)lanes, a);
	return csum_add(
	    lanes[0] + lanes[1] + lanes[2] + lanes[3], csum_tail(p, len));
}

/*
 * vpdpbusd adds four products of bytes to a 32-bit lane: with weights 1,0,1,0
 * it sums the even bytes, with 0,1,0,1 the odd ones, two instructions a
 * vector in place of four.  A lane grows by at most 510 a step, so that it
 * can take four million; a packet has two thousand.
 */
__attribute__((target("avx512f,avx512bw,avx512vl,avx512vnni"))) static uint64_t
csum_bytes_vnni(const uint8_t *p, size_t len)
{
	const __m512i even = _mm512_set1_epi16(0x0001);
	const __m512i odd = _mm512_set1_epi16(0x0100);
	__m512i a = _mm512_setzero_si512(), b = a, c = a, d = a, v, w;
	uint64_t first, second;

	if (len < 64)
		return csum_tail(p, len);
	for (; len >= 128; p += 128, len -= 128) {
		v = _mm512_loadu_si512(p);
		w = _mm512_loadu_si512(p + 64);
		a = _mm512_dpbusd_epi32(a, v, even);
		b = _mm512_dpbusd_epi32(b, v, odd);
		c = _mm512_dpbusd_epi32(c, w, even);
		d = _mm512_dpbusd_epi32(d, w, odd);
	}
	if (len >= 64) {
		v = _mm512_loadu_si512(p);
		a = _mm512_dpbusd_epi32(a, v, even);
		b = _mm512_dpbusd_epi32(b, v, odd);
		p += 64;
		len -= 64;
	}
	first = (uint32_t)_mm512_reduce_add_epi32(_mm512_add_epi32(a, c));
	second = (uint32_t)_mm512_reduce_add_epi32(_mm512_add_epi32(b, d));
	return csum_add(first + (second << 8), csum_tail(p, len));
}
#endif

#if defined(__aarch64__)
static uint64_t
csum_bytes_neon(const uint8_t *p, size_t len)
{
	uint64x2_t a = vdupq_n_u64(0), b = a;

	for (; len >= 32; p += 32, len -= 32) {
		a = vpadalq_u32(a, vreinterpretq_u32_u8(vld1q_u8(p)));
		b = vpadalq_u32(b, vreinterpretq_u32_u8(vld1q_u8(p + 16)));
	}
	return csum_add(vaddvq_u64(vaddq_u64(a, b)), csum_tail(p, len));
}
#endif

static struct csum_impl impls[3] = {{"portable", csum_bytes_portable}};
static size_t impl_count = 1;
static uint64_t (*csum_chosen)(const uint8_t *, size_t) = csum_bytes_portable;

size_t
csum_impls(const struct csum_impl **list)
{
	*list = impls;
	return impl_count;
}

void
csum_init(void)
{
	impl_count = 1;
#if defined(__x86_64__)
	__builtin_cpu_init();
	if (__builtin_cpu_supports("avx2"))
		impls[impl_count++] =
		    (struct csum_impl){"avx2", csum_bytes_avx2};
	if (__builtin_cpu_supports("avx512bw") &&
	    __builtin_cpu_supports("avx512vl") &&
	    __builtin_cpu_supports("avx512vnni"))
		impls[impl_count++] =
		    (struct csum_impl){"avx512-vnni", csum_bytes_vnni};
#elif defined(__aarch64__)
	impls[impl_count++] = (struct csum_impl){"neon", csum_bytes_neon};
#endif
	csum_chosen = impls[impl_count - 1].bytes;
}

const char *
csum_name(void)
{
	size_t i;

	for (i = 0; i < impl_count; i++)
		if (impls[i].bytes == csum_chosen)
			return impls[i].name;
	return impls[0].name;
}

uint64_t
csum_bytes(const uint8_t *p, size_t len)
{
	return csum_chosen(p, len);
}

/* Everything from the transport header on, with the pseudo-header. */
static uint64_t
csum_transport_sum(const uint8_t *data, const struct pkt *p)
{
	uint32_t len = p->len - p->l4;

	return csum_add(csum_pseudo(data, p) + csum_word((uint16_t)len),
	    csum_bytes(data + p->l4, len));
}

int
csum_transport_ok(const uint8_t *data, const struct pkt *p)
{
	return csum_fold(csum_transport_sum(data, p)) == 0xffff;
}

int
csum_header_ok(const uint8_t *data, const struct pkt *p)
{
	return p->version == 6 ||
	       csum_fold(csum_tail(data, (data[0] & 0x0fu) * 4)) == 0xffff;
}

void
csum_transport_set(uint8_t *data, const struct pkt *p)
{
	uint8_t *field = data + p->l4 + (p->proto == PKT_TCP ? 16 : 6);
	uint16_t sum;

	pkt_store16(field, 0);
	sum = (uint16_t)~csum_fold(csum_transport_sum(data, p));
	/* a UDP checksum of zero would mean that there is none (RFC 768) */
	if (sum == 0 && p->proto == PKT_UDP)
		sum = 0xffff;
	pkt_store16(field, sum);
}

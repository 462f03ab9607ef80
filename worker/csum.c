#include "worker/csum.h"

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

/*
 * Theory of operation.  RFC 1071 lets the words be added in any width and
 * order as long as carries are brought round.  The vector versions therefore
 * keep words or bytes in 32-bit lanes, or 32-bit halves in 64-bit lanes, where
 * nothing can overflow within a packet, and add the lanes at the end.
 */

/* Few bytes: what is left behind the last whole words or vectors. */
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

	/* two chains of add-with-carry: 64 KiB in half the time of one */
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
/*
 * vpmaddwd adds pairs of signed words to 32-bit lanes, one instruction where
 * masks and shifts take four: words are made signed by turning their top bit
 * over, which is to subtract 0x8000 from each, and that is given back at the
 * end.  64 KiB: 0.78 us against 1.11.  A lane grows by at most 65,536 a vector:
 * enough for a megabyte; a packet has 64 KiB.
 */
#define AVX2 __attribute__((target("avx2")))

AVX2 static inline __m256i
avx2_load(const uint8_t *p)
{
	return _mm256_loadu_si256((const __m256i_u *)p);
}

AVX2 static inline __m256i
avx2_add(__m256i sum, __m256i v, __m256i top, __m256i one)
{
	v = _mm256_madd_epi16(_mm256_xor_si256(v, top), one);
	return _mm256_add_epi32(sum, v);
}

/* Gives two words' 0x8000 back for each vector, and adds the lanes. */
AVX2 static inline uint64_t
avx2_fold(__m256i sum, size_t vectors)
{
	__m256i low = _mm256_set1_epi64x(0xffffffff);
	__m128i half;

	sum = _mm256_add_epi32(sum, _mm256_set1_epi32((int)(vectors << 16)));
	sum = _mm256_add_epi64(
	    _mm256_and_si256(sum, low), _mm256_srli_epi64(sum, 32));
	half = _mm_add_epi64(
	    _mm256_castsi256_si128(sum), _mm256_extracti128_si256(sum, 1));
	return (uint64_t)_mm_cvtsi128_si64(half) +
	       (uint64_t)_mm_extract_epi64(half, 1);
}

/*
 * The last vector ends where the data do, and a mask takes out of it what was
 * added before: 1,500 B in 17.3 ns, the lanes folded in registers, in place of
 * 19.1.  Four vectors a turn: where the core's other thread is busy 64 KiB take
 * 0.89 us in place of 1.5.
 */
AVX2 static uint64_t
csum_bytes_avx2(const uint8_t *p, size_t len)
{
	static const uint8_t mask[64] = {[32 ... 63] = 0xff};
	__m256i top = _mm256_set1_epi16((short)0x8000);
	__m256i one = _mm256_set1_epi16(1);
	__m256i a = _mm256_setzero_si256(), b = a, v;
	size_t vectors, rest;
	uint64_t odd = 0;

	if (len < 32)
		return csum_tail(p, len);
	if (len % 2 != 0)
		odd = csum_tail(p + --len, 1);
	vectors = (len + 31) / 32;
	rest = len % 32;
	/* kept in registers, not made anew for each loop */
	__asm__("" : "+x"(top), "+x"(one));
	for (; len >= 128; p += 128, len -= 128) {
		a = avx2_add(a, avx2_load(p), top, one);
		b = avx2_add(b, avx2_load(p + 32), top, one);
		a = avx2_add(a, avx2_load(p + 64), top, one);
		b = avx2_add(b, avx2_load(p + 96), top, one);
	}
	for (; len >= 32; p += 32, len -= 32)
		a = avx2_add(a, avx2_load(p), top, one);
	if (rest > 0) {
		v = avx2_load(p + rest - 32);
		v = _mm256_and_si256(v, avx2_load(mask + rest));
		b = avx2_add(b, v, top, one);
	}
	return avx2_fold(_mm256_add_epi32(a, b), vectors) + odd;
}

/*
 * vpdpbusd adds four products of bytes to a 32-bit lane: with weights 1,0,1,0
 * it sums the even bytes, with 0,1,0,1 the odd ones, two instructions a
 * vector in place of four.  A lane grows by at most 510 a step and the word
 * made of both by 131,070: enough for two megabytes; a packet has 64 KiB.
 */
#define VNNI "avx512f,avx512bw,avx512vl,avx512vnni,bmi2"

struct vnni_sum {
	__m512i even, odd; /* of bytes */
};

__attribute__((target(VNNI))) static inline void
vnni_add(struct vnni_sum *s, __m512i v)
{
	s->even = _mm512_dpbusd_epi32(s->even, v, _mm512_set1_epi16(0x0001));
	s->odd = _mm512_dpbusd_epi32(s->odd, v, _mm512_set1_epi16(0x0100));
}

__attribute__((target(VNNI))) static inline uint64_t
vnni_fold(const struct vnni_sum *s, const struct vnni_sum *t)
{
	__m512i even = _mm512_add_epi32(s->even, t->even);
	__m512i odd = _mm512_add_epi32(s->odd, t->odd);
	__m512i v = _mm512_add_epi32(even, _mm512_slli_epi32(odd, 8));

	v = _mm512_add_epi32(_mm512_and_si512(v, _mm512_set1_epi32(0xffff)),
	    _mm512_srli_epi32(v, 16));
	return (uint32_t)_mm512_reduce_add_epi32(v);
}

/*
 * Loads are aligned, the first and the last are masked: payloads begin
 * anywhere, and a load across two cache lines costs two (a split of 64 KiB:
 * 1.18 us against 1.48).  Masked bytes are not touched and read as zero.  At
 * an odd address every byte is in the other half of its word, so that the sum
 * is rotated by eight bits, here by a shift (RFC 1071, section 2(B)).
 */
__attribute__((target(VNNI))) static uint64_t
csum_bytes_vnni(const uint8_t *p, size_t len)
{
	struct vnni_sum s = {_mm512_setzero_si512(), _mm512_setzero_si512()};
	struct vnni_sum t = s;
	unsigned int skip = (uintptr_t)p % 64, rotate = skip % 2 * 8;
	uint64_t mask = UINT64_MAX << skip;

	p -= skip;
	len += skip;
	if (len <= 64) {
		mask = _bzhi_u64(mask, (unsigned int)len);
		vnni_add(&s, _mm512_maskz_loadu_epi8(mask, p));
		return vnni_fold(&s, &t) << rotate;
	}
	vnni_add(&s, _mm512_maskz_loadu_epi8(mask, p));
	for (p += 64, len -= 64; len >= 128; p += 128, len -= 128) {
		vnni_add(&s, _mm512_load_si512(p));
		vnni_add(&t, _mm512_load_si512(p + 64));
	}
	if (len >= 64) {
		vnni_add(&s, _mm512_load_si512(p));
		p += 64;
		len -= 64;
	}
	mask = _bzhi_u64(UINT64_MAX, (unsigned int)len);
	vnni_add(&t, _mm512_maskz_loadu_epi8(mask, p));
	return vnni_fold(&s, &t) << rotate;
}
#endif

/* Its lanes are little-endian words. */
#if defined(__aarch64__) && defined(__AARCH64EL__)
#define CSUM_NEON
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
	    __builtin_cpu_supports("avx512vnni") &&
	    __builtin_cpu_supports("bmi2"))
		impls[impl_count++] =
		    (struct csum_impl){"avx512-vnni", csum_bytes_vnni};
#elif defined(CSUM_NEON)
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

void
csum_transport_set(uint8_t *data, const struct pkt *p)
{
	uint8_t *l4 = data + p->l4;
	uint8_t *field = l4 + pkt_csum_offset(p);
	uint64_t pseudo = csum_pseudo(data, p);
	uint16_t sum;

	pkt_store16(field, 0);
	sum = (uint16_t)~csum_fold(csum_transport(pseudo, l4, p->len - p->l4));
	/* a UDP checksum of zero would mean that there is none (RFC 768) */
	if (sum == 0 && p->proto == PKT_UDP)
		sum = 0xffff;
	pkt_store16(field, sum);
}

#include "common/why.h"
#include "privsep/steering.h"

#include <sys/ioctl.h>
#include <sys/syscall.h>

#include <errno.h>
#include <linux/bpf.h>
#include <linux/if_tun.h>
#include <netinet/in.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

/*
 * Theory of operation.  Left to itself the driver takes the queue that wrote a
 * flow's last packet, else one by a hash with a key of its own boot; so a flow
 * moves when the far side speaks, and one whose ends begin at once moves again
 * and again (tun_automq_select_queue in drivers/net/tun.c).  This program looks
 * at the packet alone.  Both directions have the same hash, here and at the far
 * side, so that a flow is in one queue for ever, and it is the same at both
 * ends.
 *
 * A fragment has no ports, so of any fragment only the addresses count, and
 * of what has IPv6 extension headers, behind which nothing is looked for.  What
 * ends before the field that is looked at, goes to queue 0: BPF_ABS and BPF_IND
 * end the program then.
 */
#define MULTIPLIER 0x9e3779b97f4a7c15 /* 2^64 / golden ratio, odd */
#define IPV4_FRAGMENT 0x3fff	      /* more fragments, or an offset */

/* What a register is for; R1 to R5 do not survive a load. */
#define VALUE BPF_REG_0	 /* what is loaded, and what is returned */
#define SPARE BPF_REG_1	 /* also the packet, at the start */
#define PACKET BPF_REG_6 /* where BPF_ABS and BPF_IND look */
#define HASH BPF_REG_7	 /* the sum of what was mixed */
#define INDEX BPF_REG_8	 /* of the ports; of an IPv6 address: mixed so far */
#define FACTOR BPF_REG_9 /* MULTIPLIER */

/* clang-format off */
#define OP(op, reg, value) \
	{.code = BPF_ALU64 | BPF_##op | BPF_K, .dst_reg = (reg), .imm = (value)}
#define OP_REG(op, reg, from) \
	{.code = BPF_ALU64 | BPF_##op | BPF_X, .dst_reg = (reg), \
	    .src_reg = (from)}
#define IMM64(reg, value) \
	{.code = BPF_LD | BPF_DW | BPF_IMM, .dst_reg = (reg), \
	    .imm = (int32_t)(uint32_t)(value)}, \
	{.imm = (int32_t)((uint64_t)(value) >> 32)}
#define LOAD(size, offset) \
	{.code = BPF_LD | BPF_##size | BPF_ABS, .imm = (offset)}
#define LOAD_INDEXED(size, offset) \
	{.code = BPF_LD | BPF_##size | BPF_IND, .src_reg = INDEX, \
	    .imm = (offset)}
#define SKIP_IF(cmp, value, count) \
	{.code = BPF_JMP | BPF_##cmp | BPF_K, .dst_reg = VALUE, \
	    .imm = (value), .off = (count)}
#define SKIP(count) {.code = BPF_JMP | BPF_JA, .off = (count)}
#define EXIT {.code = BPF_JMP | BPF_EXIT}

/* Addition alone would let neighbours' sums meet: 1 + 4 and 2 + 3. */
#define MIX \
	OP_REG(MUL, VALUE, FACTOR), \
	OP_REG(MOV, SPARE, VALUE), \
	OP(RSH, SPARE, 32), \
	OP_REG(XOR, VALUE, SPARE)
#define MIX_LENGTH 4
/* The order of the two ends does not count in a sum. */
#define ADD(load) load, MIX, OP_REG(ADD, HASH, VALUE)
#define ADD_LENGTH (1 + MIX_LENGTH + 1)
/* The order of an address's words does. */
#define WORD(offset) \
	LOAD(W, offset), OP_REG(ADD, VALUE, INDEX), MIX, \
	OP_REG(MOV, INDEX, VALUE)
#define WORD_LENGTH (2 + MIX_LENGTH + 1)
#define ADDRESS6(offset) \
	OP(MOV, INDEX, 0), \
	WORD(offset), WORD(offset + 4), WORD(offset + 8), WORD(offset + 12), \
	OP_REG(ADD, HASH, INDEX)
#define ADDRESS6_LENGTH (1 + 4 * WORD_LENGTH + 1)

/* How far it is over the parts of the program below. */
#define IPV6_LENGTH (2 * ADDRESS6_LENGTH + 3)
#define IPV4_LENGTH (2 * ADD_LENGTH + 5)
#define PROTOCOLS_LENGTH 6
#define PORTS_LENGTH (2 * ADD_LENGTH)

static const struct bpf_insn program[] = {
	OP_REG(MOV, PACKET, SPARE),
	IMM64(FACTOR, MULTIPLIER),
	OP(MOV, HASH, 0),
	LOAD(B, 0),
	OP_REG(MOV, INDEX, VALUE),
	OP(RSH, VALUE, 4),
	SKIP_IF(JEQ, 4, IPV6_LENGTH),

	/* IPv6: next header in VALUE */
	ADDRESS6(8),
	ADDRESS6(24),
	OP(MOV, INDEX, 40),
	LOAD(B, 6),
	SKIP(IPV4_LENGTH),

	/* IPv4: protocol in VALUE; a fragment has no ports */
	ADD(LOAD(W, 12)),
	ADD(LOAD(W, 16)),
	OP(AND, INDEX, 0xf),
	OP(LSH, INDEX, 2),
	LOAD(H, 6),
	SKIP_IF(JSET, IPV4_FRAGMENT, 1 + PROTOCOLS_LENGTH + PORTS_LENGTH),
	LOAD(B, 9),

	/* those that have ports, and have them in front */
	SKIP_IF(JEQ, IPPROTO_TCP, 5),
	SKIP_IF(JEQ, IPPROTO_UDP, 4),
	SKIP_IF(JEQ, IPPROTO_SCTP, 3),
	SKIP_IF(JEQ, IPPROTO_DCCP, 2),
	SKIP_IF(JEQ, IPPROTO_UDPLITE, 1),
	SKIP(PORTS_LENGTH),
	ADD(LOAD_INDEXED(H, 0)),
	ADD(LOAD_INDEXED(H, 2)),

	/* 16 bits, of which the driver takes the remainder by the queues */
	OP_REG(MUL, HASH, FACTOR),
	OP_REG(MOV, VALUE, HASH),
	OP(RSH, VALUE, 48),
	EXIT,
};
/* clang-format on */

static int program_fd = -1;
static int program_error; /* why there is none */

void
steering_load(void)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.prog_type = BPF_PROG_TYPE_SOCKET_FILTER;
	attr.insns = (uintptr_t)program;
	attr.insn_cnt = sizeof(program) / sizeof(program[0]);
	attr.license = (uintptr_t) "ISC";
	memcpy(attr.prog_name, "tund_steering", sizeof("tund_steering"));
	/* the kernel sets O_CLOEXEC */
	program_fd = (int)syscall(SYS_bpf, BPF_PROG_LOAD, &attr, sizeof(attr));
	program_error = program_fd == -1 ? errno : 0;
}

int
steering_set(int tun)
{
	if (program_fd == -1) {
		errno = program_error;
		return -1;
	}
	return ioctl(tun, TUNSETSTEERINGEBPF, &program_fd);
}

void
steering_explain(int error, struct why *why)
{
	why_set(why,
	    "the driver chooses the queues, so packets of a flow may overtake "
	    "each other: %s%s",
	    strerror(error),
	    error == EPERM ? "; add CAP_BPF to CapabilityBoundingSet and bpf "
			     "to SystemCallFilter of the unit, or CAP_BPF to "
			     "the container's capabilities, and restart tund"
			   : "");
}

void
steering_clear(int tun)
{
	int none = -1;

	ioctl(tun, TUNSETSTEERINGEBPF, &none);
}

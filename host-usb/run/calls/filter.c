/* SPDX-License-Identifier: Apache-2.0 */
/* Makes the program of the seccomp filter.
 *
 * libseccomp could do it, but if it lacks memory it makes a filter that lets calls pass, and
 * reports no error: the tool would work on the workstation. */
#include "host-usb/run/calls/filter.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <stdlib.h>

/* No call that Linux will add has a higher number; ARM has private ones. */
#define NUMBERS_MAX 1023
#define X32_BIT	    0x40000000 /* of calls of the x32 ABI, which has x86-64's architecture */

#define LOAD  (BPF_LD | BPF_W | BPF_ABS)
#define JUMP  (BPF_JMP | BPF_JA)
#define EQUAL (BPF_JMP | BPF_JEQ | BPF_K)
#define ABOVE (BPF_JMP | BPF_JGT | BPF_K)
#define LEAST (BPF_JMP | BPF_JGE | BPF_K)

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define LOW_WORD 0
#else
#define LOW_WORD 4
#endif

/* A conditional jump skips `yes` or `no` instructions. */
static void put(struct filter_program *p, int code, uint32_t k, uint8_t yes, uint8_t no)
{
	if (p->count < FILTER_INSNS_MAX)
		p->code[p->count] = (struct sock_filter){(uint16_t)code, yes, no, k};
	p->count++;
}

static void put_return(struct filter_program *p, uint32_t action)
{
	put(p, BPF_RET | BPF_K, action, 0, 0);
}

static void put_load(struct filter_program *p, unsigned int argument, uint32_t word)
{
	put(p, LOAD, (uint32_t)offsetof(struct seccomp_data, args[argument]) + word, 0, 0);
}

/* Returns the action if the comparison holds. */
static void put_comparison(
	struct filter_program *p, const struct scmp_arg_cmp *compare, uint32_t action)
{
	uint32_t value = (uint32_t)compare->datum_a;

	put_load(p, compare->arg, LOW_WORD);
	switch (compare->op) {
	case SCMP_CMP_MASKED_EQ:
		put(p, BPF_ALU | BPF_AND | BPF_K, value, 0, 0);
		put(p, EQUAL, (uint32_t)compare->datum_b, 0, 1);
		break;
	case SCMP_CMP_NE:
		put(p, EQUAL, value, 1, 0);
		break;
	case SCMP_CMP_GE:
		put(p, LEAST, value, 0, 1);
		break;
	case SCMP_CMP_GT:
		put(p, ABOVE, value, 0, 1);
		break;
	default:
		put(p, EQUAL, value, 0, 1);
	}
	put_return(p, action);
}

/* Returns the action if all of the rule's comparisons of 64 bits hold. */
static void put_all(struct filter_program *p, const struct filter_rule *rule)
{
	uint8_t left = (uint8_t)(4 * rule->all_count); /* instructions before the return */

	for (unsigned int i = 0; i < rule->all_count; i++) {
		const struct scmp_arg_cmp *compare = &rule->all[i];

		put_load(p, compare->arg, LOW_WORD);
		put(p, EQUAL, (uint32_t)compare->datum_a, 0, (uint8_t)(left - 1));
		put_load(p, compare->arg, 4 - LOW_WORD);
		put(p, EQUAL, (uint32_t)(compare->datum_a >> 32), 0, (uint8_t)(left - 3));
		left = (uint8_t)(left - 4);
	}
	if (rule->all_count)
		put_return(p, rule->action);
}

/* The call has the number of the rule or of none. */
static void put_rule(struct filter_program *p, const struct filter_rule *rule)
{
	put(p, EQUAL, (uint32_t)rule->number, 1, 0);
	put_return(p, SCMP_ACT_ALLOW);
	put_all(p, rule);
	for (unsigned int i = 0; i < rule->count; i++)
		put_comparison(p, &rule->compare[i], rule->action);
	put_return(p, rule->count || rule->all_count ? SCMP_ACT_ALLOW : rule->action);
}

/* A binary tree is the fastest for calls that have no rule, which are most. */
static void put_tree(struct filter_program *p, const struct filter_rule *rules, size_t count)
{
	size_t half = count / 2, jump;

	if (count == 1) {
		put_rule(p, rules);
		return;
	}
	put(p, LEAST, (uint32_t)rules[half].number, 0, 1);
	jump = p->count;
	put(p, JUMP, 0, 0, 0);
	put_tree(p, rules, half);
	if (jump < FILTER_INSNS_MAX)
		p->code[jump].k = (uint32_t)(p->count - jump - 1);
	put_tree(p, rules + half, count - half);
}

static int by_number(const void *a, const void *b)
{
	return ((const struct filter_rule *)a)->number - ((const struct filter_rule *)b)->number;
}

int filter_make(
	struct filter_program *program, struct filter_rule *rules, size_t count, uint32_t last)
{
	program->count = 0;
	qsort(rules, count, sizeof(*rules), by_number);
	/* Calls that are newer than this program fail, as on an older kernel: one of them could be
	 * another way to open a file. */
	put(program, LOAD, offsetof(struct seccomp_data, nr), 0, 0);
	put(program, ABOVE, last, 0, 2);
	put(program, ABOVE, NUMBERS_MAX, 1, 0);
	put_return(program, SCMP_ACT_ERRNO(ENOSYS));
	put(program, LOAD, offsetof(struct seccomp_data, arch), 0, 0);
	put(program, EQUAL, seccomp_arch_native(), 1, 0);
	put_return(program, SCMP_ACT_KILL);
	put(program, LOAD, offsetof(struct seccomp_data, nr), 0, 0);
	if (seccomp_arch_native() == SCMP_ARCH_X86_64) {
		put(program, LEAST, X32_BIT, 0, 2);
		put(program, EQUAL, UINT32_MAX, 1, 0); /* no call: a tracer has cancelled it */
		put_return(program, SCMP_ACT_KILL);
	}
	put_tree(program, rules, count);
	return program->count <= FILTER_INSNS_MAX ? 0 : -E2BIG;
}

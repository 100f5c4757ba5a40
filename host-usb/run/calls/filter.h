/* SPDX-License-Identifier: Apache-2.0 */
/* The program of the seccomp filter, made without allocations. */
#ifndef HOST_USB_RUN_CALLS_FILTER_H
#define HOST_USB_RUN_CALLS_FILTER_H

#include <linux/filter.h>
#include <seccomp.h>
#include <stddef.h>
#include <stdint.h>

#define FILTER_INSNS_MAX       2048
#define FILTER_RULES_MAX       256
#define FILTER_COMPARISONS_MAX 3

/* What happens to a system call of this number: the action if one of the comparisons holds or if
 * there are none, otherwise the workstation's kernel runs it. */
struct filter_rule {
	int number;
	uint32_t action; /* SCMP_ACT_* */
	unsigned int count;
	struct scmp_arg_cmp compare[FILTER_COMPARISONS_MAX];
	/* The action also if all of these hold; of 64 bits, EQ only. */
	unsigned int all_count;
	struct scmp_arg_cmp all[2];
};

struct filter_program {
	struct sock_filter code[FILTER_INSNS_MAX];
	size_t count;
};

/* Makes the program. `rules` are sorted by their numbers first. Comparisons look at the low 32 bits
 * of an argument, as the kernel does for those that are an int; their operators are EQ, NE, GE, GT
 * and MASKED_EQ. Numbers above `last` fail with ENOSYS, and calls of another architecture end the
 * process. Returns 0; -E2BIG: the program has more than FILTER_INSNS_MAX instructions. */
int filter_make(
	struct filter_program *program, struct filter_rule *rules, size_t count, uint32_t last);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* System calls that can fail: their kinds, and the errnos of their manual pages. ENOENT of a
 * question about a file, and EACCES of access(), are answers and not failures. */
#ifndef TESTS_FAIL_CALLS_H
#define TESTS_FAIL_CALLS_H

struct fail_call {
	const char *kind; /* calls of one kind are counted together */
	const char *name;
	long number;
	int errnos[8]; /* ends with 0 */
};

/* Returns the call of that number if it is of that kind, or NULL. */
const struct fail_call *fail_call_find(const char *kind, long number);

/* Prints the kinds, a line each. */
void fail_call_print_kinds(void);

const char *fail_errno_name(int number);

#endif

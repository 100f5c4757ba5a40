/* SPDX-License-Identifier: Apache-2.0 */
/* Traces processes with ptrace(2), counts their calls and lets one fail. */
#ifndef TESTS_FAIL_TRACEE_H
#define TESTS_FAIL_TRACEE_H

#include "tests/fail/calls.h"

#include <stdbool.h>
#include <sys/types.h>

#define TRACEES_MAX 256

struct tracee {
	pid_t pid;
	bool is_held;	 /* stopped at its start: its parent has not reported it yet */
	bool is_known;	 /* its parent has reported it */
	bool is_started; /* it runs main(), so its calls count */
	bool is_failing; /* in the call that fails */
	long main_at;	 /* address of main(), where there is a breakpoint; 0: none */
	long main_code;	 /* what was there */
};

struct tracer {
	/* Set by the caller. */
	const char *kind, *program;
	unsigned long nth;
	unsigned int errno_index;
	/* Results. */
	unsigned long count;
	bool has_failed;
	const struct fail_call *call;
	int error;
	pid_t pid; /* of the process whose call failed */
	unsigned int errno_count;
	char what[256];	   /* first argument of the call: a path or a number */
	char name[32];	   /* of the process */
	char callers[256]; /* addresses in the program, innermost first */
	struct tracee tracees[TRACEES_MAX];
};

/* Starts to trace a child that has not called exec yet. */
void tracer_attach(struct tracer *t, pid_t pid);

/* Handles a stop that waitpid(2) reported, and lets the process go on. */
void tracer_stopped(struct tracer *t, pid_t pid, int status);

void tracer_ended(struct tracer *t, pid_t pid);

#endif

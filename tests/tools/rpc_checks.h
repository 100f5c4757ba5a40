/* SPDX-License-Identifier: Apache-2.0 */
/* Common parts of the programs that check the binary protocol.
 *
 * Such a program runs the check that its first argument names. It exits with 0, or prints what
 * failed and exits with 1. */
#ifndef TESTS_TOOLS_RPC_CHECKS_H
#define TESTS_TOOLS_RPC_CHECKS_H

#include "tests/tools/rpc_calls.h"

#include <inttypes.h>
#include <sys/syscall.h>
#include <time.h>

static char **session;	      /* the command that starts a session */
static const char *file_name; /* the argument FILE */
static uint64_t file_offset;  /* the argument OFFSET */

#define SYSCALLS 1000
#define RING	 4096u /* bytes of a ring's data */

#define expect(what)                                                                      \
	do {                                                                              \
		if (!(what)) {                                                            \
			printf("%s: line %d: not true: %s\n", __func__, __LINE__, #what); \
			exit(1);                                                          \
		}                                                                         \
	} while (0)

#define expect_number(number, wanted)                                                              \
	do {                                                                                       \
		long long number_ = (long long)(number), wanted_ = (long long)(wanted);            \
		if (number_ != wanted_) {                                                          \
			printf("%s: line %d: %s is %lld, not %lld\n", __func__, __LINE__, #number, \
				number_, wanted_);                                                 \
			exit(1);                                                                   \
		}                                                                                  \
	} while (0)

static inline void start(struct peer *peer)
{
	peer_start(peer, session);
}

static inline void end(struct peer *peer)
{
	expect_number(peer_end(peer), 0);
}

static inline void make_events(unsigned int count)
{
	while (count--)
		syscall(SYS_getpgid, 0);
}

static inline void wait_ms(long ms)
{
	const struct timespec time = {ms / 1000, ms % 1000 * 1000000};

	nanosleep(&time, NULL);
}

/* Reads the number of the tracepoint of getpgid(2) from tracefs. */
static inline uint64_t tracepoint_id(struct peer *peer)
{
	struct bytes_out text = {.data = NULL};
	uint64_t id;

	expect_number(
		peer_file(peer, "/sys/kernel/tracing/events/syscalls/sys_enter_getpgid/id", &text),
		0);
	bytes_put_u8(&text, 0);
	id = strtoull((const char *)text.data, NULL, 10);
	expect(id > 0);
	bytes_out_free(&text);
	return id;
}

struct check {
	const char *name;
	void (*run)(void);
};

/* Arguments: CHECK FILE OFFSET COMMAND... FILE and OFFSET may be "-"; COMMAND starts a session. */
static inline int run_check(int argc, char **argv, const struct check *checks, size_t count)
{
	if (argc < 5) {
		fprintf(stderr, "Usage: %s CHECK FILE OFFSET COMMAND...\n", argv[0]);
		return 2;
	}
	file_name = argv[2];
	file_offset = strtoull(argv[3], NULL, 0);
	session = argv + 4;
	for (; count; checks++, count--) {
		if (strcmp(checks->name, argv[1]) == 0) {
			checks->run();
			return 0;
		}
	}
	fprintf(stderr, "%s: %s: no such check\n", argv[0], argv[1]);
	return 2;
}

#endif

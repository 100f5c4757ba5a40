/* SPDX-License-Identifier: Apache-2.0 */
/* Command line options in one table, from which getopt's arrays and --help are made. */
#ifndef CORE_BASE_OPTIONS_H
#define CORE_BASE_OPTIONS_H

#include "core/base/log.h"

#include <stdbool.h>
#include <stdint.h>

#define OPTIONS_MAX 40

struct option_spec {
	int id; /* returned by options_next: the short option's letter, or a number above 255 */
	const char *name;     /* of the long option */
	const char *argument; /* its name in --help; NULL: none; "[X]": optional, after "=" */
	const char *help;
};

/* Ends a table. Every program has -h, -V, -v and -q. */
#define OPTIONS_COMMON                                                                           \
	{'v', "verbose", NULL, "log more; twice: log what happens on the wire"},                 \
		{'q', "quiet", NULL, "log errors only"}, {'h', "help", NULL, "print this help"}, \
		{'V', "version", NULL, "print the version"},                                     \
	{                                                                                        \
		0, NULL, NULL, NULL                                                              \
	}

/* Takes the next option like getopt_long(3), which sets optarg and optind. Returns its id; -1 at
 * the first argument that is no option; '?' for a wrong option, after printing a message. */
int options_next(int argc, char *const *argv, const struct option_spec *table);

/* Prints `usage` and the table to stdout. */
void options_help(const char *usage, const struct option_spec *table);

/* A program, for --help and --version. `usage` is the text above the options. */
struct option_program {
	const char *name, *usage;
	const struct option_spec *options;
};

/* How much to log, by -v and -q; the last of them wins. */
struct option_verbosity {
	unsigned int verbose; /* number of -v */
	bool quiet;
};

/* Handles an option of OPTIONS_COMMON. Returns 0 after -v or -q; 1 after -h or -V, whose text it
 * has printed: the program then exits with status 0; -EINVAL for any other id. */
int options_take_common(
	const struct option_program *program, int id, struct option_verbosity *verbosity);

/* Writes out what was printed. Returns 0 or a negative errno, logged: an answer that nobody got is
 * no success. */
int options_flush(void);

/* Returns the level for log_open(). */
enum log_level options_log_level(const struct option_verbosity *verbosity);

/* Reads a decimal number, or a hexadecimal one after 0x. Returns 0, or -EINVAL if the whole text is
 * not a number from `min` to `max`; *value is then unchanged. */
int options_number(const char *text, uint64_t min, uint64_t max, uint64_t *value);

#endif

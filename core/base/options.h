/* SPDX-License-Identifier: Apache-2.0 */
/* Command line options from one table: getopt's arrays and --help both come from it. */
#ifndef CORE_BASE_OPTIONS_H
#define CORE_BASE_OPTIONS_H

#include "core/base/log.h"

#include <stdbool.h>
#include <stdint.h>

#define OPTIONS_MAX 40

struct option_spec {
	int id;		  /* what options_next returns: the letter if there is one, else > 255 */
	const char *name; /* of the long form */
	const char *argument; /* its name in --help; NULL: none; "[X]": optional, after "=" */
	const char *help;
};

/* Ends a table. Every program has -h, -V, -v and -q. */
#define OPTIONS_COMMON                                                                           \
	{'v', "verbose", NULL, "say more; twice: say what happens on the wire"},                 \
		{'q', "quiet", NULL, "say errors only"}, {'h', "help", NULL, "print this help"}, \
		{'V', "version", NULL, "print the version"},                                     \
	{                                                                                        \
		0, NULL, NULL, NULL                                                              \
	}

/* Takes the next option, as getopt_long(3) does: optarg and optind are set. Returns its id, -1 at
 * the end, '?' for a wrong one, of which getopt has told. Stops at the first other argument. */
int options_next(int argc, char *const *argv, const struct option_spec *table);

/* Prints `usage` and the table to stdout. */
void options_help(const char *usage, const struct option_spec *table);

/* What --help and --version print: the name of a program, the text above its options, its table. */
struct option_program {
	const char *name, *usage;
	const struct option_spec *options;
};

/* What -v and -q have asked for; the later one of the two wins. */
struct option_verbosity {
	unsigned int verbose; /* number of -v */
	bool quiet;
};

/* Handles an option of OPTIONS_COMMON. Returns 0 after -v or -q; 1 after -h or -V, whose text is
 * printed, so that the program exits; -EINVAL for any other id. */
int options_take_common(
	const struct option_program *program, int id, struct option_verbosity *verbosity);

/* The level for log_open(). */
enum log_level options_log_level(const struct option_verbosity *verbosity);

/* Reads a whole decimal number, or with 0x a hexadecimal one. Returns 0, or -EINVAL when the text
 * is not a number from min to max; *value is then untouched. */
int options_number(const char *text, uint64_t min, uint64_t max, uint64_t *value);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the fuzzers: fake files, memory files and copies of inputs.
 *
 * A fuzzer is a file with LLVMFuzzerTestOneInput(). libFuzzer calls it with generated inputs,
 * replay.c with kept ones. Fuzzers do not touch the machine: kernel.c answers system calls, and
 * tree.c makes the only files that can be opened. */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include "core/base/paths.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Aborts the program if the condition is false. Such an input is a finding. */
#define MUST(condition)           \
	do {                      \
		if (!(condition)) \
			abort();  \
	} while (0)

/* The fake tree: a directory with proc, sys and bin. The first call makes it; it is removed at
 * exit. Only its files and memory files can be opened. */
const char *tree_root(void);
const struct paths *tree_paths(void);

/* Returns true if the path is in the tree or that of a memory file. */
bool tree_holds(const char *path);

/* The contents of a file that no session may output. It looks like a program. A link of process 42
 * leads to it, but it is outside the root directory of that process. */
#define TREE_SECRET "\177ELF\2\1\1\0\0\0\0\0\0\0\0\0\3\0 the secret"

/* Writes a file of the tree and replaces its contents. */
void tree_put(const char *name, const void *data, size_t size);

/* Makes a memory file with these contents, positioned at its start. Returns its descriptor. */
int memory_file(const void *data, size_t size);

/* Returns a copy in memory of exactly this size, so that a sanitizer detects reads beyond it. The
 * caller frees it. */
uint8_t *exact_copy(const void *data, size_t size);

/* Makes an object of the fake kernel: a memory file that can be mapped as a ring with one record.
 * Returns its descriptor. */
int kernel_object(void);

#endif

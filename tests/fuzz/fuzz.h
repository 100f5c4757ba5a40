/* SPDX-License-Identifier: Apache-2.0 */
/* What the fuzzers share. A fuzzer is a file with LLVMFuzzerTestOneInput(): libFuzzer calls it with
 * inputs that it makes up, replay.c with inputs that are kept. Nothing of the machine is touched:
 * kernel.c answers system calls, and tree.c makes the files that can be opened. */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include "core/base/paths.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Ends the program, as a finding, unless the condition holds. */
#define MUST(condition)           \
	do {                      \
		if (!(condition)) \
			abort();  \
	} while (0)

/* The made-up tree: a directory with proc, sys and bin. Made at the first call, removed at the
 * program's end. Only files in it, and our own memory files, can be opened. */
const char *tree_root(void);
const struct paths *tree_paths(void);

/* Whether a path is in it, or a memory file's. */
bool tree_holds(const char *path);

/* What no session may ever tell: it looks like a program, and is a file of the tree's root, which a
 * link of process 42 leads to; the root of that process is farther down. */
#define TREE_SECRET "\177ELF\2\1\1\0\0\0\0\0\0\0\0\0\3\0 the secret"

/* Writes a file of the tree, in place of what it held. */
void tree_put(const char *name, const void *data, size_t size);

/* A memory file with these contents, at its start. */
int memory_file(const void *data, size_t size);

/* A copy that ends where its memory ends, so that reading beyond it is noticed. */
uint8_t *exact_copy(const void *data, size_t size);

/* An object of the made-up kernel: a memory file that can be mapped like a ring with a record in
 * it. */
int kernel_object(void);

#endif

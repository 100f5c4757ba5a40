/* SPDX-License-Identifier: Apache-2.0 */
/* Runs a session of bpfd on given input, for the fuzzers of both front ends. */
#ifndef TESTS_FUZZ_SESSION_H
#define TESTS_FUZZ_SESSION_H

#include "tests/fuzz/fuzz.h"

#include "core/bpfd/serve.h"
#include "core/bpfd/session.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static inline bool has_secret(const void *text, size_t size)
{
	return memmem(text, size, "the secret", 10) != NULL;
}

/* Checks that the output of a session contains nothing of the file that it must not open. */
static inline void check_output(int out)
{
	struct stat st;
	char *text;

	MUST(!fstat(out, &st));
	text = malloc((size_t)st.st_size + 1);
	MUST(text && pread(out, text, (size_t)st.st_size, 0) == st.st_size);
	MUST(!has_secret(text, (size_t)st.st_size));
	free(text);
}

/* Runs a session on `prefix` followed by the data. Checks that it leaves no descriptor open. */
static inline void session(const char *prefix, const uint8_t *data, size_t size)
{
	size_t length = strlen(prefix);
	uint8_t *input = malloc(length + size);
	int in, out, first, last, ret;
	struct bpfd_config config;
	struct bpfd *bpfd;

	MUST(input || !(length + size));
	if (length)
		memcpy(input, prefix, length);
	if (size)
		memcpy(input + length, data, size);
	bpfd_config_init(&config);
	config.paths = *tree_paths();
	config.limits.line = 1 << 20;
	config.limits.handles = 64;
	config.limits.memory = 16 << 20;
	config.limits.log_bytes = 128 << 10;
	tree_put("sys/kernel/tracing/kprobe_events", "r3:old/one f\n", 13);
	tree_put("sys/kernel/tracing/uprobe_events", "", 0);
	first = memory_file("", 0);
	in = memory_file(input, length + size);
	out = memory_file("", 0);
	MUST(!bpfd_open(&bpfd, &config, in, out));
	ret = bpfd_serve(bpfd);
	MUST(!ret || ret == -EPROTO || ret == -ENOMEM);
	bpfd_close(bpfd);
	if (!has_secret(input, length + size)) /* else the output may echo it */
		check_output(out);
	close(first);
	close(in);
	close(out);
	last = memory_file("", 0);
	MUST(last == first);
	close(last);
	free(input);
}

#endif

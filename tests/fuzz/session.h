/* SPDX-License-Identifier: Apache-2.0 */
/* Runs a session of bpfd over bytes, for the fuzzers of both of its front ends. */
#ifndef TESTS_FUZZ_SESSION_H
#define TESTS_FUZZ_SESSION_H

#include "tests/fuzz/fuzz.h"

#include "core/bpfd/serve.h"
#include "core/bpfd/session.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static inline bool is_told(const void *text, size_t size)
{
	return memmem(text, size, "the secret", 10) != NULL;
}

/* What a session has said holds nothing of a file that it cannot have opened. */
static inline void check_output(int out)
{
	struct stat st;
	char *text;

	MUST(!fstat(out, &st));
	text = malloc((size_t)st.st_size + 1);
	MUST(text && pread(out, text, (size_t)st.st_size, 0) == st.st_size);
	MUST(!is_told(text, (size_t)st.st_size));
	free(text);
}

/* `prefix` comes before the bytes. Nothing that it makes may be left afterwards: the descriptors
 * that are open are as many as before. */
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
	if (!is_told(input, length + size)) /* else it is an echo */
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

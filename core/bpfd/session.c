/* SPDX-License-Identifier: Apache-2.0 */
/* Opens and closes a session. */
#include "core/bpfd/session.h"

#include "core/base/log.h"
#include "core/bpfd/bpf/cpu_watch.h"
#include "core/bpfd/bpf/event_list.h"
#include "core/bpfd/bpf/handle.h"
#include "core/bpfd/bpf/probe.h"
#include "core/bpfd/bpf/ring.h"
#include "core/bpfd/line.h"
#include "core/bpfd/reply.h"
#include "core/bpfd/symbols/ksym.h"
#include "core/bpfd/symbols/usym.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define KIB 1024ULL
#define MIB (1024 * KIB)

#define OTHER_FILES 64 /* descriptors that are not handles: streams, files that are being read */

/* The other half is for the board's own work. */
static uint64_t half_of_memory(void)
{
	long pages = sysconf(_SC_PHYS_PAGES), size = sysconf(_SC_PAGESIZE);

	return pages > 0 && size > 0 ? (uint64_t)pages / 2 * (uint64_t)size : 64 * MIB;
}

void bpfd_config_init(struct bpfd_config *config)
{
	memset(config, 0, sizeof(*config));
	config->paths.proc = "/proc";
	config->paths.sysfs = "/sys";
	config->paths.tracefs = "/sys/kernel/tracing";
	config->limits = (struct limits){
		.line = 32 * MIB, /* three times the largest program that the kernel accepts */
		.handles = 4096,
		.memory = half_of_memory(),
		.poll_bytes = 1 * MIB,	   /* about 40 ms on a high-speed USB link */
		.log_bytes = 16 * MIB - 1, /* the maximum of kernels before 5.2 */
		.chunk_bytes = 256 * KIB,
		.file_bytes = 1024 * MIB, /* enough for programs with debug information */
		.ring_pages = 16384,	  /* 64 MiB for each CPU's ring */
		.heap = half_of_memory(),
	};
}

/* Kernels before 5.11 count the memory of maps against RLIMIT_MEMLOCK, which is 64 KiB by default.
 * RLIMIT_NOFILE must allow a descriptor for each handle. If a limit cannot be raised, the session
 * continues: a call that exceeds it reports its own error. */
static void set_rlimits(const struct limits *limits)
{
	struct rlimit memory = {RLIM_INFINITY, RLIM_INFINITY}, files;

	if (setrlimit(RLIMIT_MEMLOCK, &memory) < 0) {
		log_debug("RLIMIT_MEMLOCK: %s", strerror(errno));
		if (getrlimit(RLIMIT_MEMLOCK, &memory) == 0) {
			memory.rlim_cur = memory.rlim_max;
			setrlimit(RLIMIT_MEMLOCK, &memory);
		}
	}
	if (getrlimit(RLIMIT_NOFILE, &files) < 0)
		return;
	files.rlim_cur = limits->handles + OTHER_FILES;
	if (files.rlim_cur > files.rlim_max)
		files.rlim_cur = files.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &files) < 0)
		log_debug("RLIMIT_NOFILE: %s", strerror(errno));
}

static int open_parts(struct bpfd *b, int in, int out)
{
	const struct limits *limits = &b->config.limits;
	int err;

	err = line_reader_new(&b->input, in, limits->line, b->config.stop);
	if (!err)
		err = reply_new(&b->reply, out, b->config.stop);
	if (!err)
		err = handles_new(&b->handles, (unsigned int)limits->handles);
	b->cpus = cpu_watch_new();
	if (!err && !b->cpus)
		err = -ENOMEM;
	if (!err)
		err = ring_set_new(&b->rings, &b->memory);
	if (!err)
		err = probe_set_new(&b->probes, &b->config.paths);
	if (!err)
		err = event_list_new(&b->events, &b->config.paths);
	if (!err)
		err = ksym_new(&b->ksym, b->config.paths.proc);
	if (!err)
		err = usym_new(&b->usym, b->config.paths.proc);
	return err;
}

int bpfd_open(struct bpfd **bpfd, const struct bpfd_config *config, int in, int out)
{
	struct bpfd *b = calloc(1, sizeof(*b));
	int err;

	if (!b) {
		log_error("session: %s", strerror(ENOMEM));
		return -ENOMEM;
	}
	/* libbpf's messages could block on stderr, and add nothing to the errno. */
	libbpf_set_print(NULL);
	b->config = *config;
	b->memory.max = config->limits.memory;
	b->memory.max_ring = ring_bytes(config->limits.ring_pages);
	event_files_open(&b->event_files, &b->config.paths);
	b->config.paths.event_files = &b->event_files;
	set_rlimits(&b->config.limits);
	err = open_parts(b, in, out);
	if (err) {
		log_error("session: %s", strerror(-err));
		bpfd_close(b);
		return err;
	}
	*bpfd = b;
	return 0;
}

void bpfd_close(struct bpfd *b)
{
	if (!b)
		return;
	handles_free(b->handles);   /* first: its objects belong to the sets */
	event_list_free(b->events); /* after the probes that are attached to its events */
	event_files_close(&b->event_files);
	probe_set_free(b->probes);
	ring_set_free(b->rings);
	cpu_watch_free(b->cpus);
	usym_free(b->usym);
	ksym_free(b->ksym);
	reply_free(b->reply);
	line_reader_free(b->input);
	budget_free(&b->memory);
	free(b);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The state of a session, on which all commands work. */
#ifndef CORE_BPFD_SESSION_H
#define CORE_BPFD_SESSION_H

#include "core/base/paths.h"
#include "core/bpfd/bpf/budget.h"
#include "core/bpfd/bpf/probe_event.h"

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BPFD_PROTOCOL 2 /* reported by BPFD_VERSION; grows when a command is added or changed */

/* What one session may use. Each limit has an option. */
struct limits {
	uint64_t line;	      /* bytes of a command */
	uint64_t handles;     /* maps, programs, attachments and rings together */
	uint64_t memory;      /* bytes of maps, programs and rings in the kernel */
	uint64_t poll_bytes;  /* record data in the reply to one PERF_READER_POLL */
	uint64_t log_bytes;   /* bytes of a verifier log */
	uint64_t chunk_bytes; /* bytes of keys and values that are held while a map is dumped */
	uint64_t file_bytes;  /* bytes that one request of BPFD_RPC may read of a file */
	uint64_t ring_pages;  /* pages of data in one ring */
	uint64_t heap;	      /* bytes of this process's own memory */
};

struct bpfd_config {
	struct paths paths;
	struct limits limits;
	const volatile sig_atomic_t *stop; /* a signal handler sets it to end the session */
	bool read_only;	  /* only commands and operations that are marked as reading are allowed */
	bool bpffs_fixed; /* names in bpffs cannot be removed, made or changed */
	bool only_observes; /* programs that change what the kernel does are refused */
};

struct cpu_watch;
struct event_list;
struct handles;
struct ksym;
struct line_reader;
struct probe_set;
struct reply;
struct ring_set;
struct usym;

struct bpfd {
	struct bpfd_config config;
	struct line_reader *input;
	struct reply *reply;
	struct handles *handles;
	struct budget memory; /* of maps, programs and rings */
	struct probe_set *probes;
	struct ring_set *rings;
	struct cpu_watch *cpus; /* on which the session has rings and events */
	struct ksym *ksym;
	struct usym *usym;
	struct event_files event_files;
	struct event_list *events; /* probe events that the client defined in tracefs */
	bool finished;		   /* "exit" was read */
	bool binary;		   /* BPFD_RPC was read: messages follow */
};

/* Sets the default limits and paths. */
void bpfd_config_init(struct bpfd_config *config);

/* Opens a session that reads commands from `in` and answers on `out`, which stay the caller's.
 * Returns 0 or a negative errno, which is logged. */
int bpfd_open(struct bpfd **bpfd, const struct bpfd_config *config, int in, int out);

/* Releases everything that the session created. NULL is fine. */
void bpfd_close(struct bpfd *bpfd);

#endif

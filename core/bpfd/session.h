/* SPDX-License-Identifier: Apache-2.0 */
/* A session of bpfd: what all commands work on. */
#ifndef CORE_BPFD_SESSION_H
#define CORE_BPFD_SESSION_H

#include "core/base/paths.h"
#include "core/bpfd/bpf/budget.h"
#include "core/bpfd/bpf/probe_event.h"

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BPFD_PROTOCOL 2 /* told by BPFD_VERSION; grows when a command is added or changed */

/* How much one session may make us hold. Each has an option. */
struct limits {
	uint64_t line;	      /* bytes of a command */
	uint64_t handles;     /* maps, programs, attachments and rings together */
	uint64_t memory;      /* bytes of maps, programs and rings in the kernel */
	uint64_t poll_bytes;  /* of record data in the reply of one PERF_READER_POLL */
	uint64_t log_bytes;   /* of a verifier log */
	uint64_t chunk_bytes; /* of keys and values held at a time while a map is dumped */
	uint64_t file_bytes;  /* of a file that is read by BPFD_RPC */
	uint64_t ring_pages;  /* of data in one ring */
	uint64_t heap;	      /* bytes of our own memory */
};

struct bpfd_config {
	struct paths paths;
	struct limits limits;
	const volatile sig_atomic_t *stop; /* set by a signal handler: end */
	bool read_only; /* commands and operations that are not marked as reading are refused */
};

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
	struct budget memory; /* maps, programs and rings */
	struct probe_set *probes;
	struct ring_set *rings;
	struct ksym *ksym;
	struct usym *usym;
	struct event_files event_files;
	struct event_list *events; /* that the client made in tracefs itself */
	bool finished;		   /* "exit" was read */
	bool binary;		   /* BPFD_RPC was read: messages follow */
};

/* Fills in the limits and paths that hold without options. */
void bpfd_config_init(struct bpfd_config *config);

/* Opens a session that reads commands from `in` and answers on `out`. Returns 0 or an errno; what
 * failed is logged. */
int bpfd_open(struct bpfd **bpfd, const struct bpfd_config *config, int in, int out);

/* Releases everything that the session made. NULL is fine. */
void bpfd_close(struct bpfd *bpfd);

#endif

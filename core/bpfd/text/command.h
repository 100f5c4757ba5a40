/* SPDX-License-Identifier: Apache-2.0 */
/* The command table: dispatch, usage and help come from it. */
#ifndef CORE_BPFD_TEXT_COMMAND_H
#define CORE_BPFD_TEXT_COMMAND_H

#include "core/bpfd/reply.h"
#include "core/bpfd/session.h"
#include "core/bpfd/text/args.h"

#include <stdio.h>

/* Writes the body of the reply. Or, if a field is wrong (see args.h), returns before it has
 * written anything: the client then gets "Command not recognized". */
typedef void command_handler(struct bpfd *bpfd, struct args *args);

struct command {
	const char *name;
	const char *fields;    /* for people: "FD KEY KLEN" */
	unsigned int min, max; /* number of fields behind the name */
	const char *help;
	command_handler *handler;
	bool reads; /* it changes nothing: a session that is read-only may use it */
};

/* Finds a command. Returns NULL if there is none. */
const struct command *command_find(const char *name);

/* Answers one line of len bytes without its newline, with a byte of room behind it, which it
 * overwrites. An empty line gets no answer. */
void command_run(struct bpfd *bpfd, struct args *args, char *line, size_t len);

/* Answers a line that cannot be run. */
void command_refuse(struct bpfd *bpfd, const char *why);

/* Prints the table. */
void command_help(FILE *out);

command_handler cmd_exit, cmd_version, cmd_rpc;
command_handler cmd_create_map, cmd_update_elem, cmd_lookup_elem, cmd_get_first_key,
	cmd_get_next_key, cmd_delete_elem, cmd_clear_map;
command_handler cmd_prog_load;
command_handler cmd_open_perf_buffer, cmd_perf_reader_poll, cmd_perf_reader_lost;
command_handler cmd_attach_kprobe, cmd_detach_kprobe, cmd_attach_uprobe, cmd_detach_uprobe,
	cmd_attach_tracepoint, cmd_detach_tracepoint, cmd_attach_perf_event,
	cmd_close_perf_event_fd;
command_handler cmd_get_ksym_name, cmd_get_ksym_addr, cmd_get_usym_name, cmd_get_usym_addr;
command_handler cmd_get_kallsyms, cmd_get_kprobes_blacklist, cmd_get_trace_events_categories,
	cmd_get_trace_events, cmd_comm_for_pid;

#endif

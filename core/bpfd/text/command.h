/* SPDX-License-Identifier: Apache-2.0 */
/* The table of commands, from which dispatch, usage and help come. */
#ifndef CORE_BPFD_TEXT_COMMAND_H
#define CORE_BPFD_TEXT_COMMAND_H

#include "core/bpfd/reply.h"
#include "core/bpfd/session.h"
#include "core/bpfd/text/args.h"

#include <stdio.h>

/* Runs a command and writes the body of its reply. If a field is wrong (see args.h), it returns
 * before it has written anything, and the reply is "Command not recognized". */
typedef void command_handler(struct bpfd *bpfd, struct args *args);

struct command {
	const char *name;
	const char *fields;    /* for usage and help: "FD KEY KLEN" */
	unsigned int min, max; /* number of fields after the name */
	const char *help;
	command_handler *handler;
	bool reads; /* it changes nothing, so a read-only session may use it */
};

/* Finds a command by its name. Returns NULL if it does not exist. */
const struct command *command_find(const char *name);

/* Answers one line of len bytes, without its newline. The line and the byte after it are
 * overwritten. An empty line gets no reply. */
void command_run(struct bpfd *bpfd, struct args *args, char *line, size_t len);

/* Replies to a line that cannot be run. */
void command_refuse(struct bpfd *bpfd, const char *why);

/* Prints all commands, their fields, and what they do. */
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

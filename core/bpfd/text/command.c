/* SPDX-License-Identifier: Apache-2.0 */
/* The table of all commands, and the dispatch of a line. */
#include "core/bpfd/text/command.h"

#include "core/base/log.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FIELDS_ANY UINT32_MAX
#define ONLY_READS true
#define CHANGES	   false

/* Sorted by name, for bsearch. */
static const struct command commands[] = {
	{"BPFD_RPC", "VERSION", 1, 1, "switch to binary messages, both ways", cmd_rpc, ONLY_READS},
	{"BPFD_VERSION", "", 0, 0, "versions, kernel, machine, online CPUs, features", cmd_version,
		ONLY_READS},
	{"BPF_ATTACH_KPROBE", "FD TYPE EVENT FUNCTION [OFFSET MAXACTIVE]", 4, 6,
		"attach a program to a kernel function; type 0: entry, 1: return",
		cmd_attach_kprobe, CHANGES},
	{"BPF_ATTACH_PERF_EVENT", "FD TYPE CONFIG PERIOD FREQ PID CPU GROUP", 8, 8,
		"attach a program to a perf event", cmd_attach_perf_event, CHANGES},
	{"BPF_ATTACH_TRACEPOINT", "FD CATEGORY NAME", 3, 3, "attach a program to a tracepoint",
		cmd_attach_tracepoint, CHANGES},
	{"BPF_ATTACH_UPROBE", "FD TYPE EVENT PATH OFFSET PID", 6, FIELDS_ANY,
		"attach a program to an instruction of a file; type as for kprobes",
		cmd_attach_uprobe, CHANGES},
	{"BPF_CLEAR_MAP", "FD KLEN", 2, 2, "delete all entries of a map", cmd_clear_map, CHANGES},
	{"BPF_CLOSE_PERF_EVENT_FD", "PFD", 1, 1, "close an attachment or a perf ring",
		cmd_close_perf_event_fd, ONLY_READS},
	{"BPF_CREATE_MAP", "TYPE [NAME] KEY VALUE MAX FLAGS [ALLOW_RLIMIT]", 5, 7, "create a map",
		cmd_create_map, CHANGES},
	{"BPF_DELETE_ELEM", "FD [KEY] KLEN", 2, 3, "delete an entry of a map", cmd_delete_elem,
		CHANGES},
	{"BPF_DETACH_KPROBE", "EVENT", 1, 1, "detach a kprobe by its event's name",
		cmd_detach_kprobe, CHANGES},
	{"BPF_DETACH_TRACEPOINT", "CATEGORY NAME", 2, 2, "detach a tracepoint",
		cmd_detach_tracepoint, CHANGES},
	{"BPF_DETACH_UPROBE", "EVENT", 1, 1, "detach a uprobe by its event's name",
		cmd_detach_uprobe, CHANGES},
	{"BPF_GET_FIRST_KEY", "FD KLEN VLEN DUMP", 4, 4,
		"the first key of a map, or all keys and values if DUMP is 1", cmd_get_first_key,
		ONLY_READS},
	{"BPF_GET_NEXT_KEY", "FD [KEY] KLEN", 2, 3, "the key after a key", cmd_get_next_key,
		ONLY_READS},
	{"BPF_LOOKUP_ELEM", "FD [KEY] KLEN VLEN", 3, 4, "the value of a key", cmd_lookup_elem,
		ONLY_READS},
	{"BPF_OPEN_PERF_BUFFER", "PID CPU PAGES", 3, 3, "open a perf ring", cmd_open_perf_buffer,
		CHANGES},
	{"BPF_PROG_LOAD", "TYPE [NAME] LEN LICENSE KVER PROGRAM", 5, FIELDS_ANY, "load a program",
		cmd_prog_load, CHANGES},
	{"BPF_UPDATE_ELEM", "FD [KEY] KLEN VALUE VLEN FLAGS", 5, 6, "set the value of a key",
		cmd_update_elem, CHANGES},
	{"COMM_FOR_PID", "PID", 1, 1, "the name of a process", cmd_comm_for_pid, ONLY_READS},
	{"GET_KALLSYMS", "", 0, 0, "the kernel's symbols, raw", cmd_get_kallsyms, ONLY_READS},
	{"GET_KPROBES_BLACKLIST", "TRACEFS", 1, 1, "functions that cannot be probed",
		cmd_get_kprobes_blacklist, ONLY_READS},
	{"GET_KSYM_ADDR", "NAME", 1, 1, "the address of a kernel symbol", cmd_get_ksym_addr,
		ONLY_READS},
	{"GET_KSYM_NAME", "ADDR", 1, 1, "the kernel symbol at an address", cmd_get_ksym_name,
		ONLY_READS},
	{"GET_TRACE_EVENTS", "TRACEFS CATEGORY", 2, 2, "the tracepoints of a category",
		cmd_get_trace_events, ONLY_READS},
	{"GET_TRACE_EVENTS_CATEGORIES", "TRACEFS", 1, 1, "the categories of tracepoints",
		cmd_get_trace_events_categories, ONLY_READS},
	{"GET_USYM_ADDR", "PID NAME MODULE", 3, FIELDS_ANY, "the address of a process's symbol",
		cmd_get_usym_addr, ONLY_READS},
	{"GET_USYM_NAME", "PID ADDR DEMANGLE", 3, 3, "the symbol at an address of a process",
		cmd_get_usym_name, ONLY_READS},
	{"PERF_READER_LOST", "FD", 1, 1, "records lost since the last call", cmd_perf_reader_lost,
		ONLY_READS},
	{"PERF_READER_POLL", "TIMEOUT N FD...", 2, FIELDS_ANY,
		"wait for records of N rings and print them", cmd_perf_reader_poll, ONLY_READS},
	{"exit", "", 0, 0, "end the session", cmd_exit, ONLY_READS},
};

#define COMMAND_COUNT (sizeof(commands) / sizeof(commands[0]))

static int compare_name(const void *name, const void *command)
{
	return strcmp(name, ((const struct command *)command)->name);
}

const struct command *command_find(const char *name)
{
	return bsearch(name, commands, COMMAND_COUNT, sizeof(commands[0]), compare_name);
}

void command_refuse(struct bpfd *bpfd, const char *why)
{
	reply_begin(bpfd->reply);
	reply_printf(bpfd->reply, "Command not recognized: %s\n", why);
	reply_end(bpfd->reply);
}

/* Sends the reply that the command itself would send if the kernel refused it with EPERM. */
static void command_forbid(struct bpfd *bpfd, const struct command *command)
{
	char name[32];
	size_t n = 0;

	for (; command->name[n] && n < sizeof(name) - 1; n++)
		name[n] = (char)tolower((unsigned char)command->name[n]);
	name[n] = '\0';
	reply_begin(bpfd->reply);
	reply_ret(bpfd->reply, name, -EPERM);
	reply_end(bpfd->reply);
}

static void command_dispatch(struct bpfd *bpfd, struct args *args)
{
	const struct command *command = command_find(args_text(args, 0));
	unsigned int fields = args->count - 1;

	if (!command) {
		command_refuse(bpfd, "no such command");
		return;
	}
	log_debug("command: %s, %u fields", command->name, fields);
	if (fields < command->min || fields > command->max) {
		reply_begin(bpfd->reply);
		reply_printf(bpfd->reply, "Command not recognized: usage: %s %s\n", command->name,
			command->fields);
		reply_end(bpfd->reply);
		return;
	}
	if (bpfd->config.read_only && !command->reads) {
		command_forbid(bpfd, command);
		return;
	}
	if (command->handler == cmd_exit) { /* the only command without a reply */
		cmd_exit(bpfd, args);
		return;
	}
	reply_begin(bpfd->reply);
	command->handler(bpfd, args);
	if (args_wrong(args))
		reply_printf(bpfd->reply, "Command not recognized: field %u is %s, usage: %s %s\n",
			args->wrong_field, args->wrong, command->name, command->fields);
	reply_end(bpfd->reply);
}

void command_run(struct bpfd *bpfd, struct args *args, char *line, size_t len)
{
	if (len && line[len - 1] == '\r')
		len--;
	switch (args_split(args, line, len)) {
	case 0:
		if (args->count)
			command_dispatch(bpfd, args);
		break;
	case -E2BIG:
		command_refuse(bpfd, "too many fields");
		break;
	default:
		command_refuse(bpfd, "a NUL byte");
	}
}

void command_help(FILE *out)
{
	for (const struct command *c = commands; c < commands + COMMAND_COUNT; c++)
		fprintf(out, "%s%s%s\n        %s\n", c->name, *c->fields ? " " : "", c->fields,
			c->help);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* bpfd-run: runs a BPF tool here whose kernel is the board's. */
#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/options.h"
#include "core/base/printable.h"
#include "core/base/standard_files.h"
#include "host-usb/run/calls/notify.h"
#include "host-usb/run/calls/wait.h"
#include "host-usb/run/client.h"
#include "host-usb/run/files/cache.h"
#include "host-usb/run/files/open.h"
#include "host-usb/run/files/remote.h"
#include "host-usb/run/objects/btf_list.h"
#include "host-usb/run/objects/objects.h"
#include "host-usb/run/run.h"
#include "host-usb/run/status.h"
#include "host-usb/run/supervisor.h"
#include "host-usb/run/tool.h"
#include "host-usb/run/via.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define CLOCK_SLACK_NS 1000000	       /* below which two clocks are the same */
#define CLOCK_MAX      (INT64_MAX / 4) /* no board has run for so many ns */

enum { OPT_VIA = 256, OPT_HEADERS, OPT_SYSROOT, OPT_TRACE };

static const char usage[] = "Usage: bpfd-run [OPTION]... TOOL [ARGUMENT]...\n"
			    "Runs a BPF tool (of BCC, bpftrace, bpftool, libbpf-tools) on this "
			    "workstation; its programs,\n"
			    "maps, probes and kernel are those of a board.\n"
			    "Exit status: that of the tool; 125 if bpfd-run itself fails, 126 if "
			    "the tool cannot be run,\n"
			    "127 if it is not found.";

static const struct option_spec option_table[] = {
	{OPT_VIA, "via", "COMMAND", "the way to bpfd on the board (bpfd-usb), as 'ssh board bpfd'"},
	{'s', "serial", "SERIAL", "use the board with this serial or bus path, with bpfd-usb"},
	{OPT_HEADERS, "headers", "DIR", "kernel headers of the board, for tools that compile"},
	{OPT_SYSROOT, "sysroot", "DIR", "a copy of the board's files, for uprobes and symbols"},
	{OPT_TRACE, "trace", "FILE", "write each operation on the board, its result and its time"},
	OPTIONS_COMMON,
};

static const struct option_program program = {"bpfd-run", usage, option_table};

struct command_line {
	const char *via, *serial, *headers, *sysroot, *trace;
	char *const *argv; /* of the tool */
	struct option_verbosity verbosity;
};

/* Returns 0, 1 when the program has done what was asked, or -EINVAL. */
static int take_option(struct command_line *line, int id)
{
	switch (id) {
	case OPT_VIA:
		line->via = optarg;
		return 0;
	case 's':
		line->serial = optarg;
		return 0;
	case OPT_HEADERS:
		line->headers = optarg;
		return 0;
	case OPT_SYSROOT:
		line->sysroot = optarg;
		return 0;
	case OPT_TRACE:
		line->trace = optarg;
		return 0;
	default: /* getopt has reported a wrong option */
		return options_take_common(&program, id, &line->verbosity);
	}
}

static int check_directory(const char *option, const char *path)
{
	if (!path || access(path, R_OK | X_OK) == 0)
		return 0;
	log_error("--%s: %s: %s", option, path, strerror(errno));
	return -EINVAL;
}

/* Returns -1 to go on, or the exit status. */
static int take_command_line(struct command_line *line, int argc, char **argv)
{
	int id, err;

	while ((id = options_next(argc, argv, option_table)) != -1) {
		err = take_option(line, id);
		if (err < 0)
			return STATUS_FAILED;
		if (err > 0)
			return fflush(stdout) == 0 ? 0 : STATUS_FAILED;
	}
	log_open("bpfd-run", options_log_level(&line->verbosity));
	line->argv = argv + optind;
	if (optind == argc) {
		log_error("no tool is named, see --help");
		return STATUS_FAILED;
	}
	if (line->serial && line->via) {
		log_error("--serial is for bpfd-usb, not for --via: name the board there");
		return STATUS_FAILED;
	}
	if (check_directory("headers", line->headers) || check_directory("sysroot", line->sysroot))
		return STATUS_FAILED;
	return -1;
}

/* Puts a word into single quotes for the shell. */
static char *quote(const char *word)
{
	char *quoted = malloc(4 * strlen(word) + 3), *to = quoted;

	if (!quoted)
		return NULL;
	*to++ = '\'';
	for (; *word; word++) {
		if (*word == '\'')
			to = stpcpy(to, "'\\''");
		else
			*to++ = *word;
	}
	strcpy(to, "'");
	return quoted;
}

/* The command that leads to the board, which the caller frees. */
static char *via_command(const struct command_line *line)
{
	char *command, *serial;
	int n;

	if (line->via || !line->serial)
		return strdup(line->via ? line->via : "bpfd-usb");
	serial = quote(line->serial);
	n = serial ? asprintf(&command, "bpfd-usb --serial %s", serial) : -1;
	free(serial);
	return n < 0 ? NULL : command;
}

/* Real kernels' names are made of these, and shells and paths take them as they are: the tool may
 * hand them on to either. */
static bool is_plain(const char *name)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789._+~-";

	return *name && *name != '.' && *name != '-' && !name[strspn(name, allowed)] &&
	       !strstr(name, "..");
}

static int check_names(struct rpc_hello *board)
{
	printable_ascii(board->program, strlen(board->program));
	printable_ascii(board->nodename, strlen(board->nodename));
	printable_ascii(board->version, strlen(board->version));
	printable_ascii(board->online, strlen(board->online));
	if (is_plain(board->sysname) && is_plain(board->release) && is_plain(board->machine) &&
		(!*board->boot_id || is_plain(board->boot_id)))
		return 0;
	log_error("the board gives its kernel a name that no kernel has");
	return -EPROTO;
}

/* How far a clock of the board, which it has read between two looks at ours, is ahead. Less than
 * what can be told is nothing: a board of this machine has the same clock. */
static int64_t ahead_ns(uint64_t board, uint64_t before, uint64_t after)
{
	int64_t ahead, unsure = (int64_t)(after - before) + CLOCK_SLACK_NS;

	if (board > CLOCK_MAX)
		return 0;
	ahead = (int64_t)(board - before) - (int64_t)(after - before) / 2;
	return ahead < -unsure || ahead > unsure ? ahead : 0;
}

/* The first operation: what the board is. */
static int say_hello(struct run *run, struct tool *tool)
{
	uint64_t monotonic = clock_ns(CLOCK_MONOTONIC), boottime = clock_ns(CLOCK_BOOTTIME);
	struct bytes_out *out = client_begin(run->client, RPC_HELLO);
	struct bytes_in reply;
	int64_t ret;

	bytes_put_u16(out, RPC_MAJOR);
	bytes_put_u16(out, RPC_MINOR);
	ret = client_call(run->client, &reply);
	rpc_get_hello(&reply, &run->board);
	tool->monotonic_ns =
		ahead_ns(run->board.monotonic_ns, monotonic, clock_ns(CLOCK_MONOTONIC));
	tool->boottime_ns = ahead_ns(run->board.boottime_ns, boottime, clock_ns(CLOCK_BOOTTIME));
	printable_ascii(run->board.program, strlen(run->board.program));
	if (ret == -EPROTONOSUPPORT) {
		log_error(
			"bpfd on the board (version %s) speaks protocol %u.%u, bpfd-run %s speaks "
			"%d.%d",
			run->board.program, run->board.major, run->board.minor, BPFD_USB_VERSION,
			RPC_MAJOR, RPC_MINOR);
		return -EPROTO;
	}
	if (ret < 0 || reply.failed) {
		log_error("bpfd on the board does not answer: %s", strerror(EIO));
		return -EPROTO;
	}
	if (run->board.big_endian != (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__)) {
		log_error("the board (%s) has another byte order than this workstation, which is "
			  "not supported",
			run->board.machine);
		return -EPROTO;
	}
	if (check_names(&run->board))
		return -EPROTO;
	log_debug("board %s: %s %s, bpfd %s", run->board.nodename, run->board.machine,
		run->board.release, run->board.program);
	return 0;
}

static int open_parts(struct run *run, const struct via *via, FILE *trace)
{
	struct client_events events = supervisor_events(run);
	int err;

	err = client_new(&run->client, via->in, via->out, &events, trace);
	if (!err)
		err = objects_new(&run->objects, run);
	if (!err)
		err = waits_new(&run->waits);
	if (!err)
		err = remote_new(&run->remote, run->client);
	if (!err)
		err = cache_new(&run->cache, run->remote, &run->board);
	if (!err)
		err = opener_new(&run->opener, run);
	if (err)
		log_error("%s", strerror(-err));
	return err;
}

static void close_parts(struct run *run)
{
	waits_free(run->waits);
	objects_free(run->objects);
	opener_free(run->opener);
	cache_free(run->cache);
	remote_free(run->remote);
	btf_list_free(run->btf_list);
	client_free(run->client);
	if (run->listener >= 0)
		close(run->listener);
}

/* Each map and program of the tool is a descriptor of ours as well. */
static void raise_file_limit(void)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) < 0)
		return;
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
}

static int prepare_tool(struct run *run, struct tool *tool)
{
	tool->fd_base = run->fd_base = tool_fd_base();
	if (run->fd_base < 0) {
		log_error("the limit of open files is too low (ulimit -n)");
		return run->fd_base;
	}
	run->own_group = tool->own_group;
	run->listener = tool_prepare(tool);
	if (run->listener < 0)
		log_error("seccomp: the tool cannot be started under its filter: %s",
			strerror(-run->listener));
	return run->listener < 0 ? run->listener : 0;
}

static int read_signals(struct run *run)
{
	run->signal_fd = supervisor_signals();
	return run->signal_fd < 0 ? run->signal_fd : 0;
}

/* Returns the tool's wait status, or minus the exit status. */
static int run_tool(struct run *run, struct tool *tool)
{
	run->tool = tool->pid;
	raise_file_limit();
	tool_go(tool, &run->board);
	return supervisor_run(run);
}

/* Returns as run_tool(). What takes its time, the way to the board and the tool's process, is begun
 * at once. */
static int run_via(const struct command_line *line, const char *command, FILE *trace)
{
	struct run run = {.listener = -1, .signal_fd = -1, .sysroot = line->sysroot};
	struct tool tool = {
		.argv = line->argv,
		.headers = line->headers,
		.as_root = geteuid() != 0,
		/* At a terminal, Ctrl-C is for both of us. Elsewhere signals are sent to us or to
		 * our group, and the tool gets each once, from us. */
		.own_group = !tool_foreground(),
		/* Whoever started us may ignore it: processes then leave no status. */
		.on_child = signal(SIGCHLD, SIG_DFL),
		.on_pipe = signal(SIGPIPE, SIG_IGN),
		.go = -1,
	};
	int err, status = -STATUS_FAILED;
	struct via via;

	err = via_start(&via, command);
	if (err) {
		log_error("%s: %s", command, strerror(-err));
		return status;
	}
	err = prepare_tool(&run, &tool);
	if (!err)
		err = via_handshake(&via, command);
	if (!err)
		err = open_parts(&run, &via, trace);
	if (!err)
		err = say_hello(&run, &tool);
	if (!err)
		err = read_signals(&run);
	if (!err)
		status = run_tool(&run, &tool);
	tool_drop(&tool);
	via_end(&via);
	close_parts(&run);
	return status;
}

/* Ends as the tool has ended, so that a shell sees the same. */
static int end_as(int status)
{
	const struct rlimit no_core = {0, 0};
	sigset_t all;

	if (status < 0)
		return -status;
	if (WIFEXITED(status))
		return WEXITSTATUS(status);
	setrlimit(RLIMIT_CORE, &no_core);
	signal(WTERMSIG(status), SIG_DFL);
	sigfillset(&all);
	sigprocmask(SIG_UNBLOCK, &all, NULL);
	raise(WTERMSIG(status));
	return 128 + WTERMSIG(status);
}

int main(int argc, char **argv)
{
	struct command_line line = {.via = NULL};
	FILE *trace = NULL;
	char *command;
	int status;

	log_open("bpfd-run", LOG_INFO);
	/* The tool finds its standard files as they are, closed ones too. */
	if (standard_files_open(O_CLOEXEC))
		return STATUS_FAILED;
	status = take_command_line(&line, argc, argv);
	if (status >= 0)
		return status;
	status = tool_find(line.argv[0]);
	if (status < 0) {
		log_error("%s: %s", line.argv[0], strerror(-status));
		return status == -ENOENT ? STATUS_NOT_FOUND : STATUS_NOT_RUN;
	}
	if (notify_check() < 0) {
		log_error("this kernel has no seccomp user notifications; Linux 5.14 is needed");
		return STATUS_FAILED;
	}
	if (line.trace) {
		trace = fopen(line.trace, "we");
		if (!trace) {
			log_error("--trace: %s: %s", line.trace, strerror(errno));
			return STATUS_FAILED;
		}
	}
	command = via_command(&line);
	status = command ? run_via(&line, command, trace) : -STATUS_FAILED;
	free(command);
	if (trace && fclose(trace) != 0)
		log_error("--trace: %s: %s", line.trace, strerror(errno));
	return end_as(status);
}

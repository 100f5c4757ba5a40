/* SPDX-License-Identifier: Apache-2.0 */
/* bpfd-run: runs a BPF tool on the workstation against the board's kernel. */
#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/options.h"
#include "core/base/printable.h"
#include "core/base/standard_files.h"
#include "host-usb/run/calls/notify.h"
#include "host-usb/run/calls/wait.h"
#include "host-usb/run/client.h"
#include "host-usb/run/files/cache.h"
#include "host-usb/run/files/cpus.h"
#include "host-usb/run/files/headers.h"
#include "host-usb/run/files/open.h"
#include "host-usb/run/files/remote.h"
#include "host-usb/run/objects/btf_known.h"
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

#define CLOCK_SLACK_NS 1000000	       /* two clocks with a smaller difference are the same */
#define CLOCK_MAX      (INT64_MAX / 4) /* ns, longer than any board has run */

enum { OPT_VIA = 256, OPT_HEADERS, OPT_SYSROOT, OPT_TRACE };

static const char usage[] =
	"Usage: bpfd-run [OPTION]... TOOL [ARGUMENT]...\n"
	"Runs a BPF tool (BCC, bpftrace, bpftool, libbpf-tools) on this workstation, with\n"
	"the kernel of a board: its programs, maps and probes are there.\n"
	"Exit status: the tool's; 125 if bpfd-run itself fails, 126 if the tool cannot be\n"
	"executed, 127 if it is not found.";

static const struct option_spec option_table[] = {
	{OPT_VIA, "via", "COMMAND", "command instead of bpfd-usb, e.g. 'ssh board bpfd'"},
	{'s', "serial", "SERIAL", "use the board with this serial number or bus path"},
	{OPT_HEADERS, "headers", "DIR", "kernel headers of the board, for tools that compile"},
	{OPT_SYSROOT, "sysroot", "DIR", "a copy of the board's files, for uprobes and symbols"},
	{OPT_TRACE, "trace", "FILE", "write each operation on the board, result and time"},
	OPTIONS_COMMON,
};

static const struct option_program program = {"bpfd-run", usage, option_table};

struct command_line {
	const char *via, *serial, *headers, *sysroot, *trace;
	char *const *argv; /* the tool and its arguments */
	struct option_verbosity verbosity;
};

/* Returns 0; 1 if the program is to exit, because it has printed help or version; or -EINVAL. */
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
			return options_flush() == 0 ? 0 : STATUS_FAILED;
	}
	log_open("bpfd-run", options_log_level(&line->verbosity));
	line->argv = argv + optind;
	if (optind == argc) {
		log_error("no tool given; see bpfd-run --help");
		return STATUS_FAILED;
	}
	if (line->serial && line->via) {
		log_error("--serial cannot be used with --via; name the board in its command");
		return STATUS_FAILED;
	}
	if (check_directory("headers", line->headers) || check_directory("sysroot", line->sysroot))
		return STATUS_FAILED;
	return -1;
}

/* Quotes a word for the shell with single quotes. The caller frees the result. */
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

/* Returns the command that connects to the board, or NULL. The caller frees it. */
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

/* Returns true if the name has only characters that real kernels use. They need no quoting: the
 * tool may use the name in a shell command or a path. */
static bool is_plain(const char *name)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789._+~-";

	return *name && *name != '.' && *name != '-' && !name[strspn(name, allowed)] &&
	       !strstr(name, "..");
}

/* The number decides how much memory a value of a per-CPU map takes. */
static int check_cpus(const struct rpc_hello *board)
{
	if (board->possible_cpus && board->possible_cpus <= CPUS_MAX)
		return 0;
	log_error("the board reports %u possible CPUs; Linux supports 1 to %d",
		board->possible_cpus, CPUS_MAX);
	return -EPROTO;
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
	log_error("the board reports a kernel name, release or boot id with invalid characters");
	return -EPROTO;
}

/* Returns how far a clock of the board is ahead of ours, in nanoseconds. The board read it between
 * our times `before` and `after`. A difference within the uncertainty counts as 0: a board on this
 * machine has the same clock. */
static int64_t ahead_ns(uint64_t board, uint64_t before, uint64_t after)
{
	int64_t ahead, unsure = (int64_t)(after - before) + CLOCK_SLACK_NS;

	if (board > CLOCK_MAX)
		return 0;
	ahead = (int64_t)(board - before) - (int64_t)(after - before) / 2;
	return ahead < -unsure || ahead > unsure ? ahead : 0;
}

/* The first operation: exchanges versions and learns what the board is. */
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
			"%d.%d; install the same release on both",
			run->board.program, run->board.major, run->board.minor, BPFD_USB_VERSION,
			RPC_MAJOR, RPC_MINOR);
		return -EPROTO;
	}
	if (ret < 0 || reply.failed) {
		log_error("bpfd on the board does not describe the board: %s",
			strerror(ret < 0 ? (int)-ret : EIO));
		return -EPROTO;
	}
	if (run->board.big_endian != (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__)) {
		log_error("the board (%s) has a different byte order than this workstation, which "
			  "is not supported",
			run->board.machine);
		return -EPROTO;
	}
	if (check_names(&run->board) || check_cpus(&run->board))
		return -EPROTO;
	log_debug("board %s: %s %s, bpfd %s", run->board.nodename, run->board.machine,
		run->board.release, run->board.program);
	return 0;
}

static int open_parts(struct run *run, const struct via *via, const char *command, FILE *trace)
{
	char identity[VIA_IDENTITY_SIZE];
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
	if (!err) {
		via_identity(via, command, identity);
		cache_identify(run->cache, identity);
		err = opener_new(&run->opener, run);
	}
	if (err)
		log_error("session: %s", strerror(-err));
	return err;
}

static void close_parts(struct run *run)
{
	waits_free(run->waits);
	objects_free(run->objects);
	opener_free(run->opener);
	headers_free(run->headers);
	cache_free(run->cache);
	remote_free(run->remote);
	btf_list_free(run->btf_list);
	btf_known_free(run->btf_known);
	client_free(run->client);
	if (run->listener >= 0)
		close(run->listener);
}

static void raise_limit(int resource)
{
	struct rlimit limit;

	if (getrlimit(resource, &limit) < 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(resource, &limit);
}

/* For each map and program of the tool we need a descriptor too, and rings and copies of the
 * board's files are files of ours. */
static void raise_file_limits(void)
{
	raise_limit(RLIMIT_NOFILE);
	raise_limit(RLIMIT_FSIZE);
}

static int prepare_tool(struct run *run, struct tool *tool)
{
	tool->fd_base = run->fd_base = tool_fd_base();
	if (run->fd_base < 0) {
		log_error("the limit of open files is too low; raise it with ulimit -n");
		return run->fd_base;
	}
	run->own_group = tool->own_group;
	run->listener = tool_prepare(tool);
	if (run->listener < 0)
		log_error("seccomp: cannot start the tool with the filter: %s",
			strerror(-run->listener));
	return run->listener < 0 ? run->listener : 0;
}

static int read_signals(struct run *run)
{
	run->signal_fd = supervisor_signals();
	if (run->signal_fd < 0)
		log_error("signals: %s", strerror(-run->signal_fd));
	return run->signal_fd < 0 ? run->signal_fd : 0;
}

/* Returns the tool's wait status, or the negated exit status of bpfd-run. */
static int run_tool(struct run *run, struct tool *tool)
{
	run->tool = tool->pid;
	raise_file_limits();
	tool_go(tool, &run->board, headers_directory(run->headers));
	return supervisor_run(run);
}

/* Returns like run_tool(). Starts the slow parts at once: the connection and the tool's process. */
static int run_via(const struct command_line *line, const char *command, FILE *trace)
{
	struct run run = {.listener = -1, .signal_fd = -1, .sysroot = line->sysroot};
	struct tool tool = {
		.argv = line->argv,
		.as_root = geteuid() != 0,
		/* At a terminal, Ctrl-C must reach both the tool and us. Otherwise signals are sent
		 * to us or our group; then the tool has its own group and gets each from us. */
		.own_group = !tool_foreground(),
		/* If our parent ignored SIGCHLD, we could not wait for processes. */
		.on_child = signal(SIGCHLD, SIG_DFL),
		.on_pipe = signal(SIGPIPE, SIG_IGN),
		/* A file that is too large fails with EFBIG, which is reported. */
		.on_size = signal(SIGXFSZ, SIG_IGN),
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
		err = open_parts(&run, &via, command, trace);
	if (!err)
		err = say_hello(&run, &tool);
	if (!err)
		err = read_signals(&run);
	if (!err)
		err = headers_new(&run.headers, &run, line->headers);
	if (!err)
		status = run_tool(&run, &tool);
	tool_drop(&tool);
	via_end(&via);
	close_parts(&run);
	return status;
}

/* Ends like the tool did, by exit or signal, so that a shell sees the same status. */
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
	/* O_CLOEXEC: the tool must find closed standard files closed. */
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

/* SPDX-License-Identifier: Apache-2.0 */
/* bpfd: answers BPF commands from stdin on stdout. */
#include "core/base/log.h"
#include "core/base/options.h"
#include "core/base/profile.h"
#include "core/base/standard_files.h"
#include "core/bpfd/confine.h"
#include "core/bpfd/line.h"
#include "core/bpfd/serve.h"
#include "core/bpfd/session.h"
#include "core/bpfd/terminal.h"
#include "core/bpfd/text/command.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#define EXIT_USAGE 2

#define HEAP_MIN (1 << 20) /* bytes; about what an idle session uses */

#define REPEAT_US 100000 /* interval at which a pending signal interrupts blocking calls */

enum {
	OPT_PROC = 256,
	OPT_SYSFS,
	OPT_TRACEFS,
	OPT_MAX_LINE,
	OPT_MAX_HANDLES,
	OPT_MAX_MEMORY,
	OPT_MAX_POLL_BYTES,
	OPT_MAX_LOG_BYTES,
	OPT_CHUNK_BYTES,
	OPT_MAX_FILE_BYTES,
	OPT_MAX_RING_PAGES,
	OPT_MAX_HEAP,
	OPT_PROFILE,
	OPT_COMMANDS,
	OPT_READ_ONLY
};

static const struct option_spec options[] = {
	{OPT_COMMANDS, "commands", NULL, "print the commands and what they do"},
	{OPT_PROFILE, "profile", "NAME", "capabilities to keep: trace (default) or minimal"},
	{OPT_READ_ONLY, "read-only", NULL, "refuse commands that load, attach or change anything"},
	{OPT_PROC, "proc", "DIR", "mount point of procfs (/proc)"},
	{OPT_SYSFS, "sysfs", "DIR", "mount point of sysfs (/sys)"},
	{OPT_TRACEFS, "tracefs", "DIR", "mount point of tracefs (/sys/kernel/tracing)"},
	{OPT_MAX_LINE, "max-line", "BYTES", "longest command"},
	{OPT_MAX_HANDLES, "max-handles", "N", "maps, programs, attachments and rings together"},
	{OPT_MAX_MEMORY, "max-memory", "BYTES",
		"memory of maps, programs, rings (half of the RAM)"},
	{OPT_MAX_POLL_BYTES, "max-poll-bytes", "BYTES", "record data in one reply"},
	{OPT_MAX_LOG_BYTES, "max-log-bytes", "BYTES", "longest verifier log"},
	{OPT_CHUNK_BYTES, "chunk-bytes", "BYTES", "memory for one part of a map during a dump"},
	{OPT_MAX_FILE_BYTES, "max-file-bytes", "BYTES",
		"bytes that one request may read of a file"},
	{OPT_MAX_RING_PAGES, "max-ring-pages", "N", "pages of one perf ring"},
	{OPT_MAX_HEAP, "max-heap", "BYTES", "memory of this process (half of the RAM)"},
	OPTIONS_COMMON};

static volatile sig_atomic_t stop_signal;

/* A signal that arrives just before a blocking call does not interrupt that call. The timer
 * interrupts it later, and repeats until the session has ended. */
static void on_signal(int signal_number)
{
	const struct itimerval repeat = {{0, REPEAT_US}, {0, REPEAT_US}};

	if (signal_number == SIGALRM)
		return;
	stop_signal = signal_number;
	setitimer(ITIMER_REAL, &repeat, NULL);
}

static void catch_signals(void)
{
	static const int signals[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGALRM};
	struct sigaction action = {.sa_handler = on_signal}; /* no SA_RESTART: calls must end */
	struct sigaction ignore = {.sa_handler = SIG_IGN}, before;

	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
		/* A signal that nohup or a shell made us ignore stays ignored. */
		if (sigaction(signals[i], NULL, &before) == 0 && before.sa_handler == SIG_IGN &&
			signals[i] != SIGALRM)
			continue;
		sigaction(signals[i], &action, NULL);
	}
	sigaction(SIGPIPE, &ignore, NULL); /* write(2) reports EPIPE instead */
}

static int limit_option(const char *name, uint64_t min, uint64_t max, uint64_t *limit)
{
	if (options_number(optarg, min, max, limit) == 0)
		return 0;
	log_error("--%s %s: not a number from %llu to %llu", name, optarg, (unsigned long long)min,
		(unsigned long long)max);
	return -EINVAL;
}

static int path_option(const char **path)
{
	*path = optarg;
	return 0;
}

static int take_option(int id, struct bpfd_config *config)
{
	struct limits *limits = &config->limits;

	switch (id) {
	case OPT_READ_ONLY:
		config->read_only = true;
		return 0;
	case OPT_PROC:
		return path_option(&config->paths.proc);
	case OPT_SYSFS:
		return path_option(&config->paths.sysfs);
	case OPT_TRACEFS:
		return path_option(&config->paths.tracefs);
	case OPT_MAX_LINE:
		return limit_option("max-line", 256, INT_MAX, &limits->line);
	case OPT_MAX_HANDLES:
		return limit_option("max-handles", 1, 1 << 20, &limits->handles);
	case OPT_MAX_MEMORY:
		return limit_option("max-memory", 0, SIZE_MAX, &limits->memory);
	case OPT_MAX_POLL_BYTES:
		return limit_option("max-poll-bytes", 1, SIZE_MAX, &limits->poll_bytes);
	case OPT_MAX_LOG_BYTES:
		return limit_option("max-log-bytes", 4096, UINT32_MAX >> 2, &limits->log_bytes);
	case OPT_CHUNK_BYTES:
		return limit_option("chunk-bytes", 4096, 1 << 30, &limits->chunk_bytes);
	case OPT_MAX_FILE_BYTES:
		return limit_option("max-file-bytes", 1, SIZE_MAX, &limits->file_bytes);
	case OPT_MAX_RING_PAGES:
		return limit_option("max-ring-pages", 1, 1 << 20, &limits->ring_pages);
	case OPT_MAX_HEAP:
		return limit_option("max-heap", HEAP_MIN, SIZE_MAX, &limits->heap);
	default:
		return -EINVAL;
	}
}

/* Reads the options. Returns the exit status, or -1 to run a session. */
static int read_options(
	int argc, char **argv, struct bpfd_config *config, const struct profile **profile)
{
	const struct option_program program = {
		.name = "bpfd",
		.usage = "Usage: bpfd [OPTION]...\n"
			 "Answers BPF commands from stdin on stdout; see bpfd(8).",
		.options = options,
	};
	struct option_verbosity verbosity = {0};
	int id;

	while ((id = options_next(argc, argv, options)) != -1) {
		switch (id) {
		case 'v':
		case 'q':
		case 'V':
		case 'h':
			if (options_take_common(&program, id, &verbosity) == 0)
				break;
			if (id == 'h')
				profile_print_losses(*profile, stdout);
			return options_flush() == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
		case OPT_COMMANDS:
			command_help(stdout);
			return options_flush() == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
		case OPT_PROFILE:
			*profile = profile_find(optarg);
			if (*profile)
				break;
			log_error("--profile %s: not trace or minimal", optarg);
			return EXIT_USAGE;
		default:
			if (take_option(id, config))
				return EXIT_USAGE;
		}
	}
	if (optind < argc) {
		log_error("%s: unexpected argument; see bpfd --help", argv[optind]);
		return EXIT_USAGE;
	}
	log_open("bpfd", options_log_level(&verbosity));
	return -1;
}

/* Dies of the signal, so that the parent sees which one ended the session. */
static void die_of(int signal_number)
{
	signal(SIGALRM, SIG_IGN);
	signal(signal_number, SIG_DFL);
	raise(signal_number);
}

/* Must run before any input of the client is read. The files that a session writes to are open. */
static int confine(const struct bpfd_config *config, const struct profile *profile)
{
	int err = confine_rights(&config->paths, profile, config->limits.heap);

	if (err)
		return err;
	err = confine_calls(!config->read_only && !config->bpffs_fixed);
	if (err)
		log_debug("seccomp: system calls are not filtered: %s", strerror(-err));
	return 0;
}

static int run(const struct bpfd_config *config, const struct profile *profile)
{
	struct bpfd *bpfd;
	struct terminal terminal;
	int err;

	err = terminal_open(&terminal, STDIN_FILENO); /* first: later input is not echoed */
	if (err)
		log_warning("terminal: %s; lines longer than 4095 bytes are cut", strerror(-err));
	err = bpfd_open(&bpfd, config, STDIN_FILENO, STDOUT_FILENO);
	if (err) {
		terminal_restore(&terminal);
		return err;
	}
	line_reader_set_eof(bpfd->input, terminal_eof_byte(&terminal));
	err = confine(config, profile);
	if (!err)
		err = bpfd_serve(bpfd);
	bpfd_close(bpfd);
	terminal_restore(&terminal);
	if (err && err != -EINTR)
		log_error("session: %s",
			err == -EPIPE ? "the client no longer reads the replies" : strerror(-err));
	return err;
}

int main(int argc, char **argv)
{
	struct bpfd_config config;
	const struct profile *profile = profile_find(NULL);
	int status, err;

	log_open("bpfd", LOG_INFO);
	bpfd_config_init(&config);
	config.stop = &stop_signal;
	status = read_options(argc, argv, &config, &profile);
	if (status >= 0)
		return status;
	config.bpffs_fixed = !profile_changes_names(profile);
	config.only_observes = profile_only_observes(profile);
	/* If a standard stream is closed, the first map would get its descriptor. */
	if (standard_files_open(0))
		return EXIT_FAILURE;
	catch_signals();
	err = run(&config, profile);
	if (stop_signal)
		die_of(stop_signal);
	return err ? EXIT_FAILURE : EXIT_SUCCESS;
}

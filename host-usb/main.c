/* SPDX-License-Identifier: Apache-2.0 */
/* bpfd-usb: reads the options, finds the board, runs a session or a measurement. */
#include "core/base/log.h"
#include "core/base/options.h"
#include "core/base/standard_files.h"
#include "core/link/host_session.h"
#include "host-usb/bench.h"
#include "host-usb/board.h"
#include "host-usb/device.h"
#include "host-usb/identity.h"
#include "host-usb/key_file.h"
#include "host-usb/near.h"
#include "host-usb/ping.h"
#include "host-usb/pump.h"
#include "host-usb/run/via.h"
#include "host-usb/signals.h"
#include "host-usb/status.h"
#include "host-usb/trace.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	OPT_STATS = 256,
	OPT_JSON,
	OPT_PING,
	OPT_BENCH,
	OPT_TRACE,
	OPT_LEASE,
	OPT_TRANSFER,
	OPT_SYSFS,
	OPT_KEY,
	OPT_KEYGEN,
};

#define PINGS_MAX 1000000000

static const char usage[] =
	"Usage: bpfd-usb [OPTION]...\n"
	"Connects stdin and stdout to bpfd on a board that runs bpfd-gadget, over USB.\n"
	"Exit status: up to 249 that of bpfd; 250 usage, 251 no permission, 252 several\n"
	"boards, 253 no board, 254 no free lane, 255 link lost or unclean end.";

static const struct option_spec option_table[] = {
	{'s', "serial", "SERIAL", "use the board with this serial number or bus path"},
	{'l', "list", NULL, "list the boards, and exit"},
	{OPT_JSON, "json", NULL, "list the boards as JSON, and exit; [] if none"},
	{'w', "wait", "[SECONDS]", "wait for the board, forever or this long"},
	{OPT_PING, "ping", "[COUNT]", "measure round trips, until Ctrl-C or COUNT times"},
	{OPT_BENCH, "bench", NULL, "measure the throughput in both directions, and exit"},
	{OPT_TRACE, "trace", "FILE", "write each frame on the wire to FILE; - is stderr"},
	{OPT_STATS, "stats", NULL, "report bytes, transfers and rate at the end"},
	{OPT_LEASE, "lease", "SECONDS", "the board ends the session after this much silence"},
	{OPT_TRANSFER, "transfer", "BYTES", "size limit of a USB transfer, a multiple of 1024"},
	{OPT_KEY, "key", "FILE", "key for a board that asks (default: keys of ssh)"},
	{OPT_KEYGEN, "keygen", "FILE", "create a key, FILE and FILE.pub; print FILE.pub"},
	{OPT_SYSFS, "sysfs", "DIR", "look for boards in this sysfs (default /sys)"},
	OPTIONS_COMMON,
};

static const struct option_program program = {"bpfd-usb", usage, option_table};

struct command_line {
	const char *serial, *sysfs, *trace, *key, *keygen;
	bool list, json, stats;
	bool ping, bench;
	struct option_verbosity verbosity;
	uint64_t pings;	  /* 0: no limit */
	uint64_t wait_ms; /* 0: do not wait */
	uint64_t lease_ms, transfer;
};

static int bad_value(const char *option, const char *text, uint64_t min, uint64_t max)
{
	log_error("--%s: %s: not a number from %llu to %llu", option, text, (unsigned long long)min,
		(unsigned long long)max);
	return -EINVAL;
}

static int take_seconds(const char *option, const char *text, uint64_t max, uint64_t *ms)
{
	uint64_t seconds;

	if (options_number(text, 1, max, &seconds) < 0)
		return bad_value(option, text, 1, max);
	*ms = seconds * 1000;
	return 0;
}

static int take_pings(struct command_line *line, const char *text)
{
	if (options_number(text, 1, PINGS_MAX, &line->pings) < 0)
		return bad_value("ping", text, 1, PINGS_MAX);
	return 0;
}

/* Returns 0, 1 if the option was all that was asked (--help), or -EINVAL, logged. */
static int take_option(struct command_line *line, int id)
{
	switch (id) {
	case 's':
		line->serial = optarg;
		return 0;
	case 'l':
		line->list = true;
		return 0;
	case OPT_JSON:
		line->list = line->json = true;
		return 0;
	case 'w':
		line->wait_ms = BOARD_WAIT_FOREVER;
		if (!optarg)
			return 0;
		return take_seconds("wait", optarg + (*optarg == '='), 1000000000, &line->wait_ms);
	case OPT_PING:
		line->ping = true;
		return optarg ? take_pings(line, optarg) : 0;
	case OPT_BENCH:
		line->bench = true;
		return 0;
	case OPT_TRACE:
		line->trace = optarg;
		return 0;
	case OPT_STATS:
		line->stats = true;
		return 0;
	case OPT_LEASE:
		return take_seconds("lease", optarg, LEASE_MS_MAX / 1000, &line->lease_ms);
	case OPT_TRANSFER:
		if (options_number(optarg, TRANSFER_MIN, TRANSFER_MAX, &line->transfer) < 0)
			return bad_value("transfer", optarg, TRANSFER_MIN, TRANSFER_MAX);
		if (line->transfer % LANE_TRANSFER_UNIT == 0)
			return 0;
		log_error("--transfer: %s: not a multiple of %d", optarg, LANE_TRANSFER_UNIT);
		return -EINVAL;
	case OPT_KEY:
		line->key = optarg;
		return 0;
	case OPT_KEYGEN:
		line->keygen = optarg;
		return 0;
	case OPT_SYSFS:
		line->sysfs = optarg;
		return 0;
	default: /* a common option, or a wrong one, which getopt has reported */
		return options_take_common(&program, id, &line->verbosity);
	}
}

/* Returns 0 after all options, 1 if one of them was all that was asked, or -EINVAL. A number after
 * --ping is its COUNT, although getopt itself accepts only "--ping=COUNT". */
static int take_options(struct command_line *line, int argc, char **argv)
{
	int id, last = 0, err;

	for (;;) {
		id = options_next(argc, argv, option_table);
		if (id == -1 && last == OPT_PING && line->pings == 0 && optind < argc &&
			isdigit((unsigned char)argv[optind][0]))
			err = take_pings(line, argv[optind++]);
		else if (id == -1)
			return 0;
		else
			err = take_option(line, id);
		if (err != 0)
			return err;
		last = id;
	}
}

/* Returns -1 to continue, or the exit status. */
static int take_command_line(struct command_line *line, int argc, char **argv)
{
	int err = take_options(line, argc, argv);

	if (err > 0)
		return options_flush() == 0 ? 0 : STATUS_LOST;
	if (err < 0)
		return STATUS_USAGE;
	if (optind < argc) {
		log_error("%s: unexpected argument; see bpfd-usb --help", argv[optind]);
		return STATUS_USAGE;
	}
	if (line->ping + line->bench + line->list + !!line->keygen > 1) {
		log_error("--ping, --bench, --list and --keygen cannot be combined");
		return STATUS_USAGE;
	}
	if (!line->serial)
		line->serial = getenv("BPFD_SERIAL");
	if (line->serial && !line->serial[0])
		line->serial = NULL;
	if (!line->trace && line->verbosity.verbose > 1)
		line->trace = "-";
	log_open("bpfd-usb", options_log_level(&line->verbosity));
	return -1;
}

static int list_boards(const struct command_line *line)
{
	const struct board_choice choice = {.serial = line->serial};
	struct device_list list;
	int err = device_scan(line->sysfs, &list), status = 0;

	if (err < 0) {
		log_error("%s: %s", line->sysfs, strerror(-err));
		return STATUS_NO_BOARD;
	}
	device_list_select(&list, line->serial);
	if (line->json)
		device_list_print_json(&list, stdout);
	else if (list.count == 0)
		status = board_none(&choice);
	else
		device_list_print(&list, stdout);
	device_list_free(&list);
	return options_flush() == 0 ? status : STATUS_LOST;
}

static int make_key(const char *path)
{
	char line[KEY_LINE_MAX];

	if (key_file_make(path, line) < 0)
		return STATUS_LOST;
	fputs(line, stdout);
	return options_flush() == 0 ? 0 : STATUS_LOST;
}

static void log_stats(const struct pump_counts *counts, const struct usb_lane_counts *lane)
{
	double seconds = (double)counts->open_ms / 1000;
	double mb = (double)(counts->sent + counts->received) / 1e6;

	log_error("sent %llu bytes in %llu transfers, received %llu in %llu, %llu of messages, "
		  "%.3f s, %.1f MB/s",
		(unsigned long long)counts->sent, (unsigned long long)lane->out_transfers,
		(unsigned long long)counts->received, (unsigned long long)lane->in_transfers,
		(unsigned long long)counts->notes, seconds, seconds > 0 ? mb / seconds : 0);
}

static int no_memory(void)
{
	log_error("session: %s", strerror(ENOMEM));
	return STATUS_LOST;
}

static int run_stdio(struct pump_options *options, struct pump_counts *counts)
{
	struct near_end *near = near_stdio_new(options->tty);
	int status;

	if (!near)
		return no_memory();
	options->near = near;
	status = pump_run(options, counts);
	near_stdio_free(near);
	return status;
}

static int run_ping(const char *board, const char *title, uint64_t count,
	struct pump_options *options, struct pump_counts *counts)
{
	struct ping *ping = ping_new(board, title, count);
	int status;

	if (!ping)
		return no_memory();
	options->near = ping_near(ping);
	status = ping_end(ping, pump_run(options, counts));
	ping_free(ping);
	return status;
}

static int run_bench(const char *title, struct pump_options *options, struct pump_counts *counts)
{
	struct bench *bench = bench_new(title, options->lane, options->transfer);
	int status;

	if (!bench)
		return no_memory();
	options->near = bench_near(bench);
	status = bench_end(bench, pump_run(options, counts));
	bench_free(bench);
	return status;
}

/* Runs the session or the measurement on an open lane. Returns the same as run(). */
static int run_lane(const struct command_line *line, const struct device *device,
	struct pump_options *options, struct pump_counts *counts)
{
	char board[DEVICE_SERIAL_MAX], title[DEVICE_SERIAL_MAX + DEVICE_PATH_MAX + 64];

	if (!line->ping && !line->bench)
		return run_stdio(options, counts);
	device_text(device->serial[0] ? device->serial : device->path, board, sizeof(board));
	snprintf(title, sizeof(title), "%s at %s, lane %u, %s Mb/s", board, device->path,
		usb_lane_interface(options->lane), device->speed[0] ? device->speed : "?");
	if (line->ping)
		return run_ping(board, title, line->pings, options, counts);
	return run_bench(title, options, counts);
}

/* Writes the name of the board into the memory file of bpfd-run. Its session starts after that. */
static void report_board(const struct device *device)
{
	const char *text = getenv(VIA_BOARD_VARIABLE),
		   *name = device->serial[0] ? device->serial : device->path;
	uint64_t fd;

	if (!text || options_number(text, STDERR_FILENO + 1, INT_MAX, &fd) < 0)
		return;
	if (pwrite((int)fd, name, strlen(name), 0) < 0)
		log_debug("bpfd-run: cannot report the board: %s", strerror(errno));
}

/* Returns the exit status, or minus the number of the signal to die of. */
static int run(const struct command_line *line, int signal_fd, struct tty *tty, struct trace *trace,
	struct identity *identity)
{
	const struct board_choice choice = {
		.serial = line->serial,
		.sysfs = line->sysfs,
		.wait_ms = line->wait_ms,
		.transfer = (size_t)line->transfer,
		.trace = trace,
	};
	struct pump_options options = {
		.transfer = (size_t)line->transfer,
		.lease_ms = (uint32_t)line->lease_ms,
		.trace = trace,
		.identity = identity,
		.signal_fd = signal_fd,
		.tty = tty,
	};
	struct pump_counts counts = {0};
	struct usb_lane_counts lane;
	struct device device;
	int status = board_open(&choice, signal_fd, tty, &device, &options.lane);

	if (status != 0)
		return status;
	identity_expect(identity, device.serial);
	report_board(&device);
	status = run_lane(line, &device, &options, &counts);
	lane = usb_lane_counts(options.lane);
	usb_lane_close(options.lane);
	if (line->stats)
		log_stats(&counts, &lane);
	return status;
}

/* A measurement does not read stdin, so it leaves the terminal unchanged. */
static int run_signals(
	const struct command_line *line, struct trace *trace, struct identity *identity)
{
	int signal_fd = signals_open(), status;
	struct tty tty;

	if (signal_fd < 0) {
		log_error("signals: %s", strerror(-signal_fd));
		return STATUS_LOST;
	}
	tty_init(&tty, line->ping || line->bench ? -1 : STDIN_FILENO);
	tty_raw(&tty); /* early: a program may already be writing to the terminal */
	status = run(line, signal_fd, &tty, trace, identity);
	tty_restore(&tty);
	close(signal_fd);
	return status;
}

int main(int argc, char **argv)
{
	struct command_line line = {.sysfs = "/sys", .transfer = LANE_TRANSFER};
	struct identity *identity = NULL;
	struct trace *trace = NULL;
	int status, err;

	log_open("bpfd-usb", LOG_INFO);
	/* No file that is opened later may become descriptor 0, 1 or 2. */
	if (standard_files_open(0))
		return STATUS_LOST;
	status = take_command_line(&line, argc, argv);
	if (status >= 0)
		return status;
	if (line.list)
		return list_boards(&line);
	if (line.keygen)
		return make_key(line.keygen);
	if (identity_new(line.key, &identity) < 0)
		return STATUS_USAGE;
	err = line.trace ? trace_open(line.trace, &trace) : 0;
	if (err < 0) {
		log_error("--trace: %s: %s", line.trace, strerror(-err));
		identity_free(identity);
		return STATUS_USAGE;
	}
	status = run_signals(&line, trace, identity);
	identity_free(identity);
	trace_close(trace);
	if (status < 0)
		signals_die(-status);
	return status;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* bpfd-usb: reads the options, finds the board, and runs a session with it. */
#include "core/host_session.h"
#include "core/log.h"
#include "core/options.h"
#include "host-usb/clock.h"
#include "host-usb/device.h"
#include "host-usb/pump.h"
#include "host-usb/signals.h"
#include "host-usb/status.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SCAN_MS	  200  /* between two looks for the board: sysfs tells nobody of a new device */
#define SETTLE_MS 3000 /* udevd sets the permissions of a new device a moment after it appears */
#define FOREVER	  UINT64_MAX

#define UDEV_RULES "70-bpfd-usb.rules"

enum { OPT_STATS = 256, OPT_JSON, OPT_LEASE, OPT_TRANSFER, OPT_SYSFS };

static const char usage[] =
	"Usage: bpfd-usb [OPTION]...\n"
	"Connects stdin and stdout to bpfd on a board that runs bpfd-gadget, over its USB cable.\n"
	"Exit status: that of bpfd, to 249; 250 usage, 251 no permission, 252 more than one "
	"board,\n"
	"253 no board, 254 no free lane, 255 link lost or unclean end.";

static const struct option_spec option_table[] = {
	{'s', "serial", "SERIAL", "use the board with this serial or bus path (or $BPFD_SERIAL)"},
	{'l', "list", NULL, "list the boards, and exit"},
	{OPT_JSON, "json", NULL, "list them as JSON, and exit; none is an empty list"},
	{'w', "wait", "[SECONDS]", "wait for the board, for ever or this long"},
	{OPT_STATS, "stats", NULL, "at the end say how much was moved, and how fast"},
	{OPT_LEASE, "lease", "SECONDS", "the board ends the session if it hears nothing this long"},
	{OPT_TRANSFER, "transfer", "BYTES", "most bytes of a USB transfer, a multiple of 1024"},
	{OPT_SYSFS, "sysfs", "DIR", "look for boards here (default /sys)"},
	OPTIONS_COMMON,
};

struct command_line {
	const char *serial, *sysfs;
	bool list, json, stats, quiet;
	unsigned int verbose;
	uint64_t wait_ms; /* 0: do not wait */
	uint64_t lease_ms, transfer;
};

static int bad_value(const char *option, uint64_t min, uint64_t max)
{
	log_error("--%s: %s: not a number from %llu to %llu", option, optarg,
		(unsigned long long)min, (unsigned long long)max);
	return -EINVAL;
}

static int take_seconds(const char *option, const char *text, uint64_t max, uint64_t *ms)
{
	uint64_t seconds;

	if (options_number(text, 1, max, &seconds) < 0)
		return bad_value(option, 1, max);
	*ms = seconds * 1000;
	return 0;
}

/* Returns 0, 1 when the program has done what was asked, or -EINVAL. */
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
		line->wait_ms = FOREVER;
		if (!optarg)
			return 0;
		return take_seconds("wait", optarg + (*optarg == '='), 1000000000, &line->wait_ms);
	case OPT_STATS:
		line->stats = true;
		return 0;
	case OPT_LEASE:
		return take_seconds("lease", optarg, LEASE_MS_MAX / 1000, &line->lease_ms);
	case OPT_TRANSFER:
		if (options_number(optarg, TRANSFER_MIN, TRANSFER_MAX, &line->transfer) < 0)
			return bad_value("transfer", TRANSFER_MIN, TRANSFER_MAX);
		if (line->transfer % LANE_TRANSFER_UNIT == 0)
			return 0;
		log_error("--transfer: %s: not a multiple of %d", optarg, LANE_TRANSFER_UNIT);
		return -EINVAL;
	case OPT_SYSFS:
		line->sysfs = optarg;
		return 0;
	case 'v':
		line->verbose++;
		return 0;
	case 'q':
		line->quiet = true;
		return 0;
	case 'h':
		options_help(usage, option_table);
		return 1;
	case 'V':
		printf("bpfd-usb %s\n", BPFD_USB_VERSION);
		return 1;
	default:
		return -EINVAL; /* getopt has said why */
	}
}

/* Returns -1 to go on, or the exit status. */
static int take_command_line(struct command_line *line, int argc, char **argv)
{
	int id, err;

	while ((id = options_next(argc, argv, option_table)) != -1) {
		err = take_option(line, id);
		if (err < 0)
			return STATUS_USAGE;
		if (err > 0)
			return fflush(stdout) == 0 ? 0 : STATUS_LOST;
	}
	if (optind < argc) {
		log_error("%s: unexpected argument, see --help", argv[optind]);
		return STATUS_USAGE;
	}
	if (!line->serial)
		line->serial = getenv("BPFD_SERIAL");
	if (line->serial && !line->serial[0])
		line->serial = NULL;
	log_open("bpfd-usb", line->quiet ? LOG_ERROR : line->verbose ? LOG_DEBUG : LOG_INFO);
	return -1;
}

/* What is opened later must not become 0, 1 or 2. A closed stdin reads as empty; writing to a
 * closed stdout fails, as it does for other programs. */
static void open_standard_files(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0 && errno == EBADF &&
			open("/dev/null", fd == STDERR_FILENO ? O_RDWR : O_RDONLY) < 0)
			_exit(STATUS_LOST);
}

static int no_board(const struct command_line *line)
{
	if (line->serial)
		log_error("board %s: not found (bpfd-usb -l lists the boards, -w waits for one)",
			line->serial);
	else
		log_error("board: none found; is it plugged in, and does bpfd-gadget run on it? "
			  "(-w waits for it)");
	return STATUS_NO_BOARD;
}

static void tell_boards(const struct device_list *list)
{
	char serial[DEVICE_SERIAL_MAX];

	log_error("board: %zu match, choose one by serial or path with -s or $BPFD_SERIAL:",
		list->count);
	for (size_t i = 0; i < list->count; i++)
		log_error("  %s  %s", list->items[i].path,
			device_text(list->items[i].serial, serial, sizeof(serial)));
}

static int list_boards(const struct command_line *line)
{
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
		status = no_board(line);
	else
		device_list_print(&list, stdout);
	device_list_free(&list);
	if (fflush(stdout) != 0) {
		log_error("stdout: %s", strerror(errno));
		status = STATUS_LOST;
	}
	return status;
}

/* Finds the one board that is meant. Returns 0 and *device, -ENODEV if there is none, -ENOTUNIQ if
 * there are several, having listed them, or another errno. */
static int find_board(const struct command_line *line, struct device *device)
{
	struct device_list list;
	int err = device_scan(line->sysfs, &list);

	if (err < 0)
		return err;
	device_list_select(&list, line->serial);
	if (list.count == 1)
		*device = list.items[0];
	else if (list.count == 0)
		err = -ENODEV;
	else
		err = -ENOTUNIQ;
	if (err == -ENOTUNIQ)
		tell_boards(&list);
	device_list_free(&list);
	return err;
}

static void device_node(const struct device *device, char *node, size_t size)
{
	snprintf(node, size, "/dev/bus/usb/%03u/%03u", device->bus, device->address);
}

/* Says why no lane could be had; returns the exit status. */
static int open_failed(const struct command_line *line, const struct device *device, int err)
{
	char node[64];

	switch (err) {
	case -ENODEV:
	case -ENXIO:
		return no_board(line);
	case -ENOTUNIQ:
		return STATUS_AMBIGUOUS;
	case -EACCES:
		device_node(device, node, sizeof(node));
		log_error("%s: permission denied; copy " UDEV_RULES " to /etc/udev/rules.d, run "
			  "'udevadm control --reload', and plug the board in again",
			node);
		return STATUS_PERMISSION;
	case -EBUSY:
		log_error("board %s: all of its %u lanes are in use; end another session, or start "
			  "bpfd-gadget with more --lanes",
			device->path, device->lanes);
		return STATUS_NO_LANE;
	default:
		log_error("board %s: %s", device->path[0] ? device->path : line->sysfs,
			usb_lane_error_text(err));
		return STATUS_LOST;
	}
}

/* Waits until it is time to look again. Returns 0, or the number of the signal to die of. */
static int wait_scan(int signal_fd, struct tty *tty)
{
	struct pollfd p = {.fd = signal_fd, .events = POLLIN};
	int number;

	poll(&p, 1, SCAN_MS);
	while ((number = signals_next(signal_fd)) != 0) {
		if (number == SIGTSTP) {
			tty_restore(tty);
			signals_stop(number);
		} else if (number != SIGCONT) {
			return number;
		}
		tty_raw(tty);
	}
	return 0;
}

/* Finds the board and claims a lane. Returns 0 and *lane, the exit status, or minus a signal. */
static int open_board(
	const struct command_line *line, int signal_fd, struct tty *tty, struct usb_lane **lane)
{
	uint64_t start = clock_ms(), denied = 0, limit;
	struct device device = {.bus = 0};
	bool told = false;
	char node[64];
	int err, number;

	for (;;) {
		err = find_board(line, &device);
		if (err == 0) {
			device_node(&device, node, sizeof(node));
			err = usb_lane_open(node, (size_t)line->transfer, lane);
		}
		if (err == 0)
			return 0;
		limit = line->wait_ms;
		if (err == -EACCES) {
			denied = denied ? denied : clock_ms();
			if (clock_ms() - denied >= SETTLE_MS)
				limit = 0;
		} else if (err != -ENODEV && err != -ENXIO) {
			limit = 0;
		}
		if (clock_ms() - start >= limit)
			return open_failed(line, &device, err);
		if (!told)
			log_info("board%s%s: waiting for it", line->serial ? " " : "",
				line->serial ? line->serial : "");
		told = true;
		number = wait_scan(signal_fd, tty);
		if (number)
			return -number;
	}
}

static void tell_stats(const struct pump_counts *counts, const struct usb_lane_counts *lane)
{
	double seconds = (double)counts->open_ms / 1000;
	double mb = (double)(counts->sent + counts->received) / 1e6;

	log_error("sent %llu bytes in %llu transfers, received %llu in %llu, %llu of messages, "
		  "%.3f s, %.1f MB/s",
		(unsigned long long)counts->sent, (unsigned long long)lane->out_transfers,
		(unsigned long long)counts->received, (unsigned long long)lane->in_transfers,
		(unsigned long long)counts->notes, seconds, seconds > 0 ? mb / seconds : 0);
}

/* Returns the exit status, or minus the signal to die of. */
static int run(const struct command_line *line, int signal_fd, struct tty *tty)
{
	struct pump_options options = {
		.transfer = (size_t)line->transfer,
		.lease_ms = (uint32_t)line->lease_ms,
		.trace = line->verbose > 1,
		.signal_fd = signal_fd,
		.tty = tty,
	};
	struct pump_counts counts;
	struct usb_lane_counts lane;
	int status = open_board(line, signal_fd, tty, &options.lane);

	if (status != 0)
		return status;
	status = pump_run(&options, &counts);
	lane = usb_lane_counts(options.lane);
	usb_lane_close(options.lane);
	if (line->stats)
		tell_stats(&counts, &lane);
	return status;
}

int main(int argc, char **argv)
{
	struct command_line line = {.sysfs = "/sys", .transfer = LANE_TRANSFER};
	int status, signal_fd;
	struct tty tty;

	open_standard_files();
	log_open("bpfd-usb", LOG_INFO);
	status = take_command_line(&line, argc, argv);
	if (status >= 0)
		return status;
	if (line.list)
		return list_boards(&line);
	signal_fd = signals_open();
	if (signal_fd < 0) {
		log_error("signals: %s", strerror(-signal_fd));
		return STATUS_LOST;
	}
	tty_init(&tty, STDIN_FILENO);
	tty_raw(&tty); /* at once: a program may already be typing */
	status = run(&line, signal_fd, &tty);
	tty_restore(&tty);
	close(signal_fd);
	if (status < 0)
		signals_die(-status);
	return status;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Finds the chosen board and opens one of its lanes. */
#include "host-usb/board.h"

#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/signal_fd.h"
#include "host-usb/signals.h"
#include "host-usb/status.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define SCAN_MS	  200  /* between two scans: sysfs does not announce new devices */
#define SETTLE_MS 3000 /* udevd makes and permits the node of a new device slightly later */

#define UDEV_RULES "70-bpfd-usb.rules"

int board_none(const struct board_choice *choice)
{
	if (choice->serial)
		log_error("board %s: not found; bpfd-usb -l lists the boards, -w waits for one",
			choice->serial);
	else
		log_error("board: none found; plug it in and check that bpfd-gadget runs on it, or "
			  "wait for it with -w");
	return STATUS_NO_BOARD;
}

static void log_matches(const struct device_list *list)
{
	char serial[DEVICE_SERIAL_MAX];

	log_error("board: %zu match; choose one by serial or path with -s or $BPFD_SERIAL:",
		list->count);
	for (size_t i = 0; i < list->count; i++)
		log_error("  %s  %s", list->items[i].path,
			device_text(list->items[i].serial, serial, sizeof(serial)));
}

/* Finds the only board that matches. Returns 0 and *device, -ENODEV if none matches, -ENOTUNIQ
 * after listing the boards if several match, or another negative errno. */
static int find_board(const struct board_choice *choice, struct device *device)
{
	struct device_list list;
	int err = device_scan(choice->sysfs, &list);

	if (err < 0)
		return err;
	device_list_select(&list, choice->serial);
	if (list.count == 1)
		*device = list.items[0];
	else if (list.count == 0)
		err = -ENODEV;
	else
		err = -ENOTUNIQ;
	if (err == -ENOTUNIQ)
		log_matches(&list);
	device_list_free(&list);
	return err;
}

static void device_node(const struct device *device, char *node, size_t size)
{
	snprintf(node, size, "/dev/bus/usb/%03u/%03u", device->bus, device->address);
}

/* Logs why no lane was opened. Returns the exit status. */
static int open_failed(const struct board_choice *choice, const struct device *device, int err)
{
	char node[64];

	switch (err) {
	case -ENODEV:
	case -ENXIO:
		return board_none(choice);
	case -ENOTUNIQ:
		return STATUS_AMBIGUOUS;
	case -EACCES:
		device_node(device, node, sizeof(node));
		log_error("%s: permission denied; copy " UDEV_RULES " to /etc/udev/rules.d, run "
			  "'udevadm control --reload', and plug the board in again",
			node);
		return STATUS_PERMISSION;
	case -ENOENT:
		device_node(device, node, sizeof(node));
		log_error("%s: missing, although board %s is on the bus; in a container, pass "
			  "/dev/bus/usb to it",
			node, device->path);
		return STATUS_NO_BOARD;
	case -EBUSY:
		log_error("board %s: all of its %u lanes are in use; end another session, or start "
			  "bpfd-gadget with more --lanes",
			device->path, device->lanes);
		return STATUS_NO_LANE;
	default:
		log_error("board %s: %s", device->path[0] ? device->path : choice->sysfs,
			usb_lane_error_text(err));
		return STATUS_LOST;
	}
}

/* Waits for the time of the next scan. Returns 0, or the number of the signal to die of. */
static int wait_scan(int signal_fd, struct tty *tty)
{
	struct pollfd p = {.fd = signal_fd, .events = POLLIN};
	int number;

	poll(&p, 1, SCAN_MS);
	while ((number = signal_fd_next(signal_fd)) != 0) {
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

int board_open(const struct board_choice *choice, int signal_fd, struct tty *tty,
	struct device *device, struct usb_lane **lane)
{
	uint64_t start = clock_monotonic_ms(), unsettled = 0, limit;
	bool is_announced = false;
	char node[64];
	int err, number;

	*device = (struct device){.bus = 0};
	for (;;) {
		err = find_board(choice, device);
		if (err == 0) {
			device_node(device, node, sizeof(node));
			err = usb_lane_open(node, choice->transfer, choice->trace, lane);
		}
		if (err == 0)
			return 0;
		limit = choice->wait_ms;
		if (err == -EACCES || err == -ENOENT) {
			unsettled = unsettled ? unsettled : clock_monotonic_ms();
			if (clock_monotonic_ms() - unsettled >= SETTLE_MS)
				limit = 0;
		} else if (err != -ENODEV && err != -ENXIO) {
			limit = 0;
		}
		if (clock_monotonic_ms() - start >= limit)
			return open_failed(choice, device, err);
		if (!is_announced)
			log_info("board%s%s: waiting for it", choice->serial ? " " : "",
				choice->serial ? choice->serial : "");
		is_announced = true;
		number = wait_scan(signal_fd, tty);
		if (number)
			return -number;
	}
}

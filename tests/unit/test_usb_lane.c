/* SPDX-License-Identifier: Apache-2.0 */
/* Lanes on the host: claims, the order of transfers, and each call of libusb that fails. The test
 * is libusb. */
#include "core/base/log.h"
#include "host-usb/lane.h"

#include <errno.h>
#include <libusb.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/log_capture.h"

#define SIZE  1024
#define LANES 2
#define NODE  "/dev/null"

/* Calls in the order of usb_lane_open(), to let one fail. */
enum call { INIT, WRAP, CONFIG, CLAIM, SET_INTERFACE, SUBMIT, CALLS };

static struct {
	int errors[CALLS];
	int claim_errors[LANES];
	int alloc_fails_in; /* 0: never */
	bool is_stuck;	    /* cancelled transfers do not complete */
	struct libusb_transfer *flying[2 * LANE_DEPTH];
	int flying_count;
	int transfers, configs, contexts, handles, claimed; /* that exist */
	int claimed_number;
	struct libusb_config_descriptor config;
	struct libusb_interface interfaces[LANES];
	struct libusb_interface_descriptor alts[LANES];
	struct libusb_endpoint_descriptor endpoints[LANES][2];
	const struct libusb_pollfd **pollfds;
	int handled;	      /* result of handling events */
	struct timeval *next; /* timeout */
	uint64_t now_ms;
} usb;

int clock_gettime(clockid_t clock, struct timespec *t)
{
	*t = (struct timespec){(time_t)(usb.now_ms / 1000), (long)(usb.now_ms % 1000) * 1000000};
	return 0;
}

int libusb_set_option(libusb_context *context, enum libusb_option option, ...)
{
	return 0;
}

int libusb_init(libusb_context **context)
{
	if (usb.errors[INIT])
		return usb.errors[INIT];
	usb.contexts++;
	*context = (libusb_context *)&usb;
	return 0;
}

void libusb_exit(libusb_context *context)
{
	usb.contexts--;
}

int libusb_wrap_sys_device(libusb_context *context, intptr_t fd, libusb_device_handle **handle)
{
	if (usb.errors[WRAP])
		return usb.errors[WRAP];
	usb.handles++;
	*handle = (libusb_device_handle *)&usb;
	return 0;
}

void libusb_close(libusb_device_handle *handle)
{
	usb.handles--;
}

libusb_device *libusb_get_device(libusb_device_handle *handle)
{
	return (libusb_device *)&usb;
}

int libusb_get_active_config_descriptor(
	libusb_device *device, struct libusb_config_descriptor **config)
{
	if (usb.errors[CONFIG])
		return usb.errors[CONFIG];
	usb.configs++;
	*config = &usb.config;
	return 0;
}

void libusb_free_config_descriptor(struct libusb_config_descriptor *config)
{
	usb.configs--;
}

int libusb_claim_interface(libusb_device_handle *handle, int number)
{
	int err = usb.errors[CLAIM] ? usb.errors[CLAIM] : usb.claim_errors[number];

	if (!err) {
		usb.claimed++;
		usb.claimed_number = number;
	}
	return err;
}

int libusb_release_interface(libusb_device_handle *handle, int number)
{
	assert_int_equal(number, usb.claimed_number);
	usb.claimed--;
	return 0;
}

int libusb_set_interface_alt_setting(libusb_device_handle *handle, int number, int setting)
{
	assert_int_equal(number, usb.claimed_number);
	assert_int_equal(setting, 0);
	return usb.errors[SET_INTERFACE];
}

struct libusb_transfer *libusb_alloc_transfer(int packets)
{
	if (usb.alloc_fails_in && --usb.alloc_fails_in == 0)
		return NULL;
	usb.transfers++;
	return calloc(1, sizeof(struct libusb_transfer));
}

void libusb_free_transfer(struct libusb_transfer *transfer)
{
	usb.transfers -= transfer != NULL;
	free(transfer);
}

int libusb_submit_transfer(struct libusb_transfer *transfer)
{
	if (usb.errors[SUBMIT])
		return usb.errors[SUBMIT];
	assert_true(usb.flying_count < 2 * LANE_DEPTH);
	usb.flying[usb.flying_count++] = transfer;
	return 0;
}

static void complete(int number, enum libusb_transfer_status status, int length)
{
	struct libusb_transfer *transfer = usb.flying[number];

	usb.flying_count--;
	memmove(&usb.flying[number], &usb.flying[number + 1],
		(size_t)(usb.flying_count - number) * sizeof(usb.flying[0]));
	transfer->status = status;
	transfer->actual_length = length;
	transfer->callback(transfer);
}

int libusb_cancel_transfer(struct libusb_transfer *transfer)
{
	for (int i = 0; i < usb.flying_count && !usb.is_stuck; i++)
		if (usb.flying[i] == transfer)
			complete(i, LIBUSB_TRANSFER_CANCELLED, 0);
	return 0;
}

int libusb_handle_events_timeout_completed(
	libusb_context *context, struct timeval *t, int *completed)
{
	usb.now_ms += (uint64_t)t->tv_usec / 1000;
	return usb.handled;
}

const struct libusb_pollfd **libusb_get_pollfds(libusb_context *context)
{
	return usb.pollfds;
}

void libusb_free_pollfds(const struct libusb_pollfd **fds)
{
}

int libusb_get_next_timeout(libusb_context *context, struct timeval *t)
{
	if (!usb.next)
		return 0;
	*t = *usb.next;
	return 1;
}

static struct usb_lane *lane;

/* A board with two lanes. */
static int setup(void **state)
{
	lane = NULL;
	memset(&usb, 0, sizeof(usb));
	usb.config = (struct libusb_config_descriptor){
		.bNumInterfaces = LANES, .interface = usb.interfaces};
	for (uint8_t i = 0; i < LANES; i++) {
		usb.interfaces[i] = (struct libusb_interface){&usb.alts[i], 1};
		usb.alts[i] = (struct libusb_interface_descriptor){.bInterfaceNumber = i,
			.bInterfaceClass = LANE_CLASS,
			.bInterfaceSubClass = LANE_SUBCLASS,
			.bInterfaceProtocol = LANE_PROTOCOL,
			.bNumEndpoints = 2,
			.endpoint = usb.endpoints[i]};
		for (int in = 0; in < 2; in++)
			usb.endpoints[i][in] = (struct libusb_endpoint_descriptor){
				.bEndpointAddress = (uint8_t)(i + 1 + 0x80 * in),
				.bmAttributes = LIBUSB_TRANSFER_TYPE_BULK};
	}
	return 0;
}

static int open_lane(void)
{
	return usb_lane_open(NODE, SIZE, NULL, &lane);
}

/* Closes the lane if it is open. Nothing of libusb is left. */
static int teardown(void **state)
{
	usb_lane_close(lane);
	lane = NULL;
	assert_int_equal(usb.flying_count, 0);
	assert_int_equal(usb.transfers + usb.configs + usb.contexts + usb.handles + usb.claimed, 0);
	return 0;
}

static void test_claim(void **state)
{
	assert_int_equal(open_lane(), 0);
	assert_int_equal(usb_lane_interface(lane), 0);
	teardown(NULL);
	usb.claim_errors[0] = LIBUSB_ERROR_BUSY; /* another program was faster */
	assert_int_equal(open_lane(), 0);
	assert_int_equal(usb_lane_interface(lane), 1);
	teardown(NULL);
	usb.claim_errors[1] = LIBUSB_ERROR_BUSY;
	assert_int_equal(open_lane(), -EBUSY);
	usb.claim_errors[1] = LIBUSB_ERROR_ACCESS;
	assert_int_equal(open_lane(), -EACCES);
	usb.endpoints[1][0].bEndpointAddress = 1; /* of the other lane */
	assert_int_equal(open_lane(), -EEXIST);
	usb.config.bNumInterfaces = 0;
	assert_int_equal(open_lane(), -ENXIO);
	usb.errors[CONFIG] = LIBUSB_ERROR_NOT_FOUND;
	assert_int_equal(open_lane(), -ENXIO);
}

static void test_open_fails(void **state)
{
	static const int wanted[CALLS] = {-EIO, -EIO, -EIO, -EIO, -EIO, 0};
	const uint8_t *data;
	size_t len;

	for (int call = INIT; call < CALLS; call++) {
		usb.errors[call] = LIBUSB_ERROR_IO;
		assert_int_equal(open_lane(), wanted[call]);
		if (call == SUBMIT) /* reported like a failed transfer */
			assert_int_equal(usb_lane_receive(lane, &data, &len), -EIO);
		teardown(NULL);
		usb.errors[call] = 0;
	}
	usb.errors[SET_INTERFACE] = LIBUSB_ERROR_NOT_FOUND; /* the gadget was taken away */
	assert_int_equal(open_lane(), -ENODEV);
	usb.errors[SET_INTERFACE] = 0;
	for (int i = 1; i <= 2 * LANE_DEPTH; i++) {
		usb.alloc_fails_in = i;
		assert_int_equal(open_lane(), -ENOMEM);
		teardown(NULL);
	}
	assert_int_equal(open_lane(), 0);
	teardown(NULL);
	assert_int_equal(usb_lane_open("/nonexistent", SIZE, NULL, &lane), -ENOENT);
}

/* Receives a transfer of that length, and releases it. */
static void expect(size_t length)
{
	const uint8_t *data;
	size_t len;

	assert_int_equal(usb_lane_receive(lane, &data, &len), 1);
	assert_int_equal(len, length);
	usb_lane_release(lane);
}

static void test_receive(void **state)
{
	const uint8_t *data;
	size_t len;

	assert_int_equal(open_lane(), 0);
	assert_int_equal(usb.flying_count, LANE_DEPTH);
	assert_int_equal(usb_lane_receive(lane, &data, &len), 0);
	complete(0, LIBUSB_TRANSFER_COMPLETED, 10);
	complete(0, LIBUSB_TRANSFER_COMPLETED, 20);
	expect(10);
	expect(20);
	assert_int_equal(usb.flying_count, LANE_DEPTH);
	/* What came before a failure is received, and nothing after it. */
	complete(0, LIBUSB_TRANSFER_COMPLETED, 30);
	complete(0, LIBUSB_TRANSFER_STALL, 0);
	complete(0, LIBUSB_TRANSFER_COMPLETED, 40);
	expect(30);
	assert_int_equal(usb.flying_count, LANE_DEPTH - 3);
	for (int i = 0; i < 2; i++)
		assert_int_equal(usb_lane_receive(lane, &data, &len), -EPIPE);
	assert_null(usb_lane_buffer(lane));
	assert_int_equal(usb_lane_counts(lane).in_transfers, 4);
}

static void test_send(void **state)
{
	const uint8_t *data;
	size_t len;

	assert_int_equal(open_lane(), 0);
	assert_false(usb_lane_sending(lane));
	for (size_t i = 0; i < LANE_DEPTH; i++) {
		assert_non_null(usb_lane_buffer(lane));
		usb_lane_send(lane, 5);
	}
	assert_null(usb_lane_buffer(lane));
	assert_true(usb_lane_sending(lane));
	complete(LANE_DEPTH, LIBUSB_TRANSFER_COMPLETED, 5);
	assert_non_null(usb_lane_buffer(lane));
	assert_int_equal(usb_lane_counts(lane).out_transfers, 1);
	complete(LANE_DEPTH, LIBUSB_TRANSFER_COMPLETED, 4); /* not all */
	assert_null(usb_lane_buffer(lane));
	complete(LANE_DEPTH, LIBUSB_TRANSFER_NO_DEVICE, 0);
	assert_int_equal(usb_lane_receive(lane, &data, &len), -EIO); /* the first failure */
	assert_int_equal(usb_lane_counts(lane).out_transfers, 1);
	teardown(NULL);
	assert_int_equal(open_lane(), 0);
	assert_non_null(usb_lane_buffer(lane));
	usb.errors[SUBMIT] = LIBUSB_ERROR_NO_DEVICE;
	usb_lane_send(lane, 5);
	assert_false(usb_lane_sending(lane));
	assert_int_equal(usb_lane_receive(lane, &data, &len), -ENODEV);
}

static void test_poll(void **state)
{
	const struct libusb_pollfd fd = {7, POLLOUT}, *list[] = {&fd, NULL};
	struct timeval next = {1, 500400};
	struct pollfd fds[LANE_FDS_MAX];

	assert_int_equal(open_lane(), 0);
	assert_int_equal(usb_lane_pollfds(lane, fds), 0); /* no memory */
	usb.pollfds = list;
	assert_int_equal(usb_lane_pollfds(lane, fds), 1);
	assert_int_equal(fds[0].fd, 7);
	assert_int_equal(fds[0].events, POLLOUT);
	assert_int_equal(usb_lane_timeout(lane), -1);
	usb.next = &next;
	assert_int_equal(usb_lane_timeout(lane), 1501);
	assert_int_equal(usb_lane_handle(lane), 0);
	usb.handled = LIBUSB_ERROR_INTERRUPTED;
	assert_int_equal(usb_lane_handle(lane), 0);
	usb.handled = LIBUSB_ERROR_NO_DEVICE;
	assert_int_equal(usb_lane_handle(lane), -ENODEV);
}

/* A controller that hangs may still write into the buffers, so they are not freed. */
static void test_stuck(void **state)
{
	assert_int_equal(open_lane(), 0);
	usb.is_stuck = true;
	log_begin();
	usb_lane_close(lane);
	assert_string_equal(log_end(), "test: lane 0: cancelled transfers did not complete\n");
	assert_int_equal(usb.flying_count, LANE_DEPTH);
	assert_int_equal(usb.transfers, 2 * LANE_DEPTH);
	usb.is_stuck = false; /* for teardown() */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_claim, setup, teardown),
		cmocka_unit_test_setup_teardown(test_open_fails, setup, teardown),
		cmocka_unit_test_setup_teardown(test_receive, setup, teardown),
		cmocka_unit_test_setup_teardown(test_send, setup, teardown),
		cmocka_unit_test_setup_teardown(test_poll, setup, teardown),
		cmocka_unit_test_setup_teardown(test_stuck, setup, teardown),
	};

	log_open("test", LOG_INFO);
	return cmocka_run_group_tests_name("usb_lane", tests, NULL, NULL);
}

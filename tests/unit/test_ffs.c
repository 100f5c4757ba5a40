/* SPDX-License-Identifier: Apache-2.0 */
/* FunctionFS: events, the order of transfers, and transfers that fail. The test is the kernel. */
#include "core/base/log.h"
#include "gadget/ep0.h"
#include "gadget/ffs.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <linux/usb/ch9.h>
#include <linux/usb/functionfs.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/fake_tree.h"
#include "tests/unit/log_capture.h"

#define SIZE 1024 /* of a buffer */

/* The kernel's side: transfers in flight, and those that have completed. */
static struct {
	struct iocb *flying[2 * FFS_DEPTH];
	struct io_event done[2 * FFS_DEPTH];
	size_t flying_count, done_count;
	int submit_error;
	bool has_addresses; /* the host has enabled the interface */
	int ep0;	    /* our end */
} kernel;

static long submit(struct iocb *iocb)
{
	if (kernel.submit_error) {
		errno = kernel.submit_error;
		return -1;
	}
	assert_true(kernel.flying_count < 2 * FFS_DEPTH);
	kernel.flying[kernel.flying_count++] = iocb;
	return 1;
}

static long get_events(struct io_event *events)
{
	size_t n = kernel.done_count;

	memcpy(events, kernel.done, n * sizeof(*events));
	kernel.done_count = 0;
	return (long)n;
}

long syscall(long number, ...)
{
	unsigned long args[5];
	va_list ap;

	va_start(ap, number);
	for (int i = 0; i < 5; i++)
		args[i] = va_arg(ap, unsigned long);
	va_end(ap);
	switch (number) {
	case SYS_io_setup:
		*(aio_context_t *)args[1] = 1;
		return 0;
	case SYS_io_submit:
		return submit(*(struct iocb **)args[2]);
	case SYS_io_getevents:
		return get_events((struct io_event *)args[3]);
	case SYS_io_destroy:
		kernel.flying_count = 0;
		return 0;
	default:
		errno = ENOSYS;
		return -1;
	}
}

int ioctl(int fd, unsigned long request, ...)
{
	struct usb_endpoint_descriptor *desc;
	va_list ap;

	va_start(ap, request);
	desc = va_arg(ap, struct usb_endpoint_descriptor *);
	va_end(ap);
	errno = ENODEV;
	if (request != FUNCTIONFS_ENDPOINT_DESC || !kernel.has_addresses)
		return -1;
	desc->bEndpointAddress = (uint8_t)fd;
	return 0;
}

/* Completes the transfer in flight of that number, of those in one direction. */
static void complete(bool to_host, size_t number, int64_t result)
{
	for (size_t i = 0; i < kernel.flying_count; i++) {
		struct iocb *iocb = kernel.flying[i];
		uint64_t one = 1;

		if ((iocb->aio_lio_opcode == IOCB_CMD_PWRITE) != to_host || number-- > 0)
			continue;
		kernel.done[kernel.done_count++] =
			(struct io_event){.data = iocb->aio_data, .res = result};
		if (!to_host && result > 0)
			memset((void *)(uintptr_t)iocb->aio_buf, (int)result, (size_t)result);
		assert_int_equal(write((int)iocb->aio_resfd, &one, sizeof(one)), sizeof(one));
		kernel.flying_count--;
		memmove(&kernel.flying[i], &kernel.flying[i + 1],
			(kernel.flying_count - i) * sizeof(kernel.flying[0]));
		return;
	}
	fail_msg("no such transfer");
}

static size_t flying(bool to_host)
{
	size_t n = 0;

	for (size_t i = 0; i < kernel.flying_count; i++)
		n += (kernel.flying[i]->aio_lio_opcode == IOCB_CMD_PWRITE) == to_host;
	return n;
}

static char dir[64];
static struct ffs *lane;
static int ep0;

static void open_ffs(void)
{
	int ends[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	kernel.ep0 = ends[0];
	ep0 = ends[1];
	assert_int_equal(ffs_open(ep0, dir, SIZE, SIZE, &lane), 0);
	assert_int_equal(ffs_ep0_fd(lane), ep0);
	assert_true(ffs_completion_fd(lane) >= 0);
}

static int setup(void **state)
{
	strcpy(dir, "/tmp/test_ffs.XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	put_file(dir, "ep1", "");
	put_file(dir, "ep2", "");
	memset(&kernel, 0, sizeof(kernel));
	log_begin();
	open_ffs();
	return 0;
}

/* Returns what was logged. */
static const char *close_ffs(void)
{
	ffs_close(lane);
	lane = NULL;
	close(ep0);
	close(kernel.ep0);
	return log_end();
}

static int teardown(void **state)
{
	static const char *const names[] = {"ep0", "ep1", "ep2"};
	char path[80];

	if (lane)
		close_ffs();
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
		unlink(path);
	}
	return rmdir(dir);
}

static void expect_event(uint8_t type, int wanted)
{
	const struct usb_functionfs_event event = {.type = type};

	assert_int_equal(write(kernel.ep0, &event, sizeof(event)), sizeof(event));
	assert_int_equal(ffs_next_event(lane), wanted);
}

static void test_events(void **state)
{
	struct usb_functionfs_event event = {.type = FUNCTIONFS_SETUP};

	assert_int_equal(ffs_next_event(lane), FFS_NONE);
	expect_event(FUNCTIONFS_BIND, FFS_BIND);
	assert_false(ffs_enabled(lane));
	expect_event(FUNCTIONFS_ENABLE, FFS_ENABLE);
	assert_true(ffs_enabled(lane));
	assert_int_equal(ffs_generation(lane), 1);
	assert_int_equal(flying(false), FFS_DEPTH);
	expect_event(FUNCTIONFS_SUSPEND, FFS_SUSPEND);
	expect_event(FUNCTIONFS_RESUME, FFS_OTHER);
	for (int in = 0; in < 2; in++) {
		event.u.setup.bRequestType = in ? USB_DIR_IN : 0;
		assert_int_equal(write(kernel.ep0, &event, sizeof(event)), sizeof(event));
		assert_int_equal(ffs_next_event(lane), FFS_OTHER);
	}
	assert_true(ffs_enabled(lane));
	expect_event(FUNCTIONFS_DISABLE, FFS_DISABLE);
	assert_false(ffs_enabled(lane));
	expect_event(FUNCTIONFS_ENABLE, FFS_ENABLE);
	expect_event(FUNCTIONFS_UNBIND, FFS_UNBIND);
	assert_false(ffs_enabled(lane));
	assert_int_equal(ffs_generation(lane), 2);
	/* Part of an event, and a dead ep0. */
	assert_int_equal(write(kernel.ep0, &event, 5), 5);
	assert_int_equal(ffs_next_event(lane), -EIO);
	shutdown(kernel.ep0, SHUT_RDWR);
	assert_int_equal(ffs_next_event(lane), -EIO);
}

/* Old kernels report transfers out of order. */
static void test_receive(void **state)
{
	struct ffs_transfer t;

	expect_event(FUNCTIONFS_ENABLE, FFS_ENABLE);
	assert_int_equal(ffs_receive(lane, &t), 0);
	complete(false, 1, 20);
	ffs_complete(lane);
	assert_int_equal(ffs_receive(lane, &t), 0);
	complete(false, 0, 10);
	ffs_complete(lane);
	for (size_t len = 10; len <= 20; len += 10) {
		assert_int_equal(ffs_receive(lane, &t), 1);
		assert_int_equal(t.len, len);
		assert_int_equal(t.generation, 1);
		assert_int_equal(t.data[len - 1], len);
		ffs_release(lane);
		assert_int_equal(flying(false), len == 10 ? FFS_DEPTH - 1 : FFS_DEPTH);
	}
	assert_int_equal(ffs_receive(lane, &t), 0);
}

/* A lost transfer is reported; one of a link that is down is not. */
static void test_lost_receives(void **state)
{
	struct ffs_transfer t;
	const char *log;

	expect_event(FUNCTIONFS_ENABLE, FFS_ENABLE);
	complete(false, 0, -EOVERFLOW);
	complete(false, 0, 7);
	ffs_complete(lane);
	assert_int_equal(ffs_receive(lane, &t), -EOVERFLOW);
	assert_true(ffs_enabled(lane));
	ffs_release(lane);
	assert_int_equal(ffs_receive(lane, &t), 1);
	ffs_release(lane);
	/* The link goes down and comes up again: old failures do not count. */
	complete(false, 0, -EPROTO);
	expect_event(FUNCTIONFS_DISABLE, FFS_DISABLE);
	expect_event(FUNCTIONFS_ENABLE, FFS_ENABLE);
	ffs_complete(lane);
	assert_int_equal(ffs_receive(lane, &t), 0);
	assert_true(ffs_enabled(lane));
	while (flying(false))
		complete(false, 0, -ESHUTDOWN);
	ffs_complete(lane);
	expect_event(FUNCTIONFS_ENABLE, FFS_ENABLE); /* of that link, too */
	assert_int_equal(ffs_receive(lane, &t), 0);
	assert_true(ffs_enabled(lane));
	complete(false, 0, -ESHUTDOWN);
	ffs_complete(lane);
	assert_int_equal(ffs_receive(lane, &t), 0);
	assert_false(ffs_enabled(lane));
	log = close_ffs();
	assert_non_null(strstr(log, "ep1: transfer failed: Value too large"));
	assert_null(strstr(log, "Protocol error"));
	assert_null(strstr(log, "shutdown"));
}

/* After 16 failures in a row the host has to reset the link. */
static void test_many_failures(void **state)
{
	struct ffs_transfer t;

	expect_event(FUNCTIONFS_ENABLE, FFS_ENABLE);
	for (int i = 0; i < 16; i++) {
		assert_true(ffs_enabled(lane));
		complete(false, 0, -EPROTO);
		ffs_complete(lane);
		assert_int_equal(ffs_receive(lane, &t), -EPROTO);
		ffs_release(lane);
	}
	assert_false(ffs_enabled(lane));
	assert_null(ffs_send_buffer(lane));
	expect_event(FUNCTIONFS_ENABLE, FFS_ENABLE);
	assert_int_equal(flying(false), FFS_DEPTH);
	for (size_t i = 1; i < FFS_DEPTH; i++)
		complete(false, 0, -ESHUTDOWN); /* of the link before */
	complete(false, 0, -EPROTO);
	ffs_complete(lane);
	assert_int_equal(ffs_receive(lane, &t), -EPROTO);
	assert_true(ffs_enabled(lane));
}

static void test_send(void **state)
{
	assert_null(ffs_send_buffer(lane));
	expect_event(FUNCTIONFS_ENABLE, FFS_ENABLE);
	for (size_t i = 0; i < FFS_DEPTH; i++) {
		assert_non_null(ffs_send_buffer(lane));
		assert_int_equal(ffs_send(lane, i + 1), 0);
	}
	assert_true(ffs_sending(lane));
	assert_null(ffs_send_buffer(lane));
	complete(true, 1, 2);
	ffs_complete(lane);
	assert_null(ffs_send_buffer(lane)); /* the first one is still in flight */
	complete(true, 0, 1);
	ffs_complete(lane);
	assert_non_null(ffs_send_buffer(lane));
	assert_int_equal(ffs_send_error(lane), 0);
	complete(true, 0, -EPIPE);
	ffs_complete(lane);
	assert_non_null(ffs_send_buffer(lane));
	assert_int_equal(ffs_send_error(lane), -EPIPE);
	assert_int_equal(ffs_send_error(lane), 0);
	complete(true, 0, -EAGAIN);
	ffs_complete(lane);
	assert_null(ffs_send_buffer(lane));
	assert_false(ffs_sending(lane));
	assert_false(ffs_enabled(lane));
}

static void test_submit_fails(void **state)
{
	struct ffs_transfer t;

	expect_event(FUNCTIONFS_ENABLE, FFS_ENABLE);
	assert_non_null(ffs_send_buffer(lane));
	kernel.submit_error = ESHUTDOWN;
	assert_int_equal(ffs_send(lane, 5), -ESHUTDOWN);
	assert_false(ffs_enabled(lane));
	assert_int_equal(ffs_send_error(lane), -ESHUTDOWN);
	expect_event(FUNCTIONFS_DISABLE, FFS_DISABLE);
	while (flying(false))
		complete(false, 0, -ESHUTDOWN);
	ffs_complete(lane);
	expect_event(FUNCTIONFS_ENABLE, FFS_ENABLE);
	assert_int_equal(ffs_receive(lane, &t), 0); /* the next reads cannot be started */
	assert_false(ffs_enabled(lane));
}

/* A worker died while the host used the lane. Another worker takes over. */
static void test_take_over(void **state)
{
	uint8_t out, in;

	assert_int_equal(ffs_addresses(lane, &out, &in), -ENODEV);
	close_ffs();
	log_begin();
	kernel.has_addresses = true;
	open_ffs();
	assert_true(ffs_enabled(lane));
	assert_int_equal(flying(false), FFS_DEPTH);
	assert_int_equal(ffs_addresses(lane, &out, &in), 0);
	assert_true(out != in);
}

static void test_ep0(void **state)
{
	char path[80], content[512];
	const char *log;
	int fd;

	snprintf(path, sizeof(path), "%s/ep0", dir);
	close_ffs();
	log_begin();
	assert_int_equal(ep0_open(dir), -ENOENT);
	assert_int_equal(symlink("/dev/full", path), 0);
	assert_int_equal(ep0_open(dir), -ENOSPC);
	unlink(path);
	put_file(dir, "ep0", "");
	fd = ep0_open(dir);
	assert_true(fd >= 0);
	/* Descriptors of three speeds, then strings. */
	assert_true(pread(fd, content, sizeof(content), 0) > 100);
	assert_memory_equal(content, "\3\0\0\0", 4); /* FUNCTIONFS_DESCRIPTORS_MAGIC_V2 */
	close(fd);
	log = log_end();
	assert_non_null(strstr(log, "/ep0: No such file or directory"));
	assert_non_null(strstr(log, "/ep0: descriptors refused: No space left"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_events, setup, teardown),
		cmocka_unit_test_setup_teardown(test_receive, setup, teardown),
		cmocka_unit_test_setup_teardown(test_lost_receives, setup, teardown),
		cmocka_unit_test_setup_teardown(test_many_failures, setup, teardown),
		cmocka_unit_test_setup_teardown(test_send, setup, teardown),
		cmocka_unit_test_setup_teardown(test_submit_fails, setup, teardown),
		cmocka_unit_test_setup_teardown(test_take_over, setup, teardown),
		cmocka_unit_test_setup_teardown(test_ep0, setup, teardown),
	};

	log_open("test", LOG_INFO);
	return cmocka_run_group_tests_name("ffs", tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Tests how sessions end: a pipe to the process fails, events of USB, lost transfers, the lease. */
#include "core/base/log.h"
#include "gadget/ffs.h"
#include "gadget/lane.h"

#include <errno.h>
#include <unistd.h>

#include "tests/unit/link_test.h"
#include "tests/unit/log_capture.h"

#define NONCE	0x1122334455667788
#define WAIT_MS 10000

/* The linker replaces read() and write() by these; see the Makefile. */
ssize_t __real_read(int fd, void *data, size_t size);
ssize_t __real_write(int fd, const void *data, size_t size);
ssize_t __wrap_read(int fd, void *data, size_t size);
ssize_t __wrap_write(int fd, const void *data, size_t size);

static int read_error, write_error; /* of the lane's pipes; 0: none */

ssize_t __wrap_read(int fd, void *data, size_t size)
{
	if (!read_error)
		return __real_read(fd, data, size);
	errno = read_error;
	return -1;
}

ssize_t __wrap_write(int fd, const void *data, size_t size)
{
	if (!write_error || fd == STDERR_FILENO)
		return __real_write(fd, data, size);
	errno = write_error;
	return -1;
}

/* A FunctionFS instance. The test is its host. */
static struct {
	struct wire from_host;
	bool has_transfer;
	uint8_t to_host[64 * 1024];
	size_t len;
	bool is_sent;
	int event;	  /* the next one; a negative errno: ep0 fails */
	int lost, unread; /* errors: of a transfer to the host, and of one from it */
} usb;

static uint64_t now_ms;

int ffs_open(int ep0, const char *dir, size_t receive_size, size_t send_size, struct ffs **result)
{
	*result = (struct ffs *)&usb;
	return 0;
}

void ffs_close(struct ffs *f)
{
}

int ffs_ep0_fd(const struct ffs *f)
{
	return -1;
}

int ffs_completion_fd(const struct ffs *f)
{
	return -1;
}

int ffs_next_event(struct ffs *f)
{
	int event = usb.event;

	usb.event = FFS_NONE;
	return event;
}

bool ffs_enabled(const struct ffs *f)
{
	return true;
}

unsigned int ffs_generation(const struct ffs *f)
{
	return 1;
}

void ffs_complete(struct ffs *f)
{
}

int ffs_receive(struct ffs *f, struct ffs_transfer *t)
{
	*t = (struct ffs_transfer){usb.from_host.bytes, usb.from_host.len, 1};
	return usb.has_transfer && usb.unread ? usb.unread : usb.has_transfer;
}

void ffs_release(struct ffs *f)
{
	usb.has_transfer = false;
}

uint8_t *ffs_send_buffer(struct ffs *f)
{
	return usb.is_sent ? NULL : usb.to_host;
}

int ffs_send(struct ffs *f, size_t len)
{
	usb.len = len;
	usb.is_sent = true;
	return 0;
}

bool ffs_sending(const struct ffs *f)
{
	return false;
}

int ffs_send_error(struct ffs *f)
{
	int err = usb.lost;

	usb.lost = 0;
	return err;
}

int ffs_addresses(const struct ffs *f, uint8_t *out, uint8_t *in)
{
	return -EINVAL;
}

static char *command[] = {(char *)"/bin/cat", NULL};
static struct admission admission = {
	.path = "/nonexistent", .serial = "s", .command = command, .read_only_command = command};
static struct children *children;
static struct lane *lane;

/* Lets the lane do what is due, after a transfer from the host if there is one. */
static int process(void)
{
	struct pollfd fds[LANE_POLLFDS];

	lane_poll(lane, fds);
	poll(fds, LANE_POLLFDS, 10);
	children_tick(children, 0);
	fds[0].revents = usb.event ? POLLIN : 0;
	fds[1].revents = POLLIN; /* the completion of a transfer */
	return lane_process(lane, fds, now_ms);
}

static void turn(void)
{
	assert_int_equal(process(), 0);
}

/* Receives the next transfer of the board. Its first frame must be of this type, besides WINDOW. */
static struct frame receive(enum frame_type type)
{
	struct frame frame = {.type = FRAME_WINDOW};
	size_t offset = 0;

	for (int waited = 0; !usb.is_sent && waited < WAIT_MS; waited += 10)
		turn();
	assert_true(usb.is_sent);
	usb.is_sent = false;
	while (frame.type == FRAME_WINDOW)
		assert_int_equal(frame_next(usb.to_host, usb.len, &offset, &frame), 1);
	assert_string_equal(frame_name(frame.type), frame_name(type));
	return frame;
}

static void send_data(void)
{
	wire_only(&usb.from_host, FRAME_DATA, "x\n", 2);
	usb.has_transfer = true;
}

static int setup(void **state)
{
	static bool seen;
	struct hello hello = wire_hello_default(NONCE);
	struct lane_source source = {.dir = "none", .ep0 = -1};

	admission.seen = &seen;
	children = children_new(command);
	assert_non_null(children);
	memset(&usb, 0, sizeof(usb));
	now_ms = 0;
	assert_int_equal(lane_open(&source, 0, children, &admission, &lane), 0);
	wire_hello(&usb.from_host, &hello);
	usb.has_transfer = true;
	receive(FRAME_HELLO_REPLY);
	return 0;
}

static int teardown(void **state)
{
	read_error = write_error = 0;
	lane_close(lane);
	children_free(children);
	return 0;
}

/* The session ends with this text in its RESET and in the log. */
static void expect_end(const char *text)
{
	struct reset_info info;
	struct frame frame;
	char line[160];

	log_begin();
	frame = receive(FRAME_RESET);
	read_error = 0;
	snprintf(line, sizeof(line), "test: lane 0: session closed: %s\n", text);
	assert_string_equal(log_end(), line);
	assert_int_equal(reset_get(&frame, &info), 0);
	assert_int_equal(info.reason, RESET_START);
	assert_string_equal(info.text, text);
}

/* The process lives, and what the host sent is lost. */
static void test_write_fails(void **state)
{
	write_error = ENOMEM;
	send_data();
	expect_end("/bin/cat: cannot write to its input: Cannot allocate memory");
}

static void test_read_fails(void **state)
{
	read_error = EIO;
	send_data();
	expect_end("/bin/cat: cannot read its output: Input/output error");
}

/* A process that no longer reads may go on: the input is dropped. */
static void test_input_closed(void **state)
{
	write_error = EPIPE;
	send_data();
	turn();
	receive(FRAME_EXIT);
}

static void test_interrupted(void **state)
{
	struct frame frame;

	write_error = read_error = EINTR;
	send_data();
	turn();
	write_error = read_error = 0;
	frame = receive(FRAME_DATA);
	assert_int_equal(frame.len, 2);
	assert_memory_equal(frame.payload, "x\n", 2);
}

/* What the log has of one turn. */
static const char *log_of_turn(void)
{
	log_begin();
	turn();
	return log_end();
}

/* The board announces the end, with this reason. */
static void expect_reset(unsigned int reason)
{
	struct reset_info info;
	struct frame frame = receive(FRAME_RESET);

	assert_int_equal(reset_get(&frame, &info), 0);
	assert_int_equal(info.reason, reason);
}

/* After these events the host knows that the session has ended. */
static void test_disconnected(void **state)
{
	static const struct {
		int event;
		const char *text;
	} events[] = {{FFS_DISABLE, "the host disconnected"},
		{FFS_ENABLE, "the host reset the lane"}, {FFS_UNBIND, "the gadget was unbound"}};
	char line[100];

	for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++) {
		usb.event = events[i].event;
		snprintf(line, sizeof(line), "test: lane 0: session closed: %s\n", events[i].text);
		assert_string_equal(log_of_turn(), line);
		assert_false(usb.is_sent);
		teardown(NULL);
		setup(NULL);
	}
	assert_int_equal(lane_bindings(lane), 0);
	usb.event = FFS_UNBIND;
	log_of_turn();
	assert_false(lane_bound(lane));
	usb.event = FFS_BIND;
	assert_string_equal(log_of_turn(), "");
	assert_true(lane_bound(lane));
	assert_int_equal(lane_bindings(lane), 1);
}

static void test_suspended(void **state)
{
	usb.event = FFS_SUSPEND;
	assert_non_null(strstr(log_of_turn(), "session closed: the host suspended the bus"));
	expect_reset(RESET_SUSPEND);
}

static void test_lease(void **state)
{
	now_ms = lane_deadline(lane);
	assert_non_null(strstr(log_of_turn(), "session closed: the board heard nothing"));
	expect_reset(RESET_LEASE);
}

static void test_lost_transfers(void **state)
{
	usb.lost = -EPROTO;
	assert_non_null(strstr(log_of_turn(), "session closed: a transfer to the host was lost"));
	teardown(NULL);
	setup(NULL);
	usb.unread = -EOVERFLOW;
	send_data();
	assert_non_null(strstr(log_of_turn(), "session closed: Value too large"));
	expect_reset(RESET_PROTOCOL);
}

static void test_shutdown(void **state)
{
	usb.is_sent = true; /* the last transfer is still in flight */
	log_begin();
	lane_shutdown(lane);
	assert_non_null(strstr(log_end(), "session closed: the board's daemon exits"));
	turn();
	assert_true(lane_busy(lane));
	usb.is_sent = false;
	expect_reset(RESET_SHUTDOWN);
	assert_false(lane_busy(lane));
}

/* A lane whose ep0 has failed does nothing more, and nobody waits for it. */
static void test_ep0_fails(void **state)
{
	log_begin();
	usb.event = -EIO;
	assert_int_equal(process(), -EIO);
	assert_string_equal(log_end(), "test: lane 0: ep0: Input/output error\n");
	lane_shutdown(lane);
	assert_false(lane_busy(lane));
	usb.event = -EIO;
	assert_string_equal(log_of_turn(), "");
}

#define lane_test(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		lane_test(test_write_fails),
		lane_test(test_read_fails),
		lane_test(test_input_closed),
		lane_test(test_interrupted),
		lane_test(test_disconnected),
		lane_test(test_suspended),
		lane_test(test_lease),
		lane_test(test_lost_transfers),
		lane_test(test_shutdown),
		lane_test(test_ep0_fails),
	};

	log_open("test", LOG_INFO);
	return cmocka_run_group_tests_name("lane", tests, NULL, NULL);
}

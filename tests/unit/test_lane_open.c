/* SPDX-License-Identifier: Apache-2.0 */
/* Tests that each failure of opening a lane is logged once, with what failed. */
#include "core/base/log.h"
#include "gadget/ffs.h"
#include "gadget/lane.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/fake_tree.h"
#include "tests/unit/log_capture.h"
#include "tests/unit/skip.h"

#define INDEX 3 /* of the lane */

static char dir[64], ep1[80], ep2[80];

/* The linker replaces malloc() and calloc() by these; see the Makefile. */
void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);

static unsigned int fail_in; /* the allocation to fail, counted from the next one; 0: none */

static bool allocation_fails(void)
{
	if (fail_in == 0 || --fail_in > 0)
		return false;
	errno = ENOMEM;
	return true;
}

void *__wrap_malloc(size_t size)
{
	return allocation_fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
	return allocation_fails() ? NULL : __real_calloc(count, size);
}

static struct lane_source source = {.dir = dir};
static struct children *children;
static struct admission admission = {.path = "/nonexistent", .serial = "s"};

/* A directory in the place of a mounted FunctionFS instance. */
static int setup(void **state)
{
	static char *command[] = {(char *)"/bin/false", NULL};

	strcpy(dir, "/tmp/test_lane_open.XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	snprintf(ep1, sizeof(ep1), "%s/ep1", dir);
	snprintf(ep2, sizeof(ep2), "%s/ep2", dir);
	put_file(dir, "ep1", "");
	put_file(dir, "ep2", "");
	source.ep0 = open("/dev/null", O_RDWR);
	admission.command = command;
	children = children_new(command);
	return source.ep0 < 0 || !children ? -1 : 0;
}

static int teardown(void **state)
{
	close(source.ep0);
	children_free(children);
	unlink(ep1);
	unlink(ep2);
	return rmdir(dir);
}

/* Opens a lane, and closes it if that succeeded, while allocation number `fail` fails. Returns the
 * result of lane_open(). */
static int open_lane(unsigned int fail)
{
	struct lane *lane = NULL;
	int err;

	fail_in = fail;
	err = lane_open(&source, INDEX, children, &admission, &lane);
	fail_in = 0;
	lane_close(lane);
	return err;
}

/* The line that the log must consist of. */
static const char *line_of(const char *object, int err)
{
	static char line[160];

	snprintf(line, sizeof(line), "test: %s: %s\n", object, strerror(err));
	return line;
}

static void skip_without_aio(void)
{
	int err;

	log_begin();
	err = open_lane(0);
	log_end();
	if (err == -ENOSYS || err == -EAGAIN)
		skip_because("the kernel has no AIO, or none is left");
	assert_int_equal(err, 0);
}

static void test_no_memory(void **state)
{
	const char *log, *objects[] = {"lane 3", dir, ep1, ep2};
	unsigned int counts[] = {0, 0, 0, 0}, logged;
	int err = -ENOMEM;

	skip_without_aio();
	for (unsigned int number = 1; err < 0; number++) {
		log_begin();
		err = open_lane(number);
		log = log_end();
		assert_true(err == 0 || err == -ENOMEM);
		logged = 0;
		for (size_t i = 0; i < 4; i++) {
			if (strcmp(log, line_of(objects[i], ENOMEM)) == 0) {
				counts[i]++;
				logged++;
			}
		}
		assert_int_equal(logged, err < 0);
	}
	assert_true(counts[0] >= 2); /* the lane and its session */
	assert_int_equal(counts[1], 1);
	assert_int_equal(counts[2], FFS_DEPTH);
	assert_int_equal(counts[3], FFS_DEPTH);
}

static void test_no_descriptor(void **state)
{
	struct rlimit before, none;
	const char *log;
	char object[80];
	int err;

	skip_without_aio();
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = (struct rlimit){1, before.rlim_max}; /* poll(2) of the log needs one */
	log_begin();
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	err = open_lane(0);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	log = log_end();
	assert_int_equal(err, -EMFILE);
	snprintf(object, sizeof(object), "%s: eventfd", dir);
	assert_string_equal(log, line_of(object, EMFILE));
}

static void test_no_endpoint(void **state)
{
	const char *log, *objects[] = {ep2, ep1};
	int err;

	skip_without_aio();
	for (size_t i = 0; i < 2; i++) {
		unlink(objects[i]);
		log_begin();
		err = open_lane(0);
		log = log_end();
		assert_int_equal(err, -ENOENT);
		assert_string_equal(log, line_of(objects[i], ENOENT));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_memory),
		cmocka_unit_test(test_no_descriptor),
		cmocka_unit_test(test_no_endpoint),
	};

	log_open("test", LOG_INFO);
	return cmocka_run_group_tests_name("lane_open", tests, setup, teardown);
}

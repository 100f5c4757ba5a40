/* SPDX-License-Identifier: Apache-2.0 */
/* Which events in tracefs a client has defined, with fake files of tracefs. */
#include "core/base/paths.h"
#include "core/bpfd/bpf/event_list.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/fake_tree.h"
#include "tests/unit/log_capture.h"

/* The linker replaces calloc() and write() by these; see the Makefile. */
void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);
ssize_t __real_write(int fd, const void *data, size_t size);
ssize_t __wrap_write(int fd, const void *data, size_t size);

static bool is_memory_short;
static int failing_writes; /* of the next ones */

void *__wrap_calloc(size_t count, size_t size)
{
	return is_memory_short ? NULL : __real_calloc(count, size);
}

ssize_t __wrap_write(int fd, const void *data, size_t size)
{
	if (failing_writes == 0 || fd == STDERR_FILENO)
		return __real_write(fd, data, size);
	failing_writes--;
	errno = ENOMEM;
	return -1;
}

static char directory[] = "/tmp/test_events.XXXXXX";
static struct paths paths = {"/nonexistent", "/nonexistent", directory, NULL};

static int setup(void **state)
{
	strcpy(directory, "/tmp/test_events.XXXXXX");
	assert_non_null(mkdtemp(directory));
	put_directory(directory, "events");
	return 0;
}

static int teardown(void **state)
{
	remove_tree(directory);
	return 0;
}

/* A write of a client, which changes the kernel's list from `before` to `after`. */
static void client_writes(
	struct event_list *list, const char *text, const char *before, const char *after)
{
	put_file(directory, "kprobe_events", before);
	assert_int_equal(event_list_before(list, PROBE_EVENT_KPROBE), 0);
	put_file(directory, "kprobe_events", after);
	assert_int_equal(event_list_after(list, PROBE_EVENT_KPROBE, text, strlen(text)), 0);
}

/* Ends the session and compares the commands that it wrote to remove events. */
static void expect_removed(struct event_list *list, const char *wanted)
{
	char path[64], text[1000] = "";
	FILE *file;

	put_file(directory, "kprobe_events", "");
	event_list_free(list);
	snprintf(path, sizeof(path), "%s/kprobe_events", directory);
	file = fopen(path, "r");
	assert_non_null(file);
	assert_int_equal(fread(text, 1, sizeof(text) - 1, file), strlen(wanted));
	fclose(file);
	assert_string_equal(text, wanted);
}

static void test_named(void **state)
{
	struct event_list *list;

	assert_int_equal(event_list_new(&list, &paths), 0);
	client_writes(list, "p:mine/a do_exit\nr5:mine/b x", "p:others/c y\n",
		"p:others/c y\np:mine/a do_exit\np:others/d z\nr5:mine/b x\n");
	expect_removed(list, "-:mine/b\n-:mine/a\n");
}

/* Names for which the kernel chose the group, or the group and the event. */
static void test_defaults(void **state)
{
	struct event_list *list;

	assert_int_equal(event_list_new(&list, &paths), 0);
	client_writes(list, "p:a x\n", "", "p:kprobes/a x\n");
	client_writes(list, "p do_exit+4\n", "p:kprobes/a x\n",
		"p:kprobes/a x\np:kprobes/p_do_exit_4 do_exit+4\n");
	client_writes(
		list, "p:g.dot x\n", "", "p:kprobes/a x\np:kprobes/p_do_exit_4 x\np:g/dot x\n");
	expect_removed(list, "-:g/dot\n-:kprobes/p_do_exit_4\n-:kprobes/a\n");
}

/* The kernel splits a line into words at every character that its isspace() accepts. */
static void test_blanks(void **state)
{
	struct event_list *list;

	assert_int_equal(event_list_new(&list, &paths), 0);
	client_writes(list, " p:mine/a x\n", "", "p:mine/a x\n");
	client_writes(list, "#\n\t\xa0r:mine/b x\n", "p:mine/a x\n", "p:mine/a x\nr:mine/b x\n");
	client_writes(list, "p:mine/c\rx\n", "p:mine/a x\nr:mine/b x\n",
		"p:mine/a x\nr:mine/b x\np:mine/c x\n");
	client_writes(list, "p\tmodule:f\n \n", "p:mine/a x\nr:mine/b x\np:mine/c x\n",
		"p:mine/a x\nr:mine/b x\np:mine/c x\np:kprobes/p_module_f_0 module:f\n");
	expect_removed(list, "-:kprobes/p_module_f_0\n-:mine/c\n-:mine/b\n-:mine/a\n");
}

/* Since Linux 6.0 the kernel chooses the event's name if only the group is written. */
static void test_group_only(void **state)
{
	struct event_list *list;

	assert_int_equal(event_list_new(&list, &paths), 0);
	client_writes(list, "p:mine/ x\n", "", "p:mine/p_x_0 x\np:others/p_x_0 x\n");
	client_writes(list, "p:g. x\n", "p:mine/p_x_0 x\n", "p:mine/p_x_0 x\np:g/p_x_0 x\n");
	expect_removed(list, "-:g/p_x_0\n-:mine/p_x_0\n");
}

/* Kernels before 4.12 do not know the number after 'r', and choose group and event. */
static void test_renamed(void **state)
{
	struct event_list *list;

	assert_int_equal(event_list_new(&list, &paths), 0);
	client_writes(list, "r5:mine/b x\n", "",
		"r:kprobes/r_x_0 x\np:kprobes/p_y_0 y\nr:others/r_x_0 x\n");
	client_writes(list, "r:mine/b x\n", "", "r:kprobes/r_y_0 y\nr:kprobes/r_x_0 x\n");
	expect_removed(list, "-:kprobes/r_x_0\n");
}

static void test_gone(void **state)
{
	struct event_list *list;

	assert_int_equal(event_list_new(&list, &paths), 0);
	client_writes(list, "p:mine/a x\n", "", "p:mine/a x\n");
	client_writes(list, "-:mine/a\n", "p:mine/a x\n", "p:others/d z\n");
	client_writes(list, "p:mine/fails x\n", "", ""); /* refused by the kernel */
	client_writes(list, "", "", "p:others/e z\n");
	client_writes(list, "\n\n#p:no x\n:\np", "", "\n\np\n:\np:no-group x\n");
	expect_removed(list, "");
}

static void test_no_tracefs(void **state)
{
	struct paths none = {"/nonexistent", "/nonexistent", "/nonexistent", NULL};
	struct event_list *list;

	assert_int_equal(event_list_new(&list, &none), 0);
	assert_int_equal(event_list_before(list, PROBE_EVENT_UPROBE), -ENOENT);
	assert_int_equal(event_list_after(list, PROBE_EVENT_UPROBE, "p:a/b c", 7), -ENOENT);
	event_list_free(list);
	event_list_free(NULL);
}

/* Puts a directory in the place of the kernel's list: it opens, but read(2) fails. */
static void hide_list(void)
{
	char path[64];

	snprintf(path, sizeof(path), "%s/kprobe_events", directory);
	unlink(path);
	put_directory(directory, "kprobe_events");
}

static void show_list(void)
{
	char path[64];

	snprintf(path, sizeof(path), "%s/kprobe_events", directory);
	assert_int_equal(rmdir(path), 0);
}

/* What was there before the write is unknown, so an event of another program would be removed. */
static void test_unreadable_before(void **state)
{
	struct event_list *list;

	assert_int_equal(event_list_new(&list, &paths), 0);
	hide_list();
	assert_int_equal(event_list_before(list, PROBE_EVENT_KPROBE), -EISDIR);
	show_list();
	expect_removed(list, "");
}

/* The events that are known are not forgotten. */
static void test_unreadable_after(void **state)
{
	struct event_list *list;

	assert_int_equal(event_list_new(&list, &paths), 0);
	client_writes(list, "p:mine/a x\n", "", "p:mine/a x\n");
	assert_int_equal(event_list_before(list, PROBE_EVENT_KPROBE), 0);
	hide_list();
	log_begin();
	assert_int_equal(event_list_after(list, PROBE_EVENT_KPROBE, "p:mine/b x", 10), -EISDIR);
	assert_string_equal(log_end(),
		"bpfd: kprobe_events: cannot read: Is a directory; events that the client "
		"defines stay in it\n");
	show_list();
	expect_removed(list, "-:mine/a\n");
}

/* An event that nobody would remove later is removed at once. */
static void test_no_memory(void **state)
{
	const char *text = "p:mine/a x\n";
	struct event_list *list;
	char path[64], now[100];
	ssize_t n;
	int fd;

	assert_int_equal(event_list_new(&list, &paths), 0);
	put_file(directory, "kprobe_events", "");
	assert_int_equal(event_list_before(list, PROBE_EVENT_KPROBE), 0);
	put_file(directory, "kprobe_events", text);
	is_memory_short = true;
	assert_int_equal(event_list_after(list, PROBE_EVENT_KPROBE, text, strlen(text)), -ENOMEM);
	is_memory_short = false;
	snprintf(path, sizeof(path), "%s/kprobe_events", directory);
	fd = open(path, O_RDONLY);
	n = read(fd, now, sizeof(now) - 1);
	close(fd);
	now[n < 0 ? 0 : n] = '\0';
	assert_string_equal(now, "p:mine/a x\n-:mine/a\n");
	expect_removed(list, "");
}

static void test_remove_fails_once(void **state)
{
	struct event_list *list;

	assert_int_equal(event_list_new(&list, &paths), 0);
	client_writes(list, "p:mine/a x\n", "", "p:mine/a x\n");
	put_file(directory, "kprobe_events", "");
	failing_writes = 1;
	expect_removed(list, "-:mine/a\n");
	assert_int_equal(failing_writes, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_named, setup, teardown),
		cmocka_unit_test_setup_teardown(test_defaults, setup, teardown),
		cmocka_unit_test_setup_teardown(test_blanks, setup, teardown),
		cmocka_unit_test_setup_teardown(test_group_only, setup, teardown),
		cmocka_unit_test_setup_teardown(test_renamed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_gone, setup, teardown),
		cmocka_unit_test_setup_teardown(test_unreadable_before, setup, teardown),
		cmocka_unit_test_setup_teardown(test_unreadable_after, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_memory, setup, teardown),
		cmocka_unit_test_setup_teardown(test_remove_fails_once, setup, teardown),
		cmocka_unit_test(test_no_tracefs),
	};

	return cmocka_run_group_tests_name("event list", tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Files of lines: what kernels write stays as it is; the rest is cut or dropped. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "host-usb/run/files/lines.h"

#define MAPS  "/proc/77/maps"
#define BEGIN "55e0c0000000-55e0c0100000 r-xp 00000000 fd:00 123"
#define SIZE  200000

static char contents[SIZE];

/* Checks the contents of a file. Returns what is left of it, in `contents`. */
static const char *check(const char *path, const char *text, size_t size)
{
	int fd = memfd_create("lines", MFD_CLOEXEC);
	ssize_t n;

	assert_true(fd >= 0 && write(fd, text, size) == (ssize_t)size);
	assert_int_equal(lines_check(path, fd), 0);
	n = pread(fd, contents, sizeof(contents) - 1, 0);
	assert_true(n >= 0);
	contents[n] = 0;
	close(fd);
	return contents;
}

static void assert_lines(const char *path, const char *text, const char *left)
{
	assert_string_equal(check(path, text, strlen(text)), left);
}

static void assert_kept(const char *path, const char *text)
{
	assert_lines(path, text, text);
}

static void assert_dropped(const char *path, const char *line)
{
	char text[1024], left[1024];

	/* Between two good lines. */
	snprintf(text, sizeof(text), "%s /a\n%s\n%s /b\n", BEGIN, line, BEGIN);
	snprintf(left, sizeof(left), "%s /a\n%s /b\n", BEGIN, BEGIN);
	assert_lines(path, text, left);
	assert_lines(path, line, "");
}

static void test_maps(void **state)
{
	static const char *const wrong[] = {"", "x", "55e0c0000000-55e0c0000000 r-xp 0 0:0 0",
		"2-1 r-xp 0 0:0 0", "g-1 r-xp 0 0:0 0", "1-2 rwxpp 0 0:0 0", "1-2 rwx 0 0:0 0",
		"1-2 abcd 0 0:0 0", "1-2 rwxp 0 0:0", "1-2 rwxp 0 00 0", "1-2 rwxp 0 0:0 x",
		"1-2 rwxp 0 0:0 1/x", "1-2 rwxpaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa 0 0:0 1 /x",
		"1-2 rwxp 0 0:0 123456789012345678901 /x", "10000000000000000-2 r-xp 0 0:0 0",
		"1-2 rwxp  0:0 0", "1-2  0 0:0 0", "Rss:    4 kB"};

	assert_kept(MAPS, BEGIN "                        /usr/lib/x86_64-linux-gnu/libc.so.6\n"
				"7ffd9e5c1000-7ffd9e5e2000 rw-p 00000000 00:00 0 [stack]\n"
				"ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0 "
				"[vsyscall]\n"
				"00010000-00021000 rw-s 00000000 b3:02 42 /a path\\012 (deleted)\n"
				"b6f00000-b6f21000 rw-p 00000000 00:00 0 \n"
				"b7f00000-b7f21000 rw-p 00000000 00:00 0\n");
	assert_kept(MAPS, "");
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_dropped(MAPS, wrong[i]);
	assert_kept("/proc/77/root" MAPS, "anything\n");
	assert_kept("/sys/kernel/maps", "anything\n");
	/* With a NUL in the path. */
	assert_string_equal(check(MAPS, BEGIN " /a\0b\n", sizeof(BEGIN) + 6), "");
}

/* A line just within the buffers of tools, and longer ones: these lose their path. */
static void test_long_paths(void **state)
{
	static const size_t lengths[] = {4095, 4096, 4097, 20000, SIZE / 2};
	char *text = malloc(SIZE);
	size_t begin = strlen(BEGIN);

	assert_non_null(text);
	memset(text, 'A', SIZE);
	memcpy(text, BEGIN " /", begin + 2);
	strcpy(text + 4094, "\n");
	assert_kept(MAPS, text);
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		memset(text, 'A', SIZE);
		memcpy(text, BEGIN " /", begin + 2);
		strcpy(text + lengths[i], "\n" BEGIN " /after\n");
		assert_lines(MAPS, text, BEGIN "\n" BEGIN " /after\n");
		assert_lines("/proc/77/task/78/smaps", text, BEGIN "\n" BEGIN " /after\n");
	}
	free(text);
}

static void test_smaps(void **state)
{
	static const char fields[] = BEGIN " /bin/sh\nRss:                   4 kB\n"
					   "VmFlags: rd ex mr mw me \nTHPeligible:    0\n";

	assert_kept("/proc/77/smaps", fields);
	assert_kept("/proc/77/smaps_rollup", fields);
	assert_dropped("/proc/77/smaps", "Rss 4 kB");
	assert_dropped("/proc/77/smaps", "Rss: \33[2J");
}

static void test_comm(void **state)
{
	char longer[200];

	assert_kept("/proc/77/comm", "kworker/u8:2-events_unbound\n");
	assert_kept("/proc/77/task/79/comm", "a name \33[0m\n");
	assert_kept("/proc/77/comm", "\n");
	memset(longer, 'n', sizeof(longer));
	strcpy(longer + 100, "\n");
	assert_int_equal(strlen(check("/proc/77/comm", longer, 101)), 64);
	assert_string_equal(check("/proc/77/comm", "a\0b\n", 4), "a\n");
}

static void test_kallsyms(void **state)
{
	static const char path[] = "/proc/kallsyms";
	static const char *const wrong[] = {"", "no symbol", "ffffffff81000000 T",
		"ffffffff81000000 T ", "ffffffff81000000 t a b", "gfffffff81000000 T name",
		"ffffffff81000000 TT name", "ffffffff81000000 t na\33me",
		"ffffffff81000000 t name\tmodule", "ffffffff81000000 t name\t[module",
		"ffffffff81000000 t \t[module]", "fffffffff81000000 T name",
		"ffffffff81000000 t name\t[mod\33ule]"};
	static const char good[] = "ffffffff81000000 T _text\n"
				   "c0008000 t $a\n"
				   "0000000000000000 A fixed_percpu_data\n"
				   "ffffffffc0000000 t init_module.llvm.77\t[some_module]\n"
				   "ffffffffc0100000 t bpf_prog_6deef7357e7b4530\t[bpf]\n";
	char text[2048], name[1024];

	assert_kept(path, good);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		snprintf(text, sizeof(text), "%s%s\n%s", good, wrong[i], "c0008000 t last\n");
		snprintf(name, sizeof(name), "%s%s", good, "c0008000 t last\n");
		assert_lines(path, text, name);
	}
	for (size_t length = 254; length < 700; length++) {
		memset(name, 'n', sizeof(name));
		name[length] = 0;
		snprintf(text, sizeof(text), "c0008000 t %s\t[m]\n", name);
		name[255] = 0;
		check(path, text, strlen(text));
		snprintf(
			text, sizeof(text), "c0008000 t %s%s\n", name, length > 255 ? "" : "\t[m]");
		assert_string_equal(contents, text);
	}
}

#define FORMAT "/sys/kernel/tracing/events/sched/sched_switch/format"
#define FIELD  "\tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;\n"
#define PRINT  "print fmt: \"%s ==> %d\", REC->a, (REC->b & (1 << 2)) ? 1 : 0\n"

/* The description of an event, as kernels write it. */
static void test_format(void **state)
{
	static const char good[] =
		"name: sched_switch\nID: 316\nformat:\n"
		"\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;\n" FIELD
		"\n\tfield:char prev_comm[16];\toffset:8;\tsize:16;\tsigned:0;\n"
		"\tfield:__data_loc char[] name;\toffset:24;\tsize:4;\tsigned:0;\n"
		"\tfield:u8 bits[(((64) + (8) - 1) / (8))];\toffset:28;\tsize:8;\tsigned:0;\n"
		"\tfield:const struct x * p;\toffset:40;\tsize:8;\tsigned:0;\n"
		"\tfield:char buf[];\toffset:8192;\tsize:0;\tsigned:0;\n\n" PRINT;

	assert_kept(FORMAT, good);
	assert_kept(FORMAT, FIELD PRINT "and more:\tof it\n\nto the end");
	assert_kept("/sys/kernel/debug/tracing/instances/a/events/b/c/format", good);
	assert_kept("/sys/kernel/tracing/events/a/b/id", "\33\n");
	assert_kept("/sys/bus/event_source/devices/events/format", "\33\n");
}

/* Lines that would overflow a tool, make it run forever or reach its compiler as something else
 * than a field. */
static void test_wrong_format(void **state)
{
	static const char *const wrong[] = {
		"\tfield:int a;\toffset:4294967296;\tsize:4;\tsigned:1;",
		"\tfield:int a;\toffset:8189;\tsize:4;\tsigned:1;",
		"\tfield:int a;\toffset:8;\tsize:8189;\tsigned:1;",
		"\tfield:int a;\toffset:7;\tsize:4;\tsigned:1;" /* within the one before */,
		"\tfield:int a;\toffset:-8;\tsize:4;\tsigned:1;",
		"\tfield:int a;\toffset:x;\tsize:4;\tsigned:1;",
		"\tfield:int a;\toffset:;\tsize:4;\tsigned:1;",
		"\tfield:int a;\toffset:8;\tsize:4;\tsigned:1;;",
		"\tfield:int a;\toffset:8;\tsize:4;", "\tfield:int a", "\tfield:;",
		"\tfield:#include \"/etc/passwd\" //;\toffset:8;\tsize:4;\tsigned:1;",
		"\tfield:%:include </etc/passwd>;\toffset:8;\tsize:4;\tsigned:1;",
		"\tfield:struct { int a;\toffset:8;\tsize:4;\tsigned:1;",
		"\tfield:int a // b;\toffset:8;\tsize:4;\tsigned:1;",
		"\tfield:int a /* b;\toffset:8;\tsize:4;\tsigned:1;",
		"\tfield:int a\33;\toffset:8;\tsize:4;\tsigned:1;",
		" field:int a;\toffset:8;\tsize:4;\tsigned:1;",
		"print fmt: field:int a;\toffset:99999999999;\tsize:4;\tsigned:1;",
		"\33]0;title\7"};
	char text[2048];
	char *longer = malloc(SIZE);

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		snprintf(text, sizeof(text), "%s%s\n%s", FIELD, wrong[i], PRINT);
		assert_lines(FORMAT, text, FIELD PRINT);
	}
	assert_lines(FORMAT, PRINT FIELD "end\33[2J\nend\n", PRINT "end\n");
	assert_non_null(longer);
	for (size_t length = 16; length < SIZE / 2; length *= 2) {
		char *at = longer + strlen(FIELD);

		strcpy(longer, FIELD);
		memset(at, '(', length);
		strcpy(at + length, "\n");
		memcpy(at, PRINT, strlen("print fmt: "));
		assert_lines(FORMAT, longer, length < 16384 ? longer : FIELD);
		memcpy(at, "name: other", strlen("name: other"));
		assert_lines(FORMAT, longer, length <= 128 ? longer : FIELD);
		memcpy(at, PRINT, strlen("print fmt: "));
		for (size_t i = 15; i < length; i += 16)
			at[i] = '\n';
		check(FORMAT, longer, strlen(longer));
		assert_true(strlen(contents) <= strlen(FIELD) + 16384);
		snprintf(longer, SIZE, "\tfield:int %0*d;\toffset:8;\tsize:4;\tsigned:1;\n",
			(int)length, 1);
		assert_lines(FORMAT, longer, length < 256 ? longer : "");
	}
	free(longer);
}

static void test_format_of_any_size(void **state)
{
	int fd = memfd_create("lines", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, 262145), 0);
	assert_int_equal(lines_check(FORMAT, fd), -EIO);
	assert_int_equal(ftruncate(fd, 262144), 0);
	assert_int_equal(lines_check(FORMAT, fd), 0);
	close(fd);
}

static void test_functions(void **state)
{
	static const char path[] = "/sys/kernel/tracing/available_filter_functions";
	static const char *const wrong[] = {"", "x y", "a [module", "a[module]", " [module]",
		"[module]", "x  [module]", "a [module] ", "\33[2J", "a\tb", "ffffffff81000000 a b",
		"ffffffff81000000 ", "fffffffff81000000 a"};
	static const char good[] = "vfs_read\n__ftrace_invalid_address___64\nx.isra.0 [dummy_hcd]\n"
				   "ffffffff81000000 do_one_initcall\n"
				   "ffffffff81000000 a [b]\n";
	char text[2048], name[512];

	assert_kept(path, good);
	assert_kept("/sys/kernel/debug/tracing/available_filter_functions_addrs", good);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		snprintf(text, sizeof(text), "%s%s\nlast\n", good, wrong[i]);
		snprintf(name, sizeof(name), "%slast\n", good);
		assert_lines(path, text, name);
	}
	/* A shorter name would be that of another function. */
	for (size_t length = 254; length < 500; length++) {
		memset(name, 'n', sizeof(name));
		name[length] = 0;
		snprintf(text, sizeof(text), "%s [m]\n", name);
		assert_lines(path, text, length > 255 ? "" : text);
	}
}

static void test_events(void **state)
{
	static const char path[] = "/sys/kernel/tracing/available_events";

	assert_kept(path, "sched:sched_switch\nbpfd_1_2:e0_x\n");
	assert_lines(path, "a:b\n\33]0;title\7:c\nd\n\ne f:g\nh:i\n", "a:b\nh:i\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_maps),
		cmocka_unit_test(test_long_paths),
		cmocka_unit_test(test_smaps),
		cmocka_unit_test(test_comm),
		cmocka_unit_test(test_kallsyms),
		cmocka_unit_test(test_format),
		cmocka_unit_test(test_wrong_format),
		cmocka_unit_test(test_format_of_any_size),
		cmocka_unit_test(test_functions),
		cmocka_unit_test(test_events),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Whole sessions that need no BPF: fields, framing, refusals, the end. */
#include "core/bpfd/serve.h"
#include "core/bpfd/session.h"
#include "core/bpfd/text/args.h"
#include "core/bpfd/text/command.h"

#include <bpf/libbpf.h>
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

#include "tests/unit/skip.h"

#define BEGIN "START_BPFD_OUTPUT\n"
#define END   "END_BPFD_OUTPUT\n"

static int memory_file(const char *data, size_t size)
{
	int fd = memfd_create("session", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, size), size);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	return fd;
}

/* Runs a session over the bytes. Returns its output after the banner, which the caller frees. */
static char *run(const struct bpfd_config *config, const char *input, size_t size, int wanted)
{
	int in = memory_file(input, size), out = memory_file("", 0);
	struct bpfd_config defaults;
	struct bpfd *bpfd;
	struct stat status;
	char *text;

	bpfd_config_init(&defaults);
	defaults.paths.proc = defaults.paths.sysfs = defaults.paths.tracefs = "/nonexistent";
	assert_int_equal(bpfd_open(&bpfd, config ? config : &defaults, in, out), 0);
	assert_int_equal(bpfd_serve(bpfd), wanted);
	bpfd_close(bpfd);
	assert_int_equal(fstat(out, &status), 0);
	text = calloc(1, (size_t)status.st_size + 1);
	assert_int_equal(pread(out, text, (size_t)status.st_size, 0), status.st_size);
	close(in);
	close(out);
	assert_memory_equal(text, "STARTED_BPFD\n", 13);
	memmove(text, text + 13, strlen(text) - 12);
	return text;
}

static void expect(const char *input, const char *wanted)
{
	char *text = run(NULL, input, strlen(input), 0);

	assert_string_equal(text, wanted);
	free(text);
}

static void test_libbpf_is_quiet(void **state)
{
	expect("", "");
	assert_null(libbpf_set_print(NULL));
}

/* A process whose name is the end of a reply. */
static void test_comm(void **state)
{
	char dir[] = "/tmp/test_command.XXXXXX", path[64], *text;
	struct bpfd_config config;
	int fd;

	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/7", dir);
	assert_int_equal(mkdir(path, 0700), 0);
	snprintf(path, sizeof(path), "%s/7/comm", dir);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, END, strlen(END)), strlen(END));
	close(fd);
	bpfd_config_init(&config);
	config.paths.proc = dir;
	config.paths.sysfs = config.paths.tracefs = "/nonexistent";
	text = run(&config, "COMM_FOR_PID 7\n", 15, 0);
	assert_string_equal(text, BEGIN "?ND_BPFD_OUTPUT\n" END);
	free(text);
	assert_int_equal(unlink(path), 0);
	snprintf(path, sizeof(path), "%s/7", dir);
	assert_int_equal(rmdir(path), 0);
	assert_int_equal(rmdir(dir), 0);
}

static void test_nothing(void **state)
{
	expect("", "");
	expect("\n\n   \n\r\n \r\n\n", "");
	expect("exit", "");
	expect("exit\nNO_COMMAND\n", "");
	expect("  exit \r\nNO_COMMAND\n", "");
}

/* Each line gets exactly one reply, whose body is one line that begins with `kind`. */
static void expect_replies(const char *input, size_t size, unsigned int count, const char *kind)
{
	char *text = run(NULL, input, size, 0), *at = text, *line;

	for (unsigned int i = 0; i < count; i++) {
		assert_memory_equal(at, BEGIN, strlen(BEGIN));
		line = at + strlen(BEGIN);
		at = strchr(line, '\n');
		assert_non_null(at);
		*at++ = 0;
		if (!strstr(line, kind))
			fail_msg("reply %u is %s, not %s", i, line, kind);
		assert_memory_equal(at, END, strlen(END));
		at += strlen(END);
	}
	assert_int_equal(*at, 0);
	free(text);
}

static void test_malformed(void **state)
{
	static const char *const lines[] = {"NO_COMMAND", "bpf_create_map 1 8 8 1 0", "EXIT",
		"exit 1", "BPF_CREATE_MAP", "BPF_CREATE_MAP 1 8 8 1",
		"BPF_CREATE_MAP 1 a 8 8 1 0 1 1", "BPF_CREATE_MAP -1 8 8 1 0",
		"BPF_CREATE_MAP 1 8 8 1 0x", "BPF_CREATE_MAP 1 8 8 1 +1",
		"BPF_CREATE_MAP 1 8 4294967296 1 0", "BPF_CREATE_MAP 1 8 8 99999999999999999999 0",
		"BPF_CREATE_MAP 1 8 8 1 0x1ffffffffffffffff", "BPF_CREATE_MAP 1 8 8 1 1e3",
		"BPF_LOOKUP_ELEM 3 AAAA 4 8", "BPF_LOOKUP_ELEM 3 AAAA 3",
		"BPF_LOOKUP_ELEM x AAAA 3 8", "BPF_LOOKUP_ELEM 3 AAA 3 8",
		"BPF_LOOKUP_ELEM 3 A*AA 3 8", "BPF_LOOKUP_ELEM 3 AAAA -3 8",
		"BPF_UPDATE_ELEM 3 AAAA 3 AAAA 4 0", "BPF_UPDATE_ELEM 3 AAAA 3 AAAA 3 -1",
		"BPF_GET_FIRST_KEY 3 4 4 2", "BPF_PROG_LOAD 1 8 GPL 0", "BPF_PROG_LOAD 1 n 8 GPL 0",
		"BPF_PROG_LOAD 1 7 GPL 0 AAAAAAAAAA==", "BPF_PROG_LOAD 1 0 GPL 0 AAAAAAAAAAA=",
		"BPF_PROG_LOAD 1 16 GPL 0 AAAAAAAAAAA=", "BPF_PROG_LOAD 1 8 GPL x AAAAAAAAAAA=",
		"BPF_PROG_LOAD 1 8 GPL 4294967296 AAAAAAAAAAA=", "PERF_READER_POLL 0",
		"PERF_READER_POLL 0 1", "PERF_READER_POLL 0 0 3", "PERF_READER_POLL 0 2 3",
		"PERF_READER_POLL 0 -1 3", "PERF_READER_POLL 0 4294967297 3",
		"PERF_READER_POLL -2 0", "PERF_READER_POLL 0 1 x", "PERF_READER_POLL 99999999999 0",
		"PERF_READER_LOST", "BPF_OPEN_PERF_BUFFER -1 0", "BPF_OPEN_PERF_BUFFER x 0 8",
		"BPF_CLOSE_PERF_EVENT_FD", "BPFD_RPC", "BPFD_RPC x", "BPFD_RPC 1 1",
		"START_BPFD_OUTPUT", "\x01\x02\xff", "%n%s%n", "\t"};
	char *text = calloc(1, 64 * 1024);
	unsigned int count = sizeof(lines) / sizeof(lines[0]);

	for (unsigned int i = 0; i < count; i++) {
		strcat(text, lines[i]);
		strcat(text, "\n");
	}
	expect_replies(text, strlen(text), count, "Command not recognized");
	free(text);
	expect_replies("BPFD_VERSION \0 x\n\0\nexit\0\n", 25, 3, "Command not recognized");
}

/* Numbers that are not handles of the session, including open descriptors. */
static void test_not_owned(void **state)
{
	static const char *const numbers[] = {"-1", "0", "1", "2", "3", "4", "5", "1000",
		"2147483647", "-2147483648", "4294967299", "9223372036854775807",
		"-9223372036854775808", "0x3"};
	static const char *const formats[] = {"BPF_LOOKUP_ELEM %s AAAA 3 8\n",
		"BPF_UPDATE_ELEM %s AAAA 3 AAAA 3 0\n", "BPF_DELETE_ELEM %s AAAA 3\n",
		"BPF_GET_NEXT_KEY %s AAAA 3\n", "BPF_GET_FIRST_KEY %s 3 3 1\n",
		"BPF_CLEAR_MAP %s 3\n", "PERF_READER_POLL 0 1 %s\n", "PERF_READER_POLL -1 1 %s\n",
		"PERF_READER_LOST %s\n"};
	size_t count = sizeof(numbers) / sizeof(numbers[0]) * sizeof(formats) / sizeof(formats[0]);
	char *text = calloc(1, 64 * 1024);

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		for (size_t j = 0; j < sizeof(formats) / sizeof(formats[0]); j++) {
			char line[128];

			snprintf(line, sizeof(line), formats[j], numbers[i]);
			strcat(text, line);
		}
	}
	expect_replies(text, strlen(text), (unsigned int)count, "ret=-9");
	free(text);
}

static void test_long_line(void **state)
{
	struct bpfd_config config;
	char *input = malloc(4096), *text;

	bpfd_config_init(&config);
	config.paths.proc = config.paths.sysfs = config.paths.tracefs = "/nonexistent";
	config.limits.line = 1000;
	memset(input, ' ', 4096);
	memcpy(input + 2000, "exit", 4); /* the rest of a long line must not run */
	input[2500] = '\n';
	memcpy(input + 4085, "NO_COMMAND\n", 11);
	memset(input + 2501, '\n', 4085 - 2501);
	text = run(&config, input, 4096, 0);
	assert_non_null(strstr(text, "Command not recognized: the line is too long\n"));
	assert_non_null(strstr(text, "Command not recognized: no such command\n"));
	free(text);
	free(input);
}

static void test_many_fields(void **state)
{
	char *text = malloc(200002);

	for (int i = 0; i < 200000; i += 2)
		memcpy(text + i, "0 ", 2);
	text[200000] = '\n';
	expect_replies(text, 200001, 1, "Command not recognized: too many fields");
	free(text);
}

static void test_version(void **state)
{
	char *text, release[128], machine[65], cpus[257], possible[64];
	int protocol;

	need_possible_cpus();
	text = run(NULL, "BPFD_VERSION\n", 13, 0);
	assert_int_equal(sscanf(text, BEGIN BPFD_USB_VERSION " %d %127s %64s %256s\n", &protocol,
				 release, machine, cpus),
		4);
	assert_int_equal(protocol, BPFD_PROTOCOL);
	snprintf(possible, sizeof(possible), " possible_cpus=%d ", libbpf_num_possible_cpus());
	assert_non_null(strstr(text, possible));
	free(text);
}

/* A queue has no keys: the commands leave out KEY, and KLEN is 0. */
static void test_queue(void **state)
{
	static const char lines[] = "BPF_CREATE_MAP 22 0 4 8 0\n" /* BPF_MAP_TYPE_QUEUE */
				    "BPF_UPDATE_ELEM 3 0 YWJjZA== 4 0\n"
				    "BPF_UPDATE_ELEM 3 0 ZWZnaA== 4 0\n"
				    "BPF_LOOKUP_ELEM 3 0 4\n"
				    "BPF_LOOKUP_ELEM 3 0 5\n";
	static const char wrong[] = "BPF_UPDATE_ELEM 3 4 YWJjZA== 4 0\n"
				    "BPF_LOOKUP_ELEM 3 4 4\n"
				    "BPF_DELETE_ELEM 3 4\n"
				    "BPF_GET_NEXT_KEY 3 1\n";
	char *text = run(NULL, lines, strlen(lines), 0);

	if (strstr(text, "create_map: ret=-")) {
		free(text);
		skip_because("no right to create maps, or a kernel without queues");
	}
	assert_string_equal(text,
		BEGIN "bpf_create_map: ret=3\n" END BEGIN "bpf_update_elem: ret=0\n" END BEGIN
		      "bpf_update_elem: ret=0\n" END BEGIN "YWJjZA==\n" END BEGIN
		      "bpf_lookup_elem: ret=-22\n" END);
	free(text);
	/* Without KEY the length must be 0. */
	expect_replies(wrong, strlen(wrong), 4, "Command not recognized: field 2 is out of range");
	expect("BPF_DELETE_ELEM 3 0\n", BEGIN "bpf_delete_elem: ret=-9\n" END);
	expect("BPF_GET_NEXT_KEY 3 0\n", BEGIN "bpf_get_next_key: ret=-9\n" END);
}

static void test_poll_without_rings(void **state)
{
	/* The end of the input, or the next line, ends the wait. */
	expect("PERF_READER_POLL -1 0\n", BEGIN END);
	expect("PERF_READER_POLL -1 0\n\nPERF_READER_POLL 100000 0\n", BEGIN END BEGIN END);
	expect("PERF_READER_POLL 0 0", BEGIN END);
}

/* Kernels before 5.2 refuse to load a program with a larger log buffer. */
static void test_log_of_old_kernels(void **state)
{
	struct bpfd_config config;

	bpfd_config_init(&config);
	assert_true(config.limits.log_bytes <= UINT32_MAX >> 8);
}

static void test_no_reader(void **state)
{
	struct bpfd_config config;
	struct bpfd *bpfd;
	int ends[2], in = memory_file("NO_COMMAND\n", 11);

	signal(SIGPIPE, SIG_IGN);
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	close(ends[0]);
	bpfd_config_init(&config);
	config.paths.tracefs = "/nonexistent";
	assert_int_equal(bpfd_open(&bpfd, &config, in, ends[1]), 0);
	assert_int_equal(bpfd_serve(bpfd), -EPIPE);
	bpfd_close(bpfd);
	close(ends[1]);
	close(in);
}

static const char *const names[] = {"exit", "BPFD_RPC", "BPFD_VERSION", "BPF_ATTACH_KPROBE",
	"BPF_ATTACH_PERF_EVENT", "BPF_ATTACH_TRACEPOINT", "BPF_ATTACH_UPROBE", "BPF_CLEAR_MAP",
	"BPF_CLOSE_PERF_EVENT_FD", "BPF_CREATE_MAP", "BPF_DELETE_ELEM", "BPF_DETACH_KPROBE",
	"BPF_DETACH_TRACEPOINT", "BPF_DETACH_UPROBE", "BPF_GET_FIRST_KEY", "BPF_GET_NEXT_KEY",
	"BPF_LOOKUP_ELEM", "BPF_OPEN_PERF_BUFFER", "BPF_PROG_LOAD", "BPF_UPDATE_ELEM",
	"COMM_FOR_PID", "GET_KALLSYMS", "GET_KPROBES_BLACKLIST", "GET_KSYM_ADDR", "GET_KSYM_NAME",
	"GET_TRACE_EVENTS", "GET_TRACE_EVENTS_CATEGORIES", "GET_USYM_ADDR", "GET_USYM_NAME",
	"PERF_READER_LOST", "PERF_READER_POLL"};

static void test_table(void **state)
{
	char *help, *line, *rest, before[64] = "";
	size_t size, lines = 0;
	FILE *file;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		assert_non_null(command_find(names[i]));
		assert_string_equal(command_find(names[i])->name, names[i]);
	}
	assert_null(command_find(""));
	assert_null(command_find("BPF"));
	assert_null(command_find("exit "));
	file = open_memstream(&help, &size);
	command_help(file);
	fclose(file);
	rest = help;
	while ((line = strsep(&rest, "\n")) && *line) {
		char name[64];

		if (*line == ' ')
			continue;
		assert_int_equal(sscanf(line, "%63s", name), 1);
		assert_true(strcmp(before, name) < 0); /* sorted for bsearch */
		strcpy(before, name);
		lines++;
	}
	assert_int_equal(lines, sizeof(names) / sizeof(names[0]));
	free(help);
}

static void test_args(void **state)
{
	char line[] = "  CMD  -5 0x1F GPL   v2  18446744073709551615 AQID ";
	struct args args;

	assert_int_equal(args_init(&args, 8), 0);
	assert_int_equal(args_split(&args, line, strlen(line)), 0);
	assert_int_equal(args.count, 7);
	assert_int_equal(args.fields[6].len, 4);
	assert_string_equal(args_text(&args, 0), "CMD");
	assert_int_equal(args_signed(&args, 1, -5, 5), -5);
	assert_int_equal(args_handle(&args, 1), -5);
	assert_int_equal(args_unsigned(&args, 2, 31, 31), 31);
	assert_int_equal(args_signed(&args, 2, 31, 31), 31);
	assert_true(args_unsigned(&args, 5, 0, UINT64_MAX) == UINT64_MAX);
	assert_true(args_is_number(&args, 2));
	assert_false(args_is_number(&args, 1));
	assert_false(args_is_number(&args, 99));
	assert_memory_equal(args_base64(&args, 6, 3), "\1\2\3", 3);
	assert_string_equal(args_join(&args, 3, 4), "GPL   v2");
	assert_string_equal(args_join(&args, 2, 2), "0x1F");
	assert_false(args_wrong(&args));
	assert_int_equal(args_unsigned(&args, 2, 32, 99), 0);
	assert_true(args_wrong(&args));
	assert_int_equal(args.wrong_field, 2);
	assert_null(args_base64(&args, 99, 3)); /* the first wrong field stays noted */
	assert_int_equal(args.wrong_field, 2);
	args_free(&args);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_args),
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_nothing),
		cmocka_unit_test(test_comm),
		cmocka_unit_test(test_libbpf_is_quiet),
		cmocka_unit_test(test_malformed),
		cmocka_unit_test(test_not_owned),
		cmocka_unit_test(test_long_line),
		cmocka_unit_test(test_many_fields),
		cmocka_unit_test(test_version),
		cmocka_unit_test(test_queue),
		cmocka_unit_test(test_poll_without_rings),
		cmocka_unit_test(test_log_of_old_kernels),
		cmocka_unit_test(test_no_reader),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

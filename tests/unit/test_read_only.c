/* SPDX-License-Identifier: Apache-2.0 */
/* Read-only sessions: which commands, operations and calls are refused, and with which errno. */
#include <ctype.h>
#include <errno.h>
#include <linux/bpf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/bpfd/text/command.h"
#include "core/messages/bpf_abi.h"
#include "tests/unit/rpc_test.h"
#include "tests/unit/skip.h"

#define ATTR_BYTES 144 /* of the longest command */

/* All others must be refused, also future ones. */
static const char *const reading_commands[] = {"BPFD_RPC", "BPFD_VERSION",
	"BPF_CLOSE_PERF_EVENT_FD", "BPF_GET_FIRST_KEY", "BPF_GET_NEXT_KEY", "BPF_LOOKUP_ELEM",
	"COMM_FOR_PID", "GET_KALLSYMS", "GET_KPROBES_BLACKLIST", "GET_KSYM_ADDR", "GET_KSYM_NAME",
	"GET_TRACE_EVENTS", "GET_TRACE_EVENTS_CATEGORIES", "GET_USYM_ADDR", "GET_USYM_NAME",
	"PERF_READER_LOST", "PERF_READER_POLL", "exit"};
static const unsigned int reading_operations[] = {RPC_HELLO, RPC_BPF, RPC_INFO, RPC_CLOSE,
	RPC_MAP_WALK, RPC_RING_CREDIT, RPC_FILE_STAT, RPC_FILE_ACCESS, RPC_FILE_LINK, RPC_FILE_READ,
	RPC_FILE_HASH, RPC_FILE_LIST, RPC_FILE_FOLLOW, RPC_BTF_LIST, RPC_RING_SYNC};
static const uint32_t reading_calls[] = {BPF_MAP_LOOKUP_ELEM, BPF_MAP_GET_NEXT_KEY,
	BPF_MAP_LOOKUP_BATCH, BPF_OBJ_GET, BPF_TASK_FD_QUERY, BPF_PROG_GET_NEXT_ID,
	BPF_MAP_GET_NEXT_ID, BPF_BTF_GET_NEXT_ID, BPF_LINK_GET_NEXT_ID, BPF_PROG_GET_FD_BY_ID,
	BPF_MAP_GET_FD_BY_ID, BPF_BTF_GET_FD_BY_ID, BPF_LINK_GET_FD_BY_ID};

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

static bool is_reading_command(const char *name)
{
	for (size_t i = 0; i < COUNT(reading_commands); i++)
		if (strcmp(reading_commands[i], name) == 0)
			return true;
	return false;
}

static bool has(const uint32_t *list, size_t count, uint32_t number)
{
	for (size_t i = 0; i < count; i++)
		if (list[i] == number)
			return true;
	return false;
}

/* Runs a session of one line and copies its reply. */
static void run_line(const char *line, bool read_only, char *answer, size_t size)
{
	int in = memory_file(line, strlen(line)), out = memory_file("", 0);
	struct bpfd_config config;
	struct bpfd *bpfd;
	ssize_t n;

	bpfd_config_init(&config);
	config.paths.proc = config.paths.sysfs = config.paths.tracefs = "/nonexistent";
	config.read_only = read_only;
	assert_int_equal(bpfd_open(&bpfd, &config, in, out), 0);
	assert_int_equal(bpfd_serve(bpfd), 0);
	bpfd_close(bpfd);
	n = pread(out, answer, size - 1, 0);
	assert_true(n >= 0);
	answer[n] = '\0';
	close(in);
	close(out);
}

/* Each command, with as many fields as it needs: it is refused before the fields are checked. */
static void test_commands(void **state)
{
	char *help, *line, *rest, answer[4096], wanted[200];
	size_t size;
	FILE *out = open_memstream(&help, &size);
	int refused = 0;

	assert_non_null(out);
	command_help(out);
	fclose(out);
	for (line = strtok_r(help, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		const struct command *command;
		char input[200];

		if (line[0] == ' ')
			continue;
		line[strcspn(line, " ")] = '\0';
		command = command_find(line);
		assert_non_null(command);
		assert_int_equal(command->reads, is_reading_command(line));
		if (command->reads)
			continue;
		refused++;
		strcpy(input, line);
		for (unsigned int i = 0; i < command->min; i++)
			strcat(input, " x");
		for (char *c = line; *c; c++)
			*c = (char)tolower((unsigned char)*c);
		snprintf(wanted, sizeof(wanted),
			"STARTED_BPFD\nSTART_BPFD_OUTPUT\n%s: ret=-1\nEND_BPFD_OUTPUT\n", line);
		run_line(input, true, answer, sizeof(answer));
		assert_string_equal(answer, wanted);
		run_line(input, false, answer, sizeof(answer));
		assert_string_not_equal(answer, wanted);
	}
	free(help);
	assert_int_equal(refused, 13);
}

static void test_version(void **state)
{
	char answer[4096];

	need_possible_cpus();
	run_line("BPFD_VERSION", true, answer, sizeof(answer));
	assert_non_null(strstr(answer, " rpc read_only\n"));
	run_line("BPFD_VERSION", false, answer, sizeof(answer));
	assert_null(strstr(answer, "read_only"));
}

/* Requests without a payload: if one is allowed, it is malformed. */
static void test_operations(void **state)
{
	struct rpc_session s;

	for (unsigned int op = RPC_HELLO; op <= RPC_RING_SYNC; op++) {
		bool reads = has(reading_operations, COUNT(reading_operations), op);

		if (op == RPC_CLOSE || op == RPC_RING_CREDIT) /* they have no reply */
			continue;
		session_begin(&s);
		s.config.read_only = true;
		request_end(&s, request(&s, op));
		session_run(&s, 0);
		if (op == RPC_RING_DATA)
			assert_int_equal(next_reply(&s), -ENOSYS);
		else if (reads && op != RPC_BTF_LIST)
			assert_int_equal(next_reply(&s), -EBADMSG);
		else if (!reads)
			assert_int_equal(next_reply(&s), -EPERM);
		session_end(&s);
	}
}

static void put_call(struct rpc_session *s, const struct bpf_abi_command *command, size_t size)
{
	size_t start = request(s, RPC_BPF);
	uint8_t attr[ATTR_BYTES] = {0};

	bytes_put_u32(&s->input, command->number);
	rpc_put_bytes(&s->input, attr, size < command->end ? size : command->end);
	for (int i = 0; i < BPF_ABI_PTRS && command->ptrs[i].size != BPF_ABI_END; i++) {
		bytes_put_u8(&s->input, 0);
		bytes_put_u32(&s->input, 0);
		rpc_put_bytes(&s->input, NULL, 0);
	}
	request_end(s, start);
}

/* Each call, with zeroes as attributes: a refused one gets -EPERM without attributes. */
static void test_calls(void **state)
{
	unsigned int count = 0;

	for (uint32_t number = 0; number < 100; number++) {
		const struct bpf_abi_command *command = bpf_abi_find(number);
		struct rpc_session s;
		int ret;

		if (!command)
			continue;
		count++;
		assert_int_equal(command->reads, has(reading_calls, COUNT(reading_calls), number));
		session_begin(&s);
		s.config.read_only = true;
		put_call(&s, command, ATTR_BYTES);
		session_run(&s, 0);
		ret = next_reply(&s);
		if (!command->reads) {
			assert_int_equal(ret, -EPERM);
			assert_true(bytes_get_end(&s.in));
		} else if (command->map) {
			assert_int_equal(ret, -EBADF);
		} else {
			assert_false(bytes_get_end(&s.in)); /* the kernel was called */
		}
		session_end(&s);
	}
	assert_int_equal(count, 31);
}

/* Maps are opened read-only whatever the flags are; a request without flags is refused. */
static void test_open_flags(void **state)
{
	static const struct {
		uint32_t number;
		size_t flags;
	} calls[] = {{BPF_OBJ_GET, offsetof(union bpf_attr, file_flags)},
		{BPF_MAP_GET_FD_BY_ID, offsetof(union bpf_attr, open_flags)}};

	for (size_t i = 0; i < COUNT(calls); i++) {
		const struct bpf_abi_command *command = bpf_abi_find(calls[i].number);
		struct rpc_session s;
		const void *attr;
		size_t size;

		session_begin(&s);
		s.config.read_only = true;
		put_call(&s, command, ATTR_BYTES);
		put_call(&s, command, calls[i].flags);
		session_run(&s, 0);
		next_reply(&s);
		attr = rpc_get_bytes(&s.in, &size);
		assert_non_null(attr);
		assert_int_equal(bpf_abi_get32(attr, size, calls[i].flags), BPF_F_RDONLY);
		assert_int_equal(next_reply(&s), -EPERM);
		assert_true(bytes_get_end(&s.in));
		session_end(&s);
	}
}

static void test_access(void **state)
{
	struct rpc_session s;

	session_begin(&s);
	s.config.read_only = true;
	for (uint32_t mode = 0; mode < 8; mode++) {
		size_t start = request(&s, RPC_FILE_ACCESS);

		rpc_put_string(&s.input, "/sys/kernel/tracing/kprobe_events");
		bytes_put_u32(&s.input, mode);
		request_end(&s, start);
	}
	session_run(&s, 0);
	for (uint32_t mode = 0; mode < 8; mode++) {
		int ret = next_reply(&s);

		if (mode & W_OK)
			assert_int_equal(ret, -EPERM);
		else
			assert_int_not_equal(ret, -EPERM);
	}
	session_end(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_commands),
		cmocka_unit_test(test_version),
		cmocka_unit_test(test_operations),
		cmocka_unit_test(test_calls),
		cmocka_unit_test(test_open_flags),
		cmocka_unit_test(test_access),
	};

	return cmocka_run_group_tests_name("read-only", tests, NULL, NULL);
}

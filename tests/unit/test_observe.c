/* SPDX-License-Identifier: Apache-2.0 */
/* Profile minimal: programs that do more than observe are refused, by commands and by messages. */
#include <errno.h>
#include <linux/bpf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/base/profile.h"
#include "core/bpfd/bpf/observe.h"
#include "tests/unit/log_capture.h"
#include "tests/unit/rpc_test.h"

#define CALL (BPF_JMP | BPF_CALL)
#define LOAD (BPF_LD | BPF_IMM | BPF_DW)

static void test_types(void **state)
{
	static const uint32_t fine[] = {BPF_PROG_TYPE_SOCKET_FILTER, BPF_PROG_TYPE_KPROBE,
		BPF_PROG_TYPE_TRACEPOINT, BPF_PROG_TYPE_PERF_EVENT, BPF_PROG_TYPE_RAW_TRACEPOINT};
	static const uint32_t places[] = {
		BPF_TRACE_RAW_TP, BPF_TRACE_FENTRY, BPF_TRACE_FEXIT, BPF_TRACE_ITER};

	for (uint32_t type = 0; type < 100; type++) {
		bool is_fine = false;

		for (size_t i = 0; i < sizeof(fine) / sizeof(fine[0]); i++)
			is_fine |= type == fine[i];
		assert_int_equal(observe_beyond(type, 0, NULL, 0) == NULL, is_fine);
	}
	for (uint32_t place = 0; place < 100; place++) {
		bool is_fine = false;

		for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
			is_fine |= place == places[i];
		assert_int_equal(
			observe_beyond(BPF_PROG_TYPE_TRACING, place, NULL, 0) == NULL, is_fine);
		assert_non_null(observe_beyond(BPF_PROG_TYPE_LSM, place, NULL, 0));
	}
}

static void test_calls(void **state)
{
	static const struct {
		struct bpf_insn insn;
		bool is_fine;
	} cases[] = {
		{{CALL, 0, 0, 0, BPF_FUNC_map_lookup_elem}, true},
		{{CALL, 0, 0, 0, BPF_FUNC_get_current_pid_tgid}, true},
		{{CALL, 0, BPF_PSEUDO_CALL, 0, BPF_FUNC_override_return}, true},
		{{BPF_JMP | BPF_JA, 0, 0, 0, BPF_FUNC_override_return}, true},
		{{CALL, 0, 0, 0, BPF_FUNC_override_return}, false},
		{{CALL, 0, 0, 0, BPF_FUNC_probe_write_user}, false},
		{{CALL, 0, 0, 0, BPF_FUNC_send_signal}, false},
		{{CALL, 0, 0, 0, BPF_FUNC_send_signal_thread}, false},
		{{CALL, 0, 2, 0, 1234}, false},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct bpf_insn insns[4] = {{.code = LOAD}, {.code = 0}, cases[i].insn};
		struct bpf_insn in_load[2] = {{.code = LOAD}, cases[i].insn};

		assert_int_equal(observe_beyond(BPF_PROG_TYPE_KPROBE, 0, insns, 4) == NULL,
			cases[i].is_fine);
		assert_null(observe_beyond(BPF_PROG_TYPE_KPROBE, 0, in_load, 2));
	}
}

/* Loads a program that returns 0 by a message. */
static int load(bool only_observes, uint32_t type, uint32_t attach_type)
{
	static const struct bpf_insn insns[] = {
		{BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, 0}, {BPF_JMP | BPF_EXIT, 0, 0, 0, 0}};
	const union bpf_attr attr = {
		.prog_type = type, .insn_cnt = 2, .expected_attach_type = attach_type};
	struct rpc_session s;
	size_t start;
	int ret;

	session_begin(&s);
	s.config.only_observes = only_observes;
	start = request(&s, RPC_BPF);
	bytes_put_u32(&s.input, BPF_PROG_LOAD);
	rpc_put_bytes(&s.input, &attr, 72);
	for (int i = 0; i < 6; i++) {
		bytes_put_u8(&s.input, i < 2);
		bytes_put_u32(&s.input, 0);
		rpc_put_bytes(&s.input, i ? (const void *)"GPL" : insns,
			i == 0	 ? sizeof(insns)
			: i == 1 ? 3
				 : 0);
	}
	request_end(&s, start);
	session_run(&s, 0);
	ret = next_reply(&s);
	session_end(&s);
	return ret;
}

static void test_messages(void **state)
{
	const char *text;

	log_begin();
	assert_int_equal(load(true, BPF_PROG_TYPE_LSM, BPF_LSM_MAC), -EPERM);
	text = log_end();
	assert_non_null(strstr(text, "LSM programs can deny operations"));
	log_begin();
	assert_int_equal(load(true, BPF_PROG_TYPE_TRACING, BPF_MODIFY_RETURN), -EPERM);
	assert_int_equal(load(true, BPF_PROG_TYPE_EXT, 0), -EPERM);
	log_end();
	/* Others reach the kernel, and so do all without the profile. */
	log_begin();
	load(true, BPF_PROG_TYPE_KPROBE, 0);
	load(false, BPF_PROG_TYPE_LSM, BPF_LSM_MAC);
	assert_int_equal(write(STDERR_FILENO, "end\n", 4), 4);
	assert_string_equal(log_end(), "end\n");
}

/* Loads a program by a command. Returns the output, valid until the next call. */
static const char *load_by_command(bool only_observes, uint32_t type)
{
	static char output[4096];
	struct bpfd_config config;
	struct bpfd *bpfd;
	char line[128];
	int in, out = memory_file("", 0);
	ssize_t n;

	snprintf(
		line, sizeof(line), "BPF_PROG_LOAD %u x 16 GPL 0 twAAAAAAAACVAAAAAAAAAA==\n", type);
	in = memory_file(line, strlen(line));
	bpfd_config_init(&config);
	config.paths.proc = config.paths.sysfs = config.paths.tracefs = "/nonexistent";
	config.only_observes = only_observes;
	assert_int_equal(bpfd_open(&bpfd, &config, in, out), 0);
	assert_int_equal(bpfd_serve(bpfd), 0);
	bpfd_close(bpfd);
	n = pread(out, output, sizeof(output) - 1, 0);
	assert_true(n >= 0);
	output[n] = '\0';
	close(in);
	close(out);
	return output;
}

static void test_commands(void **state)
{
	log_begin();
	assert_non_null(strstr(load_by_command(true, BPF_PROG_TYPE_LSM), "prog_load: ret=-1\n"));
	assert_non_null(strstr(load_by_command(true, BPF_PROG_TYPE_EXT), "prog_load: ret=-1\n"));
	assert_non_null(strstr(log_end(), "program: refused by the profile: "));
}

static void test_profiles(void **state)
{
	assert_true(profile_only_observes(profile_find("minimal")));
	assert_false(profile_only_observes(profile_find("trace")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_types),
		cmocka_unit_test(test_calls),
		cmocka_unit_test(test_messages),
		cmocka_unit_test(test_commands),
		cmocka_unit_test(test_profiles),
	};

	return cmocka_run_group_tests_name("observe", tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The program of the seccomp filter, run by an interpreter: which calls it notifies. */
#include "host-usb/run/calls/filter.h"
#include "host-usb/run/calls/notify.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/seccomp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <cmocka.h>

#define FD_BASE	   1000
#define DESCRIPTOR 77
#define NUMBERS	   1024

static struct sock_filter code[FILTER_INSNS_MAX];
static size_t count;

/* The linker replaces syscall() by this; see the Makefile. Takes the program. */
long __wrap_syscall(long number, long operation, long flags, const struct sock_fprog *program);
long __wrap_syscall(long number, long operation, long flags, const struct sock_fprog *program)
{
	assert_int_equal(number, SYS_seccomp);
	count = program->len;
	memcpy(code, program->filter, count * sizeof(code[0]));
	return DESCRIPTOR;
}

static uint32_t run(const struct seccomp_data *data)
{
	uint32_t value = 0;

	for (size_t at = 0; at < count; at++) {
		const struct sock_filter *insn = &code[at];
		bool holds = false;

		switch (insn->code) {
		case BPF_LD | BPF_W | BPF_ABS:
			assert_in_range(insn->k, 0, sizeof(*data) - sizeof(value));
			memcpy(&value, (const char *)data + insn->k, sizeof(value));
			continue;
		case BPF_ALU | BPF_AND | BPF_K:
			value &= insn->k;
			continue;
		case BPF_JMP | BPF_JA:
			at += insn->k;
			continue;
		case BPF_RET | BPF_K:
			return insn->k;
		case BPF_JMP | BPF_JEQ | BPF_K:
			holds = value == insn->k;
			break;
		case BPF_JMP | BPF_JGT | BPF_K:
			holds = value > insn->k;
			break;
		case BPF_JMP | BPF_JGE | BPF_K:
			holds = value >= insn->k;
			break;
		default:
			fail_msg("instruction %zu: code %#x", at, insn->code);
		}
		at += holds ? insn->jt : insn->jf;
	}
	fail_msg("no return");
	return 0;
}

static uint32_t call(int number, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3)
{
	const struct seccomp_data data = {
		.nr = number, .arch = seccomp_arch_native(), .args = {a0, a1, a2, a3}};

	return run(&data);
}

static int setup(void **state)
{
	return notify_install(FD_BASE, false) == DESCRIPTOR ? 0 : -1;
}

static void test_each_number(void **state)
{
	for (int number = 0; number < NUMBERS; number++) {
		uint32_t zeros = call(number, 0, 0, 0, 0), ones = call(number, -1, -1, -1, -1);

		switch (notify_treatment(number)) {
		case TREATMENT_LOCAL:
			assert_int_equal(zeros, SCMP_ACT_ALLOW);
			assert_int_equal(ones, SCMP_ACT_ALLOW);
			break;
		case TREATMENT_ABSENT:
			assert_int_equal(zeros, SCMP_ACT_ERRNO(ENOSYS));
			assert_int_equal(ones, SCMP_ACT_ERRNO(ENOSYS));
			break;
		case TREATMENT_NOTIFIED:
			assert_true(zeros == SCMP_ACT_NOTIFY || zeros == SCMP_ACT_ALLOW);
			assert_true(ones == SCMP_ACT_NOTIFY || ones == SCMP_ACT_ALLOW);
			break;
		}
	}
}

static void test_arguments(void **state)
{
	const uint64_t high = 1ULL << 32;
	const struct {
		int number;
		uint64_t args[4];
		bool is_notified;
	} calls[] = {
		{SYS_bpf, {0}, true},
		{SYS_openat, {0}, true},
		{SYS_getpid, {0}, false},
		{SYS_ioctl, {5, 0x2400}, true},
		{SYS_ioctl, {5, 0x8910}, true},
		{SYS_ioctl, {5, 0x5401}, false},
		{SYS_socket, {AF_NETLINK}, true},
		{SYS_socket, {AF_PACKET}, true},
		{SYS_socket, {AF_XDP}, true},
		{SYS_socket, {AF_INET}, false},
		{SYS_setsockopt, {5, SOL_SOCKET, SO_ATTACH_BPF}, true},
		{SYS_setsockopt, {5, SOL_SOCKET, SO_ATTACH_REUSEPORT_EBPF}, true},
		{SYS_setsockopt, {5, SOL_SOCKET, SO_REUSEADDR}, false},
		{SYS_mmap, {0, 0, 0, MAP_SHARED}, true},
		{SYS_mmap, {0, 0, 0, MAP_SHARED | MAP_POPULATE}, true},
		{SYS_mmap, {0, 0, 0, MAP_SHARED | MAP_ANONYMOUS}, false},
		{SYS_mmap, {0, 0, 0, MAP_PRIVATE}, false},
		{SYS_read, {FD_BASE}, true},
		{SYS_read, {INT_MAX}, true},
		{SYS_read, {FD_BASE - 1}, false},
		{SYS_read, {high | FD_BASE}, true},
		{SYS_read, {high}, false},
		{SYS_splice, {0, 0, FD_BASE}, true},
		{SYS_splice, {FD_BASE, 0, 3}, false},
		{SYS_lseek, {FD_BASE, 7, SEEK_CUR}, true},
		{SYS_lseek, {3, 0, SEEK_SET}, true},
		{SYS_lseek, {3, 0, SEEK_CUR}, false},
		{SYS_lseek, {3, 1, SEEK_SET}, false},
		{SYS_lseek, {3, high, SEEK_SET}, false},
		{SYS_newfstatat, {3, 0, 0, 0}, true},
		{SYS_newfstatat, {3, 0, 0, AT_EMPTY_PATH}, false},
		{SYS_newfstatat, {(uint32_t)AT_FDCWD, 0, 0, AT_EMPTY_PATH}, true},
		{SYS_newfstatat, {FD_BASE, 0, 0, AT_EMPTY_PATH}, true},
		{SYS_statx, {3, 0, 0}, true},
		{SYS_statx, {3, 0, AT_EMPTY_PATH}, false},
		{SYS_kill, {0}, false},
		{SYS_kill, {1}, true},
		{SYS_kill, {(uint32_t)-1}, true},
		{SYS_clock_gettime, {1}, false},
		{SYS_clock_gettime, {(uint32_t)INT_MAX}, false},
		{SYS_clock_gettime, {(uint32_t)INT_MIN}, true},
		{SYS_ptrace, {PTRACE_ATTACH}, true},
		{SYS_ptrace, {PTRACE_SEIZE}, true},
		{SYS_ptrace, {PTRACE_TRACEME}, false},
		{SYS_fcntl, {3, F_SETOWN}, true},
		{SYS_fcntl, {3, F_DUPFD}, false},
		{SYS_prlimit64, {0, 8}, true},
		{SYS_prlimit64, {1, 7}, true},
		{SYS_prlimit64, {0, 7}, false},
	};

	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		const uint64_t *args = calls[i].args;
		uint32_t action = call(calls[i].number, args[0], args[1], args[2], args[3]);

		if (action != (calls[i].is_notified ? SCMP_ACT_NOTIFY : SCMP_ACT_ALLOW))
			fail_msg("case %zu, call %d: action %#x", i, calls[i].number, action);
	}
}

/* The calls of other ABIs have other numbers. */
static void test_other_abi(void **state)
{
	struct seccomp_data data = {.nr = SYS_bpf, .arch = 1};

	assert_int_equal(run(&data), SCMP_ACT_KILL);
	data.arch = seccomp_arch_native();
	assert_int_equal(run(&data), SCMP_ACT_NOTIFY);
	data.nr = NOTIFY_LAST + 1;
	assert_int_equal(run(&data), SCMP_ACT_ERRNO(ENOSYS));
#ifdef __x86_64__
	data.nr = 0x40000000 | SYS_bpf;
	assert_int_equal(run(&data), SCMP_ACT_KILL);
	data.nr = -1;
	assert_int_equal(run(&data), SCMP_ACT_ALLOW);
#endif
}

static void test_as_root(void **state)
{
	assert_int_equal(call(SYS_getuid, 0, 0, 0, 0), SCMP_ACT_ALLOW);
	assert_int_equal(notify_install(FD_BASE, true), DESCRIPTOR);
	assert_int_equal(call(SYS_getuid, 0, 0, 0, 0), SCMP_ACT_ERRNO(0));
	assert_int_equal(call(SYS_geteuid, 0, 0, 0, 0), SCMP_ACT_ERRNO(0));
	assert_int_equal(call(SYS_bpf, 0, 0, 0, 0), SCMP_ACT_NOTIFY);
}

static void test_too_long(void **state)
{
	static struct filter_program program;
	static struct filter_rule rules[FILTER_INSNS_MAX];

	for (int i = 0; i < FILTER_INSNS_MAX; i++)
		rules[i] = (struct filter_rule){.number = i, .action = SCMP_ACT_NOTIFY};
	assert_int_equal(filter_make(&program, rules, FILTER_INSNS_MAX, NUMBERS), -E2BIG);
	assert_int_equal(filter_make(&program, rules, 1, NUMBERS), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_number),
		cmocka_unit_test(test_arguments),
		cmocka_unit_test(test_other_abi),
		cmocka_unit_test(test_as_root),
		cmocka_unit_test(test_too_long),
	};

	return cmocka_run_group_tests_name("run_filter", tests, setup, NULL);
}

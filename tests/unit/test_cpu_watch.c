/* SPDX-License-Identifier: Apache-2.0 */
/* CPUs that go offline while a session has events on them, with a fake perf_event_open(2). */
#include "core/bpfd/bpf/cpu_watch.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/log_capture.h"

#define CPUS 4

/* The kernel: the event on each CPU, a file that holds its value and its time. */
static struct {
	int fd[CPUS];
	bool is_offline[CPUS];
	unsigned int opened;
} kernel;

long syscall(long number, ...)
{
	const struct perf_event_attr *attr;
	va_list ap;
	int cpu;

	va_start(ap, number);
	attr = va_arg(ap, const struct perf_event_attr *);
	assert_int_equal(va_arg(ap, int), -1);
	cpu = va_arg(ap, int);
	va_end(ap);
	assert_int_equal(number, SYS_perf_event_open);
	assert_int_equal(attr->read_format, PERF_FORMAT_TOTAL_TIME_ENABLED);
	assert_false(attr->disabled);
	assert_in_range(cpu, 0, CPUS - 1);
	errno = ENODEV;
	if (kernel.is_offline[cpu])
		return -1;
	kernel.opened++;
	kernel.fd[cpu] = memfd_create("event", MFD_CLOEXEC);
	return kernel.fd[cpu];
}

/* Lets the time of the events on CPUs pass, and checks. Returns what was logged. */
static const char *check(struct cpu_watch *watch, uint64_t now_ms)
{
	for (int cpu = 0; cpu < CPUS; cpu++) {
		const uint64_t counts[2] = {0, now_ms * 1000000};

		if (kernel.fd[cpu] <= 0)
			continue;
		if (!kernel.is_offline[cpu])
			assert_int_equal(
				pwrite(kernel.fd[cpu], counts, sizeof(counts), 0), sizeof(counts));
		lseek(kernel.fd[cpu], 0, SEEK_SET);
	}
	log_begin();
	cpu_watch_check(watch, now_ms);
	assert_int_equal(write(STDERR_FILENO, ".", 1), 1);
	return log_end();
}

static void test_offline(void **state)
{
	struct cpu_watch *watch = cpu_watch_new();

	memset(&kernel, 0, sizeof(kernel));
	assert_string_equal(check(watch, 5000), ".");
	cpu_watch_add(watch, -1, 1);
	cpu_watch_add(watch, -1, 2);
	cpu_watch_add(watch, -1, 2);
	assert_int_equal(kernel.opened, 2);
	assert_string_equal(check(watch, 10000), ".");
	assert_string_equal(check(watch, 12000), ".");
	kernel.is_offline[2] = true;
	assert_string_equal(check(watch, 13999), "."); /* too early */
	assert_non_null(strstr(check(watch, 14000), "CPU 2: it was offline"));
	kernel.fd[2] = 0;
	assert_string_equal(check(watch, 16000), "."); /* once */
	/* A new ring after it came back. */
	cpu_watch_add(watch, -1, 2);
	assert_int_equal(kernel.opened, 2);
	kernel.is_offline[2] = false;
	cpu_watch_add(watch, -1, 2);
	assert_int_equal(kernel.opened, 3);
	assert_string_equal(check(watch, 18000), ".");
	assert_string_equal(check(watch, 22000), ".");
	kernel.is_offline[2] = true;
	assert_non_null(strstr(check(watch, 24000), "CPU 2: it was offline"));
	kernel.fd[2] = 0;
	cpu_watch_free(watch);
}

/* Sets the time of the event on CPU 0, and checks unless now_ms is 0. */
static void check_time(struct cpu_watch *watch, uint64_t enabled_ms, uint64_t now_ms)
{
	const uint64_t counts[2] = {0, enabled_ms * 1000000};

	assert_int_equal(pwrite(kernel.fd[0], counts, sizeof(counts), 0), sizeof(counts));
	lseek(kernel.fd[0], 0, SEEK_SET);
	if (now_ms)
		cpu_watch_check(watch, now_ms);
}

/* Off and on again between two checks: the old event stays dead. */
static void test_off_and_on(void **state)
{
	struct cpu_watch *watch = cpu_watch_new();

	memset(&kernel, 0, sizeof(kernel));
	cpu_watch_add(watch, -1, 0);
	assert_string_equal(check(watch, 2000), ".");
	assert_string_equal(check(watch, 4000), ".");
	check_time(watch, 5000, 0); /* it counts for a second, then no longer */
	log_begin();
	check_time(watch, 5000, 7000);
	assert_non_null(strstr(log_end(), "CPU 0: it was offline"));
	/* The next session's first ring was opened after the CPU went off. */
	kernel.fd[0] = 0;
	cpu_watch_add(watch, -1, 0);
	check_time(watch, 7000, 9000);
	log_begin();
	check_time(watch, 7000, 11000);
	assert_non_null(strstr(log_end(), "CPU 0: it was offline"));
	cpu_watch_free(watch);
}

static void test_ignored(void **state)
{
	struct cpu_watch *watch = cpu_watch_new();

	memset(&kernel, 0, sizeof(kernel));
	cpu_watch_add(watch, 7, 1); /* the time of a process's event stops with the process */
	cpu_watch_add(watch, -1, -1);
	assert_int_equal(kernel.opened, 0);
	assert_string_equal(check(watch, 2000), ".");
	cpu_watch_free(watch);
	cpu_watch_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_offline),
		cmocka_unit_test(test_off_and_on),
		cmocka_unit_test(test_ignored),
	};

	return cmocka_run_group_tests_name("CPU watch", tests, NULL, NULL);
}

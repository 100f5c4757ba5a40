/* SPDX-License-Identifier: Apache-2.0 */
/* Replies to the symbol, file and probe commands, with a fake procfs and tracefs. */
#include "core/bpfd/serve.h"
#include "core/bpfd/session.h"

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

#define REFUSED	    "Command not recognized"
#define OPEN_FAILED "Open failed, ignoring\n"

struct fake {
	char dir[64], proc[96], sysfs[96], tracefs[96];
	struct bpfd_config config;
};

static int setup(void **state)
{
	static const char *const dirs[] = {"proc", "proc/7", "sys", "sys/kernel",
		"sys/kernel/debug", "sys/kernel/debug/kprobes", "tracing", "tracing/events",
		"tracing/events/sched", "tracing/events/sched/sched_switch",
		"tracing/events/sched/sched_waking", "tracing/events/block"};
	struct fake *fake = calloc(1, sizeof(*fake));

	strcpy(fake->dir, "/tmp/test_cmd.XXXXXX");
	assert_non_null(mkdtemp(fake->dir));
	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++)
		put_directory(fake->dir, dirs[i]);
	put_file(fake->dir, "proc/kallsyms",
		"ffffffff81000000 T _stext\nffffffff81000100 t do_it\n"
		"ffffffffc0000000 t mod_a\t[mod]\n");
	put_file(fake->dir, "proc/7/comm", "a prog\n");
	put_file(fake->dir, "sys/kernel/debug/kprobes/blacklist", "0x1-0x2\tnever\n");
	put_file(fake->dir, "tracing/kprobe_events", "");
	put_file(fake->dir, "tracing/uprobe_events", "");
	put_file(fake->dir, "tracing/events/enable", "0\n");
	bpfd_config_init(&fake->config);
	snprintf(fake->proc, sizeof(fake->proc), "%s/proc", fake->dir);
	snprintf(fake->sysfs, sizeof(fake->sysfs), "%s/sys", fake->dir);
	snprintf(fake->tracefs, sizeof(fake->tracefs), "%s/tracing", fake->dir);
	fake->config.paths.proc = fake->proc;
	fake->config.paths.sysfs = fake->sysfs;
	fake->config.paths.tracefs = fake->tracefs;
	*state = fake;
	return 0;
}

static int teardown(void **state)
{
	struct fake *fake = *state;

	remove_tree(fake->dir);
	free(fake);
	return 0;
}

/* Runs one line in a session of its own. Copies the body of the reply to `body`. */
static void run(const struct fake *fake, const char *line, char *body, size_t size)
{
	static const char begin[] = "START_BPFD_OUTPUT\n", end[] = "END_BPFD_OUTPUT\n";
	FILE *in = tmpfile(), *out = tmpfile();
	struct bpfd *bpfd = NULL;
	char *at, *last;
	size_t n;

	assert_non_null(in);
	assert_non_null(out);
	assert_true(fprintf(in, "%s\n", line) > 0);
	rewind(in);
	assert_int_equal(bpfd_open(&bpfd, &fake->config, fileno(in), fileno(out)), 0);
	assert_int_equal(bpfd_serve(bpfd), 0);
	bpfd_close(bpfd);
	rewind(out);
	n = fread(body, 1, size - 1, out);
	body[n] = '\0';
	fclose(in);
	fclose(out);
	at = strstr(body, begin);
	assert_non_null(at);
	at += strlen(begin);
	assert_true(strlen(at) >= strlen(end));
	last = at + strlen(at) - strlen(end);
	assert_string_equal(last, end);
	*last = '\0';
	memmove(body, at, strlen(at) + 1);
}

static void expect(const struct fake *fake, const char *line, const char *wanted)
{
	char body[4096];

	run(fake, line, body, sizeof(body));
	assert_string_equal(body, wanted);
}

static void refused(const struct fake *fake, const char *line)
{
	char body[4096];

	run(fake, line, body, sizeof(body));
	body[strlen(REFUSED)] = '\0';
	assert_string_equal(body, REFUSED);
}

static void test_kernel_symbols(void **state)
{
	struct fake *fake = *state;

	expect(fake, "GET_KSYM_NAME 0xffffffff81000105", "GET_KSYM_NAME: ret=0\ndo_it;5;kernel\n");
	expect(fake, "GET_KSYM_NAME 18446744072635809792", "GET_KSYM_NAME: ret=0\nmod_a;0;mod\n");
	expect(fake, "GET_KSYM_NAME 5", "GET_KSYM_NAME: ret=-2\n");
	expect(fake, "GET_KSYM_ADDR do_it", "GET_KSYM_ADDR: ret=0\n18446744071578845440\n");
	expect(fake, "GET_KSYM_ADDR none", "GET_KSYM_ADDR: ret=-2\n");
	refused(fake, "GET_KSYM_NAME");
	refused(fake, "GET_KSYM_NAME do_it");
	refused(fake, "GET_KSYM_NAME 99999999999999999999999");
	refused(fake, "GET_KSYM_ADDR");
	put_file(fake->dir, "proc/kallsyms", "0000000000000000 T _stext\n");
	expect(fake, "GET_KSYM_NAME 5", "GET_KSYM_NAME: ret=-1\n");
}

static void test_user_symbols(void **state)
{
	struct fake *fake = *state;

	expect(fake, "GET_USYM_NAME 7 4096 1", "GET_USYM_NAME: ret=-2\n");
	expect(fake, "GET_USYM_NAME -1 4096 1", "GET_USYM_NAME: ret=-2\n");
	expect(fake, "GET_USYM_ADDR 7 main /bin/my prog", "GET_USYM_ADDR: ret=-2\n");
	refused(fake, "GET_USYM_NAME 7 4096 2");
	refused(fake, "GET_USYM_NAME 7 main 1");
	refused(fake, "GET_USYM_NAME 99999999999 1 1");
	refused(fake, "GET_USYM_ADDR 7 main");
}

static void test_files(void **state)
{
	struct fake *fake = *state;
	char path[128];

	expect(fake, "GET_KALLSYMS",
		"ffffffff81000000 T _stext\nffffffff81000100 t do_it\n"
		"ffffffffc0000000 t mod_a\t[mod]\n");
	put_file(fake->dir, "proc/kallsyms", "no end of line");
	expect(fake, "GET_KALLSYMS", "no end of line\n");
	snprintf(path, sizeof(path), "%s/kallsyms", fake->proc);
	assert_int_equal(unlink(path), 0);
	expect(fake, "GET_KALLSYMS", OPEN_FAILED);
	expect(fake, "GET_KPROBES_BLACKLIST /sys/kernel/debug/tracing", "0x1-0x2\tnever\n");
	expect(fake, "GET_KPROBES_BLACKLIST /sys/kernel/tracing/../..", OPEN_FAILED);
	expect(fake, "COMM_FOR_PID 7", "a prog\n");
	expect(fake, "COMM_FOR_PID 8", OPEN_FAILED);
	expect(fake, "COMM_FOR_PID -7", OPEN_FAILED);
	refused(fake, "COMM_FOR_PID ../7");
	refused(fake, "GET_KPROBES_BLACKLIST");
}

static void test_trace_events(void **state)
{
	struct fake *fake = *state;

	expect(fake, "GET_TRACE_EVENTS_CATEGORIES /sys/kernel/tracing", "block\nsched\n");
	expect(fake, "GET_TRACE_EVENTS /sys/kernel/debug/tracing sched",
		"sched_switch\nsched_waking\n");
	expect(fake, "GET_TRACE_EVENTS /sys/kernel/debug/tracing block", "");
	refused(fake, "GET_TRACE_EVENTS /sys/kernel/tracing none");
	refused(fake, "GET_TRACE_EVENTS /sys/kernel/tracing ..");
	refused(fake, "GET_TRACE_EVENTS /sys/kernel/tracing sched/sched_switch");
	refused(fake, "GET_TRACE_EVENTS /etc sched");
	refused(fake, "GET_TRACE_EVENTS_CATEGORIES /sys/kernel/tracing/../../../etc");
	refused(fake, "GET_TRACE_EVENTS_CATEGORIES");
	/* Another session may have defined events of these names. */
	put_directory(fake->dir, "tracing/events/END_BPFD_OUTPUT");
	put_directory(fake->dir, "tracing/events/block/END_BPFD_OUTPUT");
	put_directory(fake->dir, "tracing/events/block/END_BPFD_OUTPUTS");
	expect(fake, "GET_TRACE_EVENTS_CATEGORIES /sys/kernel/tracing", "block\nsched\n");
	expect(fake, "GET_TRACE_EVENTS /sys/kernel/tracing block", "END_BPFD_OUTPUTS\n");
}

static void test_probes(void **state)
{
	struct fake *fake = *state;

	/* No number is a program of this session, so nothing is attached. */
	expect(fake, "BPF_ATTACH_KPROBE 3 0 e do_it", "bpf_attach_kprobe: ret=-9\n");
	expect(fake, "BPF_ATTACH_KPROBE 0 1 e do_it 0 5", "bpf_attach_kprobe: ret=-9\n");
	expect(fake, "BPF_ATTACH_UPROBE -1 1 e /bin/my sh 0x10 -1", "bpf_attach_uprobe: ret=-9\n");
	expect(fake, "BPF_ATTACH_TRACEPOINT 1 sched sched_switch",
		"bpf_attach_tracepoint: ret=-9\n");
	expect(fake, "BPF_ATTACH_PERF_EVENT 1 1 0 0 99 -1 0 -1", "bpf_attach_perf_event: ret=-9\n");
	expect(fake, "BPF_ATTACH_PERF_EVENT 1 1 0 0 99 -1 0 5", "bpf_attach_perf_event: ret=-9\n");
	expect(fake, "BPF_DETACH_KPROBE never", "bpf_detach_kprobe: ret=0\n");
	expect(fake, "BPF_DETACH_UPROBE never", "bpf_detach_uprobe: ret=0\n");
	expect(fake, "BPF_DETACH_TRACEPOINT no such", "bpf_detach_tracepoint: ret=0\n");
	expect(fake, "BPF_CLOSE_PERF_EVENT_FD -1", "bpf_close_perf_event_fd: ret=0\n");
	expect(fake, "BPF_CLOSE_PERF_EVENT_FD -2", "bpf_close_perf_event_fd: ret=-9\n");
	expect(fake, "BPF_CLOSE_PERF_EVENT_FD 1", "bpf_close_perf_event_fd: ret=-9\n");
	refused(fake, "BPF_ATTACH_KPROBE 3 2 e do_it");
	refused(fake, "BPF_ATTACH_KPROBE 3 0 e");
	refused(fake, "BPF_ATTACH_KPROBE 3 0 e do_it -1 0");
	refused(fake, "BPF_ATTACH_KPROBE 3 0 e do_it 0 0 0");
	refused(fake, "BPF_ATTACH_UPROBE 3 0 e /bin/sh 0");
	refused(fake, "BPF_ATTACH_UPROBE 3 0 e /bin/sh x -1");
	refused(fake, "BPF_ATTACH_UPROBE 3 0 e /bin/sh 0 -2");
	refused(fake, "BPF_ATTACH_TRACEPOINT 3 sched");
	refused(fake, "BPF_ATTACH_PERF_EVENT 1 1 0 0 99 -1 0");
	refused(fake, "BPF_ATTACH_PERF_EVENT 1 -1 0 0 99 -1 0 -1");
	refused(fake, "BPF_DETACH_KPROBE");
	refused(fake, "BPF_CLOSE_PERF_EVENT_FD x");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_kernel_symbols, setup, teardown),
		cmocka_unit_test_setup_teardown(test_user_symbols, setup, teardown),
		cmocka_unit_test_setup_teardown(test_files, setup, teardown),
		cmocka_unit_test_setup_teardown(test_trace_events, setup, teardown),
		cmocka_unit_test_setup_teardown(test_probes, setup, teardown),
	};

	return cmocka_run_group_tests_name("cmd_probe", tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Programs and rings in this machine's kernel, if it allows them.
 * Handles become descriptors, logs are complete, records are delivered in turn, losses counted. */
#include "core/bpfd/bpf/budget.h"
#include "core/bpfd/bpf/handle.h"
#include "core/bpfd/bpf/map.h"
#include "core/bpfd/bpf/prog.h"
#include "core/bpfd/bpf/ring.h"
#include "core/bpfd/bpf/ring_private.h"
#include "core/bpfd/bpf/translate.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/skip.h"

#define INSN(c, d, s, o, i) \
	((struct bpf_insn){.code = (c), .dst_reg = (d), .src_reg = (s), .off = (o), .imm = (i)})
#define MOV_IMM(d, i)	   INSN(BPF_ALU64 | BPF_MOV | BPF_K, d, 0, 0, i)
#define MOV_REG(d, s)	   INSN(BPF_ALU64 | BPF_MOV | BPF_X, d, s, 0, 0)
#define EXIT		   INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0)
#define LOAD64(d, s, i)	   INSN(BPF_LD | BPF_DW | BPF_IMM, d, s, 0, i), INSN(0, 0, 0, 0, 0)
#define CALL(f)		   INSN(BPF_JMP | BPF_CALL, 0, 0, 0, f)
#define STORE_IMM(d, o, i) INSN(BPF_ST | BPF_MEM | BPF_DW, d, 0, o, i)

#define LOG_MAX	    (256 * 1024)
#define RECORD_SIZE 16 /* bytes that the emitting program writes */

static struct budget budget;

static int load(struct prog **prog, const struct bpf_insn *insns, uint32_t count, const char *name,
	char **log)
{
	struct prog_spec spec = {.type = BPF_PROG_TYPE_SOCKET_FILTER,
		.name = name,
		.license = "GPL",
		.insns = insns,
		.insn_count = count};
	int err = prog_load(prog, &spec, &budget, LOG_MAX, log);

	if (err == -EPERM || err == -ENOSYS)
		skip_because("no right to load programs, or a kernel without them");
	return err;
}

static int setup(void **state)
{
	budget = (struct budget){.max = 1 << 30};
	return 0;
}

static int teardown(void **state)
{
	return budget.used != 0;
}

static void test_load(void **state)
{
	const struct bpf_insn good[] = {MOV_IMM(0, 0), EXIT}, bad[] = {EXIT};
	struct prog *prog;
	char *log;

	assert_int_equal(load(&prog, good, 2, NULL, &log), 0);
	assert_null(log);
	assert_true(prog_fd(prog) > 2);
	prog_free(prog);
	assert_int_equal(load(&prog, good, 2, "no-such-name!", &log), 0);
	prog_free(prog);
	assert_int_equal(load(&prog, bad, 1, "bad", &log), -EACCES);
	assert_non_null(log);
	assert_non_null(strstr(log, "R0 !read_ok"));
	free(log);
	budget.max = 1000;
	assert_int_equal(load(&prog, good, 2, NULL, &log), -ENOMEM);
	assert_null(log);
	prog_free(NULL);
}

/* A log larger than the first buffer is complete; one larger than the limit is truncated. */
static void test_long_log(void **state)
{
	const uint32_t count = 8000;
	struct bpf_insn *insns = calloc(count, sizeof(*insns));
	struct prog *prog;
	char *log;

	for (uint32_t i = 0; i < count; i++)
		insns[i] = MOV_IMM(1, (int)i);
	insns[count - 1] = EXIT; /* invalid: R0 has no value */
	assert_int_equal(load(&prog, insns, count, NULL, &log), -EACCES);
	assert_non_null(log);
	assert_true(strlen(log) > 100000 && strlen(log) < LOG_MAX);
	free(log);
	free(insns);
}

static int no_close(void *object, int fd)
{
	return 0;
}

static const struct handle_class other_class = {"other", no_close};

static void test_translate(void **state)
{
	struct bpf_insn insns[] = {LOAD64(1, BPF_PSEUDO_MAP_FD, 3), LOAD64(1, 0, 3),
		LOAD64(1, BPF_PSEUDO_MAP_VALUE, 3), LOAD64(1, BPF_PSEUDO_BTF_ID, 9), EXIT};
	const struct bpf_insn fake[] = {LOAD64(1, BPF_PSEUDO_MAP_FD, 4)};
	struct bpf_insn copy[2];
	struct handles *handles;

	assert_int_equal(handles_new(&handles, 16), 0);
	assert_int_equal(handle_add(handles, &other_class, NULL, 70), 3);
	assert_int_equal(translate_program(handles, insns, 9), -EBADF); /* not a map */
	handle_close(handles, 3, &other_class);
	handle_add(handles, &other_class, NULL, 70);
	assert_int_equal(translate_program(handles, insns, 9), -EBADF);
	memcpy(copy, fake, sizeof(copy));
	assert_int_equal(translate_program(handles, copy, 2), -EBADF); /* no handle */
	assert_int_equal(translate_program(handles, copy, 1), 0);      /* the verifier refuses it */
	insns[0].src_reg = insns[4].src_reg = 0;
	assert_int_equal(translate_program(handles, insns, 9), 0);
	insns[7].imm = 1; /* a descriptor of a module's BTF */
	assert_int_equal(translate_program(handles, insns, 9), -EBADF);
	assert_int_equal(translate_program(handles, insns, 0), 0);
	handles_free(handles);
}

static void test_translate_value(void **state)
{
	unsigned char value[9] = {0, 4, 0, 0, 0, 3, 0, 0, 0}; /* not aligned */
	struct handles *handles;
	int fd;

	assert_int_equal(handles_new(&handles, 16), 0);
	assert_int_equal(handle_add(handles, &other_class, NULL, 70), 3);
	assert_int_equal(translate_value(handles, BPF_MAP_TYPE_HASH, value + 1, 8), 0);
	assert_int_equal(translate_value(handles, BPF_MAP_TYPE_PROG_ARRAY, value + 1, 4), -EBADF);
	assert_int_equal(
		translate_value(handles, BPF_MAP_TYPE_PERF_EVENT_ARRAY, value + 1, 4), -EBADF);
	assert_int_equal(translate_value(handles, BPF_MAP_TYPE_PROG_ARRAY, value + 1, 3), -EBADF);
	assert_int_equal(translate_value(handles, BPF_MAP_TYPE_CGROUP_ARRAY, value + 1, 4), -EBADF);
	assert_int_equal(translate_value(handles, BPF_MAP_TYPE_SOCKHASH, value + 1, 4), -EBADF);
	assert_int_equal(translate_value(handles, BPF_MAP_TYPE_DEVMAP, value + 1, 4), 0);
	assert_int_equal(translate_value(handles, BPF_MAP_TYPE_DEVMAP, value + 1, 8), -EBADF);
	memset(value + 5, 0, 4);
	assert_int_equal(translate_value(handles, BPF_MAP_TYPE_CPUMAP, value + 1, 8), 0);
	handle_close(handles, 3, &other_class);
	handle_add(handles, &other_class, NULL, 70);
	assert_int_equal(handle_add(handles, &prog_class, NULL, 55), 4);
	assert_int_equal(translate_value(handles, BPF_MAP_TYPE_PROG_ARRAY, value + 1, 4), 0);
	memcpy(&fd, value + 1, 4);
	assert_int_equal(fd, 55);
	handles_free(handles);
}

/* A map of rings, rings of one or two CPUs, and a program that writes a record to the ring of the
 * CPU on which it runs. */
struct rig {
	struct map *map;
	struct prog *prog;
	struct ring_set *set;
	struct ring *rings[2];
	unsigned int n;
};

static void rig_program(struct rig *rig)
{
	const struct bpf_insn insns[] = {
		MOV_REG(6, 1),
		STORE_IMM(10, -8, 0x5678),
		STORE_IMM(10, -16, 0x1234),
		LOAD64(2, BPF_PSEUDO_MAP_FD, map_fd(rig->map)),
		INSN(BPF_ALU | BPF_MOV | BPF_K, 3, 0, 0, -1), /* the current CPU */
		MOV_REG(4, 10),
		INSN(BPF_ALU64 | BPF_ADD | BPF_K, 4, 0, 0, -16),
		MOV_IMM(5, RECORD_SIZE),
		CALL(BPF_FUNC_perf_event_output),
		MOV_IMM(0, 0),
		EXIT,
	};
	char *log;

	assert_int_equal(
		load(&rig->prog, insns, sizeof(insns) / sizeof(insns[0]), "emit", &log), 0);
}

static void rig_open(struct rig *rig, uint32_t pages)
{
	struct map_spec spec = {.type = BPF_MAP_TYPE_PERF_EVENT_ARRAY,
		.key_size = 4,
		.value_size = 4,
		.max_entries = 2};
	int err;

	err = map_new(&rig->map, &spec, &budget);
	if (err == -EPERM || err == -ENOSYS)
		skip_because("no right to create maps, or a kernel without BPF");
	assert_int_equal(err, 0);
	rig_program(rig);
	assert_int_equal(ring_set_new(&rig->set, &budget), 0);
	rig->n = sysconf(_SC_NPROCESSORS_ONLN) > 1 ? 2 : 1;
	for (uint32_t cpu = 0; cpu < rig->n; cpu++) {
		int fd;

		assert_int_equal(ring_new(&rig->rings[cpu], rig->set, -1, (int)cpu, pages), 0);
		ring_set_tag(rig->rings[cpu], 100 + (int)cpu);
		fd = ring_fd(rig->rings[cpu]);
		assert_int_equal(map_update(rig->map, &cpu, &fd, BPF_ANY), 0);
	}
}

static void rig_close(struct rig *rig)
{
	for (unsigned int i = 0; i < rig->n; i++)
		ring_free(rig->rings[i]);
	ring_set_free(rig->set);
	prog_free(rig->prog);
	map_free(rig->map);
	/* The kernel frees a program, and with it the map, some time after it was closed. */
	for (int i = 0; i < 1000 && budget.used; i++) {
		usleep(10000);
		assert_int_equal(budget_take(&budget, UINT64_MAX), -ENOMEM);
	}
	assert_int_equal(budget.used, 0);
}

static void emit(const struct rig *rig, int cpu, unsigned int count)
{
	char packet[64] = {0};
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = packet, .data_size_in = sizeof(packet),
		.repeat = 1);
	cpu_set_t before, one;

	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	sched_getaffinity(0, sizeof(before), &before);
	assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
	while (count--)
		assert_int_equal(bpf_prog_test_run_opts(prog_fd(rig->prog), &opts), 0);
	sched_setaffinity(0, sizeof(before), &before);
}

struct got {
	unsigned int count[2], runs; /* runs: how often the ring changed */
	int last, end_after;
};

static int take(void *arg, const struct ring *ring, const void *data, uint32_t size)
{
	const uint64_t wanted[2] = {0x1234, 0x5678};
	struct got *got = arg;
	int i = ring_tag(ring) - 100;

	assert_true(size >= RECORD_SIZE && size < RECORD_SIZE + 8);
	assert_memory_equal(data, wanted, RECORD_SIZE);
	got->count[i]++;
	got->runs += got->last != i;
	got->last = i;
	return got->end_after && !--got->end_after ? -ECANCELED : 0;
}

/* Fills the ring many times, so that records wrap. */
static void test_ring(void **state)
{
	struct got got = {{0, 0}, 0, -1, 0};
	struct rig rig;

	rig_open(&rig, 1);
	for (int i = 0; i < 100; i++) {
		emit(&rig, 0, 70);
		assert_int_equal(ring_set_wait(rig.set, rig.rings, rig.n, -1, -1, NULL), 0);
		assert_int_equal(ring_set_drain(rig.set, rig.rings, rig.n, 1 << 20, take, &got), 0);
	}
	assert_int_equal(got.count[0], 7000);
	assert_int_equal(ring_take_lost(rig.rings[0]), 0);
	assert_int_equal(ring_set_drain(rig.set, rig.rings, rig.n, 1 << 20, take, &got), 0);
	assert_int_equal(got.count[0], 7000);
	rig_close(&rig);
}

static void test_fair(void **state)
{
	struct got got = {{0, 0}, 0, -1, 0};
	struct rig rig;

	rig_open(&rig, 8);
	if (rig.n < 2) {
		rig_close(&rig);
		skip_because("needs two CPUs");
	}
	emit(&rig, 0, 100);
	emit(&rig, 1, 100);
	assert_int_equal(ring_set_drain(rig.set, rig.rings, 2, 1000, take, &got), 0);
	assert_true(got.count[0] + got.count[1] < 100); /* bounded by max_bytes */
	assert_true(got.count[0] && got.count[1]);
	assert_true(got.runs >= got.count[0] + got.count[1] - 1); /* in turn */
	got.end_after = 10;
	assert_int_equal(ring_set_drain(rig.set, rig.rings, 2, 1 << 20, take, &got), -ECANCELED);
	assert_int_equal(ring_set_drain(rig.set, rig.rings, 2, 1 << 20, take, &got), 0);
	assert_int_equal(got.count[0], 100);
	assert_int_equal(got.count[1], 100);
	rig_close(&rig);
}

/* Sent = delivered + lost, for both ways of counting, also if no record follows the loss. */
static void lose(bool counts_lost)
{
	struct got got = {{0, 0}, 0, -1, 0};
	uint64_t lost = 0;
	struct rig rig;

	rig_open(&rig, 1);
	if (!counts_lost)
		rig.rings[0]->counts_lost = false;
	emit(&rig, 0, 300);
	assert_int_equal(ring_set_drain(rig.set, rig.rings, rig.n, 1 << 20, take, &got), 0);
	assert_true(got.count[0] < 300);
	lost += ring_take_lost(rig.rings[0]); /* no record follows the loss */
	assert_int_equal(got.count[0] + lost, 300);
	assert_int_equal(ring_take_lost(rig.rings[0]), 0);
	/* The record that reported the loss is not a sample, so it does not end the wait. */
	assert_int_equal(ring_set_wait(rig.set, rig.rings, rig.n, -1, 1, NULL), 0);
	emit(&rig, 0, 500);
	assert_int_equal(ring_set_drain(rig.set, rig.rings, rig.n, 1 << 20, take, &got), 0);
	emit(&rig, 0, 3);
	lost += ring_take_lost(rig.rings[0]); /* reported by records that were not read yet */
	assert_int_equal(ring_set_drain(rig.set, rig.rings, rig.n, 1 << 20, take, &got), 0);
	assert_int_equal(got.count[0] + lost, 803);
	lost += ring_take_lost(rig.rings[0]);
	assert_int_equal(got.count[0] + lost, 803);
	rig_close(&rig);
}

static void test_lost(void **state)
{
	lose(true);
	lose(false);
}

static void test_wait(void **state)
{
	struct rig rig;
	int ends[2];
	char byte;

	rig_open(&rig, 1);
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(ring_set_wait(rig.set, rig.rings, rig.n, ends[0], 10, NULL), 0);
	assert_int_equal(write(ends[1], "x", 1), 1);
	assert_int_equal(ring_set_wait(rig.set, rig.rings, rig.n, ends[0], -1, NULL), 0);
	assert_int_equal(read(ends[0], &byte, 1), 1);
	emit(&rig, 0, 1);
	assert_int_equal(ring_set_wait(rig.set, rig.rings, rig.n, ends[0], -1, NULL), 0);
	/* Every wait sees the record, not only the first one. */
	assert_int_equal(ring_set_wait(rig.set, rig.rings, rig.n, ends[0], -1, NULL), 0);
	close(ends[0]);
	close(ends[1]);
	rig_close(&rig);
}

static void test_ring_refused(void **state)
{
	static const uint32_t pages[] = {0, 3, 12, UINT32_MAX, 1U << 31};
	struct ring_set *set;
	struct ring *ring;

	assert_int_equal(ring_set_new(&set, &budget), 0);
	for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++)
		assert_int_equal(ring_new(&ring, set, -1, 0, pages[i]), -EINVAL);
	assert_true(ring_new(&ring, set, -1, 100000, 8) < 0);
	assert_true(ring_new(&ring, set, -1, -1, 8) < 0);
	budget.max = 8192;
	assert_int_equal(ring_new(&ring, set, -1, 0, 8), -ENOMEM);
	assert_int_equal(budget.used, 0);
	ring_set_free(set);
	ring_set_free(NULL);
	ring_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_load, setup, teardown),
		cmocka_unit_test_setup_teardown(test_long_log, setup, teardown),
		cmocka_unit_test(test_translate),
		cmocka_unit_test(test_translate_value),
		cmocka_unit_test_setup_teardown(test_ring, setup, teardown),
		cmocka_unit_test_setup_teardown(test_fair, setup, teardown),
		cmocka_unit_test_setup_teardown(test_lost, setup, teardown),
		cmocka_unit_test_setup_teardown(test_wait, setup, teardown),
		cmocka_unit_test_setup_teardown(test_ring_refused, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

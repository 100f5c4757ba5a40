/* SPDX-License-Identifier: Apache-2.0 */
/* Probes: refusals, commands for a fake tracefs, real probes if kernel and user allow them. */
#include "core/base/paths.h"
#include "core/bpfd/bpf/probe.h"
#include "core/bpfd/bpf/probe_event.h"

#include <bpf/bpf.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/bpf.h>
#include <linux/perf_event.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/fake_tree.h"
#include "tests/unit/log_capture.h"
#include "tests/unit/skip.h"

struct fake {
	char dir[64], tracefs[96], sysfs[96];
	struct paths paths;
};

static void check_file(const struct fake *fake, const char *name, const char *wanted)
{
	char path[256], text[4096];
	FILE *file;
	size_t n;

	snprintf(path, sizeof(path), "%s/%s", fake->dir, name);
	file = fopen(path, "r");
	assert_non_null(file);
	n = fread(text, 1, sizeof(text) - 1, file);
	text[n] = '\0';
	fclose(file);
	assert_string_equal(text, wanted);
}

/* A tracefs of plain files, which keep all lines that are written to them. */
static int setup(void **state)
{
	static const char *const dirs[] = {"tracing", "tracing/events", "sys", "tracing/events/a"};
	struct fake *fake = calloc(1, sizeof(*fake));

	strcpy(fake->dir, "/tmp/test_probe.XXXXXX");
	assert_non_null(mkdtemp(fake->dir));
	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++)
		put_directory(fake->dir, dirs[i]);
	put_file(fake->dir, "tracing/kprobe_events", "");
	put_file(fake->dir, "tracing/uprobe_events", "");
	snprintf(fake->tracefs, sizeof(fake->tracefs), "%s/tracing", fake->dir);
	snprintf(fake->sysfs, sizeof(fake->sysfs), "%s/sys", fake->dir);
	fake->paths.proc = "/proc";
	fake->paths.sysfs = fake->sysfs;
	fake->paths.tracefs = fake->tracefs;
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

static int kprobe(struct probe_set *set, const char *function, uint64_t offset, bool retprobe,
	unsigned int maxactive)
{
	struct probe_kprobe at = {function, offset, retprobe, maxactive};
	struct probe *probe = NULL;

	return probe_attach_kprobe(&probe, set, -1, "p_a.b:$", &at);
}

static int uprobe(struct probe_set *set, const char *path, uint64_t offset, bool retprobe)
{
	struct probe_uprobe at = {path, offset, retprobe, -1};
	struct probe *probe = NULL;

	return probe_attach_uprobe(&probe, set, -1, "p_a.b:$", &at);
}

static int tracepoint(struct probe_set *set, const char *category, const char *name)
{
	struct probe *probe = NULL;

	return probe_attach_tracepoint(&probe, set, -1, category, name);
}

static void test_refused(void **state)
{
	static const char *const functions[] = {"", "a b", "a/b", "../a", "a\nb", "a;b", "1a", "-a",
		"a+1", "*", "a\t", "\xc3\xa4", "%ax", "@1", "0", "0x", "0x0", "0x1g", "0x1 ", "0X1",
		"0x11111111111111111", "4096", "-0x1"};
	static const char *const uprobe_paths[] = {"", "bin/sh", "../bin/sh"};
	static const char *const names[] = {"", ".", "..", "../a", "a/b", "a b", "a\n"};
	struct fake *fake = *state;
	struct probe_set *set;
	char *longest = calloc(1, 70000);

	assert_int_equal(probe_set_new(&set, &fake->paths), 0);
	for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]); i++)
		assert_int_equal(kprobe(set, functions[i], 0, false, 0), -EINVAL);
	for (size_t i = 0; i < sizeof(uprobe_paths) / sizeof(uprobe_paths[0]); i++)
		assert_int_equal(uprobe(set, uprobe_paths[i], 0, false), -EINVAL);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		assert_int_equal(tracepoint(set, names[i], "a"), -EINVAL);
		assert_int_equal(tracepoint(set, "a", names[i]), -EINVAL);
	}
	assert_int_equal(kprobe(set, "vfs_read", 0, false, 5), -EINVAL);
	assert_int_equal(kprobe(set, "0xfffffffffffffff0", 0x10, false, 0), -EINVAL);
	memset(longest, 'a', 65000);
	assert_int_equal(kprobe(set, longest, 0, false, 0), -EINVAL);
	longest[0] = '/';
	assert_int_equal(uprobe(set, longest, 0, false), -EINVAL);
	assert_int_equal(tracepoint(set, longest + 1, "b"), -EINVAL);
	assert_int_equal(tracepoint(set, "a", "none"), -ENOENT);
	free(longest);
	probe_set_free(set);
	check_file(fake, "tracing/kprobe_events", "");
	check_file(fake, "tracing/uprobe_events", "");
}

/* Kprobes that the kernel attaches and does not run: a warning, once. */
static void test_warning(void **state)
{
	struct fake *fake = *state;
	struct probe_set *set;
	const char *text;

	fake->paths.proc = fake->dir;
	assert_int_equal(probe_set_new(&set, &fake->paths), 0);
	put_directory(fake->dir, "sys/kernel");
	put_file(fake->dir, "sys/kernel/ftrace_enabled", "1\n");
	log_begin();
	probe_warn_kprobes(set);
	assert_string_equal(log_end(), "");
	put_file(fake->dir, "sys/kernel/ftrace_enabled", "0\n");
	log_begin();
	probe_warn_kprobes(set);
	probe_warn_kprobes(set);
	text = strstr(log_end(), "ftrace_enabled is 0");
	assert_non_null(text);
	assert_null(strstr(text + 1, "ftrace_enabled"));
	probe_set_free(set);
}

/* Without the PMU an event is added to tracefs. It is removed, because it does not appear in the
 * fake one. */
static void test_tracefs_syntax(void **state)
{
	struct fake *fake = *state;
	char group[PROBE_GROUP_SIZE], wanted[4096];
	struct probe_set *set;

	assert_int_equal(probe_event_group(&fake->paths, group), 0);
	assert_int_equal(probe_set_new(&set, &fake->paths), 0);
	assert_int_equal(kprobe(set, "vfs_read", 0, false, 0), -ENOENT);
	assert_int_equal(kprobe(set, "ext4:foo.isra.0", 16, false, 0), -ENOENT);
	assert_int_equal(kprobe(set, "vfs_read", 0, true, 0), -ENOENT);
	assert_int_equal(kprobe(set, "vfs_read", 0, true, 10), -ENOENT);
	put_file(
		fake->dir, "tracing/README", "Format: p[:[<group>/]<event>]\n r[maxactive][:...\n");
	assert_int_equal(kprobe(set, "vfs_read", 0, true, 10), -ENOENT);
	assert_int_equal(kprobe(set, "0xffffffff81234560", 0x10, false, 0), -ENOENT);
	assert_int_equal(kprobe(set, "0xC0008000", 0, true, 0), -ENOENT);
	snprintf(wanted, sizeof(wanted),
		"p:%s/e0_p_a_b__ vfs_read\n-:%s/e0_p_a_b__\np:%s/e1_p_a_b__ "
		"ext4:foo.isra.0+16\n-:%s/e1_p_a_b__\n"
		"r:%s/e2_p_a_b__ vfs_read\n-:%s/e2_p_a_b__\n"
		"r:%s/e3_p_a_b__ vfs_read\n-:%s/e3_p_a_b__\n" /* a kernel before 4.12 */
		"r10:%s/e4_p_a_b__ vfs_read\n-:%s/e4_p_a_b__\n"
		"p:%s/e5_p_a_b__ 0xffffffff81234570\n-:%s/e5_p_a_b__\n"
		"r:%s/e6_p_a_b__ 0xc0008000\n-:%s/e6_p_a_b__\n",
		group, group, group, group, group, group, group, group, group, group, group, group,
		group, group);
	check_file(fake, "tracing/kprobe_events", wanted);
	assert_int_equal(uprobe(set, "/bin/sh", 0x1234, false), -ENOENT);
	assert_int_equal(uprobe(set, "/bin/sh", 0, true), -ENOENT);
	snprintf(wanted, sizeof(wanted),
		"p:%s/e7_p_a_b__ /bin/sh:0x1234\n-:%s/e7_p_a_b__\nr:%s/e8_p_a_b__ "
		"/bin/sh:0x0\n-:%s/e8_p_a_b__\n",
		group, group, group, group);
	check_file(fake, "tracing/uprobe_events", wanted);
	probe_set_free(set);
}

/* Paths that uprobe_events would cut, perhaps to the path and offset of another file. */
static const char *const odd_names[] = {"a b", "a:1", "a\nb", "a#b", "a:0x10#b", "a\tb",
	"\xc3\xa0" /* a with a grave accent */, " ", "#", "a%return", "a(1)"};

/* The event names such a file by the link of a descriptor that is open meanwhile. */
static void test_odd_paths(void **state)
{
	struct fake *fake = *state;
	char group[PROBE_GROUP_SIZE], path[256], wanted[8192] = "", place[300];
	struct probe_set *set;
	size_t size = 0;
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	close(fd); /* the next descriptor has this number */
	assert_int_equal(probe_event_group(&fake->paths, group), 0);
	assert_int_equal(probe_set_new(&set, &fake->paths), 0);
	for (size_t i = 0; i < sizeof(odd_names) / sizeof(odd_names[0]); i++) {
		bool plain = strpbrk(odd_names[i], "%(");

		snprintf(path, sizeof(path), "%s/%s", fake->dir, odd_names[i]);
		if (!plain) { /* the file is not there yet: nothing is written */
			assert_int_equal(uprobe(set, path, 0x20, false), -ENOENT);
			check_file(fake, "tracing/uprobe_events", wanted);
		}
		put_file(fake->dir, odd_names[i], "");
		assert_int_equal(uprobe(set, path, 0x20, i % 2), -ENOENT);
		snprintf(place, sizeof(place), "/proc/self/fd/%d", fd);
		size += (size_t)snprintf(wanted + size, sizeof(wanted) - size,
			"%c:%s/e%zu_p_a_b__ %s:0x20\n-:%s/e%zu_p_a_b__\n", i % 2 ? 'r' : 'p', group,
			i, plain ? path : place, group, i);
		check_file(fake, "tracing/uprobe_events", wanted);
	}
	probe_set_free(set);
	assert_int_equal(open("/dev/null", O_RDONLY | O_CLOEXEC), fd); /* none is left open */
	close(fd);
}

/* A path that is too long for a line of uprobe_events. */
static void test_long_path(void **state)
{
	struct fake *fake = *state;
	char path[PATH_MAX] = "", *at = stpcpy(path, fake->dir), text[4096] = "";
	struct probe_set *set;
	FILE *file;

	while (at < path + PATH_MAX - 8)
		at = stpcpy(at, "/.");
	stpcpy(at, "/sys");
	assert_int_equal(probe_set_new(&set, &fake->paths), 0);
	assert_int_equal(uprobe(set, path, 0, false), -ENOENT);
	snprintf(path, sizeof(path), "%s/tracing/uprobe_events", fake->dir);
	file = fopen(path, "re");
	assert_non_null(file);
	assert_non_null(fgets(text, sizeof(text), file));
	fclose(file);
	assert_non_null(strstr(text, " /proc/self/fd/"));
	probe_set_free(set);
}

/* Only events of dead bpfd processes are removed, whatever else is in the files. */
static void test_leftovers(void **state)
{
	struct fake *fake = *state;
	char alive[PROBE_GROUP_SIZE], text[2048], wanted[4096];
	struct probe_set *set;
	pid_t dead = fork();

	if (!dead)
		_exit(0);
	assert_int_equal(waitpid(dead, NULL, 0), dead);
	assert_int_equal(probe_event_group(&fake->paths, alive), 0);
	snprintf(text, sizeof(text),
		"p:kprobes/p_do_sys_open_bcc_%d do_sys_open\n"
		"p:bpfd_%d_77/e0 do_sys_open\n" /* dead */
		"r4:bpfd_%d_77/e1 do_sys_open arg1=$retval\n"
		"p:bpfd_%d_1/e2 vfs_read\n" /* our number, another start */
		"p:%s/e0 vfs_read\n"	    /* ours, alive */
		"p:bpfd_%d/e0 vfs_read\np:bpfd_%d_77x/e0 f\np:bpfd_x_77/e0 f\n"
		"p:mybpfd_%d_77/e0 f\np:bpfd_%d_77 f\np:bpfd_-5_77/e0 f\n"
		"p:bpfd_99999999999_77/e0 f\np bpfd_%d_77/e0\n\n-:bpfd_%d_77/e9\nnonsense",
		dead, dead, dead, getpid(), alive, dead, dead, dead, dead, dead, dead);
	put_file(fake->dir, "tracing/kprobe_events", text);
	put_file(fake->dir, "tracing/uprobe_events", "p:bpfd_2147483647_5/e3 /bin/sh:0x10\n");
	assert_int_equal(probe_set_new(&set, &fake->paths), 0);
	probe_set_free(set);
	snprintf(wanted, sizeof(wanted), "%s-:bpfd_%d_77/e0\n-:bpfd_%d_77/e1\n-:bpfd_%d_1/e2\n",
		text, dead, dead, getpid());
	check_file(fake, "tracing/kprobe_events", wanted);
	check_file(fake, "tracing/uprobe_events",
		"p:bpfd_2147483647_5/e3 /bin/sh:0x10\n-:bpfd_2147483647_5/e3\n");
}

static void test_ids(void **state)
{
	static const struct {
		const char *text;
		int id;
	} cases[] = {{"17\n", 17}, {"0\n", -EINVAL}, {"-3\n", -EINVAL}, {"", -EINVAL},
		{"x\n", -EINVAL}, {"11111111111111111111111\n", -EFBIG}};
	struct fake *fake = *state;
	char path[256];

	snprintf(path, sizeof(path), "%s/events/a/b", fake->tracefs);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(probe_event_id(&fake->paths, "a", "b"), -ENOENT);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		put_file(fake->dir, "tracing/events/a/b/id", cases[i].text);
		assert_int_equal(probe_event_id(&fake->paths, "a", "b"), cases[i].id);
	}
	assert_int_equal(probe_event_add(&fake->paths, PROBE_EVENT_KPROBE, "p f\n-:g/e"), -EINVAL);
	fake->paths.tracefs = "/no/such";
	assert_int_equal(probe_event_id(&fake->paths, "a", "b"), -ENOENT);
	assert_int_equal(probe_event_add(&fake->paths, PROBE_EVENT_KPROBE, "p f"), -ENOENT);
}

static const struct paths real = {"/proc", "/sys", "/sys/kernel/tracing", NULL};

/* A program that counts its runs in element 0 of a map. */
static int load_counter(enum bpf_prog_type type, int map)
{
	struct bpf_insn insns[] = {
		{.code = BPF_ST | BPF_MEM | BPF_W, .dst_reg = 10, .off = -4, .imm = 0},
		{.code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = 2, .src_reg = 10},
		{.code = BPF_ALU64 | BPF_ADD | BPF_K, .dst_reg = 2, .imm = -4},
		{.code = BPF_LD | BPF_DW | BPF_IMM,
			.dst_reg = 1,
			.src_reg = BPF_PSEUDO_MAP_FD,
			.imm = map},
		{.code = 0},
		{.code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_map_lookup_elem},
		{.code = BPF_JMP | BPF_JEQ | BPF_K, .dst_reg = 0, .off = 2, .imm = 0},
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 1, .imm = 1},
		{.code = BPF_STX | BPF_ATOMIC | BPF_DW, .dst_reg = 0, .src_reg = 1, .imm = BPF_ADD},
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .imm = 0},
		{.code = BPF_JMP | BPF_EXIT},
	};

	return bpf_prog_load(type, NULL, "GPL", insns, sizeof(insns) / sizeof(insns[0]), NULL);
}

static int new_counter(void)
{
	struct rlimit unlimited = {RLIM_INFINITY, RLIM_INFINITY};

	setrlimit(RLIMIT_MEMLOCK, &unlimited);
	return bpf_map_create(BPF_MAP_TYPE_ARRAY, NULL, 4, 8, 1, NULL);
}

static uint64_t count(int map)
{
	uint64_t value = 0;
	uint32_t key = 0;

	assert_int_equal(bpf_map_lookup_elem(map, &key, &value), 0);
	return value;
}

__attribute__((noinline, noclone)) static int probed(int i)
{
	__asm__ volatile("" : "+r"(i)::"memory");
	return i;
}

/* The offset of a function of this program in its file, from the mapping that includes it. */
static uint64_t file_offset(const void *function, char path[PATH_MAX])
{
	uintptr_t address = (uintptr_t)function, start, end, offset;
	FILE *maps = fopen("/proc/self/maps", "r");
	char line[PATH_MAX + 128];
	uint64_t found = 0;

	assert_non_null(maps);
	while (!found && fgets(line, sizeof(line), maps)) {
		if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " %*s %" SCNxPTR " %*s %*s %4095s",
			    &start, &end, &offset, path) == 4 &&
			address >= start && address < end)
			found = address - start + offset;
	}
	fclose(maps);
	return found;
}

/* Probes this program, by a link of that name if there is one. */
static void check_uprobe(const struct paths *paths, const char *link)
{
	int map = new_counter(), prog = load_counter(BPF_PROG_TYPE_KPROBE, map);
	struct probe *entry, *back;
	struct probe_set *set;
	char path[PATH_MAX];
	struct probe_uprobe at = {path, file_offset(probed, path), false, -1};

	if (link) {
		assert_int_equal(symlink(path, link), 0);
		strcpy(path, link);
	}
	assert_int_equal(probe_set_new(&set, paths), 0);
	assert_int_equal(probe_attach_uprobe(&entry, set, prog, "p_test", &at), 0);
	assert_true(probe_descriptor(entry) >= 0);
	for (int i = 0; i < 5; i++)
		probed(i);
	assert_int_equal(count(map), 5);
	at.retprobe = true;
	at.pid = getpid();
	assert_int_equal(probe_attach_uprobe(&back, set, prog, "r_test", &at), 0);
	assert_ptr_equal(probe_find(set, PROBE_UPROBE, "p_test"), entry);
	assert_ptr_equal(probe_find(set, PROBE_UPROBE, "r_test"), back);
	assert_null(probe_find(set, PROBE_KPROBE, "r_test"));
	assert_null(probe_find(set, PROBE_UPROBE, "test"));
	probed(1);
	assert_int_equal(count(map), 7);
	assert_int_equal(probe_detach(entry), 0);
	assert_null(probe_find(set, PROBE_UPROBE, "p_test"));
	probed(1);
	assert_int_equal(count(map), 8);
	assert_int_equal(probe_detach(back), 0);
	probed(1);
	assert_int_equal(count(map), 8);
	/* A refused probe is not added to the set. */
	strcpy(path, "/no/such/file");
	assert_int_equal(probe_attach_uprobe(&entry, set, prog, "e", &at), -ENOENT);
	file_offset(probed, path);
	assert_true(probe_attach_uprobe(&entry, set, map, "e", &at) < 0);
	assert_null(probe_find(set, PROBE_UPROBE, "e"));
	probe_set_free(set);
	close(prog);
	close(map);
	if (link)
		unlink(link);
}

static void test_real_uprobe(void **state)
{
	struct fake *fake = *state;
	char link[256];
	struct paths hidden = real;
	bool pmu = !access("/sys/bus/event_source/devices/uprobe/type", R_OK);
	bool tracefs = !access("/sys/kernel/tracing/uprobe_events", W_OK);

	hidden.sysfs = "/no/such/sysfs";
	if (geteuid() || !(pmu || tracefs))
		skip_because("needs root and uprobes");
	check_uprobe(&real, NULL);
	for (size_t i = 0; tracefs && i < sizeof(odd_names) / sizeof(odd_names[0]); i++) {
		snprintf(link, sizeof(link), "%s/%s", fake->dir, odd_names[i]);
		check_uprobe(&hidden, link);
	}
	if (tracefs)
		check_uprobe(&hidden, NULL);
}

/* Opens a file n times. Returns how often the program ran meanwhile: other processes open files
 * too. */
static uint64_t opens_seen(int map, int n)
{
	uint64_t before = count(map);

	for (int i = 0; i < n; i++) {
		int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

		assert_true(fd >= 0);
		close(fd);
	}
	return count(map) - before;
}

static void check_kprobe(const struct paths *paths, const struct probe_kprobe *at, bool in_tracefs)
{
	int map = new_counter(), prog = load_counter(BPF_PROG_TYPE_KPROBE, map);
	char events[4096] = "", group[PROBE_GROUP_SIZE];
	struct probe *probe, *second;
	struct probe_set *set;
	int fd;

	assert_int_equal(probe_set_new(&set, paths), 0);
	assert_int_equal(probe_attach_kprobe(&probe, set, prog, "p_open", at), 0);
	assert_int_equal(probe_attach_kprobe(&second, set, prog, "p_open", at), 0);
	assert_true(opens_seen(map, 100) >= 200);
	assert_int_equal(probe_event_group(paths, group), 0);
	fd = open("/sys/kernel/tracing/kprobe_events", O_RDONLY | O_CLOEXEC);
	if (fd >= 0)
		assert_true(read(fd, events, sizeof(events) - 1) >= 0);
	close(fd);
	assert_int_equal(strstr(events, group) != NULL, in_tracefs);
	assert_int_equal(strstr(events, "e1_p_open") != NULL, in_tracefs);
	assert_int_equal(probe_detach(probe), 0);
	assert_int_equal(probe_detach(second), 0);
	assert_int_equal(opens_seen(map, 100), 0);
	probe_set_free(set);
	close(prog);
	close(map);
}

/* Writes "0x" and the address of a kernel function. */
static bool find_address(const char *function, char address[32])
{
	FILE *file = fopen("/proc/kallsyms", "re");
	char line[1024], name[512];
	bool found = false;

	while (file && !found && fgets(line, sizeof(line), file)) {
		strcpy(address, "0x");
		found = sscanf(line, "%16s %*c %511s", address + 2, name) == 2 &&
			!strcmp(name, function);
	}
	if (file)
		fclose(file);
	return found && strspn(address + 2, "0") != strlen(address + 2);
}

static void test_real_kprobe(void **state)
{
	struct paths hidden = real;
	struct probe_kprobe at = {.function = "do_sys_openat2"};
	bool pmu = !access("/sys/bus/event_source/devices/kprobe/type", R_OK);
	char group[PROBE_GROUP_SIZE], address[32];
	struct probe_set *set;
	struct probe *probe;
	int err;

	hidden.sysfs = "/no/such/sysfs";
	if (geteuid() || access("/sys/kernel/tracing/kprobe_events", W_OK))
		skip_because("needs root and kprobes in tracefs");
	check_kprobe(&real, &at, !pmu);
	check_kprobe(&hidden, &at, true);
	at.retprobe = true;
	check_kprobe(&real, &at, !pmu);
	check_kprobe(&hidden, &at, true);
	at.maxactive = 16; /* only tracefs has it */
	check_kprobe(&real, &at, true);

	/* By address, with and without the PMU. */
	at = (struct probe_kprobe){.function = address};
	if (find_address("do_sys_openat2", address)) {
		check_kprobe(&real, &at, !pmu);
		check_kprobe(&hidden, &at, true);
	}

	assert_int_equal(probe_event_group(&real, group), 0);
	at = (struct probe_kprobe){.function = "no_such_function"};
	assert_int_equal(probe_set_new(&set, &real), 0);
	assert_int_equal(probe_attach_kprobe(&probe, set, -1, "e", &at), -ENOENT);
	probe_set_free(set);
	assert_int_equal(probe_set_new(&set, &hidden), 0);
	err = probe_attach_kprobe(&probe, set, -1, "e", &at);
	assert_true(err == -ENOENT || err == -EINVAL); /* EINVAL on newer kernels */
	/* The event is added, and removed because there is no program. */
	at.function = "do_sys_openat2";
	assert_int_equal(probe_attach_kprobe(&probe, set, -1, "e", &at), -EBADF);
	probe_set_free(set);
}

static void test_real_tracepoint(void **state)
{
	int map = new_counter(), prog;
	struct probe_set *set;
	struct probe *probe;

	if (geteuid() || access("/sys/kernel/tracing/events/syscalls/sys_enter_openat/id", R_OK))
		skip_because("needs root and tracepoints of system calls");
	prog = load_counter(BPF_PROG_TYPE_TRACEPOINT, map);
	assert_int_equal(probe_set_new(&set, &real), 0);
	assert_int_equal(
		probe_attach_tracepoint(&probe, set, prog, "syscalls", "sys_enter_openat"), 0);
	assert_ptr_equal(probe_find(set, PROBE_TRACEPOINT, "syscalls/sys_enter_openat"), probe);
	assert_true(opens_seen(map, 100) >= 100);
	assert_int_equal(probe_detach(probe), 0);
	assert_int_equal(opens_seen(map, 100), 0);
	assert_int_equal(probe_attach_tracepoint(&probe, set, prog, "syscalls", "none"), -ENOENT);
	probe_set_free(set);
	close(prog);
	close(map);
}

static void test_real_perf_event(void **state)
{
	struct probe_perf_event at = {.type = PERF_TYPE_SOFTWARE,
		.config = PERF_COUNT_SW_CPU_CLOCK,
		.freq = 1000,
		.pid = getpid(),
		.cpu = -1,
		.group_fd = -1};
	int map = new_counter(), prog = map < 0 ? -1 : load_counter(BPF_PROG_TYPE_PERF_EVENT, map);
	struct probe_set *set;
	struct probe *probe;

	if (prog < 0)
		skip_because("needs root and a kernel with BPF");
	assert_int_equal(probe_set_new(&set, &real), 0);
	assert_int_equal(probe_attach_perf_event(&probe, set, prog, &at), 0);
	for (int i = 0; i < 50000000 && !count(map); i++)
		probed(i);
	assert_true(count(map) > 0);
	assert_int_equal(probe_detach(probe), 0);
	at.period = 5;
	assert_int_equal(probe_attach_perf_event(&probe, set, prog, &at), -EINVAL);
	at.period = at.freq = 0;
	assert_int_equal(probe_attach_perf_event(&probe, set, prog, &at), -EINVAL);
	at.period = 1000000;
	at.pid = -1; /* no event can be for every process on every CPU */
	assert_int_equal(probe_attach_perf_event(&probe, set, prog, &at), -EINVAL);
	probe_set_free(set);
	close(prog);
	close(map);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_tracefs_syntax, setup, teardown),
		cmocka_unit_test_setup_teardown(test_odd_paths, setup, teardown),
		cmocka_unit_test_setup_teardown(test_long_path, setup, teardown),
		cmocka_unit_test_setup_teardown(test_warning, setup, teardown),
		cmocka_unit_test_setup_teardown(test_leftovers, setup, teardown),
		cmocka_unit_test_setup_teardown(test_ids, setup, teardown),
		cmocka_unit_test_setup_teardown(test_real_uprobe, setup, teardown),
		cmocka_unit_test(test_real_kprobe),
		cmocka_unit_test(test_real_tracepoint),
		cmocka_unit_test(test_real_perf_event),
	};

	return cmocka_run_group_tests_name("probe", tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Which files a remote client may see: by name, through links, in processes' roots, and only code
 * elsewhere. */
#include "core/paths.h"
#include "core/storage.h"
#include "core/tree.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <seccomp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/fake_tree.h"
#include "tests/unit/skip.h"

struct fake {
	char dir[64], proc[96], sysfs[96], tracefs[96];
	struct paths paths;
};

static void make_link(const struct fake *fake, const char *target, const char *name)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", fake->dir, name);
	assert_int_equal(symlink(target, path), 0);
}

static int setup(void **state)
{
	static const char *const dirs[] = {"proc", "proc/7", "proc/7/root", "proc/7/root/tmp",
		"sys", "sys/kernel", "sys/kernel/notes.d", "sys/kernel/debug", "sys/bus",
		"sys/bus/event_source", "sys/bus/event_source/devices", "sys/devices",
		"sys/devices/pmu", "sys/devices/other", "sys/fs", "sys/fs/bpf", "tracing",
		"tracing/events", "tracing/per_cpu", "tracing/per_cpu/cpu0", "else"};
	struct fake *fake = calloc(1, sizeof(*fake));
	char path[256];

	strcpy(fake->dir, "/tmp/test_tree.XXXXXX");
	assert_non_null(mkdtemp(fake->dir));
	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", fake->dir, dirs[i]);
		assert_int_equal(mkdir(path, 0755), 0);
	}
	snprintf(fake->proc, sizeof(fake->proc), "%s/proc", fake->dir);
	snprintf(fake->sysfs, sizeof(fake->sysfs), "%s/sys", fake->dir);
	snprintf(fake->tracefs, sizeof(fake->tracefs), "%s/tracing", fake->dir);
	fake->paths = (struct paths){fake->proc, fake->sysfs, fake->tracefs, NULL};
	*state = fake;
	return 0;
}

static int teardown(void **state)
{
	struct fake *fake = *state;
	char command[128];

	snprintf(command, sizeof(command), "rm -rf %s", fake->dir);
	assert_int_equal(system(command), 0);
	free(fake);
	return 0;
}

/* Whether reading yields that text. */
static void expect_text(const struct fake *fake, const char *path, const char *text)
{
	char got[100] = "";
	int fd = tree_open_read(&fake->paths, path);

	if (fd < 0)
		fail_msg("%s: %s", path, strerror(-fd));
	assert_true(read(fd, got, sizeof(got) - 1) >= 0);
	assert_string_equal(got, text);
	close(fd);
}

static void expect_error(const struct fake *fake, const char *path, int wanted)
{
	int fd = tree_open_read(&fake->paths, path);

	if (fd != wanted)
		fail_msg("%s: %d instead of %d", path, fd, wanted);
}

static void test_refused_names(void **state)
{
	static const char *const names[] = {"", "etc/passwd", "/proc/../etc/passwd", "/proc/./stat",
		"//proc/stat", "/proc//stat", "/proc/stat/", "/proc/..", "/sys/kernel/..",
		"/sys/kernel/debug/../../etc", "/sys/kernel/debug/tracing/../../../etc",
		"/proc/self/mem", "/proc/self/environ", "/proc/self", "/proc/1/environ",
		"/proc/1/mem", "/proc/1/auxv", "/proc/1/fdinfo/3", "/proc/1/task/1/environ",
		"/proc/1/task/x", "/proc/1x/stat", "/proc/kcore", "/proc/kmsg", "/proc/keys",
		"/proc/sysrq-trigger", "/proc/1/root/../etc/passwd", "/proc/1/map_files/x",
		"/proc/1/fd/3/x", "/proc/1/ns/mnt/x", "/sys/firmware/efi", "/sys/power/state",
		"/sys/kernel/debug/sleep_time", "/sys/kernel/debug/tracingx", "/sys/fs/ext4",
		"/sys/bus/usb", "/sys/class/tty", "/sys/devices/pci0000:00", "/dev/mem", "/dev",
		"/dev/kmsg"};
	const struct fake *fake = *state;
	char path[PATH_MAX];
	int fd;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (tree_rights(&fake->paths, names[i]))
			fail_msg("%s: may be seen", names[i]);
		expect_error(fake, names[i], -EACCES);
		fd = tree_open(&fake->paths, names[i], TREE_STAT, true);
		assert_int_equal(fd, -EACCES);
		assert_int_equal(tree_access(&fake->paths, names[i], F_OK), -EACCES);
		assert_int_equal(tree_open_directory(&fake->paths, names[i]), -EACCES);
		assert_int_equal(tree_open_follow(&fake->paths, names[i]), -EACCES);
		assert_int_equal(tree_bpffs(&fake->paths, names[i], path), -EACCES);
	}
}

static void test_rights(void **state)
{
	static const struct {
		const char *path;
		unsigned int rights;
	} paths[] = {
		{"/", TREE_STAT},
		{"/proc", TREE_STAT | TREE_LIST},
		{"/proc/kallsyms", TREE_STAT | TREE_READ},
		{"/proc/sys/kernel/hostname", TREE_STAT | TREE_READ | TREE_LIST},
		{"/proc/12", TREE_STAT | TREE_LIST},
		{"/proc/12/maps", TREE_STAT | TREE_READ},
		{"/proc/12/exe", TREE_STAT | TREE_LINK | TREE_READ | TREE_CODE},
		{"/proc/12/root", TREE_STAT | TREE_LINK},
		{"/proc/12/root/etc/x", TREE_STAT | TREE_LINK | TREE_READ | TREE_CODE},
		{"/proc/12/ns/mnt", TREE_STAT | TREE_LINK},
		{"/proc/12/fd/5", TREE_STAT | TREE_LINK},
		{"/proc/12/task/13/comm", TREE_STAT | TREE_READ},
		{"/sys/kernel/btf/vmlinux", TREE_STAT | TREE_READ | TREE_LIST | TREE_LINK},
		{"/sys/kernel/debug", TREE_STAT | TREE_LIST},
		{"/sys/kernel/debug/tracing/events", TREE_STAT | TREE_READ | TREE_LIST | TREE_LINK},
		{"/usr/lib/libc.so", TREE_STAT | TREE_READ | TREE_CODE},
	};
	const struct fake *fake = *state;

	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
		assert_int_equal(tree_rights(&fake->paths, paths[i].path), paths[i].rights);
}

static void test_trees(void **state)
{
	const struct fake *fake = *state;
	char path[256];
	int fd;

	put_file(fake->proc, "kallsyms", "symbols");
	put_file(fake->proc, "7/stat", "a process");
	put_file(fake->tracefs, "kprobe_events", "");
	put_file(fake->tracefs, "trace_pipe", "pipe");
	put_file(fake->tracefs, "per_cpu/cpu0/trace_pipe", "pipe 0");
	put_file(fake->tracefs, "free_buffer", "");
	snprintf(path, sizeof(path), "%s/free_buffer", fake->tracefs);
	assert_int_equal(chmod(path, 0200), 0);
	expect_text(fake, "/proc/kallsyms", "symbols");
	expect_text(fake, "/proc/7/stat", "a process");
	expect_text(fake, "/sys/kernel/tracing/kprobe_events", "");
	expect_text(fake, "/sys/kernel/debug/tracing/kprobe_events", "");
	expect_error(fake, "/sys/kernel/tracing/trace_pipe", -EINVAL);
	expect_error(fake, "/sys/kernel/tracing/per_cpu/cpu0/trace_pipe", -EINVAL);
	expect_error(fake, "/sys/kernel/tracing/free_buffer", -EACCES);
	expect_error(fake, "/sys/kernel/tracing/events", -EISDIR);
	expect_error(fake, "/sys/kernel/tracing/none", -ENOENT);
	expect_error(fake, "/proc/8/stat", -ENOENT);
	fd = tree_open_follow(&fake->paths, "/sys/kernel/tracing/per_cpu/cpu0/trace_pipe");
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(
		tree_open_follow(&fake->paths, "/sys/kernel/tracing/kprobe_events"), -EACCES);
	assert_int_equal(
		tree_open_follow(&fake->paths, "/sys/kernel/tracing/events/x/trace_pipe"), -EACCES);
	fd = tree_open_directory(&fake->paths, "/sys/kernel/tracing");
	assert_true(fd >= 0);
	close(fd);
}

/* Links of the trees themselves are followed as far as what they lead to may be seen. */
static void test_links(void **state)
{
	const struct fake *fake = *state;
	int fd;

	put_file(fake->dir, "else/secret", "secret");
	put_file(fake->sysfs, "devices/pmu/type", "9");
	put_file(fake->sysfs, "devices/other/key", "key");
	put_file(fake->sysfs, "kernel/notes", "notes");
	make_link(fake, "../../../devices/pmu", "sys/bus/event_source/devices/pmu");
	make_link(fake, "../../else/secret", "sys/kernel/escape");
	make_link(fake, "../../../else", "sys/fs/bpf/else");
	make_link(fake, "notes", "sys/kernel/alias");
	expect_text(fake, "/sys/bus/event_source/devices/pmu/type", "9");
	expect_text(fake, "/sys/devices/pmu/type", "9");
	expect_text(fake, "/sys/kernel/alias", "notes");
	expect_error(fake, "/sys/devices/other/key", -EACCES);
	expect_error(fake, "/sys/kernel/escape", -EACCES);
	expect_error(fake, "/sys/fs/bpf/else/secret", -EACCES);
	assert_int_equal(tree_open(&fake->paths, "/sys/kernel/escape", TREE_STAT, true), -EACCES);
	assert_int_equal(tree_open_directory(&fake->paths, "/sys/fs/bpf/else"), -EACCES);
	assert_int_equal(tree_access(&fake->paths, "/sys/kernel/escape", R_OK), -EACCES);
	fd = tree_open(&fake->paths, "/sys/kernel/escape", TREE_LINK, false); /* as it is */
	assert_true(fd >= 0);
	close(fd);
}

static void put_elf(const struct fake *fake, const char *name, uint16_t type)
{
	unsigned char elf[64] = {0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, 1};
	char path[256];
	FILE *file;

	elf[EI_NIDENT] = (unsigned char)type;
	snprintf(path, sizeof(path), "%s/%s", fake->dir, name);
	file = fopen(path, "w");
	assert_non_null(file);
	assert_int_equal(fwrite(elf, 1, sizeof(elf), file), sizeof(elf));
	assert_int_equal(fclose(file), 0);
}

/* A path of the fake tree as the client names it: it is outside all trees. */
static const char *outside(const struct fake *fake, const char *name)
{
	static char path[256];

	snprintf(path, sizeof(path), "%s/%s", fake->dir, name);
	return path;
}

static void test_code(void **state)
{
	const struct fake *fake = *state;
	char fifo[256];
	int fd;

	put_elf(fake, "else/program", ET_EXEC);
	put_elf(fake, "else/library", ET_DYN);
	put_elf(fake, "else/core", ET_CORE);
	put_file(fake->dir, "else/text",
		"\x7f"
		"ELF");
	put_file(fake->dir, "else/secret", "secret");
	snprintf(fifo, sizeof(fifo), "%s/else/fifo", fake->dir);
	assert_int_equal(mkfifo(fifo, 0600), 0);
	make_link(fake, "program", "else/link");
	make_link(fake, "/proc/kcore", "else/kcore");
	make_link(fake, "/proc/self/mem", "else/mem");
	make_link(fake, "secret", "else/to_secret");
	fd = tree_open_read(&fake->paths, outside(fake, "else/program"));
	assert_true(fd >= 0);
	close(fd);
	fd = tree_open_read(&fake->paths, outside(fake, "else/library"));
	assert_true(fd >= 0);
	close(fd);
	fd = tree_open(&fake->paths, outside(fake, "else/link"), TREE_STAT, true);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(tree_access(&fake->paths, outside(fake, "else/program"), R_OK), 0);
	assert_int_equal(tree_access(&fake->paths, outside(fake, "else/program"), W_OK), -EACCES);
	expect_error(fake, outside(fake, "else/core"), -EACCES);
	expect_error(fake, outside(fake, "else/text"), -EACCES);
	expect_error(fake, outside(fake, "else/secret"), -EACCES);
	expect_error(fake, outside(fake, "else/to_secret"), -EACCES);
	expect_error(fake, outside(fake, "else/fifo"), -EACCES);
	expect_error(fake, outside(fake, "else/mem"), -EACCES);
	expect_error(fake, outside(fake, "else/none"), -ENOENT);
	fd = tree_open_read(&fake->paths, outside(fake, "else/kcore"));
	assert_true(fd == -EACCES || fd == -ENOENT);
	/* Not even whether it is there. */
	assert_int_equal(
		tree_open(&fake->paths, outside(fake, "else/secret"), TREE_STAT, true), -EACCES);
	assert_int_equal(tree_open(&fake->paths, outside(fake, "else"), TREE_STAT, true), -EACCES);
	assert_int_equal(tree_open_directory(&fake->paths, outside(fake, "else")), -EACCES);
}

static void test_storage(void **state)
{
	static const uint32_t kernels[] = {
		0x00009fa0, /* proc */
		0x62656572, /* sysfs */
		0x0a647361, /* FunctionFS */
		0xaee71ee7, /* gadgetfs */
		0x64626720, /* debugfs */
		0x74726163, /* tracefs */
		0x62656570, /* configfs */
		0x73636673, /* securityfs */
		0xcafe4a11, /* bpffs */
		0x0027e0eb, /* cgroup */
		0x63677270, /* cgroup2 */
		0xf97cff8c, /* selinuxfs */
		0xde5e81e4, /* efivarfs */
		0x6165676c, /* pstore */
		0x19800202, /* mqueue */
		0x65735543, /* fusectl */
		0x42494e4d, /* binfmt_misc */
	};
	static const uint32_t stores[] = {
		0x01021994, /* tmpfs */
		0x858458f6, /* ramfs */
		0x794c7630, /* overlayfs */
		0x24051905, /* UBIFS */
		0x9123683e, /* Btrfs */
		0x00006969, /* NFS */
		0x01021997, /* 9p */
		0x65735546, /* FUSE */
	};

	for (size_t i = 0; i < sizeof(kernels) / sizeof(kernels[0]); i++)
		if (storage_is(makedev(0, 30), kernels[i]))
			fail_msg("%x: stores files", kernels[i]);
	for (size_t i = 0; i < sizeof(stores) / sizeof(stores[0]); i++)
		if (!storage_is(makedev(0, 30), stores[i]))
			fail_msg("%x: stores no files", stores[i]);
	assert_false(storage_is(makedev(0, 30), 0x12345678));
	assert_true(storage_is(makedev(179, 2), 0x12345678)); /* on an eMMC */
	assert_true(storage_is(makedev(31, 4), 0x72b6));      /* JFFS2, on an MTD device */
}

/* A file of the kernel's own is not even read to see whether it is code. */
static void test_not_touched(void **state)
{
	static const char *const names[] = {"/sys/kernel/tracing/README",
		"/sys/fs/cgroup/cgroup.procs", "/sys/fs/cgroup/unified/cgroup.procs"};
	static const struct paths real = {"/proc", "/sys", "/sys/kernel/tracing", NULL};
	char path[256], events[512];
	const char *name = NULL;
	int watch, fd;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]) && !name; i++)
		if (!access(names[i], R_OK))
			name = names[i];
	if (!name)
		skip_because("no file of tracefs or cgroup can be read");
	watch = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	assert_true(watch >= 0);
	assert_true(inotify_add_watch(watch, name, IN_ACCESS) >= 0);
	snprintf(path, sizeof(path), "/proc/%d/root%s", (int)getpid(), name);
	assert_int_equal(tree_open_read(&real, path), -EACCES);
	assert_int_equal(read(watch, events, sizeof(events)), -1);
	assert_int_equal(errno, EAGAIN);
	/* It would have been told. */
	fd = open(name, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_true(read(fd, path, sizeof(path)) > 0);
	close(fd);
	assert_true(read(watch, events, sizeof(events)) > 0);
	close(watch);
}

/* The effective user counts. */
static void put_status(const struct fake *fake, uid_t user)
{
	char status[128];

	snprintf(status, sizeof(status),
		"Name:\tUid: 1 2\nState:\tS (sleeping)\nPid:\t7\nUid:\t54321\t%u\t54321\t54321\n",
		(unsigned int)user);
	put_file(fake->proc, "7/status", status);
}

static void test_process_root(void **state)
{
	const struct fake *fake = *state;
	int fd;

	put_file(fake->dir, "else/secret", "secret");
	put_file(fake->proc, "7/root/secret", "also");
	put_file(fake->proc, "7/root/tmp/perf-7.map", "symbols");
	put_status(fake, geteuid());
	put_elf(fake, "proc/7/root/program", ET_DYN);
	put_elf(fake, "else/program", ET_DYN);
	make_link(fake, "/program", "proc/7/root/absolute");
	make_link(fake, "../../../../../../program", "proc/7/root/tmp/up");
	make_link(fake, "../secret", "proc/7/root/tmp/perf-8.map");
	fd = tree_open_read(&fake->paths, "/proc/7/root/program");
	assert_true(fd >= 0);
	close(fd);
	/* Within the root, wherever links point to. */
	fd = tree_open_read(&fake->paths, "/proc/7/root/absolute");
	assert_true(fd >= 0);
	close(fd);
	fd = tree_open_read(&fake->paths, "/proc/7/root/tmp/up");
	assert_true(fd >= 0);
	close(fd);
	expect_text(fake, "/proc/7/root/tmp/perf-7.map", "symbols");
	expect_error(fake, "/proc/7/root/tmp/perf-8.map", -ELOOP);
	expect_error(fake, "/proc/7/root/secret", -EACCES);
	expect_error(fake, "/proc/7/root/tmp", -EISDIR);
	expect_error(fake, "/proc/9/root/program", -ENOENT);
	fd = tree_open(&fake->paths, "/proc/7/root/secret", TREE_STAT, true);
	assert_true(fd >= 0);
	close(fd);
}

/* Symbols are a file that the process has made: no link to another's, no mount on its name. */
static void test_symbols(void **state)
{
	static const char path[] = "/proc/7/root/tmp/perf-7.map";
	const struct fake *fake = *state;
	char map[256], other[256];
	int fd;

	put_file(fake->proc, "7/root/tmp/perf-7.map", "symbols");
	snprintf(map, sizeof(map), "%s/7/root/tmp/perf-7.map", fake->proc);
	snprintf(other, sizeof(other), "%s/7/root/tmp/other", fake->proc);
	expect_error(fake, path, -EACCES); /* nobody knows the process's user */
	put_file(fake->proc, "7/status", "");
	expect_error(fake, path, -EACCES);
	put_status(fake, geteuid() + 1);
	expect_error(fake, path, -EACCES);
	fd = tree_open(&fake->paths, path, TREE_STAT, true);
	assert_true(fd >= 0);
	close(fd);
	put_status(fake, geteuid());
	expect_text(fake, path, "symbols");
	assert_int_equal(link(map, other), 0);
	expect_error(fake, path, -EACCES);
	assert_int_equal(unlink(other), 0);
	expect_text(fake, path, "symbols");
}

/* Whether a path in the process's root leads to its program. */
static int open_program(const struct fake *fake, const char *name)
{
	char path[256], real[256];
	struct stat opened, wanted;
	int fd;

	snprintf(path, sizeof(path), "/proc/7/root/%s", name);
	fd = tree_open_read(&fake->paths, path);
	if (fd < 0)
		return fd;
	snprintf(real, sizeof(real), "%s/7/root/program", fake->proc);
	assert_int_equal(fstat(fd, &opened) | stat(real, &wanted), 0);
	close(fd);
	return opened.st_ino == wanted.st_ino ? 0 : -EXDEV;
}

/* As the kernel does it for a process whose root that is. */
static void test_walk(void **state)
{
	static const struct {
		const char *target, *link;
	} links[] = {
		{"deep/../program", "up_again"},
		{"deep/./er/../../program", "dots"},
		{"deep/er", "directory"},
		{"deep//er/", "slashes"},
		{"/directory/../../program", "through_link"}, /* of the link's target, not of "/" */
		{"../../../else/program", "out"},
		{"/../../../else/program", "out_absolute"},
		{"loop", "loop"},
		{"none", "dangling"},
		{"program/x", "not_a_directory"},
		{"..", "dir_up"},
	};
	const struct fake *fake = *state;
	char name[256], target[64];
	int fd;

	put_elf(fake, "proc/7/root/program", ET_DYN);
	put_elf(fake, "else/program", ET_DYN);
	snprintf(name, sizeof(name), "%s/7/root/deep", fake->proc);
	assert_int_equal(mkdir(name, 0755), 0);
	strcat(name, "/er");
	assert_int_equal(mkdir(name, 0755), 0);
	for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++) {
		snprintf(name, sizeof(name), "proc/7/root/%s", links[i].link);
		make_link(fake, links[i].target, name);
	}
	make_link(fake, "../../program", "proc/7/root/deep/er/two_up");
	assert_int_equal(open_program(fake, "up_again"), 0);
	assert_int_equal(open_program(fake, "dots"), 0);
	assert_int_equal(open_program(fake, "through_link"), 0);
	assert_int_equal(open_program(fake, "directory/two_up"), 0);
	assert_int_equal(open_program(fake, "slashes/two_up"), 0);
	assert_int_equal(open_program(fake, "dir_up/dir_up/program"), 0);
	assert_int_equal(open_program(fake, "out"), -ENOENT);
	assert_int_equal(open_program(fake, "out_absolute"), -ENOENT);
	assert_int_equal(open_program(fake, "loop"), -ELOOP);
	assert_int_equal(open_program(fake, "dangling"), -ENOENT);
	assert_int_equal(open_program(fake, "not_a_directory"), -ENOTDIR);
	assert_int_equal(open_program(fake, "program/x"), -ENOTDIR);
	/* 40 links are as many as the kernel follows. */
	make_link(fake, "/program", "proc/7/root/link1");
	for (int i = 2; i <= 41; i++) {
		snprintf(target, sizeof(target), "link%d", i - 1);
		snprintf(name, sizeof(name), "proc/7/root/link%d", i);
		make_link(fake, target, name);
	}
	assert_int_equal(open_program(fake, "link40"), 0);
	assert_int_equal(open_program(fake, "link41"), -ELOOP);
	/* The link itself */
	fd = tree_open(&fake->paths, "/proc/7/root/loop", TREE_LINK, false);
	assert_true(fd >= 0);
	assert_int_equal(readlinkat(fd, "", target, sizeof(target)), strlen("loop"));
	close(fd);
	fd = tree_open(&fake->paths, "/proc/7/root/directory/two_up", TREE_LINK, false);
	assert_true(fd >= 0);
	close(fd);
}

/* A file system in user space fails with what it likes, as the filter does here for each component
 * of the path: that is an error, and no reason to start again. */
static void test_walk_again(void **state)
{
	const struct fake *fake = *state;
	int status;
	pid_t pid;

	put_elf(fake, "proc/7/root/program", ET_DYN);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);

		alarm(10);
		if (!filter ||
			seccomp_rule_add(filter, SCMP_ACT_ERRNO(EAGAIN), SCMP_SYS(openat), 1,
				SCMP_A2(SCMP_CMP_MASKED_EQ, O_NOFOLLOW, O_NOFOLLOW)) ||
			seccomp_load(filter))
			_exit(1);
		_exit(open_program(fake, "program") == -EAGAIN ? 0 : 2);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/* Each ".." of a link starts at the root again: a link cannot make that take for ever. */
static void test_walk_far(void **state)
{
	const struct fake *fake = *state;
	char target[PATH_MAX] = "";

	put_elf(fake, "proc/7/root/program", ET_DYN);
	for (int i = 0; i < 300; i++) {
		strcat(target, "tmp/../");
		if (i == 200) {
			strcat(target, "program");
			make_link(fake, target, "proc/7/root/far");
			target[strlen(target) - strlen("program")] = '\0';
		}
	}
	strcat(target, "program");
	make_link(fake, target, "proc/7/root/too_far");
	assert_int_equal(open_program(fake, "far"), 0);
	assert_int_equal(open_program(fake, "too_far"), -ELOOP);
}

static void test_writable(void **state)
{
	const struct fake *fake = *state;
	enum probe_event_kind kind;
	char real[PATH_MAX], wanted[256];

	assert_int_equal(tree_writable("/sys/kernel/tracing/kprobe_events", &kind), 0);
	assert_int_equal(kind, PROBE_EVENT_KPROBE);
	assert_int_equal(tree_writable("/sys/kernel/debug/tracing/uprobe_events", &kind), 0);
	assert_int_equal(kind, PROBE_EVENT_UPROBE);
	assert_int_equal(tree_writable("/sys/kernel/tracing/dynamic_events", &kind), -EACCES);
	assert_int_equal(tree_writable("/sys/kernel/tracing/tracing_on", &kind), -EACCES);
	assert_int_equal(tree_writable("/sys/kernel/tracing", &kind), -EACCES);
	assert_int_equal(tree_writable("/sys/kernel/tracing/x/kprobe_events", &kind), -EACCES);
	assert_int_equal(tree_writable("/etc/kprobe_events", &kind), -EACCES);
	assert_int_equal(tree_bpffs(&fake->paths, "/sys/fs/bpf/a/b", real), 0);
	snprintf(wanted, sizeof(wanted), "%s/fs/bpf/a/b", fake->sysfs);
	assert_string_equal(real, wanted);
	assert_int_equal(tree_bpffs(&fake->paths, "/sys/fs/bpf", real), -EACCES);
	assert_int_equal(tree_bpffs(&fake->paths, "/sys/fs/bpf/../x", real), -EACCES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_refused_names, setup, teardown),
		cmocka_unit_test_setup_teardown(test_rights, setup, teardown),
		cmocka_unit_test_setup_teardown(test_trees, setup, teardown),
		cmocka_unit_test_setup_teardown(test_links, setup, teardown),
		cmocka_unit_test_setup_teardown(test_code, setup, teardown),
		cmocka_unit_test(test_storage),
		cmocka_unit_test(test_not_touched),
		cmocka_unit_test_setup_teardown(test_process_root, setup, teardown),
		cmocka_unit_test_setup_teardown(test_symbols, setup, teardown),
		cmocka_unit_test_setup_teardown(test_walk, setup, teardown),
		cmocka_unit_test_setup_teardown(test_walk_again, setup, teardown),
		cmocka_unit_test_setup_teardown(test_walk_far, setup, teardown),
		cmocka_unit_test_setup_teardown(test_writable, setup, teardown),
	};

	return cmocka_run_group_tests_name("tree", tests, NULL, NULL);
}

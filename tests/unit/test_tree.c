/* SPDX-License-Identifier: Apache-2.0 */
/* Which files a client may see: by name, through links, and elsewhere code only.
 *
 * test_tree_root.c tests the roots of processes. */
#include "core/base/paths.h"
#include "core/bpfd/files/storage.h"
#include "core/bpfd/files/tree.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
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
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/skip.h"
#include "tests/unit/tree_test.h"

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
		"/dev/kmsgx"};
	const struct fake *fake = *state;
	char path[PATH_MAX];
	int fd;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (tree_rights(&fake->paths, names[i]))
			fail_msg("%s: has rights", names[i]);
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

/* Links in the trees are followed if the client may see their target. */
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
	fd = tree_open(&fake->paths, "/sys/kernel/escape", TREE_LINK, false); /* the link itself */
	assert_true(fd >= 0);
	close(fd);
}

/* A device links to its driver, its bus and its firmware node, which lead to all other devices. */
static void test_device_links(void **state)
{
	static const char *const dirs[] = {"sys/block", "sys/class", "sys/class/net",
		"sys/class/block", "sys/module", "sys/module/nic", "sys/module/nic/drivers",
		"sys/bus/usb", "sys/bus/usb/drivers", "sys/bus/usb/drivers/nic",
		"sys/bus/usb/devices", "sys/devices/hub", "sys/devices/hub/nic",
		"sys/devices/hub/nic/net", "sys/devices/hub/nic/net/eth0",
		"sys/devices/hub/nic/net/eth0/statistics", "sys/devices/hub/key",
		"sys/devices/virtual", "sys/devices/virtual/net", "sys/devices/virtual/net/br0",
		"sys/devices/acpi"};
	static const char *const links[][2] = {
		{"../../devices/hub/nic/net/eth0", "sys/class/net/eth0"},
		{"../../devices/virtual/net/br0", "sys/class/net/br0"},
		{"../..", "sys/devices/hub/nic/net/eth0/device"},
		{"../../../../../class/net", "sys/devices/hub/nic/net/eth0/subsystem"},
		{"../../../../virtual/net/br0", "sys/devices/hub/nic/net/eth0/master"},
		{"../../../bus/usb/drivers/nic", "sys/devices/hub/nic/driver"},
		{"../../../bus/usb", "sys/devices/hub/nic/subsystem"},
		{"../../acpi", "sys/devices/hub/nic/firmware_node"},
		{"../../../key", "sys/devices/hub/nic/net/eth0/other"},
		{"../../../../devices/hub/key", "sys/bus/usb/drivers/nic/key"},
		{"../../../devices/hub/key", "sys/bus/usb/devices/key"},
		{"../../../bus/usb/drivers/nic", "sys/module/nic/drivers/usb:nic"},
	};
	static const char *const allowed[] = {"/sys/class/net/eth0/mtu",
		"/sys/class/net/eth0/statistics/rx", "/sys/class/net/eth0/device/vendor",
		"/sys/class/net/eth0/master/mtu", "/sys/class/net/eth0/subsystem/br0/mtu",
		"/sys/class/net/eth0/device/net/eth0/mtu"};
	static const char *const refused[] = {"/sys/class/net/eth0/device/driver/key/serial",
		"/sys/class/net/eth0/device/subsystem/devices/key/serial",
		"/sys/class/net/eth0/device/firmware_node/path", "/sys/class/net/eth0/other/serial",
		"/sys/module/nic/drivers/usb:nic/key/serial", "/sys/devices/hub/key/serial",
		"/sys/class/net/eth0/subsystem/eth0/device/driver/key/serial",
		"/sys/class/net/eth0/device/driver/none", "/sys/class/net/eth0/other/none"};
	const struct fake *fake = *state;
	int fd;

	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++)
		put_directory(fake->dir, dirs[i]);
	for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++)
		make_link(fake, links[i][0], links[i][1]);
	put_file(fake->sysfs, "devices/hub/nic/vendor", "fine");
	put_file(fake->sysfs, "devices/hub/nic/net/eth0/mtu", "fine");
	put_file(fake->sysfs, "devices/hub/nic/net/eth0/statistics/rx", "fine");
	put_file(fake->sysfs, "devices/virtual/net/br0/mtu", "fine");
	put_file(fake->sysfs, "devices/hub/key/serial", "secret");
	put_file(fake->sysfs, "devices/acpi/path", "secret");
	for (size_t i = 0; i < sizeof(allowed) / sizeof(allowed[0]); i++)
		expect_text(fake, allowed[i], "fine");
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		expect_error(fake, refused[i], -EACCES);
		assert_int_equal(tree_open(&fake->paths, refused[i], TREE_STAT, true), -EACCES);
	}
	/* Where the links lead is in their text, which may be read. */
	fd = tree_open(&fake->paths, "/sys/class/net/eth0/device/driver", TREE_LINK, false);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(
		tree_open_directory(&fake->paths, "/sys/class/net/eth0/device/firmware_node"),
		-EACCES);
}

/* Returns the client's path of a file in the fake tree, outside /proc and /sys. */
static const char *outside(const struct fake *fake, const char *name)
{
	static char path[256];

	snprintf(path, sizeof(path), "%s/%s", fake->dir, name);
	return path;
}

static void test_code(void **state)
{
	static const char *const hidden[] = {"else/core", "else/text", "else/secret",
		"else/to_secret", "else/fifo", "else/mem", "else/kcore", "else/directory",
		"else/loop", "else/secret/x", "else/program/x", "else/none", "else/none/x"};
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
	/* The client does not even learn that another file exists. */
	put_directory(fake->dir, "else/directory");
	make_link(fake, "loop", "else/loop");
	for (size_t i = 0; i < sizeof(hidden) / sizeof(hidden[0]); i++) {
		const char *path = outside(fake, hidden[i]);

		expect_error(fake, path, -ENOENT);
		assert_int_equal(tree_open(&fake->paths, path, TREE_STAT, true), -ENOENT);
		assert_int_equal(tree_open(&fake->paths, path, TREE_STAT, false), -ENOENT);
		assert_int_equal(tree_access(&fake->paths, path, F_OK), -ENOENT);
		assert_int_equal(tree_access(&fake->paths, path, W_OK), -EACCES);
		assert_int_equal(tree_open_directory(&fake->paths, path), -EACCES);
		assert_int_equal(tree_open(&fake->paths, path, TREE_LINK, false), -EACCES);
	}
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
			fail_msg("%x: counts as storage", kernels[i]);
	for (size_t i = 0; i < sizeof(stores) / sizeof(stores[0]); i++)
		if (!storage_is(makedev(0, 30), stores[i]))
			fail_msg("%x: does not count as storage", stores[i]);
	assert_false(storage_is(makedev(0, 30), 0x12345678));
	assert_true(storage_is(makedev(179, 2), 0x12345678)); /* on an eMMC */
	assert_true(storage_is(makedev(31, 4), 0x72b6));      /* JFFS2, on an MTD device */
}

/* A file of the kernel's own is not read, not even to find out whether it is code. */
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
	assert_int_equal(tree_open_read(&real, path), -ENOENT);
	assert_int_equal(read(watch, events, sizeof(events)), -1);
	assert_int_equal(errno, EAGAIN);
	/* inotify does report a read of that file. */
	fd = open(name, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_true(read(fd, path, sizeof(path)) > 0);
	close(fd);
	assert_true(read(watch, events, sizeof(events)) > 0);
	close(watch);
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
		cmocka_unit_test_setup_teardown(test_device_links, setup, teardown),
		cmocka_unit_test_setup_teardown(test_code, setup, teardown),
		cmocka_unit_test(test_storage),
		cmocka_unit_test(test_not_touched),
		cmocka_unit_test_setup_teardown(test_writable, setup, teardown),
	};

	return cmocka_run_group_tests_name("tree", tests, NULL, NULL);
}

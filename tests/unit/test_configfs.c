/* SPDX-License-Identifier: Apache-2.0 */
/* Tests configfs/ on plain directories: refusals, cleanup and --check.
 *
 * What needs a real configfs is tested in the VM by tests/e2e/configfs.sh. */
#include "configfs/attr.h"
#include "configfs/gadget_tree.h"
#include "configfs/kconfig.h"
#include "configfs/kernel.h"
#include "core/base/paths.h"
#include "core/link/link.h"
#include "tests/unit/configfs_test.h"
#include "tests/unit/skip.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <zlib.h>

#define GADGET "configfs/usb_gadget/bpfd"

static void test_attr(void **state)
{
	char path[PATH_MAX], text[8], name[NAME_MAX + 2];
	struct board *b = *state;

	assert_int_equal(path_format(path, "%s/%d", "a", 1), 0);
	assert_string_equal(path, "a/1");
	assert_int_equal(path_format(path, "%*s", PATH_MAX, "x"), -ENAMETOOLONG);
	assert_string_equal(path, "");
	assert_int_equal(path_format(path, "%*s", PATH_MAX - 1, "x"), 0);

	memset(name, 'n', sizeof(name));
	name[NAME_MAX + 1] = '\0';
	assert_false(attr_is_name(name));
	assert_true(attr_is_name(name + 1));
	assert_true(attr_is_name("a.b"));
	assert_false(attr_is_name("a/b"));

	board_write(b, "dir/a", "one\ntwo", 7);
	assert_int_equal(attr_read(board_path(b, "dir/a"), text, sizeof(text)), 3);
	assert_string_equal(text, "one");
	board_write(b, "dir/a", "on\0e\n", 5);
	assert_int_equal(attr_read(board_path(b, "dir/a"), text, sizeof(text)), 2);
	board_write(b, "dir/a", "123456789", 9);
	assert_int_equal(attr_read(board_path(b, "dir/a"), text, sizeof(text)), 7);
	assert_int_equal(attr_read(board_path(b, "dir"), text, sizeof(text)), -EISDIR);
	assert_int_equal(attr_read(board_path(b, "none"), text, sizeof(text)), -ENOENT);
	assert_string_equal(text, "");

	assert_int_equal(attr_write(board_path(b, "none"), "x"), -ENOENT); /* makes no file */
	assert_int_equal(attr_write(board_path(b, "dir/a"), "x"), 0);
}

static void test_kernel(void **state)
{
	struct board *b = *state;

	assert_false(kernel_has_filesystem(&b->options, "ext4"));
	board_put(b, "proc/filesystems", "nodev\tsysfs\n\text4\nnodev\tfunctionfs\n");
	assert_true(kernel_has_filesystem(&b->options, "ext4"));
	assert_true(kernel_has_filesystem(&b->options, "functionfs"));
	assert_false(kernel_has_filesystem(&b->options, "function"));
	assert_false(kernel_has_filesystem(&b->options, "ext"));

	assert_false(kernel_has_module(&b->options, "libcomposite"));
	assert_false(kernel_has_module_list(&b->options));
	board_put(b, board_module_file("modules.dep"),
		"kernel/a/xlibcomposite.ko:\n"
		"kernel/a/g.ko.xz: kernel/a/libcomposite.ko.xz\n"
		"kernel/a/usb_f_fs.ko.xz: kernel/a/libcomposite.ko.xz\n");
	assert_true(kernel_has_module_list(&b->options));
	assert_false(kernel_has_module(&b->options, "libcomposite"));
	assert_false(kernel_has_module(&b->options, "usb_f"));
	assert_true(kernel_has_module(&b->options, "usb_f_fs"));
	board_put(b, board_module_file("modules.builtin"), "kernel/a/libcomposite.ko\n");
	assert_true(kernel_has_module(&b->options, "libcomposite"));
}

static void test_kconfig(void **state)
{
	struct kconfig_option list[] = {{"CONFIG_A", "", 0}, {"CONFIG_AB", "", 0},
		{"CONFIG_C", "", 0}, {"CONFIG_D", "", 0}};
	struct board *b = *state;
	char name[300];
	struct utsname uts;
	gzFile file;

	assert_int_equal(kconfig_read(&b->options, list, 4), -ENOENT);
	uname(&uts);
	snprintf(name, sizeof(name), "boot/config-%s", uts.release);
	board_put(b, name, "CONFIG_A=y\nCONFIG_AB=m\n# CONFIG_C is not set\nCONFIG_D=\"x\"\n");
	assert_int_equal(kconfig_read(&b->options, list, 4), 0);
	assert_int_equal(list[0].value, 'y');
	assert_int_equal(list[1].value, 'm');
	assert_int_equal(list[2].value, 'n');
	assert_int_equal(list[3].value, 'n');
	board_put(b, board_module_file("config"), "CONFIG_D=m\n");
	assert_int_equal(kconfig_read(&b->options, list, 4), 0);
	assert_int_equal(list[3].value, 'm');
	file = gzopen(board_path(b, "proc/config.gz"), "w");
	gzputs(file, "CONFIG_C=y\n");
	gzclose(file);
	assert_int_equal(kconfig_read(&b->options, list, 4), 0);
	assert_int_equal(list[0].value, 'n');
	assert_int_equal(list[2].value, 'y');
}

static void make_leftover(const struct board *b)
{
	board_mkdir(b, GADGET "/functions/ffs.bpfd0");
	board_mkdir(b, GADGET "/functions/ffs.bpfd11");
	board_mkdir(b, GADGET "/configs/c.1/strings/0x409");
	board_mkdir(b, GADGET "/strings/0x409");
	board_mkdir(b, GADGET "/os_desc");
	assert_int_equal(symlink("x", board_path(b, GADGET "/configs/c.1/ffs.bpfd0")), 0);
	assert_int_equal(symlink("x", board_path(b, GADGET "/os_desc/c.1")), 0);
}

static void test_tree(void **state)
{
	struct board *b = *state;
	char function[32];

	assert_int_equal(gadget_tree_remove(board_path(b, GADGET)), 0); /* no such directory */
	make_leftover(b);
	/* Only in configfs does rmdir() remove a gadget together with its four directories. */
	assert_int_equal(gadget_tree_remove(board_path(b, GADGET)), -ENOTEMPTY);
	assert_false(board_has(b, GADGET "/functions/ffs.bpfd0"));
	assert_false(board_has(b, GADGET "/os_desc/c.1"));
	assert_false(board_has(b, GADGET "/strings/0x409"));
	assert_true(board_has(b, GADGET "/configs/c.1/strings"));

	assert_int_equal(
		gadget_tree_foreign_function(board_path(b, "none"), "bpfd", function, 32), 0);
	board_mkdir(b, GADGET "/functions/ffs.bpfd3");
	assert_int_equal(
		gadget_tree_foreign_function(board_path(b, GADGET), "bpfd", function, 32), 0);
	assert_int_equal(
		gadget_tree_foreign_function(board_path(b, GADGET), "bpf", function, 32), 1);
	assert_string_equal(function, "ffs.bpfd3");
	board_mkdir(b, GADGET "/functions/acm.0");
	assert_int_equal(
		gadget_tree_foreign_function(board_path(b, GADGET), "bpfd", function, 32), 1);
	assert_string_equal(function, "acm.0");
}

static void test_options(void **state)
{
	struct board *b = *state;
	struct gadget *g = NULL;

	assert_int_equal(b->options.vendor_id, 0x1d6b);
	assert_int_equal(b->options.product_id, 0x0104);
	assert_int_equal(gadget_create(&b->options, &g), -EINVAL); /* no serial */
	b->options.serial = "s\n";
	assert_int_equal(gadget_create(&b->options, &g), -EINVAL);
	b->options.serial = "s";
	b->options.lanes = 0;
	assert_int_equal(gadget_create(&b->options, &g), -EINVAL);
	b->options.lanes = LANES_MAX + 1;
	assert_int_equal(gadget_create(&b->options, &g), -EINVAL);
	b->options.lanes = 1;
	b->options.name = "a/b";
	assert_int_equal(gadget_create(&b->options, &g), -EINVAL);
	b->options.name = "";
	assert_int_equal(gadget_create(&b->options, &g), -EINVAL);
	b->options.name = ".hidden";
	assert_int_equal(gadget_create(&b->options, &g), -EINVAL);
	b->options.name = "a123456789012345678901234567890";
	assert_int_equal(gadget_create(&b->options, &g), -EINVAL);
	assert_null(g);
	assert_false(board_has(b, "run"));
}

static void test_create_fails(void **state)
{
	struct board *b = *state;
	struct gadget *g = NULL;

	b->options.serial = "s";
	assert_int_equal(gadget_create(&b->options, &g), -ENOENT); /* no configfs */
	board_mkdir(b, "configfs/usb_gadget");
	/* Outside configfs a new directory has no attributes, so the step after mkdir() fails. */
	assert_int_equal(gadget_create(&b->options, &g), -ENOENT);
	assert_null(g);
	assert_false(board_has(b, GADGET));
	assert_false(board_has(b, "run"));
	board_put(b, "run/foreign", "");
	assert_int_equal(gadget_create(&b->options, &g), -ENOENT);
	assert_true(board_has(b, "run/foreign"));
	assert_false(board_has(b, "run/usb_gadget"));
}

static void test_foreign(void **state)
{
	struct board *b = *state;
	struct gadget *g;

	b->options.serial = "s";
	make_leftover(b);
	board_mkdir(b, GADGET "/functions/acm.0");
	assert_int_equal(gadget_create(&b->options, &g), -EEXIST);
	assert_int_equal(gadget_remove_leftover(&b->options), -EEXIST);
	assert_true(board_has(b, GADGET "/functions/ffs.bpfd0"));
	assert_true(board_has(b, GADGET "/os_desc/c.1"));
}

static void test_remove_leftover(void **state)
{
	struct board *b = *state;

	assert_int_equal(gadget_remove_leftover(&b->options), 0); /* nothing is left */
	board_mkdir(b, "configfs/usb_gadget/other/functions/ffs.bpfd0");
	make_leftover(b);
	board_mkdir(b, "run/bpfd0");
	board_mkdir(b, "run/bpfd14");
	board_mkdir(b, "run/bpfd99"); /* no lane of ours: its number is too high */
	board_mkdir(b, "run/usb_gadget");
	assert_int_equal(symlink("x", board_path(b, "run/usb_gadget/bpfd")), 0);
	assert_int_equal(gadget_remove_leftover(&b->options), -ENOTEMPTY); /* see test_tree */
	assert_false(board_has(b, GADGET "/functions/ffs.bpfd0"));
	assert_true(board_has(b, "configfs/usb_gadget/other/functions/ffs.bpfd0"));
	assert_false(board_has(b, "run/bpfd0"));
	assert_false(board_has(b, "run/bpfd14"));
	assert_true(board_has(b, "run/bpfd99"));
	assert_false(board_has(b, "run/usb_gadget"));
	/* Still bound after everything is unmounted: a daemon in another mount namespace lives. */
	board_mkdir(b, GADGET "/functions/ffs.bpfd0");
	board_put(b, GADGET "/UDC", "u0\n");
	board_put(b, "sys/class/udc/u0/function", "bpfd");
	assert_int_equal(gadget_remove_leftover(&b->options), -EBUSY);
	assert_true(board_has(b, GADGET "/functions/ffs.bpfd0"));
	assert_int_equal(unlink(board_path(b, "sys/class/udc/u0/function")), 0);
	assert_int_equal(gadget_remove_leftover(&b->options), -EBUSY); /* as on old kernels */
	assert_true(board_has(b, GADGET "/functions/ffs.bpfd0"));
}

/* A daemon was killed while its controller was away. The kernel keeps the controller's name in the
 * UDC file, also when the controller is back or another gadget uses it. */
static void test_remove_stale(void **state)
{
	static const char *const functions[] = {NULL, "", "other"};
	struct board *b = *state;

	for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]); i++) {
		board_mkdir(b, GADGET "/functions/ffs.bpfd0");
		board_put(b, GADGET "/UDC", "u0\n");
		if (functions[i])
			board_put(b, "sys/class/udc/u0/function", functions[i]);
		assert_int_equal(
			gadget_remove_leftover(&b->options), -ENOTEMPTY); /* see test_tree */
		assert_false(board_has(b, GADGET "/functions/ffs.bpfd0"));
	}
}

static void test_mounts(void **state)
{
	struct board *b = *state;
	char mounts[1024];

	if (umount2(b->root, 0) < 0 && errno == EPERM)
		skip_because("umount(2) is not permitted here");
	make_leftover(b);
	board_mkdir(b, "run/bpfd0");
	board_mkdir(b, "elsewhere of mine");
	board_mkdir(b, "running/bpfd0");
	board_mkdir(b, "theirs");
	snprintf(mounts, sizeof(mounts),
		"bpfd0 %s/run/bpfd0 functionfs rw 0 0\n"
		"bpfd11 %s/elsewhere\\040of\\040mine functionfs rw 0 0\n"
		"bpfd1 %s/running/bpfd0 functionfs rw 0 0\n"
		"bpfd0 %s/theirs tmpfs rw 0 0\n",
		b->root, b->root, b->root, b->root);
	board_put(b, "proc/self/mounts", mounts);
	gadget_remove_leftover(&b->options);
	assert_false(board_has(b, "run/bpfd0"));
	assert_false(board_has(b, "elsewhere of mine"));
	assert_true(board_has(b, "running/bpfd0")); /* an instance of no lane of ours */
	assert_true(board_has(b, "theirs"));
}

/* Starts a process that holds a daemon's lock until *pipe_end is closed. */
static pid_t hold_lock(const struct board *b, int *pipe_end)
{
	int ready[2], done[2];
	char byte;
	pid_t pid;

	assert_int_equal(pipe(ready) | pipe(done), 0);
	board_mkdir(b, "run");
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		int fd = open(b->ffs_dir, O_RDONLY);

		close(done[1]);
		if (fd < 0 || flock(fd, LOCK_EX) < 0 || write(ready[1], "x", 1) != 1)
			_exit(1);
		_exit(read(done[0], &byte, 1) == 0 ? 0 : 1);
	}
	close(ready[1]);
	close(done[0]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	*pipe_end = done[1];
	return pid;
}

static void test_lock(void **state)
{
	struct board *b = *state;
	struct gadget *g;
	int pipe_end;
	pid_t pid;

	b->options.serial = "s";
	make_leftover(b);
	pid = hold_lock(b, &pipe_end);
	assert_int_equal(gadget_create(&b->options, &g), -EBUSY);
	assert_int_equal(gadget_remove_leftover(&b->options), -EBUSY);
	assert_true(board_has(b, GADGET "/functions/ffs.bpfd0"));
	close(pipe_end);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_int_equal(gadget_remove_leftover(&b->options), -ENOTEMPTY);
	assert_false(board_has(b, GADGET "/functions/ffs.bpfd0"));
}

/* Runs gadget_check() and returns its verdict; writes the lines to `text`. */
static bool check(const struct board *b, char text[8192])
{
	FILE *out = fmemopen(text, 8192, "w");
	bool works = gadget_check(&b->options, out);

	fclose(out);
	return works;
}

static void assert_line(const char *text, const char *line)
{
	if (!strstr(text, line))
		fail_msg("line \"%s\" is missing in:\n%s", line, text);
}

static void test_check_missing(void **state)
{
	struct board *b = *state;
	char text[8192];

	assert_false(check(b, text));
	assert_line(text,
		"note    configfs: unknown; it needs CONFIG_CONFIGFS_FS or module configfs\n");
	assert_line(text, "missing controller: none");
	assert_line(text, "missing serial number: the board has none");
	assert_line(text, "note    kernel configuration: not found");
	board_put(b, board_module_file("modules.dep"), "kernel/configfs.ko:\n");
	board_put(b, board_module_file("config"), "CONFIG_USB_CONFIGFS=m\n");
	assert_false(check(b, text));
	assert_line(text, "ok      configfs: will be loaded (module configfs)\n");
	assert_line(text, "missing libcomposite: not installed; install module libcomposite\n");
	assert_line(text, "missing FunctionFS: not in the kernel; set CONFIG_USB_CONFIGFS_F_FS or "
			  "install module usb_f_fs\n");
	assert_line(text, "note    CONFIG_BPF_SYSCALL: not set: no BPF\n");
	assert_line(text, "ok      CONFIG_USB_CONFIGFS: m\n");
	assert_false(board_has(b, "run"));
	assert_null(strstr(text, "kprobes:"));
}

/* Settings with which the kernel attaches kprobes, but does not run them. */
static void test_check_kprobes(void **state)
{
	struct board *b = *state;
	char text[8192];

	board_put(b, "proc/sys/kernel/ftrace_enabled", "1\n");
	board_put(b, "sys/kernel/debug/kprobes/enabled", "1\n");
	check(b, text);
	assert_null(strstr(text, "kprobes:"));
	board_put(b, "proc/sys/kernel/ftrace_enabled", "0\n");
	check(b, text);
	assert_line(text, "note    kprobes: kernel.ftrace_enabled is 0");
	board_put(b, "sys/kernel/debug/kprobes/enabled", "0\n");
	check(b, text);
	assert_line(text, "note    kprobes: kprobes are disabled and do not run; write 1 to ");
}

/* Settings that stop tracing, and what --check says where all is well. */
static void test_check_tracing(void **state)
{
	struct board *b = *state;
	char text[8192];

	check(b, text);
	assert_line(text, "note    tracefs: not mounted");
	assert_line(text, "note    PMU: none");
	assert_null(strstr(text, "lockdown:"));
	board_put(b, "sys/kernel/security/lockdown", "none integrity [confidentiality]\n");
	board_put(b, "proc/sys/kernel/kptr_restrict", "2\n");
	board_put(b, "proc/sys/kernel/perf_event_paranoid", "3\n");
	board_mkdir(b, "sys/bus/event_source/devices/software");
	check(b, text);
	assert_line(text, "note    lockdown: confidentiality: ");
	assert_line(text, "note    kptr_restrict: 2: kernel symbols have no addresses");
	assert_line(text, "note    perf_event_paranoid: 3: ");
	assert_line(text, "note    PMU: none");
	board_put(b, "sys/kernel/security/lockdown", "none [integrity] confidentiality\n");
	board_put(b, "proc/sys/kernel/kptr_restrict", "1\n");
	board_mkdir(b, "sys/bus/event_source/devices/armv8_cortex_a53");
	board_mkdir(b, "sys/kernel/debug/tracing/events");
	check(b, text);
	assert_line(text, "ok      lockdown: none [integrity] confidentiality\n");
	assert_line(text, "ok      kptr_restrict: 1\n");
	assert_line(text, "ok      PMU: armv8_cortex_a53\n");
	assert_line(text, "ok      tracefs: mounted\n");
}

static void test_check_works(void **state)
{
	struct board *b = *state;
	bool root = geteuid() == 0;
	char text[8192];

	board_put(b, "proc/filesystems", "nodev\tfunctionfs\nnodev\tconfigfs\n");
	board_put(b, "configfs/usb_gadget/g1/UDC", "u0\n");
	board_put(b, "sys/class/udc/u0/state", "configured\n");
	board_put(b, "sys/class/udc/u1/state", "not attached\n");
	board_put(b, "sys/class/udc/u1/maximum_speed", "high-speed\n");
	b->options.serial = "mine";
	assert_int_equal(check(b, text), root);
	assert_line(text, root ? "ok      user: root\n" : "missing user: not root");
	assert_line(text, "ok      libcomposite: present\n");
	assert_line(text, "ok      FunctionFS: present\n");
	assert_line(text, "note    controller u0: taken by gadget g1\n");
	assert_line(text, "ok      controller u1: free (not attached, high-speed)\n");
	assert_line(text, "ok      serial number: mine (option)\n");
	assert_line(text,
		root ? "verdict bpfd-gadget can run here\n"
		     : "verdict bpfd-gadget cannot run here; the lines \"missing\" say why\n");

	board_put(b, "configfs/usb_gadget/bpfd/UDC", "u1\n");
	assert_int_equal(check(b, text), root);
	assert_line(text, "ok      controller u1: serves gadget bpfd");
	assert_line(text, "note    gadget bpfd: exists already");
	board_mkdir(b, GADGET "/functions/acm.0");
	assert_false(check(b, text));
	assert_line(
		text, "missing gadget bpfd: has function acm.0, so it is not ours; remove it\n");
	board_put(b, "configfs/usb_gadget/g2/UDC", "u1\n");
	board_put(b, "configfs/usb_gadget/bpfd/UDC", "\n");
	assert_false(check(b, text));
	assert_line(text, "missing controller: none is free; share one with --join or unbind its "
			  "gadget\n");
}

/* board/kernel.config sets all options that --check looks for, except the one for BTF: the kernel's
 * types cost memory, so the user decides. The test runs from the top of the sources, like
 * tests/test. */
static void test_check_fragment(void **state)
{
	struct board *b = *state;
	char text[8192], fragment[4096] = "";
	FILE *file = fopen("board/kernel.config", "re");
	char *line, *rest = text;

	assert_non_null(file);
	assert_true(fread(fragment, 1, sizeof(fragment) - 1, file) < sizeof(fragment) - 1);
	fclose(file);
	board_put(b, board_module_file("config"), fragment);
	check(b, text);
	assert_line(text, "note    CONFIG_DEBUG_INFO_BTF: not set");
	while ((line = strsep(&rest, "\n"))) {
		if (strstr(line, ": not set") && !strstr(line, "CONFIG_DEBUG_INFO_BTF"))
			fail_msg("board/kernel.config lacks an option: %s", line);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		board_test(test_attr),
		board_test(test_kernel),
		board_test(test_kconfig),
		board_test(test_tree),
		board_test(test_options),
		board_test(test_create_fails),
		board_test(test_foreign),
		board_test(test_remove_leftover),
		board_test(test_remove_stale),
		board_test(test_mounts),
		board_test(test_lock),
		board_test(test_check_missing),
		board_test(test_check_kprobes),
		board_test(test_check_tracing),
		board_test(test_check_works),
		board_test(test_check_fragment),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

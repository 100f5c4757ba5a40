/* SPDX-License-Identifier: Apache-2.0 */
/* path_resolve(): which of the tool's paths name files of the board. */
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "host-usb/run/files/path.h"
#include "tests/unit/fake_tree.h"
#include "tests/unit/run_test.h"

static char resolved[PATH_MAX];

static int setup(void **state)
{
	*state = board_start(NULL);
	return 0;
}

static int teardown(void **state)
{
	board_stop(*state);
	return 0;
}

static int resolve_at(struct board *board, int dirfd, const char *path)
{
	const struct call call = board_call(board, 0, NULL);

	strcpy(resolved, "nothing");
	return path_resolve(&call, dirfd, user(path), true, resolved);
}

static int resolve(struct board *board, const char *path)
{
	return resolve_at(board, AT_FDCWD, path);
}

static void assert_board(struct board *board, const char *path, const char *wanted)
{
	if (resolve(board, path) != 1)
		fail_msg("%s is not the board's", path);
	assert_string_equal(resolved, wanted);
}

static void assert_workstation(struct board *board, const char *path)
{
	if (resolve(board, path) != 0)
		fail_msg("%s is the board's", path);
}

static void test_trees(void **state)
{
	static const char *const board[] = {"/proc", "/proc/kallsyms", "/proc/version",
		"/proc/sys/kernel/perf_event_paranoid", "/sys/kernel", "/sys/kernel/btf/vmlinux",
		"/sys/kernel/debug/tracing/events", "/sys/devices/system/cpu/possible",
		"/sys/fs/bpf/x", "/sys/bus/event_source/devices/kprobe/type", "/sys/module",
		"/sys/class/net/eth0", "/proc/cmdline", "/proc/filesystems", "/proc/kmsg",
		"/proc/kcore", "/proc/irq/1/smp_affinity", "/sys/fs/cgroup/cgroup.procs",
		"/dev/kmsg"};
	static const char *const workstation[] = {"", "/", "/sys", "/sys/", "/sysx", "/sysx/kernel",
		"/sys/kernelx", "/sys/class", "/sys/fs/bpfx", "/procx", "/procx/kallsyms",
		"/proc/self", "/proc/self/maps", "/proc/thread-self/stat", "/proc/mounts",
		"/proc/net/dev", "/sys/devices/system", "/sys/bus/usb/devices", "/etc/passwd",
		"/home/proc/kallsyms", "/dev/null", "/dev/kmsgx", "/dev"};

	for (size_t i = 0; i < sizeof(board) / sizeof(board[0]); i++)
		assert_board(*state, board[i], board[i]);
	for (size_t i = 0; i < sizeof(workstation) / sizeof(workstation[0]); i++)
		assert_workstation(*state, workstation[i]);
}

static void test_normal_form(void **state)
{
	assert_board(*state, "//proc//kallsyms", "/proc/kallsyms");
	assert_board(*state, "///////sys/./kernel/.//btf/", "/sys/kernel/btf");
	assert_board(*state, "/proc/", "/proc");
	assert_board(*state, "/proc/.", "/proc");
	assert_board(*state, "/proc/self/../kallsyms", "/proc/kallsyms");
	assert_board(*state, "/sys/../proc/modules", "/proc/modules");
	assert_board(*state, "/proc/../../../proc/modules", "/proc/modules");
	assert_board(*state, "/sys/kernel/..kernel", "/sys/kernel/..kernel");
	assert_board(*state, "/proc/self/root/sys/kernel/btf", "/sys/kernel/btf");
	assert_board(*state, "/proc/self/root/proc/thread-self/root//proc/stat", "/proc/stat");
	assert_workstation(*state, "/proc/self/root");
	assert_workstation(*state, "/proc/self/root/etc/passwd");
	assert_workstation(*state, "/proc/self/rootx/sys/kernel");
	assert_board(*state, "/sys/kernel/...", "/sys/kernel/...");
	assert_workstation(*state, "/sys/kernel/..");
	assert_workstation(*state, "/sys/kernel/../../etc/passwd");
	assert_workstation(*state, "/proc/kallsyms/../../etc/shadow");
	assert_workstation(*state, "/proc/..");
	assert_workstation(*state, "/sys/kernel/../../sysx/kernel");
}

static void test_processes(void **state)
{
	char path[64];
	int status, number = 400000;
	pid_t child = fork();

	if (child == 0) {
		pause();
		_exit(0);
	}
	assert_true(child > 0);
	snprintf(path, sizeof(path), "/proc/%d/maps", (int)getpid());
	assert_workstation(*state, path);
	snprintf(path, sizeof(path), "/proc/%d", (int)child);
	assert_workstation(*state, path);
	kill(child, SIGKILL);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_board(*state, path, path); /* the process no longer exists here */

	snprintf(path, sizeof(path), "/proc/%d/comm", (int)getppid());
	assert_board(*state, path, path);
	assert_board(*state, "/proc/1/ns/mnt", "/proc/1/ns/mnt");
	snprintf(path, sizeof(path), "/proc/%d/root/lib", number);
	assert_board(*state, path, path);
	assert_board(*state, "/proc/12x", "/proc/12x"); /* refused */
	assert_workstation(*state, "/proc/99999999999999999999/stat");
}

static void test_relative(void **state)
{
	struct board *board = *state;
	struct object *object = board_object(board, OBJECT_DIRECTORY, RPC_NO_HANDLE);
	int proc = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC), cwd = open(".", O_RDONLY);

	object->path = strdup("/sys/kernel/tracing");
	assert_int_equal(resolve_at(board, object->fd, "events/sched"), 1);
	assert_string_equal(resolved, "/sys/kernel/tracing/events/sched");
	assert_int_equal(resolve_at(board, object->fd, "../../../etc/passwd"), -ENOENT);
	assert_int_equal(resolve_at(board, object->fd, "../../../proc/stat"), 1);
	assert_string_equal(resolved, "/proc/stat");
	assert_int_equal(resolve_at(board, object->fd, "/etc/passwd"), 0);

	assert_true(proc >= 0);
	assert_int_equal(resolve_at(board, proc, "kallsyms"), 1);
	assert_string_equal(resolved, "/proc/kallsyms");
	assert_int_equal(resolve_at(board, proc, "self/maps"), 0);
	assert_int_equal(resolve_at(board, proc + 100, "kallsyms"), 0); /* not open */
	assert_int_equal(resolve_at(board, -1, "kallsyms"), 0);

	assert_int_equal(resolve(board, "kallsyms"), 0);
	assert_int_equal(fchdir(proc), 0);
	assert_int_equal(resolve(board, "kallsyms"), 1);
	assert_string_equal(resolved, "/proc/kallsyms");
	assert_int_equal(resolve(board, "../etc/passwd"), 0);
	assert_int_equal(fchdir(cwd), 0);
	close(proc);
	close(cwd);
}

/* Relative paths that start at the root directory or in a sibling of /proc and /sys. */
static void test_relative_to_root(void **state)
{
	struct board *board = *state;
	int root = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC), cwd = open(".", O_RDONLY),
	    pipes[2];

	assert_true(root >= 0 && cwd >= 0);
	assert_int_equal(resolve_at(board, root, "proc/version"), 1);
	assert_string_equal(resolved, "/proc/version");
	assert_int_equal(resolve_at(board, root, "./sys//kernel/btf"), 1);
	assert_string_equal(resolved, "/sys/kernel/btf");
	assert_int_equal(resolve_at(board, root, "etc/passwd"), 0);
	assert_int_equal(resolve_at(board, root, ""), 0);
	assert_int_equal(fchdir(root), 0);
	assert_int_equal(resolve(board, "proc/version"), 1);
	assert_string_equal(resolved, "/proc/version");
	assert_int_equal(resolve(board, "../../proc/version"), 1);
	assert_int_equal(chdir("/tmp"), 0);
	assert_int_equal(resolve(board, "../proc/kallsyms"), 1);
	assert_string_equal(resolved, "/proc/kallsyms");
	assert_int_equal(resolve(board, "../tmp/proc/kallsyms"), 0);
	assert_int_equal(fchdir(cwd), 0);
	/* A path cannot be relative to a pipe. */
	assert_int_equal(pipe(pipes), 0);
	assert_int_equal(resolve_at(board, pipes[0], "../proc/version"), 0);
	close(pipes[0]);
	close(pipes[1]);
	close(root);
	close(cwd);
}

static void make_link(const char *target, const char *name)
{
	if (symlink(target, name) < 0)
		fail_msg("%s: %s", name, strerror(errno));
}

/* Links of the workstation, in the current directory, that lead into the board's trees. */
static void make_links(char directory[static 64])
{
	strcpy(directory, "/tmp/test_run_path.XXXXXX");
	assert_non_null(mkdtemp(directory));
	assert_int_equal(chdir(directory), 0);
	make_link("/sys/kernel", "kernel");
	make_link("kernel", "again");
	make_link("../../proc/kallsyms", "symbols");
	make_link("/sys/kernel/only/there", "dangling");
	make_link("/sys/./fs/bpf/../bpf", "dots");
	make_link("loop", "loop");
	make_link("/proc/self/maps", "maps");
	make_link("/etc", "etc");
	assert_int_equal(mkdir("sub", 0755), 0);
	make_link("../again", "sub/up");
}

static void assert_at(
	struct board *board, const char *directory, const char *rest, const char *wanted)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", directory, rest);
	if (wanted)
		assert_board(board, path, wanted);
	else
		assert_workstation(board, path);
}

static void test_links(void **state)
{
	static const char *const links[][2] = {{"kernel", "/sys/kernel"},
		{"kernel/btf/vmlinux", "/sys/kernel/btf/vmlinux"},
		{"kernel/no/such", "/sys/kernel/no/such"}, {"again//btf/", "/sys/kernel/btf"},
		{"sub/up/btf", "/sys/kernel/btf"}, {"sub/../again/btf", "/sys/kernel/btf"},
		{"symbols", "/proc/kallsyms"}, {"dangling", "/sys/kernel/only/there"},
		{"dangling/x", "/sys/kernel/only/there/x"}, {"dots/x", "/sys/fs/bpf/x"},
		{"loop", NULL}, {"loop/x", NULL}, {"maps", NULL}, {"etc/passwd", NULL},
		{"no/such", NULL}, {"sub", NULL}, {"etc/passwd/x", NULL}};
	char directory[64], path[128];
	struct board *board = *state;
	const struct call call = board_call(board, 0, NULL);
	int cwd = open(".", O_RDONLY | O_CLOEXEC), err;
	struct rlimit before, none;

	make_links(directory);
	for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++) {
		assert_at(board, directory, links[i][0], links[i][1]);
		assert_at(board, ".", links[i][0], links[i][1]);
		assert_at(board, "/proc/self/cwd", links[i][0], links[i][1]);
	}
	/* Of calls that do not follow the last link, such as unlink(2), only the directories count.
	 */
	snprintf(path, sizeof(path), "%s/kernel", directory);
	assert_int_equal(path_resolve(&call, AT_FDCWD, user(path), false, resolved), 0);
	assert_int_equal(path_resolve(&call, AT_FDCWD, user("dangling"), false, resolved), 0);
	assert_int_equal(path_resolve(&call, AT_FDCWD, user("dots/x"), false, resolved), 1);
	assert_string_equal(resolved, "/sys/fs/bpf/x");
	/* Without a descriptor the answer is an error, not the workstation's file. */
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = before;
	none.rlim_cur = 0;
	snprintf(path, sizeof(path), "%s/kernel/btf", directory);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	err = resolve(board, path);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_int_equal(err, -EMFILE);
	assert_int_equal(fchdir(cwd), 0);
	close(cwd);
	remove_tree(directory);
}

/* Descriptors, and links to the tool's own process, stay here. */
static void test_links_of_tool(void **state)
{
	static const char *const paths[] = {"/dev/stdin", "/dev/fd/0", "/proc/self/fd/0",
		"/etc/mtab", "/proc/self/exe", "/proc/self/cwd", "/proc/mounts", "/proc/net/dev",
		"/dev/null"};

	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
		assert_workstation(*state, paths[i]);
}

/* Invalid paths are left to the workstation's kernel, which reports the error. */
static void test_refused_by_kernel(void **state)
{
	struct board *board = *state;
	const struct call call = board_call(board, 0, NULL);
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	char long_path[PATH_MAX + 1];
	char *pages =
		mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	memset(long_path, '/', sizeof(long_path));
	memcpy(long_path + PATH_MAX - 15, "/proc/kallsyms", 15);
	assert_int_equal(strlen(long_path), PATH_MAX - 1);
	assert_int_equal(resolve(board, long_path), 1); /* the longest valid path */
	assert_string_equal(resolved, "/proc/kallsyms");
	memcpy(long_path + PATH_MAX - 14, "/proc/kallsyms", 15);
	assert_int_equal(resolve(board, long_path), 0);

	assert_int_equal(path_resolve(&call, AT_FDCWD, 0, true, resolved), 0);
	assert_int_equal(path_resolve(&call, AT_FDCWD, UINT64_MAX, true, resolved), 0);
	/* A path that ends exactly at the end of mapped memory, and one without its NUL there. */
	assert_true(pages != MAP_FAILED);
	assert_int_equal(munmap(pages + page, page), 0);
	memcpy(pages + page - 15, "/proc/kallsyms", 15);
	assert_int_equal(resolve(board, pages + page - 15), 1);
	memcpy(pages + page - 14, "/proc/kallsyms", 14);
	assert_int_equal(path_resolve(&call, AT_FDCWD, user(pages + page - 14), true, resolved), 0);
	munmap(pages, page);
}

/* The linker replaces these functions; see the Makefile. */
ssize_t __real_process_vm_readv(pid_t pid, const struct iovec *to, unsigned long to_count,
	const struct iovec *from, unsigned long from_count, unsigned long flags);
ssize_t __wrap_process_vm_readv(pid_t pid, const struct iovec *to, unsigned long to_count,
	const struct iovec *from, unsigned long from_count, unsigned long flags);
ssize_t __real_readlink(const char *path, char *to, size_t size);
ssize_t __wrap_readlink(const char *path, char *to, size_t size);

static int read_error, link_error; /* 0: none */

ssize_t __wrap_process_vm_readv(pid_t pid, const struct iovec *to, unsigned long to_count,
	const struct iovec *from, unsigned long from_count, unsigned long flags)
{
	if (!read_error)
		return __real_process_vm_readv(pid, to, to_count, from, from_count, flags);
	errno = read_error;
	return -1;
}

ssize_t __wrap_readlink(const char *path, char *to, size_t size)
{
	if (!link_error)
		return __real_readlink(path, to, size);
	errno = link_error;
	return -1;
}

/* Whether the path is the board's is unknown: a local call could have a wrong result. */
static void test_unreadable(void **state)
{
	struct board *board = *state;

	read_error = ENOMEM;
	assert_int_equal(resolve(board, "/proc/kallsyms"), -ENOMEM);
	assert_int_equal(board->run.lookup_error, -ENOMEM);
	board->run.lookup_error = 0;
	read_error = EFAULT;
	assert_int_equal(resolve(board, "/proc/kallsyms"), 0);
	assert_int_equal(board->run.lookup_error, 0);
	read_error = 0;
	link_error = ENOMEM;
	assert_int_equal(resolve(board, "kallsyms"), 0);
	assert_int_equal(board->run.lookup_error, -ENOMEM);
	board->run.lookup_error = 0;
	link_error = ENOENT; /* no such descriptor */
	assert_int_equal(resolve_at(board, 900, "kallsyms"), 0);
	assert_int_equal(board->run.lookup_error, 0);
	link_error = 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_trees, setup, teardown),
		cmocka_unit_test_setup_teardown(test_normal_form, setup, teardown),
		cmocka_unit_test_setup_teardown(test_processes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_relative, setup, teardown),
		cmocka_unit_test_setup_teardown(test_relative_to_root, setup, teardown),
		cmocka_unit_test_setup_teardown(test_links, setup, teardown),
		cmocka_unit_test_setup_teardown(test_links_of_tool, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refused_by_kernel, setup, teardown),
		cmocka_unit_test_setup_teardown(test_unreadable, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* System calls on files of the board that are refused, by processes under the real filter. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <sys/xattr.h>

#include <cmocka.h>

#include "host-usb/run/calls/refused_calls.h"
#include "tests/unit/live_test.h"
#include "tests/unit/log_capture.h"
#include "tests/unit/skip.h"

#define TRACEFS "/sys/kernel/tracing"
#define PATH	TRACEFS "/instances/x"

/* The call fails with EPERM. */
#define REFUSED(call) MUST((call) == -1 && errno == EPERM)

static long call5(long number, long a, const void *b, long c, long d, long e)
{
	return syscall(number, a, b, c, d, e);
}

static void tool_by_path(void)
{
	char handle[200] = {0};
	int fd = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	MUST(fd >= 0);
	REFUSED(chmod(PATH, 0700));
	REFUSED(call5(SYS_fchmodat, AT_FDCWD, PATH, 0700, 0, 0));
	REFUSED(call5(__NR_fchmodat2, AT_FDCWD, PATH, 0700, 0, 0));
	REFUSED(chown(PATH, 0, 0));
	REFUSED(lchown(PATH, 0, 0));
	REFUSED(fchownat(AT_FDCWD, PATH, 0, 0, 0));
	REFUSED(link(PATH, "/tmp/bpfd-test-link"));
	REFUSED(link("/etc/passwd", PATH));
	REFUSED(linkat(AT_FDCWD, PATH, fd, "bpfd-test-link", 0));
	REFUSED(linkat(AT_FDCWD, "/etc/passwd", AT_FDCWD, PATH, 0));
	REFUSED(symlink("/etc", PATH));
	REFUSED(symlinkat("/etc", fd, PATH));
	REFUSED(mknod(PATH, S_IFIFO | 0600, 0));
	REFUSED(mknodat(fd, PATH, S_IFIFO | 0600, 0));
	REFUSED(truncate(PATH, 0));
#ifdef __NR_utimes
	REFUSED(syscall(SYS_utimes, PATH, NULL));
	REFUSED(syscall(SYS_utime, PATH, NULL));
	REFUSED(syscall(SYS_mknod, PATH, S_IFIFO | 0600, 0));
	REFUSED(syscall(SYS_futimesat, AT_FDCWD, PATH, NULL));
#endif
	REFUSED(utimensat(AT_FDCWD, PATH, NULL, 0));
	REFUSED(setxattr(PATH, "user.x", "", 0, 0));
	REFUSED(lsetxattr(PATH, "user.x", "", 0, 0));
	REFUSED(removexattr(PATH, "user.x"));
	REFUSED(lremovexattr(PATH, "user.x"));
	REFUSED(call5(__NR_setxattrat, AT_FDCWD, PATH, 0, 0, 0));
	REFUSED(call5(__NR_removexattrat, AT_FDCWD, PATH, 0, 0, 0));
	REFUSED(call5(__NR_file_getattr, AT_FDCWD, PATH, 0, 0, 0));
	REFUSED(call5(__NR_file_setattr, AT_FDCWD, PATH, 0, 0, 0));
	REFUSED(mount("tracefs", TRACEFS, "tracefs", 0, NULL));
	REFUSED(mount(TRACEFS, "/tmp/bpfd-test-none", NULL, MS_BIND, NULL));
	REFUSED(umount2(TRACEFS, 0));
	REFUSED(call5(__NR_open_tree, AT_FDCWD, PATH, 0, 0, 0));
	REFUSED(call5(__NR_open_tree_attr, AT_FDCWD, PATH, 0, 0, 0));
	REFUSED(call5(__NR_fspick, AT_FDCWD, PATH, 0, 0, 0));
	REFUSED(call5(__NR_mount_setattr, AT_FDCWD, PATH, 0, 0, 0));
	REFUSED(call5(__NR_move_mount, AT_FDCWD, "/tmp", AT_FDCWD, (long)PATH, 0));
	REFUSED(chroot("/proc/400000/root"));
	REFUSED(syscall(SYS_pivot_root, "/tmp", PATH));
	REFUSED(inotify_add_watch(inotify_init1(IN_CLOEXEC), PATH, IN_MODIFY));
	REFUSED(syscall(SYS_fanotify_mark, -1, 1, 2ULL, AT_FDCWD, PATH));
	REFUSED(name_to_handle_at(AT_FDCWD, PATH, (void *)handle, (int *)handle, 0));
	MUST(open("/proc/kcore", O_RDONLY) == -1 && errno == EACCES);
	MUST(open("/proc/sysrq-trigger", O_WRONLY) == -1 && errno == EACCES);
}

/* The tool's descriptor is that of an empty directory of the workstation. */
static void tool_by_descriptor(void)
{
	int fd = open(TRACEFS, O_RDONLY | O_DIRECTORY | O_CLOEXEC), copy = dup(fd);
	int contents = open("/proc/version", O_RDONLY | O_CLOEXEC);
	struct statfs fs;

	MUST(fd >= 0 && copy >= 0 && copy < fd && contents >= 0);
	REFUSED(fchmodat(copy, "instances", 0700, 0));
	REFUSED(symlinkat("/etc", fd, "link"));
	REFUSED(mknodat(copy, "fifo", S_IFIFO | 0600, 0));
	REFUSED(utimensat(fd, "instances", NULL, 0));
	REFUSED(fchmod(copy, 0700));
	REFUSED(fchown(fd, 0, 0));
	REFUSED(fchownat(copy, "", 0, 0, AT_EMPTY_PATH));
	REFUSED(futimens(copy, NULL));
	REFUSED(fsetxattr(fd, "user.x", "", 0, 0));
	REFUSED(fremovexattr(fd, "user.x"));
	REFUSED(fchmod(contents, 0600));
	REFUSED(ftruncate(contents, 0));
	REFUSED(fallocate(contents, 0, 0, 1));
	MUST(fgetxattr(copy, "user.x", NULL, 0) == -1 && errno == EOPNOTSUPP);
	MUST(flistxattr(copy, NULL, 0) == -1 && errno == EOPNOTSUPP);
	MUST(fstatfs(copy, &fs) == 0 && fs.f_type == 0x74726163);
}

static void tool_reads_attributes(void)
{
	MUST(getxattr(PATH, "user.x", NULL, 0) == -1 && errno == EOPNOTSUPP);
	MUST(lgetxattr(PATH, "user.x", NULL, 0) == -1 && errno == EOPNOTSUPP);
	MUST(listxattr(PATH, NULL, 0) == -1 && errno == EOPNOTSUPP);
	MUST(llistxattr(PATH, NULL, 0) == -1 && errno == EOPNOTSUPP);
	MUST(call5(__NR_getxattrat, AT_FDCWD, PATH, 0, 0, 0) == -1 && errno == EOPNOTSUPP);
	MUST(call5(__NR_listxattrat, AT_FDCWD, PATH, 0, 0, 0) == -1 && errno == EOPNOTSUPP);
}

/* The workstation's files are the workstation's. */
static void tool_own_files(void)
{
	char path[] = "/tmp/bpfd-test.XXXXXX", other[64];
	int fd = mkstemp(path), memory = memfd_create("own", MFD_CLOEXEC);
	struct stat st;

	MUST(fd >= 0 && memory >= 0);
	snprintf(other, sizeof(other), "%s.link", path);
	MUST(chmod(path, 0640) == 0 && fchmod(fd, 0600) == 0);
	MUST(link(path, other) == 0 && stat(path, &st) == 0 && st.st_nlink == 2);
	MUST(unlink(other) == 0 && symlink(path, other) == 0 && unlink(other) == 0);
	MUST(ftruncate(fd, 5) == 0 && truncate(path, 3) == 0 && ftruncate(memory, 7) == 0);
	MUST(utimensat(AT_FDCWD, path, NULL, 0) == 0 && futimens(fd, NULL) == 0);
	MUST(unlink(path) == 0 && mkdir(path, 0700) == 0 && chdir(path) == 0);
	MUST(open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC) >= 0 && rmdir(path) == 0);
	fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	MUST(fd >= 0 && fchdir(fd) == 0);
}

static void test_own_files(void **state)
{
	struct board *board = live_start();

	assert_int_equal(run_tool(board, tool_own_files), 0);
	assert_int_equal(board->count, 0);
	live_stop(board);
}

/* Runs the tool; returns what was logged. */
static const char *logged_by(struct board *board, void (*tool)(void))
{
	int status;
	const char *log;

	log_begin();
	status = run_tool(board, tool);
	log = log_end();
	if (status)
		print_message("%s", log);
	assert_int_equal(status, 0);
	return log;
}

static unsigned int count_lines(const char *text)
{
	unsigned int n = 0;

	for (; (text = strchr(text, '\n')); text++)
		n++;
	return n;
}

/* Each refused call is logged with its name and path, and nothing is sent to the board. */
static void test_by_path(void **state)
{
	static const char *const calls[] = {
		"fchownat",
		"linkat",
		"symlinkat",
		"mknodat",
		"truncate",
		"setxattr",
		"fchmodat2",
		"inotify_add_watch",
		"name_to_handle_at",
#ifdef __NR_chmod
		"chmod",
		"chown",
		"lchown",
		"link",
		"symlink",
		"utimes",
#endif
	};
	struct board *board = live_start();
	const char *log = logged_by(board, tool_by_path);
	char line[200];

	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		snprintf(line, sizeof(line), PATH ": %s is not supported for files of the board\n",
			calls[i]);
		if (!strstr(log, line))
			fail_msg("not logged: %s", line);
	}
	assert_non_null(strstr(log, ": /proc/400000/root: chroot is not supported"));
	assert_non_null(strstr(log, ": /proc/kcore: openat is not supported"));
	assert_non_null(strstr(log, ": /proc/sysrq-trigger: openat is not supported"));
	assert_true(count_lines(log) >= 41);
	assert_int_equal(board->count, 0);
	log = logged_by(board, tool_reads_attributes);
	assert_string_equal(log, "");
	assert_int_equal(board->count, 0);
	live_stop(board);
}

static void put_directory(struct board *board)
{
	const struct rpc_stat st = {.mode = S_IFDIR | 0700, .ino = 5};

	rpc_put_stat(board_reply(board, RPC_FILE_STAT, 0), &st);
	board_ready(board);
}

static void test_by_descriptor(void **state)
{
	struct board *board = live_start();
	const char *log;

	put_directory(board);
	rpc_put_string(board_reply(board, RPC_FILE_READ, 0), "Linux board\n");
	board_ready(board);
	put_directory(board); /* fstatfs(2) */
	log = logged_by(board, tool_by_descriptor);
	assert_non_null(strstr(log, ": " TRACEFS "/instances: fchmodat is not supported"));
	assert_non_null(strstr(log, ": " TRACEFS "/link: symlinkat is not supported"));
	assert_non_null(strstr(log, ": ftruncate is not supported"));
	assert_int_equal(count_lines(log), 13);
	live_stop(board);
}

/* The working directory is the workstation's: only where both have the same directory do relative
 * names mean the board. */
static void tool_chdir(void)
{
	MUST(chdir("/proc/sys/kernel") == 0);
	MUST(open("ostype", O_RDONLY) >= 0);
	MUST(chdir("/sys/kernel/no-such-directory") == -1 && errno == ENOENT);
	MUST(chdir("/proc/400000/root") == -1 && errno == ENOENT);
	MUST(chdir("/proc/version") == -1 && errno == ENOTDIR);
	MUST(chdir("/sys/kernel/gone") == -1 && errno == ENOENT);
}

static void test_chdir(void **state)
{
	const struct rpc_stat file = {.mode = S_IFREG | 0400};
	struct board *board = live_start();
	const char *log;

	put_directory(board);
	rpc_put_string(board_reply(board, RPC_FILE_READ, 0), "Linux\n");
	board_ready(board);
	put_directory(board);
	put_directory(board);
	rpc_put_stat(board_reply(board, RPC_FILE_STAT, 0), &file);
	board_ready(board);
	board_reply_ret(board, RPC_FILE_STAT, -ENOENT);
	log = logged_by(board, tool_chdir);
	assert_non_null(strstr(log, ": /sys/kernel/no-such-directory: cannot be entered"));
	assert_non_null(strstr(log, ": /proc/400000/root: cannot be entered"));
	assert_int_equal(count_lines(log), 2);
	live_stop(board);
}

/* fchdir(2) enters a directory that only the board has. Names that lead from there to the
 * workstation are refused: the kernel would start at the stand-in. */
static void tool_fchdir(void)
{
	int fd = open("/sys/kernel/only", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char path[64] = "";
	int status;
	pid_t child;

	MUST(fd >= 0 && fchdir(fd) == 0 && close(fd) == 0);
	MUST(access("/etc/passwd", F_OK) == 0);
	MUST(open("file", O_RDONLY) >= 0);
	MUST(syscall(SYS_getcwd, path, 10UL) == -1 && errno == ERANGE);
	MUST(syscall(SYS_getcwd, path, 64UL) == 17 && strcmp(path, "/sys/kernel/only") == 0);
	child = fork(); /* inherits the directory */
	if (child == 0)
		_exit(open("../file", O_RDONLY) < 0);
	MUST(waitpid(child, &status, 0) == child && status == 0);
	MUST(open("../../../etc/passwd", O_RDONLY) == -1 && errno == ENOENT);
	MUST(unlink("../../../tmp/bpfd-test-none") == -1 && errno == ENOENT);
	MUST(chdir("..") == -1 && errno == ENOENT);
	MUST(chdir("/tmp") == 0 && open("../etc/passwd", O_RDONLY) >= 0);
	MUST(getcwd(path, sizeof(path)) && strcmp(path, "/tmp") == 0);
}

static void test_fchdir(void **state)
{
	struct board *board = live_start();
	char path[64];
	const char *log;

	put_directory(board);
	for (int i = 0; i < 2; i++) {
		rpc_put_string(board_reply(board, RPC_FILE_READ, 0), "text");
		board_ready(board);
	}
	put_directory(board);
	log = logged_by(board, tool_fchdir);
	board_asked(board, RPC_FILE_STAT);
	for (int i = 0; i < 2; i++) {
		struct bytes_in in = board_asked(board, RPC_FILE_READ);

		assert_true(rpc_get_string(&in, path, sizeof(path)));
		assert_string_equal(path, i ? "/sys/kernel/file" : "/sys/kernel/only/file");
	}
	assert_non_null(strstr(log, ": /etc/passwd: not reached from the board's directory"));
	assert_non_null(strstr(log, ": /sys/kernel: cannot be entered"));
	assert_int_equal(count_lines(log), 3);
	live_stop(board);
}

/* Programs and modules. modprobe is a program that does nothing. */
static void tool_modules(void)
{
	char directory[] = "/tmp/bpfd-test.XXXXXX", path[64];
	char *argv[] = {path, NULL}, *none[] = {NULL};
	pid_t child;
	int status;

	MUST(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/modprobe", directory);
	MUST(symlink("/bin/true", path) == 0);
	child = fork();
	if (child == 0) {
		execve(path, argv, none);
		_exit(99);
	}
	MUST(waitpid(child, &status, 0) == child && status == 0);
	MUST(unlink(path) == 0 && rmdir(directory) == 0);
	REFUSED(syscall(SYS_init_module, "", 0UL, ""));
	REFUSED(syscall(SYS_finit_module, -1, "", 0));
	REFUSED(syscall(SYS_delete_module, "no-such-module", O_NONBLOCK));
	MUST(execve("/proc/400000/exe", argv, none) == -1 && errno == EACCES);
	MUST(execve("/sys/kernel/x", argv, none) == -1 && errno == EACCES);
	status = open("/proc/version", O_RDONLY | O_CLOEXEC);
	MUST(syscall(SYS_execveat, status, "", argv, none, AT_EMPTY_PATH) == -1 && errno == EACCES);
}

static void tool_old_cgroup(void)
{
	char handle[16] = {8};
	int mount;

	REFUSED(name_to_handle_at(AT_FDCWD, "/sys/fs/cgroup/a", (void *)handle, &mount, 0));
}

/* The id of a control group of the board, as bpftrace asks for it. */
static void tool_cgroup(void)
{
	struct {
		struct file_handle head;
		uint64_t id;
	} handle = {.head.handle_bytes = 0};
	struct statfs fs;
	int mount, fd;

	MUST(name_to_handle_at(AT_FDCWD, "/sys/fs/cgroup/a", &handle.head, &mount, 0) == -1);
	MUST(errno == EOVERFLOW && handle.head.handle_bytes == 8);
	MUST(name_to_handle_at(AT_FDCWD, "/sys/fs/cgroup/a", &handle.head, &mount, 0) == 0);
	MUST(handle.head.handle_bytes == 8 && handle.id == 0x100000002a);
	MUST(name_to_handle_at(AT_FDCWD, "/sys/fs/cgroup/b", &handle.head, &mount, 0) == -1);
	MUST(errno == ENOENT);
	REFUSED(name_to_handle_at(AT_FDCWD, PATH, &handle.head, &mount, 0));
	MUST(statfs("/sys/fs/cgroup", &fs) == 0 && fs.f_type == 0x63677270);
	REFUSED(mkdir("/sys/fs/cgroup/new", 0700));
	fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	MUST(name_to_handle_at(fd, "tmp", &handle.head, &mount, 0) == 0 || errno == EOVERFLOW ||
		errno == EOPNOTSUPP);
}

static void test_cgroup(void **state)
{
	const struct rpc_stat st = {.mode = S_IFDIR | 0755, .ino = 0x100000002a};
	struct board *board = live_start();
	const char *log;

	board->run.board.word_bits = 64;
	for (int i = 0; i < 2; i++) {
		rpc_put_stat(board_reply(board, RPC_FILE_STAT, 0), &st);
		board_ready(board);
	}
	board_reply_ret(board, RPC_FILE_STAT, -ENOENT);
	for (int i = 0; i < 2; i++) {
		rpc_put_stat(board_reply(board, RPC_FILE_STAT, 0), &st);
		board_ready(board);
	}
	board_reply_ret(board, RPC_FILE_STAT, -ENOENT);
	log = logged_by(board, tool_cgroup);
	assert_non_null(strstr(log, PATH ": name_to_handle_at is not supported"));
	assert_non_null(strstr(log, ": /sys/fs/cgroup/new: mkdir"));
	/* Before Linux 5.5 the inode number is not the id. */
	strcpy(board->run.board.release, "5.4.99");
	log = logged_by(board, tool_old_cgroup);
	assert_non_null(strstr(log, ": /sys/fs/cgroup/a: name_to_handle_at is not supported"));
	live_stop(board);
}

static void test_modules(void **state)
{
	struct board *board = live_start();
	const char *log;

	rpc_put_string(board_reply(board, RPC_FILE_READ, 0), "Linux board\n");
	board_ready(board);
	log = logged_by(board, tool_modules);
	assert_non_null(strstr(log, "/modprobe: runs on this workstation and cannot change"));
	assert_non_null(strstr(log, ": init_module is not supported"));
	assert_non_null(strstr(log, ": finit_module is not supported"));
	assert_non_null(strstr(log, ": delete_module is not supported"));
	assert_non_null(strstr(log, ": /proc/400000/exe: execve is not supported"));
	assert_non_null(strstr(log, ": execveat is not supported"));
	assert_int_equal(count_lines(log), 7);
	live_stop(board);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_own_files),
		cmocka_unit_test(test_by_path),
		cmocka_unit_test(test_by_descriptor),
		cmocka_unit_test(test_chdir),
		cmocka_unit_test(test_fchdir),
		cmocka_unit_test(test_cgroup),
		cmocka_unit_test(test_modules),
	};

	return live_run(tests);
}

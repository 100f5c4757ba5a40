/* SPDX-License-Identifier: Apache-2.0 */
/* unlink(2), rmdir(2), mkdir(2), rename(2) and variants on names of the board. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <cmocka.h>

#include "tests/unit/log_capture.h"
#include "tests/unit/run_test.h"

#define BPFFS	"/sys/fs/bpf"
#define TRACEFS "/sys/kernel/tracing"

static struct board *start(void)
{
	struct board *board = board_start(NULL);

	board_files(board);
	board->run.board.minor = RPC_MINOR;
	return board;
}

static int64_t run_call(struct board *board, int number, call_handler *handler, uint64_t a,
	uint64_t b, uint64_t c, uint64_t d, uint64_t e)
{
	const uint64_t args[6] = {a, b, c, d, e};
	const struct call call = board_call(board, number, args);

	return handler(&call);
}

static int64_t unlink_at(struct board *board, int dirfd, const char *path, int flags)
{
	return run_call(board, __NR_unlinkat, sys_unlinkat, (uint64_t)dirfd, user(path),
		(uint64_t)flags, 0, 0);
}

static int64_t mkdir_at(struct board *board, int dirfd, const char *path, int mode)
{
	return run_call(board, __NR_mkdirat, sys_mkdirat, (uint64_t)dirfd, user(path),
		(uint64_t)mode, 0, 0);
}

static int64_t rename_at(
	struct board *board, int fd, const char *from, int fd2, const char *to, uint32_t flags)
{
	return run_call(board, __NR_renameat2, sys_renameat2, (uint64_t)fd, user(from),
		(uint64_t)fd2, user(to), flags);
}

static void assert_asked(struct board *board, enum rpc_op op, const char *path, uint32_t number)
{
	struct bytes_in in = board_asked(board, op);
	char got[128];

	assert_true(rpc_get_string(&in, got, sizeof(got)));
	assert_string_equal(got, path);
	assert_int_equal(bytes_get_u32(&in), number);
	assert_true(bytes_get_end(&in));
}

static void assert_renamed(struct board *board, const char *from, const char *to, uint32_t flags)
{
	struct bytes_in in = board_asked(board, RPC_FILE_RENAME);
	char got[128];

	assert_true(rpc_get_string(&in, got, sizeof(got)));
	assert_string_equal(got, from);
	assert_true(rpc_get_string(&in, got, sizeof(got)));
	assert_string_equal(got, to);
	assert_int_equal(bytes_get_u32(&in), flags);
	assert_true(bytes_get_end(&in));
}

/* Names in bpffs, by path, by a descriptor of the board's directory and by one of the
 * workstation's. The board's result is the call's. */
static void test_served(void **state)
{
	struct board *board = start();
	struct object *directory = board_object(board, OBJECT_DIRECTORY, RPC_NO_HANDLE);
	int root = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC), old = (int)umask(027);

	directory->path = strdup(BPFFS "/dir");
	board_reply_ret(board, RPC_FILE_REMOVE, 0);
	assert_int_equal(unlink_at(board, AT_FDCWD, BPFFS "/x", 0), 0);
	assert_asked(board, RPC_FILE_REMOVE, BPFFS "/x", 0);
	board_reply_ret(board, RPC_FILE_REMOVE, -ENOTEMPTY);
	assert_int_equal(unlink_at(board, directory->fd, "sub/", AT_REMOVEDIR), -ENOTEMPTY);
	assert_asked(board, RPC_FILE_REMOVE, BPFFS "/dir/sub", RPC_RMDIR);
	board_reply_ret(board, RPC_FILE_REMOVE, 0);
	assert_int_equal(unlink_at(board, root, "sys/fs/bpf/y", 0), 0);
	assert_asked(board, RPC_FILE_REMOVE, BPFFS "/y", 0);
	board_reply_ret(board, RPC_FILE_MKDIR, 0);
	assert_int_equal(mkdir_at(board, directory->fd, "new", 01777), 0);
	assert_asked(board, RPC_FILE_MKDIR, BPFFS "/dir/new", 01750);
	board_reply_ret(board, RPC_FILE_RENAME, -EEXIST);
	assert_int_equal(rename_at(board, directory->fd, "a", AT_FDCWD, BPFFS "/b", 1), -EEXIST);
	assert_renamed(board, BPFFS "/dir/a", BPFFS "/b", 1);
	board_reply_ret(board, RPC_FILE_REMOVE, 5); /* a board that does not follow the protocol */
	assert_int_equal(unlink_at(board, AT_FDCWD, BPFFS "/x", 0), -EIO);
#ifdef __NR_unlink
	assert_asked(board, RPC_FILE_REMOVE, BPFFS "/x", 0);
	for (int i = 0; i < 2; i++)
		board_reply_ret(board, RPC_FILE_REMOVE, 0);
	board_reply_ret(board, RPC_FILE_MKDIR, 0);
	for (int i = 0; i < 2; i++)
		board_reply_ret(board, RPC_FILE_RENAME, 0);
	assert_int_equal(run_call(board, __NR_unlink, sys_unlink, user(BPFFS "/x"), 0, 0, 0, 0), 0);
	assert_int_equal(run_call(board, __NR_rmdir, sys_rmdir, user(BPFFS "/x"), 0, 0, 0, 0), 0);
	assert_int_equal(
		run_call(board, __NR_mkdir, sys_mkdir, user(BPFFS "/x"), 0777, 0, 0, 0), 0);
	assert_int_equal(run_call(board, __NR_rename, sys_rename, user(BPFFS "/x"),
				 user(BPFFS "/y"), 0, 0, 0),
		0);
	assert_int_equal(run_call(board, __NR_renameat, sys_renameat, (uint64_t)AT_FDCWD,
				 user(BPFFS "/x"), (uint64_t)directory->fd, user("y"), 1),
		0);
	assert_asked(board, RPC_FILE_REMOVE, BPFFS "/x", 0);
	assert_asked(board, RPC_FILE_REMOVE, BPFFS "/x", RPC_RMDIR);
	assert_asked(board, RPC_FILE_MKDIR, BPFFS "/x", 0750);
	assert_renamed(board, BPFFS "/x", BPFFS "/y", 0);
	assert_renamed(board, BPFFS "/x", BPFFS "/dir/y", 0);
#endif
	umask((mode_t)old);
	close(root);
	board_stop(board);
}

/* What the kernel refuses in a name before it looks at the file system. */
static void test_last_components(void **state)
{
	const struct rpc_stat file = {.mode = S_IFREG};
	struct board *board = start();

	assert_int_equal(unlink_at(board, AT_FDCWD, BPFFS "/a/.", AT_REMOVEDIR), -EINVAL);
	assert_int_equal(unlink_at(board, AT_FDCWD, BPFFS "/a/b/..", AT_REMOVEDIR), -ENOTEMPTY);
	assert_int_equal(unlink_at(board, AT_FDCWD, BPFFS "/a/./", AT_REMOVEDIR), -EINVAL);
	assert_int_equal(unlink_at(board, AT_FDCWD, BPFFS "/a/.", 0), -EISDIR);
	assert_int_equal(unlink_at(board, AT_FDCWD, BPFFS "/a/", 0), -ENOTDIR);
	assert_int_equal(rename_at(board, AT_FDCWD, BPFFS "/a/.", AT_FDCWD, BPFFS "/b", 0), -EBUSY);
	assert_int_equal(
		rename_at(board, AT_FDCWD, BPFFS "/a", AT_FDCWD, BPFFS "/b/x/..", 0), -EBUSY);
	rpc_put_stat(board_reply(board, RPC_FILE_STAT, 0), &file);
	board_ready(board);
	assert_int_equal(
		rename_at(board, AT_FDCWD, BPFFS "/a/", AT_FDCWD, BPFFS "/b", 0), -ENOTDIR);
	assert_int_equal(unlink_at(board, AT_FDCWD, BPFFS "/a", ~AT_REMOVEDIR), CALL_CONTINUE);
	assert_int_equal(board->count, 1);
	board_stop(board);
}

/* Names of the workstation, and names on both sides. */
static void test_workstation(void **state)
{
	struct board *board = start();

	assert_int_equal(unlink_at(board, AT_FDCWD, "/tmp/x", 0), CALL_CONTINUE);
	assert_int_equal(unlink_at(board, AT_FDCWD, "/tmp/x/.", AT_REMOVEDIR), CALL_CONTINUE);
	assert_int_equal(mkdir_at(board, AT_FDCWD, "/sys/fs/x", 0700), CALL_CONTINUE);
	assert_int_equal(
		rename_at(board, AT_FDCWD, "/tmp/x", AT_FDCWD, "/tmp/y", 0), CALL_CONTINUE);
	assert_int_equal(rename_at(board, AT_FDCWD, "/tmp/x", AT_FDCWD, BPFFS "/y", 0), -EXDEV);
	assert_int_equal(rename_at(board, AT_FDCWD, BPFFS "/x", AT_FDCWD, "/tmp/y", 0), -EXDEV);
	assert_int_equal(board->count, 0);
	board_stop(board);
}

static void assert_logged(const char *log, const char *text)
{
	if (!strstr(log, text))
		fail_msg("not logged: %s\nbut: %s", text, log);
}

/* Other trees of the board. A directory that exists is no reason for a message. */
static void test_refused(void **state)
{
	const struct rpc_stat st = {.mode = S_IFDIR};
	struct board *board = start();
	const char *log;

	log_begin();
	board_reply_ret(board, RPC_FILE_STAT, -ENOENT);
	assert_int_equal(mkdir_at(board, AT_FDCWD, TRACEFS "/instances/x", 0700), -EPERM);
	assert_int_equal(unlink_at(board, AT_FDCWD, TRACEFS "/instances/y", AT_REMOVEDIR), -EPERM);
	assert_int_equal(unlink_at(board, AT_FDCWD, BPFFS, AT_REMOVEDIR), -EPERM);
	assert_int_equal(rename_at(board, AT_FDCWD, BPFFS "/x", AT_FDCWD, TRACEFS "/x", 0), -EPERM);
	rpc_put_stat(board_reply(board, RPC_FILE_STAT, 0), &st);
	board_ready(board);
	assert_int_equal(mkdir_at(board, AT_FDCWD, TRACEFS "/instances", 0700), -EEXIST);
	log = log_end();
	assert_logged(log, TRACEFS "/instances/x: mkdirat is not supported");
	assert_logged(log, TRACEFS "/instances/y: unlinkat is not supported");
	assert_logged(log, BPFFS ": unlinkat is not supported");
	assert_logged(log, TRACEFS "/x: renameat2 is not supported");
	assert_null(strstr(log, TRACEFS "/instances: "));
	board_stop(board);
}

static void test_old_board(void **state)
{
	struct board *board = start();
	const char *log;

	board->run.board.minor = 0;
	strcpy(board->run.board.program, "0.0.9");
	log_begin();
	assert_int_equal(unlink_at(board, AT_FDCWD, BPFFS "/x", 0), -EPERM);
	log = log_end();
	assert_logged(log, BPFFS "/x: unlinkat: the board's bpfd (version 0.0.9) cannot do this");
	assert_int_equal(board->count, 0);
	board_stop(board);
}

static void put_listing(struct board *board, uint32_t names)
{
	const struct rpc_stat st = {.mode = S_IFREG};
	struct bytes_out *out = board_reply(board, RPC_FILE_LIST, 0);

	bytes_put_u32(out, names);
	for (; names; names--) {
		rpc_put_string(out, "x");
		rpc_put_stat(out, &st);
	}
	board_ready(board);
}

/* A change makes remembered listings invalid at once. */
static void test_listing(void **state)
{
	struct board *board = start();
	struct remote *remote = board->run.remote;
	struct listing *listing;
	struct rpc_stat st;

	put_listing(board, 1);
	assert_int_equal(remote_list(remote, BPFFS, &listing), 0);
	listing_put(listing);
	assert_int_equal(remote_stat(remote, BPFFS "/x", true, &st), 0); /* from the listing */
	board_reply_ret(board, RPC_FILE_REMOVE, 0);
	assert_int_equal(unlink_at(board, AT_FDCWD, BPFFS "/x", 0), 0);
	board_reply_ret(board, RPC_FILE_STAT, -ENOENT);
	assert_int_equal(remote_stat(remote, BPFFS "/x", true, &st), -ENOENT);
	put_listing(board, 0);
	assert_int_equal(remote_list(remote, BPFFS, &listing), 0);
	assert_int_equal(listing->count, 0);
	listing_put(listing);
	board_reply_ret(board, RPC_FILE_WRITE, 2);
	assert_int_equal(remote_write(remote, TRACEFS "/kprobe_events", "p\n", 2), 2);
	board_reply_ret(board, RPC_FILE_STAT, 0);
	assert_int_equal(remote_stat(remote, BPFFS "/x", true, &st), -EIO); /* asked again */
	board_stop(board);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_served),
		cmocka_unit_test(test_last_components),
		cmocka_unit_test(test_workstation),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_old_board),
		cmocka_unit_test(test_listing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

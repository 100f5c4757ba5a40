/* SPDX-License-Identifier: Apache-2.0 */
/* System calls on files of the board. */
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>

#include <cmocka.h>

#include "host-usb/run/calls/writer.h"
#include "host-usb/run/files/remote.h"
#include "tests/unit/run_test.h"

#define PATH "/sys/kernel/tracing/events"

static struct board *start(void)
{
	struct board *board;

	unsetenv("XDG_CACHE_HOME");
	unsetenv("HOME");
	board = board_start(NULL);
	board_files(board);
	return board;
}

static int64_t run_call(
	struct board *board, call_handler *handler, uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
	const uint64_t args[6] = {a, b, c, d};
	const struct call call = board_call(board, 0, args);

	return handler(&call);
}

static struct object *open_directory(struct board *board)
{
	struct object *object = board_object(board, OBJECT_DIRECTORY, RPC_NO_HANDLE);

	object->path = strdup(PATH);
	return object;
}

static void put_entry(struct bytes_out *out, const char *name, uint32_t mode, uint64_t ino)
{
	const struct rpc_stat st = {.mode = mode, .ino = ino};

	rpc_put_string(out, name);
	rpc_put_stat(out, &st);
}

/* Each entry is returned once, also with little room and with the longest possible name. */
static void test_list(void **state)
{
	char longest[NAME_MAX + 1], buffer[512];
	struct board *board = start();
	struct object *object = open_directory(board);
	struct bytes_out *out = board_reply(board, RPC_FILE_LIST, 0);
	int found[6] = {0};
	int64_t n;

	memset(longest, 'n', NAME_MAX);
	longest[NAME_MAX] = 0;
	bytes_put_u32(out, 2);
	put_entry(out, "sched", S_IFDIR | 0755, 77);
	put_entry(out, "enable", S_IFREG | 0644, 78);
	out = board_part(board, 0);
	bytes_put_u32(out, 2);
	put_entry(out, "link", S_IFLNK | 0777, 79);
	put_entry(out, longest, S_IFREG | 0644, 80);
	board_ready(board);
	while ((n = run_call(board, sys_getdents64, (uint64_t)object->fd, user(buffer), 300, 0)) >
		0) {
		assert_true(n <= 300);
		for (int64_t at = 0; at < n;) {
			const struct dirent64 *entry = (void *)(buffer + at);

			assert_true(entry->d_reclen % 8 == 0 && entry->d_reclen <= n - at);
			found[0] += !strcmp(entry->d_name, ".") && entry->d_type == DT_DIR;
			found[1] += !strcmp(entry->d_name, "..") && entry->d_type == DT_DIR;
			found[2] += !strcmp(entry->d_name, "sched") && entry->d_type == DT_DIR &&
				    entry->d_ino == 77;
			found[3] += !strcmp(entry->d_name, "enable") && entry->d_type == DT_REG;
			found[4] += !strcmp(entry->d_name, "link") && entry->d_type == DT_LNK;
			found[5] += !strcmp(entry->d_name, longest) && entry->d_ino == 80;
			at += entry->d_reclen;
		}
	}
	assert_int_equal(n, 0);
	for (int i = 0; i < 6; i++)
		assert_int_equal(found[i], 1);

	/* Again from the start, without a request: the listing is cached. Then a buffer that is too
	 * small for one entry. */
	assert_int_equal(run_call(board, sys_lseek, (uint64_t)object->fd, 0, SEEK_SET, 0), 0);
	assert_true(run_call(board, sys_getdents64, (uint64_t)object->fd, user(buffer), 24, 0) > 0);
	assert_int_equal(
		run_call(board, sys_lseek, (uint64_t)object->fd, (uint64_t)-1, SEEK_SET, 0),
		-EINVAL);
	assert_int_equal(run_call(board, sys_getdents64, (uint64_t)object->fd, user(buffer), 16, 0),
		-EINVAL);
	assert_int_equal(run_call(board, sys_getdents64, (uint64_t)object->fd, 8, 300, 0), -EFAULT);
	assert_int_equal(
		run_call(board, sys_getdents64, 12345, user(buffer), 300, 0), CALL_CONTINUE);
	assert_int_equal(board->count, 1);
	board_stop(board);
}

/* Listings with names that lead to other directories, or with fewer entries than announced. */
static void test_wrong_lists(void **state)
{
	static const char *const names[] = {"../../etc", "/", "", ".", ".."};
	char buffer[512];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]) + 1; i++) {
		struct board *board = start();
		struct object *object = open_directory(board);
		struct bytes_out *out = board_reply(board, RPC_FILE_LIST, 0);
		bool named = i < sizeof(names) / sizeof(names[0]);

		bytes_put_u32(out, named ? 1 : UINT32_MAX);
		put_entry(out, named ? names[i] : "x", S_IFREG, 1);
		board_ready(board);
		assert_int_equal(run_call(board, sys_getdents64, (uint64_t)object->fd, user(buffer),
					 sizeof(buffer), 0),
			-EIO);
		board_stop(board);
	}
}

/* An empty part of a reply that announces another part: of a listing, and of a file that is copied
 * to a writable or a full device. The link is closed, because the board could continue forever. */
static void test_endless_empty_parts(void **state)
{
	for (int i = 0; i < 4; i++) {
		struct board *board = start();
		struct remote *remote = board->run.remote;
		int fd = open(i == 3 ? "/dev/full" : "/dev/null", O_WRONLY | O_CLOEXEC);
		struct listing *listing;

		bytes_put_u32(board_reply(board, i == 0 ? RPC_FILE_LIST : RPC_FILE_READ, 0), i > 1);
		if (i > 1) /* the second part is the empty one */
			bytes_put_u8(&board->answers[0], 'x');
		if (i > 1)
			bytes_put_u32(board_part(board, 0), 0);
		bytes_put_u32(board_part(board, 0), 0);
		board_ready(board);
		assert_int_equal(i == 0 ? remote_list(remote, "/sys/kernel/x", &listing)
					: remote_fetch(remote, "/proc/version", fd, 0),
			-EIO);
		assert_true(client_dead(board->run.client));
		close(fd);
		board_stop(board);
	}
}

/* If the copy of a file cannot be written, its error is returned and the link stays open. */
static void test_full_disk(void **state)
{
	struct board *board = start();
	int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);

	rpc_put_string(board_reply(board, RPC_FILE_READ, 0), "one");
	for (int i = 0; i < 3; i++)
		rpc_put_string(board_part(board, 0), "more");
	board_ready(board);
	assert_int_equal(remote_fetch(board->run.remote, "/proc/version", fd, 0), -ENOSPC);
	assert_false(client_dead(board->run.client));
	close(fd);
	board_stop(board);
}

static void test_stat(void **state)
{
	const struct rpc_stat reported = {.mode = S_IFREG | 0440,
		.nlink = 2,
		.size = 5000000000,
		.ino = 1234567890123,
		.dev_major = 7,
		.dev_minor = 300,
		.block_size = 4096,
		.mtime_s = -5,
		.mtime_ns = 999};
	struct board *board = start();
	struct statx stx;
	struct stat st;
	struct bytes_in in;
	char path[64];

	rpc_put_stat(board_reply(board, RPC_FILE_STAT, 0), &reported);
	board_ready(board);
	assert_int_equal(run_call(board, sys_lstat, user("/sys/kernel/x"), user(&st), 0, 0), 0);
	assert_int_equal(st.st_size, reported.size);
	assert_int_equal(st.st_ino, reported.ino);
	assert_int_equal(st.st_mode, reported.mode);
	assert_int_equal(st.st_dev, makedev(7, 300));
	assert_int_equal(st.st_mtim.tv_sec, -5);
	assert_int_equal(st.st_mtim.tv_nsec, 999);
	in = board_asked(board, RPC_FILE_STAT);
	assert_true(rpc_get_string(&in, path, sizeof(path)));
	assert_string_equal(path, "/sys/kernel/x");
	assert_int_equal(bytes_get_u32(&in), RPC_NOFOLLOW);

	rpc_put_stat(board_reply(board, RPC_FILE_STAT, 0), &reported);
	board_ready(board);
	{
		const uint64_t args[6] = {
			(uint64_t)AT_FDCWD, user("/proc/stat"), 0, STATX_ALL, user(&stx)};
		const struct call call = board_call(board, SYS_statx, args);

		assert_int_equal(sys_statx(&call), 0);
	}
	assert_int_equal(stx.stx_size, reported.size);
	assert_int_equal(stx.stx_mode, reported.mode);
	in = board_asked(board, RPC_FILE_STAT);
	rpc_get_string(&in, path, sizeof(path));
	assert_int_equal(bytes_get_u32(&in), 0);

	board_reply_ret(board, RPC_FILE_STAT, -ENOENT);
	assert_int_equal(
		run_call(board, sys_stat, user("/sys/kernel/x"), user(&st), 0, 0), -ENOENT);
	assert_int_equal(
		run_call(board, sys_stat, user("/etc/passwd"), user(&st), 0, 0), CALL_CONTINUE);
	board_stop(board);
}

/* As in readlink(2), the target is truncated and has no NUL. */
static void test_readlink(void **state)
{
	char target[16] = "..............x";
	struct board *board = start();

	for (int i = 0; i < 2; i++) {
		rpc_put_string(board_reply(board, RPC_FILE_LINK, 0), "/devices/x");
		board_ready(board);
	}
	assert_int_equal(
		run_call(board, sys_readlink, user("/sys/block/sda"), user(target), 4, 0), 4);
	assert_string_equal(target, "/dev..........x");
	assert_int_equal(
		run_call(board, sys_readlink, user("/sys/block/sda"), user(target), 16, 0), 10);
	assert_memory_equal(target, "/devices/x....x", 15);
	assert_int_equal(
		run_call(board, sys_readlink, user("/sys/block/sda"), user(target), 0, 0), -EINVAL);
	board_stop(board);
}

static struct object *open_writer(struct board *board)
{
	struct object *object;

	assert_int_equal(writer_new(&object, &board->run, "/sys/kernel/tracing/kprobe_events"), 0);
	return object;
}

static void assert_written(struct board *board, const char *text)
{
	struct bytes_in in = board_asked(board, RPC_FILE_WRITE);
	char got[256];

	assert_true(rpc_get_string(&in, got, sizeof(got)));
	assert_string_equal(got, "/sys/kernel/tracing/kprobe_events");
	assert_int_equal(bytes_get_u32(&in), RPC_APPEND);
	assert_true(rpc_get_string(&in, got, sizeof(got)));
	assert_string_equal(got, text);
	assert_true(bytes_get_end(&in));
}

#define LINE   100 /* bytes of a line in the next test */
#define LINES  1000
#define PIECE1 (655 * LINE) /* whole lines in 64 KiB */
#define PIECE2 (LINES * LINE - PIECE1)

static void assert_piece(struct board *board, const char *text, size_t wanted)
{
	struct bytes_in in = board_asked(board, RPC_FILE_WRITE);
	char path[256];
	const void *data;
	size_t size;

	rpc_get_string(&in, path, sizeof(path));
	bytes_get_u32(&in);
	data = rpc_get_bytes(&in, &size);
	assert_int_equal(size, wanted);
	assert_memory_equal(data, text, size);
}

/* What a shell has written into the file is sent when it is closed: all of it, in whole lines. */
static void test_late_writes(void **state)
{
	static char text[LINES * LINE + 1];
	struct board *board = start();
	struct object *object;

	for (int i = 0; i < LINES; i++)
		snprintf(text + i * LINE, LINE + 1, "p:%097d\n", i);
	for (int fails = 0; fails < 2; fails++) {
		object = open_writer(board);
		assert_int_equal(write(object->fd, text, LINES * LINE), LINES * LINE);
		board_reply_ret(board, RPC_FILE_WRITE, fails ? -EEXIST : PIECE1);
		if (!fails)
			board_reply_ret(board, RPC_FILE_WRITE, PIECE2);
		object_end(object);
		assert_piece(board, text, PIECE1);
		if (!fails)
			assert_piece(board, text + PIECE1, PIECE2);
		assert_int_equal(board_unseen(board), 0);
	}
	object_end(open_writer(board)); /* nothing was written */
	assert_int_equal(board_unseen(board), 0);
	board_stop(board);
}

/* Each write of the tool is one write on the board, and has its result. */
static void test_write(void **state)
{
	struct iovec vector[65] = {{(void *)(uintptr_t) "p:a", 3}, {(void *)(uintptr_t) " b\n", 3}};
	struct board *board = start();
	uint64_t fd = (uint64_t)open_writer(board)->fd;

	board_reply_ret(board, RPC_FILE_WRITE, 6);
	assert_int_equal(run_call(board, sys_write, fd, user("p:a b\n"), 6, 0), 6);
	assert_written(board, "p:a b\n");
	board_reply_ret(board, RPC_FILE_WRITE, -EINVAL);
	assert_int_equal(run_call(board, sys_writev, fd, user(vector), 2, 0), -EINVAL);
	assert_written(board, "p:a b\n");
	/* A result above the size is refused: the tool would continue after its buffer. */
	board_reply_ret(board, RPC_FILE_WRITE, 7);
	assert_int_equal(run_call(board, sys_write, fd, user("p:a b\n"), 6, 0), -EIO);
	assert_written(board, "p:a b\n");

	assert_int_equal(run_call(board, sys_write, fd, 8, 6, 0), -EFAULT);
	assert_int_equal(run_call(board, sys_write, fd, user("x"), UINT64_MAX, 0), -EFBIG);
	/* Writes to other descriptors are left to the workstation's kernel. */
	assert_int_equal(
		run_call(board, sys_writev, STDIN_FILENO, user(vector), 65, 0), CALL_CONTINUE);
	assert_int_equal(run_call(board, sys_writev, STDIN_FILENO, 8, 2, 0), CALL_CONTINUE);
	board_stop(board);
}

/* A shell moves the descriptor to 1. Data that is written there is sent to the board when the
 * descriptor is closed. */
static void test_write_by_duplicate(void **state)
{
	struct board *board = start();
	struct object *object = open_writer(board);
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", object->fd);
	fd = open(path, O_RDWR | O_CLOEXEC);
	assert_int_equal(write(fd, "p:x y\n", 6), 6);
	board_reply_ret(board, RPC_FILE_WRITE, 6);
	close(fd);
	objects_reap(board->run.objects);
	assert_written(board, "p:x y\n");
	assert_null(object_next(board->run.objects, NULL));
	board_stop(board);
}

/* Prepares a list of so many files with names of 255 bytes. */
static void reply_long_list(struct board *board, uint32_t count)
{
	struct bytes_out *out = board_reply(board, RPC_FILE_LIST, 0);
	char name[NAME_MAX + 1];

	bytes_put_u32(out, count);
	for (uint32_t i = 0; i < count; i++) {
		snprintf(name, sizeof(name), "%0255u", i);
		put_entry(out, name, S_IFREG, i);
	}
	board_ready(board);
}

/* The memory of one directory, and of all that the tool reads, has a limit. */
static void test_long_lists(void **state)
{
	struct board *board = start();
	struct remote *remote = board->run.remote;
	struct listing *kept[4], *listing;
	char path[64];

	reply_long_list(board, 60000);
	assert_int_equal(remote_list(remote, "/sys/kernel/x", &listing), -E2BIG);
	/* Those that are only remembered give way. */
	for (int i = 0; i < 8; i++) {
		reply_long_list(board, 40000);
		snprintf(path, sizeof(path), "/sys/kernel/%d", i);
		assert_int_equal(remote_list(remote, path, &listing), 0);
		listing_put(listing);
	}
	for (int i = 0; i < 4; i++) {
		reply_long_list(board, 40000);
		snprintf(path, sizeof(path), "/sys/module/%d", i);
		assert_int_equal(remote_list(remote, path, &kept[i]), 0);
	}
	reply_long_list(board, 40000);
	assert_int_equal(remote_list(remote, "/sys/kernel/x", &listing), -ENOMEM);
	listing_put(kept[0]);
	reply_long_list(board, 40000);
	assert_int_equal(remote_list(remote, "/sys/kernel/x", &listing), 0);
	listing_put(listing);
	for (int i = 1; i < 4; i++)
		listing_put(kept[i]);
	board_stop(board);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_long_lists),
		cmocka_unit_test(test_list),
		cmocka_unit_test(test_wrong_lists),
		cmocka_unit_test(test_endless_empty_parts),
		cmocka_unit_test(test_full_disk),
		cmocka_unit_test(test_stat),
		cmocka_unit_test(test_readlink),
		cmocka_unit_test(test_write),
		cmocka_unit_test(test_late_writes),
		cmocka_unit_test(test_write_by_duplicate),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

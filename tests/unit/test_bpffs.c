/* SPDX-License-Identifier: Apache-2.0 */
/* The operations that change names in bpffs. The tests with a real bpffs need a kernel with BPF. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mount.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "tests/unit/rpc_test.h"
#include "tests/unit/skip.h"
#include "tests/unit/tree_test.h"

#define BPFFS "/sys/fs/bpf"

static void put_remove(struct rpc_session *s, const char *path, uint32_t flags)
{
	size_t start = request(s, RPC_FILE_REMOVE);

	rpc_put_string(&s->input, path);
	bytes_put_u32(&s->input, flags);
	request_end(s, start);
}

static void put_mkdir(struct rpc_session *s, const char *path, uint32_t mode)
{
	size_t start = request(s, RPC_FILE_MKDIR);

	rpc_put_string(&s->input, path);
	bytes_put_u32(&s->input, mode);
	request_end(s, start);
}

static void put_rename(struct rpc_session *s, const char *from, const char *to, uint32_t flags)
{
	size_t start = request(s, RPC_FILE_RENAME);

	rpc_put_string(&s->input, from);
	rpc_put_string(&s->input, to);
	bytes_put_u32(&s->input, flags);
	request_end(s, start);
}

static void put_access(struct rpc_session *s, const char *path, uint32_t mode)
{
	size_t start = request(s, RPC_FILE_ACCESS);

	rpc_put_string(&s->input, path);
	bytes_put_u32(&s->input, mode);
	request_end(s, start);
}

static void begin(struct rpc_session *s, const struct fake *fake)
{
	session_begin(s);
	s->config.paths = fake->paths;
}

/* Runs the session and compares the results of its requests. */
static void expect_results(struct rpc_session *s, const int *wanted, size_t count)
{
	session_run(s, 0);
	for (size_t i = 0; i < count; i++) {
		int ret = next_reply(s);

		if (ret != wanted[i])
			fail_msg("request %zu: %d, not %d", i, ret, wanted[i]);
	}
	assert_false(s->replies.size);
	session_end(s);
}

static bool exists(const struct fake *fake, const char *name)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/%s", fake->dir, name);
	return faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* Everything else is refused: other trees, paths that leave bpffs, and a file system that is not
 * bpffs, as on a board without it. */
static void test_elsewhere(void **state)
{
	static const char *const paths[] = {"/etc/passwd", BPFFS, "/sys/fs", "/sys/fs/bpfx/y",
		BPFFS "/../bpf/file", BPFFS "/./file", BPFFS "//file", BPFFS "/file/", "file",
		"/sys/kernel/tracing/instances/x", BPFFS "/file"};
	const size_t count = sizeof(paths) / sizeof(paths[0]);
	struct fake *fake = *state;
	int wanted[4 * 16];
	struct rpc_session s;

	put_file(fake->dir, "sys/fs/bpf/file", "kept");
	begin(&s, fake);
	for (size_t i = 0; i < count; i++) {
		put_remove(&s, paths[i], 0);
		put_remove(&s, paths[i], RPC_RMDIR);
		put_mkdir(&s, paths[i], 0700);
		put_rename(&s, paths[i], BPFFS "/file2", 0);
	}
	for (size_t i = 0; i < 4 * count; i++)
		wanted[i] = -EACCES;
	expect_results(&s, wanted, 4 * count);
	assert_true(exists(fake, "sys/fs/bpf/file"));
	assert_false(exists(fake, "sys/fs/bpf/file2"));
}

static void test_malformed(void **state)
{
	static const int wanted[] = {-EINVAL, -EINVAL};
	struct rpc_session s;

	begin(&s, *state);
	put_remove(&s, BPFFS "/x", 2);
	put_mkdir(&s, BPFFS "/x", 010000);
	expect_results(&s, wanted, 2);
}

/* A session of profile minimal, and a read-only one. */
static void test_fixed(void **state)
{
	static const int wanted[] = {-EPERM, -EPERM, -EPERM, -EPERM};
	struct rpc_session s;

	for (int i = 0; i < 2; i++) {
		begin(&s, *state);
		s.config.bpffs_fixed = i == 0;
		s.config.read_only = i == 1;
		put_remove(&s, BPFFS "/x", 0);
		put_mkdir(&s, BPFFS "/x", 0700);
		put_rename(&s, BPFFS "/x", BPFFS "/y", 0);
		put_access(&s, BPFFS, W_OK);
		expect_results(&s, wanted, 4);
	}
}

/* Mounts bpffs in the fake tree. The process is in a mount namespace of its own. */
static bool mount_bpffs(const struct fake *fake)
{
	char path[512];

	snprintf(path, sizeof(path), "%s" BPFFS, fake->dir);
	return unshare(CLONE_NEWNS) == 0 &&
	       mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
	       mount("bpf", path, "bpf", 0, NULL) == 0;
}

static void test_names(void **state)
{
	static const int wanted[] = {0, 0, -EEXIST, -ENOTEMPTY, 0, -EEXIST, -ENOENT, 0, 0, -EACCES,
		0, 0, 0, -ENOENT, -EISDIR, 0};
	struct fake *fake = *state;
	char path[512];
	struct stat st;
	struct rpc_session s;
	int old;

	if (!mount_bpffs(fake))
		skip_because("bpffs cannot be mounted");
	old = (int)umask(0);
	put_file(fake->dir, "else/kept", "kept");
	snprintf(path, sizeof(path), "%s/else", fake->dir);
	make_link(fake, path, "sys/fs/bpf/out");
	make_link(fake, "a", "sys/fs/bpf/in");
	begin(&s, fake);
	put_mkdir(&s, BPFFS "/a", 0750);
	put_mkdir(&s, BPFFS "/in/b", 0700); /* through a link within bpffs */
	put_mkdir(&s, BPFFS "/a/b", 0700);
	put_remove(&s, BPFFS "/a", RPC_RMDIR);
	put_mkdir(&s, BPFFS "/c", 0700);
	put_rename(&s, BPFFS "/c", BPFFS "/a", 1 /* RENAME_NOREPLACE */);
	put_rename(&s, BPFFS "/none", BPFFS "/d", 0);
	put_rename(&s, BPFFS "/c", BPFFS "/a/d", 0);
	put_access(&s, BPFFS "/a", W_OK);
	put_remove(&s, BPFFS "/out/kept", 0); /* through a link that leads out */
	put_remove(&s, BPFFS "/out", 0);
	put_remove(&s, BPFFS "/in", 0);
	put_remove(&s, BPFFS "/a/d", RPC_RMDIR);
	put_remove(&s, BPFFS "/a/d", RPC_RMDIR);
	put_remove(&s, BPFFS "/a/b", 0);
	put_remove(&s, BPFFS "/a/b", RPC_RMDIR);
	expect_results(&s, wanted, sizeof(wanted) / sizeof(wanted[0]));
	umask((mode_t)old);
	snprintf(path, sizeof(path), "%s" BPFFS "/a", fake->dir);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode, S_IFDIR | 0750);
	assert_true(exists(fake, "else/kept"));
	assert_false(exists(fake, "sys/fs/bpf/in") || exists(fake, "sys/fs/bpf/out"));
	snprintf(path, sizeof(path), "%s" BPFFS, fake->dir);
	assert_int_equal(umount(path), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_elsewhere, setup, teardown),
		cmocka_unit_test_setup_teardown(test_malformed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_fixed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_names, setup, teardown),
	};

	return cmocka_run_group_tests_name("bpffs", tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The headers of the board's kernel: each board's own, and nothing else of this workstation. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>

#include <cmocka.h>
#include <sodium.h>

#include "host-usb/run/files/headers.h"
#include "host-usb/run/files/path.h"
#include "tests/unit/log_capture.h"
#include "tests/unit/run_test.h"

#define ARCHIVE "/sys/kernel/kheaders.tar.xz"

static char home[] = "/tmp/test_run_headers.XXXXXX";

static void shell(const char *format, ...)
{
	char command[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(command, sizeof(command), format, args);
	va_end(args);
	assert_int_equal(system(command), 0);
}

/* Makes an archive of headers, in which kconfig.h contains `text`. `more` are shell commands that
 * run in the directory of the headers. Returns the archive's contents, which the caller frees. */
static char *make_archive(const char *text, const char *more, size_t *size)
{
	char path[128];
	struct stat st;
	char *data;
	int fd;

	shell("mkdir -p %s/src/include/linux", home);
	shell("cd %s/src && echo '%s' >include/linux/kconfig.h && { %s; }", home, text, more);
	shell("cd %s/src && tar -cJf ../archive . && rm -rf ../src", home);
	snprintf(path, sizeof(path), "%s/archive", home);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_int_equal(fstat(fd, &st), 0);
	*size = (size_t)st.st_size;
	data = malloc(*size);
	assert_int_equal(read(fd, data, *size), *size);
	close(fd);
	unlink(path);
	return data;
}

static void reply_stat(struct board *board)
{
	const struct rpc_stat st = {.mode = S_IFREG | 0444};

	rpc_put_stat(board_reply(board, RPC_FILE_STAT, 0), &st);
	board_ready(board);
}

static void reply_hash(struct board *board, const void *data, size_t size)
{
	struct bytes_out *out = board_reply(board, RPC_FILE_HASH, 0);
	uint8_t hash[SHA256_SIZE];

	crypto_hash_sha256(hash, data, size);
	bytes_put_u64(out, size);
	rpc_put_bytes(out, hash, sizeof(hash));
	board_ready(board);
}

static void reply_contents(struct board *board, const void *data, size_t size)
{
	rpc_put_bytes(board_reply(board, RPC_FILE_READ, 0), data, size);
	board_ready(board);
}

/* Starts a board with headers. All boards here have one release. */
static struct board *start(unsigned int minor)
{
	struct board *board = board_start(NULL);

	board->run.board.minor = (uint16_t)minor;
	strcpy(board->run.board.release, "6.1.0-test");
	board_files(board);
	reply_stat(board);
	assert_int_equal(headers_new(&board->run.headers, &board->run, NULL), 0);
	assert_non_null(headers_directory(board->run.headers));
	return board;
}

static void stop(struct board *board)
{
	headers_free(board->run.headers);
	board_stop(board);
}

/* Writes the path of a header for the tool. */
static void name_header(struct board *board, const char *name, char path[PATH_MAX])
{
	snprintf(path, PATH_MAX, "%s/%s", headers_directory(board->run.headers), name);
}

/* Uses a header like the tool, and compares its contents. */
static void assert_header(struct board *board, const char *name, const char *wanted)
{
	char path[PATH_MAX], resolved[PATH_MAX], data[64];
	const struct call call = board_call(board, 0, NULL);
	ssize_t n;
	int fd;

	name_header(board, name, path);
	assert_int_equal(path_resolve(&call, AT_FDCWD, user(path), true, resolved), 0);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (!wanted) {
		assert_int_equal(fd, -1);
		return;
	}
	assert_true(fd >= 0);
	n = read(fd, data, sizeof(data) - 1);
	close(fd);
	assert_true(n > 0);
	data[n - 1] = 0; /* the newline */
	assert_string_equal(data, wanted);
}

/* Two boards with one release and different headers: each gets its own. A second run fetches
 * nothing. */
static void test_two_boards(void **state)
{
	static const char *const texts[] = {"board 1", "board 2"};
	struct board *boards[2];
	char *archives[2], path[2][PATH_MAX];
	size_t sizes[2];

	for (int i = 0; i < 2; i++)
		archives[i] = make_archive(texts[i], "true", &sizes[i]);
	for (int run = 0; run < 2; run++) {
		for (int i = 0; i < 2; i++) {
			boards[i] = start(RPC_MINOR);
			reply_hash(boards[i], archives[i], sizes[i]);
			if (run == 0)
				reply_contents(boards[i], archives[i], sizes[i]);
		}
		for (int i = 0; i < 2; i++) { /* both run at the same time */
			assert_header(boards[i], "include/linux/kconfig.h", texts[i]);
			assert_header(boards[i], "include/linux/other.h", NULL);
			name_header(boards[i], "include", path[i]);
		}
		for (int i = 0; i < 2; i++) {
			assert_header(boards[i], "include/linux/kconfig.h", texts[i]);
			stop(boards[i]);
			assert_int_equal(access(path[i], F_OK), -1);
		}
	}
	for (int i = 0; i < 2; i++)
		free(archives[i]);
}

/* A tool that reads no headers costs one request. */
static void test_not_used(void **state)
{
	struct board *board = start(RPC_MINOR);
	char path[PATH_MAX];

	name_header(board, "", path);
	assert_int_equal(board->count, 1);
	*strrchr(path, '/') = 0;
	*strrchr(path, '/') = 0;
	stop(board);
	assert_int_equal(access(path, F_OK), -1);
}

/* What a tool has unpacked may be of another board: the tool does not see it. */
static void test_directories_of_tools(void **state)
{
	static const char *const hidden[] = {"/tmp/kheaders-6.1.0-test",
		"/tmp/kheaders-6.1.0-test/include/linux/kconfig.h",
		"/tmp/kheaders-6.1.0-test-XXXXXX", "/var/tmp/kheaders-6.1.0-test"};
	char resolved[PATH_MAX], given[64], header[128];
	struct board *board = start(RPC_MINOR);
	struct call call = board_call(board, 0, NULL);

	setenv("TMPDIR", "/var/tmp/", 1);
	for (size_t i = 0; i < sizeof(hidden) / sizeof(hidden[0]); i++)
		assert_int_equal(
			path_resolve(&call, AT_FDCWD, user(hidden[i]), true, resolved), -ENOENT);
	assert_int_equal(path_resolve(&call, AT_FDCWD, user("/tmp/other"), true, resolved), 0);
	stop(board);

	/* The user has named such a directory. */
	snprintf(given, sizeof(given), "%s/kheaders-given", home);
	snprintf(header, sizeof(header), "%s/include/linux/kconfig.h", given);
	shell("mkdir -p %s/include/linux", given);
	setenv("TMPDIR", home, 1);
	board = board_start(NULL);
	board_files(board);
	call = board_call(board, 0, NULL);
	assert_int_equal(headers_new(&board->run.headers, &board->run, given), 0);
	assert_string_equal(headers_directory(board->run.headers), given);
	assert_int_equal(path_resolve(&call, AT_FDCWD, user(header), true, resolved), 0);
	setenv("TMPDIR", "/var/tmp", 1);
	assert_int_equal(path_resolve(&call, AT_FDCWD, user(hidden[2]), true, resolved), -ENOENT);
	assert_int_equal(path_resolve(&call, AT_FDCWD, user(hidden[3]), true, resolved), -ENOENT);
	unsetenv("TMPDIR");
	stop(board);
}

/* Links out of the tree and special files are removed: the compiler would read them. */
static void test_hostile_archive(void **state)
{
	static const char *const names[] = {"include/passwd.h", "include/fifo.h", "include/up",
		"include/later.h", "include/twice.h"};
	size_t size;
	char *archive = make_archive("board",
		"ln -s /etc/passwd include/passwd.h; "
		"mkfifo include/fifo.h; ln -s ../.. include/up; "
		"ln -s /nonexistent/x include/later.h; "
		"ln -s here/../../.. include/twice.h; ln -s . include/here; "
		"ln -s linux/kconfig.h include/good.h",
		&size);
	struct board *board = start(RPC_MINOR);
	char path[PATH_MAX];
	struct stat st;

	reply_hash(board, archive, size);
	reply_contents(board, archive, size);
	assert_header(board, "include/good.h", "board");
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		name_header(board, names[i], path);
		assert_int_equal(lstat(path, &st), -1);
	}
	stop(board);
	free(archive);
}

static void assert_failure(unsigned int minor, const void *archive, size_t size, const void *hashed,
	size_t hashed_size, const char *message)
{
	struct board *board = start(minor);
	const char *text;

	if (minor >= RPC_MINOR_HASH)
		reply_hash(board, hashed, hashed_size);
	reply_contents(board, archive, size);
	log_begin();
	assert_header(board, "include/linux/kconfig.h", NULL);
	assert_header(board, "include/linux/kconfig.h", NULL); /* it is not tried again */
	text = log_end();
	if (!strstr(text, message))
		fail_msg("logged: %s", text);
	stop(board);
	shell("! ls -d %s/bpfd/* 2>/dev/null", home); /* nothing is left or kept */
}

static void test_failures(void **state)
{
	size_t size, other, bomb;
	char *archive = make_archive("board", "true", &size),
	     *empty = make_archive("board", "rm -r include", &other),
	     *large = make_archive("board", "head -c 300M /dev/zero >zeroes", &bomb);

	assert_failure(RPC_MINOR, archive, size, "another", 7, "Stale file handle; use --headers");
	assert_failure(RPC_MINOR, archive, size / 2, archive, size / 2, "use --headers");
	assert_failure(RPC_MINOR, "no archive", 10, "no archive", 10, "Bad message; use --headers");
	assert_failure(RPC_MINOR, empty, other, empty, other, "it contains no kernel headers");
	assert_failure(RPC_MINOR, large, bomb, large, bomb, "File too large; use --headers");
	free(archive);
	free(empty);
	free(large);
}

/* An older bpfd cannot hash: the archive is fetched, and unpacked once. Without a cache the headers
 * are unpacked for the run. */
static void test_old_board_and_no_cache(void **state)
{
	size_t size;
	char *archive = make_archive("board", "true", &size), path[PATH_MAX];

	for (int i = 0; i < 4; i++) {
		struct board *board;

		if (i >= 2)
			setenv("BPFD_CACHE_MIB", "0", 1);
		board = start(RPC_MINOR_HASH - 1 + (i == 3));
		if (i == 3)
			reply_hash(board, archive, size);
		reply_contents(board, archive, size);
		assert_header(board, "include/linux/kconfig.h", "board");
		name_header(board, "include", path);
		stop(board);
		assert_int_equal(access(path, F_OK), -1);
		*strrchr(path, '/') = 0;
		*strrchr(path, '/') = 0;
		assert_int_equal(access(path, F_OK), -1);
	}
	unsetenv("BPFD_CACHE_MIB");
	free(archive);
}

static void test_no_headers(void **state)
{
	struct board *board = board_start(NULL);

	board_files(board);
	board_reply_ret(board, RPC_FILE_STAT, -ENOENT);
	assert_int_equal(headers_new(&board->run.headers, &board->run, NULL), 0);
	assert_null(headers_directory(board->run.headers));
	stop(board);
}

/* Starts a board for which the user has named a directory. */
static struct board *start_given(const char *given, int wanted)
{
	struct board *board = board_start(NULL);

	board_files(board);
	assert_int_equal(headers_new(&board->run.headers, &board->run, given), wanted);
	assert_int_equal(board->count, 0);
	return board;
}

/* Makes the sources of a kernel and its build directory, as O= leaves them. */
static void make_kernel(void)
{
	shell("rm -rf %s/k && mkdir -p %s/k/out && cd %s/k && "
	      "mkdir -p include/linux arch/x86/include/asm arch/x86/kernel arch/arm/include lib && "
	      "echo linux >include/linux/kconfig.h && echo asm >arch/x86/include/asm/io.h && "
	      "echo arm >arch/arm/include/arm.h && echo lib >lib/lib.h && echo stub >Makefile && "
	      "mkdir -p linked && echo source >include/linked.h && cd out && "
	      "mkdir -p include/generated arch/x86/include/generated/uapi arch/x86/kernel lib && "
	      "echo autoconf >include/generated/autoconf.h && echo object >lib/lib.o && "
	      "echo uapi >arch/x86/include/generated/uapi/a.h && echo config >.config && "
	      "echo build >include/linked.h && mkdir own && ln -s ../own include/links && "
	      "mkdir ../include/links && echo none >../include/links/x.h && ln -s .. source",
		home, home, home);
}

/* A kernel that was built with O=: half of its headers are in the sources. */
static void test_built_apart(void **state)
{
	static const char *const headers[][2] = {{"include/linux/kconfig.h", "linux"},
		{"include/generated/autoconf.h", "autoconf"}, {"arch/x86/include/asm/io.h", "asm"},
		{"arch/x86/include/generated/uapi/a.h", "uapi"}, {"include/linked.h", "build"},
		{"arch/arm/include/arm.h", "arm"}, {"lib/lib.h", "lib"}, {".config", "config"}};
	char path[PATH_MAX], given[64];

	snprintf(given, sizeof(given), "%s/k/out", home);
	make_kernel();
	for (int i = 0; i < 2; i++) {
		struct board *board = start_given(given, 0);

		assert_non_null(headers_directory(board->run.headers));
		for (size_t j = 0; j < sizeof(headers) / sizeof(headers[0]); j++)
			assert_header(board, headers[j][0], headers[j][1]);
		name_header(board, "", path);
		stop(board);
		assert_int_equal(access(path, F_OK), -1);
		setenv("BPFD_CACHE_MIB", "0", 1); /* the second time: among temporary files */
		setenv("TMPDIR", home, 1);
	}
	unsetenv("BPFD_CACHE_MIB");
	unsetenv("TMPDIR");
	/* Nothing was made in the user's directories or removed from them, and nothing is left. */
	shell("cd %s/k/out && ! ls own/* 2>/dev/null && ! find .. -type l -newer source | grep . "
	      "&& "
	      "test -f ../include/linux/kconfig.h -a -f include/generated/autoconf.h",
		home);
	shell("! ls -d %s/bpfd-run.* %s/bpfd/*/* 2>/dev/null", home, home);
}

/* As in Debian's packages of headers: no link, but a Makefile that names the sources, which may
 * have been copied with the build directory. */
static void test_makefile(void **state)
{
	static const char *const places[] = {"/no/such/common", "%s/common"};
	char given[64], line[128];

	snprintf(given, sizeof(given), "%s/k/out", home);
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		struct board *board;

		make_kernel();
		/* First beside the build directory, then where the Makefile says. */
		snprintf(line, sizeof(line), places[i], home);
		shell("cd %s/k && rm out/source && mkdir ../common && mv arch include lib "
		      "../common && "
		      "rm -rf common && if [ %zu = 0 ]; then mv ../common .; fi && "
		      "printf '# generated\\nKERNELRELEASE = 1\\ninclude %s/Makefile\\n' "
		      ">out/Makefile",
			home, i, line);
		board = start_given(given, 0);
		assert_header(board, "include/linux/kconfig.h", "linux");
		assert_header(board, "include/generated/autoconf.h", "autoconf");
		stop(board);
	}
	shell("rm -r %s/common", home);
	log_begin();
	stop(start_given(given, -ENOENT));
	assert_non_null(strstr(log_end(), "/common: it does not lead to the kernel's sources"));
}

/* Refused before the tool starts: it would compile with other headers, or fail with a riddle. */
static void test_no_given_headers(void **state)
{
	char given[64];

	snprintf(given, sizeof(given), "%s/k/out", home);
	make_kernel();
	for (int i = 0; i < 3; i++) {
		const char *text, *wanted = i < 2 ? "/out/source: it does not lead to the kernel's"
						  : "/out: it has neither include/linux nor source";

		shell("cd %s && rm source && %s", given,
			i == 0	 ? "ln -s /no/such/source source"
			: i == 1 ? "ln -s /proc source"
				 : "true");
		log_begin();
		stop(start_given(given, -ENOENT));
		text = log_end();
		if (!strstr(text, wanted))
			fail_msg("logged: %s", text);
	}
}

static int setup(void **state)
{
	shell("rm -rf %s/bpfd", home);
	return 0;
}

static int make_home(void **state)
{
	if (!mkdtemp(home))
		return -1;
	setenv("XDG_CACHE_HOME", home, 1);
	return 0;
}

static int remove_home(void **state)
{
	shell("rm -rf %s", home);
	return 0;
}

/* The linker replaces calloc() by this; see the Makefile. */
void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);

static bool is_memory_short;

void *__wrap_calloc(size_t count, size_t size)
{
	return is_memory_short ? NULL : __real_calloc(count, size);
}

static void test_no_memory(void **state)
{
	struct headers *headers = NULL;
	struct run run = {.headers = NULL};
	int err;

	log_begin();
	is_memory_short = true;
	err = headers_new(&headers, &run, NULL);
	is_memory_short = false;
	assert_string_equal(log_end(), "bpfd: headers: Cannot allocate memory\n");
	assert_int_equal(err, -ENOMEM);
	assert_null(headers);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_two_boards, setup),
		cmocka_unit_test_setup(test_not_used, setup),
		cmocka_unit_test_setup(test_directories_of_tools, setup),
		cmocka_unit_test_setup(test_hostile_archive, setup),
		cmocka_unit_test_setup(test_failures, setup),
		cmocka_unit_test_setup(test_old_board_and_no_cache, setup),
		cmocka_unit_test_setup(test_no_headers, setup),
		cmocka_unit_test_setup(test_built_apart, setup),
		cmocka_unit_test_setup(test_makefile, setup),
		cmocka_unit_test_setup(test_no_given_headers, setup),
		cmocka_unit_test(test_no_memory),
	};

	return cmocka_run_group_tests(tests, make_home, remove_home);
}

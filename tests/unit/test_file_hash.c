/* SPDX-License-Identifier: Apache-2.0 */
/* FILE_HASH: the hash of what FILE_READ returns, under the same rules. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sodium.h>

#include "core/base/sha256.h"
#include "tests/unit/rpc_test.h"

static char own[PATH_MAX]; /* this program: code, which may be read */
static uint8_t own_hash[SHA256_SIZE];
static uint64_t own_size;

static void put_hash(struct rpc_session *s, const char *path)
{
	size_t start = request(s, RPC_FILE_HASH);

	rpc_put_string(&s->input, path);
	request_end(s, start);
}

static void test_hash(void **state)
{
	struct rpc_session s;
	const void *hash;
	size_t size;

	session_begin(&s);
	put_hash(&s, own);
	put_hash(&s, "/etc/passwd");
	put_hash(&s, "relative");
	session_run(&s, 0);
	assert_int_equal(next_reply(&s), 0);
	assert_int_equal(bytes_get_u64(&s.in), own_size);
	hash = rpc_get_bytes(&s.in, &size);
	assert_int_equal(size, sizeof(own_hash));
	assert_memory_equal(hash, own_hash, sizeof(own_hash));
	assert_true(bytes_get_end(&s.in));
	assert_int_equal(next_reply(&s), -ENOENT);
	assert_int_equal(next_reply(&s), -EACCES);
	session_end(&s);
}

/* No hash is returned of a file that the session may not read whole. */
static void test_limit(void **state)
{
	struct rpc_session s;

	for (uint64_t less = 0; less < 2; less++) {
		session_begin(&s);
		s.config.limits.file_bytes = own_size - less;
		put_hash(&s, own);
		session_run(&s, 0);
		assert_int_equal(next_reply(&s), less ? -EFBIG : 0);
		session_end(&s);
	}
}

static int hash_own(void **state)
{
	crypto_hash_sha256_state hash;
	uint8_t data[4096];
	ssize_t n;
	int fd;

	n = readlink("/proc/self/exe", own, sizeof(own) - 1);
	fd = n > 0 ? open(own, O_RDONLY | O_CLOEXEC) : -1;
	if (fd < 0)
		return -1;
	crypto_hash_sha256_init(&hash);
	while ((n = read(fd, data, sizeof(data))) > 0) {
		crypto_hash_sha256_update(&hash, data, (unsigned long long)n);
		own_size += (uint64_t)n;
	}
	crypto_hash_sha256_final(&hash, own_hash);
	return close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hash),
		cmocka_unit_test(test_limit),
	};

	return cmocka_run_group_tests(tests, hash_own, NULL);
}

// SPDX-License-Identifier: Apache-2.0
// Tests the board's list of keys and the admission of hosts.
#include "tests/unit/link_test.h"
#include "tests/unit/log_capture.h"

#include "core/base/log.h"
#include "core/link/ssh.h"
#include "gadget/admission.h"
#include "gadget/keys.h"

#include <errno.h>
#include <sodium.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <unistd.h>

#define A "AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f"
#define B "AAAAC3NzaC1lZDI1NTE5AAAAIAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8g"

static char directory[] = "/tmp/test_keys.XXXXXX", path[64];

static int make_directory(void **state)
{
	assert_non_null(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/authorized_keys", directory);
	return 0;
}

static int remove_directory(void **state)
{
	unlink(path);
	return rmdir(directory);
}

static void put(const void *text, size_t len)
{
	FILE *out;

	unlink(path);
	out = fopen(path, "w");
	assert_non_null(out);
	assert_int_equal(fwrite(text, 1, len, out), len);
	assert_int_equal(fclose(out), 0);
	assert_int_equal(chmod(path, 0600), 0);
}

static void put_text(const char *text)
{
	put(text, strlen(text));
}

/* What the last helper logged. */
static const char *logged;

static struct key_list read_list(const char *text)
{
	struct key_list list;

	log_begin();
	assert_int_equal(keys_parse("list", text, strlen(text), true, &list), 0);
	logged = log_end();
	return list;
}

static void expect_lines(const char *text, size_t count, const char *log)
{
	struct key_list list = read_list(text);

	assert_int_equal(list.count, count);
	assert_string_equal(logged, log);
	keys_free(&list);
}

static void lines_with_key(void **state)
{
	struct key_list list = read_list("# comment\n\n \t\r\n"
					 "ssh-ed25519 " A "\n"
					 "  ssh-ed25519\t" B "  me@there \x1b[1m \r\n"
					 "read-only ssh-ed25519 " A " again\n"
					 "read-only,read-only  ssh-ed25519 " B);
	uint8_t key[AUTH_KEY_SIZE];

	assert_string_equal(logged, "");
	assert_int_equal(list.count, 4);
	for (uint8_t i = 0; i < sizeof(key); i++)
		key[i] = i;
	assert_ptr_equal(keys_find(&list, key), &list.entries[0]);
	assert_int_equal(list.entries[0].line, 4);
	assert_string_equal(list.entries[0].name, "");
	assert_false(list.entries[0].read_only);
	for (uint8_t i = 0; i < sizeof(key); i++)
		key[i] = (uint8_t)(i + 1);
	assert_ptr_equal(keys_find(&list, key), &list.entries[1]);
	assert_string_equal(list.entries[1].name, "me@there ?[1m");
	assert_true(list.entries[2].read_only);
	assert_string_equal(list.entries[2].name, "again");
	assert_true(list.entries[3].read_only);
	key[31] ^= 1;
	assert_null(keys_find(&list, key));
	keys_free(&list);
	assert_null(keys_find(&list, key));
}

static void lines_without_key(void **state)
{
	expect_lines("ssh-rsa AAAAB3NzaC1yc2E= x\nsk-ssh-ed25519@openssh.com AAAA\n", 0,
		"test: list:1: not an ssh-ed25519 key, skipped\n"
		"test: list:2: not an ssh-ed25519 key, skipped\n");
	expect_lines(
		"read-only ssh-rsa AAAA\n", 0, "test: list:1: not an ssh-ed25519 key, skipped\n");
	expect_lines("ssh-ed25519\n", 0, "test: list:1: not a complete ssh-ed25519 key\n");
	expect_lines("ssh-ed25519 " A "A\nssh-ed25519 " A "AAAA\n", 0,
		"test: list:1: not a complete ssh-ed25519 key\n"
		"test: list:2: not a complete ssh-ed25519 key\n");
	expect_lines("ssh-ed25519 AAAAB3NzaC1yc2E=\n", 0,
		"test: list:1: not a complete ssh-ed25519 key\n");
	expect_lines(A "\nhello\nread-only\nread-only,\n", 0,
		"test: list:1: not a key\ntest: list:2: not a key\n"
		"test: list:3: not a complete ssh-ed25519 key\ntest: list:4: not a key\n");
	expect_lines("from=\"a b\\\" c\" ssh-ed25519 " A "\nrestrict ssh-ed25519 " A
		     "\nread-only,no-pty ssh-ed25519 " A "\n",
		0,
		"test: list:1: unknown option; only read-only is known\n"
		"test: list:2: unknown option; only read-only is known\n"
		"test: list:3: unknown option; only read-only is known\n");
	expect_lines("cert-authority,read-only ssh-ed25519 " A "\n", 0,
		"test: list:1: unknown option; only read-only is known\n");
}

static void nul_byte(void **state)
{
	static const char text[] = "ssh-ed25519 " A "\0 x\nssh-ed25519 " B "\n";
	struct key_list list;

	log_begin();
	assert_int_equal(keys_parse("list", text, sizeof(text) - 1, true, &list), 0);
	assert_string_equal(log_end(), "test: list:1: a NUL byte\n");
	assert_int_equal(list.count, 1);
	keys_free(&list);
}

/* A list that is truncated, for example by a full disk, never yields a key that was not in it. */
static void cut_at_every_byte(void **state)
{
	static const char text[] = "read-only ssh-ed25519 " A "\nssh-ed25519 " B "\n";
	const size_t first = strlen("read-only ssh-ed25519 " A),
		     second = first + 1 + strlen("ssh-ed25519 " B);

	for (size_t len = 0; len < sizeof(text); len++) {
		struct key_list list;

		assert_int_equal(keys_parse("list", text, len, false, &list), 0);
		assert_int_equal(list.count, (len >= first) + (len >= second));
		if (list.count)
			assert_true(list.entries[0].read_only);
		keys_free(&list);
	}
}

static void list_files(void **state)
{
	static char large[KEYS_SIZE_MAX + 1];
	struct key_list list;

	log_begin();
	assert_int_equal(keys_read(path, true, &list), -ENOENT);
	assert_string_equal(log_end(), "");
	put_text("ssh-ed25519 " A "\n");
	assert_int_equal(keys_read(path, true, &list), 0);
	assert_int_equal(list.count, 1);
	keys_free(&list);
	memset(large, '\n', sizeof(large));
	put(large, sizeof(large) - 1);
	assert_int_equal(keys_read(path, true, &list), 0);
	put(large, sizeof(large));
	log_begin();
	assert_int_equal(keys_read(path, true, &list), -EFBIG);
	assert_non_null(strstr(log_end(), "authorized_keys: File too large"));
	unlink(path);
	assert_int_equal(mkfifo(path, 0600), 0);
	log_begin();
	assert_int_equal(keys_read(path, true, &list), -EINVAL);
	assert_non_null(strstr(log_end(), "not a regular file"));
	unlink(path);
	log_begin();
	assert_int_equal(keys_read(directory, true, &list), -EINVAL);
	log_end();
}

static void files_that_others_can_write(void **state)
{
	static const mode_t wrong[] = {0620, 0602, 0666};
	char open_dir[64], link_path[80];
	struct key_list list;

	put_text("ssh-ed25519 " A "\n");
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		chmod(path, wrong[i]);
		log_begin();
		assert_int_equal(keys_read(path, true, &list), -EPERM);
		assert_non_null(strstr(log_end(), "others than root can write it"));
		assert_int_equal(list.count, 0);
	}
	chmod(path, 0644);
	chmod(directory, 0770);
	log_begin();
	assert_int_equal(keys_read(path, true, &list), -EPERM);
	assert_non_null(strstr(log_end(), "can write the directory"));
	chmod(directory, 01777); /* sticky, like /tmp */
	assert_int_equal(keys_read(path, true, &list), 0);
	keys_free(&list);
	chmod(directory, 0700);
	/* A symbolic link in a directory that others can write. */
	snprintf(open_dir, sizeof(open_dir), "%s/open", directory);
	snprintf(link_path, sizeof(link_path), "%s/keys", open_dir);
	assert_int_equal(mkdir(open_dir, 0700) | symlink(path, link_path), 0);
	assert_int_equal(keys_read(link_path, true, &list), 0);
	keys_free(&list);
	chmod(open_dir, 0777);
	log_begin();
	assert_int_equal(keys_read(link_path, true, &list), -EPERM);
	assert_non_null(strstr(log_end(), "/open\n"));
	assert_int_equal(unlink(link_path) | rmdir(open_dir), 0);
	if (geteuid() == 0) { /* a file of another user */
		assert_int_equal(chown(path, 1000, 0), 0);
		log_begin();
		assert_int_equal(keys_read(path, true, &list), -EPERM);
		log_end();
	}
}

/* Admission. */

static ssize_t some_random(void *data, size_t size, unsigned int flags)
{
	assert_int_equal(flags, GRND_NONBLOCK);
	memset(data, 'r', size);
	return (ssize_t)size;
}

static ssize_t no_random(void *data, size_t size, unsigned int flags)
{
	errno = EAGAIN;
	return -1;
}

static ssize_t little_random(void *data, size_t size, unsigned int flags)
{
	return (ssize_t)size - 1;
}

static struct admission_lane lane;

static struct admission admission_new(void)
{
	static char *command[] = {(char *)"bpfd", NULL},
		    *read_only[] = {(char *)"bpfd", (char *)"--read-only", NULL};

	return (struct admission){.path = path,
		.serial = "s",
		.command = command,
		.read_only_command = read_only,
		.random = some_random};
}

static int ask(struct reset_info *refusal)
{
	uint8_t nonce[AUTH_NONCE_SIZE] = {0};
	int asked;

	log_begin();
	asked = lane.gate.ask(lane.gate.context, nonce, refusal);
	logged = log_end();
	if (asked == 1)
		assert_memory_equal(nonce, "rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrr", AUTH_NONCE_SIZE);
	return asked;
}

static int start(struct admission *admission)
{
	int err;

	log_begin();
	err = admission_start(admission);
	logged = log_end();
	return err;
}

static void admission_without_list(void **state)
{
	struct admission admission = admission_new();
	struct reset_info refusal;

	unlink(path);
	assert_int_equal(start(&admission), 0);
	assert_non_null(strstr(logged, "any USB host may connect"));
	admission_lane_init(&lane, &admission, 1);
	assert_int_equal(ask(&refusal), 0);
	assert_string_equal(logged, "");
	assert_ptr_equal(admission_command(&lane), admission.command);
	/* The list appears and vanishes again: a board that has had keys stays closed. */
	put_text("ssh-ed25519 " A "\n");
	assert_int_equal(ask(&refusal), 1);
	unlink(path);
	assert_int_equal(ask(&refusal), -EACCES);
	assert_int_equal(refusal.reason, RESET_AUTH);
	assert_non_null(strstr(logged, "it is gone"));
	admission = admission_new();
	admission.required = true;
	assert_int_equal(start(&admission), -ENOENT);
}

static void admission_with_list(void **state)
{
	struct admission admission = admission_new();
	struct reset_info refusal;

	put_text("# none\nssh-ed25519 AAAA\n");
	assert_int_equal(start(&admission), 0);
	assert_non_null(strstr(logged, ":2: not a complete"));
	assert_non_null(strstr(logged, "no usable key: no host may connect"));
	admission_lane_init(&lane, &admission, 1);
	assert_int_equal(ask(&refusal), 1);
	assert_string_equal(logged, ""); /* faults are logged once */
	assert_int_equal(start(&(struct admission){.path = path, .required = true}), -ENOKEY);
	chmod(path, 0666);
	assert_int_equal(ask(&refusal), -EACCES);
	assert_int_equal(refusal.reason, RESET_AUTH);
	assert_string_equal(refusal.text, "its list of keys cannot be used, see its log");
	put_text("ssh-ed25519 " A "\nssh-ed25519 " B "\n");
	assert_int_equal(start(&admission), 0);
	assert_non_null(strstr(logged, "one of its 2 keys"));
}

/* Asks for a challenge while no file can be opened. */
static int ask_without_descriptors(struct reset_info *refusal)
{
	struct rlimit before, none;
	uint8_t nonce[AUTH_NONCE_SIZE];
	int asked;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = (struct rlimit){0, before.rlim_max};
	log_begin();
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	asked = lane.gate.ask(lane.gate.context, nonce, refusal);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	logged = log_end();
	return asked;
}

/* A board without a list stays open after a moment in which it cannot look for one. */
static void admission_without_descriptors(void **state)
{
	struct admission admission = admission_new();
	struct reset_info refusal;

	unlink(path);
	assert_int_equal(start(&admission), 0);
	admission_lane_init(&lane, &admission, 1);
	assert_int_equal(ask_without_descriptors(&refusal), 0);
	assert_int_equal(ask(&refusal), 0);
	put_text("ssh-ed25519 " A "\n");
	assert_int_equal(ask_without_descriptors(&refusal), -EACCES);
	assert_int_equal(refusal.reason, RESET_START);
	assert_string_equal(refusal.text, "it cannot read its list of keys now, see its log");
	assert_int_equal(ask(&refusal), 1);
	unlink(path);
	assert_int_equal(ask(&refusal), -EACCES);
}

static void admission_without_randomness(void **state)
{
	struct admission admission = admission_new();
	struct reset_info refusal;

	put_text("ssh-ed25519 " A "\n");
	admission.random = no_random;
	assert_int_equal(start(&admission), 0);
	admission_lane_init(&lane, &admission, 1);
	assert_int_equal(ask(&refusal), -EACCES);
	assert_int_equal(refusal.reason, RESET_START);
	assert_string_equal(
		refusal.text, "it has no randomness yet to ask for a key with, try again later");
	assert_non_null(strstr(logged, "randomness: the kernel has none yet"));
	admission.random = little_random;
	assert_int_equal(ask(&refusal), -EACCES);
	admission.random = some_random;
	assert_int_equal(ask(&refusal), 1);
	admission = admission_new();
	admission.random = NULL; /* the kernel's own */
	admission_lane_init(&lane, &admission, 1);
	assert_ptr_equal(admission.random, getrandom);
}

static bool check(const struct auth_response *response, const uint8_t *message)
{
	bool admitted;

	log_begin();
	admitted = lane.gate.check(lane.gate.context, response, message, 5);
	logged = log_end();
	return admitted;
}

static void admission_checks(void **state)
{
	struct admission admission = admission_new();
	uint8_t seed[crypto_sign_SEEDBYTES] = {1}, secret[SSH_SECRET_SIZE];
	struct auth_response response;
	struct reset_info refusal;
	char text[SSH_KEY_TEXT_MAX], line[200];

	crypto_sign_seed_keypair(response.key, secret, seed);
	ssh_key_put(text, response.key);
	snprintf(line, sizeof(line), "%s name\n", text);
	put_text(line);
	assert_int_equal(start(&admission), 0);
	admission_lane_init(&lane, &admission, 1);
	assert_int_equal(ask(&refusal), 1);
	ssh_sign(secret, (const uint8_t *)"right", 5, response.signature);
	assert_true(check(&response, (const uint8_t *)"right"));
	assert_non_null(strstr(logged, "lane 1: admitted: key SHA256:"));
	assert_non_null(strstr(logged, " name, line 1\n"));
	assert_ptr_equal(admission_command(&lane), admission.command);
	assert_false(check(&response, (const uint8_t *)"wrong"));
	assert_non_null(strstr(logged, "its signature is wrong"));
	/* The key or the daemon makes a session read-only; the previous session does not. */
	snprintf(line, sizeof(line), "read-only %s\n", text);
	put_text(line);
	assert_true(check(&response, (const uint8_t *)"right"));
	assert_ptr_equal(admission_command(&lane), admission.read_only_command);
	assert_non_null(strstr(logged, ", line 1, read-only\n"));
	put_text(text);
	assert_true(check(&response, (const uint8_t *)"right"));
	assert_ptr_equal(admission_command(&lane), admission.command);
	admission.read_only = true;
	assert_true(check(&response, (const uint8_t *)"right"));
	assert_ptr_equal(admission_command(&lane), admission.read_only_command);
	/* The key is removed between challenge and response. */
	put_text("ssh-ed25519 " A "\n");
	assert_false(check(&response, (const uint8_t *)"right"));
	assert_non_null(strstr(logged, "not in the list"));
	unlink(path);
	assert_false(check(&response, (const uint8_t *)"right"));
}

/* A lane waits after refused keys, and no longer after an admitted one. */
static void admission_backs_off(void **state)
{
	static const uint64_t waits[] = {0, 0, 0, 0, 0, 250, 500, 1000, 2000, 4000, 4000};
	struct admission admission = admission_new();
	uint8_t seed[crypto_sign_SEEDBYTES] = {1}, secret[SSH_SECRET_SIZE];
	struct auth_response response;
	char text[SSH_KEY_TEXT_MAX];
	uint64_t wait_ms;

	crypto_sign_seed_keypair(response.key, secret, seed);
	ssh_key_put(text, response.key);
	put_text(text);
	assert_int_equal(start(&admission), 0);
	admission_lane_init(&lane, &admission, 1);
	ssh_sign(secret, (const uint8_t *)"right", 5, response.signature);
	assert_int_equal(lane.gate.wait_ms(lane.gate.context), 0);
	for (size_t i = 0; i < sizeof(waits) / sizeof(waits[0]); i++) {
		assert_false(check(&response, (const uint8_t *)"wrong"));
		wait_ms = lane.gate.wait_ms(lane.gate.context);
		assert_in_range(wait_ms, waits[i] > 200 ? waits[i] - 200 : 0, waits[i]);
	}
	/* The time passes. */
	lane.refused_ms -= 4000;
	assert_int_equal(lane.gate.wait_ms(lane.gate.context), 0);
	lane.refused_ms -= 60000;
	assert_false(check(&response, (const uint8_t *)"wrong"));
	assert_int_equal(lane.gate.wait_ms(lane.gate.context), 0);
	for (int i = 0; i < 10; i++)
		assert_false(check(&response, (const uint8_t *)"wrong"));
	assert_int_not_equal(lane.gate.wait_ms(lane.gate.context), 0);
	assert_true(check(&response, (const uint8_t *)"right"));
	assert_int_equal(lane.gate.wait_ms(lane.gate.context), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_with_key),
		cmocka_unit_test(lines_without_key),
		cmocka_unit_test(nul_byte),
		cmocka_unit_test(cut_at_every_byte),
		cmocka_unit_test(list_files),
		cmocka_unit_test(files_that_others_can_write),
		cmocka_unit_test(admission_without_list),
		cmocka_unit_test(admission_with_list),
		cmocka_unit_test(admission_without_descriptors),
		cmocka_unit_test(admission_without_randomness),
		cmocka_unit_test(admission_checks),
		cmocka_unit_test(admission_backs_off),
	};

	log_open("test", LOG_INFO);
	return cmocka_run_group_tests_name("keys", tests, make_directory, remove_directory);
}

// SPDX-License-Identifier: Apache-2.0
// Tests which keys a host shows to a board, and an ssh-agent that sends malformed replies.
#include "tests/unit/link_test.h"

#include "core/base/log.h"
#include "core/link/ssh.h"
#include "host-usb/agent.h"
#include "host-usb/identity.h"
#include "host-usb/key_file.h"

#include <errno.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define NONCE	     0x1122334455667788
#define MAX_TRANSFER 4096u

static char directory[] = "/tmp/test_identity.XXXXXX";
static struct key_pair config_key, home_key, other_key;

static void make_key(const char *path, struct key_pair *pair)
{
	char line[KEY_LINE_MAX];

	assert_int_equal(key_file_make(path, line), 0);
	assert_int_equal(key_file_read(path, pair), 0);
}

static int make_home(void **state)
{
	assert_non_null(mkdtemp(directory));
	assert_int_equal(chdir(directory), 0);
	assert_int_equal(
		mkdir(".ssh", 0700) | mkdir(".config", 0700) | mkdir(".config/bpfd", 0700), 0);
	make_key(".config/bpfd/id_ed25519", &config_key);
	make_key(".ssh/id_ed25519", &home_key);
	make_key("other", &other_key);
	setenv("HOME", directory, 1);
	unsetenv("XDG_CONFIG_HOME");
	unsetenv("SSH_AUTH_SOCK");
	return 0;
}

static int remove_home(void **state)
{
	char command[64];

	snprintf(command, sizeof(command), "rm -r %s", directory);
	return system(command);
}

/* Returns a session whose board has asked for a key with this serial number. */
static struct host_session *asked(const char *serial)
{
	static const struct host_config config = {MAX_TRANSFER, 0, 0};
	struct host_session *s = host_session_new(&config);
	struct auth_challenge challenge = {.hello = wire_hello_default(NONCE), .tries = 6};
	uint8_t payload[FRAME_PAYLOAD_MAX], buffer[MAX_TRANSFER];
	static struct wire w;
	struct host_event event;
	struct transfer t;
	size_t offset = 0;

	assert_non_null(s);
	host_session_open(s, NONCE, 0);
	host_session_begin(s, &t, buffer);
	host_session_finish(s, &t);
	strcpy(challenge.serial, serial);
	w.seq = 0;
	wire_only(&w, FRAME_AUTH_CHALLENGE, payload, auth_challenge_put(payload, &challenge));
	assert_int_equal(host_session_next(s, w.bytes, w.len, &offset, &event), HOST_ASKED);
	return s;
}

static void expect_key(
	struct identity *identity, const struct host_session *s, const struct key_pair *pair)
{
	struct auth_response response;
	uint8_t message[AUTH_MESSAGE_MAX];
	size_t len;

	assert_int_equal(identity_answer(identity, s, -1, &response), 0);
	assert_memory_equal(response.key, pair->key, AUTH_KEY_SIZE);
	len = host_session_message(s, pair->key, message);
	assert_true(ssh_verify(&response, message, len));
}

static void expect_no_key(struct identity *identity, const struct host_session *s)
{
	struct auth_response response;

	assert_int_equal(identity_answer(identity, s, -1, &response), -ENOKEY);
}

static void usual_places(void **state)
{
	struct host_session *s = asked("board");
	struct identity *identity;

	assert_int_equal(identity_new(NULL, &identity), 0);
	identity_expect(identity, "board");
	expect_key(identity, s, &config_key);
	expect_key(identity, s, &home_key);
	expect_no_key(identity, s);
	identity_refused(identity);
	identity_free(identity);
	/* With $XDG_CONFIG_HOME; a key that is in both places is shown once. */
	setenv("XDG_CONFIG_HOME", directory, 1);
	assert_int_equal(mkdir("bpfd", 0700), 0);
	assert_int_equal(link(".ssh/id_ed25519", "bpfd/id_ed25519"), 0);
	assert_int_equal(identity_new(NULL, &identity), 0);
	identity_expect(identity, "board");
	expect_key(identity, s, &home_key);
	expect_no_key(identity, s);
	identity_free(identity);
	unsetenv("XDG_CONFIG_HOME");
	identity_free(NULL);
	host_session_free(s);
}

static void key_file_option(void **state)
{
	struct host_session *s = asked("board");
	struct identity *identity;

	assert_int_equal(identity_new("other", &identity), 0);
	identity_expect(identity, "board");
	expect_key(identity, s, &other_key);
	expect_no_key(identity, s);
	identity_free(identity);
	assert_int_equal(identity_new("nowhere", &identity), -ENOENT);
	/* A public key whose private half is missing. */
	assert_int_equal(identity_new("other.pub", &identity), 0);
	identity_expect(identity, "board");
	expect_no_key(identity, s);
	identity_free(identity);
	host_session_free(s);
}

static void another_serial_number(void **state)
{
	static const struct {
		const char *device, *asked;
		bool answer;
	} cases[] = {{"board", "board", true}, {"board", "boar", false}, {"board", "", false},
		{"", "board", false}};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct host_session *s = asked(cases[i].asked);
		struct identity *identity;

		assert_int_equal(identity_new("other", &identity), 0);
		identity_expect(identity, cases[i].device);
		if (cases[i].answer)
			expect_key(identity, s, &other_key);
		else
			expect_no_key(identity, s);
		identity_free(identity);
		host_session_free(s);
	}
}

/* The reply of an agent to one request. */
struct answer {
	const uint8_t *data;
	size_t len;
};

static void serve(int listener, const struct answer *answers, size_t count)
{
	uint8_t request[1024];
	int fd = accept(listener, NULL, NULL);

	for (size_t i = 0; i < count; i++) {
		if (read(fd, request, sizeof(request)) <= 0 ||
			write(fd, answers[i].data, answers[i].len) < 0)
			break;
	}
	close(fd); /* a cut reply is never completed */
	_exit(0);
}

static pid_t agent(const struct answer *answers, size_t count)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int listener = socket(AF_UNIX, SOCK_STREAM, 0);
	pid_t pid;

	snprintf(address.sun_path, sizeof(address.sun_path), "%s/agent", directory);
	unlink(address.sun_path);
	assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(listener, 1), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		serve(listener, answers, count);
	close(listener);
	return pid;
}

static void agent_ends(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static int connect_agent(void)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "%s/agent", directory);
	fd = agent_open(path);
	assert_true(fd >= 0);
	return fd;
}

/* The list of an RSA key and other_key. */
static size_t put_list(uint8_t *data, size_t room)
{
	uint8_t blob[SSH_BLOB_SIZE], type = 12;
	struct ssh_out out = {.data = data + 4, .room = room - 4}, head = {.data = data, .room = 4};

	ssh_blob_put(blob, other_key.key);
	ssh_put_bytes(&out, &type, 1);
	ssh_put_u32(&out, 2);
	ssh_put_string(&out, "\0\0\0\7ssh-rsa", 11);
	ssh_put_text(&out, "rsa");
	ssh_put_string(&out, blob, sizeof(blob));
	ssh_put_text(&out, "ours");
	assert_false(out.failed);
	ssh_put_u32(&head, (uint32_t)out.size);
	return 4 + out.size;
}

static size_t put_signature(uint8_t *data, size_t room)
{
	uint8_t inner[4 + 11 + 4 + 64], signature[64], type = 14;
	struct ssh_out out = {.data = data + 4, .room = room - 4}, head = {.data = data, .room = 4};
	struct ssh_out in = {.data = inner, .room = sizeof(inner)};

	memset(signature, 's', sizeof(signature));
	ssh_put_text(&in, "ssh-ed25519");
	ssh_put_string(&in, signature, sizeof(signature));
	ssh_put_bytes(&out, &type, 1);
	ssh_put_string(&out, inner, in.size);
	assert_false(out.failed || in.failed);
	ssh_put_u32(&head, (uint32_t)out.size);
	return 4 + out.size;
}

static int list_of(const uint8_t *data, size_t len)
{
	struct answer answer = {data, len};
	uint8_t keys[4][AUTH_KEY_SIZE];
	pid_t pid = agent(&answer, 1);
	int fd = connect_agent(), n = agent_list(fd, -1, keys, 4);

	close(fd);
	agent_ends(pid);
	return n;
}

static int signature_of(const uint8_t *data, size_t len)
{
	struct answer answer = {data, len};
	struct auth_response response = {.key = {1}};
	static const uint8_t message[100];
	pid_t pid = agent(&answer, 1);
	int fd = connect_agent(), err = agent_sign(fd, -1, message, sizeof(message), &response);

	close(fd);
	agent_ends(pid);
	return err;
}

/* Cuts the reply at each byte, and overwrites each four bytes, which makes each length wrong. */
static void check_malformed(void **state, size_t (*put)(uint8_t *, size_t),
	int (*ask)(const uint8_t *, size_t), int right)
{
	uint8_t data[400];
	size_t len = put(data, sizeof(data));

	assert_int_equal(ask(data, len), right);
	for (size_t cut = 0; cut < len; cut++)
		assert_true(ask(data, cut) < 0);
	for (size_t i = 0; i + 4 <= len; i++) {
		uint8_t before[4];
		int got;

		memcpy(before, data + i, 4);
		memset(data + i, 0xff, 4);
		got = ask(data, len);
		/* Inside keys, signatures and comments any byte is valid. */
		assert_true(got <= right);
		if (i < 5)
			assert_true(got < 0);
		memcpy(data + i, before, 4);
	}
	/* The length of the message is one byte too small for its contents. */
	data[3]--;
	assert_true(ask(data, len - 1) < 0);
}

static void malformed_lists(void **state)
{
	check_malformed(state, put_list, list_of, 1);
}

static void malformed_signatures(void **state)
{
	static const uint8_t failure[] = {0, 0, 0, 1, 5}, empty[] = {0, 0, 0, 0},
			     large[] = {0, 5, 0, 0};

	check_malformed(state, put_signature, signature_of, 0);
	assert_int_equal(signature_of(failure, sizeof(failure)), -EACCES);
	assert_int_equal(list_of(failure, sizeof(failure)), -EBADMSG);
	assert_int_equal(signature_of(empty, sizeof(empty)), -EBADMSG);
	assert_int_equal(signature_of(large, sizeof(large)), -EBADMSG);
}

/* The agent's keys come between the two files. A key with which it refuses to sign is skipped. */
static void keys_of_an_agent(void **state)
{
	static const uint8_t failure[] = {0, 0, 0, 1, 5};
	uint8_t list[400], signature[400];
	struct answer answers[] = {{list, put_list(list, sizeof(list))},
		{signature, put_signature(signature, sizeof(signature))}};
	struct host_session *s = asked("board");
	struct auth_response response;
	struct identity *identity;
	char path[64];

	snprintf(path, sizeof(path), "%s/agent", directory);
	setenv("SSH_AUTH_SOCK", path, 1);
	for (int refuses = 0; refuses < 2; refuses++) {
		pid_t pid;

		if (refuses)
			answers[1] = (struct answer){failure, sizeof(failure)};
		pid = agent(answers, 2);
		assert_int_equal(identity_new(NULL, &identity), 0);
		identity_expect(identity, "board");
		expect_key(identity, s, &config_key);
		if (!refuses) {
			assert_int_equal(identity_answer(identity, s, -1, &response), 0);
			assert_memory_equal(response.key, other_key.key, AUTH_KEY_SIZE);
			assert_int_equal(response.signature[0], 's');
		}
		expect_key(identity, s, &home_key);
		expect_no_key(identity, s);
		identity_free(identity);
		agent_ends(pid);
	}
	/* The agent has exited. */
	assert_int_equal(identity_new(NULL, &identity), 0);
	identity_expect(identity, "board");
	expect_key(identity, s, &config_key);
	expect_key(identity, s, &home_key);
	identity_free(identity);
	unsetenv("SSH_AUTH_SOCK");
	host_session_free(s);
}

static void signal_ends_waiting(void **state)
{
	uint8_t keys[1][AUTH_KEY_SIZE];
	struct answer none = {(const uint8_t *)"", 0};
	pid_t pid = agent(&none, 2);
	int fd = connect_agent(), ends[2];

	assert_int_equal(pipe(ends), 0);
	assert_int_equal(write(ends[1], "x", 1), 1);
	assert_int_equal(agent_list(fd, ends[0], keys, 1), -EINTR);
	close(fd);
	close(ends[0]);
	close(ends[1]);
	agent_ends(pid);
	assert_int_equal(agent_open("/nonexistent/agent"), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(usual_places),
		cmocka_unit_test(key_file_option),
		cmocka_unit_test(another_serial_number),
		cmocka_unit_test(malformed_lists),
		cmocka_unit_test(malformed_signatures),
		cmocka_unit_test(keys_of_an_agent),
		cmocka_unit_test(signal_ends_waiting),
	};

	signal(SIGPIPE, SIG_IGN);
	log_open("test", LOG_ERROR);
	return cmocka_run_group_tests_name("identity", tests, make_home, remove_home);
}

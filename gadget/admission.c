/* SPDX-License-Identifier: Apache-2.0 */
/* Decides who may open a session.
 *
 * The list is read for each session, so that a removed key opens no further session. */
#include "gadget/admission.h"

#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/shortage.h"
#include "core/link/ssh.h"
#include "gadget/keys.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>

/* Refused keys on a lane before the board waits: an agent may offer some that are for other hosts.
 * A lane that was quiet for a minute starts again. The longest wait is shorter than the time in
 * which a host repeats its HELLO and gives up. */
#define BACKOFF_FREE	  6
#define BACKOFF_FIRST_MS  250U
#define BACKOFF_MAX_MS	  4000U
#define BACKOFF_FORGET_MS 60000U

/* True if the list may have faults that are not logged yet. */
static bool is_news(struct admission *admission)
{
	struct stat st;

	if (stat(admission->path, &st) < 0)
		return true;
	if (st.st_ctim.tv_sec == admission->logged_change.tv_sec &&
		st.st_ctim.tv_nsec == admission->logged_change.tv_nsec)
		return false;
	admission->logged_change = st.st_ctim;
	return true;
}

/* Reads the list like keys_read(), and remembers that it existed: a board that has had keys stays
 * closed when the list is lost. */
static int read_keys(struct admission *admission, struct key_list *list)
{
	int err = keys_read(admission->path, is_news(admission), list);

	*admission->seen = *admission->seen || err != -ENOENT;
	return err;
}

int admission_start(struct admission *admission)
{
	/* Shared memory, so that the next worker knows what the previous one has seen. */
	bool *seen = mmap(
		NULL, sizeof(*seen), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	bool required = admission->required;
	struct key_list list;
	size_t count;
	int err;

	if (seen == MAP_FAILED) {
		err = -errno;
		log_error("%s: %s", admission->path, strerror(-err));
		return err;
	}
	admission->seen = seen;
	err = read_keys(admission, &list);
	count = list.count;
	keys_free(&list);
	if (err == -ENOENT && !required) {
		log_warning("any USB host may connect: there is no %s", admission->path);
		return 0;
	}
	if (err == -ENOENT)
		log_error("%s: %s, and a key is required", admission->path, strerror(ENOENT));
	else if (count == 0)
		log_error("%s: no usable key: no host may connect", admission->path);
	else
		log_info("%s: hosts with one of its %zu keys may connect", admission->path, count);
	if (!required || count > 0)
		return 0;
	return err ? err : -ENOKEY;
}

static int refuse(struct reset_info *refusal, enum reset_reason reason, const char *text)
{
	refusal->reason = (uint16_t)reason;
	snprintf(refusal->text, sizeof(refusal->text), "%s", text);
	return -EACCES;
}

static int admission_ask(void *context, uint8_t nonce[AUTH_NONCE_SIZE], struct reset_info *refusal)
{
	struct admission_lane *lane = context;
	struct admission *admission = lane->admission;
	struct key_list list;
	ssize_t n;
	int err = read_keys(admission, &list);

	keys_free(&list);
	lane->read_only = admission->read_only;
	if (!admission->required && !*admission->seen)
		return 0;
	if (err < 0) {
		log_error("lane %u: host refused: %s: %s", lane->gate.lane, admission->path,
			err == -ENOENT ? "it is gone" : "it cannot be used");
		if (is_shortage(err))
			return refuse(refusal, RESET_START,
				"it cannot read its list of keys now, see its log");
		return refuse(refusal, RESET_AUTH, "its list of keys cannot be used, see its log");
	}
	/* Soon after power-on a board may have no randomness. Waiting for it would stop all lanes,
	 * and a nonce that can be guessed would protect nothing. */
	n = admission->random(nonce, AUTH_NONCE_SIZE, GRND_NONBLOCK);
	if (n == AUTH_NONCE_SIZE)
		return 1;
	err = n < 0 ? errno : EIO;
	log_error("lane %u: host refused: randomness: %s", lane->gate.lane,
		err == EAGAIN ? "the kernel has none yet" : strerror(err));
	return refuse(refusal, RESET_START,
		"it has no randomness yet to ask for a key with, try again later");
}

/* Notes a refused key. After a few, which an agent may try, each doubles the wait for the next. */
static void back_off(struct admission_lane *lane)
{
	uint64_t now_ms = clock_boottime_ms();
	unsigned int beyond;

	if (now_ms - lane->refused_ms > BACKOFF_FORGET_MS)
		lane->refused = 0;
	lane->refused_ms = now_ms;
	if (++lane->refused < BACKOFF_FREE)
		return;
	beyond = lane->refused - BACKOFF_FREE;
	lane->wait_ms = beyond < 4 ? BACKOFF_FIRST_MS << beyond : BACKOFF_MAX_MS;
}

static uint64_t admission_wait(void *context)
{
	const struct admission_lane *lane = context;
	uint64_t passed_ms = clock_boottime_ms() - lane->refused_ms;

	return lane->refused >= BACKOFF_FREE && passed_ms < lane->wait_ms
		       ? lane->wait_ms - passed_ms
		       : 0;
}

static bool admission_check(
	void *context, const struct auth_response *response, const uint8_t *message, size_t len)
{
	struct admission_lane *lane = context;
	char fingerprint[SSH_FINGERPRINT_MAX];
	const struct key_entry *entry;
	struct key_list list;
	bool admitted;

	ssh_fingerprint(response->key, fingerprint);
	if (read_keys(lane->admission, &list) < 0)
		return false; /* the list vanished after the challenge */
	entry = keys_find(&list, response->key);
	admitted = entry && ssh_verify(response, message, len);
	if (admitted) {
		lane->read_only = lane->admission->read_only || entry->read_only;
		lane->refused = 0;
		log_limit(false);
		log_info("lane %u: admitted: key %s%s%s, line %u%s", lane->gate.lane, fingerprint,
			entry->name[0] ? " " : "", entry->name, entry->line,
			lane->read_only ? ", read-only" : "");
	} else {
		log_warning("lane %u: key refused: %s: %s", lane->gate.lane, fingerprint,
			entry ? "its signature is wrong" : "not in the list");
		back_off(lane);
	}
	keys_free(&list);
	return admitted;
}

void admission_lane_init(struct admission_lane *lane, struct admission *admission, uint8_t number)
{
	*lane = (struct admission_lane){
		.admission = admission,
		.gate = {.ask = admission_ask,
			.check = admission_check,
			.wait_ms = admission_wait,
			.context = lane,
			.serial = admission->serial,
			.lane = number},
		.read_only = admission->read_only,
	};
	if (!admission->random)
		admission->random = getrandom;
}

char *const *admission_command(const struct admission_lane *lane)
{
	return lane->read_only ? lane->admission->read_only_command : lane->admission->command;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* What a session sends, what it must receive, and which ends are right. */
#include "tests/campaign/campaign.h"

#include "core/base/base64.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#define GARBAGE_MAX  (1 << 20)
#define RECORD_BYTES 20 /* including padding */

static uint64_t records; /* ring records that have arrived */

uint64_t traffic_records(void)
{
	return records;
}

const char *mode_name(enum mode mode)
{
	static const char *const names[MODES] = {
		"echo", "gen", "notes", "bpfd", "rpc", "ring", "garbage", "nomem", "nofd"};

	return names[mode];
}

static enum mode plan_mode(uint64_t *rng)
{
	static const uint8_t often[] = {MODE_ECHO, MODE_ECHO, MODE_ECHO, MODE_ECHO, MODE_ECHO,
		MODE_BPFD, MODE_BPFD, MODE_BPFD, MODE_RPC, MODE_RPC, MODE_RING, MODE_RING, MODE_GEN,
		MODE_GEN, MODE_NOTES};

	return (enum mode)often[draw(rng, sizeof(often))];
}

/* Each magnitude is equally likely. */
static uint64_t plan_size(uint64_t *rng, unsigned int bits)
{
	return draw(rng, 1ull << draw(rng, bits + 1));
}

/* Random lines that are no commands, some of them very long. */
static void plan_garbage(struct session *s, const char *head, uint64_t rng)
{
	size_t len = 1000 + plan_size(&rng, 18) % GARBAGE_MAX, at = strlen(head);

	s->script.text = malloc(at + len + 1);
	if (!s->script.text)
		abort();
	memcpy(s->script.text, head, at);
	for (size_t i = 0; i < len; i++) {
		uint64_t r = draw(&rng, 4000);

		s->script.text[at + i] = r < 3 ? '\n' : (char)(r % 90 + '%');
		s->replies_due += r < 3 && i > 0 && s->script.text[at + i - 1] != '\n';
	}
	s->replies_due += s->script.text[at + len - 1] != '\n';
	s->script.text[at + len] = '\n';
	s->script.len = at + len + 1;
}

static enum script_kind plan_script(enum mode mode)
{
	return mode == MODE_RPC ? SCRIPT_RPC : mode == MODE_RING ? SCRIPT_RING : SCRIPT_TEXT;
}

void traffic_plan(struct session *s, uint64_t seed, int want, bool is_short)
{
	uint64_t rng = mix(seed, mix(s->lane + 1, s->number)), bits = is_short ? 12 : 18;
	uint64_t size, limit = 0;
	char head[200];

	s->mode = plan_mode(&rng);
	if (want >= 0)
		s->mode = (enum mode)want;
	s->key = mix(rng, 1);
	size = plan_size(&rng, (unsigned int)bits);
	s->code = (uint8_t)(draw(&rng, 3) ? 0 : draw(&rng, 250));
	s->lease_s = 2 + (unsigned int)draw(&rng, 2);
	s->rest_ms = (unsigned int)draw(&rng, 1500);
	s->hold_ms = is_short || draw(&rng, 3) ? 0 : (unsigned int)draw(&rng, 400);
	if (s->mode == MODE_NOMEM)
		limit = 4 + draw(&rng, 60); /* MiB */
	if (s->mode == MODE_NOFD)
		limit = 3 + draw(&rng, 12);
	snprintf(head, sizeof(head), "%d %u %" PRIu64 " %" PRIu64 " %" PRIu64 " %u %" PRIu64 "\n",
		(int)s->mode, s->lane, s->number, s->key, size, s->code, limit);
	if (s->mode >= MODE_BPFD)
		s->code = 0;
	if (s->mode == MODE_GARBAGE)
		plan_garbage(s, head, mix(rng, 2));
	else if (s->mode >= MODE_BPFD)
		script_make(&s->script, plan_script(s->mode), head, mix(rng, 2),
			(unsigned int)(size % (is_short ? 4 : 32)));
	else
		s->script.text = strdup(head), s->script.len = strlen(head);
	s->in_total = s->script.len + (s->mode < MODE_BPFD ? size : 0);
	s->out_total = size;
	if (s->mode >= MODE_BPFD) {
		s->out_total = 0;
		for (size_t i = 0; i < s->script.count; i++)
			s->out_total += s->script.replies[i]->len;
		if (s->mode != MODE_GARBAGE)
			s->replies_due = s->script.count - 1; /* the banner is no reply */
	}
}

size_t traffic_input(const struct session *s, uint8_t *data, size_t len)
{
	uint64_t left = s->in_total - s->sent;

	if (len > left)
		len = (size_t)left;
	if (s->sent >= s->script.len) {
		pattern(s->key, s->sent - s->script.len, data, len);
		return len;
	}
	if (len > s->script.len - s->sent)
		len = s->script.len - (size_t)s->sent;
	memcpy(data, s->script.text + s->sent, len);
	return len;
}

static const char *check_pattern(struct session *s, const uint8_t *data, size_t len)
{
	uint64_t wrote = s->sent < s->script.len ? 0 : s->sent - s->script.len;
	uint8_t right[65536];

	if (s->received + len > (s->mode == MODE_ECHO ? wrote : s->out_total))
		return "too much output";
	pattern(s->key, s->received, right, len);
	return memcmp(right, data, len) ? "wrong bytes" : NULL;
}

static const char *check_replies(struct session *s, const uint8_t *data, size_t len)
{
	while (len > 0) {
		const struct reply *r;
		size_t part;

		if (s->reply == s->script.count)
			return "more replies than commands";
		r = s->script.replies[s->reply];
		part = r->len - s->reply_at < len ? r->len - s->reply_at : len;
		if (memcmp(r->text + s->reply_at, data, part) != 0)
			return "wrong bytes";
		data += part;
		len -= part;
		s->reply_at += part;
		if (s->reply_at == r->len) {
			s->reply++;
			s->reply_at = 0;
		}
	}
	return NULL;
}

/* A record is "RING SIZE BASE64". The program numbers its records; some may be lost. */
static const char *check_record(struct session *s, const char *line)
{
	char text[64];
	uint8_t data[sizeof(text)];
	uint64_t number;
	unsigned int size;
	int end = 0;

	if (sscanf(line, "%*u %u %63s%n", &size, text, &end) != 2)
		return NULL; /* the reply to another command */
	if (line[end] || size != RECORD_BYTES ||
		base64_decode(data, text, strlen(text)) != RECORD_BYTES)
		return "malformed record";
	memcpy(&number, data, sizeof(number));
	if (number < s->record)
		return "records out of order";
	s->record = number + 1;
	records++;
	return NULL;
}

static const char *check_line(struct session *s)
{
	const char *line = (const char *)s->loose;

	if (strcmp(line, "START_BPFD_OUTPUT") == 0) {
		if (s->loose_open)
			return "START_BPFD_OUTPUT within a reply";
		s->loose_open = true;
	} else if (strcmp(line, "END_BPFD_OUTPUT") == 0) {
		if (!s->loose_open)
			return "END_BPFD_OUTPUT outside of a reply";
		s->loose_open = false;
		s->loose_replies++;
	} else if (!s->loose_open && strcmp(line, "STARTED_BPFD") != 0) {
		return "line outside of a reply";
	} else if (s->mode == MODE_RING) {
		return check_record(s, line);
	}
	return NULL;
}

/* Checks replies whose text depends on the machine: only START, END and records. */
static const char *check_form(struct session *s, const uint8_t *data, size_t len)
{
	const char *why = NULL;

	for (size_t i = 0; i < len && !why; i++) {
		if (data[i] == '\n') {
			s->loose[s->loose_len] = '\0';
			s->loose_len = 0;
			why = check_line(s);
		} else if (s->loose_len < sizeof(s->loose) - 1) {
			s->loose[s->loose_len++] = data[i];
		}
	}
	return why;
}

const char *traffic_check(struct session *s, const uint8_t *data, size_t len)
{
	const char *why;

	if (s->mode < MODE_BPFD)
		why = check_pattern(s, data, len);
	else if (s->mode < MODE_RING)
		why = check_replies(s, data, len);
	else
		why = check_form(s, data, len);
	s->received += len;
	return why;
}

/* Checks that all output has arrived and all input was sent. */
static const char *check_whole(const struct session *s)
{
	if (s->taint & TAINT_CLOSED)
		return NULL;
	if (s->loose_open || (s->mode >= MODE_RING && s->loose_len > 0))
		return "clean end within a reply";
	if (s->mode >= MODE_RING)
		return s->loose_replies == s->replies_due
			       ? NULL
			       : "clean end, but commands without a reply";
	if (s->received != s->out_total)
		return "clean end, but not all of the output arrived";
	if (s->sent != s->in_total && s->mode != MODE_GEN && s->mode != MODE_NOTES)
		return "clean end, but not all of the input was sent";
	return NULL;
}

const char *traffic_verdict(const struct session *s, int status)
{
	int code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;

	if (WIFSIGNALED(status))
		return s->taint & TAINT_KILLED && WTERMSIG(status) == s->signal
			       ? NULL
			       : "killed by a signal";
	if (code == 255 && s->taint & TAINT_LOST)
		return s->tail_len > 0 || s->err_full || s->err_unread
			       ? NULL
			       : "status 255 without a message";
	if (code == 128 + 9 && s->taint & TAINT_CORE)
		return NULL;
	/* A bpfd without memory or descriptors may fail with any status. */
	if ((s->mode > MODE_GARBAGE || s->taint & TAINT_LIMITED) && code < 250)
		return code == 0 ? check_whole(s) : NULL;
	if (code != s->code)
		return "wrong status";
	return check_whole(s);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Requests to bpfd and the right replies, which are those of bpfd on a pipe.
 *
 * A script begins with requests that set the session up. Others follow in random order; their
 * replies do not depend on the order. Text commands come from files, in which an empty line
 * separates the two kinds. */
#include "tests/campaign/campaign.h"

#include "core/messages/rpc.h"

#include <linux/bpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define REQUESTS_MAX 64
#define BANNER	     "STARTED_BPFD\n"
#define ENDS	     "END_BPFD_OUTPUT\n"
#define LEARN_FILE   "/run/campaign.learn"

struct known {
	struct reply requests[REQUESTS_MAX], replies[REQUESTS_MAX];
	unsigned int count, setup;
};

static struct known known[SCRIPTS];
static const struct reply banner = {(char *)BANNER, sizeof(BANNER) - 1};

static void known_add(struct known *k, const void *data, size_t len)
{
	struct reply *request = &k->requests[k->count];

	if (k->count == REQUESTS_MAX || !(request->text = malloc(len)))
		abort();
	memcpy(request->text, data, len);
	request->len = len;
	k->count++;
}

static bool read_lines(struct known *k, const char *file)
{
	FILE *in = fopen(file, "re");
	char *line = NULL;
	size_t size = 0;
	ssize_t n;

	while (in && (n = getline(&line, &size, in)) > 0) {
		if (line[0] == '\n')
			k->setup = k->count;
		else
			known_add(k, line, (size_t)n);
	}
	free(line);
	if (in)
		fclose(in);
	return k->setup > 0 && k->count > k->setup;
}

static size_t message_begin(struct bytes_out *out, unsigned int op)
{
	out->size = 0;
	return rpc_begin(out, op, 0, 7);
}

static void message_add(struct known *k, struct bytes_out *out, size_t start)
{
	rpc_end(out, start);
	if (out->failed)
		abort();
	known_add(k, out->data, out->size);
}

/* A call of bpf(2) on a map: attributes, a key, and a value, or NULL to read the value. */
static void message_map(struct known *k, struct bytes_out *out, uint32_t command, uint32_t key,
	const uint64_t *value)
{
	const uint32_t attributes[8] = {3 /* the map */};
	size_t start = message_begin(out, RPC_BPF);

	bytes_put_u32(out, command);
	rpc_put_bytes(out, attributes, sizeof(attributes));
	bytes_put_u8(out, 1);
	bytes_put_u32(out, 0);
	rpc_put_bytes(out, &key, sizeof(key));
	bytes_put_u8(out, 1);
	bytes_put_u32(out, value ? 0 : sizeof(*value));
	rpc_put_bytes(out, value, value ? sizeof(*value) : 0);
	message_add(k, out, start);
}

static void message_file(struct known *k, struct bytes_out *out, const char *path, uint64_t max)
{
	size_t start = message_begin(out, RPC_FILE_READ);

	rpc_put_string(out, path);
	bytes_put_u64(out, max);
	message_add(k, out, start);
}

/* Makes the requests of the binary protocol. */
static void make_messages(struct known *k)
{
	const uint32_t array[5] = {BPF_MAP_TYPE_ARRAY, sizeof(uint32_t), sizeof(uint64_t), 16, 0};
	const uint64_t value = 0x0123456789abcdef;
	struct bytes_out out = {0};
	size_t start;

	known_add(k, "BPFD_RPC 1\n", 11);
	start = message_begin(&out, RPC_BPF);
	bytes_put_u32(&out, BPF_MAP_CREATE);
	rpc_put_bytes(&out, array, sizeof(array));
	message_add(k, &out, start);
	message_map(k, &out, BPF_MAP_UPDATE_ELEM, 5, &value);
	k->setup = k->count;
	message_map(k, &out, BPF_MAP_UPDATE_ELEM, 5, &value);
	message_map(k, &out, BPF_MAP_LOOKUP_ELEM, 5, NULL);
	message_map(k, &out, BPF_MAP_LOOKUP_ELEM, 99, NULL);
	message_file(k, &out, "/proc/version", 0);
	message_file(k, &out, "/sys/kernel/btf/vmlinux", 100000);
	message_file(k, &out, "/etc/shadow", 0);
	message_add(k, &out, message_begin(&out, 999));
	bytes_out_free(&out);
}

static char *read_all(const char *command, size_t *len)
{
	FILE *in = popen(command, "re");
	size_t room = 1 << 22;
	char *text = malloc(room);

	*len = in && text ? fread(text, 1, room, in) : 0;
	if (in)
		pclose(in);
	return text;
}

/* Returns the end of the reply at `at`, or NULL if the reply is incomplete. */
static char *reply_end(char *at, char *end, bool message)
{
	struct rpc_header header = {.flags = RPC_FLAG_MORE};
	char *found;

	if (!message) {
		found = memmem(at, (size_t)(end - at), ENDS, strlen(ENDS));
		return found ? found + strlen(ENDS) : NULL;
	}
	while (header.flags & RPC_FLAG_MORE) {
		if (end - at < RPC_HEADER_SIZE)
			return NULL;
		rpc_header_get((const uint8_t *)at, &header);
		at += RPC_HEADER_SIZE;
		if ((size_t)(end - at) < header.length)
			return NULL;
		at += header.length;
	}
	return at;
}

static bool split_replies(struct known *k, char *text, char *end, bool messages)
{
	char *at = text + banner.len, *next;

	if (end - text < (ssize_t)banner.len || memcmp(text, banner.text, banner.len) != 0)
		return false;
	for (unsigned int i = 0; i < k->count; i++) {
		next = reply_end(at, end, messages && i > 0);
		if (!next)
			return false;
		k->replies[i] = (struct reply){at, (size_t)(next - at)};
		at = next;
	}
	return at == end;
}

int script_learn(enum script_kind kind, const char *bpfd, const char *file)
{
	struct known *k = &known[kind];
	char command[4200], *text;
	FILE *input;
	size_t len;

	if (!file)
		make_messages(k);
	else if (!read_lines(k, file))
		return -1;
	input = fopen(LEARN_FILE, "we");
	if (!input)
		return -1;
	for (unsigned int i = 0; i < k->count; i++)
		fwrite(k->requests[i].text, 1, k->requests[i].len, input);
	if (fclose(input) != 0)
		return -1;
	snprintf(command, sizeof(command), "'%s' -q <" LEARN_FILE, bpfd);
	text = read_all(command, &len); /* never freed, because the replies point into it */
	unlink(LEARN_FILE);
	return text && split_replies(k, text, text + len, !file) ? 0 : -1;
}

static void script_add(struct script *s, const struct known *k, unsigned int request)
{
	memcpy(s->text + s->len, k->requests[request].text, k->requests[request].len);
	s->len += k->requests[request].len;
	s->replies[s->count++] = &k->replies[request];
}

void script_make(struct script *s, enum script_kind kind, const char *head, uint64_t seed,
	unsigned int requests)
{
	const struct known *k = &known[kind];
	size_t longest = 0;

	for (unsigned int i = 0; i < k->count; i++)
		if (k->requests[i].len > longest)
			longest = k->requests[i].len;
	s->text = malloc(strlen(head) + (k->setup + requests) * longest);
	s->replies = calloc(1 + k->setup + requests, sizeof(*s->replies));
	if (!s->text || !s->replies)
		abort();
	s->len = strlen(head);
	memcpy(s->text, head, s->len);
	s->count = 0;
	s->replies[s->count++] = &banner;
	for (unsigned int i = 0; i < k->setup; i++)
		script_add(s, k, i);
	for (unsigned int i = 0; i < requests; i++)
		script_add(s, k, k->setup + (unsigned int)draw(&seed, k->count - k->setup));
}

void script_free(struct script *s)
{
	free(s->text);
	free(s->replies);
	*s = (struct script){0};
}

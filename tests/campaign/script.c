/* SPDX-License-Identifier: Apache-2.0 */
/* What sessions of bpfd are told, and the right answers: those that bpfd gives on a pipe.
 *
 * The file has the commands that set a session up, an empty line, and commands of which any may
 * follow in any order: their answers do not depend on what was before. */
#include "tests/campaign/campaign.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINES_MAX 64
#define BANNER	  "STARTED_BPFD\n"
#define ENDS	  "END_BPFD_OUTPUT\n"

static struct {
	char *lines[LINES_MAX];
	struct reply replies[LINES_MAX];
	unsigned int count, setup;
	struct reply banner;
} known;

const struct reply *script_banner(void)
{
	return &known.banner;
}

static bool read_lines(const char *file)
{
	FILE *in = fopen(file, "re");
	char *line = NULL;
	size_t size = 0;

	while (in && known.count < LINES_MAX && getline(&line, &size, in) > 0) {
		if (line[0] == '\n')
			known.setup = known.count;
		else
			known.lines[known.count++] = strdup(line);
	}
	free(line);
	if (in)
		fclose(in);
	return known.setup > 0 && known.count > known.setup;
}

static char *read_all(const char *command, size_t *len)
{
	FILE *in = popen(command, "re");
	char *text = NULL;
	size_t size = 0;
	ssize_t n = in ? getdelim(&text, &size, '\0', in) : -1;

	if (in)
		pclose(in);
	*len = n < 0 ? 0 : (size_t)n;
	return text;
}

int script_learn(const char *bpfd, const char *file)
{
	char command[4200], *text, *at, *end;
	bool all_read;
	size_t len;

	snprintf(command, sizeof(command), "'%s' -q <'%s'", bpfd, file);
	text = read_lines(file) ? read_all(command, &len) : NULL;
	if (!text || strncmp(text, BANNER, strlen(BANNER)) != 0)
		return -1;
	known.banner = (struct reply){strdup(BANNER), strlen(BANNER)};
	at = text + strlen(BANNER);
	for (unsigned int i = 0; i < known.count; i++) {
		end = strstr(at, ENDS);
		if (!end)
			return -1;
		end += strlen(ENDS);
		known.replies[i].len = (size_t)(end - at);
		known.replies[i].text = strndup(at, known.replies[i].len);
		at = end;
	}
	all_read = !*at;
	free(text);
	return all_read ? 0 : -1;
}

static void script_add(struct script *s, unsigned int line)
{
	size_t len = strlen(known.lines[line]);

	memcpy(s->text + s->len, known.lines[line], len);
	s->len += len;
	s->replies[s->count++] = &known.replies[line];
}

void script_make(struct script *s, const char *head, uint64_t seed, unsigned int commands)
{
	size_t longest = 0;

	for (unsigned int i = 0; i < known.count; i++)
		if (strlen(known.lines[i]) > longest)
			longest = strlen(known.lines[i]);
	s->text = malloc(strlen(head) + (known.setup + commands) * longest);
	s->replies = calloc(1 + known.setup + commands, sizeof(*s->replies));
	if (!s->text || !s->replies)
		abort();
	s->len = strlen(head);
	memcpy(s->text, head, s->len);
	s->count = 0;
	s->replies[s->count++] = &known.banner;
	for (unsigned int i = 0; i < known.setup; i++)
		script_add(s, i);
	for (unsigned int i = 0; i < commands; i++)
		script_add(s, known.setup + (unsigned int)draw(&seed, known.count - known.setup));
}

void script_free(struct script *s)
{
	free(s->text);
	free(s->replies);
	*s = (struct script){0};
}

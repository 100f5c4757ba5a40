/* SPDX-License-Identifier: Apache-2.0 */
/* A small client of bpfd: starts it through a command, sends lines, reads replies. */
#include "tests/demo/client.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define SHOWN_COLUMNS 88
#define SHOWN_LINES   4

struct client {
	pid_t pid;
	FILE *to, *from;
	char *line; /* buffer of getline */
	size_t line_size;
	char *body; /* lines of the last reply, each with a NUL at its end */
	size_t body_len, body_size, next;
};

static pid_t spawn(char *const *command, int in, int out)
{
	pid_t pid = fork();

	if (pid != 0)
		return pid;
	/* Ctrl-C must reach the client only, which then ends the session cleanly. */
	setpgid(0, 0);
	if (dup2(in, STDIN_FILENO) < 0 || dup2(out, STDOUT_FILENO) < 0)
		_exit(126);
	execvp(command[0], command);
	fprintf(stderr, "demo: %s: %s\n", command[0], strerror(errno));
	_exit(127);
}

/* Reads a line into client->line, without its newline. */
static int read_line(struct client *client)
{
	ssize_t n = getline(&client->line, &client->line_size, client->from);

	if (n < 0)
		return -EPIPE;
	if (n > 0 && client->line[n - 1] == '\n')
		client->line[n - 1] = 0;
	return 0;
}

struct client *client_open(char *const *command)
{
	struct client *client = calloc(1, sizeof(*client));
	int in[2], out[2];

	if (!client)
		return NULL;
	if (pipe2(in, O_CLOEXEC) < 0)
		goto err_free;
	if (pipe2(out, O_CLOEXEC) < 0)
		goto err_close_in;
	client->to = fdopen(in[1], "w");
	client->from = fdopen(out[0], "r");
	client->pid = client->to && client->from ? spawn(command, in[0], out[1]) : -1;
	close(in[0]);
	close(out[1]);
	if (client->pid < 0)
		goto err_close_files;
	if (read_line(client) < 0 || strcmp(client->line, "STARTED_BPFD") != 0) {
		client_close(client);
		errno = EPROTO;
		return NULL;
	}
	return client;

err_close_files:
	if (client->to)
		fclose(client->to);
	else
		close(in[1]);
	if (client->from)
		fclose(client->from);
	else
		close(out[0]);
	goto err_free;
err_close_in:
	close(in[0]);
	close(in[1]);
err_free:
	free(client);
	return NULL;
}

static int keep_line(struct client *client)
{
	size_t len = strlen(client->line) + 1, size = client->body_size;
	char *body;

	if (client->body_len + len > size) {
		size = 2 * (client->body_len + len);
		body = realloc(client->body, size);
		if (!body)
			return -ENOMEM;
		client->body = body;
		client->body_size = size;
	}
	memcpy(client->body + client->body_len, client->line, len);
	client->body_len += len;
	return 0;
}

static void show_line(const char *mark, const char *line)
{
	size_t len = strlen(line);

	printf("  %s %.*s%s\n", mark, SHOWN_COLUMNS, line, len > SHOWN_COLUMNS ? "..." : "");
}

int client_command(struct client *client, bool show, const char *line)
{
	unsigned int lines = 0;
	int err;

	if (show)
		show_line("->", line);
	if (fprintf(client->to, "%s\n", line) < 0 || fflush(client->to) != 0)
		return -EPIPE;
	client->body_len = 0;
	client->next = 0;
	err = read_line(client);
	if (err < 0)
		return err;
	if (strcmp(client->line, "START_BPFD_OUTPUT") != 0)
		return -EPROTO;
	while ((err = read_line(client)) == 0 && strcmp(client->line, "END_BPFD_OUTPUT") != 0) {
		if (show && lines++ < SHOWN_LINES)
			show_line("<-", client->line);
		err = keep_line(client);
		if (err < 0)
			return err;
	}
	if (show && lines > SHOWN_LINES)
		printf("  <- ... %u more lines\n", lines - SHOWN_LINES);
	fflush(stdout);
	return err;
}

const char *client_next(struct client *client)
{
	const char *line = client->body + client->next;

	if (client->next == client->body_len)
		return NULL;
	client->next += strlen(line) + 1;
	return line;
}

long client_call(struct client *client, const char *format, ...)
{
	const char *reply, *number;
	char *line = NULL;
	va_list args;
	int err;

	va_start(args, format);
	err = vasprintf(&line, format, args);
	va_end(args);
	if (err < 0)
		return -ENOMEM;
	err = client_command(client, true, line);
	free(line);
	if (err < 0)
		return err;
	reply = client_next(client);
	client->next = 0;
	if (!reply)
		return 0;
	if (strncmp(reply, "Command not recognized", strlen("Command not recognized")) == 0)
		return -EOPNOTSUPP;
	number = strstr(reply, "ret=");
	return number ? strtol(number + strlen("ret="), NULL, 10) : 0;
}

int client_close(struct client *client)
{
	int status;

	fclose(client->to);
	while (read_line(client) == 0)
		;
	fclose(client->from);
	while (waitpid(client->pid, &status, 0) < 0 && errno == EINTR)
		;
	free(client->line);
	free(client->body);
	free(client);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

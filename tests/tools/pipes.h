/* SPDX-License-Identifier: Apache-2.0 */
/* Starts a command between two pipes. */
#ifndef TESTS_TOOLS_PIPES_H
#define TESTS_TOOLS_PIPES_H

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Starts the command and sets *to and *from to pipes for its stdin and stdout. Returns its pid.
 * Without a command returns 0 in the new process, like fork. Exits on errors. */
static inline pid_t pipes_start(char **command, int *to, int *from)
{
	int in[2], out[2];
	pid_t pid;

	/* O_CLOEXEC, because another command must not keep the pipes open. */
	if (pipe2(in, O_CLOEXEC) < 0 || pipe2(out, O_CLOEXEC) < 0 || (pid = fork()) < 0) {
		perror("pipes");
		exit(1);
	}
	if (pid == 0) {
		dup2(in[0], STDIN_FILENO);
		dup2(out[1], STDOUT_FILENO);
		close(in[0]);
		close(in[1]);
		close(out[0]);
		close(out[1]);
		if (!command[0])
			return 0;
		execvp(command[0], command);
		perror(command[0]);
		_exit(127);
	}
	close(in[0]);
	close(out[1]);
	*to = in[1];
	*from = out[0];
	return pid;
}

#endif

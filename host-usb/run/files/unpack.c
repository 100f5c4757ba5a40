/* SPDX-License-Identifier: Apache-2.0 */
/* Runs xz and tar, and carries the archive from one to the other to count its bytes: a small
 * archive of a hostile board may fill the disk. */
#include "host-usb/run/files/unpack.h"

#include "core/base/write_all.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#define STATUS_NOT_FOUND 127

/* Starts a program with these standard files. Returns its pid or a negative errno. */
static pid_t start(const char *const *argv, int in, int out)
{
	pid_t pid = fork();
	sigset_t none;

	if (pid)
		return pid < 0 ? -errno : pid;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	if (dup2(in, STDIN_FILENO) < 0 || dup2(out, STDOUT_FILENO) < 0)
		_exit(1);
	execvp(argv[0], (char *const *)argv);
	_exit(errno == ENOENT ? STATUS_NOT_FOUND : 1);
}

static int end(pid_t pid)
{
	int status;

	if (pid < 0)
		return (int)pid;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	if (WIFEXITED(status) && WEXITSTATUS(status) == STATUS_NOT_FOUND)
		return -ENOENT;
	return WIFEXITED(status) && !WEXITSTATUS(status) ? 0 : -EBADMSG;
}

static int carry(int from, int to)
{
	size_t sum = 0;
	char data[65536];
	ssize_t n;
	int err = 0;

	while (!err && (n = read(from, data, sizeof(data)))) {
		if (n < 0 && errno == EINTR)
			continue;
		sum += n < 0 ? 0 : (size_t)n;
		err = n < 0 ? -errno : sum > UNPACK_MAX ? -EFBIG : write_all(to, data, (size_t)n);
	}
	return err;
}

int unpack_tar_xz(int archive, const char *directory)
{
	const char *const xz[] = {"xz", "-dc", NULL};
	const char *const tar[] = {"tar", "-x", "-f", "-", "--no-same-owner",
		"--no-same-permissions", "-C", directory, NULL};
	int plain[2], input[2], err, err_xz, err_tar;
	pid_t pid_xz, pid_tar;

	if (lseek(archive, 0, SEEK_SET) < 0 || pipe2(plain, O_CLOEXEC) < 0)
		return -errno;
	if (pipe2(input, O_CLOEXEC) < 0) {
		err = -errno;
		close(plain[0]);
		close(plain[1]);
		return err;
	}
	pid_xz = start(xz, archive, plain[1]);
	pid_tar = start(tar, input[0], STDERR_FILENO);
	close(plain[1]);
	close(input[0]);
	err = carry(plain[0], input[1]);
	close(plain[0]);
	close(input[1]);
	err_xz = end(pid_xz);
	err_tar = end(pid_tar);
	/* The first program that failed made the other one fail. */
	if (err && err != -EPIPE)
		return err;
	return err_tar == -ENOENT || !err_xz ? err_tar : err_xz;
}

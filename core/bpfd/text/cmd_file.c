/* SPDX-License-Identifier: Apache-2.0 */
/* Commands that send files and directories of the kernel. */
#include "core/base/log.h"
#include "core/base/paths.h"
#include "core/bpfd/files/file.h"
#include "core/bpfd/text/command.h"

#include <limits.h>
#include <string.h>
#include <unistd.h>

#define OPEN_FAILED "Open failed, ignoring\n"

struct copy {
	struct reply *reply;
	char last; /* the last byte that was sent */
};

static int take_bytes(void *arg, const void *data, size_t size)
{
	struct copy *copy = arg;

	reply_bytes(copy->reply, data, size);
	copy->last = ((const char *)data)[size - 1];
	return reply_error(copy->reply);
}

/* Sends the rest of fd unchanged, and closes it. A negative fd is the errno of opening it. */
static void answer_file(struct bpfd *bpfd, int fd, const char *what)
{
	struct copy copy = {.reply = bpfd->reply, .last = '\n'};
	int err = fd;

	if (fd < 0) {
		log_debug("%s: cannot open: %s", what, strerror(-err));
		reply_text(bpfd->reply, OPEN_FAILED);
		return;
	}
	err = file_copy(fd, take_bytes, &copy);
	close(fd);
	if (err) {
		log_error("%s: cannot read all of it: %s", what, strerror(-err));
		reply_fail(bpfd->reply, err);
	}
	/* The end of the reply must be a line of its own. */
	if (copy.last != '\n')
		reply_text(bpfd->reply, "\n");
}

void cmd_get_kallsyms(struct bpfd *bpfd, struct args *args)
{
	answer_file(bpfd, file_open_kallsyms(&bpfd->config.paths), "kallsyms");
}

/* TRACEFS */
void cmd_get_kprobes_blacklist(struct bpfd *bpfd, struct args *args)
{
	const char *tracefs = args_text(args, 1);

	if (args_wrong(args))
		return;
	answer_file(bpfd, file_open_blacklist(&bpfd->config.paths, tracefs), "kprobe blacklist");
}

static int take_name(void *arg, const char *name)
{
	struct reply *reply = arg;

	/* Any program can define an event with this name, which must not end the reply. */
	if (strcmp(name, REPLY_END) == 0)
		return 0;
	reply_text(reply, name);
	reply_text(reply, "\n");
	return reply_error(reply);
}

/* Sends the names of the directories in events/ or in a category. Sends nothing unless all could be
 * read. */
static void answer_events(
	struct bpfd *bpfd, struct args *args, const char *tracefs, const char *category)
{
	char root[PATH_MAX], path[PATH_MAX];
	int err;

	err = file_tracefs(&bpfd->config.paths, tracefs, root);
	if (err) {
		args_refuse(args, 1, "not a tracefs of this board");
		return;
	}
	err = path_format(path, "%s/events/%s", root, category);
	if (!err)
		err = file_list_directories(path, take_name, bpfd->reply);
	if (err && !reply_error(bpfd->reply))
		args_refuse(args, category[0] ? 2 : 1, "not a directory of events");
}

/* TRACEFS */
void cmd_get_trace_events_categories(struct bpfd *bpfd, struct args *args)
{
	const char *tracefs = args_text(args, 1);

	if (args_wrong(args))
		return;
	answer_events(bpfd, args, tracefs, "");
}

/* TRACEFS CATEGORY */
void cmd_get_trace_events(struct bpfd *bpfd, struct args *args)
{
	const char *tracefs = args_text(args, 1), *category = args_text(args, 2);

	if (!args_wrong(args) && !file_is_name(category))
		args_refuse(args, 2, "not a category");
	if (args_wrong(args))
		return;
	answer_events(bpfd, args, tracefs, category);
}

/* PID */
void cmd_comm_for_pid(struct bpfd *bpfd, struct args *args)
{
	pid_t pid = (pid_t)args_signed(args, 1, INT_MIN, INT_MAX);
	char comm[FILE_COMM_SIZE];

	if (args_wrong(args))
		return;
	if (file_comm(&bpfd->config.paths, pid, comm)) {
		reply_text(bpfd->reply, OPEN_FAILED);
		return;
	}
	/* A process chooses its name, which is long enough for the line that ends a reply. */
	if (strcmp(comm, REPLY_END) == 0)
		comm[0] = '?';
	reply_text(bpfd->reply, comm);
	reply_text(bpfd->reply, "\n");
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The loop of a session, which knows both front ends. */
#include "core/bpfd/serve.h"

#include "core/base/resident.h"
#include "core/bpfd/line.h"
#include "core/bpfd/reply.h"
#include "core/bpfd/rpc/server.h"
#include "core/bpfd/session.h"
#include "core/bpfd/text/command.h"

#include <errno.h>

#define FIELDS_MIN 32 /* room for the fields of any command; a licence can have several words */

static int answer_line(struct bpfd *b, struct args *args)
{
	ssize_t len;
	char *line = NULL;

	/* Replies are sent together: only when no further command is waiting. */
	if (!line_ready(b->input)) {
		int err = reply_flush(b->reply);

		if (err)
			return err;
	}
	len = line_read(b->input, &line);
	if (len == -EMSGSIZE)
		command_refuse(b, "the line is too long");
	else if (len < 0)
		return (int)len;
	else
		command_run(b, args, line, (size_t)len);
	return reply_error(b->reply);
}

/* A poll of all rings has the most fields: one for each handle. */
static unsigned int max_fields(const struct limits *limits)
{
	return (unsigned int)limits->handles + FIELDS_MIN;
}

int bpfd_serve(struct bpfd *b)
{
	struct args args;
	int err;

	err = args_init(&args, max_fields(&b->config.limits));
	if (err)
		return err;
	reply_text(b->reply, "STARTED_BPFD\n");
	err = reply_flush(b->reply);
	resident_trim();
	while (!err && !b->finished && !b->binary)
		err = b->config.stop && *b->config.stop ? -EINTR : answer_line(b, &args);
	if (!err && b->binary)
		err = rpc_serve(b);
	if (err == -ENODATA)
		err = 0;
	if (!err || err == -EINTR) {
		int flushed = reply_flush(b->reply);

		if (!err)
			err = flushed;
	}
	args_free(&args);
	return err;
}

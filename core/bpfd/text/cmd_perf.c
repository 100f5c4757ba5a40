/* SPDX-License-Identifier: Apache-2.0 */
/* Commands about perf rings. */
#include "core/base/clock.h"
#include "core/bpfd/bpf/cpu_watch.h"
#include "core/bpfd/bpf/handle.h"
#include "core/bpfd/bpf/ring.h"
#include "core/bpfd/line.h"
#include "core/bpfd/text/command.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

void cmd_open_perf_buffer(struct bpfd *bpfd, struct args *args)
{
	pid_t pid = (pid_t)args_signed(args, 1, INT_MIN, INT_MAX);
	int cpu = (int)args_signed(args, 2, INT_MIN, INT_MAX);
	uint32_t pages = (uint32_t)args_unsigned(args, 3, 0, UINT32_MAX);
	struct ring *ring;
	int ret;

	if (args_wrong(args))
		return;
	ret = ring_new(&ring, bpfd->rings, pid, cpu, pages);
	if (!ret) {
		ret = handle_add(bpfd->handles, &ring_class, ring, ring_fd(ring));
		if (ret < 0)
			ring_free(ring);
		else
			ring_set_tag(ring, ret);
		cpu_watch_add(bpfd->cpus, pid, cpu);
	}
	reply_ret(bpfd->reply, "bpf_open_perf_buffer", ret);
}

/* The text "FD SIZE " before a record. Kept, because it is mostly the same for the next record. */
struct poll_prefix {
	struct reply *reply;
	int fd;
	uint32_t size;
	unsigned int length;
	char text[24];
};

/* "FD SIZE DATA" */
static int poll_record(void *arg, const struct ring *ring, const void *data, uint32_t size)
{
	struct poll_prefix *prefix = arg;
	struct reply *reply = prefix->reply;
	int fd = ring_tag(ring);

	if (!prefix->length || prefix->fd != fd || prefix->size != size) {
		prefix->fd = fd;
		prefix->size = size;
		prefix->length = (unsigned int)snprintf(
			prefix->text, sizeof(prefix->text), "%d %u ", fd, size);
	}
	reply_bytes(reply, prefix->text, prefix->length);
	reply_base64(reply, data, size);
	reply_bytes(reply, "\n", 1);
	return reply_error(reply);
}

/* Finds the n rings that the command names from its third field on. Returns 0, -EBADF. Fields that
 * are not numbers are noted. */
static int poll_rings(struct bpfd *bpfd, struct args *args, struct ring **rings, unsigned int n)
{
	const struct handle *handle;
	int ret = 0;

	for (unsigned int i = 0; i < n; i++) {
		handle = handle_get(bpfd->handles, args_handle(args, 3 + i), &ring_class);
		if (!handle)
			ret = -EBADF;
		else
			rings[i] = handle->object;
	}
	return ret;
}

/* Waits for records, unless there is input. Earlier replies are sent first, so that the client need
 * not wait for records to receive them. */
static int poll_wait(struct bpfd *bpfd, struct ring *const *rings, unsigned int n, int timeout_ms)
{
	if (line_pending(bpfd->input) || timeout_ms == 0)
		return 0;
	reply_flush(bpfd->reply);
	return ring_set_wait(
		bpfd->rings, rings, n, line_fd(bpfd->input), timeout_ms, bpfd->config.stop);
}

void cmd_perf_reader_poll(struct bpfd *bpfd, struct args *args)
{
	int timeout_ms = (int)args_signed(args, 1, -1, INT_MAX);
	unsigned int n = (unsigned int)args_unsigned(args, 2, 0, UINT_MAX);
	struct poll_prefix prefix = {.reply = bpfd->reply};
	struct ring **rings;
	int ret;

	if (n != args->count - 3)
		args_refuse(args, 2, "not the number of rings that follow");
	if (args_wrong(args))
		return;
	rings = calloc(n + 1, sizeof(*rings));
	if (!rings) {
		reply_ret(bpfd->reply, "perf_reader_poll", -ENOMEM);
		return;
	}
	ret = poll_rings(bpfd, args, rings, n);
	if (args_wrong(args))
		goto out_free;
	if (!ret)
		ret = poll_wait(bpfd, rings, n, timeout_ms);
	cpu_watch_check(bpfd->cpus, clock_monotonic_ms());
	if (!ret)
		ret = ring_set_drain(bpfd->rings, rings, n, bpfd->config.limits.poll_bytes,
			poll_record, &prefix);
	if (ret)
		reply_ret(bpfd->reply, "perf_reader_poll", ret);
out_free:
	free(rings);
}

void cmd_perf_reader_lost(struct bpfd *bpfd, struct args *args)
{
	int64_t number = args_handle(args, 1);
	const struct handle *handle;

	if (args_wrong(args))
		return;
	handle = handle_get(bpfd->handles, number, &ring_class);
	reply_ret(bpfd->reply, "perf_reader_lost",
		handle ? (int64_t)ring_take_lost(handle->object) : -EBADF);
}

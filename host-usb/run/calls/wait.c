/* SPDX-License-Identifier: Apache-2.0 */
/* poll(2), ppoll(2) and epoll_ctl(2) of rings. */
#include "host-usb/run/calls/wait.h"

#include "core/base/clock.h"
#include "core/messages/bpf_abi.h"
#include "host-usb/run/calls/memory.h"
#include "host-usb/run/calls/notify.h"
#include "host-usb/run/objects/objects.h"
#include "host-usb/run/objects/tool_ring.h"
#include "host-usb/run/run.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#define POLL_MAX   (1U << 20) /* descriptors of one call: the kernel's limit of open files */
#define SIGNALS_MS 50	      /* how often threads in held calls are checked for signals */
#define READY(ev)  ((ev) & (POLLIN | POLLRDNORM))

/* One poll(2) that is not answered yet. */
struct held {
	struct held *next;
	struct call call; /* without its arguments */
	uint64_t user;	  /* address of the array in the tool */
	unsigned int count;
	int64_t end_ms;		 /* -1: no limit */
	struct pollfd *polled;	 /* the tool's array */
	struct object **objects; /* for each entry: the object of a ring, NULL: see `others` */
	struct pollfd *others;	 /* for each entry: a duplicate of its descriptor, -1: none */
};

struct waits {
	struct held *first;
	int64_t signals_ms; /* time of the last check for signals */
};

int waits_new(struct waits **waits)
{
	*waits = calloc(1, sizeof(**waits));
	return *waits ? 0 : -ENOMEM;
}

static void held_free(struct held *held)
{
	for (unsigned int i = 0; held->others && i < held->count; i++)
		if (held->others[i].fd >= 0)
			close(held->others[i].fd);
	free(held->polled);
	free(held->objects);
	free(held->others);
	free(held);
}

void waits_free(struct waits *waits)
{
	if (!waits)
		return;
	while (waits->first) {
		struct held *held = waits->first;

		waits->first = held->next;
		held_free(held);
	}
	free(waits);
}

static struct held *held_new(const struct call *call, uint64_t user, unsigned int count)
{
	struct held *held = calloc(1, sizeof(*held));

	if (!held)
		return NULL;
	held->call = *call;
	held->call.args = NULL;
	held->user = user;
	held->count = count;
	held->polled = calloc(count + 1, sizeof(*held->polled));
	held->objects = calloc(count + 1, sizeof(struct object *));
	held->others = calloc(count + 1, sizeof(*held->others));
	for (unsigned int i = 0; held->others && i < count; i++)
		held->others[i].fd = -1;
	if (held->polled && held->objects && held->others)
		return held;
	held_free(held);
	return NULL;
}

/* Looks the objects up again, because the tool may have closed a ring in the meantime. */
static void look_up(struct held *held)
{
	for (unsigned int i = 0; i < held->count; i++)
		if (held->objects[i])
			held->objects[i] = object_of(
				&held->call, held->polled[i].fd, BPF_ABI_EVENT | BPF_ABI_MAP);
}

/* Fills in revents. Returns the number of entries in which it is not 0. */
static int look(struct held *held)
{
	int ready = 0;

	look_up(held);
	poll(held->others, held->count, 0);
	for (unsigned int i = 0; i < held->count; i++) {
		struct pollfd *polled = &held->polled[i];

		polled->revents = held->others[i].fd >= 0 ? held->others[i].revents : 0;
		if (held->objects[i] && tool_ring_readable(held->objects[i]))
			polled->revents = READY(polled->events);
		ready += polled->revents != 0;
	}
	return ready;
}

static int64_t answer(const struct held *held, int ready)
{
	for (unsigned int i = 0; i < held->count; i++) {
		int err = memory_write(&held->call,
			held->user + i * sizeof(struct pollfd) + offsetof(struct pollfd, revents),
			&held->polled[i].revents, sizeof(held->polled[i].revents));
		if (err)
			return err;
	}
	return ready;
}

/* Duplicates the descriptors that are not rings, to poll them. Returns 0 or a negative errno. */
static int duplicate_others(const struct call *call, struct held *held)
{
	for (unsigned int i = 0; i < held->count; i++) {
		int fd = held->polled[i].fd;

		if (held->objects[i] || fd < 0)
			continue;
		fd = memory_get_fd(call, fd);
		if (fd < 0)
			return fd;
		held->others[i] = (struct pollfd){.fd = fd, .events = held->polled[i].events};
	}
	return 0;
}

/* Answers the poll at once if it can, otherwise holds it. Polls without rings, and polls with an
 * invalid descriptor, are left to the workstation's kernel. */
static int64_t hold(const struct call *call, uint64_t user, uint64_t count, int64_t timeout_ms)
{
	struct run *run = call->run;
	struct held *held;
	bool ours = false;
	int err, ready;
	int64_t ret;

	if (count > POLL_MAX || count == 0)
		return CALL_CONTINUE;
	held = held_new(call, user, (unsigned int)count);
	if (!held)
		return -ENOMEM;
	err = memory_read(call, user, held->polled, count * sizeof(struct pollfd));
	for (unsigned int i = 0; !err && i < count; i++) {
		held->objects[i] = object_of(call, held->polled[i].fd, BPF_ABI_EVENT | BPF_ABI_MAP);
		ours |= held->objects[i] != NULL;
	}
	if (err || !ours)
		goto out_continue;
	err = duplicate_others(call, held);
	if (err == -EBADF)
		goto out_continue;
	if (err) {
		held_free(held);
		return err;
	}
	ready = look(held);
	if (ready || timeout_ms == 0) {
		ret = answer(held, ready);
		held_free(held);
		return ret;
	}
	held->end_ms = timeout_ms < 0 ? -1 : (int64_t)clock_monotonic_ms() + timeout_ms;
	held->next = run->waits->first;
	run->waits->first = held;
	return CALL_HELD;

out_continue:
	held_free(held);
	return CALL_CONTINUE;
}

/* True if a signal is pending for the thread. The kernel does not interrupt a call that the
 * supervisor has received, so the supervisor must end a held poll with EINTR. */
static bool has_signal(pid_t tid)
{
	unsigned long long own = 0, shared = 0, blocked = 0;
	char path[64], line[256];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)tid);
	file = fopen(path, "re");
	if (!file)
		return false;
	while (fgets(line, sizeof(line), file)) {
		sscanf(line, "SigPnd: %llx", &own);
		sscanf(line, "ShdPnd: %llx", &shared);
		if (sscanf(line, "SigBlk: %llx", &blocked) == 1)
			break;
	}
	fclose(file);
	return (own | shared) & ~blocked;
}

/* Returns true if the poll was answered or its thread is gone. */
static bool answer_one(struct run *run, struct held *held, bool look_for_signals)
{
	int ready;

	if (!notify_waiting(run, held->call.id))
		return true;
	ready = look(held);
	if (ready || (held->end_ms >= 0 && (int64_t)clock_monotonic_ms() >= held->end_ms))
		notify_answer(run, held->call.id, answer(held, ready));
	else if (look_for_signals && has_signal(held->call.tid))
		notify_answer(run, held->call.id, -EINTR);
	else
		return false;
	return true;
}

void waits_answer(struct run *run)
{
	struct waits *waits = run->waits;
	bool look_for_signals = (int64_t)clock_monotonic_ms() - waits->signals_ms >= SIGNALS_MS;
	struct held **at = &waits->first;

	if (!waits->first)
		return;
	if (look_for_signals)
		waits->signals_ms = (int64_t)clock_monotonic_ms();
	while (*at) {
		struct held *held = *at;

		if (!answer_one(run, held, look_for_signals)) {
			at = &held->next;
			continue;
		}
		*at = held->next;
		held_free(held);
	}
}

uint64_t waits_deadline(const struct run *run)
{
	const struct waits *waits = run->waits;
	uint64_t due = waits->first ? (uint64_t)waits->signals_ms + SIGNALS_MS : UINT64_MAX;

	for (const struct held *held = waits->first; held; held = held->next)
		if (held->end_ms >= 0 && (uint64_t)held->end_ms < due)
			due = (uint64_t)held->end_ms;
	return due;
}

size_t waits_poll(const struct run *run, struct pollfd *polled, size_t room)
{
	size_t n = 0;

	for (const struct held *held = run->waits->first; held; held = held->next)
		for (unsigned int i = 0; i < held->count && n < room; i++)
			if (held->others[i].fd >= 0)
				polled[n++] = held->others[i];
	return n;
}

/* poll(fds, count, timeout in ms) */
int64_t sys_poll(const struct call *call)
{
	return hold(call, call->args[0], (uint32_t)call->args[1], (int)call->args[2]);
}

/* ppoll(fds, count, timeout, signals, size); the signal mask is not changed. */
int64_t sys_ppoll(const struct call *call)
{
	struct timespec timeout = {0, 0};
	int64_t ms = -1;
	int err;

	if (call->args[2]) {
		err = memory_read(call, call->args[2], &timeout, sizeof(timeout));
		if (err)
			return err;
		if (timeout.tv_sec < 0 || timeout.tv_nsec < 0 || timeout.tv_nsec > 999999999)
			return -EINVAL;
		ms = timeout.tv_sec > INT_MAX / 1000
			     ? INT_MAX
			     : timeout.tv_sec * 1000 + (timeout.tv_nsec + 999999) / 1000000;
	}
	return hold(call, call->args[0], (uint32_t)call->args[1], ms);
}

/* epoll_wait(2) reports a perf ring once for each wake-up, so its eventfd is edge-triggered. It
 * reports a BPF ring buffer until the buffer is empty. */
static int change_set(int set, int operation, struct object *object, struct epoll_event *event)
{
	int err = 0;

	if (object->wake_fd < 0 && operation == EPOLL_CTL_ADD) {
		object->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		if (object->wake_fd < 0)
			return -errno;
	}
	if (object->wake_fd < 0)
		return -ENOENT;
	if (object->class == BPF_ABI_EVENT)
		event->events |= EPOLLET;
	if (epoll_ctl(set, operation, object->wake_fd, event) < 0)
		err = -errno;
	else if (operation != EPOLL_CTL_DEL && tool_ring_readable(object))
		object_wake(object);
	return err;
}

/* epoll_ctl(set, operation, fd, event) */
int64_t sys_epoll_ctl(const struct call *call)
{
	struct object *object = object_of(call, (int)call->args[2], BPF_ABI_EVENT | BPF_ABI_MAP);
	int operation = (int)call->args[1], set, err = 0;
	struct epoll_event event = {.events = 0};

	if (!object)
		return CALL_CONTINUE;
	if (operation != EPOLL_CTL_DEL)
		err = memory_read(call, call->args[3], &event, sizeof(event));
	if (err)
		return err;
	set = memory_get_fd(call, (int)call->args[0]);
	if (set < 0)
		return set;
	err = change_set(set, operation, object, &event);
	close(set);
	return err;
}

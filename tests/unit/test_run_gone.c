/* SPDX-License-Identifier: Apache-2.0 */
/* A thread of the tool is killed during its call, and another process gets its id.
 *
 * For each call this happens at each point where bpfd-run looks at the tool. From then on the
 * memory that bpfd-run reads contains a secret of that other process: none of it may reach the
 * board. */
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/openat2.h>
#include <linux/perf_event.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include <cmocka.h>

#include "host-usb/run/calls/memory.h"
#include "host-usb/run/calls/wait.h"
#include "tests/unit/run_test.h"

#define SECRET	 "secret of another process"
#define HANDLE	 50
#define LOOKS	 20 /* no call looks at the tool more often */
#define SENT_MAX 65536
#define KPROBE	 8

/* The tool's memory: all that its calls point to. */
static struct {
	union bpf_attr attr;
	struct perf_event_attr event;
	struct open_how how;
	struct iovec vector;
	struct pollfd polled;
	struct epoll_event wanted;
	struct timespec timeout;
	struct bpf_insn insns[8];
	char path[256], text[256];
} memory;

static int looks, killed_after;

/* Fills the memory with text, so that each part of it is recognized. */
static void replace_memory(void)
{
	char *at = (char *)&memory;

	for (size_t i = 0; i < sizeof(memory); i++)
		at[i] = SECRET[i % (sizeof(SECRET) - 1)];
}

/* This look may be the last one at which the thread is alive. */
static void on_look(void)
{
	tool_is_gone = looks++ >= killed_after;
	if (looks == killed_after)
		replace_memory();
}

/* A board that accepts each request, and keeps all bytes that it was sent. */
struct rig {
	struct run run;
	int end;
	pthread_t thread;
	char sent[SENT_MAX];
	size_t size;
	struct object *map, *btf, *event, *writer, *directory;
};

static void *answer_all(void *arg)
{
	struct rig *rig = arg;
	struct rpc_header header;
	uint8_t head[RPC_HEADER_SIZE];

	while (board_read(rig->end, head, sizeof(head))) {
		struct bytes_out out = {.data = NULL};
		size_t start;

		rpc_header_get(head, &header);
		if (header.length > SENT_MAX - rig->size ||
			!board_read(rig->end, rig->sent + rig->size, header.length))
			break;
		rig->size += header.length;
		if (rpc_op_is_silent(header.op))
			continue;
		start = rpc_begin(&out, header.op, RPC_FLAG_REPLY, header.tag);
		bytes_put_u32(&out, HANDLE);
		rpc_end(&out, start);
		if (send(rig->end, out.data, out.size, MSG_NOSIGNAL) < 0)
			break;
		bytes_out_free(&out);
	}
	return NULL;
}

static struct object *new_object(struct rig *rig, unsigned int class)
{
	struct object *object;

	assert_int_equal(object_new(&object, rig->run.objects, class, RPC_NO_HANDLE), 0);
	object->path = strdup("/sys/kernel/tracing");
	assert_non_null(object->path);
	return object;
}

static void start(struct rig *rig)
{
	struct client_events events = supervisor_events(&rig->run);
	int sockets[2];

	memset(rig, 0, sizeof(*rig));
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets), 0);
	rig->end = sockets[1];
	rig->run.listener = rig->run.signal_fd = -1;
	rig->run.fd_base = 960;
	rig->run.board.kprobe_type = KPROBE;
	assert_int_equal(client_new(&rig->run.client, sockets[0], sockets[0], &events, NULL), 0);
	assert_int_equal(objects_new(&rig->run.objects, &rig->run), 0);
	assert_int_equal(remote_new(&rig->run.remote, rig->run.client), 0);
	assert_int_equal(cache_new(&rig->run.cache, rig->run.remote, &rig->run.board), 0);
	assert_int_equal(opener_new(&rig->run.opener, &rig->run), 0);
	assert_int_equal(waits_new(&rig->run.waits), 0);
	rig->map = new_object(rig, BPF_ABI_MAP);
	rig->map->map_type = BPF_MAP_TYPE_HASH;
	rig->map->key_size = rig->map->value_size = sizeof(memory.text);
	rig->map->max_entries = 1;
	rig->btf = new_object(rig, BPF_ABI_BTF);
	rig->btf->btf_info = calloc(1, sizeof(struct bpf_btf_info));
	assert_non_null(rig->btf->btf_info);
	rig->event = new_object(rig, BPF_ABI_EVENT);
	rig->writer = new_object(rig, OBJECT_WRITER);
	rig->directory = new_object(rig, OBJECT_DIRECTORY);
	assert_int_equal(pthread_create(&rig->thread, NULL, answer_all, rig), 0);
}

static void stop(struct rig *rig)
{
	int fd = client_fd(rig->run.client);

	tool_is_gone = false;
	on_look_at_tool = NULL;
	waits_free(rig->run.waits);
	objects_free(rig->run.objects);
	opener_free(rig->run.opener);
	cache_free(rig->run.cache);
	remote_free(rig->run.remote);
	client_free(rig->run.client);
	close(fd);
	pthread_join(rig->thread, NULL);
	close(rig->end);
}

static void fill_memory(struct rig *rig)
{
	memset(&memory, 0, sizeof(memory));
	strcpy(memory.path, "/sys/kernel/tracing/kprobe_events");
	strcpy(memory.text, "text of the tool");
	memory.event.type = KPROBE;
	memory.event.size = sizeof(memory.event);
	memory.event.config1 = user(memory.text);
	memory.vector.iov_base = memory.text;
	memory.vector.iov_len = sizeof(memory.text);
	memory.polled.fd = rig->map->fd;
}

static int64_t call_of(struct rig *rig, int number, call_handler *handler, const uint64_t *args)
{
	const struct call call = {
		.run = &rig->run, .tid = getpid(), .number = number, .args = args};

	return handler(&call);
}

static int64_t bpf_of(struct rig *rig, uint32_t command, size_t size)
{
	const uint64_t args[6] = {command, user(&memory.attr), size};

	return call_of(rig, SYS_bpf, sys_bpf, args);
}

static int64_t load(struct rig *rig)
{
	memory.attr.prog_type = BPF_PROG_TYPE_SOCKET_FILTER;
	memory.attr.insn_cnt = 8;
	memory.attr.insns = user(memory.insns);
	memory.attr.license = user(memory.text);
	memory.attr.prog_btf_fd = (uint32_t)rig->btf->fd;
	return bpf_of(rig, BPF_PROG_LOAD, 128);
}

static int64_t update(struct rig *rig)
{
	memory.attr.map_fd = (uint32_t)rig->map->fd;
	memory.attr.key = user(memory.path);
	memory.attr.value = user(memory.text);
	return bpf_of(rig, BPF_MAP_UPDATE_ELEM, 32);
}

static int64_t next_key(struct rig *rig)
{
	memory.attr.map_fd = (uint32_t)rig->map->fd;
	memory.attr.key = user(memory.text);
	memory.attr.next_key = user(memory.path);
	return bpf_of(rig, BPF_MAP_GET_NEXT_KEY, 24);
}

static int64_t info(struct rig *rig)
{
	memory.attr.info.bpf_fd = (uint32_t)rig->map->fd;
	memory.attr.info.info_len = sizeof(memory.text);
	memory.attr.info.info = user(memory.text);
	return bpf_of(rig, BPF_OBJ_GET_INFO_BY_FD, 16);
}

static int64_t open_event(struct rig *rig)
{
	const uint64_t args[6] = {user(&memory.event), (uint64_t)-1, 0, (uint64_t)-1, 0};

	return call_of(rig, SYS_perf_event_open, sys_perf_event_open, args);
}

static int64_t set_filter(struct rig *rig)
{
	const uint64_t args[6] = {
		(uint64_t)rig->event->fd, PERF_EVENT_IOC_SET_FILTER, user(memory.text)};

	return call_of(rig, SYS_ioctl, sys_ioctl, args);
}

static int64_t set_period(struct rig *rig)
{
	const uint64_t args[6] = {
		(uint64_t)rig->event->fd, PERF_EVENT_IOC_PERIOD, user(memory.text)};

	return call_of(rig, SYS_ioctl, sys_ioctl, args);
}

static int64_t write_vector(struct rig *rig)
{
	const uint64_t args[6] = {(uint64_t)rig->writer->fd, user(&memory.vector), 1};

	return call_of(rig, SYS_writev, sys_writev, args);
}

static int64_t open_path(struct rig *rig)
{
	const uint64_t args[6] = {(uint64_t)rig->directory->fd, user(memory.text), O_RDONLY};

	return call_of(rig, SYS_openat, sys_openat, args);
}

static int64_t open_how(struct rig *rig)
{
	const uint64_t args[6] = {
		(uint64_t)AT_FDCWD, user(memory.path), user(&memory.how), sizeof(memory.how)};

	return call_of(rig, SYS_openat2, sys_openat2, args);
}

static int64_t stat_path(struct rig *rig)
{
	const uint64_t args[6] = {
		(uint64_t)rig->directory->fd, user(memory.text), user(memory.path), 0};

	return call_of(rig, SYS_newfstatat, sys_newfstatat, args);
}

static int64_t read_link(struct rig *rig)
{
	const uint64_t args[6] = {
		(uint64_t)rig->directory->fd, user(memory.text), user(memory.path), 64};

	return call_of(rig, SYS_readlinkat, sys_readlinkat, args);
}

static int64_t wait_for(struct rig *rig)
{
	const uint64_t args[6] = {user(&memory.polled), 1, user(&memory.timeout)};

	return call_of(rig, SYS_ppoll, sys_ppoll, args);
}

static int64_t add_to_set(struct rig *rig)
{
	const uint64_t args[6] = {
		(uint64_t)rig->end, EPOLL_CTL_ADD, (uint64_t)rig->map->fd, user(&memory.wanted)};

	return call_of(rig, SYS_epoll_ctl, sys_epoll_ctl, args);
}

static const struct {
	const char *name;
	int64_t (*make)(struct rig *rig);
} calls[] = {
	{"BPF_PROG_LOAD", load},
	{"BPF_MAP_UPDATE_ELEM", update},
	{"BPF_MAP_GET_NEXT_KEY", next_key},
	{"BPF_OBJ_GET_INFO_BY_FD", info},
	{"perf_event_open", open_event},
	{"PERF_EVENT_IOC_SET_FILTER", set_filter},
	{"PERF_EVENT_IOC_PERIOD", set_period},
	{"writev", write_vector},
	{"openat", open_path},
	{"openat2", open_how},
	{"newfstatat", stat_path},
	{"readlinkat", read_link},
	{"ppoll", wait_for},
	{"epoll_ctl", add_to_set},
};

/* Parts of words are enough to recognize the secret. */
static bool has_secret(const struct rig *rig)
{
	static const char *const parts[] = {"secret", "anoth", "process"};
	bool found = false;

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		found |= memmem(rig->sent, rig->size, parts[i], strlen(parts[i])) != NULL;
	return found;
}

static void test_secret_stays(void **state)
{
	struct rig *rig = malloc(sizeof(*rig));

	assert_non_null(rig);
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		for (killed_after = 0; killed_after < LOOKS; killed_after++) {
			start(rig);
			fill_memory(rig);
			looks = 0;
			if (!killed_after)
				replace_memory();
			on_look_at_tool = on_look;
			calls[i].make(rig);
			stop(rig);
			if (has_secret(rig))
				fail_msg("%s, killed after look %d: the board got the secret",
					calls[i].name, killed_after);
			assert_true(looks > 0 && looks < LOOKS);
		}
	}
	free(rig);
}

/* Nothing is written, and nothing that was read is left, once the thread is gone. */
static void test_access(void **state)
{
	const struct run run = {.listener = -1};
	const struct call call = {.run = (struct run *)&run, .tid = getpid()};
	char from[8] = "private", to[16] = "";
	struct stat st;

	assert_int_equal(memory_read(&call, user(from), to, sizeof(from)), 0);
	assert_string_equal(to, from);
	assert_int_equal(memory_stat_fd(&call, 0, &st), 0);
	assert_true(memory_read_link(&call, "cwd", to, sizeof(to)) > 0);
	tool_is_gone = true;
	assert_int_equal(memory_read(&call, user(from), to, sizeof(from)), -ESRCH);
	assert_string_equal(to, "");
	assert_int_equal(memory_read_string(&call, user(from), to, sizeof(to)), -ESRCH);
	assert_string_equal(to, "");
	assert_int_equal(memory_read_link(&call, "cwd", to, sizeof(to)), -ESRCH);
	assert_string_equal(to, "");
	assert_int_equal(memory_stat_fd(&call, 0, &st), -ESRCH);
	assert_int_equal(st.st_mode, 0);
	assert_int_equal(memory_get_fd(&call, 0), -ESRCH);
	assert_int_equal(memory_write(&call, user(from), "changed", 8), -ESRCH);
	assert_string_equal(from, "private");
	tool_is_gone = false;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_secret_stays),
		cmocka_unit_test(test_access),
	};

	unsetenv("XDG_CACHE_HOME");
	unsetenv("HOME");
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Checks of the binary protocol against a session with a kernel: each is a name of the table at the
 * end. Says what was wrong and exits with 1, or with 0. */
#include "tests/tools/rpc_calls.h"

#include <inttypes.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <time.h>

static char **session;	      /* the command that starts one */
static const char *file_name; /* an argument of some checks */
static uint64_t file_offset;  /* another one */

#define SYSCALLS 1000
#define RING	 4096u /* bytes of a ring's data */

#define expect(what)                                                                    \
	do {                                                                            \
		if (!(what)) {                                                          \
			printf("%s: line %d: not so: %s\n", __func__, __LINE__, #what); \
			exit(1);                                                        \
		}                                                                       \
	} while (0)

#define expect_number(number, wanted)                                                              \
	do {                                                                                       \
		long long number_ = (long long)(number), wanted_ = (long long)(wanted);            \
		if (number_ != wanted_) {                                                          \
			printf("%s: line %d: %s is %lld, not %lld\n", __func__, __LINE__, #number, \
				number_, wanted_);                                                 \
			exit(1);                                                                   \
		}                                                                                  \
	} while (0)

static void start(struct peer *peer)
{
	peer_start(peer, session);
}

static void end(struct peer *peer)
{
	expect_number(peer_end(peer), 0);
}

static void make_events(unsigned int count)
{
	while (count--)
		syscall(SYS_getpgid, 0);
}

static void wait_ms(long ms)
{
	const struct timespec time = {ms / 1000, ms % 1000 * 1000000};

	nanosleep(&time, NULL);
}

static void check_maps(void)
{
	struct call_arg batch[] = {
		{NULL, 0, NULL, 0}, {NULL, 4, NULL, 0}, {NULL, 400, NULL, 0}, {NULL, 800, NULL, 0}};
	struct peer peer;
	uint32_t count;
	size_t size;
	int map;

	start(&peer);
	map = peer_map(&peer, BPF_MAP_TYPE_HASH, 4, 8, 100, 0);
	expect_number(map, 3);
	for (uint32_t key = 0; key < 50; key++) {
		uint64_t value = 3 * key;

		expect_number(peer_update(&peer, map, &key, 4, &value, 8), 0);
	}
	expect_number(peer_lookup(&peer, map, 7), 21);
	expect_number(peer_lookup(&peer, map, 77), UINT64_MAX);

	struct rpc_out *out = peer_begin(&peer, RPC_MAP_WALK);

	rpc_put_u32(out, (uint32_t)map);
	rpc_put_u8(out, false);
	rpc_put_bytes(out, NULL, 0);
	rpc_put_u32(out, 1 << 20);
	expect_number(peer_call(&peer), 50);
	expect_number(rpc_get_u8(&peer.in), 1);
	rpc_get_bytes(&peer.in, &size);
	expect_number(size, 50 * 12);
	expect(rpc_get_end(&peer.in));

	union bpf_attr attr = {.batch = {.map_fd = (uint32_t)map, .count = 100}};

	expect_number(peer_bpf(&peer, BPF_MAP_LOOKUP_BATCH, &attr, 56, batch), -ENOENT);
	count = attr.batch.count;
	expect_number(count, 50);
	expect_number(batch[2].out_size, 200);
	expect_number(batch[3].out_size, 400);
	peer_close(&peer, map);
	expect_number(peer_lookup(&peer, map, 7), UINT64_MAX);
	expect_number(peer_map(&peer, BPF_MAP_TYPE_ARRAY, 4, 8, 1, 0), map);
	end(&peer);
}

static void check_programs(void)
{
	const struct bpf_insn bad[] = {EXIT};
	const struct bpf_insn unknown[] = {LOAD_MAP(1, 9), MOV(0, 0), EXIT};
	struct peer peer;
	const char *log;
	int map, prog;

	start(&peer);
	map = peer_map(&peer, BPF_MAP_TYPE_ARRAY, 4, 8, 1, 0);
	prog = peer_load_count(&peer, BPF_PROG_TYPE_KPROBE, map);
	expect_number(prog, map + 1);
	expect_number(peer_load(&peer, BPF_PROG_TYPE_KPROBE, bad, sizeof(bad), &log), -EACCES);
	expect(strstr(log, "R0 !read_ok"));
	expect_number(
		peer_load(&peer, BPF_PROG_TYPE_KPROBE, unknown, sizeof(unknown), &log), -EBADF);
	end(&peer);
}

static void check_test_run(void)
{
	const struct bpf_insn seven[] = {MOV(0, 7), EXIT};
	struct call_arg args[4] = {{"ethernet+more+", 14, NULL, 0}, {NULL, 64, NULL, 0}};
	union bpf_attr attr;
	struct peer peer;
	int prog;

	start(&peer);
	prog = peer_load(&peer, BPF_PROG_TYPE_SOCKET_FILTER, seven, sizeof(seven), NULL);
	expect(prog > 0);
	memset(&attr, 0, sizeof(attr));
	attr.test.prog_fd = (uint32_t)prog;
	attr.test.data_size_in = 14;
	attr.test.data_size_out = 64;
	attr.test.repeat = 1;
	expect_number(peer_bpf(&peer, BPF_PROG_TEST_RUN, &attr, 76, args), 0);
	expect_number(attr.test.retval, 7);
	expect_number(attr.test.data_size_out, 14);
	end(&peer);
}

static int load_btf(struct peer *peer)
{
	const struct {
		uint16_t magic;
		uint8_t version, flags;
		uint32_t header, type_at, type_size, string_at, string_size;
		uint32_t type[4]; /* int, of 4 bytes and 32 bits */
		char strings[5];
	} __attribute__((packed))
	btf = {0xeb9f, 1, 0, 24, 0, 16, 16, 5, {1, 1 << 24, 4, 32}, "\0int"};
	struct call_arg args[] = {{&btf, sizeof(btf), NULL, 0}, {NULL, 0, NULL, 0}};
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.btf_size = sizeof(btf);
	return peer_bpf(peer, BPF_BTF_LOAD, &attr, 28, args);
}

/* What the kernel knows of a program, with the ids of its maps. */
static void check_info(void)
{
	struct bpf_prog_info info = {.nr_map_ids = 4};
	struct peer peer;
	uint32_t ids[4];
	const void *data;
	size_t size;
	int map, prog;

	start(&peer);
	map = peer_map(&peer, BPF_MAP_TYPE_ARRAY, 4, 8, 1, 0);
	prog = peer_load_count(&peer, BPF_PROG_TYPE_KPROBE, map);

	struct rpc_out *out = peer_begin(&peer, RPC_INFO);

	rpc_put_u32(out, (uint32_t)prog);
	rpc_put_bytes(out, &info, sizeof(info));
	rpc_put_u8(out, 1);
	rpc_put_u16(out, offsetof(struct bpf_prog_info, map_ids));
	rpc_put_u32(out, sizeof(ids));
	expect_number(peer_call(&peer), 0);
	data = rpc_get_bytes(&peer.in, &size);
	memcpy(&info, data, size < sizeof(info) ? size : sizeof(info));
	expect_number(info.type, BPF_PROG_TYPE_KPROBE);
	expect_number(info.nr_map_ids, 1);
	expect_number(info.map_ids, 0);
	data = rpc_get_bytes(&peer.in, &size);
	expect_number(size, sizeof(ids));
	memcpy(ids, data, size);
	expect(ids[0] != 0);

	union bpf_attr attr = {.map_id = ids[0]};

	/* The same map by its id, in another handle. */
	expect_number(peer_bpf(&peer, BPF_MAP_GET_FD_BY_ID, &attr, 12, NULL), prog + 1);
	expect_number(rpc_get_u32(&peer.in), BPF_ABI_MAP);
	expect_number(rpc_get_u32(&peer.in), BPF_MAP_TYPE_ARRAY);
	expect_number(rpc_get_u32(&peer.in), 4);
	expect_number(rpc_get_u32(&peer.in), 8);
	expect_number(rpc_get_u32(&peer.in), 1);
	expect_number(peer_lookup(&peer, prog + 1, 0), 0);
	expect_number(load_btf(&peer), prog + 2);
	expect_number(rpc_get_u32(&peer.in), BPF_ABI_BTF);
	end(&peer);
}

/* Attaches a program that counts, causes events, and looks. */
static void count_events(struct peer *peer, uint32_t prog_type, struct perf_event_attr *attr,
	const char *name, void (*cause)(unsigned int))
{
	int map = peer_map(peer, BPF_MAP_TYPE_ARRAY, 4, 8, 1, 0);
	int prog = peer_load_count(peer, prog_type, map), event;

	expect(prog > 0);
	event = peer_attach(peer, attr, 0, name, prog);
	expect_number(event, prog + 1);
	cause(SYSCALLS);
	expect_number(peer_lookup(peer, map, 0), SYSCALLS);
	peer_close(peer, event);
	peer_lookup(peer, map, 0); /* by then it is closed */
	cause(SYSCALLS);
	expect_number(peer_lookup(peer, map, 0), SYSCALLS);
}

static void check_kprobe(void)
{
	struct perf_event_attr attr = {.config2 = 0};
	struct rpc_hello hello;
	struct peer peer;

	start(&peer);
	expect_number(peer_hello(&peer, &hello), 0);
	expect(hello.kprobe_type != 0);
	attr.type = hello.kprobe_type;
	count_events(&peer, BPF_PROG_TYPE_KPROBE, &attr, "__x64_sys_getpgid", make_events);
	expect_number(peer_attach(&peer, &attr, 0, "no_such_function", 4), -ENOENT);
	/* A program that is none. */
	expect_number(peer_attach(&peer, &attr, 0, "__x64_sys_getpgid", 3), -EBADF);
	attr.type = PERF_TYPE_SOFTWARE;
	expect_number(peer_perf_open(&peer, &attr, -1, 0, "__x64_sys_getpgid"), -EINVAL);
	end(&peer);
}

__attribute__((noinline)) static void be_called(unsigned int count)
{
	while (count--)
		__asm__ volatile("" : : : "memory");
}

static void call_trigger(unsigned int count)
{
	char command[300];

	be_called(count);
	snprintf(command, sizeof(command), "%s call %u", file_name, count);
	expect_number(system(command), 0);
}

static void check_uprobe(void)
{
	struct perf_event_attr attr = {.config2 = file_offset};
	struct rpc_hello hello;
	struct peer peer;

	start(&peer);
	expect_number(peer_hello(&peer, &hello), 0);
	attr.type = hello.uprobe_type;
	count_events(&peer, BPF_PROG_TYPE_KPROBE, &attr, file_name, call_trigger);
	end(&peer);
}

/* The tracepoint of a system call, whose number is read from tracefs. */
static uint64_t tracepoint_id(struct peer *peer)
{
	struct rpc_out text = {.data = NULL};
	uint64_t id;

	expect_number(
		peer_file(peer, "/sys/kernel/tracing/events/syscalls/sys_enter_getpgid/id", &text),
		0);
	rpc_put_u8(&text, 0);
	id = strtoull((const char *)text.data, NULL, 10);
	expect(id > 0);
	rpc_out_free(&text);
	return id;
}

static void check_tracepoint(void)
{
	struct perf_event_attr attr = {.type = PERF_TYPE_TRACEPOINT};
	struct peer peer;

	start(&peer);
	attr.config = tracepoint_id(&peer);
	count_events(&peer, BPF_PROG_TYPE_TRACEPOINT, &attr, NULL, make_events);
	end(&peer);
}

/* What is in the records that a perf ring has sent. */
static void count_records(
	const struct rpc_out *data, unsigned int *samples, uint64_t *lost, bool *in_order)
{
	uint64_t before = 0;

	*samples = 0;
	*lost = 0;
	*in_order = true;
	for (size_t at = 0; at < data->size;) {
		struct perf_event_header header;
		uint64_t value;

		memcpy(&header, data->data + at, sizeof(header));
		expect(header.size >= 16 && header.size % 8 == 0 && header.size <= data->size - at);
		if (header.type == PERF_RECORD_SAMPLE) { /* a size of 4 bytes, then the data */
			memcpy(&value, data->data + at + 12, sizeof(value));
			*in_order = *in_order && value > before;
			before = value;
			++*samples;
		} else if (header.type == PERF_RECORD_LOST) {
			memcpy(&value, data->data + at + 16, sizeof(value));
			*lost += value;
		}
		at += header.size;
	}
}

/* Runs on one CPU, whose ring it is that gets the records. */
static int open_ring(struct peer *peer, uint64_t bytes, uint64_t credit)
{
	struct perf_event_attr ring = {.type = PERF_TYPE_SOFTWARE,
		.size = sizeof(ring),
		.config = PERF_COUNT_SW_BPF_OUTPUT,
		.sample_period = 1,
		.wakeup_events = 1,
		.sample_type = PERF_SAMPLE_RAW};
	struct perf_event_attr point = {.type = PERF_TYPE_TRACEPOINT};
	uint32_t zero = 0;
	int map, prog, event;

	map = peer_map(peer, BPF_MAP_TYPE_PERF_EVENT_ARRAY, 4, 4, 1, 0);
	event = peer_perf_open(peer, &ring, -1, 0, NULL);
	expect(event > 0);
	expect_number(peer_update(peer, map, &zero, 4, &event, 4), 0);
	expect_number(peer_ioctl(peer, event, PERF_EVENT_IOC_ENABLE, 0), 0);
	expect_number(peer_ring(peer, event, bytes, credit), 0);
	expect_number(peer_ring(peer, event, bytes, credit), -EBUSY);
	prog = peer_load_emit(peer, BPF_PROG_TYPE_TRACEPOINT, map, false);
	expect(prog > 0);
	point.config = tracepoint_id(peer);
	expect(peer_attach(peer, &point, 0, NULL, prog) > 0);
	return event;
}

/* Everything that the board would send is here when it answers behind it. */
static void settle(struct peer *peer)
{
	struct rpc_hello hello;

	for (int i = 0; i < 3; i++) {
		wait_ms(150);
		expect_number(peer_hello(peer, &hello), 0);
	}
}

static void check_ring(void)
{
	const struct rpc_out *data;
	unsigned int samples;
	struct peer peer;
	bool in_order;
	uint64_t lost;
	size_t first;
	int event;

	start(&peer);
	event = open_ring(&peer, 16 * RING, 0);
	data = &peer.rings[event];
	make_events(100);
	settle(&peer);
	expect_number(data->size, 0);	/* no credit */
	peer_credit(&peer, event, 100); /* four records of 24 bytes */
	settle(&peer);
	count_records(data, &samples, &lost, &in_order);
	expect_number(samples, 4);
	peer_credit(&peer, event, 50); /* falls: of no effect */
	peer_credit(&peer, event, 1 << 20);
	settle(&peer);
	count_records(data, &samples, &lost, &in_order);
	expect_number(samples, 100);
	expect_number(lost, 0);
	expect(in_order);
	first = data->size;
	make_events(1);
	while (data->size == first) { /* comes without being asked for */
		struct rpc_header header;

		peer_receive(&peer, &header);
	}
	count_records(data, &samples, &lost, &in_order);
	expect_number(samples, 101);
	peer_close(&peer, event);
	make_events(10);
	settle(&peer);
	count_records(data, &samples, &lost, &in_order);
	expect_number(samples, 101);
	end(&peer);
}

/* The ring is full while there is no credit: what is sent and what is lost are all. */
static void check_lost(void)
{
	unsigned int samples, sent = 0;
	struct peer peer;
	bool in_order;
	uint64_t lost;
	int event;

	start(&peer);
	event = open_ring(&peer, RING, 0);
	make_events(SYSCALLS);
	settle(&peer);
	peer_credit(&peer, event, UINT64_MAX);
	settle(&peer);
	make_events(1); /* the kernel tells of a loss before the next record */
	settle(&peer);
	count_records(&peer.rings[event], &samples, &lost, &in_order);
	sent = SYSCALLS + 1;
	expect(lost > 0);
	expect_number(samples + lost, sent);
	expect(in_order);
	end(&peer);
}

static void check_ringbuf(void)
{
	struct perf_event_attr point = {.type = PERF_TYPE_TRACEPOINT};
	const struct rpc_out *data;
	struct peer peer;
	int map, prog;

	start(&peer);
	map = peer_map(&peer, BPF_MAP_TYPE_RINGBUF, 0, 0, 4 * RING, 0);
	expect(map > 0);
	expect_number(peer_ring(&peer, map, 2 * RING, 0), -EINVAL);
	expect_number(peer_ring(&peer, map, 4 * RING, 64), 0);
	prog = peer_load_emit(&peer, BPF_PROG_TYPE_TRACEPOINT, map, true);
	expect(prog > 0);
	point.config = tracepoint_id(&peer);
	expect(peer_attach(&peer, &point, 0, NULL, prog) > 0);
	data = &peer.rings[map];
	make_events(100); /* records of 16 bytes */
	settle(&peer);
	expect_number(data->size, 64);
	peer_credit(&peer, map, 4 * RING);
	settle(&peer);
	expect_number(data->size, 1600);
	/* Round the ring, several times. */
	for (unsigned int i = 1; i <= 40; i++) {
		peer_credit(&peer, map, data->size + 4 * RING);
		make_events(500);
		while (data->size < 1600 + (size_t)i * 8000) {
			struct rpc_header header;

			peer_receive(&peer, &header);
		}
	}
	for (size_t at = 0; at < data->size; at += 16) {
		uint32_t length;

		memcpy(&length, data->data + at, sizeof(length));
		expect_number(length, 8);
	}
	end(&peer);
}

static int sync_map(struct peer *peer, int map, bool whole, uint64_t delta)
{
	struct rpc_out *out = peer_begin(peer, RPC_MAP_SYNC);

	rpc_put_u32(out, (uint32_t)map);
	rpc_put_u8(out, whole);
	rpc_put_u32(out, delta ? 1 : 0);
	if (delta) {
		rpc_put_u32(out, 8);
		rpc_put_u64(out, delta);
	}
	return peer_call(peer);
}

/* The one part that a sync has told: a word at that offset. */
static uint64_t told_word(struct peer *peer, uint32_t offset)
{
	uint64_t word = 0;
	const void *data;
	size_t size;

	expect_number(rpc_get_u32(&peer->in), 1);
	expect_number(rpc_get_u32(&peer->in), offset);
	data = rpc_get_bytes(&peer->in, &size);
	expect_number(size, sizeof(word));
	expect(rpc_get_end(&peer->in));
	memcpy(&word, data, sizeof(word));
	return word;
}

static void check_sync(void)
{
	struct perf_event_attr point = {.type = PERF_TYPE_TRACEPOINT};
	union bpf_attr attr;
	struct peer peer;
	int map, prog;

	start(&peer);
	map = peer_map(&peer, BPF_MAP_TYPE_ARRAY, 4, 8, 8, BPF_F_MMAPABLE);
	prog = peer_load_count(&peer, BPF_PROG_TYPE_TRACEPOINT, map);
	point.config = tracepoint_id(&peer);
	expect(peer_attach(&peer, &point, 0, NULL, prog) > 0);
	expect_number(sync_map(&peer, map, true, 0), 64);
	expect_number(rpc_get_u32(&peer.in), 1);
	make_events(10);
	expect_number(sync_map(&peer, map, false, 0), 64);
	expect_number(told_word(&peer, 0), 10);
	expect_number(sync_map(&peer, map, false, 5), 64);
	expect_number(told_word(&peer, 8), 5);
	expect_number(sync_map(&peer, map, false, 0), 64);
	expect_number(rpc_get_u32(&peer.in), 0);
	expect_number(peer_lookup(&peer, map, 1), 5);
	memset(&attr, 0, sizeof(attr));
	attr.map_fd = (uint32_t)map;
	expect_number(peer_bpf(&peer, BPF_MAP_FREEZE, &attr, 4, NULL), 0);
	expect_number(sync_map(&peer, map, false, 5), -EPERM);
	expect_number(sync_map(&peer, map, false, 0), 64);
	end(&peer);
}

/* Copies a file to standard output. */
static void check_cat(void)
{
	struct rpc_out text = {.data = NULL};
	struct peer peer;

	start(&peer);
	expect_number(peer_file(&peer, file_name, &text), 0);
	fwrite(text.data, 1, text.size, stdout);
	rpc_out_free(&text);
	end(&peer);
}

/* Prints the names in a directory. */
static void check_list(void)
{
	struct rpc_stat stat;
	struct peer peer;
	bool more = true;
	char name[256];

	start(&peer);

	struct rpc_out *out = peer_begin(&peer, RPC_FILE_LIST);

	rpc_put_string(out, file_name);
	peer_send(&peer);
	while (more) {
		expect_number(peer_part(&peer, &more), 0);
		for (uint32_t n = rpc_get_u32(&peer.in); n; n--) {
			rpc_get_string(&peer.in, name, sizeof(name));
			rpc_get_stat(&peer.in, &stat);
			expect(!peer.in.failed);
			puts(name);
		}
		expect(rpc_get_end(&peer.in));
	}
	end(&peer);
}

static const char kprobe_events[] = "/sys/kernel/tracing/kprobe_events";

static void check_events(void)
{
	struct rpc_out text = {.data = NULL};
	struct peer peer;

	start(&peer);
	expect_number(peer_file_write(&peer, kprobe_events, "p:rpc/one __x64_sys_getpgid\n"), 28);
	expect_number(peer_file_write(&peer, kprobe_events, "p __x64_sys_getpgid\n"), 20);
	expect_number(
		peer_file_write(&peer, kprobe_events, "p:rpc/two no_such_function\n"), -ENOENT);
	expect_number(peer_file_write(&peer, kprobe_events, "nonsense\n"), -EINVAL);
	expect_number(peer_file(&peer, "/sys/kernel/debug/tracing/kprobe_events", &text), 0);
	rpc_put_u8(&text, 0);
	expect(strstr((const char *)text.data, "p:rpc/one __x64_sys_getpgid"));
	expect(strstr((const char *)text.data, "p:kprobes/p___x64_sys_getpgid_0"));
	rpc_out_free(&text);
	end(&peer);
}

/* Follows the tracer's pipe, into which a program prints. */
static void check_follow(void)
{
	struct peer peer;
	struct rpc_out *out;
	int handle;

	start(&peer);
	out = peer_begin(&peer, RPC_FILE_FOLLOW);
	rpc_put_string(out, "/sys/kernel/debug/tracing/trace_pipe");
	rpc_put_u64(out, 1 << 20);
	handle = peer_call(&peer);
	expect(handle > 0);
	expect_number(system("echo followed > /sys/kernel/tracing/trace_marker"), 0);
	while (!peer.rings[handle].size ||
		!memmem(peer.rings[handle].data, peer.rings[handle].size, "followed", 8)) {
		struct rpc_header header;

		peer_receive(&peer, &header);
	}
	peer_close(&peer, handle);
	end(&peer);
}

/* Attaches, says so, and sleeps: what becomes of it when the session is killed? */
static void check_sleep(void)
{
	struct perf_event_attr point = {.type = PERF_TYPE_TRACEPOINT};
	struct peer peer;
	int map, prog;

	start(&peer);
	map = peer_map(&peer, BPF_MAP_TYPE_ARRAY, 4, 8, 1, 0);
	prog = peer_load_count(&peer, BPF_PROG_TYPE_TRACEPOINT, map);
	point.config = tracepoint_id(&peer);
	expect(peer_attach(&peer, &point, 0, NULL, prog) > 0);
	printf("%d\n", (int)peer.child);
	fflush(stdout);
	wait_ms(60000);
}

static const struct {
	const char *name;
	void (*run)(void);
} checks[] = {
	{"maps", check_maps},
	{"programs", check_programs},
	{"test_run", check_test_run},
	{"info", check_info},
	{"kprobe", check_kprobe},
	{"uprobe", check_uprobe},
	{"tracepoint", check_tracepoint},
	{"ring", check_ring},
	{"lost", check_lost},
	{"ringbuf", check_ringbuf},
	{"sync", check_sync},
	{"cat", check_cat},
	{"list", check_list},
	{"events", check_events},
	{"follow", check_follow},
	{"sleep", check_sleep},
};

/* rpc_client CHECK FILE OFFSET COMMAND...: FILE and OFFSET may be "-". */
int main(int argc, char **argv)
{
	if (argc < 5) {
		fputs("Usage: rpc_client CHECK FILE OFFSET COMMAND...\n", stderr);
		return 2;
	}
	file_name = argv[2];
	file_offset = strtoull(argv[3], NULL, 0);
	session = argv + 4;
	for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {
		if (strcmp(checks[i].name, argv[1]) == 0) {
			checks[i].run();
			return 0;
		}
	}
	fprintf(stderr, "rpc_client: %s: no such check\n", argv[1]);
	return 2;
}

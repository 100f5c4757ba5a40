/* SPDX-License-Identifier: Apache-2.0 */
/* Checks of the binary protocol with a real kernel: calls of bpf(2), probes, files. */
#include "tests/tools/rpc_checks.h"

#include <sys/utsname.h>

/* Requests the entries after the newest existing one of n keys. Returns how many came, and the key
 * of the first, or an errno. */
static int64_t walk(
	struct peer *peer, int map, const uint32_t *keys, uint8_t n, uint32_t max, uint32_t *first)
{
	struct bytes_out *out = peer_begin(peer, RPC_MAP_WALK);
	const void *data;
	int64_t ret;
	size_t size;

	bytes_put_u32(out, (uint32_t)map);
	bytes_put_u8(out, n);
	rpc_put_bytes(out, keys, n * sizeof(*keys));
	bytes_put_u32(out, max);
	ret = peer_call(peer);
	if (ret <= 0)
		return ret;
	bytes_get_u8(&peer->in);
	data = rpc_get_bytes(&peer->in, &size);
	expect_number(size, (uint64_t)ret * 12);
	memcpy(first, data, sizeof(*first));
	return ret;
}

/* The walk does not begin again if keys are deleted between two requests. */
static void check_walk(struct peer *peer, int map)
{
	uint32_t keys[RPC_WALK_KEYS + 1] = {0}, first = 0, next;

	/* One key after the other, the newest first. */
	for (uint8_t n = 0; n < 4; n++) {
		expect_number(walk(peer, map, keys, n, 1, &next), 1);
		memmove(keys + 1, keys, 3 * sizeof(*keys));
		keys[0] = next;
		first = n ? first : next;
	}
	expect_number(walk(peer, map, keys, 4, 1 << 20, &next), 46);
	expect_number(peer_delete(peer, map, keys[0]), 0);
	expect_number(peer_delete(peer, map, keys[1]), 0);
	expect_number(walk(peer, map, keys, 4, 1 << 20, &next), 46);
	expect(next != first);
	expect_number(walk(peer, map, keys, 2, 1 << 20, &next), 48); /* all deleted: begins again */
	expect_number(next, first);
	expect_number(walk(peer, map, keys, RPC_WALK_KEYS + 1, 1 << 20, &next), -EBADMSG);
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

	struct bytes_out *out = peer_begin(&peer, RPC_MAP_WALK);

	bytes_put_u32(out, (uint32_t)map);
	bytes_put_u8(out, false);
	rpc_put_bytes(out, NULL, 0);
	bytes_put_u32(out, 1 << 20);
	expect_number(peer_call(&peer), 50);
	expect_number(bytes_get_u8(&peer.in), 1);
	rpc_get_bytes(&peer.in, &size);
	expect_number(size, 50 * 12);
	expect(bytes_get_end(&peer.in));

	union bpf_attr attr = {.batch = {.map_fd = (uint32_t)map, .count = 100}};

	expect_number(peer_bpf(&peer, BPF_MAP_LOOKUP_BATCH, &attr, 56, batch), -ENOENT);
	count = attr.batch.count;
	expect_number(count, 50);
	expect_number(batch[2].out_size, 200);
	expect_number(batch[3].out_size, 400);
	check_walk(&peer, map);
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

static bool kernel_has_syscall_programs(void)
{
	unsigned int major, minor;
	struct utsname uts;

	expect_number(uname(&uts), 0);
	expect_number(sscanf(uts.release, "%u.%u", &major, &minor), 2);
	return major > 5 || (major == 5 && minor >= 14);
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
	/* Programs of type SYSCALL would make system calls as bpfd. */
	prog = peer_load(&peer, BPF_PROG_TYPE_SYSCALL, seven, sizeof(seven), NULL);
	if (kernel_has_syscall_programs()) {
		expect(prog > 0);
		memset(&attr, 0, sizeof(attr));
		memset(args, 0, sizeof(args));
		attr.test.prog_fd = (uint32_t)prog;
		expect_number(peer_bpf(&peer, BPF_PROG_TEST_RUN, &attr, 76, args), -EOPNOTSUPP);
	} else {
		expect_number(prog, -EINVAL);
	}
	end(&peer);
}

static int load_btf(struct peer *peer)
{
	const struct {
		uint16_t magic;
		uint8_t version, flags;
		uint32_t header, type_at, type_size, string_at, string_size;
		uint32_t type[4]; /* int: 4 bytes, 32 bits */
		char strings[5];
	} __attribute__((packed))
	btf = {0xeb9f, 1, 0, 24, 0, 16, 16, 5, {1, 1 << 24, 4, 32}, "\0int"};
	struct call_arg args[] = {{&btf, sizeof(btf), NULL, 0}, {NULL, 0, NULL, 0}};
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.btf_size = sizeof(btf);
	return peer_bpf(peer, BPF_BTF_LOAD, &attr, 28, args);
}

/* The info of a program includes the ids of its maps. */
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

	struct bytes_out *out = peer_begin(&peer, RPC_INFO);

	bytes_put_u32(out, (uint32_t)prog);
	rpc_put_bytes(out, &info, sizeof(info));
	bytes_put_u8(out, 1);
	bytes_put_u16(out, offsetof(struct bpf_prog_info, map_ids));
	bytes_put_u32(out, sizeof(ids));
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

	/* The id opens the same map as another handle. */
	expect_number(peer_bpf(&peer, BPF_MAP_GET_FD_BY_ID, &attr, 12, NULL), prog + 1);
	expect_number(bytes_get_u32(&peer.in), BPF_ABI_MAP);
	expect_number(bytes_get_u32(&peer.in), BPF_MAP_TYPE_ARRAY);
	expect_number(bytes_get_u32(&peer.in), 4);
	expect_number(bytes_get_u32(&peer.in), 8);
	expect_number(bytes_get_u32(&peer.in), 1);
	expect_number(peer_lookup(&peer, prog + 1, 0), 0);
	expect_number(load_btf(&peer), prog + 2);
	expect_number(bytes_get_u32(&peer.in), BPF_ABI_BTF);
	end(&peer);
}

/* Attaches a counting program, causes events, and checks the count. */
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
	peer_lookup(peer, map, 0); /* its reply comes after the close */
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
	/* Handle 3 is a map, not a program. */
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

static void check_tracepoint(void)
{
	struct perf_event_attr attr = {.type = PERF_TYPE_TRACEPOINT};
	struct peer peer;

	start(&peer);
	attr.config = tracepoint_id(&peer);
	count_events(&peer, BPF_PROG_TYPE_TRACEPOINT, &attr, NULL, make_events);
	end(&peer);
}

static int sync_map(struct peer *peer, int map, bool whole, uint64_t delta)
{
	struct bytes_out *out = peer_begin(peer, RPC_MAP_SYNC);

	bytes_put_u32(out, (uint32_t)map);
	bytes_put_u8(out, whole);
	bytes_put_u32(out, delta ? 1 : 0);
	if (delta) {
		bytes_put_u32(out, 8);
		bytes_put_u64(out, delta);
	}
	return peer_call(peer);
}

/* Reads the only run of words in the reply to a sync: one word at that offset. */
static uint64_t synced_word(struct peer *peer, uint32_t offset)
{
	uint64_t word = 0;
	const void *data;
	size_t size;

	expect_number(bytes_get_u32(&peer->in), 1);
	expect_number(bytes_get_u32(&peer->in), offset);
	data = rpc_get_bytes(&peer->in, &size);
	expect_number(size, sizeof(word));
	expect(bytes_get_end(&peer->in));
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
	expect_number(bytes_get_u32(&peer.in), 1);
	make_events(10);
	expect_number(sync_map(&peer, map, false, 0), 64);
	expect_number(synced_word(&peer, 0), 10);
	expect_number(sync_map(&peer, map, false, 5), 64);
	expect_number(synced_word(&peer, 8), 5);
	expect_number(sync_map(&peer, map, false, 0), 64);
	expect_number(bytes_get_u32(&peer.in), 0);
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
	struct bytes_out text = {.data = NULL};
	struct peer peer;

	start(&peer);
	expect_number(peer_file(&peer, file_name, &text), 0);
	fwrite(text.data, 1, text.size, stdout);
	bytes_out_free(&text);
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

	struct bytes_out *out = peer_begin(&peer, RPC_FILE_LIST);

	rpc_put_string(out, file_name);
	peer_send(&peer);
	while (more) {
		expect_number(peer_part(&peer, &more), 0);
		for (uint32_t n = bytes_get_u32(&peer.in); n; n--) {
			rpc_get_string(&peer.in, name, sizeof(name));
			rpc_get_stat(&peer.in, &stat);
			expect(!peer.in.failed);
			puts(name);
		}
		expect(bytes_get_end(&peer.in));
	}
	end(&peer);
}

static const char kprobe_events[] = "/sys/kernel/tracing/kprobe_events";

static void check_events(void)
{
	struct bytes_out text = {.data = NULL};
	struct peer peer;
	int64_t ret;

	start(&peer);
	expect_number(peer_file_write(&peer, kprobe_events, "p:rpc/one __x64_sys_getpgid\n"), 28);
	expect_number(peer_file_write(&peer, kprobe_events, "p __x64_sys_getpgid\n"), 20);
	expect_number(
		peer_file_write(&peer, kprobe_events, " \tp:rpc/blank __x64_sys_getpgid\n"), 32);
	ret = peer_file_write(&peer, kprobe_events, "p:rpc/two no_such_function\n");
	expect(ret == -ENOENT || ret == -EINVAL); /* newer kernels: EINVAL */
	expect_number(peer_file_write(&peer, kprobe_events, "nonsense\n"), -EINVAL);
	expect_number(peer_file(&peer, "/sys/kernel/debug/tracing/kprobe_events", &text), 0);
	bytes_put_u8(&text, 0);
	expect(strstr((const char *)text.data, "p:rpc/one __x64_sys_getpgid"));
	expect(strstr((const char *)text.data, "p:rpc/blank __x64_sys_getpgid"));
	expect(strstr((const char *)text.data, "p:kprobes/p___x64_sys_getpgid_0"));
	bytes_out_free(&text);
	end(&peer);
}

/* Attaches a program, prints the pid of the session, and sleeps, so that a test can kill it. */
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

static const struct check checks[] = {
	{"maps", check_maps},
	{"programs", check_programs},
	{"test_run", check_test_run},
	{"info", check_info},
	{"kprobe", check_kprobe},
	{"uprobe", check_uprobe},
	{"tracepoint", check_tracepoint},
	{"sync", check_sync},
	{"cat", check_cat},
	{"list", check_list},
	{"events", check_events},
	{"sleep", check_sleep},
};

int main(int argc, char **argv)
{
	return run_check(argc, argv, checks, sizeof(checks) / sizeof(checks[0]));
}

/* SPDX-License-Identifier: Apache-2.0 */
/* BPF_OBJ_GET_INFO_BY_FD. Tools size their buffers by it, so it must be right. */
#include <linux/bpf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>

#include <cmocka.h>

#include "host-usb/run/files/btf.h"
#include "host-usb/run/objects/btf_known.h"
#include "tests/unit/btf_test.h"
#include "tests/unit/run_test.h"

#define MAP	 100 /* a handle */
#define CPUS	 3
#define REPORTED 80 /* bytes that the board's kernel knows */

static struct board *board;

static int setup(void **state)
{
	board = board_start(NULL);
	board->run.board.possible_cpus = CPUS;
	return 0;
}

static int teardown(void **state)
{
	btf_known_free(board->run.btf_known);
	board_stop(board);
	return 0;
}

static struct object *new_map(
	uint32_t type, uint32_t key_size, uint64_t value_size, uint32_t entries)
{
	struct object *map = board_object(board, BPF_ABI_MAP, MAP);

	map->map_type = type;
	map->key_size = key_size;
	map->value_size = value_size;
	map->max_entries = entries;
	return map;
}

static const struct bpf_map_info unasked = {.type = 0xaaaa, .max_entries = 0xbbbb};

/* Gets the info of the map while the board reports the first `size` bytes of `reported`. */
static int64_t ask(const struct object *map, const struct bpf_map_info *reported, size_t size,
	struct bpf_map_info *info, uint32_t room)
{
	union bpf_attr attr = {.info = {.bpf_fd = (uint32_t)map->fd, .info_len = room}};
	const uint64_t args[6] = {BPF_OBJ_GET_INFO_BY_FD, user(&attr), 16};
	const struct call call = board_call(board, SYS_bpf, args);
	struct bytes_out *out = board_reply(board, RPC_INFO, 0);
	int64_t ret;

	rpc_put_bytes(out, reported, size);
	board_ready(board);
	*info = unasked;
	attr.info.info = user(info);
	ret = sys_bpf(&call);
	if (!ret)
		assert_int_equal(attr.info.info_len, size);
	else
		assert_memory_equal(info, &unasked, sizeof(unasked));
	return ret;
}

static void assert_accepted(const struct object *map, const struct bpf_map_info *reported)
{
	struct bpf_map_info info;

	assert_int_equal(ask(map, reported, REPORTED, &info, REPORTED), 0);
	assert_memory_equal(&info, reported, REPORTED);
}

static void assert_refused(const struct object *map, struct bpf_map_info reported)
{
	struct bpf_map_info info;

	assert_int_equal(ask(map, &reported, REPORTED, &info, REPORTED), -EIO);
}

/* An info is refused if a field differs from what bpfd-run knows about the map. */
static void test_hash(void **state)
{
	struct object *map = new_map(BPF_MAP_TYPE_HASH, 4, 12, 50);
	const struct bpf_map_info reported = {.type = BPF_MAP_TYPE_HASH,
		.id = 7,
		.key_size = 4,
		.value_size = 12,
		.max_entries = 50,
		.name = "counts"};
	struct bpf_map_info wrong, info;

	assert_accepted(map, &reported);
	for (int change = -1; change <= 1; change += 2) {
		wrong = reported;
		wrong.key_size += (uint32_t)change;
		assert_refused(map, wrong);
		wrong = reported;
		wrong.value_size += (uint32_t)change;
		assert_refused(map, wrong);
		wrong = reported;
		wrong.max_entries += (uint32_t)change;
		assert_refused(map, wrong);
	}
	wrong = reported;
	wrong.type = BPF_MAP_TYPE_PERCPU_HASH;
	assert_refused(map, wrong);
	/* An info that lacks these fields is refused, as the tool would read its old contents. */
	for (size_t size = 0; size < offsetof(struct bpf_map_info, map_flags); size++)
		assert_int_equal(ask(map, &reported, size, &info, REPORTED), -EIO);
	assert_int_equal(ask(map, &reported, 20, &info, 24), 0); /* an older kernel */
	assert_int_equal(ask(map, &reported, 8, &info, 8), 0);
}

/* The kernel reports the value size of one CPU. */
static void test_per_cpu(void **state)
{
	static const uint32_t types[] = {
		BPF_MAP_TYPE_PERCPU_HASH, BPF_MAP_TYPE_PERCPU_ARRAY, BPF_MAP_TYPE_LRU_PERCPU_HASH};

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		struct object *map = new_map(types[i], 4, CPUS * 16, 5);
		struct bpf_map_info reported = {
			.type = types[i], .key_size = 4, .value_size = 12, .max_entries = 5};

		assert_accepted(map, &reported);
		reported.value_size = 8;
		assert_refused(map, reported);
		reported.value_size = CPUS * 16;
		assert_refused(map, reported);
		object_end(map);
	}
}

/* A consumer maps as many bytes as the info reports, and derives its mask from them. */
static void test_ring_buffer(void **state)
{
	struct object *map = new_map(BPF_MAP_TYPE_RINGBUF, 0, 0, 8192);
	struct bpf_map_info reported = {.type = BPF_MAP_TYPE_RINGBUF, .max_entries = 8192};

	assert_accepted(map, &reported);
	reported.max_entries = 4096;
	assert_refused(map, reported);
	reported.max_entries = 16384;
	assert_refused(map, reported);
}

/* For LRU maps the kernel rounds max_entries up, because it has lists for each CPU. */
static void test_lru_is_rounded_up(void **state)
{
	struct object *map = new_map(BPF_MAP_TYPE_LRU_HASH, 4, 8, 1000);
	const struct bpf_map_info reported = {
		.type = BPF_MAP_TYPE_LRU_HASH, .key_size = 4, .value_size = 8, .max_entries = 1002};

	struct bpf_map_info wrong = reported;

	assert_accepted(map, &reported);
	wrong.max_entries = 1003;
	assert_refused(map, wrong);
	wrong.max_entries = UINT32_MAX;
	assert_refused(map, wrong);
}

/* Tools print the names of maps and programs as they are. */
static void test_names(void **state)
{
	static const struct {
		const char *name;
		bool good;
	} names[] = {{"", true}, {"my_map.data", true}, {"fifteen_letters", true},
		{"sixteen__letters", false}, {"\33[2J", false}, {"a b", false}, {"a\n", false},
		{"\303\244", false}, {"../x", false}};
	struct object *map = new_map(BPF_MAP_TYPE_ARRAY, 4, 8, 1);
	struct bpf_map_info reported = {
		.type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 8, .max_entries = 1};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		memset(reported.name, 0, sizeof(reported.name));
		memcpy(reported.name, names[i].name, strlen(names[i].name));
		if (names[i].good)
			assert_accepted(map, &reported);
		else
			assert_refused(map, reported);
	}
}

/* The tool's info of a program and its lists. */
struct program {
	struct bpf_prog_info info;
	uint32_t map_ids[4], lengths[4];
	char code[32];
	struct bpf_insn insns[4];
	char functions[4][8];
};

/* Lets the tool ask with its info while the board reports another one and the lists of `lists`. */
static int64_t ask_program(
	const struct object *object, struct program *tool, const struct program *reported)
{
	union bpf_attr attr = {
		.info = {.bpf_fd = (uint32_t)object->fd, .info_len = sizeof(tool->info)}};
	const uint64_t args[6] = {BPF_OBJ_GET_INFO_BY_FD, user(&attr), 16};
	const struct call call = board_call(board, SYS_bpf, args);
	struct bytes_out *out = board_reply(board, RPC_INFO, 0);

	rpc_put_bytes(out, &reported->info, sizeof(reported->info));
	/* The order of the pointers in bpf_abi.c. */
	if (tool->info.jited_prog_insns)
		rpc_put_bytes(out, reported->code, tool->info.jited_prog_len);
	if (tool->info.xlated_prog_insns)
		rpc_put_bytes(out, reported->insns, tool->info.xlated_prog_len);
	if (tool->info.map_ids)
		rpc_put_bytes(out, reported->map_ids,
			tool->info.nr_map_ids * sizeof(reported->map_ids[0]));
	if (tool->info.jited_func_lens)
		rpc_put_bytes(out, reported->lengths,
			tool->info.nr_jited_func_lens * sizeof(reported->lengths[0]));
	if (tool->info.func_info)
		rpc_put_bytes(out, reported->functions,
			tool->info.nr_func_info * tool->info.func_info_rec_size);
	board_ready(board);
	attr.info.info = user(&tool->info);
	return sys_bpf(&call);
}

/* A first question, without lists, as tools ask to learn the counts. */
static int64_t ask_counts(const struct bpf_prog_info *info)
{
	struct object *object;
	struct program tool = {.info = {.type = 0}}, reported = {.info = *info};
	int64_t ret;

	setup(NULL);
	object = board_object(board, BPF_ABI_PROG, MAP);
	ret = ask_program(object, &tool, &reported);
	if (!ret)
		assert_memory_equal(&tool.info, info, sizeof(*info));
	else
		assert_int_equal(tool.info.type, 0);
	teardown(NULL);
	return ret;
}

static void test_counts_of_program(void **state)
{
	static const struct {
		size_t at;
		uint32_t most;
	} counts[] = {
#define COUNT(member, most) {offsetof(struct bpf_prog_info, member), (most)}
		COUNT(nr_map_ids, 4096), COUNT(nr_jited_ksyms, 1024),
		COUNT(nr_jited_func_lens, 1024), COUNT(nr_func_info, 1024),
		COUNT(nr_line_info, 2 << 20), COUNT(nr_jited_line_info, 2 << 20),
		COUNT(nr_prog_tags, 1024), COUNT(jited_prog_len, 16 << 20),
		COUNT(xlated_prog_len, 16 << 20), COUNT(func_info_rec_size, 252),
		COUNT(line_info_rec_size, 252), COUNT(jited_line_info_rec_size, 252)};
	const struct bpf_prog_info good = {.type = 1,
		.nr_func_info = 1024,
		.func_info_rec_size = 8,
		.nr_line_info = 1,
		.line_info_rec_size = 16,
		.nr_jited_line_info = 1,
		.jited_line_info_rec_size = 8};

	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		struct bpf_prog_info info = good;

		memcpy((char *)&info + counts[i].at, &counts[i].most, sizeof(uint32_t));
		assert_int_equal(ask_counts(&info), 0);
		for (uint32_t more = 1; more; more = more < 256 ? more * 8 : more << 8) {
			uint32_t wrong = counts[i].most + more * 8;

			memcpy((char *)&info + counts[i].at, &wrong, sizeof(wrong));
			assert_int_equal(ask_counts(&info), -EIO);
		}
	}
}

/* A tool makes room for what the first reply says, and reads what the second one says. */
static void test_count_grows(void **state)
{
	struct object *object = board_object(board, BPF_ABI_PROG, MAP);
	struct program tool = {.info = {.type = 0}},
		       reported = {.info = {.type = 1, .nr_map_ids = 2}, .map_ids = {5, 6}};

	assert_int_equal(ask_program(object, &tool, &reported), 0);
	assert_int_equal(tool.info.nr_map_ids, 2);
	tool.info.map_ids = user(tool.map_ids);
	reported.info.nr_map_ids = 1000;
	assert_int_equal(ask_program(object, &tool, &reported), 0);
	assert_int_equal(tool.info.nr_map_ids, 2);
	assert_int_equal(tool.map_ids[1], 6);
	assert_int_equal(tool.map_ids[2], 0);
	/* Without an earlier reply the tool has to expect more than it has room for. */
	object_end(object);
	object = board_object(board, BPF_ABI_PROG, MAP);
	assert_int_equal(ask_program(object, &tool, &reported), 0);
	assert_int_equal(tool.info.nr_map_ids, 1000);
	object_end(object);
}

/* Prepares what the board answers when the types with this id are fetched. */
static void reply_types(const struct btf_test *btf, uint32_t id)
{
	const struct bpf_btf_info reported = {.btf_size = (uint32_t)btf->size, .id = id};

	for (int i = 0; i < 2; i++) {
		struct bytes_out *out = board_reply(board, RPC_INFO, 0);

		rpc_put_bytes(out, &reported, sizeof(reported));
		rpc_put_bytes(out, i ? btf->data : "", i ? btf->size : 1);
		board_ready(board);
	}
}

static const struct btf_types *know_types(const struct btf_test *btf, uint32_t id)
{
	board_reply_ret(board, RPC_BPF, 1000);
	reply_types(btf, id);
	return btf_known_get(&board->run, id, NULL);
}

/* Makes five types: 1 int, 2 struct { int a; int b; }, 3 a struct, 4 a function, 5 its prototype. A
 * part of the struct 3 lies behind its end, unless `is_good`. */
static struct btf_test make_types(bool is_good)
{
	struct btf_test btf;

	btf_test_begin(&btf, false);
	btf_test_int(&btf, "int");
	btf_test_type(&btf, btf_test_string(&btf, "pair"), BTF_KIND_STRUCT, 2, 8);
	btf_test_word(&btf, btf_test_string(&btf, "a"));
	btf_test_word(&btf, 1);
	btf_test_word(&btf, 0);
	btf_test_word(&btf, btf_test_string(&btf, "b"));
	btf_test_word(&btf, 1);
	btf_test_word(&btf, 32);
	btf_test_type(&btf, btf_test_string(&btf, "short"), BTF_KIND_STRUCT, 1, 8);
	btf_test_word(&btf, btf_test_string(&btf, "c"));
	btf_test_word(&btf, 2);
	btf_test_word(&btf, is_good ? 0 : 8);
	btf_test_type(&btf, btf_test_string(&btf, "main"), BTF_KIND_FUNC, 0, 5);
	btf_test_type(&btf, 0, BTF_KIND_FUNC_PROTO, 0, 1);
	btf_test_end(&btf);
	return btf;
}

/* Lists whose contents say how much of another one a tool reads. */
static void test_lists_of_program(void **state)
{
	struct object *object = board_object(board, BPF_ABI_PROG, MAP);
	const struct program good = {.info = {.type = 1,
					     .jited_prog_len = 32,
					     .xlated_prog_len = 32,
					     .nr_jited_func_lens = 2,
					     .btf_id = 5,
					     .nr_func_info = 4,
					     .func_info_rec_size = 8},
		.functions = {{0, 0, 0, 0, 4}, {0, 0, 0, 0, 4}, {0, 0, 0, 0, 4}, {0, 0, 0, 0, 4}},
		.lengths = {12, 20},
		.insns = {{.code = 0xb7}, {.code = 0x18}, {.code = 0}, {.code = 0x95}}};
	const struct btf_test btf = make_types(true);
	struct program tool, reported;

	assert_non_null(know_types(&btf, 5));
	for (int i = 0; i < 9; i++) {
		tool = reported = good;
		tool.info.jited_prog_insns = user(tool.code);
		tool.info.xlated_prog_insns = user(tool.insns);
		tool.info.jited_func_lens = user(tool.lengths);
		tool.info.func_info = user(tool.functions);
		switch (i) {
		case 1:
			reported.lengths[1] = 21;
			break;
		case 2:
			reported.lengths[0] = UINT32_MAX;
			break;
		case 3: /* half of an instruction */
			reported.insns[3].code = 0x18;
			break;
		case 4:
			reported.info.xlated_prog_len = 30;
			break;
		case 5: /* the tool has room for records of another size */
			reported.info.func_info_rec_size = 16;
			break;
		case 6: /* not a function, no type */
			reported.functions[3][4] = 1;
			break;
		case 7:
			reported.functions[1][7] = 1;
			break;
		case 8: /* a function without a type */
			reported.info.nr_func_info = 1;
			break;
		default:
			break;
		}
		assert_int_equal(ask_program(object, &tool, &reported), i ? -EIO : 0);
	}
	object_end(object);
}

/* Asks for the info of types. */
static void ask_btf(const struct object *object, struct bpf_btf_info *info)
{
	union bpf_attr attr = {.info = {.bpf_fd = (uint32_t)object->fd,
				       .info_len = sizeof(*info),
				       .info = user(info)}};
	const uint64_t args[6] = {BPF_OBJ_GET_INFO_BY_FD, user(&attr), 16};
	const struct call call = board_call(board, SYS_bpf, args);

	assert_int_equal(sys_bpf(&call), 0);
}

/* Asks for types as libbpf does: a first part, then all. Returns what the tool gets. */
static const char *ask_types(struct object *object, uint32_t size)
{
	static char data[BTF_TEST_SIZE];

	for (int i = 0; i < 2; i++) {
		struct bpf_btf_info info = {.btf = user(data), .btf_size = i ? size : 10};

		memset(data, 'x', sizeof(data));
		ask_btf(object, &info);
		assert_int_equal(info.btf_size, size);
		assert_int_equal(data[i ? size : 10], 'x');
	}
	return data;
}

/* A program's types are fetched once, so a tool cannot get others than those that were checked. */
static void test_types_of_program(void **state)
{
	struct btf_test good = btf_test_of("int", false), bad = good;
	struct btf_types *types;
	const char *why;

	bad.data[sizeof(struct btf_header)] = 77; /* a name outside of the strings */
	for (uint32_t id = 5; id < 7; id++) {
		struct object *object = board_object(board, BPF_ABI_BTF, MAP);

		reply_types(id == 5 ? &good : &bad, id);
		for (int i = 0; i < 2; i++) {
			const char *got = ask_types(object, (uint32_t)good.size);

			if (id == 5)
				assert_memory_equal(got, good.data, good.size);
			assert_int_equal(btf_read(&types, got, good.size, NULL, &why), 0);
			assert_int_equal(btf_is_value(types, 1, 4, 8), id == 5);
			btf_free(types);
		}
		object_end(object);
	}
	assert_non_null(btf_known_get(&board->run, 5, NULL));
	assert_null(btf_known_get(&board->run, 6, NULL));
}

/* bpftool prints a map by its types, and reads as many bytes as they have. */
static void test_types_of_map(void **state)
{
	struct object *map = new_map(BPF_MAP_TYPE_HASH, 4, 8, 50);
	const struct btf_test good = make_types(true), bad = make_types(false);
	const struct bpf_map_info reported = {.type = BPF_MAP_TYPE_HASH,
		.key_size = 4,
		.value_size = 8,
		.max_entries = 50,
		.btf_id = 5,
		.btf_key_type_id = 1,
		.btf_value_type_id = 2};
	struct bpf_map_info info;

	board->run.board.word_bits = 64;
	assert_non_null(know_types(&good, 5));
	assert_non_null(know_types(&bad, 6));
	assert_accepted(map, &reported);
	for (size_t i = 0; i < 25; i++) {
		static const uint32_t keys[] = {0, 1, 2, 9}, values[] = {0, 1, 2, 3, 4, 9};
		uint32_t id = i < 24 ? 5 : 6, key = keys[i % 4], value = values[i / 4 % 6];
		bool fits = id == 5 && key < 2 && (!value || value == 2 || value == 3);
		struct bpf_map_info other = reported;

		other.btf_id = id;
		other.btf_key_type_id = i < 24 ? key : 1;
		other.btf_value_type_id = i < 24 ? value : 2;
		assert_int_equal(ask(map, &other, REPORTED, &info, REPORTED), 0);
		if (key || value || id == 6)
			assert_int_equal(info.btf_id, fits ? id : 0);
		assert_int_equal(info.btf_key_type_id, fits ? key : 0);
		assert_int_equal(info.btf_value_type_id, fits ? value : 0);
		assert_int_equal(info.max_entries, 50);
	}
}

/* Asks for the kernel's types. The board has sent `sent` instead of those of the size in its list.
 * Returns the types as the tool gets them. */
static const char *ask_kernel_types(const void *sent, size_t size, uint32_t listed, uint32_t room)
{
	static char data[BTF_TEST_SIZE];
	struct object *object = board_object(board, BPF_ABI_BTF, MAP);
	struct bpf_btf_info info = {.btf = user(data), .btf_size = room};

	memset(data, 'x', sizeof(data));
	object->path = strdup("vmlinux");
	object->btf_info = calloc(1, sizeof(*object->btf_info));
	assert_true(object->path && object->btf_info);
	object->btf_info->kernel_btf = 1;
	object->btf_info->btf_size = listed;
	rpc_put_bytes(board_reply(board, RPC_FILE_READ, 0), sent, size);
	board_ready(board);
	ask_btf(object, &info);
	assert_int_equal(info.btf_size, listed);
	assert_int_equal(data[room < listed ? room : listed], 'x');
	object_end(object);
	return data;
}

/* bpftrace crashes if it gets no types of the kernel: it gets types without one. */
static void test_malformed_kernel_types(void **state)
{
	struct btf_test good = btf_test_of("int", false), bad = good;
	const uint32_t size = (uint32_t)good.size;
	struct btf_types *types;
	const char *why, *got;

	board_files(board);
	bad.data[sizeof(struct btf_header)] = 77; /* a name outside of the strings */
	for (int i = 0; i < 2; i++) {
		got = ask_kernel_types(i ? good.data : bad.data, size, size + (uint32_t)i, 4096);
		assert_int_equal(btf_read(&types, got, size + (uint32_t)i, NULL, &why), 0);
		assert_false(btf_is_value(types, 1, 4, 8)); /* there is no type */
		btf_free(types);
	}
	got = ask_kernel_types(bad.data, size, size, 10); /* a part */
	assert_memory_equal(got, good.data, 10);
	assert_memory_equal(ask_kernel_types(good.data, size, size, 4096), good.data, size);
}

/* bpftool draws a program by its jumps and calls. */
static void test_jumps_of_program(void **state)
{
	static const struct {
		struct bpf_insn first;
		uint8_t second_half;
		bool good;
	} cases[] = {
		{{.code = 0x05, .off = 2}, 0, true},
		{{.code = 0x05, .off = 3}, 0, false},
		{{.code = 0x15, .off = -1}, 0, true},
		{{.code = 0x15, .off = -2}, 0, false},
		{{.code = 0x56, .off = 30000}, 0, false},
		{{.code = 0x06, .imm = 2}, 0, true},
		{{.code = 0x06, .imm = 3}, 0, false},
		{{.code = 0x06, .off = 1}, 0, false},
		{{.code = 0x85, .off = 9, .imm = 9}, 0, true},
		{{.code = 0x85, .src_reg = 1, .off = 2}, 0, true},
		{{.code = 0x85, .src_reg = 1, .off = 3}, 0, false},
		{{.code = 0x95, .off = 9}, 0, true},
		{{.code = 0xb7, .off = 9}, 0, true},
		{{.code = 0xb7}, 0x15, false},
	};
	struct object *object = board_object(board, BPF_ABI_PROG, MAP);

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct program tool = {.info = {.xlated_prog_len = 32}},
			       reported = {.info = {.type = 1, .xlated_prog_len = 32},
				       .insns = {cases[i].first, {.code = 0x18},
					       {.code = cases[i].second_half}, {.code = 0x95}}};

		tool.info.xlated_prog_insns = user(tool.insns);
		assert_int_equal(ask_program(object, &tool, &reported), cases[i].good ? 0 : -EIO);
	}
	object_end(object);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_hash, setup, teardown),
		cmocka_unit_test_setup_teardown(test_per_cpu, setup, teardown),
		cmocka_unit_test_setup_teardown(test_ring_buffer, setup, teardown),
		cmocka_unit_test_setup_teardown(test_lru_is_rounded_up, setup, teardown),
		cmocka_unit_test_setup_teardown(test_names, setup, teardown),
		cmocka_unit_test(test_counts_of_program),
		cmocka_unit_test_setup_teardown(test_types_of_program, setup, teardown),
		cmocka_unit_test_setup_teardown(test_types_of_map, setup, teardown),
		cmocka_unit_test_setup_teardown(test_malformed_kernel_types, setup, teardown),
		cmocka_unit_test_setup_teardown(test_count_grows, setup, teardown),
		cmocka_unit_test_setup_teardown(test_lists_of_program, setup, teardown),
		cmocka_unit_test_setup_teardown(test_jumps_of_program, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

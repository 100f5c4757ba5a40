/* SPDX-License-Identifier: Apache-2.0 */
/* The list of the BTF objects of the board's kernel. */
#include <linux/bpf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "host-usb/run/objects/btf_list.h"
#include "tests/unit/run_test.h"

static uint64_t now_ms = 1000000;

int clock_gettime(clockid_t id, struct timespec *now)
{
	*now = (struct timespec){(time_t)(now_ms / 1000), (long)(now_ms % 1000) * 1000000};
	return 0;
}

static void put_entry(struct bytes_out *out, uint32_t id, uint8_t kernel, const char *name)
{
	bytes_put_u32(out, id);
	bytes_put_u32(out, 1000 + id);
	bytes_put_u8(out, kernel);
	rpc_put_string(out, name);
}

/* The list has three entries: the kernel, a program and a module. */
static void reply_list(struct board *board)
{
	struct bytes_out *out = board_reply(board, RPC_BTF_LIST, 0);

	put_entry(out, 1, 1, "vmlinux");
	put_entry(out, 5, 0, "");
	put_entry(out, 9, 1, "dummy_hcd");
	board_ready(board);
}

/* Returns the id after `id`, or a negative errno. */
static int64_t next_id(struct board *board, uint32_t id)
{
	uint32_t found;
	int64_t ret = btf_list_next(&board->run, id, &found);

	return ret == 0 ? (int64_t)found : ret;
}

static void stop(struct board *board)
{
	btf_list_free(board->run.btf_list);
	board_stop(board);
}

static void test_walk(void **state)
{
	struct board *board = board_start(NULL);
	struct object *object;

	reply_list(board);
	assert_int_equal(next_id(board, 0), 1);
	assert_int_equal(next_id(board, 1), 5);
	assert_int_equal(next_id(board, 5), 9);
	assert_int_equal(next_id(board, 9), -ENOENT);
	assert_int_equal(next_id(board, UINT32_MAX), -ENOENT);

	assert_int_equal(btf_list_object(&board->run, 9, &object), 0);
	assert_string_equal(object->path, "dummy_hcd");
	assert_int_equal(object->class, BPF_ABI_BTF);
	assert_int_equal(object->btf_info->id, 9);
	assert_int_equal(object->btf_info->btf_size, 1009);
	assert_true(object->btf_info->kernel_btf);
	object_end(object); /* without a request: it has no handle */
	/* The board must answer for BTF of programs and for unknown ids. */
	assert_int_equal(btf_list_object(&board->run, 5, &object), CALL_CONTINUE);
	assert_int_equal(btf_list_object(&board->run, 6, &object), CALL_CONTINUE);
	board_asked(board, RPC_BTF_LIST);
	assert_int_equal(board_unseen(board), 0);

	/* Modules come and go, so after 2 s the list is fetched again. */
	now_ms += 2001;
	reply_list(board);
	assert_int_equal(next_id(board, 0), 1);
	board_asked(board, RPC_BTF_LIST);
	stop(board);
}

static void test_handle_is_made_on_demand(void **state)
{
	struct board *board = board_start(NULL);
	struct object *object;
	const void *attr;
	struct bytes_in in;
	size_t size;

	reply_list(board);
	assert_int_equal(btf_list_object(&board->run, 9, &object), 0);
	board_asked(board, RPC_BTF_LIST);
	board_reply_ret(board, RPC_BPF, -ENOENT); /* the module is gone */
	assert_int_equal(btf_list_need_handle(object), -ENOENT);
	assert_int_equal(object->handle, RPC_NO_HANDLE);
	board_asked(board, RPC_BPF);
	board_reply_ret(board, RPC_BPF, 7);
	assert_int_equal(btf_list_need_handle(object), 0);
	assert_int_equal(object->handle, 7);
	in = board_asked(board, RPC_BPF);
	assert_int_equal(bytes_get_u32(&in), BPF_BTF_GET_FD_BY_ID);
	attr = rpc_get_bytes(&in, &size);
	assert_int_equal(size, 12);
	assert_int_equal(bpf_abi_get32(attr, size, 0), 9);
	assert_true(bytes_get_end(&in));
	assert_int_equal(btf_list_need_handle(object), 0); /* the handle exists already */
	object_end(object);
	assert_closed(board, 7);
	stop(board);
}

/* If the board has no list, or sends a wrong one, the tool's calls go to the board one by one. */
static void test_no_list(void **state)
{
	struct board *board = board_start(NULL);
	struct object *object;

	board_reply_ret(board, RPC_BTF_LIST, -ENOSYS);
	assert_int_equal(next_id(board, 0), CALL_CONTINUE);
	board_reply_ret(board, RPC_BTF_LIST, -EPERM);
	assert_int_equal(btf_list_object(&board->run, 1, &object), CALL_CONTINUE);

	put_entry(board_reply(board, RPC_BTF_LIST, 0), 1, 1,
		"a name that is longer than any name of a module, which has 64 bytes");
	board_ready(board);
	assert_int_equal(next_id(board, 0), CALL_CONTINUE);

	put_entry(board_reply(board, RPC_BTF_LIST, 0), 1, 1, "vm\33[2Jlinux"); /* tools print it */
	board_ready(board);
	assert_int_equal(next_id(board, 0), CALL_CONTINUE);

	bytes_put_u32(board_reply(board, RPC_BTF_LIST, 0), 1); /* ends early */
	board_ready(board);
	assert_int_equal(next_id(board, 0), CALL_CONTINUE);

	put_entry(board_reply(board, RPC_BTF_LIST, 0), 3, 1, "b");
	/* Ids must grow, or a walk never ends. */
	put_entry(&board->answers[board->prepared], 3, 1, "a");
	board_ready(board);
	assert_int_equal(next_id(board, 0), CALL_CONTINUE);

	board_reply_ret(board, RPC_BTF_LIST, 0); /* a kernel without BTF */
	assert_int_equal(next_id(board, 0), -ENOENT);
	stop(board);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_walk),
		cmocka_unit_test(test_handle_is_made_on_demand),
		cmocka_unit_test(test_no_list),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

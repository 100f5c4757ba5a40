/* SPDX-License-Identifier: Apache-2.0 */
/* The lifetime of objects: until the tool's last descriptor and mapping are gone. */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "host-usb/run/objects/mirror.h"
#include "tests/unit/run_test.h"

#define HANDLE 12

/* Returns a new open file of the object's memory for the tool, as object_give() installs it. */
static int give(const struct object *object)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", object->fd);
	fd = open(path,
		(object->class == OBJECT_DIRECTORY ? O_RDONLY | O_DIRECTORY : O_RDWR) | O_CLOEXEC);
	assert_true(fd >= 0);
	return fd;
}

static struct object *find(struct board *board, int fd)
{
	const struct call call = board_call(board, 0, NULL);

	return object_of_any(&call, fd);
}

static void assert_alive(struct board *board)
{
	objects_reap(board->run.objects);
	assert_non_null(object_next(board->run.objects, NULL));
	assert_int_equal(board_unseen(board), 0);
}

static void assert_ends(struct board *board)
{
	objects_reap(board->run.objects);
	assert_null(object_next(board->run.objects, NULL));
	assert_closed(board, HANDLE);
}

static void test_close(void **state)
{
	struct board *board = board_start(NULL);
	struct object *object = board_object(board, BPF_ABI_PROG, HANDLE);
	int fd = give(object), copy, last;

	assert_ptr_equal(find(board, fd), object);
	assert_null(find(board, -1));
	assert_null(find(board, STDIN_FILENO));
	copy = dup(fd);
	last = fcntl(fd, F_DUPFD_CLOEXEC, 500);
	close(fd);
	assert_alive(board);
	assert_null(find(board, fd));
	assert_ptr_equal(find(board, copy), object);
	close(copy);
	assert_alive(board);
	dup2(STDIN_FILENO, last); /* closes the object's descriptor */
	assert_ends(board);
	close(last);
	board_stop(board);
}

static void test_classes(void **state)
{
	struct board *board = board_start(NULL);
	struct object *object = board_object(board, BPF_ABI_MAP, HANDLE);
	const struct call call = board_call(board, 0, NULL);

	assert_ptr_equal(object_of(&call, object->fd, BPF_ABI_MAP | BPF_ABI_PROG), object);
	assert_null(object_of(&call, object->fd, BPF_ABI_PROG));
	assert_null(object_of_handle(board->run.objects, HANDLE)); /* no ring */
	board_stop(board);
}

/* A descriptor in a queued SCM_RIGHTS message, and then in another process, keeps the object. */
static void test_passed_descriptor(void **state)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control = {.space = {0}};
	char byte = 'x';
	struct iovec data = {&byte, 1};
	struct msghdr message = {.msg_iov = &data,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control)};
	struct board *board = board_start(NULL);
	struct object *object = board_object(board, BPF_ABI_EVENT, HANDLE);
	int fd = give(object), sockets[2], go[2], status;
	pid_t child;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets), 0);
	assert_int_equal(pipe(go), 0);
	control.header.cmsg_level = SOL_SOCKET;
	control.header.cmsg_type = SCM_RIGHTS;
	control.header.cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
	assert_int_equal(sendmsg(sockets[0], &message, 0), 1);
	close(fd);
	assert_alive(board);

	child = fork();
	if (child == 0) {
		close(go[1]);
		if (recvmsg(sockets[1], &message, 0) != 1 || read(go[0], &byte, 1) != 1)
			_exit(1);
		memcpy(&fd, CMSG_DATA(&control.header), sizeof(fd));
		close(fd);
		if (read(go[0], &byte, 1) != 1)
			_exit(2);
		_exit(0);
	}
	assert_alive(board);
	assert_int_equal(write(go[1], "a", 1), 1);
	for (int i = 0; i < 10000 && object_next(board->run.objects, NULL); i++) {
		objects_reap(board->run.objects); /* until the child closes it */
		usleep(1000);
	}
	assert_closed(board, HANDLE);
	assert_int_equal(write(go[1], "b", 1), 1);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	close(sockets[0]);
	close(sockets[1]);
	close(go[0]);
	close(go[1]);
	board_stop(board);
}

/* The object ends when the child that inherited the descriptor is killed. */
static void test_fork(void **state)
{
	struct board *board = board_start(NULL);
	struct object *object = board_object(board, BPF_ABI_PROG, HANDLE);
	int fd = give(object), status;
	pid_t child = fork();

	if (child == 0) {
		pause();
		_exit(0);
	}
	close(fd);
	assert_alive(board);
	kill(child, SIGKILL);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_ends(board);
	board_stop(board);
}

static void test_mapping(void **state)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	struct board *board = board_start(NULL);
	struct object *object = board_object(board, BPF_ABI_MAP, HANDLE);
	int fd = give(object);
	char *memory;

	assert_int_equal(ftruncate(object->fd, (off_t)(2 * page)), 0);
	memory = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_true(memory != MAP_FAILED);
	close(fd);
	assert_alive(board);
	memory = mremap(memory, 2 * page, 4 * page, MREMAP_MAYMOVE);
	assert_true(memory != MAP_FAILED);
	assert_alive(board);
	munmap(memory, page);
	assert_alive(board);
	munmap(memory + page, 3 * page);
	assert_ends(board);
	board_stop(board);
}

/* Opening the memory again by /proc/self/fd and closing that file does not end the object. */
static void test_reopened(void **state)
{
	struct board *board = board_start(NULL);
	struct object *object = board_object(board, BPF_ABI_MAP, HANDLE);
	int fd = give(object), other = give(object);
	char *memory;

	close(other);
	assert_alive(board);
	close(give(object));
	close(give(object));
	assert_alive(board);
	assert_int_equal(ftruncate(object->fd, 4096), 0);
	memory = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_true(memory != MAP_FAILED);
	close(fd);
	close(give(object));
	assert_alive(board);
	munmap(memory, 4096);
	assert_ends(board);
	board_stop(board);
}

/* When a link is closed, the map receives the last counts of its program. */
static void test_last_counts(void **state)
{
	struct board *board = board_start(NULL);
	struct object *map = board_object(board, BPF_ABI_MAP, 3), *link;
	const uint64_t zero = 0, counted = 77;
	uint64_t *memory;
	struct bytes_out *out;
	int fd;

	map->value_size = 8;
	map->max_entries = 1;
	out = board_reply(board, RPC_MAP_SYNC, 8);
	bytes_put_u32(out, 1);
	bytes_put_u32(out, 0);
	rpc_put_bytes(out, &zero, 8);
	board_ready(board);
	assert_int_equal(mirror_open(map, true), 0);
	board_asked(board, RPC_MAP_SYNC);
	memory = mmap(NULL, 8, PROT_READ, MAP_SHARED, map->fd, 0);

	link = board_object(board, BPF_ABI_LINK, HANDLE);
	mirrors_sync_at_end(link);
	fd = give(link);
	out = board_reply(board, RPC_MAP_SYNC, 8);
	bytes_put_u32(out, 1);
	bytes_put_u32(out, 0);
	rpc_put_bytes(out, &counted, 8);
	board_ready(board);
	close(fd);
	objects_reap(board->run.objects);
	assert_closed(board, HANDLE); /* detach first: then the counts are final */
	board_asked(board, RPC_MAP_SYNC);
	assert_int_equal(*memory, 77);
	munmap(memory, 8);
	board_stop(board);
}

/* A directory object is a temporary directory that is already removed. */
static void test_directory(void **state)
{
	char path[128], target[512];
	struct board *board = board_start(NULL);
	struct object *object = board_object(board, OBJECT_DIRECTORY, RPC_NO_HANDLE);
	int fd = give(object);
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	n = readlink(path, target, sizeof(target) - 1);
	assert_true(n > 0);
	target[n] = 0;
	assert_non_null(strstr(target, "(deleted)"));
	assert_ptr_equal(find(board, fd), object);
	close(fd);
	objects_reap(board->run.objects);
	assert_null(object_next(board->run.objects, NULL));
	assert_int_equal(board_unseen(board), 0); /* the board has no handle for it */
	board_stop(board);
}

/* Each of many objects is found, and they end in any order. */
static void test_many(void **state)
{
	enum { MANY = 200 };
	struct board *board = board_start(NULL);
	static struct object *objects[MANY];
	static bool closed[MANY];
	int fds[MANY];
	unsigned int count = 0;

	for (uint32_t i = 0; i < MANY; i++) {
		objects[i] = board_object(board, BPF_ABI_PROG, 1000 + i);
		fds[i] = give(objects[i]);
	}
	for (const struct object *o = object_next(board->run.objects, NULL); o;
		o = object_next(board->run.objects, o))
		count++;
	assert_int_equal(count, MANY);
	for (int i = 0; i < MANY; i++)
		assert_ptr_equal(find(board, fds[i]), objects[i]);
	for (int i = 0; i < MANY; i += 2)
		close(fds[i]);
	objects_reap(board->run.objects);
	for (int i = 0; i < MANY; i += 2) {
		struct bytes_in in = board_asked(board, RPC_CLOSE);
		uint32_t handle = bytes_get_u32(&in);

		assert_true(handle >= 1000 && handle < 1000 + MANY && handle % 2 == 0);
		assert_false(closed[handle - 1000]);
		closed[handle - 1000] = true;
	}
	for (int i = 1; i < MANY; i += 2) {
		assert_ptr_equal(find(board, fds[i]), objects[i]);
		close(fds[i]);
	}
	board_stop(board);
}

/* If the descriptor cannot be installed in the tool, the object and its handle are closed. */
static void test_give_fails(void **state)
{
	struct board *board = board_start(NULL);
	struct object *object = board_object(board, BPF_ABI_MAP, HANDLE);
	const struct call call = board_call(board, 0, NULL); /* without a listener */

	assert_int_equal(object_give(object, &call, true), -EBADF);
	assert_ends(board);
	board_stop(board);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_close),
		cmocka_unit_test(test_classes),
		cmocka_unit_test(test_passed_descriptor),
		cmocka_unit_test(test_fork),
		cmocka_unit_test(test_mapping),
		cmocka_unit_test(test_reopened),
		cmocka_unit_test(test_last_counts),
		cmocka_unit_test(test_directory),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_give_fails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

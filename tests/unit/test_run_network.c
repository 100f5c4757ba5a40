/* SPDX-License-Identifier: Apache-2.0 */
/* Sockets and ioctls of network interfaces under the real filter: refused, or answered with the
 * board's names and indexes. */
#include <errno.h>
#include <linux/bpf.h>
#include <linux/netlink.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <netdb.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <cmocka.h>

#include "tests/unit/live_test.h"
#include "tests/unit/log_capture.h"

#define PROG 41

static bool is_refused(int domain, int protocol, int error)
{
	return socket(domain, SOCK_RAW | SOCK_CLOEXEC, protocol) == -1 && errno == error;
}

static void tool_sockets(void)
{
	static const int families[] = {NETLINK_ROUTE, NETLINK_SOCK_DIAG, NETLINK_NFLOG,
		NETLINK_XFRM, NETLINK_AUDIT, NETLINK_FIB_LOOKUP, NETLINK_CONNECTOR,
		NETLINK_NETFILTER, NETLINK_GENERIC, NETLINK_RDMA, MAX_LINKS - 1};

	for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++)
		MUST(is_refused(AF_NETLINK, families[i], EPROTONOSUPPORT));
	MUST(is_refused(AF_PACKET, 0, EAFNOSUPPORT) && is_refused(AF_XDP, 0, EAFNOSUPPORT));
	MUST(socket(AF_NETLINK, SOCK_RAW, NETLINK_USERSOCK) >= 0);
	MUST(socket(AF_NETLINK, SOCK_RAW, NETLINK_KOBJECT_UEVENT) >= 0);
	MUST(socket(AF_UNIX, SOCK_DGRAM, 0) >= 0 && socket(AF_INET, SOCK_DGRAM, 0) >= 0);
}

static void test_sockets(void **state)
{
	struct board *board = live_start();
	const char *log;

	log_begin();
	assert_int_equal(run_tool(board, tool_sockets), 0);
	log = log_end();
	assert_non_null(strstr(log, "socket: not supported: rtnetlink"));
	assert_non_null(strstr(log, "socket: not supported: a netlink family"));
	assert_non_null(strstr(log, "socket: not supported: packet sockets"));
	assert_non_null(strstr(log, "socket: not supported: XDP sockets"));
	live_stop(board);
}

/* Programs must be able to look up names without rtnetlink. */
static void tool_library(void)
{
	const struct addrinfo hints = {.ai_flags = AI_ADDRCONFIG, .ai_socktype = SOCK_STREAM};
	struct addrinfo *found;

	MUST(getaddrinfo("localhost", "80", &hints, &found) == 0 && found);
	MUST(getaddrinfo("127.0.0.1", "80", &hints, &found) == 0);
	MUST(found->ai_family == AF_INET);
	MUST(if_nameindex() == NULL && errno == EPROTONOSUPPORT);
}

static void test_library(void **state)
{
	struct board *board = live_start();

	assert_int_equal(run_tool(board, tool_library), 0);
	live_stop(board);
}

static void tool_names(void)
{
	char name[IF_NAMESIZE];

	MUST(if_nametoindex("lo") == 7);
	MUST(if_nametoindex("none") == 0 && errno == ENODEV);
	MUST(if_nametoindex("../net") == 0 && errno == ENODEV);
	MUST(if_indextoname(9, name) && strcmp(name, "usb0") == 0);
	MUST(if_indextoname(1, name) == NULL && errno == ENXIO);
}

static void reply_text(struct board *board, const char *text)
{
	rpc_put_string(board_reply(board, RPC_FILE_READ, 0), text);
	board_ready(board);
}

/* The board's loopback interface has index 7, as no Linux has. */
static void test_names(void **state)
{
	const struct rpc_stat link = {.mode = S_IFLNK | 0777}, file = {.mode = S_IFREG | 0644};
	struct board *board = live_start();
	struct bytes_out *out;

	reply_text(board, "7\n");
	board_reply_ret(board, RPC_FILE_READ, -ENOENT);
	out = board_reply(board, RPC_FILE_LIST, 0);
	bytes_put_u32(out, 3);
	rpc_put_string(out, "bonding_masters");
	rpc_put_stat(out, &file);
	rpc_put_string(out, "lo");
	rpc_put_stat(out, &link);
	rpc_put_string(out, "usb0");
	rpc_put_stat(out, &link);
	board_ready(board);
	for (int i = 0; i < 2; i++) { /* the list of interfaces is asked for only once */
		board_reply_ret(board, RPC_FILE_READ, -ENOTDIR);
		reply_text(board, "7\n");
		reply_text(board, "9\n");
	}
	assert_int_equal(run_tool(board, tool_names), 0);
	live_stop(board);
}

static void tool_ioctls(void)
{
	struct ifreq request = {.ifr_name = "lo"};
	int fd = socket(AF_INET, SOCK_DGRAM, 0), owner = getpid();

	MUST(fd >= 0);
	MUST(ioctl(fd, SIOCGIFFLAGS, &request) == -1 && errno == EOPNOTSUPP);
	MUST(ioctl(fd, SIOCGIFHWADDR, &request) == -1 && errno == EOPNOTSUPP);
	MUST(ioctl(fd, SIOCETHTOOL, &request) == -1 && errno == EOPNOTSUPP);
	MUST(ioctl(fd, FIOSETOWN, &owner) == 0 && ioctl(fd, SIOCGPGRP, &owner) == 0);
	MUST(owner == getpid());
	owner = 1;
	MUST(ioctl(fd, SIOCSPGRP, &owner) == -1 && errno == EPERM);
	MUST(ioctl(fd, FIONREAD, &owner) == 0);
}

static void test_ioctls(void **state)
{
	const struct rpc_stat st = {.mode = S_IFDIR | 0555};
	struct board *board = live_start();
	const char *log;

	rpc_put_stat(board_reply(board, RPC_FILE_STAT, 0), &st);
	board_ready(board);
	log_begin();
	assert_int_equal(run_tool(board, tool_ioctls), 0);
	log = log_end();
	assert_non_null(strstr(log, "ioctl: not supported: requests about network interfaces"));
	assert_non_null(strstr(log, "ioctl is not supported for processes of the board"));
	live_stop(board);
}

static void tool_socket_filter(void)
{
	union bpf_attr attr = {.prog_id = 5};
	int program = (int)syscall(SYS_bpf, BPF_PROG_GET_FD_BY_ID, &attr, 12), on = 1;
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);

	MUST(program >= 0 && fd >= 0);
	MUST(setsockopt(fd, SOL_SOCKET, SO_ATTACH_BPF, &program, sizeof(program)) == -1 &&
		errno == EOPNOTSUPP);
	MUST(setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) == 0);
}

static void test_socket_filter(void **state)
{
	struct board *board = live_start();
	struct bytes_out *out = board_reply(board, RPC_BPF, PROG);
	const char *log;

	rpc_put_bytes(out, NULL, 12);
	bytes_put_u32(out, BPF_ABI_PROG);
	board_ready(board);
	log_begin();
	assert_int_equal(run_tool(board, tool_socket_filter), 0);
	log = log_end();
	assert_non_null(strstr(log, "setsockopt: not supported: a program of the board"));
	live_stop(board);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sockets),
		cmocka_unit_test(test_library),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_ioctls),
		cmocka_unit_test(test_socket_filter),
	};

	return live_run(tests);
}

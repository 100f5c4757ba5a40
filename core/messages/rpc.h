/* SPDX-License-Identifier: Apache-2.0 */
/* The binary protocol behind the command BPFD_RPC (PROTOCOL.md, part 3): numbers, and the reading
 * and writing of messages. Pure: both ends use it. */
#ifndef CORE_MESSAGES_RPC_H
#define CORE_MESSAGES_RPC_H

#include "core/base/bytes.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define RPC_MAJOR 1 /* another one cannot talk to this one */
#define RPC_MINOR 0 /* adds operations */

/* The operations. Each message from the host is a request; those marked "no reply" get none, all
 * others get one reply, or several parts of one. Those marked "board" are sent by the board of its
 * own accord. */
#define RPC_OPS(X)                                                   \
	X(1, HELLO, "versions, and what the board is")               \
	X(2, BPF, "bpf(2)")                                          \
	X(3, INFO, "BPF_OBJ_GET_INFO_BY_FD of bpf(2)")               \
	X(4, CLOSE, "close a handle; no reply")                      \
	X(5, MAP_WALK, "many entries of a map at once")              \
	X(6, MAP_SYNC, "mirror the memory of a map that is mapped")  \
	X(7, PERF_OPEN, "perf_event_open(2)")                        \
	X(8, PERF_IOCTL, "ioctl(2) of a perf event")                 \
	X(9, RING_OPEN, "start to send what is written into a ring") \
	X(10, RING_CREDIT, "allow more of it; no reply")             \
	X(11, RING_DATA, "a piece of it; board")                     \
	X(12, FILE_STAT, "stat(2), lstat(2)")                        \
	X(13, FILE_ACCESS, "access(2)")                              \
	X(14, FILE_LINK, "readlink(2)")                              \
	X(15, FILE_READ, "the contents of a file, in parts")         \
	X(16, FILE_LIST, "the entries of a directory, in parts")     \
	X(17, FILE_WRITE, "one write(2) to a file")                  \
	X(18, FILE_FOLLOW, "start to send what a file will yield")   \
	X(19, BTF_LIST, "all type information of the kernel")

enum rpc_op {
#define RPC_OP(number, name, help) RPC_##name = number,
	RPC_OPS(RPC_OP)
#undef RPC_OP
};

/* The name of an operation, or NULL. */
const char *rpc_op_name(unsigned int op);

/* Every message starts with this, little-endian as all numbers of the protocol are. */
struct rpc_header {
	uint32_t length; /* bytes that follow the header */
	uint32_t tag;	 /* the host's choice; a reply has its request's, RING_DATA has 0 */
	uint16_t op, flags;
};

#define RPC_HEADER_SIZE 12

#define RPC_FLAG_REPLY 1 /* it answers a request */
#define RPC_FLAG_MORE  2 /* more parts of this reply follow */

#define RPC_MESSAGE_MAX                                                           \
	(32U << 20) /* bytes behind the header; a program with all its notes fits \
		     */
#define RPC_PART_MAX \
	(64U << 10) /* of the payload of RING_DATA and of each part of a reply, about */

#define RPC_NO_HANDLE UINT32_MAX

#define RPC_WALK_KEYS 16 /* that MAP_WALK may go on behind, at most */

/* Flags of FILE_STAT and FILE_WRITE. */
#define RPC_NOFOLLOW 1
#define RPC_APPEND   1

void rpc_header_put(uint8_t to[RPC_HEADER_SIZE], const struct rpc_header *header);
void rpc_header_get(const uint8_t from[RPC_HEADER_SIZE], struct rpc_header *header);

/* Starts a message after what was written before. Returns where it starts. */
size_t rpc_begin(struct bytes_out *out, unsigned int op, unsigned int flags, uint32_t tag);

/* Ends the message that starts at `start`: sets its length. */
void rpc_end(struct bytes_out *out, size_t start);

/* A u32 length and so many bytes. data may be NULL: zeroes. */
void rpc_put_bytes(struct bytes_out *out, const void *data, size_t size);
void rpc_put_string(struct bytes_out *out, const char *text);

/* Bytes with their length before them; they stay in the payload and are not aligned. NULL after a
 * failure. */
const void *rpc_get_bytes(struct bytes_in *in, size_t *size);

/* The same as text, copied with a NUL behind it. Fails for a NUL within it or more than size - 1
 * bytes; text is then "". */
bool rpc_get_string(struct bytes_in *in, char *text, size_t size);

/* What stat(2) says, in the same form for all architectures. */
struct rpc_stat {
	uint32_t mode, nlink, uid, gid;
	uint64_t ino, size, blocks; /* blocks of 512 bytes */
	uint32_t dev_major, dev_minor, rdev_major, rdev_minor;
	uint32_t block_size;
	int64_t atime_s, mtime_s, ctime_s;
	uint32_t atime_ns, mtime_ns, ctime_ns;
};

void rpc_put_stat(struct bytes_out *out, const struct rpc_stat *stat);
void rpc_get_stat(struct bytes_in *in, struct rpc_stat *stat);

/* What the board is. Strings end with a NUL. */
struct rpc_hello {
	uint16_t major, minor;
	uint32_t message_max; /* the longest payload that the board takes, bytes */
	uint8_t big_endian, word_bits;
	uint32_t page_size, possible_cpus;
	uint32_t kprobe_type,
		uprobe_type; /* of perf_event_open(2), 0: the kernel has no such PMU */
	uint64_t realtime_ns, monotonic_ns, boottime_ns; /* its clocks, when it answered */
	char program[64];				 /* version of bpfd */
	char sysname[65], nodename[65], release[65], version[65], machine[65]; /* uname(2) */
	char boot_id[40];
	char online[256]; /* list of CPUs, as "0-3,6" */
};

void rpc_put_hello(struct bytes_out *out, const struct rpc_hello *hello);
void rpc_get_hello(struct bytes_in *in, struct rpc_hello *hello);

#endif

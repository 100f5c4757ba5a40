/* SPDX-License-Identifier: Apache-2.0 */
/* The messages of the binary protocol (PROTOCOL.md, part 3): numbers and codec.
 *
 * The command BPFD_RPC switches a session to this protocol. Pure: both ends use it. */
#ifndef CORE_MESSAGES_RPC_H
#define CORE_MESSAGES_RPC_H

#include "core/base/bytes.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define RPC_MAJOR 1 /* versions that differ in it do not understand each other */
#define RPC_MINOR 3 /* a higher one has more operations */

/* What the board sends for an operation. */
enum rpc_answer {
	RPC_REPLY,  /* one reply, in one or more parts */
	RPC_SILENT, /* nothing, also after an error */
	RPC_PUSH    /* no request: the board sends the message unasked */
};

/* The operations: number, name, what the board sends, and the description in PROTOCOL.md. */
#define RPC_OPS(X)                                                           \
	X(1, HELLO, RPC_REPLY, "versions, description of the board")         \
	X(2, BPF, RPC_REPLY, "bpf(2)")                                       \
	X(3, INFO, RPC_REPLY, "BPF_OBJ_GET_INFO_BY_FD of bpf(2)")            \
	X(4, CLOSE, RPC_SILENT, "close a handle; no reply")                  \
	X(5, MAP_WALK, RPC_REPLY, "many entries of a map at once")           \
	X(6, MAP_SYNC, RPC_REPLY, "mirror the memory of a mapped map")       \
	X(7, PERF_OPEN, RPC_REPLY, "perf_event_open(2)")                     \
	X(8, PERF_IOCTL, RPC_REPLY, "ioctl(2) of a perf event")              \
	X(9, RING_OPEN, RPC_REPLY, "start to send the data of a ring")       \
	X(10, RING_CREDIT, RPC_SILENT, "allow more ring data; no reply")     \
	X(11, RING_DATA, RPC_PUSH, "ring data; sent by the board unasked")   \
	X(12, FILE_STAT, RPC_REPLY, "stat(2), lstat(2)")                     \
	X(13, FILE_ACCESS, RPC_REPLY, "access(2)")                           \
	X(14, FILE_LINK, RPC_REPLY, "readlink(2)")                           \
	X(15, FILE_READ, RPC_REPLY, "the contents of a file, in parts")      \
	X(16, FILE_LIST, RPC_REPLY, "the entries of a directory, in parts")  \
	X(17, FILE_WRITE, RPC_REPLY, "one write(2) to a file")               \
	X(18, FILE_FOLLOW, RPC_REPLY, "start to send what a file yields")    \
	X(19, BTF_LIST, RPC_REPLY, "list all BTF of the kernel")             \
	X(20, FILE_REMOVE, RPC_REPLY, "unlink(2), rmdir(2) in bpffs")        \
	X(21, FILE_MKDIR, RPC_REPLY, "mkdir(2) in bpffs")                    \
	X(22, FILE_RENAME, RPC_REPLY, "renameat2(2) in bpffs")               \
	X(23, FILE_HASH, RPC_REPLY, "the SHA-256 hash of a file's contents") \
	X(24, RING_SYNC, RPC_REPLY, "send what a ring or file holds")

enum rpc_op {
#define RPC_OP(number, name, answer, help) RPC_##name = number,
	RPC_OPS(RPC_OP)
#undef RPC_OP
};

/* Returns the name of an operation, or NULL. */
const char *rpc_op_name(unsigned int op);

/* True if requests of that operation get no reply. An unknown operation gets one. */
bool rpc_op_is_silent(unsigned int op);

/* The start of each message. All numbers of the protocol are little-endian. */
struct rpc_header {
	uint32_t length; /* bytes after the header */
	uint32_t tag;	 /* chosen by the host for a request and its reply; RING_DATA has 0 */
	uint16_t op, flags;
};

#define RPC_HEADER_SIZE 12

#define RPC_FLAG_REPLY 1 /* the message is a reply or a part of one */
#define RPC_FLAG_MORE  2 /* more parts of this reply follow */

/* Bytes after the header, at most. A program with all its debug information fits. */
#define RPC_MESSAGE_MAX (32U << 20)

/* Bytes after the header in RING_DATA and in a part of a reply, roughly. */
#define RPC_PART_MAX (64U << 10)

/* Limits of one operation, in bytes unless noted otherwise. */
#define RPC_ATTR_MAX   4096	   /* attributes of perf_event_open(2), as in the kernel: a page */
#define RPC_FILTER_MAX 4096	   /* filter of a perf event, with its NUL */
#define RPC_INFO_MAX   (16U << 20) /* all lists of one INFO */
#define RPC_SYNC_MAX   (16U << 20) /* memory of a map in MAP_SYNC: its reply may hold all of it */
#define RPC_SYNC_WORD  sizeof(uint64_t) /* bytes of the words that MAP_SYNC compares */
#define RPC_WRITE_MAX  (64U << 10)	/* FILE_WRITE; a line of kprobe_events is 4 KiB at most */
#define RPC_WALK_KEYS  16		/* keys that MAP_WALK can resume after */

#define RPC_NO_HANDLE UINT32_MAX

#define RPC_NOFOLLOW 1 /* flag of FILE_STAT */
#define RPC_APPEND   1 /* flag of FILE_WRITE */
#define RPC_RMDIR    1 /* flag of FILE_REMOVE */

#define RPC_MINOR_BPFFS 1 /* the first minor version that has FILE_REMOVE and the next two */
#define RPC_MINOR_HASH	2 /* the first minor version that has FILE_HASH */
/* Where FILE_FOLLOW of the kernel's log begins. */
enum rpc_log_start { RPC_LOG_FIRST, RPC_LOG_CLEARED, RPC_LOG_END };

#define RPC_LOG_RECORD_MAX 8192 /* bytes of a record of the kernel's log, as in the kernel */

#define RPC_MINOR_LOG 3 /* the first minor version that has FILE_FOLLOW of the log */

void rpc_header_put(uint8_t to[RPC_HEADER_SIZE], const struct rpc_header *header);
void rpc_header_get(const uint8_t from[RPC_HEADER_SIZE], struct rpc_header *header);

/* Begins a message after the bytes already written. Returns its offset, for rpc_end(). */
size_t rpc_begin(struct bytes_out *out, unsigned int op, unsigned int flags, uint32_t tag);

/* Ends the message at offset `start`: writes its length into its header. */
void rpc_end(struct bytes_out *out, size_t start);

/* Writes a u32 length and the bytes. If data is NULL they are zeroes. */
void rpc_put_bytes(struct bytes_out *out, const void *data, size_t size);
void rpc_put_string(struct bytes_out *out, const char *text);

/* Reads a u32 length and the bytes. Returns where they are in the payload, unaligned, or NULL with
 * *size 0 if the payload is too short. */
const void *rpc_get_bytes(struct bytes_in *in, size_t *size);

/* Reads a u32 length and a text, and copies the text with a NUL at its end. Returns false, with ""
 * as text, if it contains a NUL, is longer than size - 1 bytes, or the payload is too short. */
bool rpc_get_string(struct bytes_in *in, char *text, size_t size);

/* The result of stat(2), in one layout for all architectures. */
struct rpc_stat {
	uint32_t mode, nlink, uid, gid;
	uint64_t ino, size, blocks; /* a block has 512 bytes */
	uint32_t dev_major, dev_minor, rdev_major, rdev_minor;
	uint32_t block_size;
	int64_t atime_s, mtime_s, ctime_s;
	uint32_t atime_ns, mtime_ns, ctime_ns;
};

void rpc_put_stat(struct bytes_out *out, const struct rpc_stat *stat);
void rpc_get_stat(struct bytes_in *in, struct rpc_stat *stat);

/* The board's description of itself. Strings end with a NUL. */
struct rpc_hello {
	uint16_t major, minor;
	uint32_t message_max; /* bytes of the longest payload that the board accepts */
	uint8_t big_endian, word_bits;
	uint32_t page_size, possible_cpus;
	uint32_t kprobe_type, uprobe_type; /* types of perf_event_open(2); 0: no such PMU */
	uint64_t realtime_ns, monotonic_ns, boottime_ns; /* its clocks at the reply */
	char program[64];				 /* the version of bpfd */
	char sysname[65], nodename[65], release[65], version[65], machine[65]; /* uname(2) */
	char boot_id[40];
	char online[256]; /* list of online CPUs, such as "0-3,6" */
};

void rpc_put_hello(struct bytes_out *out, const struct rpc_hello *hello);
void rpc_get_hello(struct bytes_in *in, struct rpc_hello *hello);

#endif

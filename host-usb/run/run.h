/* SPDX-License-Identifier: Apache-2.0 */
/* The state of bpfd-run: one tool, one board. */
#ifndef HOST_USB_RUN_RUN_H
#define HOST_USB_RUN_RUN_H

#include "core/messages/rpc.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct btf_list;
struct cache;
struct client;
struct objects;
struct opener;
struct remote;
struct waits;

#define RUN_UNSUPPORTED_MAX 16

struct run {
	struct client *client;
	struct rpc_hello board;
	struct objects *objects;   /* what the tool's descriptors stand for */
	struct remote *remote;	   /* questions about the board's files */
	struct cache *cache;	   /* copies of large ones */
	struct opener *opener;	   /* what a path opens as */
	struct btf_list *btf_list; /* NULL: not asked for yet */
	struct waits *waits;	   /* poll(2)s of the tool that are not answered yet */
	const char *sysroot;	   /* copy of the board's files, NULL: none */
	int listener;		   /* seccomp's notifications */
	int signal_fd;		   /* signals to bpfd-run, -1: none are read */
	int fd_base; /* descriptors from here on are those whose reads and writes we see */
	pid_t tool;
	bool child_news;   /* a SIGCHLD has come: the tool may have ended */
	bool ended;	   /* it has, and its number may be another's */
	bool semaphores;   /* the tool has asked for those of USDT probes */
	bool own_group;	   /* the tool is a process group of its own */
	bool ending;	   /* a signal has asked for the end */
	uint64_t asked_ms; /* when the first one did in the operation that is waited for */
	const char *unsupported[RUN_UNSUPPORTED_MAX]; /* what was logged as such */
};

/* One system call of the tool. */
struct call {
	struct run *run;
	uint64_t id; /* of the notification */
	pid_t tid;
	int number;
	const uint64_t *args;
};

/* What a handler returns: a value, a negative errno, or one of these. */
#define CALL_CONTINUE INT64_MIN	      /* let the workstation's kernel run it */
#define CALL_ANSWERED (INT64_MIN + 1) /* the answer was sent, with a descriptor */
#define CALL_HELD     (INT64_MIN + 2) /* it is answered later */

typedef int64_t call_handler(const struct call *call);

call_handler sys_bpf;
call_handler sys_perf_event_open, sys_ioctl;
call_handler sys_mmap;
call_handler sys_poll, sys_ppoll, sys_epoll_ctl;
call_handler sys_open, sys_openat, sys_openat2, sys_stat, sys_lstat, sys_fstat, sys_newfstatat,
	sys_statx, sys_statfs, sys_access, sys_faccessat, sys_readlink, sys_readlinkat,
	sys_getdents64, sys_lseek, sys_write, sys_pwrite64, sys_writev;
call_handler sys_kill, sys_pidfd_open, sys_uname, sys_setrlimit, sys_prlimit64;

/* Says once for each thing (a constant) that it is not supported, and which call wanted it. */
void run_unsupported(const struct call *call, const char *what);

#endif

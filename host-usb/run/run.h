/* SPDX-License-Identifier: Apache-2.0 */
/* The state of bpfd-run: one tool, one board. */
#ifndef HOST_USB_RUN_RUN_H
#define HOST_USB_RUN_RUN_H

#include "core/messages/rpc.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct btf_known;
struct btf_list;
struct cache;
struct client;
struct headers;
struct objects;
struct opener;
struct remote;
struct waits;

#define RUN_WARNINGS_MAX 64

/* A warning that the user has already got about system calls of this number. */
struct run_warning {
	const char *what;
	int number;
};

struct run {
	struct client *client;
	struct rpc_hello board;
	struct objects *objects; /* what the tool's descriptors stand for */
	struct remote *remote;	 /* requests about the board's files */
	struct cache *cache;	 /* copies of the board's large files */
	struct headers *headers; /* of the board's kernel; NULL at first */
	/* headers_use(), called before the tool uses a path; NULL at first */
	int (*use_path)(struct headers *headers, const char *path);
	struct opener *opener;	     /* decides what a path opens as */
	struct btf_list *btf_list;   /* NULL until a tool asks for it */
	struct btf_known *btf_known; /* NULL until a map or program has types */
	struct waits *waits;	     /* the tool's poll(2) calls that are still unanswered */
	const char *sysroot;	     /* a copy of the board's files; NULL if there is none */
	int listener;		     /* descriptor of the seccomp notifications */
	int signal_fd;		     /* signals to bpfd-run; -1 if none are read */
	int fd_base; /* the filter notifies us of reads and writes from this descriptor on */
	pid_t tool;
	int lookup_error;  /* whose call the current one is cannot be found out; 0: it can */
	bool child_news;   /* SIGCHLD arrived: the tool may have exited */
	bool ended;	   /* the tool has exited; its pid may belong to another process */
	bool semaphores;   /* the tool has used the semaphore of a USDT probe */
	bool own_group;	   /* the tool has a process group of its own */
	bool ending;	   /* a signal has asked us to end */
	uint64_t asked_ms; /* time of the first such signal during the pending operation */
	struct run_warning warnings[RUN_WARNINGS_MAX];
};

/* One system call of the tool. */
struct call {
	struct run *run;
	uint64_t id; /* the notification's */
	pid_t tid;
	int number;
	const uint64_t *args;
};

/* A handler returns the call's result, a negative errno, or one of these. */
#define CALL_CONTINUE INT64_MIN	      /* the workstation's kernel runs the call */
#define CALL_ANSWERED (INT64_MIN + 1) /* the reply, with a descriptor, was already sent */
#define CALL_HELD     (INT64_MIN + 2) /* the reply follows later */

typedef int64_t call_handler(const struct call *call);

call_handler sys_bpf;
call_handler sys_perf_event_open, sys_perf_ioctl;
call_handler sys_socket, sys_setsockopt, sys_socket_ioctl;
call_handler sys_ioctl;
call_handler sys_mmap;
call_handler sys_poll, sys_ppoll, sys_epoll_ctl;
call_handler sys_open, sys_openat, sys_openat2, sys_stat, sys_lstat, sys_fstat, sys_newfstatat,
	sys_statx, sys_statfs, sys_access, sys_faccessat, sys_readlink, sys_readlinkat,
	sys_getdents64, sys_lseek, sys_write, sys_pwrite64, sys_writev, sys_creat, sys_fstatfs,
	sys_chdir, sys_fchdir, sys_getcwd;
call_handler sys_unlink, sys_unlinkat, sys_rmdir, sys_mkdir, sys_mkdirat, sys_rename, sys_renameat,
	sys_renameat2;
call_handler sys_refused, sys_attributes;
call_handler sys_read, sys_syslog, sys_name_to_handle_at;
call_handler sys_execve, sys_execveat, sys_module;
call_handler sys_kill, sys_process, sys_priority, sys_ioprio, sys_capget, sys_fcntl, sys_cpu_clock,
	sys_on_pidfd, sys_pidfd_open;
call_handler sys_write_other, sys_workstation;
call_handler sys_uname, sys_setrlimit, sys_prlimit64;

/* The types of requests of ioctl(2) that the filter notifies: to perf events and to sockets. */
#define RUN_IOCTL_TYPE_MASK   0xff00
#define RUN_IOCTL_TYPE_PERF   ('$' << 8)
#define RUN_IOCTL_TYPE_SOCKET 0x8900

/* Returns true the first time that it is called with a string constant for calls of this number. */
bool run_is_first(const struct call *call, const char *what);

/* Logs that the board's bpfd is too old for a call on a path. Returns the call's result. */
int64_t run_too_old(const struct run *run, const char *path, const char *call);

/* Logs that `what`, a string constant, is not supported, and which call needed it. Logs each
 * constant only once for each number of a call. */
void run_unsupported(const struct call *call, const char *what);

#endif

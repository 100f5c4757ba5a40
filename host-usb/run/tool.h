/* SPDX-License-Identifier: Apache-2.0 */
/* The tool: found, started under the filter, and ended. */
#ifndef HOST_USB_RUN_TOOL_H
#define HOST_USB_RUN_TOOL_H

#include "core/messages/rpc.h"

#include <stdbool.h>
#include <sys/types.h>

/* How to start a tool (set by the caller), and the process that was started. */
struct tool {
	char *const *argv;
	int fd_base;
	bool as_root;			   /* answer getuid(2) and geteuid(2) with 0 */
	bool own_group;			   /* give it a process group of its own */
	void (*on_child)(int);		   /* dispositions of SIGCHLD, SIGPIPE and SIGXFSZ */
	void (*on_pipe)(int);		   /* that we inherited, which the tool must inherit */
	void (*on_size)(int);		   /* too */
	int64_t monotonic_ns, boottime_ns; /* how far the board's clocks are ahead of ours */
	pid_t pid;			   /* set by tool_prepare() */
	int go;				   /* socket on which the child waits to start */
};

/* Looks for the program in $PATH like execvp(3). Returns 0, -ENOENT or -EACCES. */
int tool_find(const char *name);

/* Returns the first descriptor whose reads and writes the filter reports: the last ones below the
 * limit of open files, or below 1024. */
int tool_fd_base(void);

/* Returns true if we are in the terminal's foreground process group. */
bool tool_foreground(void);

/* Starts the process that becomes the tool, with the filter installed. It waits for tool_go().
 * Returns the descriptor of the seccomp listener, or a negative errno. */
int tool_prepare(struct tool *tool);

/* Lets the process execute the tool. `headers` is the directory of the board's headers, or NULL;
 * the user's own directory overrides it. */
void tool_go(struct tool *tool, const struct rpc_hello *board, const char *headers);

/* Ends the process instead. */
void tool_drop(struct tool *tool);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* The tool: found, started under the filter, and ended. */
#ifndef HOST_USB_RUN_TOOL_H
#define HOST_USB_RUN_TOOL_H

#include "core/messages/rpc.h"

#include <stdbool.h>
#include <sys/types.h>

/* How a tool is to be started, by the caller, and how it was. */
struct tool {
	char *const *argv;
	const char *headers; /* kernel headers of the board, NULL: none */
	int fd_base;
	bool as_root;			   /* let it believe that it is root */
	bool own_group;			   /* make it a process group */
	void (*on_child)(int);		   /* SIGCHLD's and SIGPIPE's disposition that we have */
	void (*on_pipe)(int);		   /* inherited, as the tool would have by itself */
	int64_t monotonic_ns, boottime_ns; /* how far the board's clocks are ahead of ours */
	pid_t pid;			   /* set by tool_prepare() */
	int go;				   /* a socket: the child waits for the word */
};

/* Finds the program in $PATH as execvp(3) does. Returns 0; -ENOENT; -EACCES. */
int tool_find(const char *name);

/* The descriptors that we see are the last ones below the limit of open files, or below 1024. */
int tool_fd_base(void);

/* Whether we are what the user at the terminal talks to. */
bool tool_foreground(void);

/* Makes the process that will be the tool, under the filter: it waits for the board to be known.
 * Returns the listener's descriptor or a negative errno. */
int tool_prepare(struct tool *tool);

/* The tool begins. */
void tool_go(struct tool *tool, const struct rpc_hello *board);

/* It does not: ends the process. */
void tool_drop(struct tool *tool);

#endif

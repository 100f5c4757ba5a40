/* SPDX-License-Identifier: Apache-2.0 */
/* The headers of the board's kernel, for tools that compile.
 *
 * BCC and bpftrace unpack /sys/kernel/kheaders.tar.xz into a directory that is named after the
 * release of the kernel. Boards of one release can have other headers, so bpfd-run does it for
 * them. */
#ifndef HOST_USB_RUN_FILES_HEADERS_H
#define HOST_USB_RUN_FILES_HEADERS_H

struct headers;
struct run;

/* Looks whether the board has headers, unless the user has named a directory with `given`. That is
 * used as it is, or joined with the sources of a kernel that was built with O=. Returns 0, or a
 * negative errno, logged: -ENOMEM, or `given` has no headers. */
int headers_new(struct headers **headers, struct run *run, const char *given);
void headers_free(struct headers *headers);

/* Returns the directory to which tools are pointed, or NULL. The board's headers
 * exist in it after the first use only. */
const char *headers_directory(const struct headers *headers);

/* run->use_path, to be called before the tool uses a path. Fetches the headers and unpacks them, if
 * it is below their directory. Returns 0, or -ENOENT if a tool must not see the path: it holds
 * headers that a tool has unpacked, perhaps those of another board. */
int headers_use(struct headers *headers, const char *path);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* Hashes of whole files, of the board and of this workstation. */
#ifndef HOST_USB_RUN_FILES_DIGEST_H
#define HOST_USB_RUN_FILES_DIGEST_H

#include "core/base/sha256.h"

#include <stdint.h>

struct remote;
struct rpc_hello;

/* SHA-256 of a file's contents, and their size in bytes. */
struct digest {
	uint8_t hash[SHA256_SIZE];
	uint64_t size;
};

/* Hashes an open file from its start; the file's position stays. Returns 0 or a negative errno. */
int digest_file(int fd, struct digest *digest);

/* Lets the board hash a file. Returns 0; -EOPNOTSUPP: its bpfd is too old; or a negative errno. */
int digest_of_board(struct remote *remote, const struct rpc_hello *board, const char *path,
	struct digest *digest);

/* Hashes an open file and compares. Returns 0, -ESTALE if it has other contents, or another
 * negative errno. */
int digest_check(int fd, const struct digest *wanted);

#endif

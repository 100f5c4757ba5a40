/* SPDX-License-Identifier: Apache-2.0 */
/* Hashes whole files. */
#include "host-usb/run/files/digest.h"

#include "core/messages/rpc.h"
#include "host-usb/run/files/remote.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define PIECE_SIZE 65536

int digest_file(int fd, struct digest *digest)
{
	struct sha256 hash;
	char data[PIECE_SIZE];
	ssize_t n;

	sha256_begin(&hash);
	do {
		n = pread(fd, data, sizeof(data), (off_t)hash.size);
		if (n > 0)
			sha256_add(&hash, data, (size_t)n);
	} while (n > 0 || (n < 0 && errno == EINTR));
	if (n < 0)
		return -errno;
	digest->size = hash.size;
	sha256_end(&hash, digest->hash);
	return 0;
}

int digest_of_board(struct remote *remote, const struct rpc_hello *board, const char *path,
	struct digest *digest)
{
	if (board->minor < RPC_MINOR_HASH)
		return -EOPNOTSUPP;
	return remote_hash(remote, path, digest->hash, &digest->size);
}

int digest_check(int fd, const struct digest *wanted)
{
	struct digest digest;
	int err = digest_file(fd, &digest);

	if (err)
		return err;
	if (digest.size != wanted->size ||
		memcmp(digest.hash, wanted->hash, sizeof(digest.hash)) != 0)
		return -ESTALE;
	return 0;
}

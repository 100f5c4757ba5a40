/* SPDX-License-Identifier: Apache-2.0 */
/* SHA-256 (FIPS 180-4). Pure.
 *
 * The board's bpfd has no other use for a cryptographic library, and its static size counts. */
#ifndef CORE_BASE_SHA256_H
#define CORE_BASE_SHA256_H

#include <stddef.h>
#include <stdint.h>

#define SHA256_SIZE	32		      /* bytes of a hash */
#define SHA256_HEX_SIZE (2 * SHA256_SIZE + 1) /* bytes of its text, with the NUL */

struct sha256 {
	uint32_t state[8];
	uint64_t size;	   /* bytes so far */
	uint8_t block[64]; /* the last `size % 64` bytes */
};

void sha256_begin(struct sha256 *hash);
void sha256_add(struct sha256 *hash, const void *data, size_t size);
void sha256_end(struct sha256 *hash, uint8_t result[SHA256_SIZE]);

/* Writes a hash as lower-case hexadecimal digits. */
void sha256_hex(const uint8_t hash[SHA256_SIZE], char text[SHA256_HEX_SIZE]);

#endif

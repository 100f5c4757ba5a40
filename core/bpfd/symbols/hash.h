/* SPDX-License-Identifier: Apache-2.0 */
/* FNV-1a, 64 bits: recognises a text or an image that has not changed. */
#ifndef CORE_BPFD_SYMBOLS_HASH_H
#define CORE_BPFD_SYMBOLS_HASH_H

#include <stdint.h>

#define HASH_EMPTY 14695981039346656037ULL /* the hash of no bytes */

static inline uint64_t hash_add(uint64_t hash, unsigned char byte)
{
	return (hash ^ byte) * 1099511628211ULL;
}

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* Base64 with the standard alphabet and padding (RFC 4648). */
#ifndef CORE_BASE_BASE64_H
#define CORE_BASE_BASE64_H

#include <stddef.h>
#include <sys/types.h>

/* Bytes of text for `size` bytes of data, without a NUL. */
#define BASE64_SIZE(size) (((size) + 2) / 3 * 4)

/* Encodes `size` bytes of data: writes BASE64_SIZE(size) bytes of text and no NUL. */
void base64_encode(char *text, const void *data, size_t size);

/* Decodes `len` bytes of text. `data` has room for len / 4 * 3 bytes and may be `text` itself.
 * Returns the number of bytes of data, or -EINVAL if the text is not base64. */
ssize_t base64_decode(void *data, const char *text, size_t len);

#endif

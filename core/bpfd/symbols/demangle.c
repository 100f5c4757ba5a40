/* SPDX-License-Identifier: Apache-2.0 */
/* Demangles C++ and Rust names with libiberty, which adds 60 KB; libstdc++ would add ten times
 * that. */
#include "core/bpfd/symbols/demangle.h"

#ifdef HAVE_LIBIBERTY

#include <libiberty/demangle.h>
#include <setjmp.h>
#include <string.h>

struct output {
	char *text;
	size_t len, size;
	bool is_full;
	jmp_buf full;
};

static bool is_ascii(const char *piece, size_t len)
{
	while (len && !(piece[len - 1] & 0x80))
		len--;
	return !len;
}

/* libiberty allocates memory for one kind of piece, a Rust identifier that is not ASCII, and frees
 * it after this call. So the text is left at the next piece, which is punctuation. */
static void take(const char *piece, size_t len, void *arg)
{
	struct output *output = arg;

	if (output->is_full || len >= output->size - output->len) {
		output->is_full = true;
		if (is_ascii(piece, len))
			longjmp(output->full, 1);
		return;
	}
	memcpy(output->text + output->len, piece, len);
	output->len += len;
}

bool demangle(const char *name, char *text, size_t size)
{
	struct output output = {.text = text, .size = size};

	if ((strncmp(name, "_Z", 2) && strncmp(name, "_R", 2)) || !size)
		return false;
	/* A name can refer to its own parts: a hundred bytes of a hostile file can expand to 2^20
	 * bytes and more. libiberty has no way to stop early, but these functions keep their data
	 * on the stack, so take() can leave them by longjmp(). */
	if (setjmp(output.full))
		return false;
	/* Rust first: its older names are also valid C++ ones, with a hash at their end. */
	if (!rust_demangle_callback(name, DMGL_PARAMS | DMGL_ANSI, take, &output)) {
		output.len = 0;
		if (!cplus_demangle_v3_callback(name, DMGL_PARAMS | DMGL_ANSI, take, &output))
			return false;
	}
	if (output.is_full)
		return false;
	text[output.len] = '\0';
	return true;
}

#else

bool demangle(const char *name, char *text, size_t size)
{
	return false;
}

#endif

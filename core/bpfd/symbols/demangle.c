/* SPDX-License-Identifier: Apache-2.0 */
/* Demangles C++ names with libiberty, which adds 60 KB; libstdc++ would add ten times that. */
#include "core/bpfd/symbols/demangle.h"

#ifdef HAVE_LIBIBERTY

#include <libiberty/demangle.h>
#include <setjmp.h>
#include <string.h>

struct output {
	char *text;
	size_t len, size;
	jmp_buf full;
};

static void take(const char *piece, size_t len, void *arg)
{
	struct output *output = arg;

	if (len >= output->size - output->len)
		longjmp(output->full, 1);
	memcpy(output->text + output->len, piece, len);
	output->len += len;
}

bool demangle(const char *name, char *text, size_t size)
{
	struct output output = {.text = text, .size = size};

	if (strncmp(name, "_Z", 2) || !size)
		return false;
	/* A name can refer to its own parts: a hundred bytes of a hostile file can expand to 2^20
	 * bytes and more. libiberty has no way to stop early, but this function keeps all its data
	 * on the stack, so take() can leave it by longjmp(). */
	if (setjmp(output.full))
		return false;
	if (!cplus_demangle_v3_callback(name, DMGL_PARAMS | DMGL_ANSI, take, &output))
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

/* SPDX-License-Identifier: Apache-2.0 */
/* Refuses system calls on files of the board. */
#include "host-usb/run/calls/refused.h"

#include "core/base/log.h"
#include "host-usb/run/calls/memory.h"
#include "host-usb/run/calls/notify.h"
#include "host-usb/run/calls/refused_calls.h"
#include "host-usb/run/files/path.h"
#include "host-usb/run/run.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stddef.h>

/* The numbers of the arguments that name a file. */
struct naming {
	int directory, path;
};

static const struct {
	int number;
	struct naming files[2];
} table[] = {
#define CALL(name, directory, path, directory2, path2) \
	{__NR_##name, {{directory, path}, {directory2, path2}}},
	REFUSED_CALLS(CALL) REFUSED_OLD_CALLS(CALL) ATTRIBUTE_CALLS(CALL)
#undef CALL
};

int64_t refused(const struct call *call, const char *path)
{
	log_warning(
		"%s: %s is not supported for files of the board", path, notify_name(call->number));
	return -EPERM;
}

static int names_board(const struct call *call, const struct naming *file, char path[PATH_MAX])
{
	int directory = file->directory == NONE ? AT_FDCWD : (int)call->args[file->directory];

	if (file->path == NONE && file->directory == NONE)
		return 0;
	return path_resolve_file(
		call, directory, file->path == NONE ? 0 : call->args[file->path], path);
}

/* Finds the first file of the board that the call names. Returns as path_resolve(). */
static int find_named(const struct call *call, char path[PATH_MAX])
{
	size_t i = 0;
	int ours = 0;

	while (table[i].number != call->number)
		i++;
	for (size_t file = 0; !ours && file < 2; file++)
		ours = names_board(call, &table[i].files[file], path);
	return ours;
}

int64_t sys_refused(const struct call *call)
{
	char path[PATH_MAX];
	int ours = find_named(call, path);

	if (ours <= 0)
		return ours ? ours : CALL_CONTINUE;
	return refused(call, path);
}

/* What file systems without extended attributes answer. */
int64_t sys_attributes(const struct call *call)
{
	char path[PATH_MAX];
	int ours = find_named(call, path);

	if (ours <= 0)
		return ours ? ours : CALL_CONTINUE;
	return -EOPNOTSUPP;
}

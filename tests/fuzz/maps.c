/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzzes /proc/PID/maps and the program of a hostile process on the board.
 * The first two bytes are the length of maps; the program follows maps. */
#include "tests/fuzz/fuzz.h"

#include "core/bpfd/symbols/proc_maps.h"
#include "core/bpfd/symbols/usym.h"
#include "core/messages/rpc.h"

#include <string.h>

#define PID 42

static void check_maps(void)
{
	struct proc_maps maps = {.count = 0};

	if (proc_maps_read(&maps, tree_paths()->proc, PID))
		return;
	for (size_t i = 0; i < maps.count; i++) {
		MUST(maps.ranges[i].start < maps.ranges[i].end);
		MUST(!i || maps.ranges[i - 1].end <= maps.ranges[i].start);
		MUST(proc_maps_find(&maps, maps.ranges[i].start) == &maps.ranges[i]);
		MUST(strlen(proc_maps_path(&maps, &maps.ranges[i])) < maps.paths_len);
	}
	proc_maps_clear(&maps);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint64_t addresses[] = {0, 0x400080, 0x400ff0, 0x7fff00001000, UINT64_MAX};
	static const char *const modules[] = {"/bin/program", "program", "[vdso]", "nothing", ""};
	struct bytes_in in = {data, size, false};
	size_t length = bytes_get_u16(&in);
	struct usym_name found;
	struct usym *usym;
	uint64_t address;

	length = length < in.size ? length : in.size;
	tree_put("proc/42/maps", in.data, length);
	tree_put("proc/42/root/bin/program", in.data + length, in.size - length);
	check_maps();
	MUST(!usym_new(&usym, tree_paths()->proc));
	for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++)
		if (!usym_find_address(usym, PID, addresses[i], i & 1, &found))
			for (const char *at = found.name; *at; at++)
				MUST((unsigned char)*at >= ' ' && *at != 0x7f && *at != ';');
	for (size_t i = 0; i < sizeof(modules) / sizeof(modules[0]); i++)
		usym_find_name(usym, PID, "main", modules[i], &address);
	usym_free(usym);
	return 0;
}

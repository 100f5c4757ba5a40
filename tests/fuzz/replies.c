/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzzes bpfd-run with the replies of a hostile board.
 *
 * The input is a list of actions of the tool, a byte 0xff, and a list of the board's messages:
 * flags, length, payload. This process is the tool: bytes after its buffers must not change. */
#include "tests/fuzz/tool.h"

#include "host-usb/run/objects/mirror.h"
#include "host-usb/run/objects/tool_ring.h"

#define END 0xff

static struct tool tool;

static void look_at_map(const struct tool_map *map)
{
	struct object *object = tool_map_object(&tool, map);
	uint64_t args[6] = {0, 8192, 3, 1, 0, 0};
	struct call call = tool_call(&tool, 0, args);

	if (!object)
		return;
	args[4] = (uint64_t)object->fd;
	sys_mmap(&call);
	mirrors_sync(&tool.run);
	tool_walk(&tool, object);
	for (int i = 0; i < 12; i++)
		tool_lookup(&tool, object);
	tool_batch(&tool, object);
	tool_info(&tool, object);
}

static void act(unsigned int op)
{
	static const struct tool_map maps[] = {
		{1, 4, 8, 16, 0}, {2, 4, 8, 16, 1024}, {27, 0, 0, 4096, 0}, {7, 4, 16, 16, 0}};

	switch (op % 5) {
	case 0:
		tool_files(&tool, op / 5);
		break;
	case 1:
		look_at_map(&maps[op / 5 % 4]);
		break;
	case 2:
		tool_load(&tool);
		break;
	case 3:
		tool_btf(&tool);
		break;
	case 4:
		tool_event(&tool);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *end = size ? memchr(data, END, size) : NULL;
	size_t acts = end ? (size_t)(end - data) : size;

	if (!end || acts > 8)
		return 0;
	tool_start(&tool, end + 1, size - acts - 1);
	for (size_t i = 0; i < acts && !client_dead(tool.run.client); i++)
		act(data[i]);
	client_receive(tool.run.client); /* the rest, which may be ring data */
	tool_rings_credit(tool.run.objects);
	tool_stop(&tool);
	return 0;
}

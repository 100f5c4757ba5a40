/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzzes the ELF readers of bpfd (processes) and bpfd-run (USDT).
 * The first eight bytes are the address to look up. */
#include "tests/fuzz/fuzz.h"

#include "core/bpfd/symbols/elf_symbols.h"
#include "core/messages/rpc.h"
#include "host-usb/run/calls/usdt.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static void look(struct elf_symbols *symbols, uint64_t address)
{
	const uint64_t addresses[] = {address, 0, 0x400000, 0x400100, UINT64_MAX};
	uint64_t offset, bias;
	const char *name;

	for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
		elf_symbols_bias(symbols, 0x400000, addresses[i], &bias);
		name = elf_symbols_find_address(symbols, addresses[i], &offset);
		if (!name)
			continue;
		MUST(strlen(name) > 0 && offset <= addresses[i]);
		elf_symbols_find_name(symbols, name, &bias);
	}
	elf_symbols_find_name(symbols, "main", &bias);
	elf_symbols_size(symbols);
	elf_symbols_free(symbols);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes_in in = {data, size, false};
	uint64_t address = bytes_get_u64(&in), semaphore;
	struct elf_symbols *symbols;
	uint8_t *image;
	int fd;

	if (in.failed)
		return 0;
	fd = memory_file(in.data, in.size);
	image = exact_copy(in.data, in.size);
	if (!elf_symbols_read(&symbols, fd))
		look(symbols, address);
	if (!elf_symbols_read_image(&symbols, image, in.size))
		look(symbols, address);
	MUST(!memcmp(image, in.data, in.size));
	usdt_semaphore(fd, address, &semaphore);
	free(image);
	close(fd);
	return 0;
}

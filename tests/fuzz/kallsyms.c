/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzzes /proc/kallsyms, whose names of modules and symbols any loaded module can choose. */
#include "tests/fuzz/fuzz.h"

#include "core/bpfd/symbols/ksym.h"

#include <errno.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint64_t addresses[] = {
		0, 1, 0xffffffff81000000, 0xffffffff81000042, 0xffffffffc0000010, UINT64_MAX};
	struct ksym_name found;
	struct ksym *ksym;
	uint64_t address;
	char name[1024];

	tree_put("proc/kallsyms", data, size);
	MUST(!ksym_new(&ksym, tree_paths()->proc));
	for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
		if (ksym_find_address(ksym, addresses[i], &found))
			continue;
		MUST(strlen(found.name) < sizeof(name) && found.module[0]);
		MUST(found.offset <= addresses[i]);
		strcpy(name, found.name);
		MUST(!ksym_find_name(ksym, name, &address));
	}
	MUST(ksym_find_name(ksym, "", &address));
	ksym_free(ksym);
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Releases memory that only start-up needs. */
#include "core/base/resident.h"

#include <link.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

/* Releases the pages of code and constants, which come from a file. Writable segments stay: their
 * pages may differ from the file. */
static int trim_object(struct dl_phdr_info *info, size_t size, void *arg)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);

	for (unsigned int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
		uintptr_t start = info->dlpi_addr + segment->p_vaddr;
		uintptr_t end = start + segment->p_filesz;

		if (segment->p_type != PT_LOAD || segment->p_flags & PF_W)
			continue;
		start &= ~(page - 1);
		end &= ~(page - 1); /* the last page may hold the start of another segment */
		if (start < end)
			madvise((void *)start, end - start, MADV_DONTNEED);
	}
	return 0;
}

void resident_trim(void)
{
	dl_iterate_phdr(trim_object, NULL);
}

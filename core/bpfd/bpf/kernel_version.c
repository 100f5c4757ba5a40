/* SPDX-License-Identifier: Apache-2.0 */
/* Finds the version code that the kernel was built with. */
#include "core/bpfd/bpf/kernel_version.h"

#include <elf.h>
#include <link.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/utsname.h>

#define NOTE_NAME    "Linux"
#define NOTE_VERSION 0 /* type of the vDSO's note that has the version code */
#define NOTE_ALIGN   4

static size_t padded(size_t size)
{
	return (size + NOTE_ALIGN - 1) / NOTE_ALIGN * NOTE_ALIGN;
}

static uint32_t find_note(const char *at, size_t size)
{
	const ElfW(Nhdr) * note;
	uint32_t code;

	while (size >= sizeof(*note)) {
		size_t name, all;

		note = (const void *)at;
		name = sizeof(*note) + padded(note->n_namesz);
		all = name + padded(note->n_descsz);
		if (all > size)
			break;
		if (note->n_type == NOTE_VERSION && note->n_descsz == sizeof(code) &&
			note->n_namesz == sizeof(NOTE_NAME) &&
			!memcmp(at + sizeof(*note), NOTE_NAME, sizeof(NOTE_NAME))) {
			memcpy(&code, at + name, sizeof(code));
			return code;
		}
		at += all;
		size -= all;
	}
	return 0;
}

/* Reads the vDSO, an ELF file in this process's memory. Only some architectures have the note. */
static uint32_t vdso_version(void)
{
	const char *vdso = (const char *)getauxval(AT_SYSINFO_EHDR);
	const ElfW(Ehdr) *header = (const void *)vdso;
	const ElfW(Phdr) * segment;
	uint32_t code = 0;

	if (!vdso)
		return 0;
	segment = (const void *)(vdso + header->e_phoff);
	for (int i = 0; i < header->e_phnum && !code; i++)
		if (segment[i].p_type == PT_NOTE)
			code = find_note(vdso + segment[i].p_offset, segment[i].p_filesz);
	return code;
}

/* Distributions choose the release: Debian's 4.19.316 has 4.19.0-27-amd64. Its version string has
 * the real number. The code has one byte for the last number. */
uint32_t kernel_version_of_names(const char *release, const char *version)
{
	const char *debian = strstr(version, "Debian ");
	unsigned int major, minor, patch = 0;

	if (debian && sscanf(debian, "Debian %u.%u.%u", &major, &minor, &patch) == 3)
		release = debian + strlen("Debian ");
	if (sscanf(release, "%u.%u.%u", &major, &minor, &patch) < 2)
		return 0;
	return (major & 0xff) << 16 | (minor & 0xff) << 8 | (patch > 0xff ? 0xff : patch);
}

uint32_t kernel_version(void)
{
	uint32_t code = vdso_version();
	struct utsname uts;

	if (!code && uname(&uts) == 0)
		code = kernel_version_of_names(uts.release, uts.version);
	return code;
}

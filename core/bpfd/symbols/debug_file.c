/* SPDX-License-Identifier: Apache-2.0 */
/* Separate files of symbols: by build id, or by .gnu_debuglink. */
#include "core/bpfd/symbols/debug_file.h"

#include "core/base/log.h"
#include "core/base/paths.h"
#include "core/base/shortage.h"
#include "core/bpfd/files/tree.h"

#include <errno.h>
#include <gelf.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#define DEBUG_ROOT "/usr/lib/debug"

/* The checksum of .gnu_debuglink covers the whole file, so larger files are not used. */
#define CRC_BYTES_MAX (256U << 20)

#define SECTION_MAX 65536 /* bytes of the two sections, which have tens */

static void read_build_id(struct elf_debug *debug, Elf_Data *data)
{
	size_t at = 0, name, text;
	GElf_Nhdr note;

	while ((at = gelf_getnote(data, at, &note, &name, &text)) > 0) {
		if (note.n_type != NT_GNU_BUILD_ID || note.n_namesz != sizeof(ELF_NOTE_GNU) ||
			memcmp((char *)data->d_buf + name, ELF_NOTE_GNU, sizeof(ELF_NOTE_GNU)) ||
			!note.n_descsz || note.n_descsz > ELF_BUILD_ID_MAX)
			continue;
		memcpy(debug->build_id, (char *)data->d_buf + text, note.n_descsz);
		debug->build_id_size = note.n_descsz;
		return;
	}
}

/* The name, NULs up to a multiple of 4, and the checksum in the byte order of the file. */
static void read_link(struct elf_debug *debug, const Elf_Data *data, bool is_big_endian)
{
	const unsigned char *bytes = data->d_buf;
	size_t length = strnlen(data->d_buf, data->d_size), crc = (length + 4) / 4 * 4;

	if (!length || length >= sizeof(debug->link) || crc + 4 > data->d_size ||
		memchr(bytes, '/', length))
		return;
	memcpy(debug->link, bytes, length);
	debug->link[length] = '\0';
	for (unsigned int i = 0; i < 4; i++)
		debug->crc |= (uint32_t)bytes[crc + i] << 8 * (is_big_endian ? 3 - i : i);
}

void elf_debug_read(struct elf_debug *debug, Elf *elf)
{
	Elf_Scn *section = NULL;
	GElf_Ehdr header;
	GElf_Shdr shdr;
	size_t names;

	memset(debug, 0, sizeof(*debug));
	if (!gelf_getehdr(elf, &header) || elf_getshdrstrndx(elf, &names))
		return;
	while ((section = elf_nextscn(elf, section))) {
		const char *name;
		Elf_Data *data;

		if (!gelf_getshdr(section, &shdr) || shdr.sh_size > SECTION_MAX ||
			(shdr.sh_type != SHT_NOTE && shdr.sh_type != SHT_PROGBITS))
			continue;
		name = elf_strptr(elf, names, shdr.sh_name);
		if (!name || (strcmp(name, ".note.gnu.build-id") && strcmp(name, ".gnu_debuglink")))
			continue;
		data = elf_getdata(section, NULL);
		if (!data || !data->d_buf)
			continue;
		if (shdr.sh_type == SHT_NOTE && !debug->build_id_size)
			read_build_id(debug, data);
		else if (shdr.sh_type == SHT_PROGBITS && !debug->link[0])
			read_link(debug, data, header.e_ident[EI_DATA] == ELFDATA2MSB);
	}
}

/* CRC-32 of a whole file. Returns 0 or a negative errno. */
static int file_crc(int fd, uint32_t *crc)
{
	unsigned char buffer[4096];
	uLong sum = crc32(0, NULL, 0);
	uint64_t total = 0;
	ssize_t n;

	while ((n = pread(fd, buffer, sizeof(buffer), (off_t)total)) > 0) {
		sum = crc32(sum, buffer, (uInt)n);
		total += (uint64_t)n;
		if (total > CRC_BYTES_MAX)
			return -EFBIG;
	}
	*crc = (uint32_t)sum;
	return n < 0 ? -errno : 0;
}

/* Opens a file in the root of the process. */
static int open_file(const char *proc, pid_t pid, const char *path)
{
	const struct paths paths = {.proc = proc};
	char whole[PATH_MAX];
	int err = path_format(whole, "/proc/%d/root%s", (int)pid, path);

	return err ? err : tree_open_read(&paths, whole);
}

/* Returns true for errors that say nothing about the file. */
static bool is_temporary(int err)
{
	return is_shortage(err) || err == -EINTR || err == -EIO;
}

/* Returns 1 if the symbols of that file were added, 0 if it does not fit, or a negative errno if it
 * cannot be read now. */
static int add_file(
	struct elf_symbols *symbols, const char *proc, pid_t pid, const char *path, bool by_link)
{
	const struct elf_debug *debug = elf_symbols_debug(symbols);
	int fd = open_file(proc, pid, path), err = 0;
	uint32_t crc;

	if (fd < 0)
		return is_temporary(fd) ? fd : 0;
	if (by_link) {
		err = file_crc(fd, &crc);
		if (!err && crc != debug->crc)
			err = -ENOENT;
	}
	if (!err)
		err = elf_symbols_add(symbols, fd);
	close(fd);
	if (err)
		log_debug("%s: not used for symbols: %s", path, strerror(-err));
	return !err ? 1 : is_temporary(err) ? err : 0;
}

static int add_by_build_id(struct elf_symbols *symbols, const char *proc, pid_t pid)
{
	const struct elf_debug *debug = elf_symbols_debug(symbols);
	char path[sizeof(DEBUG_ROOT "/.build-id//.debug") + 2 * ELF_BUILD_ID_MAX];
	size_t len;

	if (debug->build_id_size < 2)
		return 0;
	len = (size_t)sprintf(path, DEBUG_ROOT "/.build-id/%02x/", debug->build_id[0]);
	for (size_t i = 1; i < debug->build_id_size; i++)
		len += (size_t)sprintf(path + len, "%02x", debug->build_id[i]);
	strcpy(path + len, ".debug");
	return add_file(symbols, proc, pid, path, false);
}

int debug_file_add(struct elf_symbols *symbols, const char *proc, pid_t pid, const char *path)
{
	/* The directory of the mapped file, between these. */
	static const char *const places[][2] = {{"", "/"}, {"", "/.debug/"}, {DEBUG_ROOT, "/"}};
	const struct elf_debug *debug = elf_symbols_debug(symbols);
	const char *slash = strrchr(path, '/');
	char candidate[PATH_MAX], link[sizeof(debug->link)];
	int added;

	if (!debug)
		return 0;
	added = add_by_build_id(symbols, proc, pid);
	if (added || !debug->link[0] || !slash)
		return added < 0 ? added : 0;
	strcpy(link, debug->link);
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]) && !added; i++)
		if (!path_format(candidate, "%s%.*s%s%s", places[i][0], (int)(slash - path), path,
			    places[i][1], link))
			added = add_file(symbols, proc, pid, candidate, true);
	return added < 0 ? added : 0;
}

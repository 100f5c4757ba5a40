/* SPDX-License-Identifier: Apache-2.0 */
/* The symbols of user processes: caches the maps of processes and the symbols of files. */
#include "core/bpfd/symbols/usym.h"

#include "core/base/clock.h"
#include "core/base/paths.h"
#include "core/base/printable.h"
#include "core/bpfd/files/file.h"
#include "core/bpfd/files/tree.h"
#include "core/bpfd/symbols/debug_file.h"
#include "core/bpfd/symbols/demangle.h"
#include "core/bpfd/symbols/elf_symbols.h"
#include "core/bpfd/symbols/hash.h"
#include "core/bpfd/symbols/jit_map.h"
#include "core/bpfd/symbols/proc_maps.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A process can map and unmap files, or end and leave its PID to another, without our notice. Its
 * start time and maps are read again after this time. A result may be outdated by as much. */
#define MAPS_CHECK_MS 100

/* Sizes of the caches. Each drops the entry that was unused for longest. */
#define PROCESSES_MAX  32
#define FILES_MAX      128
#define FILE_BYTES_MAX (32U << 20)

#define USYM_NAME_SIZE 4096
#define VDSO_SIZE_MAX  (1U << 20)

struct process {
	pid_t pid; /* 0: this slot is free */
	uint64_t start;
	uint64_t checked_ms, used;
	struct proc_maps maps;
	struct jit_map jit;
};

/* Identifies a file, also after its inode was reused. */
struct file_identity {
	uint64_t device, inode, size;
	int64_t changed_s, changed_ns;
};

/* The symbols of a file, or why there are none. */
struct mapped_file {
	uint32_t number; /* never used twice; 0: this slot is free */
	uint64_t used;
	struct file_identity identity;
	struct elf_symbols *symbols;
	int error;
};

struct usym {
	const char *proc;
	uint64_t clock; /* counts lookups, for the `used` fields */
	uint32_t last_number;
	size_t file_bytes;
	struct process processes[PROCESSES_MAX];
	struct mapped_file files[FILES_MAX];
	char name[USYM_NAME_SIZE];
};

int usym_new(struct usym **usym, const char *proc)
{
	struct usym *new = calloc(1, sizeof(*new));

	if (!new)
		return -ENOMEM;
	new->proc = proc;
	*usym = new;
	return 0;
}

static void mapped_file_drop(struct usym *usym, struct mapped_file *file)
{
	if (file->symbols)
		usym->file_bytes -= elf_symbols_size(file->symbols);
	elf_symbols_free(file->symbols);
	memset(file, 0, sizeof(*file));
}

static void process_drop(struct process *process)
{
	proc_maps_clear(&process->maps);
	jit_map_clear(&process->jit);
	memset(process, 0, sizeof(*process));
}

void usym_free(struct usym *usym)
{
	if (!usym)
		return;
	for (size_t i = 0; i < PROCESSES_MAX; i++)
		process_drop(&usym->processes[i]);
	for (size_t i = 0; i < FILES_MAX; i++)
		mapped_file_drop(usym, &usym->files[i]);
	free(usym);
}

static struct process *process_slot(struct usym *usym, pid_t pid)
{
	struct process *oldest = &usym->processes[0];

	for (size_t i = 0; i < PROCESSES_MAX; i++) {
		struct process *process = &usym->processes[i];

		if (process->pid == pid)
			return process;
		if (process->used < oldest->used)
			oldest = process;
	}
	process_drop(oldest);
	return oldest;
}

/* Reads the maps of a process. If nothing has changed the old ones stay: they know their files. */
static int process_read(struct usym *usym, struct process *process, pid_t pid)
{
	struct proc_maps maps = {.count = 0};
	uint64_t start;
	int err;

	err = file_start_time(usym->proc, pid, &start);
	if (!err)
		err = proc_maps_read(&maps, usym->proc, pid);
	if (err)
		return err;
	if (process->pid && process->start == start && process->maps.hash == maps.hash) {
		proc_maps_clear(&maps);
		return 0;
	}
	proc_maps_clear(&process->maps);
	if (process->start != start)
		jit_map_clear(&process->jit);
	process->maps = maps;
	process->start = start;
	process->pid = pid;
	return 0;
}

static int process_get(struct usym *usym, pid_t pid, struct process **found)
{
	struct process *process;
	uint64_t now_ms;
	int err;

	if (pid <= 0)
		return -ENOENT;
	now_ms = clock_ns(CLOCK_MONOTONIC_COARSE) / 1000000;
	process = process_slot(usym, pid);
	process->used = ++usym->clock;
	*found = process;
	if (process->pid && now_ms - process->checked_ms < MAPS_CHECK_MS)
		return 0;
	err = process_read(usym, process, pid);
	if (err) {
		process_drop(process);
		return err;
	}
	process->checked_ms = now_ms;
	return 0;
}

/* Opens a regular file for reading, nothing else: opening a device can change its state, and
 * opening a FIFO blocks. */
static int open_regular(const char *path, struct stat *status)
{
	int fd;

	if (stat(path, status))
		return -errno;
	if (!S_ISREG(status->st_mode))
		return -ENOEXEC;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return -errno;
	if (fstat(fd, status) || !S_ISREG(status->st_mode)) {
		close(fd);
		return -ENOEXEC;
	}
	return fd;
}

/* Opens a file by its path below the process's root. Symbolic links cannot lead out of it. */
static int open_below_root(
	const struct usym *usym, pid_t pid, const char *seen, struct stat *status)
{
	const struct paths paths = {.proc = usym->proc};
	char path[PATH_MAX];
	int err = path_format(path, "/proc/%d/root%s", (int)pid, seen), place, fd;

	if (err)
		return err;
	place = tree_open(&paths, path, TREE_STAT, true);
	if (place < 0)
		return place;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", place);
	fd = open_regular(path, status);
	close(place);
	return fd;
}

/* Opens the mapped file: by the kernel's link in map_files, which works for deleted files and in
 * containers, or by its path if that fails, as without CAP_SYS_ADMIN. */
static int open_range(const struct usym *usym, const struct process *process,
	const struct proc_range *range, struct stat *status)
{
	char path[PATH_MAX];
	int fd = path_format(path, "%s/%d/map_files/%" PRIx64 "-%" PRIx64, usym->proc,
		(int)process->pid, range->start, range->end);

	if (!fd)
		fd = open_regular(path, status);
	if (fd >= 0 || fd == -ENOEXEC)
		return fd;
	if (range->deleted)
		return -ENOENT;
	return open_below_root(usym, process->pid, proc_maps_path(&process->maps, range), status);
}

static struct mapped_file *mapped_file_find(struct usym *usym, const struct file_identity *identity)
{
	for (size_t i = 0; i < FILES_MAX; i++) {
		struct mapped_file *file = &usym->files[i];

		if (file->number && !memcmp(&file->identity, identity, sizeof(*identity)))
			return file;
	}
	return NULL;
}

static struct mapped_file *mapped_file_oldest(struct usym *usym, const struct mapped_file *but)
{
	struct mapped_file *oldest = NULL;

	for (size_t i = 0; i < FILES_MAX; i++) {
		struct mapped_file *file = &usym->files[i];

		if (file != but && (!oldest || file->used < oldest->used))
			oldest = file;
	}
	return oldest;
}

/* True if a later attempt would fail in the same way, so that the error belongs to the file. */
static bool is_of_file(int err)
{
	return err == -ENOEXEC || err == -E2BIG;
}

/* Adds symbols, which the cache then owns, or an error, and drops old entries to make room. */
static struct mapped_file *mapped_file_add(struct usym *usym, const struct file_identity *identity,
	struct elf_symbols *symbols, int error)
{
	struct mapped_file *file = mapped_file_oldest(usym, NULL);

	mapped_file_drop(usym, file);
	if (!++usym->last_number)
		usym->last_number++;
	file->number = usym->last_number;
	file->identity = *identity;
	file->symbols = symbols;
	file->error = error;
	if (symbols)
		usym->file_bytes += elf_symbols_size(symbols);
	while (usym->file_bytes > FILE_BYTES_MAX) {
		struct mapped_file *oldest = mapped_file_oldest(usym, file);

		if (!oldest->number)
			break;
		mapped_file_drop(usym, oldest);
	}
	return file;
}

static int load_file(struct usym *usym, const struct process *process,
	const struct proc_range *range, struct mapped_file **found)
{
	struct file_identity identity = {.device = 0};
	struct elf_symbols *symbols = NULL;
	struct stat status;
	int err = 0, fd;

	fd = open_range(usym, process, range, &status);
	if (fd < 0)
		return fd;
	identity.device = status.st_dev;
	identity.inode = status.st_ino;
	identity.size = (uint64_t)status.st_size;
	identity.changed_s = status.st_ctim.tv_sec;
	identity.changed_ns = status.st_ctim.tv_nsec;
	*found = mapped_file_find(usym, &identity);
	if (!*found) {
		err = elf_symbols_read(&symbols, fd);
		if (!err)
			err = debug_file_add(symbols, usym->proc, process->pid,
				proc_maps_path(&process->maps, range));
		if (err) {
			elf_symbols_free(symbols);
			symbols = NULL;
		}
		if (!err || is_of_file(err))
			*found = mapped_file_add(usym, &identity, symbols, err);
	}
	close(fd);
	return *found ? 0 : err;
}

/* Reads the vDSO, an ELF file in the memory of the process. Its content identifies it. */
static int load_vdso(struct usym *usym, const struct process *process,
	const struct proc_range *range, struct mapped_file **found)
{
	struct file_identity identity = {.device = UINT64_MAX, .size = range->end - range->start};
	struct elf_symbols *symbols = NULL;
	unsigned char *image;
	char path[PATH_MAX];
	int err, fd;

	err = path_format(path, "%s/%d/mem", usym->proc, (int)process->pid);
	if (err)
		return err;
	if (identity.size > VDSO_SIZE_MAX)
		return -E2BIG;
	image = malloc(identity.size);
	if (!image)
		return -ENOMEM;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		err = -errno;
		goto err_free;
	}
	if (pread(fd, image, identity.size, (off_t)range->start) != (ssize_t)identity.size) {
		err = -EIO;
		goto err_close;
	}
	identity.inode = HASH_EMPTY;
	for (size_t i = 0; i < identity.size; i++)
		identity.inode = hash_add(identity.inode, image[i]);
	*found = mapped_file_find(usym, &identity);
	if (!*found) {
		err = elf_symbols_read_image(&symbols, image, identity.size);
		if (!err || is_of_file(err))
			*found = mapped_file_add(usym, &identity, symbols, err);
	}
	if (*found)
		err = 0;
err_close:
	close(fd);
err_free:
	free(image);
	return err;
}

/* The symbols of the file that a range maps. The range remembers the slot and the number of its
 * file; the numbers differ if the file was dropped. */
static int range_symbols(struct usym *usym, struct process *process, struct proc_range *range,
	const struct elf_symbols **symbols)
{
	struct mapped_file *file = &usym->files[range->slot];
	int err;

	if (!range->number || file->number != range->number) {
		if (proc_maps_path(&process->maps, range)[0] == '[')
			err = load_vdso(usym, process, range, &file);
		else
			err = load_file(usym, process, range, &file);
		if (err)
			return err;
		range->slot = (uint8_t)(file - usym->files);
		range->number = file->number;
	}
	file->used = ++usym->clock;
	*symbols = file->symbols;
	return file->error;
}

_Static_assert(FILES_MAX <= UINT8_MAX + 1, "the index of a file fits into proc_range.slot");

/* The executable range that belongs to a range of data. It is the nearest one of the same file
 * below, because a file can be mapped more than once, or else above, because some linkers put
 * constants before the code. */
static struct proc_range *executable_range(struct process *process, struct proc_range *range)
{
	struct proc_range *first = process->maps.ranges, *end = first + process->maps.count;

	for (struct proc_range *at = range; at >= first; at--) {
		if (at->executable && at->inode == range->inode && at->device == range->device)
			return at;
	}
	for (struct proc_range *at = range; at < end; at++) {
		if (at->executable && at->inode == range->inode && at->device == range->device)
			return at;
	}
	return NULL;
}

/* The symbols of a range's file, and the difference between addresses in the process and in the
 * file. */
static int range_bias(struct usym *usym, struct process *process, struct proc_range *range,
	const struct elf_symbols **symbols, uint64_t *bias)
{
	struct proc_range *at = executable_range(process, range);
	int err;

	if (!at)
		return -ENOENT;
	err = range_symbols(usym, process, at, symbols);
	return err ? err : elf_symbols_bias(*symbols, at->start, at->offset, bias);
}

/* The names in a hostile file must not add fields or lines to a reply. */
static void make_printable(char *text)
{
	printable_text(text, strlen(text));
	for (; *text; text++)
		if (*text == ';')
			*text = '?';
}

/* Copies a name without its version to usym->name. */
static int copy_name(struct usym *usym, const char *name, bool want_demangled)
{
	char *plain = strndup(name, elf_symbols_name_length(name));

	if (!plain)
		return -ENOMEM;
	if (!want_demangled || !demangle(plain, usym->name, sizeof(usym->name)))
		snprintf(usym->name, sizeof(usym->name), "%s", plain);
	free(plain);
	make_printable(usym->name);
	return 0;
}

static int find_in_file(struct usym *usym, struct process *process, uint64_t address,
	bool want_demangled, struct usym_name *found)
{
	struct proc_range *range = proc_maps_find(&process->maps, address);
	const struct elf_symbols *symbols;
	const char *name;
	uint64_t bias;
	int err;

	if (!range)
		return -ENOENT;
	err = range_bias(usym, process, range, &symbols, &bias);
	if (err)
		return err;
	name = elf_symbols_find_address(symbols, address - bias, &found->offset);
	if (!name)
		return -ENOENT;
	err = copy_name(usym, name, want_demangled);
	if (err)
		return err;
	found->name = usym->name;
	found->module = proc_maps_path(&process->maps, range);
	return 0;
}

/* Code of JIT compilers is in memory without a file, or in a file that was deleted. */
static int find_in_jit(
	struct usym *usym, struct process *process, uint64_t address, struct usym_name *found)
{
	const char *name;
	int err = jit_map_refresh(&process->jit, usym->proc, process->pid);

	name = err ? NULL : jit_map_find_address(&process->jit, address, &found->offset);
	if (!name)
		return -ENOENT;
	snprintf(usym->name, sizeof(usym->name), "%s", name);
	make_printable(usym->name);
	found->name = usym->name;
	found->module = process->jit.path;
	return 0;
}

int usym_find_address(struct usym *usym, pid_t pid, uint64_t address, bool want_demangled,
	struct usym_name *found)
{
	struct process *process;
	int err;

	err = process_get(usym, pid, &process);
	if (err)
		return err;
	err = find_in_file(usym, process, address, want_demangled, found);
	return err && !find_in_jit(usym, process, address, found) ? 0 : err;
}

static bool is_module(const char *path, const char *module)
{
	const char *slash = strrchr(path, '/');

	return !strcmp(path, module) || (slash && !strcmp(slash + 1, module));
}

int usym_find_name(
	struct usym *usym, pid_t pid, const char *name, const char *module, uint64_t *address)
{
	const struct elf_symbols *symbols;
	struct process *process;
	uint64_t bias;
	int err, result = -ENOENT;

	err = process_get(usym, pid, &process);
	if (err)
		return err;
	for (size_t i = 0; i < process->maps.count; i++) {
		struct proc_range *range = &process->maps.ranges[i];

		if (!range->executable || !is_module(proc_maps_path(&process->maps, range), module))
			continue;
		err = range_bias(usym, process, range, &symbols, &bias);
		if (!err)
			err = elf_symbols_find_name(symbols, name, address);
		if (!err) {
			*address += bias;
			return 0;
		}
		if (err != -ENOENT)
			result = err;
	}
	if (result == -ENOENT && !jit_map_refresh(&process->jit, usym->proc, pid) &&
		is_module(process->jit.path, module))
		return jit_map_find_name(&process->jit, name, address);
	return result;
}

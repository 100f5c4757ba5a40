/* SPDX-License-Identifier: Apache-2.0 */
/* The fake files of the fuzzers, and the C library's functions that open files.
 *
 * The files are in /dev/shm if that is writable. Those functions open no others. */
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/seams.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static char root[64], proc[80], sys[80], tracefs[96];
static const struct paths paths = {proc, sys, tracefs, NULL};

static const struct {
	const char *name, *text;
} files[] = {
	{"proc/kallsyms", "0000000000000000 A fixed\nffffffff81000000 T _text\n"
			  "ffffffffc0000000 t helper\t[module]\n"},
	{"proc/modules", "module 16384 0 - Live 0xffffffffc0000000\n"},
	{"proc/self/stat", "42 (self) S 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 777 0 0\n"},
	{"proc/42/stat", "42 (a ) b) S 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 777 0 0\n"},
	{"proc/42/comm", "program\n"},
	{"proc/42/maps", "400000-401000 r-xp 00000000 08:01 7 /bin/program\n"},
	{"proc/42/root/bin/program", "no program yet"},
	{"proc/42/root/tmp/perf-42.map", "1000 10 compiled\n"},
	{"proc/42/task/42/comm", "program\n"},
	{"proc/42/ns/net", ""},
	{"sys/devices/system/cpu/online", "0-3\n"},
	{"sys/bus/event_source/devices/uprobe/type", "7\n"},
	{"sys/bus/event_source/devices/uprobe/format/retprobe", "config:0\n"},
	{"sys/kernel/btf/vmlinux", "types"},
	{"sys/kernel/debug/kprobes/blacklist", "0x0-0x1\tfunction\n"},
	{"sys/kernel/tracing/events/sched/sched_switch/id", "314\n"},
	{"sys/kernel/tracing/trace_pipe", "a line\n"},
	{"sys/kernel/tracing/kprobe_events", ""},
	{"sys/kernel/tracing/uprobe_events", ""},
};

/* Links of a hostile process: out of its root, and to files that do not exist. */
static const struct {
	const char *name, *target;
} links[] = {
	{"proc/42/exe", "/bin/program"},
	{"proc/42/root/bin/link", "/bin/program"},
	{"proc/42/root/lib", "../../.."},
	{"proc/42/root/tmp/perf-43.map", "/etc/passwd"},
};

/* The process belongs to the user who made the files above. */
static void put_status(void)
{
	char status[64];

	snprintf(status, sizeof(status), "Name:\tprogram\nUid:\t0\t%u\t0\t0\n",
		(unsigned int)geteuid());
	tree_put("proc/42/status", status, strlen(status));
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *where)
{
	return remove(path);
}

static void remove_tree(void)
{
	nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void make_directories(const char *path)
{
	char part[PATH_MAX];

	for (const char *at = path + strlen(root) + 1; (at = strchr(at, '/')); at++) {
		snprintf(part, sizeof(part), "%.*s", (int)(at - path), path);
		MUST(!mkdir(part, 0700) || errno == EEXIST);
	}
}

void tree_put(const char *name, const void *data, size_t size)
{
	char path[PATH_MAX];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", tree_root(), name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0) {
		make_directories(path);
		fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	}
	MUST(fd >= 0 && write(fd, data, size) == (ssize_t)size);
	close(fd);
}

static void make_link(const char *name, const char *target)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", root, name);
	MUST(!symlink(target, path));
}

const char *tree_root(void)
{
	const char *parent = access("/dev/shm", W_OK) ? getenv("TMPDIR") : "/dev/shm";

	if (root[0])
		return root;
	if (snprintf(root, sizeof(root), "%s/bpfd-fuzz.XXXXXX", parent ? parent : "/tmp") >=
			(int)sizeof(root) ||
		!mkdtemp(root)) {
		perror(root);
		exit(1);
	}
	atexit(remove_tree);
	snprintf(proc, sizeof(proc), "%s/proc", root);
	snprintf(sys, sizeof(sys), "%s/sys", root);
	snprintf(tracefs, sizeof(tracefs), "%s/kernel/tracing", sys);
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		tree_put(files[i].name, files[i].text, strlen(files[i].text));
	put_status();
	tree_put("secret", TREE_SECRET, sizeof(TREE_SECRET) - 1);
	for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++)
		make_link(links[i].name, links[i].target);
	return root;
}

const struct paths *tree_paths(void)
{
	tree_root();
	return &paths;
}

bool tree_holds(const char *path)
{
	size_t len = strlen(root);
	char own[64];

	snprintf(own, sizeof(own), "/proc/%d/fd/", (int)getpid());
	if (!strncmp(path, "/proc/self/fd/", 14) || !strncmp(path, own, strlen(own)))
		return true;
	return len && !strncmp(path, root, len) && (path[len] == '/' || !path[len]) &&
	       !strstr(path, "/..");
}

static bool refuse(const char *path)
{
	if (tree_holds(path))
		return false;
	errno = ENOENT;
	return true;
}

int fuzz_open(const char *path, int flags, ...)
{
	MUST(!(flags & O_CREAT));
	return refuse(path) ? -1 : open(path, flags);
}

FILE *fuzz_fopen(const char *path, const char *mode)
{
	return refuse(path) ? NULL : fopen(path, mode);
}

int fuzz_stat(const char *path, struct stat *st)
{
	return refuse(path) ? -1 : stat(path, st);
}

int fuzz_statfs(const char *path, struct statfs *fs)
{
	return refuse(path) ? -1 : statfs(path, fs);
}

int fuzz_access(const char *path, int mode)
{
	return refuse(path) ? -1 : access(path, mode);
}

/* In the fake /proc/self/fd the kind of an object depends on its number. */
ssize_t fuzz_readlink(const char *path, char *target, size_t size)
{
	static const char *const kinds[] = {"anon_inode:bpf-map", "anon_inode:bpf-prog",
		"anon_inode:btf", "anon_inode:bpf_link"};
	const char *name = path + strlen(proc);
	size_t len;

	if (strncmp(path, proc, strlen(proc)) != 0 || strncmp(name, "/self/fd/", 9) != 0)
		return refuse(path) ? -1 : readlink(path, target, size);
	name = kinds[(unsigned int)atoi(name + 9) % 4];
	len = strlen(name) < size ? strlen(name) : size;
	memcpy(target, name, len);
	return (ssize_t)len;
}

char *fuzz_realpath(const char *path, char *real)
{
	return refuse(path) ? NULL : realpath(path, real);
}

DIR *fuzz_opendir(const char *path)
{
	return refuse(path) ? NULL : opendir(path);
}

int fuzz_scandir(
	const char *path, struct dirent ***entries, scandir_filter *filter, scandir_order *order)
{
	return refuse(path) ? -1 : scandir(path, entries, filter, order);
}

int memory_file(const void *data, size_t size)
{
	int fd = memfd_create("fuzz", MFD_CLOEXEC);

	MUST(fd >= 0 && write(fd, data, size) == (ssize_t)size && !lseek(fd, 0, SEEK_SET));
	return fd;
}

uint8_t *exact_copy(const void *data, size_t size)
{
	uint8_t *copy = malloc(size);

	MUST(copy || !size);
	if (size)
		memcpy(copy, data, size);
	return copy;
}

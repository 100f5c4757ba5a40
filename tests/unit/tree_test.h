/* SPDX-License-Identifier: Apache-2.0 */
/* A fake file tree, and what a client reads in it. Include after cmocka.h. */
#ifndef TESTS_UNIT_TREE_TEST_H
#define TESTS_UNIT_TREE_TEST_H

#include "core/base/paths.h"
#include "core/bpfd/files/tree.h"
#include "tests/unit/fake_tree.h"

#include <elf.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct fake {
	char dir[64], proc[96], sysfs[96], tracefs[96];
	struct paths paths;
};

static inline void make_link(const struct fake *fake, const char *target, const char *name)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/%s", fake->dir, name);
	assert_int_equal(symlink(target, path), 0);
}

/* Makes a tree with the given directories. teardown() removes it. */
static inline struct fake *fake_new(const char *const *dirs, size_t count)
{
	struct fake *fake = calloc(1, sizeof(*fake));

	strcpy(fake->dir, "/tmp/test_tree.XXXXXX");
	assert_non_null(mkdtemp(fake->dir));
	for (size_t i = 0; i < count; i++)
		put_directory(fake->dir, dirs[i]);
	snprintf(fake->proc, sizeof(fake->proc), "%s/proc", fake->dir);
	snprintf(fake->sysfs, sizeof(fake->sysfs), "%s/sys", fake->dir);
	snprintf(fake->tracefs, sizeof(fake->tracefs), "%s/tracing", fake->dir);
	fake->paths = (struct paths){fake->proc, fake->sysfs, fake->tracefs, NULL};
	return fake;
}

static inline int setup(void **state)
{
	static const char *const dirs[] = {"proc", "proc/7", "proc/7/root", "proc/7/root/tmp",
		"sys", "sys/kernel", "sys/kernel/notes.d", "sys/kernel/debug", "sys/bus",
		"sys/bus/event_source", "sys/bus/event_source/devices", "sys/devices",
		"sys/devices/pmu", "sys/devices/other", "sys/fs", "sys/fs/bpf", "tracing",
		"tracing/events", "tracing/per_cpu", "tracing/per_cpu/cpu0", "else"};

	*state = fake_new(dirs, sizeof(dirs) / sizeof(dirs[0]));
	return 0;
}

static inline int teardown(void **state)
{
	struct fake *fake = *state;

	remove_tree(fake->dir);
	free(fake);
	return 0;
}

/* Checks that the file holds a text. */
static inline void expect_text(const struct fake *fake, const char *path, const char *text)
{
	char got[100] = "";
	int fd = tree_open_read(&fake->paths, path);

	if (fd < 0)
		fail_msg("%s: %s", path, strerror(-fd));
	assert_true(read(fd, got, sizeof(got) - 1) >= 0);
	assert_string_equal(got, text);
	close(fd);
}

static inline void expect_error(const struct fake *fake, const char *path, int wanted)
{
	int fd = tree_open_read(&fake->paths, path);

	if (fd != wanted)
		fail_msg("%s: %d, not %d", path, fd, wanted);
}

static inline void put_elf(const struct fake *fake, const char *name, uint16_t type)
{
	unsigned char elf[64] = {0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, 1};
	char path[512];
	FILE *file;

	elf[EI_NIDENT] = (unsigned char)type;
	snprintf(path, sizeof(path), "%s/%s", fake->dir, name);
	file = fopen(path, "w");
	assert_non_null(file);
	assert_int_equal(fwrite(elf, 1, sizeof(elf), file), sizeof(elf));
	assert_int_equal(fclose(file), 0);
}

#endif

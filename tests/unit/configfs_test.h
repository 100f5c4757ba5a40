/* SPDX-License-Identifier: Apache-2.0 */
/* A fake board for the tests of configfs/, with its file trees in a temporary directory. */
#ifndef TESTS_UNIT_CONFIGFS_TEST_H
#define TESTS_UNIT_CONFIGFS_TEST_H

#include "configfs/attr.h"
#include "configfs/gadget.h"
#include "core/base/paths.h"

#include <ftw.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cmocka.h>

struct board {
	char root[64];
	char configfs[96], ffs_dir[96], sysfs[96], proc[96], modules[96], boot[96], machine_id[96];
	struct gadget_options options;
};

static inline const char *board_path(const struct board *b, const char *name)
{
	static char path[PATH_MAX];

	assert_int_equal(path_format(path, "%s/%s", b->root, name), 0);
	return path;
}

/* Makes the directory and its parents. */
static inline void board_mkdir(const struct board *b, const char *name)
{
	char path[PATH_MAX];

	assert_int_equal(path_format(path, "%s", board_path(b, name)), 0);
	for (char *p = path + strlen(b->root) + 1; (p = strchr(p, '/')); p++) {
		*p = '\0';
		mkdir(path, 0755);
		*p = '/';
	}
	mkdir(path, 0755);
}

static inline void board_write(
	const struct board *b, const char *name, const void *data, size_t size)
{
	char dir[PATH_MAX];
	FILE *file;

	assert_int_equal(path_format(dir, "%s", name), 0);
	*strrchr(dir, '/') = '\0';
	board_mkdir(b, dir);
	file = fopen(board_path(b, name), "w");
	assert_non_null(file);
	assert_int_equal(fwrite(data, 1, size, file), size);
	assert_int_equal(fclose(file), 0);
}

static inline void board_put(const struct board *b, const char *name, const char *text)
{
	board_write(b, name, text, strlen(text));
}

static inline bool board_has(const struct board *b, const char *name)
{
	struct stat st;

	return lstat(board_path(b, name), &st) == 0;
}

/* Returns "modules/<release of the running kernel>/<name>". */
static inline const char *board_module_file(const char *name)
{
	static char path[512];
	struct utsname uts;

	uname(&uts);
	snprintf(path, sizeof(path), "modules/%s/%s", uts.release, name);
	return path;
}

static inline int board_remove_entry(
	const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

static inline void board_remove(const struct board *b, const char *name)
{
	nftw(board_path(b, name), board_remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

static inline int board_setup(void **state)
{
	struct board *b = calloc(1, sizeof(*b));

	strcpy(b->root, "/tmp/test_configfs.XXXXXX");
	assert_non_null(mkdtemp(b->root));
	snprintf(b->configfs, sizeof(b->configfs), "%s/configfs", b->root);
	snprintf(b->ffs_dir, sizeof(b->ffs_dir), "%s/run", b->root);
	snprintf(b->sysfs, sizeof(b->sysfs), "%s/sys", b->root);
	snprintf(b->proc, sizeof(b->proc), "%s/proc", b->root);
	snprintf(b->modules, sizeof(b->modules), "%s/modules", b->root);
	snprintf(b->boot, sizeof(b->boot), "%s/boot", b->root);
	snprintf(b->machine_id, sizeof(b->machine_id), "%s/etc/machine-id", b->root);
	gadget_options_init(&b->options);
	b->options.configfs = b->configfs;
	b->options.ffs_dir = b->ffs_dir;
	b->options.sysfs = b->sysfs;
	b->options.proc = b->proc;
	b->options.modules = b->modules;
	b->options.boot = b->boot;
	b->options.machine_id = b->machine_id;
	b->options.may_load = false;
	board_put(b, "proc/self/mounts", "");
	*state = b;
	return 0;
}

static inline int board_teardown(void **state)
{
	struct board *b = *state;

	nftw(b->root, board_remove_entry, 8, FTW_DEPTH | FTW_PHYS);
	free(b);
	return 0;
}

#define board_test(f) cmocka_unit_test_setup_teardown(f, board_setup, board_teardown)

#endif

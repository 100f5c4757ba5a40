/* SPDX-License-Identifier: Apache-2.0 */
/* Removes gadgets by walking over their directories.
 *
 * libusbgx can remove the gadgets that it has made. But it reads a whole gadget first, and fails if
 * the gadget is half-made. */
#include "configfs/gadget_tree.h"
#include "core/base/paths.h"

#include "configfs/attr.h"
#include "core/base/log.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What fails once, for want of memory for example, must not leave a gadget until the next start. */
#define REMOVE_TRIES 2

static int is_link(const struct dirent *entry)
{
	return entry->d_type == DT_LNK;
}

static int is_directory(const struct dirent *entry)
{
	return entry->d_type == DT_DIR && entry->d_name[0] != '.';
}

static int remove_link(const char *path)
{
	return unlink(path) < 0 ? -errno : 0;
}

static int remove_directory(const char *path)
{
	return rmdir(path) < 0 ? -errno : 0;
}

static int walk(
	const char *dir, int (*select)(const struct dirent *), gadget_tree_visit *visit, void *arg)
{
	struct dirent **entries;
	char path[PATH_MAX];
	int count = scandir(dir, &entries, select, alphasort), result = 0;

	if (count < 0)
		return errno == ENOENT ? 0 : -errno;
	for (int i = 0; i < count; i++) {
		if (result == 0)
			result = path_format(path, "%s/%s", dir, entries[i]->d_name);
		if (result == 0)
			result = visit(arg, path, entries[i]->d_name);
		free(entries[i]);
	}
	free(entries);
	return result;
}

struct removal {
	const char *lanes; /* only lanes of this name are removed; NULL: all entries */
	int (*remove_entry)(const char *path);
	int first_error;
};

static int remove_visited(void *arg, const char *path, const char *name)
{
	struct removal *removal = arg;
	int err;

	if (removal->lanes && !gadget_tree_is_lane(name, removal->lanes))
		return 0;
	err = removal->remove_entry(path);
	if (err == 0 || err == -ENOENT) /* another process has removed it */
		return 0;
	log_error("%s: cannot remove: %s", path, strerror(-err));
	removal->first_error = removal->first_error ? removal->first_error : err;
	return 0;
}

/* Removes all entries that `select` accepts. Continues after an error. Returns 0 or the first
 * error. */
static int remove_each(const char *dir, int (*select)(const struct dirent *),
	int (*remove_entry)(const char *path))
{
	struct removal removal = {NULL, remove_entry, 0};
	int err = walk(dir, select, remove_visited, &removal);

	if (err < 0)
		log_error("%s: cannot remove what is in it: %s", dir, strerror(-err));
	return removal.first_error ? removal.first_error : err;
}

static int remove_each_in(const char *dir, const char *sub, int (*select)(const struct dirent *),
	int (*remove_entry)(const char *path))
{
	char path[PATH_MAX];
	int err = path_format(path, "%s/%s", dir, sub);

	return err < 0 ? err : remove_each(path, select, remove_entry);
}

static int remove_config(const char *path)
{
	int err = remove_each(path, is_link, remove_link);

	if (err == 0)
		err = remove_each_in(path, "strings", is_directory, remove_directory);
	return err < 0 ? err : remove_directory(path);
}

static int remove_once(const char *dir)
{
	int first, err;

	first = remove_each_in(dir, "os_desc", is_link, remove_link);
	err = remove_each_in(dir, "configs", is_directory, remove_config);
	first = first ? first : err;
	err = remove_each_in(dir, "functions", is_directory, remove_directory);
	first = first ? first : err;
	err = remove_each_in(dir, "strings", is_directory, remove_directory);
	first = first ? first : err;
	if (first == 0 && rmdir(dir) < 0 && errno != ENOENT) {
		first = -errno;
		log_error("%s: cannot remove: %s", dir, strerror(-first));
	}
	return first;
}

int gadget_tree_remove(const char *dir)
{
	int err = remove_once(dir);

	for (int i = 1; err && i < REMOVE_TRIES; i++) {
		log_info("%s: trying again to remove it", dir);
		err = remove_once(dir);
	}
	return err;
}

bool gadget_tree_is_lane(const char *function, const char *name)
{
	size_t len = strlen(name);

	return strncmp(function, "ffs.", 4) == 0 && strncmp(function + 4, name, len) == 0 &&
	       isdigit((unsigned char)function[4 + len]) &&
	       strspn(function + 4 + len, "0123456789") == strlen(function + 4 + len);
}

struct foreign {
	const char *lanes;
	char *function;
	size_t size;
};

static int find_foreign(void *arg, const char *path, const char *name)
{
	const struct foreign *foreign = arg;

	if (gadget_tree_is_lane(name, foreign->lanes))
		return 0;
	snprintf(foreign->function, foreign->size, "%s", name);
	return 1;
}

int gadget_tree_foreign_function(const char *dir, const char *name, char *function, size_t size)
{
	struct foreign foreign = {name, function, size};

	return gadget_tree_functions(dir, find_foreign, &foreign);
}

int gadget_tree_gadgets(const char *root, gadget_tree_visit *visit, void *arg)
{
	return walk(root, is_directory, visit, arg);
}

int gadget_tree_functions(const char *dir, gadget_tree_visit *visit, void *arg)
{
	char path[PATH_MAX];
	int err = path_format(path, "%s/functions", dir);

	return err < 0 ? err : walk(path, is_directory, visit, arg);
}

int gadget_tree_configs(const char *dir, gadget_tree_visit *visit, void *arg)
{
	char path[PATH_MAX];
	int err = path_format(path, "%s/configs", dir);

	return err < 0 ? err : walk(path, is_directory, visit, arg);
}

int gadget_tree_os_configs(const char *dir, gadget_tree_visit *visit, void *arg)
{
	char path[PATH_MAX];
	int err = path_format(path, "%s/os_desc", dir);

	return err < 0 ? err : walk(path, is_link, visit, arg);
}

int gadget_tree_languages(const char *dir, gadget_tree_visit *visit, void *arg)
{
	char path[PATH_MAX];
	int err = path_format(path, "%s/strings", dir);

	return err < 0 ? err : walk(path, is_directory, visit, arg);
}

struct link_walk {
	gadget_tree_visit *visit;
	void *arg;
};

static int walk_config(void *arg, const char *path, const char *name)
{
	const struct link_walk *links = arg;

	return walk(path, is_link, links->visit, links->arg);
}

int gadget_tree_links(const char *dir, gadget_tree_visit *visit, void *arg)
{
	struct link_walk links = {visit, arg};

	return gadget_tree_configs(dir, walk_config, &links);
}

int gadget_tree_unlink_lanes(const char *dir, const char *name)
{
	struct removal removal = {name, remove_link, 0};
	int err = gadget_tree_links(dir, remove_visited, &removal);

	return removal.first_error ? removal.first_error : err;
}

int gadget_tree_remove_lanes(const char *dir, const char *name)
{
	struct removal removal = {name, remove_directory, 0};
	int err = gadget_tree_functions(dir, remove_visited, &removal);

	return removal.first_error ? removal.first_error : err;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Takes gadgets down by walking over what is there.
 *
 * libusbgx could remove what it has made, but of a leftover it reads in everything first, and gives
 * up on one that was made half. */
#include "configfs/tree.h"

#include "configfs/attr.h"
#include "core/log.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

/* Does it to all entries that `select` takes. Returns 0 or the first error, having gone on. */
static int for_each(const char *dir, int (*select)(const struct dirent *),
	int (*remove_entry)(const char *path))
{
	struct dirent **entries;
	char path[PATH_MAX];
	int count = scandir(dir, &entries, select, alphasort), first = 0, err;

	if (count < 0)
		return errno == ENOENT ? 0 : -errno;
	for (int i = 0; i < count; i++) {
		err = attr_path(path, "%s/%s", dir, entries[i]->d_name);
		if (err == 0)
			err = remove_entry(path);
		if (err == -ENOENT) /* somebody was faster */
			err = 0;
		if (err < 0)
			log_error("%s/%s: cannot remove: %s", dir, entries[i]->d_name,
				strerror(-err));
		first = first ? first : err;
		free(entries[i]);
	}
	free(entries);
	return first;
}

static int for_each_in(const char *dir, const char *sub, int (*select)(const struct dirent *),
	int (*remove_entry)(const char *path))
{
	char path[PATH_MAX];
	int err = attr_path(path, "%s/%s", dir, sub);

	return err < 0 ? err : for_each(path, select, remove_entry);
}

static int remove_config(const char *path)
{
	int err = for_each(path, is_link, remove_link);

	if (err == 0)
		err = for_each_in(path, "strings", is_directory, remove_directory);
	return err < 0 ? err : remove_directory(path);
}

int tree_remove(const char *dir)
{
	int first, err;

	first = for_each_in(dir, "os_desc", is_link, remove_link);
	err = for_each_in(dir, "configs", is_directory, remove_config);
	first = first ? first : err;
	err = for_each_in(dir, "functions", is_directory, remove_directory);
	first = first ? first : err;
	err = for_each_in(dir, "strings", is_directory, remove_directory);
	first = first ? first : err;
	if (first == 0 && rmdir(dir) < 0 && errno != ENOENT) {
		first = -errno;
		log_error("%s: cannot remove: %s", dir, strerror(-first));
	}
	return first;
}

bool tree_is_lane(const char *function, const char *name)
{
	size_t len = strlen(name);

	return strncmp(function, "ffs.", 4) == 0 && strncmp(function + 4, name, len) == 0 &&
	       isdigit((unsigned char)function[4 + len]) &&
	       strspn(function + 4 + len, "0123456789") == strlen(function + 4 + len);
}

int tree_foreign_function(const char *dir, const char *name, char *function, size_t size)
{
	struct dirent *entry;
	char path[PATH_MAX];
	int found = 0;
	DIR *functions;

	if (attr_path(path, "%s/functions", dir) < 0)
		return -ENAMETOOLONG;
	functions = opendir(path);
	if (!functions)
		return errno == ENOENT ? 0 : -errno;
	while (!found && (entry = readdir(functions))) {
		if (!is_directory(entry) || tree_is_lane(entry->d_name, name))
			continue;
		snprintf(function, size, "%s", entry->d_name);
		found = 1;
	}
	closedir(functions);
	return found;
}

static int walk(const char *dir, int (*select)(const struct dirent *), tree_visit *visit, void *arg)
{
	struct dirent **entries;
	char path[PATH_MAX];
	int count = scandir(dir, &entries, select, alphasort), result = 0;

	if (count < 0)
		return errno == ENOENT ? 0 : -errno;
	for (int i = 0; i < count; i++) {
		if (result == 0)
			result = attr_path(path, "%s/%s", dir, entries[i]->d_name);
		if (result == 0)
			result = visit(arg, path, entries[i]->d_name);
		free(entries[i]);
	}
	free(entries);
	return result;
}

int tree_gadgets(const char *root, tree_visit *visit, void *arg)
{
	return walk(root, is_directory, visit, arg);
}

int tree_functions(const char *dir, tree_visit *visit, void *arg)
{
	char path[PATH_MAX];
	int err = attr_path(path, "%s/functions", dir);

	return err < 0 ? err : walk(path, is_directory, visit, arg);
}

int tree_configs(const char *dir, tree_visit *visit, void *arg)
{
	char path[PATH_MAX];
	int err = attr_path(path, "%s/configs", dir);

	return err < 0 ? err : walk(path, is_directory, visit, arg);
}

int tree_os_configs(const char *dir, tree_visit *visit, void *arg)
{
	char path[PATH_MAX];
	int err = attr_path(path, "%s/os_desc", dir);

	return err < 0 ? err : walk(path, is_link, visit, arg);
}

struct link_walk {
	tree_visit *visit;
	void *arg;
};

static int walk_config(void *arg, const char *path, const char *name)
{
	const struct link_walk *links = arg;

	return walk(path, is_link, links->visit, links->arg);
}

int tree_links(const char *dir, tree_visit *visit, void *arg)
{
	struct link_walk links = {visit, arg};

	return tree_configs(dir, walk_config, &links);
}

struct removal {
	const char *name; /* of the lanes */
	int (*remove_entry)(const char *path);
	int first; /* error */
};

static int remove_lane(void *arg, const char *path, const char *name)
{
	struct removal *removal = arg;
	int err;

	if (!tree_is_lane(name, removal->name))
		return 0;
	err = removal->remove_entry(path);
	if (err == 0 || err == -ENOENT)
		return 0;
	log_error("%s: cannot remove: %s", path, strerror(-err));
	removal->first = removal->first ? removal->first : err;
	return 0;
}

int tree_unlink_lanes(const char *dir, const char *name)
{
	struct removal removal = {name, remove_link, 0};
	int err = tree_links(dir, remove_lane, &removal);

	return removal.first ? removal.first : err;
}

int tree_remove_lanes(const char *dir, const char *name)
{
	struct removal removal = {name, remove_directory, 0};
	int err = tree_functions(dir, remove_lane, &removal);

	return removal.first ? removal.first : err;
}

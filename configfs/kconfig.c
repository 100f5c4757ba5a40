/* SPDX-License-Identifier: Apache-2.0 */
/* Reads the running kernel's configuration, compressed or not. */
#include "configfs/kconfig.h"
#include "core/base/paths.h"

#include "configfs/attr.h"

#include <errno.h>
#include <string.h>
#include <sys/utsname.h>
#include <zlib.h>

static void take_line(const char *line, struct kconfig_option *list, size_t count)
{
	size_t len = strcspn(line, "=");

	if (line[len] != '=' || (line[len + 1] != 'y' && line[len + 1] != 'm'))
		return;
	for (size_t i = 0; i < count; i++) {
		if (strlen(list[i].name) == len && memcmp(list[i].name, line, len) == 0)
			list[i].value = line[len + 1];
	}
}

static gzFile open_config(const struct gadget_options *options)
{
	char path[PATH_MAX];
	struct utsname uts;
	gzFile file = NULL;

	/* gzopen() reads plain files as well. */
	if (path_format(path, "%s/config.gz", options->proc) == 0)
		file = gzopen(path, "re");
	if (file || uname(&uts) < 0)
		return file;
	if (path_format(path, "%s/%s/config", options->modules, uts.release) == 0)
		file = gzopen(path, "re");
	if (!file && path_format(path, "%s/config-%s", options->boot, uts.release) == 0)
		file = gzopen(path, "re");
	return file;
}

int kconfig_read(const struct gadget_options *options, struct kconfig_option *list, size_t count)
{
	gzFile file = open_config(options);
	char line[256];

	if (!file)
		return -ENOENT;
	for (size_t i = 0; i < count; i++)
		list[i].value = 'n';
	while (gzgets(file, line, sizeof(line)))
		take_line(line, list, count);
	gzclose(file);
	return 0;
}

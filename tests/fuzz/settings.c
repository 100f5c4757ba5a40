/* SPDX-License-Identifier: Apache-2.0 */
/* The configuration file of bpfd-gadget. */
#include "gadget/settings.h"

#include "tests/fuzz/fuzz.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static int take(void *arg, int id, char *value)
{
	unsigned int *taken = arg;

	MUST(value[0] && !strchr(" \t\r\n", value[0]) && !strchr(value, '\n'));
	MUST(!strchr(" \t\r", value[strlen(value) - 1]));
	(*taken)++;
	return strcmp(value, "refused") == 0 ? -EINVAL : 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct option_spec table[] = {
		{300, "lanes", "N", ""}, {301, "serial", "TEXT", ""}, {302, "flag", NULL, ""}, {0}};
	unsigned int taken = 0;
	char path[128], *text;
	int err;

	snprintf(path, sizeof(path), "%s/gadget.conf", tree_root());
	tree_put("gadget.conf", data, size);
	err = settings_read(path, table, take, &taken, &text);
	MUST(err ? !text : text != NULL);
	MUST(!err || err == -EINVAL || err == -EFBIG);
	free(text);
	return 0;
}

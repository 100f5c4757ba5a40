/* SPDX-License-Identifier: Apache-2.0 */
/* Arrays that grow as symbols are read. */
#include "core/bpfd/symbols/array.h"

#include <errno.h>
#include <stdlib.h>

int array_resize(void *array, size_t count, size_t size)
{
	void **at = array;
	void *resized = realloc(*at, count * size);

	if (!resized)
		return -ENOMEM;
	*at = resized;
	return 0;
}

int array_reserve(void *array, size_t *cap, size_t wanted, size_t size)
{
	int err;

	if (wanted <= *cap)
		return 0;
	wanted += wanted / 2;
	err = array_resize(array, wanted, size);
	if (!err)
		*cap = wanted;
	return err;
}

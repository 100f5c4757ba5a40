/* SPDX-License-Identifier: Apache-2.0 */
/* A process with USDT probes, which it passes twenty times a second: the guarded one only while it
 * is traced, as programs do. Says on each change how many trace that. */
#include "tests/tools/usdt.h"

#include <stdio.h>
#include <time.h>

#define PAUSE_NS 50000000

int main(void)
{
	const struct timespec pause = {0, PAUSE_NS};
	int told = -1;

	setvbuf(stdout, NULL, _IOLBF, 0);
	for (;;) {
		int count = usdt_count;

		if (count != told)
			printf("%d\n", count);
		told = count;
		if (count)
			usdt_pass();
		nanosleep(&pause, NULL);
	}
}

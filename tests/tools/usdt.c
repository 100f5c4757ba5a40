/* SPDX-License-Identifier: Apache-2.0 */
/* A process with USDT probes that it hits twenty times a second, the guarded one only while it is
 * traced. Prints each new value of its semaphore. */
#include "tests/tools/usdt.h"

#include <stdio.h>
#include <time.h>

#define PAUSE_NS 50000000

int main(void)
{
	const struct timespec pause = {0, PAUSE_NS};
	int printed = -1;

	setvbuf(stdout, NULL, _IOLBF, 0);
	for (;;) {
		int count = usdt_count;

		if (count != printed)
			printf("%d\n", count);
		printed = count;
		if (count)
			usdt_pass();
		nanosleep(&pause, NULL);
	}
}

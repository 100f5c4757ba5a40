/* SPDX-License-Identifier: Apache-2.0 */
/* cmocka's skip() with a reason, which the test runner shows. Include it after cmocka.h. */
#ifndef TESTS_UNIT_SKIP_H
#define TESTS_UNIT_SKIP_H

#include <unistd.h>

#define skip_because(why)                     \
	do {                                  \
		print_message("# " why "\n"); \
		skip();                       \
	} while (0)

/* For tests of what reads the number of possible CPUs, which a chroot without /sys lacks. */
#define need_possible_cpus()                                          \
	do {                                                          \
		if (access("/sys/devices/system/cpu/possible", R_OK)) \
			skip_because("/sys is not mounted");          \
	} while (0)

#endif

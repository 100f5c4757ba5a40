/* SPDX-License-Identifier: Apache-2.0 */
/* cmocka's skip() with a reason, which the test runner shows. Include it after cmocka.h. */
#ifndef TESTS_UNIT_SKIP_H
#define TESTS_UNIT_SKIP_H

#define skip_because(why)                     \
	do {                                  \
		print_message("# " why "\n"); \
		skip();                       \
	} while (0)

#endif

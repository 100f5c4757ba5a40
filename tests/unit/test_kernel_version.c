/* SPDX-License-Identifier: Apache-2.0 */
/* The version code of this kernel, and of others by their release and version strings. */
#include "core/bpfd/bpf/kernel_version.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/utsname.h>

#include <cmocka.h>

#define CODE(major, minor, patch) ((major) << 16 | (minor) << 8 | (patch))

static void test_names(void **state)
{
	static const struct {
		const char *release, *version;
		uint32_t code;
	} names[] = {
		{"4.9.140-tegra", "#1 SMP PREEMPT Tue Mar 1 2022", CODE(4, 9, 140)},
		{"4.9.337", "#1", CODE(4, 9, 255)},
		{"4.19.0-27-amd64", "#1 SMP Debian 4.19.316-1 (2024-06-25)", CODE(4, 19, 255)},
		{"4.9.0-19-armmp", "#1 SMP Debian 4.9.320-2 (2022-06-30)", CODE(4, 9, 255)},
		{"4.19.0-6-arm64", "#1 SMP Debian 4.19.67-2", CODE(4, 19, 67)},
		{"5.10-rc3", "#1", CODE(5, 10, 0)},
		{"4.14.98-imx", "built on Debian by me", CODE(4, 14, 98)},
		{"next", "#1", 0},
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		assert_int_equal(
			kernel_version_of_names(names[i].release, names[i].version), names[i].code);
}

/* The code comes from the vDSO or from uname(2). Both have the same first two numbers. */
static void test_own(void **state)
{
	struct utsname uts;

	assert_int_equal(uname(&uts), 0);
	assert_int_not_equal(kernel_version(), 0);
	assert_int_equal(
		kernel_version() >> 8, kernel_version_of_names(uts.release, uts.version) >> 8);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

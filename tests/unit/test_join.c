/* SPDX-License-Identifier: Apache-2.0 */
/* Tests joining a gadget on plain directories: choice of the configuration, lanes, recovery.
 *
 * What needs a real configfs is tested in the VM by tests/e2e/join.sh. */
#include "configfs/join.h"
#include "tests/unit/configfs_test.h"

#include <errno.h>

#define G1 "configfs/usb_gadget/g1"

static int setup(void **state)
{
	struct board *b;

	board_setup(state);
	b = *state;
	b->options.join = "g1";
	b->options.lanes = 2;
	board_mkdir(b, G1 "/functions/acm.0");
	board_mkdir(b, G1 "/functions/ffs.adb");
	board_mkdir(b, G1 "/configs/c.1");
	board_mkdir(b, "run");
	assert_int_equal(symlink("x", board_path(b, G1 "/configs/c.1/acm.0")), 0);
	board_put(b, G1 "/UDC", "u0\n");
	board_put(b, "sys/class/udc/u0/function", "g1");
	board_put(b, G1 "/os_desc/use", "0\n");
	board_put(b, G1 "/os_desc/b_vendor_code", "0x05\n");
	board_put(b, G1 "/os_desc/qw_sign", "\n");
	return 0;
}

#define join_test(f) cmocka_unit_test_setup_teardown(f, setup, board_teardown)

static void assert_attribute(const struct board *b, const char *name, const char *value)
{
	char text[64];

	assert_true(attr_read(board_path(b, name), text, sizeof(text)) >= 0);
	assert_string_equal(text, value);
}

static void assert_config(const struct join *join, const char *name)
{
	assert_string_equal(strrchr(join->config, '/') + 1, name);
}

static void assert_no_lanes(const struct board *b)
{
	assert_false(board_has(b, G1 "/functions/ffs.bpfd0"));
	assert_false(board_has(b, G1 "/functions/ffs.bpfd1"));
	assert_false(board_has(b, G1 "/configs/c.1/ffs.bpfd0"));
	assert_true(board_has(b, G1 "/functions/acm.0"));
	assert_true(board_has(b, G1 "/functions/ffs.adb"));
	assert_true(board_has(b, G1 "/configs/c.1/acm.0"));
}

static void test_find(void **state)
{
	struct join join = {.udc = ""};
	struct board *b = *state;

	assert_int_equal(join_find(&b->options, &join), 0);
	assert_config(&join, "c.1");
	assert_string_equal(join.udc, "u0");
	assert_string_equal(join.vendor_code, "0x05");
	board_put(b, G1 "/os_desc/b_vendor_code", "0xffffffb7\n"); /* as the kernel shows it */
	assert_int_equal(join_find(&b->options, &join), 0);
	assert_string_equal(join.vendor_code, "0xb7");
	/* The configuration with the lowest number, not with the first name. */
	board_mkdir(b, G1 "/configs/a.10");
	board_mkdir(b, G1 "/configs/b.2");
	assert_int_equal(join_find(&b->options, &join), 0);
	assert_config(&join, "c.1");
	assert_string_equal(join.vendor_code, ""); /* OS descriptors could change the order */
	/* The configuration with OS descriptors, which hosts see first. */
	assert_int_equal(symlink("x", board_path(b, G1 "/os_desc/b.2")), 0);
	assert_int_equal(join_find(&b->options, &join), 0);
	assert_config(&join, "b.2");
	b->options.join_config = "a.10";
	assert_int_equal(join_find(&b->options, &join), 0);
	assert_config(&join, "a.10");
	b->options.join_config = "a";
	assert_int_equal(join_find(&b->options, &join), -ENOENT);
	b->options.join = "g2";
	b->options.join_config = NULL;
	assert_int_equal(join_find(&b->options, &join), -ENOENT);
	board_mkdir(b, "configfs/usb_gadget/g2/configs");
	assert_int_equal(join_find(&b->options, &join), -ENOENT); /* no configuration */
	board_mkdir(b, "configfs/usb_gadget/g2/configs/b.2");
	board_mkdir(b, "configfs/usb_gadget/g2/configs/a.10");
	assert_int_equal(join_find(&b->options, &join), 0);
	assert_config(&join, "b.2");
	assert_string_equal(join.udc, "");
	assert_string_equal(join.vendor_code, ""); /* the kernel has no OS descriptors */
}

static void test_own_descriptors(void **state)
{
	struct join join = {.udc = ""};
	struct board *b = *state;

	board_put(b, G1 "/os_desc/use", "1\n");
	assert_int_equal(join_find(&b->options, &join), 0);
	assert_string_equal(join.vendor_code, "");
	board_put(b, G1 "/os_desc/use", "0\n");
	assert_int_equal(symlink("x", board_path(b, G1 "/os_desc/c.1")), 0);
	assert_int_equal(join_find(&b->options, &join), 0);
	assert_string_equal(join.vendor_code, "");
	assert_int_equal(join_make(&b->options, &join), 0);
	assert_int_equal(join_link(&b->options, &join, 2), 0);
	assert_int_equal(join_leave(&b->options, &join, true), 0);
	assert_true(board_has(b, G1 "/os_desc/c.1"));
	assert_attribute(b, G1 "/os_desc/b_vendor_code", "0x05");
}

static void test_lanes(void **state)
{
	struct join join = {.udc = ""};
	struct board *b = *state;

	assert_int_equal(join_find(&b->options, &join), 0);
	assert_int_equal(join_make(&b->options, &join), 0);
	assert_true(board_has(b, G1 "/functions/ffs.bpfd1"));
	assert_false(board_has(b, G1 "/configs/c.1/ffs.bpfd0")); /* the gadget is still bound */
	assert_true(board_has(b, "run/joined"));
	assert_int_equal(join_link(&b->options, &join, 1), 0);
	assert_true(board_has(b, G1 "/configs/c.1/ffs.bpfd0"));
	assert_false(board_has(b, G1 "/configs/c.1/ffs.bpfd1"));
	assert_true(board_has(b, G1 "/os_desc/c.1"));
	assert_attribute(b, G1 "/os_desc/use", "1");
	assert_attribute(b, G1 "/os_desc/b_vendor_code", "0xb7");
	assert_attribute(b, G1 "/os_desc/qw_sign", "MSFT100");

	/* A lane's files are still open: only the functions and the note stay. */
	assert_int_equal(join_leave(&b->options, &join, false), 0);
	assert_false(board_has(b, G1 "/configs/c.1/ffs.bpfd0"));
	assert_true(board_has(b, G1 "/functions/ffs.bpfd0"));
	assert_true(board_has(b, "run/joined"));
	assert_false(board_has(b, G1 "/os_desc/c.1"));
	assert_attribute(b, G1 "/os_desc/use", "0");
	assert_attribute(b, G1 "/os_desc/b_vendor_code", "0x05");
	assert_int_equal(join_leave(&b->options, &join, true), 0);
	assert_no_lanes(b);
	assert_false(board_has(b, "run/joined"));
}

static void test_make_fails(void **state)
{
	struct join join = {.udc = ""};
	struct board *b = *state;

	assert_int_equal(join_find(&b->options, &join), 0);
	board_put(b, G1 "/functions/ffs.bpfd1", ""); /* like an instance of another gadget */
	assert_int_equal(join_make(&b->options, &join), -EEXIST);
	assert_false(board_has(b, G1 "/functions/ffs.bpfd0"));
	assert_false(board_has(b, "run/joined"));
}

/* Lanes without a note were left by a killed daemon if the gadget is not bound. */
static void test_no_note(void **state)
{
	struct join join = {.udc = ""};
	struct board *b = *state;

	board_mkdir(b, G1 "/functions/ffs.bpfd7");
	assert_int_equal(symlink("x", board_path(b, G1 "/configs/c.1/ffs.bpfd7")), 0);
	assert_int_equal(join_find(&b->options, &join), 0);
	assert_int_equal(join_make(&b->options, &join), -EBUSY);
	assert_true(board_has(b, G1 "/configs/c.1/ffs.bpfd7"));
	board_put(b, G1 "/UDC", "\n");
	assert_int_equal(join_make(&b->options, &join), 0);
	assert_false(board_has(b, G1 "/configs/c.1/ffs.bpfd7"));
	assert_false(board_has(b, G1 "/functions/ffs.bpfd7"));
	assert_true(board_has(b, G1 "/functions/ffs.bpfd1"));
}

/* Leaves what a daemon leaves if it is killed after joining; the kernel unbinds the gadget. */
static void make_killed(const struct board *b)
{
	struct join join = {.udc = ""};

	assert_int_equal(join_find(&b->options, &join), 0);
	assert_int_equal(join_make(&b->options, &join), 0);
	assert_int_equal(join_link(&b->options, &join, 2), 0);
	board_put(b, G1 "/UDC", "\n");
}

static void test_recover(void **state)
{
	char udc[UDC_NAME_SIZE] = "x";
	struct board *b = *state;

	assert_int_equal(join_recover(&b->options, udc), 0); /* nothing is left */
	assert_string_equal(udc, "");
	make_killed(b);
	/* The same gadget is joined again: it stays unbound until then. */
	assert_int_equal(join_recover(&b->options, udc), 0);
	assert_string_equal(udc, "u0");
	assert_attribute(b, G1 "/UDC", "");
	assert_no_lanes(b);
	assert_attribute(b, G1 "/os_desc/use", "0");
	assert_attribute(b, G1 "/os_desc/b_vendor_code", "0x05");
	assert_false(board_has(b, G1 "/os_desc/c.1"));
	assert_false(board_has(b, "run/joined"));

	board_put(b, G1 "/UDC", "u0\n");
	make_killed(b);
	assert_int_equal(join_recover(&b->options, NULL), 0);
	assert_attribute(b, G1 "/UDC", "u0");
	assert_no_lanes(b);

	make_killed(b);
	b->options.join = "g2";
	assert_int_equal(join_recover(&b->options, udc), 0);
	assert_string_equal(udc, "");
	assert_attribute(b, G1 "/UDC", "u0");
	assert_no_lanes(b);

	/* A gadget that was not bound stays unbound. */
	b->options.join = "g1";
	board_put(b, G1 "/UDC", "\n");
	make_killed(b);
	assert_int_equal(join_recover(&b->options, NULL), 0);
	assert_attribute(b, G1 "/UDC", "");
	assert_no_lanes(b);
}

/* The owner binds the gadget between join_make() and join_link(). */
static void test_note_again(void **state)
{
	struct join join = {.udc = ""};
	char udc[UDC_NAME_SIZE];
	struct board *b = *state;

	board_put(b, G1 "/UDC", "\n");
	assert_int_equal(join_find(&b->options, &join), 0);
	assert_int_equal(join_make(&b->options, &join), 0);
	strcpy(join.udc, "u0");
	board_mkdir(b, "run/joined.part"); /* the second note cannot be written: the first stays */
	assert_int_equal(join_note(&b->options, &join), -EISDIR);
	assert_int_equal(join_recover(&b->options, udc), 0);
	assert_string_equal(udc, "");

	assert_int_equal(rmdir(board_path(b, "run/joined.part")), 0);
	strcpy(join.udc, "");
	assert_int_equal(join_make(&b->options, &join), 0);
	strcpy(join.udc, "u0");
	assert_int_equal(join_note(&b->options, &join), 0);
	board_put(b, "run/joined.part", "g1\n"); /* a third note, cut short by a kill */
	assert_int_equal(join_recover(&b->options, udc), 0);
	assert_string_equal(udc, "u0");
	assert_false(board_has(b, "run/joined"));
	assert_false(board_has(b, "run/joined.part"));
}

static void test_recover_refused(void **state)
{
	char udc[UDC_NAME_SIZE];
	struct board *b = *state;

	/* Bound with its lanes: a daemon in another mount namespace serves them. */
	make_killed(b);
	board_put(b, G1 "/UDC", "u0\n");
	assert_int_equal(join_recover(&b->options, udc), -EBUSY);
	assert_true(board_has(b, G1 "/configs/c.1/ffs.bpfd1"));
	assert_true(board_has(b, "run/joined"));
	assert_attribute(b, G1 "/os_desc/use", "1");

	/* The controller no longer has the gadget: the daemon was killed. */
	board_put(b, "sys/class/udc/u0/function", "");
	assert_int_equal(join_recover(&b->options, udc), 0);
	assert_string_equal(udc, "u0");
	assert_no_lanes(b);
}

static void test_recover_notes(void **state)
{
	char udc[UDC_NAME_SIZE];
	struct board *b = *state;

	/* Half a note: the daemon was killed before it changed anything. */
	board_put(b, "run/joined", "g1\nu0");
	assert_int_equal(join_recover(&b->options, udc), 0);
	assert_string_equal(udc, "");
	assert_false(board_has(b, "run/joined"));
	assert_attribute(b, G1 "/UDC", "u0");
	/* A note with an invalid name, and a note about a gadget that no longer exists. */
	board_put(b, "run/joined", "../..\nu0\n\n");
	assert_int_equal(join_recover(&b->options, udc), 0);
	board_put(b, "run/joined", "gone\nu0\n0x00\n");
	assert_int_equal(join_recover(&b->options, udc), 0);
	assert_false(board_has(b, "run/joined"));
	/* The daemon was killed before join_link(): the gadget has stayed bound. */
	board_put(b, "run/joined", "g1\nu0\n0x05\n");
	board_mkdir(b, G1 "/functions/ffs.bpfd0");
	board_put(b, G1 "/os_desc/b_vendor_code", "0x06\n");
	assert_int_equal(join_recover(&b->options, NULL), 0);
	assert_no_lanes(b);
	assert_attribute(b, G1 "/UDC", "u0");
	assert_attribute(b, G1 "/os_desc/b_vendor_code", "0x06"); /* we have not set it */
}

/* gadget_create() and gadget_check() with a gadget to join. */
static void test_create(void **state)
{
	struct board *b = *state;
	struct gadget *g = NULL;
	char text[4096] = "";
	FILE *out = fmemopen(text, sizeof(text), "w");

	b->options.join = "a/b";
	assert_int_equal(gadget_create(&b->options, &g), -EINVAL);
	b->options.join = "g2";
	assert_int_equal(gadget_create(&b->options, &g), -ENOENT); /* needs no serial number */
	b->options.join = "g1";
	board_put(b, "run/bpfd0", ""); /* the first mount fails */
	assert_true(gadget_create(&b->options, &g) < 0);
	assert_null(g);
	assert_no_lanes(b);
	assert_attribute(b, G1 "/UDC", "u0");
	assert_false(board_has(b, "run/joined"));

	/* The gadget of a killed daemon is bound again even if joining it now fails. */
	make_killed(b);
	b->options.join_config = "c.2";
	assert_int_equal(gadget_create(&b->options, &g), -ENOENT);
	assert_attribute(b, G1 "/UDC", "u0");
	assert_no_lanes(b);
	b->options.join_config = NULL;
	make_killed(b);
	board_put(b, "configfs/usb_gadget/bpfd/UDC", "u1\n"); /* served by a daemon elsewhere */
	board_put(b, "sys/class/udc/u1/function", "bpfd");
	assert_int_equal(gadget_create(&b->options, &g), -EBUSY);
	assert_attribute(b, G1 "/UDC", "u0");
	assert_no_lanes(b);

	gadget_check(&b->options, out);
	b->options.join = "g2";
	gadget_check(&b->options, out);
	fclose(out);
	assert_non_null(
		strstr(text, "ok      gadget g1: present, configuration c.1, bound to u0\n"));
	assert_non_null(strstr(text, "missing gadget g2: cannot be joined\n"));
	assert_null(strstr(text, "serial number"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		join_test(test_find),
		join_test(test_own_descriptors),
		join_test(test_lanes),
		join_test(test_make_fails),
		join_test(test_no_note),
		join_test(test_recover),
		join_test(test_note_again),
		join_test(test_recover_refused),
		join_test(test_recover_notes),
		join_test(test_create),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* bpfd-gadget: reads the options and runs the daemon. */
#include "configfs/attr.h"
#include "configfs/gadget.h"
#include "configfs/serial.h"
#include "core/base/log.h"
#include "core/base/options.h"
#include "core/base/standard_files.h"
#include "gadget/admission.h"
#include "gadget/daemon.h"
#include "gadget/keys.h"
#include "gadget/settings.h"

#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_LANES	2
#define DEFAULT_BPFD	"bpfd"
#define ARGUMENT_BLANKS " \t"

enum {
	OPT_FIRST = 256,
	OPT_UDC = OPT_FIRST,
	OPT_LANES,
	OPT_SERIAL,
	OPT_VENDOR,
	OPT_PRODUCT,
	OPT_BPFD,
	OPT_BPFD_ARGS,
	OPT_CONFIG,
	OPT_KEYS,
	OPT_REQUIRE_KEY,
	OPT_READ_ONLY,
	OPT_JOIN,
	OPT_FFS_DIR,
	OPT_CONFIGFS,
	OPT_CHECK,
	OPT_REMOVE,
	OPT_END,
};

static const char usage[] =
	"Usage: bpfd-gadget [OPTION]... [-- BPFD-ARGUMENT...]\n"
	"Offers bpfd over USB: makes a gadget with pairs of bulk endpoints (lanes) and\n"
	"runs one bpfd for each lane that a host opens. Stays in the foreground until\n"
	"SIGTERM.";

static const struct option_spec option_table[] = {
	{OPT_UDC, "udc", "NAME", "USB device controller (default: only or first free)"},
	{OPT_LANES, "lanes", "N", "concurrent sessions, 1 to 8 (default 2)"},
	{OPT_SERIAL, "serial", "TEXT", "serial number (default: the board's own)"},
	{OPT_VENDOR, "vendor-id", "ID", "USB vendor (default 0x1d6b)"},
	{OPT_PRODUCT, "product-id", "ID", "USB product (default 0x0104)"},
	{OPT_BPFD, "bpfd", "PATH", "program of a session (default: bpfd in $PATH)"},
	{OPT_BPFD_ARGS, "bpfd-args", "TEXT", "its arguments, separated by blanks"},
	{OPT_CONFIG, "config", "FILE", "read settings from FILE (default " SETTINGS_PATH ")"},
	{OPT_KEYS, "authorized-keys", "FILE",
		"hosts with one of these keys may connect (default " KEYS_PATH ")"},
	{OPT_REQUIRE_KEY, "require-key", "[ANSWER]",
		"do not start without a usable key; yes or no"},
	{OPT_READ_ONLY, "read-only", "[ANSWER]", "sessions may not change anything; yes or no"},
	{OPT_JOIN, "join", "GADGET", "add the lanes to this gadget, which is unbound once"},
	{OPT_FFS_DIR, "ffs-dir", "DIR", "serve a FunctionFS mount, not configfs; repeatable"},
	{OPT_CONFIGFS, "configfs", "DIR", "configfs mount point (default /sys/kernel/config)"},
	{OPT_CHECK, "check", NULL, "report what kernel and board offer or lack, and exit"},
	{OPT_REMOVE, "remove", NULL, "remove what a killed daemon left, and exit"},
	OPTIONS_COMMON,
};

static const struct option_program program = {"bpfd-gadget", usage, option_table};

struct command_line {
	struct daemon_options daemon;
	const char *bpfd, *bpfd_args;
	struct admission admission;
	const char *config; /* file; NULL: the default one, if it exists */
	char *settings;	    /* the text of the configuration file, which options point into */
	char join[2 * NAME_MAX + 2];	 /* gadget and configuration */
	char serial[SERIAL_MAX + 1];	 /* that hosts see */
	bool given[OPT_END - OPT_FIRST]; /* on the command line */
	bool has_identity;		 /* a serial number or an id is set */
	bool names_keys;		 /* a list of keys is named, so it must exist */
	int action;			 /* 0, OPT_CHECK or OPT_REMOVE */
	struct option_verbosity verbosity;
};

static int bad_value(const char *option, const char *value, const char *why)
{
	log_error("--%s: %s: %s", option, value, why);
	return -EINVAL;
}

static int take_number(
	const char *option, const char *text, uint64_t min, uint64_t max, uint64_t *value)
{
	char why[64];

	if (options_number(text, min, max, value) == 0)
		return 0;
	snprintf(why, sizeof(why), "not a number from %llu to %llu", (unsigned long long)min,
		(unsigned long long)max);
	return bad_value(option, text, why);
}

static int take_lanes(struct gadget_options *gadget, const char *text)
{
	uint64_t value;

	if (take_number("lanes", text, 1, SERVE_LANES_MAX, &value) < 0)
		return -EINVAL;
	gadget->lanes = (unsigned int)value;
	return 0;
}

static int take_id(const char *option, const char *text, uint16_t *id)
{
	uint64_t value;

	if (take_number(option, text, 1, 0xffff, &value) < 0)
		return -EINVAL;
	*id = (uint16_t)value;
	return 0;
}

static int take_serial(struct gadget_options *gadget, const char *text)
{
	if (!serial_valid(text))
		return bad_value("serial", text, "not 1 to 126 printable ASCII characters");
	gadget->serial = text;
	return 0;
}

/* The value is mandatory in the file and optional on the command line. */
static int take_flag(const char *option, const char *text, bool *flag)
{
	*flag = !text || strcmp(text, "yes") == 0;
	if (*flag || strcmp(text, "no") == 0)
		return 0;
	return bad_value(option, text, "neither yes nor no");
}

static int take_ffs_dir(struct daemon_options *daemon, const char *dir)
{
	if (daemon->ffs_dir_count == SERVE_LANES_MAX)
		return bad_value("ffs-dir", dir, "too many lanes");
	daemon->ffs_dirs[daemon->ffs_dir_count++] = dir;
	return 0;
}

static int take_join(struct command_line *line, const char *text)
{
	struct gadget_options *gadget = &line->daemon.gadget;
	char *slash;

	if (strlen(text) >= sizeof(line->join))
		return bad_value("join", text, "too long");
	strcpy(line->join, text);
	slash = strchr(line->join, '/');
	if (slash)
		*slash++ = '\0';
	if (!attr_is_name(line->join) || (slash && !attr_is_name(slash)))
		return bad_value("join", text, "not GADGET or GADGET/CONFIGURATION");
	gadget->join = line->join;
	gadget->join_config = slash;
	return 0;
}

/* Takes an option that the file may hold, too. `value` must outlive the daemon. Returns 0 or
 * -EINVAL, logged. */
static int take_setting(struct command_line *line, int id, const char *value)
{
	struct gadget_options *gadget = &line->daemon.gadget;

	line->has_identity |= id == OPT_SERIAL || id == OPT_VENDOR || id == OPT_PRODUCT;
	line->names_keys |= id == OPT_KEYS;
	switch (id) {
	case OPT_UDC:
		line->daemon.udc = value;
		return 0;
	case OPT_LANES:
		return take_lanes(gadget, value);
	case OPT_SERIAL:
		return take_serial(gadget, value);
	case OPT_VENDOR:
		return take_id("vendor-id", value, &gadget->vendor_id);
	case OPT_PRODUCT:
		return take_id("product-id", value, &gadget->product_id);
	case OPT_BPFD:
		line->bpfd = value;
		return 0;
	case OPT_BPFD_ARGS:
		line->bpfd_args = value;
		return 0;
	case OPT_KEYS:
		line->admission.path = value;
		return 0;
	case OPT_REQUIRE_KEY:
		return take_flag("require-key", value, &line->admission.required);
	case OPT_READ_ONLY:
		return take_flag("read-only", value, &line->admission.read_only);
	case OPT_JOIN:
		return take_join(line, value);
	case OPT_FFS_DIR:
		return take_ffs_dir(&line->daemon, value);
	case OPT_CONFIGFS:
		gadget->configfs = value;
		return 0;
	default:
		return bad_value("config", value, "not in a configuration file");
	}
}

/* Takes an option of the command line, whose value is optarg. Returns 0, 1 when the program has
 * done what was asked, or -EINVAL, logged. */
static int take_option(struct command_line *line, int id)
{
	if (id < OPT_FIRST) /* getopt has logged a wrong option */
		return options_take_common(&program, id, &line->verbosity);
	switch (id) {
	case OPT_CONFIG:
		line->config = optarg;
		return 0;
	case OPT_CHECK:
	case OPT_REMOVE:
		line->action = id;
		return 0;
	default:
		line->given[id - OPT_FIRST] = true;
		return take_setting(line, id, optarg);
	}
}

/* Returns the command of a session: the program, `option` unless it is NULL, the words of
 * --bpfd-args, and `argc` more arguments. The words point into *copy. The caller frees both.
 * Returns NULL if memory is short. */
static char **make_command(
	const struct command_line *line, const char *option, int argc, char **argv, char **copy)
{
	size_t n = 0, length = line->bpfd_args ? strlen(line->bpfd_args) : 0;
	char **command = calloc((size_t)argc + 4 + length / 2, sizeof(*command)), *rest;

	*copy = strdup(line->bpfd_args ? line->bpfd_args : "");
	if (!command || !*copy)
		goto err_free;
	command[n++] = (char *)line->bpfd;
	if (option)
		command[n++] = (char *)option;
	for (char *word = strtok_r(*copy, ARGUMENT_BLANKS, &rest); word;
		word = strtok_r(NULL, ARGUMENT_BLANKS, &rest))
		command[n++] = word;
	memcpy(command + n, argv, (size_t)argc * sizeof(*argv));
	return command;

err_free:
	free(command);
	free(*copy);
	*copy = NULL;
	return NULL;
}

/* Finds the serial number that the host sees and signs with its key. If another program made the
 * gadget and no key is needed, there may be none. Returns 0 or a negative errno, logged. */
static int find_serial(struct command_line *line)
{
	struct gadget_options *gadget = &line->daemon.gadget;
	char *serial = line->serial;
	int err = gadget->join ? serial_of_joined(gadget, serial) : -ENOENT;

	line->admission.serial = serial;
	if (err < 0 && (!gadget->join && line->daemon.ffs_dir_count == 0)) {
		err = serial_find(gadget, serial);
		gadget->serial = serial;
	} else if (err < 0 && (line->admission.required || *line->admission.seen)) {
		if (gadget->join)
			log_warning(
				"gadget %s: has no serial number in its strings; hosts that use "
				"a key are refused until it has one",
				gadget->join);
		err = serial_find(gadget, serial);
	} else if (err < 0) {
		/* No key is needed now, but a list may appear later. */
		snprintf(serial, SERIAL_MAX + 1, "%s", gadget->serial ? gadget->serial : "");
		err = 0;
	}
	return err;
}

static int run_daemon(struct command_line *line, int argc, char **argv)
{
	char *text = NULL, *read_only_text = NULL;
	char **command = NULL, **read_only = NULL;
	int err;

	if (line->daemon.gadget.join && line->has_identity)
		log_warning("--serial, --vendor-id, --product-id: not used, gadget %s has its own",
			line->daemon.gadget.join);
	line->daemon.admission = &line->admission;
	line->admission.required |= line->names_keys;
	err = admission_start(&line->admission);
	if (err == 0)
		err = find_serial(line);
	if (err < 0)
		return err;
	command = make_command(line, NULL, argc, argv, &text);
	read_only = make_command(line, "--read-only", argc, argv, &read_only_text);
	line->admission.command = line->admission.read_only ? read_only : command;
	line->admission.read_only_command = read_only;
	err = command && read_only ? daemon_run(&line->daemon) : -ENOMEM;
	if (!command || !read_only)
		log_error("--bpfd: %s: %s", line->bpfd, strerror(ENOMEM));
	free(command);
	free(read_only);
	free(text);
	free(read_only_text);
	return err;
}

/* With --ffs-dir a daemon leaves nothing, and gadgets and mounts belong to other programs. */
static int remove_leftover(const struct command_line *line)
{
	if (line->daemon.ffs_dir_count == 0)
		return gadget_remove_leftover(&line->daemon.gadget);
	log_debug("--ffs-dir: nothing to remove");
	return 0;
}

/* The command line overrides the file. A setting that it has given is checked, but taken into
 * `overridden`. --join and --ffs-dir exclude each other: each overrides both. */
struct file_settings {
	struct command_line *line, overridden;
};

static int take_file_setting(void *arg, int id, char *value)
{
	struct file_settings *settings = arg;
	const bool *given = settings->line->given;
	bool is_given = given[id - OPT_FIRST];

	if (id == OPT_JOIN || id == OPT_FFS_DIR)
		is_given = given[OPT_JOIN - OPT_FIRST] || given[OPT_FFS_DIR - OPT_FIRST];
	return take_setting(is_given ? &settings->overridden : settings->line, id, value);
}

/* Returns 0, also if there is no file and none is named, or -EINVAL, logged. */
static int take_file(struct command_line *line)
{
	struct file_settings settings = {.line = line};
	const char *path = line->config ? line->config : SETTINGS_PATH;
	int err = settings_read(path, option_table, take_file_setting, &settings, &line->settings);

	if (err == -ENOENT && !line->config)
		return 0;
	if (err == -ENOENT)
		log_error("%s: %s", path, strerror(ENOENT));
	return err ? -EINVAL : 0;
}

/* Takes the command line, then what the file adds to it. Returns 0, 1 when the program has done
 * what was asked, or -EINVAL, logged. */
static int take_all(struct command_line *line, int argc, char **argv)
{
	int id, err = 0;

	optind = 0; /* from the start */
	while (!err && (id = options_next(argc, argv, option_table)) != -1)
		err = take_option(line, id);
	return err ? err : take_file(line);
}

int main(int argc, char **argv)
{
	struct command_line line = {.bpfd = DEFAULT_BPFD, .admission = {.path = KEYS_PATH}};
	int err;

	gadget_options_init(&line.daemon.gadget);
	line.daemon.gadget.lanes = DEFAULT_LANES;
	log_open("bpfd-gadget", LOG_INFO);
	/* The pipes of children must not become 0, 1 or 2. */
	if (standard_files_open(0) < 0)
		return EXIT_FAILURE;
	err = take_all(&line, argc, argv);
	if (err > 0)
		return options_flush() == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
	if (err)
		return 2;
	log_open("bpfd-gadget", options_log_level(&line.verbosity));
	if (line.action && optind < argc) {
		log_error("%s: unexpected argument", argv[optind]);
		err = 2;
	} else if (line.daemon.gadget.join && line.daemon.ffs_dir_count) {
		log_error("--join, --ffs-dir: give one of them, not both");
		err = 2;
	} else if (line.action == OPT_CHECK)
		err = gadget_check(&line.daemon.gadget, stdout) && options_flush() == 0
			      ? EXIT_SUCCESS
			      : EXIT_FAILURE;
	else if (line.action == OPT_REMOVE)
		err = remove_leftover(&line) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
	else
		err = run_daemon(&line, argc - optind, argv + optind);
	free(line.settings);
	return err < 0 ? EXIT_FAILURE : err;
}

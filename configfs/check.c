/* SPDX-License-Identifier: Apache-2.0 */
/* Reports what the kernel and the board offer or lack for a gadget. */
#include "configfs/attr.h"
#include "configfs/gadget.h"
#include "configfs/gadget_tree.h"
#include "configfs/join.h"
#include "configfs/kconfig.h"
#include "configfs/kernel.h"
#include "configfs/serial.h"
#include "configfs/udc.h"
#include "core/base/kprobe_state.h"
#include "core/base/paths.h"

#include <dirent.h>
#include <errno.h>
#include <linux/aio_abi.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Options of the kernel, and what is lost without each. None decides the verdict: check_kernel()
 * tests the parts that a gadget needs. */
static const struct kconfig_option config_table[] = {
	{"CONFIG_CONFIGFS_FS", "no gadget", 0},
	{"CONFIG_USB_GADGET", "no gadget", 0},
	{"CONFIG_USB_CONFIGFS", "no gadget", 0},
	{"CONFIG_USB_CONFIGFS_F_FS", "no gadget", 0},
	{"CONFIG_AIO", "no gadget", 0},
	{"CONFIG_BPF_SYSCALL", "no BPF", 0},
	{"CONFIG_BPF_JIT", "BPF programs run slowly", 0},
	{"CONFIG_PERF_EVENTS", "no perf events, nothing to attach to", 0},
	{"CONFIG_BPF_EVENTS", "no tracing with BPF", 0},
	{"CONFIG_KPROBES", "no kprobes", 0},
	{"CONFIG_KPROBE_EVENTS", "no kprobes", 0},
	{"CONFIG_UPROBE_EVENTS", "no uprobes", 0},
	{"CONFIG_FTRACE_SYSCALLS", "no tracepoints of system calls", 0},
	{"CONFIG_FUNCTION_TRACER", "no fentry and fexit programs, no function tracer", 0},
	{"CONFIG_DYNAMIC_FTRACE", "no fentry and fexit programs", 0},
	{"CONFIG_KALLSYMS", "no kernel symbols", 0},
	{"CONFIG_SECCOMP_FILTER", "sessions may make any system call", 0},
	{"CONFIG_DEBUG_INFO_BTF", "no kernel types for CO-RE", 0},
	{"CONFIG_IKHEADERS", "tools that compile need bpfd-run --headers", 0},
};

#define PARANOID_MAX 2 /* higher values are additions of distributions */

#define CONFIG_COUNT (sizeof(config_table) / sizeof(config_table[0]))

struct report {
	const struct gadget_options *options;
	FILE *out;
	bool works;
	bool has_config; /* the kernel's configuration could be read */
	struct kconfig_option config[CONFIG_COUNT];
};

static void line(struct report *r, const char *word, const char *format, va_list ap)
{
	fprintf(r->out, "%-8s", word);
	vfprintf(r->out, format, ap);
	fputc('\n', r->out);
}

/* Reports what is present, or will be. */
static void __attribute__((format(printf, 2, 3))) ok(struct report *r, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	line(r, "ok", format, ap);
	va_end(ap);
}

/* Reports that a gadget cannot work, and why. */
static void __attribute__((format(printf, 2, 3))) missing(struct report *r, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	line(r, "missing", format, ap);
	va_end(ap);
	r->works = false;
}

/* Reports what does not decide the verdict. */
static void __attribute__((format(printf, 2, 3))) note(struct report *r, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	line(r, "note", format, ap);
	va_end(ap);
}

/* Returns 'y', 'm' or 'n', or 0 if the configuration could not be read. */
static char config_value(const struct report *r, const char *name)
{
	for (size_t i = 0; i < CONFIG_COUNT; i++) {
		if (strcmp(r->config[i].name, name) == 0)
			return r->config[i].value;
	}
	return 0;
}

/* Reports whether a part of the kernel is present, will be loaded, or is missing. */
static void check_part(
	struct report *r, const char *what, bool there, const char *module, const char *config)
{
	char value = config_value(r, config);

	if (there)
		ok(r, "%s: present", what);
	else if (kernel_has_module(r->options, module))
		ok(r, "%s: will be loaded (module %s)", what, module);
	else if (value == 'y')
		ok(r, "%s: built in", what);
	else if (value == 'm')
		missing(r, "%s: not installed; install module %s", what, module);
	else if (value == 'n' || kernel_has_module_list(r->options))
		missing(r, "%s: not in the kernel; set %s or install module %s", what, config,
			module);
	else
		note(r, "%s: unknown; it needs %s or module %s", what, config, module);
}

static void check_kernel(struct report *r)
{
	const struct gadget_options *o = r->options;
	aio_context_t aio = 0;

	if (kernel_configfs_mounted(o))
		ok(r, "configfs: mounted on %s", o->configfs);
	else if (kernel_has_filesystem(o, "configfs"))
		ok(r, "configfs: will be mounted on %s", o->configfs);
	else
		check_part(r, "configfs", kernel_has_gadgets(o), "configfs", "CONFIG_CONFIGFS_FS");
	check_part(r, "libcomposite", kernel_has_gadgets(o), "libcomposite", "CONFIG_USB_CONFIGFS");
	check_part(r, "FunctionFS", kernel_has_filesystem(o, "functionfs"), "usb_f_fs",
		"CONFIG_USB_CONFIGFS_F_FS");
	if (syscall(SYS_io_setup, 1, &aio) == 0) {
		syscall(SYS_io_destroy, aio);
		ok(r, "asynchronous I/O: present");
	} else if (errno == ENOSYS) {
		missing(r, "asynchronous I/O: not in the kernel; set CONFIG_AIO");
	} else {
		missing(r, "asynchronous I/O: %s; raise sysctl fs.aio-max-nr", strerror(errno));
	}
}

/* The verdict depends on check_kernel() alone. These lines show why it did not find something. */
static void check_config(struct report *r)
{
	if (!r->has_config)
		note(r, "kernel configuration: not found; CONFIG_IKCONFIG_PROC would provide it");
	for (size_t i = 0; r->has_config && i < CONFIG_COUNT; i++) {
		const struct kconfig_option *option = &r->config[i];

		if (option->value == 'n')
			note(r, "%s: not set: %s", option->name, option->without);
		else
			ok(r, "%s: %c", option->name, option->value);
	}
}

/* Reads a file below one of the kernel's trees. Returns false if it is missing or empty. */
static bool read_setting(const char *root, const char *file, char *value, size_t size)
{
	char path[PATH_MAX];

	return path_format(path, "%s/%s", root, file) == 0 && attr_read(path, value, size) > 0;
}

static void check_tracefs(struct report *r)
{
	static const char *const places[] = {
		"kernel/tracing/events", "kernel/debug/tracing/events"};
	char path[PATH_MAX];
	struct stat st;

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		if (path_format(path, "%s/%s", r->options->sysfs, places[i]) < 0)
			continue;
		if (stat(path, &st) == 0) {
			ok(r, "tracefs: mounted");
			return;
		}
		if (errno == EACCES) /* only root may look into it */
			return;
	}
	note(r, "tracefs: not mounted: no tracepoints, on old kernels no kprobes; "
		"mount -t tracefs tracefs /sys/kernel/tracing");
}

/* The PMUs of processors are named cpu, cpu_core, armv8_..., arm_..., apple_... */
static bool is_processor_pmu(const char *name)
{
	return strncmp(name, "cpu", 3) == 0 || strncmp(name, "arm", 3) == 0 ||
	       strncmp(name, "apple", 5) == 0;
}

static void check_pmu(struct report *r)
{
	char path[PATH_MAX];
	struct dirent *entry;
	bool found = false;
	DIR *dir;

	if (path_format(path, "%s/bus/event_source/devices", r->options->sysfs) < 0)
		return;
	dir = opendir(path);
	while (dir && !found && (entry = readdir(dir))) {
		found = is_processor_pmu(entry->d_name);
		if (found)
			ok(r, "PMU: %s", entry->d_name);
	}
	if (dir)
		closedir(dir);
	if (!found)
		note(r, "PMU: none: no hardware events such as cycles; sample by the clock "
			"instead");
}

/* Reports settings that make tracing impossible or silent. */
static void check_tracing(struct report *r)
{
	const char *proc = r->options->proc, *sysfs = r->options->sysfs;
	const char *obstacle = kprobe_obstacle(proc, sysfs);
	char value[128];

	check_tracefs(r);
	if (obstacle)
		note(r, "kprobes: %s", obstacle);
	if (!read_setting(sysfs, "kernel/security/lockdown", value, sizeof(value)))
		value[0] = '\0';
	if (strstr(value, "[confidentiality]"))
		note(r, "lockdown: confidentiality: neither kprobes nor BPF programs may read the "
			"kernel's memory; boot with lockdown=integrity or less");
	else if (value[0])
		ok(r, "lockdown: %s", value);
	if (read_setting(proc, "sys/kernel/kptr_restrict", value, sizeof(value))) {
		if (strcmp(value, "2") == 0)
			note(r, "kptr_restrict: 2: kernel symbols have no addresses; set "
				"kernel.kptr_restrict to 1 with sysctl");
		else
			ok(r, "kptr_restrict: %s", value);
	}
	if (read_setting(proc, "sys/kernel/perf_event_paranoid", value, sizeof(value))) {
		if (atoi(value) > PARANOID_MAX)
			note(r,
				"perf_event_paranoid: %s: kernels of Debian, Ubuntu and Android "
				"may "
				"refuse perf events; set kernel.perf_event_paranoid to %d with "
				"sysctl",
				value, PARANOID_MAX);
		else
			ok(r, "perf_event_paranoid: %s", value);
	}
	check_pmu(r);
}

/* Returns true if the gadget can use the controller. */
static bool check_udc(struct report *r, const char *name)
{
	const struct gadget_options *o = r->options;
	const char *mine = o->join ? o->join : o->name;
	char holder[NAME_MAX + 1], ours[NAME_MAX + 1], state[64], speed[64];

	udc_read(o->sysfs, name, "state", state, sizeof(state));
	udc_read(o->sysfs, name, "maximum_speed", speed, sizeof(speed));
	if (udc_holder(o->configfs, o->sysfs, name, mine, holder, sizeof(holder))) {
		note(r, "controller %s: taken by gadget %s", name, holder);
		return false;
	}
	if (udc_holder(o->configfs, o->sysfs, name, NULL, ours, sizeof(ours)))
		ok(r, "controller %s: serves gadget %s (%s, %s)", name, ours, state, speed);
	else
		ok(r, "controller %s: free (%s, %s)", name, state, speed);
	return true;
}

static void check_udcs(struct report *r)
{
	char names[UDC_LIST_MAX][UDC_NAME_SIZE];
	int count = udc_list(r->options->sysfs, names);
	bool found = false;

	if (count < 0) {
		missing(r, "controller: %s/class/udc: %s", r->options->sysfs, strerror(-count));
		return;
	}
	for (int i = 0; i < count; i++)
		found = check_udc(r, names[i]) || found;
	if (count == 0)
		missing(r, "controller: none; load its driver and set the port to device mode "
			   "(on machines without one: module dummy_hcd, CONFIG_USB_DUMMY_HCD)");
	else if (!found)
		missing(r, "controller: none is free; share one with --join or unbind its gadget");
}

/* join_find() logs the cause if the gadget cannot be joined. */
static void check_joined(struct report *r)
{
	struct join join = {.udc = ""};

	if (join_find(r->options, &join) < 0)
		missing(r, "gadget %s: cannot be joined", r->options->join);
	else
		ok(r, "gadget %s: present, configuration %s, %s%s", r->options->join,
			strrchr(join.config, '/') + 1, join.udc[0] ? "bound to " : "not bound",
			join.udc);
}

static void check_gadget(struct report *r)
{
	const struct gadget_options *o = r->options;
	char dir[PATH_MAX], function[NAME_MAX + 1];
	struct stat st;

	if (o->join) {
		check_joined(r);
		return;
	}
	if (path_format(dir, "%s/usb_gadget/%s", o->configfs, o->name) < 0 || stat(dir, &st) < 0)
		return;
	if (gadget_tree_foreign_function(dir, o->name, function, sizeof(function)) > 0)
		missing(r, "gadget %s: has function %s, so it is not ours; remove it", o->name,
			function);
	else
		note(r, "gadget %s: exists already; if no daemon is running, use --remove",
			o->name);
}

static void check_serial(struct report *r)
{
	char serial[SERIAL_MAX + 1];
	const char *source;
	int err = serial_find_source(r->options, serial, &source);

	if (err == 0)
		ok(r, "serial number: %s (%s)", serial, source);
	else if (err == -EINVAL)
		missing(r, "serial number: not 1 to %d printable ASCII characters", SERIAL_MAX);
	else
		missing(r, "serial number: the board has none; give one with --serial");
}

bool gadget_check(const struct gadget_options *options, FILE *out)
{
	struct report r = {.options = options, .out = out, .works = true};

	memcpy(r.config, config_table, sizeof(r.config));
	r.has_config = kconfig_read(options, r.config, CONFIG_COUNT) == 0;
	if (geteuid() == 0)
		ok(&r, "user: root");
	else
		missing(&r, "user: not root; only root can make a gadget");
	check_kernel(&r);
	check_udcs(&r);
	check_gadget(&r);
	if (!options->join)
		check_serial(&r);
	check_config(&r);
	check_tracing(&r);
	fprintf(out, "%-8s%s\n", "verdict",
		r.works ? "bpfd-gadget can run here"
			: "bpfd-gadget cannot run here; the lines \"missing\" say why");
	return r.works;
}

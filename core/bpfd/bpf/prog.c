/* SPDX-License-Identifier: Apache-2.0 */
/* Loads BPF programs. The first try has no log: most programs load, and a log is slow. */
#include "core/bpfd/bpf/prog.h"

#include "core/base/log.h"
#include "core/bpfd/bpf/budget.h"
#include "core/bpfd/bpf/kernel_version.h"
#include "core/bpfd/bpf/observe.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#define LOG_FIRST_SIZE (64 * 1024)
#define LOG_LEVEL      1

/* Kernel memory. An instruction takes its own 8 bytes, its native code and the verifier's data; a
 * program takes at least a page for each of the three. */
#define INSN_BYTES 64
#define PROG_BYTES (16 * 1024)

struct prog {
	struct budget *budget;
	uint64_t bytes; /* taken from the budget */
	int fd;
};

static int prog_class_close(void *object, int fd)
{
	prog_free(object);
	return 0;
}

const struct handle_class prog_class = {"program", prog_class_close};

/* Kernels before 5.0 check the version of programs for kprobes. Clients take it from kernel
 * headers, which may be of another build, or do not have it at all. */
uint32_t prog_kern_version(uint32_t type, uint32_t given)
{
	return type == BPF_PROG_TYPE_KPROBE ? kernel_version() : given;
}

int prog_check(bool only_observes, uint32_t type, uint32_t attach_type,
	const struct bpf_insn *insns, size_t count)
{
	const char *beyond = only_observes ? observe_beyond(type, attach_type, insns, count) : NULL;

	if (beyond)
		log_warning("program: refused by the profile: %s", beyond);
	return beyond ? -EPERM : 0;
}

static int load(const struct prog_spec *spec, const char *name, char *log, size_t log_size)
{
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .kern_version = prog_kern_version(spec->type, 0),
		.log_level = log ? LOG_LEVEL : 0, .log_buf = log, .log_size = (uint32_t)log_size);

	return bpf_prog_load((enum bpf_prog_type)spec->type, name, spec->license, spec->insns,
		spec->insn_count, &opts);
}

/* Loads with a log, which grows while the kernel reports ENOSPC; newer kernels keep the end of a
 * log that does not fit. Returns like load(). It can succeed if the cause of the first failure is
 * gone. */
static int load_with_log(const struct prog_spec *spec, size_t log_max, char **log)
{
	size_t size = LOG_FIRST_SIZE < log_max ? LOG_FIRST_SIZE : log_max;
	char *text;
	int fd;

	for (;;) {
		text = malloc(size);
		if (!text)
			return -ENOMEM;
		*text = 0;
		fd = load(spec, spec->name, text, size);
		if (fd != -ENOSPC || size == log_max)
			break;
		free(text);
		size = size < log_max / 2 ? 2 * size : log_max;
	}
	text[size - 1] = 0;
	if (fd >= 0 || !*text) {
		free(text);
		text = NULL;
	}
	*log = text;
	return fd;
}

/* Whether the error can come from the verifier. Other errors leave no log. */
static bool has_log(int err)
{
	return err != -EPERM && err != -ENOMEM && err != -EMFILE && err != -EBADF;
}

static int load_and_explain(const struct prog_spec *spec, size_t log_max, char **log)
{
	struct prog_spec nameless = *spec;
	int fd, err;

	fd = load(spec, spec->name, NULL, 0);
	if ((fd == -EINVAL || fd == -E2BIG) && spec->name) {
		/* The name may be the cause, but the verifier reports EINVAL too. */
		nameless.name = NULL;
		fd = load(&nameless, NULL, NULL, 0);
	}
	if (fd >= 0 || !has_log(fd))
		return fd;
	err = load_with_log(&nameless, log_max, log);
	return err == -ENOMEM || err == -ENOSPC ? fd : err; /* fd: the first error */
}

int prog_reserve(struct prog **prog, uint32_t insn_count, struct budget *budget)
{
	uint64_t bytes = insn_count ? PROG_BYTES + (uint64_t)insn_count * INSN_BYTES : 0;
	struct prog *p = budget_alloc(budget, bytes, sizeof(*p));

	if (!p)
		return -ENOMEM;
	*p = (struct prog){.budget = budget, .bytes = bytes, .fd = -1};
	*prog = p;
	return 0;
}

void prog_adopt(struct prog *prog, int fd)
{
	prog->fd = fd;
}

int prog_load(struct prog **prog, const struct prog_spec *spec, struct budget *budget,
	size_t log_max, char **log)
{
	struct prog *p;
	int err, fd;

	*log = NULL;
	err = prog_reserve(&p, spec->insn_count, budget);
	if (err)
		return err;
	fd = load_and_explain(spec, log_max, log);
	if (fd < 0) {
		prog_free(p);
		return fd;
	}
	prog_adopt(p, fd);
	*prog = p;
	return 0;
}

void prog_free(struct prog *prog)
{
	if (!prog)
		return;
	budget_close(prog->budget, prog->bytes, prog->fd, BUDGET_PROG);
	free(prog);
}

int prog_fd(const struct prog *prog)
{
	return prog->fd;
}

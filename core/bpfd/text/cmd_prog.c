/* SPDX-License-Identifier: Apache-2.0 */
/* The command that loads a program. */
#include "core/bpfd/bpf/handle.h"
#include "core/bpfd/bpf/prog.h"
#include "core/bpfd/bpf/translate.h"
#include "core/bpfd/text/command.h"

#include <errno.h>
#include <linux/bpf.h>
#include <stdlib.h>
#include <string.h>

/* Appends the log to the body, and a newline if it lacks one. */
static void reply_log(struct reply *reply, const char *log)
{
	size_t len = strlen(log);

	reply_bytes(reply, log, len);
	if (len && log[len - 1] != '\n')
		reply_bytes(reply, "\n", 1);
}

/* Copies the program first, because decoded base64 is not aligned for instructions. */
static int load(
	struct bpfd *bpfd, struct prog_spec *spec, const void *program, size_t size, char **log)
{
	struct bpf_insn *insns = malloc(size);
	struct prog *prog;
	int ret;

	if (!insns)
		return -ENOMEM;
	memcpy(insns, program, size);
	spec->insns = insns;
	spec->insn_count = (uint32_t)(size / sizeof(*insns));
	ret = prog_check(bpfd->config.only_observes, spec->type, 0, insns, spec->insn_count);
	if (!ret)
		ret = translate_program(bpfd->handles, insns, spec->insn_count);
	if (!ret)
		ret = prog_load(&prog, spec, &bpfd->memory, bpfd->config.limits.log_bytes, log);
	free(insns);
	if (ret)
		return ret;
	ret = handle_add(bpfd->handles, &prog_class, prog, prog_fd(prog));
	if (ret < 0)
		prog_free(prog);
	return ret;
}

/* TYPE [NAME] LEN LICENSE... KVER PROGRAM. The licence may contain spaces, so the line is read from
 * both ends. There is a NAME if field 3, which would begin the licence without it, is a number. */
void cmd_prog_load(struct bpfd *bpfd, struct args *args)
{
	unsigned int last = args->count - 1, named = args_is_number(args, 3);
	uint32_t type = (uint32_t)args_unsigned(args, 1, 0, UINT32_MAX);
	const char *name = named ? args_text(args, 2) : "__none__";
	size_t size = args_unsigned(args, 2 + named, 1, UINT32_MAX);
	const void *program = args_base64(args, last, size);
	struct prog_spec spec = {.type = type};
	char *log = NULL;
	int ret;

	args_unsigned(args, last - 1, 0, UINT32_MAX); /* KVER is ignored: see prog_kern_version() */
	if (last < 5 + named)
		args_refuse(args, last, "missing");
	if (size % sizeof(struct bpf_insn))
		args_refuse(args, 2 + named, "not a multiple of 8");
	if (args_wrong(args))
		return;
	spec.name = strcmp(name, "__none__") == 0 ? NULL : name;
	spec.license = args_join(args, 3 + named, last - 2);
	ret = load(bpfd, &spec, program, size, &log);
	reply_ret(bpfd->reply, "bpf_prog_load", ret);
	if (log)
		reply_log(bpfd->reply, log);
	free(log);
}

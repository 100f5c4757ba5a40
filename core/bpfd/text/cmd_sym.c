/* SPDX-License-Identifier: Apache-2.0 */
/* Commands that look up symbols of the kernel and of processes. */
#include "core/bpfd/symbols/ksym.h"
#include "core/bpfd/symbols/usym.h"
#include "core/bpfd/text/command.h"

#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>

static void answer_name(struct bpfd *bpfd, const char *what, int result, const char *name,
	uint64_t offset, const char *module)
{
	reply_ret(bpfd->reply, what, result);
	if (!result)
		reply_printf(bpfd->reply, "%s;%" PRIu64 ";%s\n", name, offset, module);
}

static void answer_address(struct bpfd *bpfd, const char *what, int result, uint64_t address)
{
	reply_ret(bpfd->reply, what, result);
	if (!result)
		reply_printf(bpfd->reply, "%" PRIu64 "\n", address);
}

/* ADDRESS */
void cmd_get_ksym_name(struct bpfd *bpfd, struct args *args)
{
	uint64_t address = args_unsigned(args, 1, 0, UINT64_MAX);
	struct ksym_name found = {.name = NULL};
	int result;

	if (args_wrong(args))
		return;
	result = ksym_find_address(bpfd->ksym, address, &found);
	answer_name(bpfd, "GET_KSYM_NAME", result, found.name, found.offset, found.module);
}

/* NAME */
void cmd_get_ksym_addr(struct bpfd *bpfd, struct args *args)
{
	const char *name = args_text(args, 1);
	uint64_t address = 0;
	int result;

	if (args_wrong(args))
		return;
	result = ksym_find_name(bpfd->ksym, name, &address);
	answer_address(bpfd, "GET_KSYM_ADDR", result, address);
}

/* PID ADDRESS DEMANGLE */
void cmd_get_usym_name(struct bpfd *bpfd, struct args *args)
{
	pid_t pid = (pid_t)args_signed(args, 1, -1, INT_MAX);
	uint64_t address = args_unsigned(args, 2, 0, UINT64_MAX);
	bool demangle = args_unsigned(args, 3, 0, 1);
	struct usym_name found = {.name = NULL};
	int result;

	if (args_wrong(args))
		return;
	result = usym_find_address(bpfd->usym, pid, address, demangle, &found);
	answer_name(bpfd, "GET_USYM_NAME", result, found.name, found.offset, found.module);
}

/* PID NAME MODULE. The path of the module may contain spaces. */
void cmd_get_usym_addr(struct bpfd *bpfd, struct args *args)
{
	pid_t pid = (pid_t)args_signed(args, 1, -1, INT_MAX);
	const char *name = args_text(args, 2);
	const char *module = args_join(args, 3, args->count - 1);
	uint64_t address = 0;
	int result;

	if (args_wrong(args))
		return;
	result = usym_find_name(bpfd->usym, pid, name, module, &address);
	answer_address(bpfd, "GET_USYM_ADDR", result, address);
}

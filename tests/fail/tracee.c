/* SPDX-License-Identifier: Apache-2.0 */
/* Stops of traced processes: their calls, forks, and programs that they execute. x86-64 only. */
#include "tests/fail/tracee.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef __x86_64__
#error "fail_nth sets registers of x86-64"
#endif

#define EVENTS                                                                                   \
	(PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEEXEC | PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK | \
		PTRACE_O_TRACEVFORK | PTRACE_O_EXITKILL)
#define CALLERS 8

static struct tracee *find(struct tracer *t, pid_t pid)
{
	struct tracee *unused = NULL;

	for (size_t i = 0; i < TRACEES_MAX; i++) {
		if (t->tracees[i].pid == pid)
			return &t->tracees[i];
		if (!t->tracees[i].pid && !unused)
			unused = &t->tracees[i];
	}
	if (!unused)
		abort();
	*unused = (struct tracee){.pid = pid};
	return unused;
}

void tracer_ended(struct tracer *t, pid_t pid)
{
	find(t, pid)->pid = 0;
}

void tracer_attach(struct tracer *t, pid_t pid)
{
	struct tracee *tracee = find(t, pid);

	if (ptrace(PTRACE_SEIZE, pid, NULL, (void *)EVENTS)) {
		perror("fail_nth: PTRACE_SEIZE");
		exit(125);
	}
	tracee->is_known = true;
}

static void detach(struct tracee *tracee, int signal_number)
{
	ptrace(PTRACE_DETACH, tracee->pid, NULL, (void *)(long)signal_number);
	tracee->pid = 0;
}

/* Lets the process run to its next call, or to its next event if its calls do not count. */
static void go_on(struct tracer *t, struct tracee *tracee, int signal_number)
{
	if (t->has_failed && !tracee->is_failing)
		detach(tracee, signal_number);
	else
		ptrace(tracee->is_started ? PTRACE_SYSCALL : PTRACE_CONT, tracee->pid, NULL,
			(void *)(long)signal_number);
}

/* Returns the offset of main() from the entry point of an ELF file, or 0. */
static long main_offset(const void *file, size_t size)
{
	const char *base = file;
	const Elf64_Ehdr *header = file;
	const Elf64_Shdr *sections = (const void *)(base + header->e_shoff);

	for (unsigned int i = 0; i < header->e_shnum; i++) {
		const Elf64_Sym *symbols = (const void *)(base + sections[i].sh_offset);
		const char *names;

		if (sections[i].sh_type != SHT_SYMTAB)
			continue;
		names = base + sections[sections[i].sh_link].sh_offset;
		for (size_t j = 0; j < sections[i].sh_size / sizeof(*symbols); j++)
			if (strcmp(names + symbols[j].st_name, "main") == 0)
				return (long)(symbols[j].st_value - header->e_entry);
	}
	return 0;
}

static long main_of(const char *program)
{
	int fd = open(program, O_RDONLY | O_CLOEXEC);
	long offset = 0;
	struct stat stat;
	void *file;

	if (fd >= 0 && fstat(fd, &stat) == 0) {
		file = mmap(NULL, (size_t)stat.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
		if (file != MAP_FAILED) {
			offset = main_offset(file, (size_t)stat.st_size);
			munmap(file, (size_t)stat.st_size);
		}
	}
	if (fd >= 0)
		close(fd);
	return offset;
}

/* Returns the entry point of the program in the process, or 0. */
static long entry_of(pid_t pid)
{
	Elf64_auxv_t entry;
	char path[64];
	long found = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/auxv", pid);
	file = fopen(path, "re");
	while (file && fread(&entry, sizeof(entry), 1, file) == 1)
		if (entry.a_type == AT_ENTRY)
			found = (long)entry.a_un.a_val;
	if (file)
		fclose(file);
	return found;
}

/* A program that is not ours is no longer traced. In ours, what the loader does before main() does
 * not count: it would only show what the loader says. */
static void executed(struct tracer *t, struct tracee *tracee)
{
	char link[64], program[4096];
	long entry, offset;
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/%d/exe", tracee->pid);
	n = readlink(link, program, sizeof(program) - 1);
	program[n < 0 ? 0 : n] = '\0';
	tracee->is_started = false;
	if (strncmp(program, t->program, strlen(t->program)) != 0) {
		detach(tracee, 0);
		return;
	}
	entry = entry_of(tracee->pid);
	offset = main_of(program);
	if (!entry || !offset) {
		fprintf(stderr, "fail_nth: %s: has no symbol main\n", program);
		exit(125);
	}
	tracee->main_at = entry + offset;
	tracee->main_code = ptrace(PTRACE_PEEKTEXT, tracee->pid, (void *)tracee->main_at, NULL);
	ptrace(PTRACE_POKETEXT, tracee->pid, (void *)tracee->main_at,
		(void *)((tracee->main_code & ~0xffL) | 0xcc));
	go_on(t, tracee, 0);
}

/* Returns true if the process stands at its main(), and removes the breakpoint. */
static bool is_at_main(struct tracee *tracee)
{
	struct user_regs_struct regs;

	if (!tracee->main_at || ptrace(PTRACE_GETREGS, tracee->pid, NULL, &regs) ||
		(long)regs.rip - 1 != tracee->main_at)
		return false;
	ptrace(PTRACE_POKETEXT, tracee->pid, (void *)tracee->main_at, (void *)tracee->main_code);
	regs.rip--;
	ptrace(PTRACE_SETREGS, tracee->pid, NULL, &regs);
	tracee->main_at = 0;
	tracee->is_started = true;
	return true;
}

static void forked(struct tracer *t, struct tracee *parent)
{
	struct tracee *child;
	unsigned long pid;

	ptrace(PTRACE_GETEVENTMSG, parent->pid, NULL, &pid);
	child = find(t, (pid_t)pid);
	child->is_known = true;
	child->is_started = parent->is_started;
	if (child->is_held)
		go_on(t, child, 0);
	go_on(t, parent, 0);
}

static const char *argument_kind(const struct fail_call *call)
{
	return strcmp(call->kind, "open") == 0 || strcmp(call->kind, "stat") == 0 ||
			       strcmp(call->kind, "dir") == 0 || strcmp(call->kind, "mount") == 0 ||
			       strcmp(call->name, "execve") == 0
		       ? "path"
		       : "number";
}

/* Notes what the call was about: a path if it has one, or its first two arguments. */
static void describe(
	struct tracer *t, const struct tracee *tracee, const struct user_regs_struct *regs)
{
	const char *name = t->call->name;
	size_t length = strlen(name);
	bool at = strcmp(name + length - 2, "at") == 0 || strcmp(name, "openat2") == 0 ||
		  strcmp(name, "faccessat2") == 0 || strcmp(name, "statx") == 0 ||
		  strcmp(name, "newfstatat") == 0;
	char path[64];
	int memory;
	ssize_t n = -1;

	if (strcmp(argument_kind(t->call), "path") == 0) {
		snprintf(path, sizeof(path), "/proc/%d/mem", tracee->pid);
		memory = open(path, O_RDONLY | O_CLOEXEC);
		n = pread(
			memory, t->what, sizeof(t->what) - 1, (off_t)(at ? regs->rsi : regs->rdi));
		close(memory);
	}
	if (n > 0)
		t->what[n] = '\0';
	else
		snprintf(t->what, sizeof(t->what), "%#llx,%#llx", regs->rdi, regs->rsi);
	for (char *c = t->what; *c; c++)
		if (*c <= ' ')
			*c = '_';
	snprintf(path, sizeof(path), "/proc/%d/comm", tracee->pid);
	memory = open(path, O_RDONLY | O_CLOEXEC);
	n = read(memory, t->name, sizeof(t->name) - 1);
	t->name[n > 0 ? n - 1 : 0] = '\0';
	close(memory);
}

/* Follows the frame pointers, which the C library and our programs with sanitizers keep. */
static void note_callers(
	struct tracer *t, const struct tracee *tracee, const struct user_regs_struct *regs)
{
	unsigned long frame = regs->rbp;
	char path[64], line[4200];
	unsigned long base = 0, end = 0, from, to;
	size_t used = 0;
	FILE *maps;

	snprintf(path, sizeof(path), "/proc/%d/maps", tracee->pid);
	maps = fopen(path, "re");
	while (maps && fgets(line, sizeof(line), maps)) {
		if (!strstr(line, t->program) || sscanf(line, "%lx-%lx", &from, &to) != 2)
			continue;
		base = base ? base : from;
		end = to;
	}
	if (maps)
		fclose(maps);
	for (int i = 0; i < CALLERS && frame; i++) {
		unsigned long back;

		errno = 0;
		back = (unsigned long)ptrace(
			PTRACE_PEEKDATA, tracee->pid, (void *)(frame + 8), NULL);
		frame = (unsigned long)ptrace(PTRACE_PEEKDATA, tracee->pid, (void *)frame, NULL);
		if (errno)
			break;
		if (back >= base && back < end && used < sizeof(t->callers) - 20)
			used += (size_t)sprintf(
				t->callers + used, "%s%#lx", used ? "," : "", back - base);
	}
}

/* wait4() with WNOHANG (its third argument) does not wait, so no signal interrupts it. */
static bool never_fails(const struct tracee *tracee, const struct fail_call *call)
{
	struct user_regs_struct regs;

	return call->number == SYS_wait4 && !ptrace(PTRACE_GETREGS, tracee->pid, NULL, &regs) &&
	       regs.rdx & WNOHANG;
}

/* Counts the call that the process is about to make. If it is the n-th, the kernel skips it,
 * because it knows no call of number -1. */
static void entered(struct tracer *t, struct tracee *tracee, long number)
{
	const struct fail_call *call = fail_call_find(t->kind, number);
	struct user_regs_struct regs;

	if (!call || never_fails(tracee, call) || ++t->count != t->nth ||
		ptrace(PTRACE_GETREGS, tracee->pid, NULL, &regs))
		return;
	t->call = call;
	t->pid = tracee->pid;
	while (call->errnos[t->errno_count])
		t->errno_count++;
	t->error = call->errnos[t->errno_index % t->errno_count];
	describe(t, tracee, &regs);
	note_callers(t, tracee, &regs);
	regs.orig_rax = (unsigned long)-1;
	if (ptrace(PTRACE_SETREGS, tracee->pid, NULL, &regs))
		return;
	t->has_failed = true;
	tracee->is_failing = true;
}

static void left(struct tracer *t, struct tracee *tracee)
{
	struct user_regs_struct regs;

	if (!tracee->is_failing || ptrace(PTRACE_GETREGS, tracee->pid, NULL, &regs))
		return;
	regs.rax = (unsigned long)-t->error;
	ptrace(PTRACE_SETREGS, tracee->pid, NULL, &regs);
	tracee->is_failing = false;
}

static void at_call(struct tracer *t, struct tracee *tracee)
{
	struct __ptrace_syscall_info info;

	if (ptrace(PTRACE_GET_SYSCALL_INFO, tracee->pid, (void *)sizeof(info), &info) <= 0)
		return;
	if (info.op == PTRACE_SYSCALL_INFO_ENTRY && !t->has_failed)
		entered(t, tracee, (long)info.entry.nr);
	else if (info.op == PTRACE_SYSCALL_INFO_EXIT)
		left(t, tracee);
}

void tracer_stopped(struct tracer *t, pid_t pid, int status)
{
	struct tracee *tracee = find(t, pid);
	int signal_number = WSTOPSIG(status), event = status >> 16;

	switch (event) {
	case PTRACE_EVENT_EXEC:
		executed(t, tracee);
		return;
	case PTRACE_EVENT_FORK:
	case PTRACE_EVENT_VFORK:
	case PTRACE_EVENT_CLONE:
		forked(t, tracee);
		return;
	case PTRACE_EVENT_STOP:
		if (!tracee->is_known)
			tracee->is_held = true;
		else if (signal_number == SIGTRAP)
			go_on(t, tracee, 0);
		else
			ptrace(PTRACE_LISTEN, pid, NULL, NULL); /* stopped by a signal */
		return;
	default:
		break;
	}
	if (signal_number == (SIGTRAP | 0x80)) {
		at_call(t, tracee);
		signal_number = 0;
	} else if (signal_number == SIGTRAP && is_at_main(tracee)) {
		signal_number = 0;
	}
	go_on(t, tracee, signal_number);
}

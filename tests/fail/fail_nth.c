/* SPDX-License-Identifier: Apache-2.0 */
/* Runs a program and lets one of its calls fail once, without executing it.
 *
 * usage: fail_nth [OPTION]... -k KIND -n N PROGRAM [ARGUMENT]...
 *   -k KIND     kind of the call (see -l), or "alloc": malloc and its like
 *   -n N        which call of that kind fails, counted in all processes from the start of main()
 *   -e I        which errno, as an index into the errnos of the call's manual page
 *   -o FILE     where the report goes (standard error)
 *   -t SECONDS  a program that runs longer hangs (60)
 *   -l          print the kinds
 *
 * Calls are counted in programs named bpfd* of PROGRAM's directory, and in their forks until they
 * exec another program. The report is a line of words NAME=VALUE. The exit status is that of
 * PROGRAM, 128 + N if signal N killed it. After the failure the program is no longer traced, so
 * that LeakSanitizer works. Without a failure it works only for "alloc". */
#include "tests/fail/alloc.h"
#include "tests/fail/calls.h"
#include "tests/fail/tracee.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#define GRACE_S 20 /* processes that are left must end within this time */

struct run {
	struct tracer tracer;
	struct fail_alloc *alloc; /* NULL unless allocations fail */
	char alloc_file[32];
	char program[4096]; /* start of the paths of the programs in which calls are counted */
	const char *report;
	unsigned int limit_s;
	pid_t child;
	int status, left, signal_number;
	bool is_ended, hangs;
	char left_names[128];
};

static volatile sig_atomic_t time_is_up, child_pid;

static void on_alarm(int number)
{
	time_is_up = 1;
}

/* Passes SIGTERM on to the program. */
static void on_term(int number)
{
	if (child_pid)
		kill(child_pid, SIGTERM);
}

static void __attribute__((noreturn)) die(const char *what)
{
	fprintf(stderr, "fail_nth: %s: %s\n", what, strerror(errno));
	exit(125);
}

static void prepare_alloc(struct run *run)
{
	char library[4200];
	int fd;

	strcpy(run->alloc_file, "/tmp/fail_alloc.XXXXXX");
	fd = mkstemp(run->alloc_file);
	if (fd < 0 || ftruncate(fd, sizeof(*run->alloc)))
		die(run->alloc_file);
	run->alloc = mmap(NULL, sizeof(*run->alloc), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (run->alloc == MAP_FAILED)
		die("mmap");
	close(fd);
	run->alloc->nth = run->tracer.nth;
	setenv(FAIL_ALLOC_FILE, run->alloc_file, 1);
	setenv(FAIL_ALLOC_PROGRAM, run->program, 1);
	/* Beside this program, also if the programs under test are those of another build. */
	library[readlink("/proc/self/exe", library, sizeof(library) - 64)] = '\0';
	strcpy(strrchr(library, '/'), "/fail_alloc.so");
	setenv("LD_PRELOAD", library, 1);
}

/* Finds the programs in which calls are counted: bpfd* in the directory of the command. */
static void find_programs(struct run *run, const char *command)
{
	char *slash;

	if (!realpath(command, run->program))
		die(command);
	slash = strrchr(run->program, '/');
	strcpy(slash + 1, "bpfd");
}

static void start(struct run *run, char **command)
{
	int gate[2];
	char byte;

	if (pipe2(gate, O_CLOEXEC))
		die("pipe");
	run->child = fork();
	if (run->child < 0)
		die("fork");
	child_pid = run->child;
	if (run->child == 0) {
		close(gate[1]);
		if (read(gate[0], &byte, 1) != 1)
			_exit(125);
		if (run->alloc)
			prctl(PR_SET_PDEATHSIG, SIGKILL);
		execv(command[0], command);
		_exit(127);
	}
	if (!run->alloc)
		tracer_attach(&run->tracer, run->child);
	if (write(gate[1], "", 1) != 1)
		die("pipe");
	close(gate[0]);
	close(gate[1]);
}

/* Handles the end or a stop of a process. */
static void take(struct run *run, pid_t pid, int status)
{
	if (WIFSTOPPED(status)) {
		tracer_stopped(&run->tracer, pid, status);
		return;
	}
	tracer_ended(&run->tracer, pid);
	if (pid == run->child) {
		child_pid = 0;
		run->is_ended = true;
		run->signal_number = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
		run->status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	}
}

/* Kills all descendants; orphans become children of this process. Their names go to the report. */
static void kill_all(struct run *run)
{
	size_t used = strlen(run->left_names);
	struct dirent *entry;
	DIR *proc = opendir("/proc");

	while (proc && (entry = readdir(proc))) {
		char path[300], name[17] = "?";
		pid_t pid = atoi(entry->d_name), parent = 0;
		FILE *file;

		snprintf(path, sizeof(path), "/proc/%s/stat", entry->d_name);
		file = pid > 0 ? fopen(path, "re") : NULL;
		if (!file)
			continue;
		if (fscanf(file, "%*d (%16[^)]) %*c %d", name, &parent) == 2 &&
			parent == getpid()) {
			kill(pid, SIGKILL);
			if (used + strlen(name) + 2 < sizeof(run->left_names))
				used += (size_t)sprintf(
					run->left_names + used, "%s%s", used ? "," : "", name);
			run->left++;
		}
		fclose(file);
	}
	if (proc)
		closedir(proc);
}

static void wait_for_all(struct run *run)
{
	int status;
	pid_t pid;

	alarm(run->limit_s);
	for (;;) {
		pid = waitpid(-1, &status, __WALL);
		if (pid < 0 && errno == ECHILD)
			return;
		if (pid > 0) {
			bool was_ended = run->is_ended;

			take(run, pid, status);
			if (run->is_ended && !was_ended)
				alarm(GRACE_S);
		}
		if (time_is_up) {
			time_is_up = 0;
			run->hangs |= !run->is_ended;
			kill_all(run);
			alarm(1); /* again: a killed process may leave others */
		}
	}
}

static void print_report(const struct run *run)
{
	const struct tracer *t = &run->tracer;
	FILE *out = run->report ? fopen(run->report, "we") : stderr;

	if (!out)
		die(run->report);
	if (run->alloc) {
		fprintf(out,
			"calls=%lu failed=%d call=%s errno=ENOMEM errnos=1 what=%lu program=- "
			"at=%#lx",
			run->alloc->count, run->alloc->pid != 0,
			run->alloc->pid ? run->alloc->call : "-", run->alloc->size, run->alloc->at);
	} else {
		fprintf(out,
			"calls=%lu failed=%d call=%s errno=%s errnos=%u what=%s program=%s at=%s",
			t->count, t->has_failed, t->call ? t->call->name : "-",
			fail_errno_name(t->error), t->errno_count, t->what[0] ? t->what : "-",
			t->name[0] ? t->name : "-", t->callers[0] ? t->callers : "-");
	}
	fprintf(out, " status=%d hangs=%d left=%d", run->status, run->hangs,
		run->hangs ? 0 : run->left);
	fprintf(out, " signal=%d pid=%d names=%s\n", run->signal_number,
		run->alloc ? run->alloc->pid : t->pid, run->left_names[0] ? run->left_names : "-");
	if (out != stderr)
		fclose(out);
}

int main(int argc, char **argv)
{
	static struct run run = {.limit_s = 60};
	struct sigaction action = {.sa_handler = on_alarm};
	int option;

	while ((option = getopt(argc, argv, "+k:n:e:o:t:l")) != -1) {
		switch (option) {
		case 'k':
			run.tracer.kind = optarg;
			break;
		case 'n':
			run.tracer.nth = strtoul(optarg, NULL, 10);
			break;
		case 'e':
			run.tracer.errno_index = (unsigned int)atoi(optarg);
			break;
		case 'o':
			run.report = optarg;
			break;
		case 't':
			run.limit_s = (unsigned int)atoi(optarg);
			break;
		case 'l':
			fail_call_print_kinds();
			return 0;
		default:
			return 125;
		}
	}
	if (optind == argc || !run.tracer.kind) {
		fprintf(stderr,
			"usage: fail_nth [-e I] [-o FILE] [-t SECONDS] -k KIND -n N PROGRAM...\n");
		return 125;
	}
	sigaction(SIGALRM, &action, NULL);
	action.sa_handler = on_term;
	sigaction(SIGTERM, &action, NULL);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	find_programs(&run, argv[optind]);
	run.tracer.program = run.program;
	if (strcmp(run.tracer.kind, "alloc") == 0)
		prepare_alloc(&run);
	start(&run, argv + optind);
	wait_for_all(&run);
	print_report(&run);
	if (run.alloc)
		unlink(run.alloc_file);
	return run.status;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* A tool for sessions of bpfd-run: makes the calls that tools make and prints what they return.
 *
 * It ends with status 1 and a message at the first call that fails. Every answer differs from the
 * workstation's, or there is none without a board. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/perf_event.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#define ADDRESS(pointer) ((uint64_t)(uintptr_t)(pointer))

static long check(const char *what, long result)
{
	if (result < 0) {
		fprintf(stderr, "tool: %s: %s\n", what, strerror(errno));
		exit(1);
	}
	return result;
}

static long call_bpf(const char *what, int command, union bpf_attr *attr)
{
	return check(what, syscall(SYS_bpf, command, attr, sizeof(*attr)));
}

static int make_map(const char *what, unsigned int type, unsigned int key, unsigned int value,
	unsigned int max, unsigned int flags)
{
	union bpf_attr attr = {.map_type = type,
		.key_size = key,
		.value_size = value,
		.max_entries = max,
		.map_flags = flags};

	return (int)call_bpf(what, BPF_MAP_CREATE, &attr);
}

static void print_file(const char *path)
{
	char data[256];
	size_t sum = 0, size = 0;
	struct stat stat_path;
	ssize_t n;
	int fd = (int)check(path, open(path, O_RDONLY | O_CLOEXEC));

	while ((n = check(path, read(fd, data, sizeof(data)))) > 0)
		for (size += (size_t)n; n > 0; n--)
			sum = sum * 31 + (unsigned char)data[n - 1];
	close(fd);
	check(path, stat(path, &stat_path));
	printf("%s: %zu bytes, %zx, mode %o\n", path, size, sum, stat_path.st_mode);
}

static void print_directory(const char *path)
{
	struct dirent *entry;
	unsigned int count = 0;
	DIR *directory = opendir(path);

	check(path, directory ? 0 : -1);
	while ((errno = 0, entry = readdir(directory)))
		count++;
	check(path, errno ? -1 : 0);
	closedir(directory);
	printf("%s: %u entries\n", path, count);
}

static void use_maps(void)
{
	int hash = make_map("hash", BPF_MAP_TYPE_HASH, 4, 8, 16, 0);
	int array = make_map("array", BPF_MAP_TYPE_ARRAY, 4, 8, 4, BPF_F_MMAPABLE);
	uint32_t key = 7, next = 0;
	uint64_t value = 42, found = 0, *memory;
	union bpf_attr attr = {
		.map_fd = (uint32_t)hash, .key = ADDRESS(&key), .value = ADDRESS(&value)};
	struct bpf_map_info info = {0};

	call_bpf("update", BPF_MAP_UPDATE_ELEM, &attr);
	attr.value = ADDRESS(&found);
	call_bpf("lookup", BPF_MAP_LOOKUP_ELEM, &attr);
	attr = (union bpf_attr){.map_fd = (uint32_t)hash, .next_key = ADDRESS(&next)};
	call_bpf("next key", BPF_MAP_GET_NEXT_KEY, &attr);
	printf("lookup: %lu, next key: %u\n", (unsigned long)found, next);
	attr = (union bpf_attr){.info = {.bpf_fd = (uint32_t)array,
					.info_len = sizeof(info),
					.info = ADDRESS(&info)}};
	call_bpf("info", BPF_OBJ_GET_INFO_BY_FD, &attr);
	printf("info: %u %u %u\n", info.type, info.value_size, info.max_entries);
	memory = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, array, 0);
	check("mmap of the array", memory == MAP_FAILED ? -1 : 0);
	memory[2] = 5;
	key = 2;
	attr = (union bpf_attr){
		.map_fd = (uint32_t)array, .key = ADDRESS(&key), .value = ADDRESS(&found)};
	/* What the tool writes reaches the board after some time. */
	for (int i = 0; i < 1000 && found != 5; i++) {
		usleep(10000);
		call_bpf("lookup of mapped memory", BPF_MAP_LOOKUP_ELEM, &attr);
	}
	printf("mapped: %lu\n", (unsigned long)found);
}

static void use_program(void)
{
	const uint64_t code[] = {0xb7, 0x95};
	char log[4096] = "";
	union bpf_attr attr = {.prog_type = BPF_PROG_TYPE_PERF_EVENT,
		.insn_cnt = 2,
		.insns = ADDRESS(code),
		.license = ADDRESS("GPL"),
		.log_level = 1,
		.log_size = sizeof(log),
		.log_buf = ADDRESS(log)};
	struct perf_event_attr event = {.type = PERF_TYPE_SOFTWARE,
		.size = sizeof(event),
		.config = PERF_COUNT_SW_DUMMY,
		.sample_period = 1};
	struct perf_event_mmap_page *ring;
	int program, fd, poller;
	struct epoll_event wanted = {.events = EPOLLIN}, got;

	program = (int)call_bpf("program", BPF_PROG_LOAD, &attr);
	printf("program: %s", strchr(log, '\n') ? "with a log\n" : "without a log\n");
	fd = (int)check(
		"event", syscall(SYS_perf_event_open, &event, -1, 0, -1, PERF_FLAG_FD_CLOEXEC));
	check("program of the event", ioctl(fd, PERF_EVENT_IOC_SET_BPF, program));
	check("enable", ioctl(fd, PERF_EVENT_IOC_ENABLE, 0));
	ring = mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	check("mmap of the event", ring == MAP_FAILED ? -1 : 0);
	printf("ring: %lu bytes, head %lu\n", (unsigned long)ring->data_size,
		(unsigned long)ring->data_head);
	poller = (int)check("epoll", epoll_create1(EPOLL_CLOEXEC));
	check("epoll_ctl", epoll_ctl(poller, EPOLL_CTL_ADD, fd, &wanted));
	printf("ready: %ld\n", check("epoll_wait", epoll_wait(poller, &got, 1, 1)));
}

static void use_child(void)
{
	int status;
	pid_t pid = (pid_t)check("fork", fork());
	struct utsname uts;

	if (pid == 0) {
		check("uname in the child", uname(&uts));
		printf("child: %s\n", uts.nodename);
		fflush(stdout);
		_exit(0);
	}
	check("waitpid", waitpid(pid, &status, 0));
	if (status)
		exit(1);
}

int main(void)
{
	struct utsname uts;

	check("uname", uname(&uts));
	printf("name: %s\n", uts.nodename);
	print_file("/proc/version");
	print_file("/proc/kallsyms");
	print_directory("/sys/kernel/mm");
	use_maps();
	use_program();
	fflush(stdout);
	use_child();
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Reads the files of the kernel that the commands are about. */
#ifndef CORE_BPFD_FILES_FILE_H
#define CORE_BPFD_FILES_FILE_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define FILE_COMM_SIZE 128 /* a kernel worker has its queue's name behind its own */

#define FILE_CPUS_SIZE 256

struct paths;

/* Receives the next bytes; a negative errno ends the reading. */
typedef int (*file_sink)(void *arg, const void *data, size_t size);

/* Receives one name; a negative errno ends the listing. */
typedef int (*file_name_sink)(void *arg, const char *name);

/* Whether the name is one path component of letters, digits, '_', '.' and '-', and not dots. */
bool file_is_name(const char *name);

/* Reads a small file whole and ends it with a NUL. Returns its size, -EFBIG if it does not fit
 * into size - 1 bytes, or what open(2) or read(2) fail with. */
ssize_t file_read(const char *path, char *text, size_t size);

/* Hands the rest of fd to the sink, piece by piece. Returns 0, the sink's or read(2)'s error. */
int file_copy(int fd, file_sink sink, void *arg);

/* Hands the names of the directories in a directory to the sink, sorted. Returns 0, the sink's
 * error, -ENOMEM, or what reading it fails with. */
int file_list_directories(const char *path, file_name_sink sink, void *arg);

/* Opens <proc>/kallsyms. Returns the descriptor or a negative errno. */
int file_open_kallsyms(const struct paths *paths);

/* Opens the list of functions that cannot be probed, which lies beside the tracefs directory
 * `asked` (checked by file_tracefs()) or in debugfs. Returns the descriptor or an errno. */
int file_open_blacklist(const struct paths *paths, const char *asked);

/* Chooses the tracefs directory. asked is NULL or what a client names: the usual two names and
 * the configured one all mean the board's tracefs, another path must be in a mounted tracefs
 * or debugfs. Returns 0, -EACCES for any other path, -ENOENT: tracefs is not mounted. */
int file_tracefs(const struct paths *paths, const char *asked, char root[PATH_MAX]);

/* The name of a process; control characters in it become '?'. Returns 0 or the errno. */
int file_comm(const struct paths *paths, pid_t pid, char comm[FILE_COMM_SIZE]);

/* The kernel's list of the CPUs that are online, like "0-3,6"; "?" if it cannot be read. */
void file_online_cpus(const struct paths *paths, char list[FILE_CPUS_SIZE]);

/* The number of a PMU for perf_event_open(2), or what reading it fails with. */
int file_pmu_type(const struct paths *paths, const char *pmu);

/* When a process started, in clock ticks since boot; pid 0 is the caller. Returns 0; -ENOENT:
 * no such process; -EINVAL: the file makes no sense; or the errno. */
int file_start_time(const char *proc, pid_t pid, uint64_t *start);

#endif

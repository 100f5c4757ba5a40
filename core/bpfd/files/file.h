/* SPDX-License-Identifier: Apache-2.0 */
/* Reads files of /proc, /sys and tracefs that the operations need. */
#ifndef CORE_BPFD_FILES_FILE_H
#define CORE_BPFD_FILES_FILE_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define FILE_COMM_SIZE 128 /* bytes; the name of a kernel worker includes that of its queue */
#define FILE_CPUS_SIZE 256 /* bytes */

struct paths;

/* Receives the next bytes; a negative errno ends the reading. */
typedef int (*file_sink)(void *arg, const void *data, size_t size);

/* Receives one name; a negative errno ends the listing. */
typedef int (*file_name_sink)(void *arg, const char *name);

/* True if the name is one path component: letters, digits, '_', '.' and '-', not dots alone. */
bool file_is_name(const char *name);

/* Reads a small file whole and adds a NUL. Returns its size; -EFBIG: it does not fit into size - 1
 * bytes; or the errno of open(2) or read(2). */
ssize_t file_read(const char *path, char *text, size_t size);

/* Reads a file of any size whole and adds a NUL. Returns 0 and *text, which the caller frees; or
 * -ENOMEM, or the errno of open(2) or read(2). */
int file_read_all(const char *path, char **text);

/* Hands the rest of fd to the sink, piece by piece. Returns 0, the sink's or read(2)'s error. */
int file_copy(int fd, file_sink sink, void *arg);

/* Hands the names of the directories in a directory to the sink, sorted. Returns 0, the sink's
 * error, -ENOMEM, or the errno of reading the directory. */
int file_list_directories(const char *path, file_name_sink sink, void *arg);

/* Opens <proc>/kallsyms. Returns the descriptor or a negative errno. */
int file_open_kallsyms(const struct paths *paths);

/* Opens the list of functions that cannot be probed. It is beside the tracefs directory `asked`, as
 * in file_tracefs(), or in debugfs. Returns the descriptor or a negative errno. */
int file_open_blacklist(const struct paths *paths, const char *asked);

/* Chooses the tracefs directory. `asked` is NULL or the path that a client names. NULL, the two
 * usual paths and the configured path mean the board's tracefs; another path must be in a mounted
 * tracefs or debugfs. Returns 0; -EACCES: any other path; -ENOENT: tracefs is not mounted. */
int file_tracefs(const struct paths *paths, const char *asked, char root[PATH_MAX]);

/* Reads the name of a process. Control characters become '?'. Returns 0 or a negative errno. */
int file_comm(const struct paths *paths, pid_t pid, char comm[FILE_COMM_SIZE]);

/* Reads the kernel's list of online CPUs, such as "0-3,6"; "?" if it cannot be read. */
void file_online_cpus(const struct paths *paths, char list[FILE_CPUS_SIZE]);

/* Returns the type of a PMU for perf_event_open(2), or a negative errno. */
int file_pmu_type(const struct paths *paths, const char *pmu);

/* Reads when a process started, in clock ticks since boot; pid 0 is the caller. Returns 0; -ENOENT:
 * no such process; -EINVAL: the file has another format; or a negative errno. */
int file_start_time(const char *proc, pid_t pid, uint64_t *start);

#endif

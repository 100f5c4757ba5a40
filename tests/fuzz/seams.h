/* SPDX-License-Identifier: Apache-2.0 */
/* Replacements for functions of the C library and of libbpf in fuzzers; see `seams`. */
#ifndef TESTS_FUZZ_SEAMS_H
#define TESTS_FUZZ_SEAMS_H

#include <bpf/bpf.h>
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/vfs.h>

/* tree.c */
typedef int scandir_filter(const struct dirent *entry);
typedef int scandir_order(const struct dirent **a, const struct dirent **b);

int fuzz_open(const char *path, int flags, ...);
FILE *fuzz_fopen(const char *path, const char *mode);
int fuzz_stat(const char *path, struct stat *st);
int fuzz_statfs(const char *path, struct statfs *fs);
int fuzz_access(const char *path, int mode);
ssize_t fuzz_readlink(const char *path, char *target, size_t size);
char *fuzz_realpath(const char *path, char *real);
DIR *fuzz_opendir(const char *path);
int fuzz_scandir(
	const char *path, struct dirent ***entries, scandir_filter *filter, scandir_order *order);

/* kernel.c */
long fuzz_syscall(long number, ...);
int fuzz_ioctl(int fd, unsigned long request, ...);
int fuzz_setrlimit(int resource, const void *limit);
int fuzz_map_create(enum bpf_map_type type, const char *name, __u32 key_size, __u32 value_size,
	__u32 max_entries, const struct bpf_map_create_opts *opts);
int fuzz_map_lookup_elem(int fd, const void *key, void *value);
int fuzz_map_update_elem(int fd, const void *key, const void *value, __u64 flags);
int fuzz_map_delete_elem(int fd, const void *key);
int fuzz_map_get_next_key(int fd, const void *key, void *next);
int fuzz_map_lookup_batch(int fd, void *in, void *out, void *keys, void *values, __u32 *count,
	const struct bpf_map_batch_opts *opts);
int fuzz_map_lookup_and_delete_batch(int fd, void *in, void *out, void *keys, void *values,
	__u32 *count, const struct bpf_map_batch_opts *opts);
int fuzz_prog_load(enum bpf_prog_type type, const char *name, const char *license,
	const struct bpf_insn *insns, size_t count, const struct bpf_prog_load_opts *opts);
int fuzz_obj_get_info(int fd, void *info, __u32 *size);
int fuzz_map_get_next_id(__u32 id, __u32 *next);
int fuzz_prog_get_next_id(__u32 id, __u32 *next);
int fuzz_btf_get_next_id(__u32 id, __u32 *next);
int fuzz_num_possible_cpus(void);
int seccomp_notify_id_valid(int fd, uint64_t id);

#endif

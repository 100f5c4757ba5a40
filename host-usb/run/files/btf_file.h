/* SPDX-License-Identifier: Apache-2.0 */
/* Checks the board's files of BTF. Modules need the types of the kernel. */
#ifndef HOST_USB_RUN_FILES_BTF_FILE_H
#define HOST_USB_RUN_FILES_BTF_FILE_H

struct btf_types;

#define BTF_FILE_DIRECTORY "/sys/kernel/btf/"
#define BTF_FILE_KERNEL	   BTF_FILE_DIRECTORY "vmlinux"

struct btf_files {
	struct btf_types *kernel; /* as tools have read it; NULL before that */
	/* Opens the kernel's BTF, a copy or the board's file. Returns a descriptor or a negative
	 * errno. */
	int (*open_kernel)(void *arg);
	void *arg;
};

/* Checks `fd`, the contents of the board's file at `path`, if that is BTF. Returns 0; -EIO after
 * logging if a tool must not read it; or another negative errno. */
int btf_file_check(struct btf_files *files, const char *path, int fd);

#endif

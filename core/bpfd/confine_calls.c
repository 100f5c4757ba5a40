/* SPDX-License-Identifier: Apache-2.0 */
/* The seccomp filter of a session.
 * libseccomp could build it, but knows the numbers of all architectures, which adds 115 KiB to a
 * static program. */
#include "core/bpfd/confine.h"

#include <asm/termbits.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)
#define ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__i386__)
#define ARCHITECTURE AUDIT_ARCH_I386
#elif defined(__aarch64__) && __BYTE_ORDER == __LITTLE_ENDIAN
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#elif defined(__ARM_EABI__) && __BYTE_ORDER == __LITTLE_ENDIAN
#define ARCHITECTURE AUDIT_ARCH_ARM
#elif defined(__riscv) && __riscv_xlen == 64
#define ARCHITECTURE AUDIT_ARCH_RISCV64
#elif defined(__mips__) && _MIPS_SIM == _ABIO32 && __BYTE_ORDER == __LITTLE_ENDIAN
#define ARCHITECTURE AUDIT_ARCH_MIPSEL
#elif defined(__mips__) && _MIPS_SIM == _ABIO32
#define ARCHITECTURE AUDIT_ARCH_MIPS
#elif defined(__powerpc64__) && __BYTE_ORDER == __LITTLE_ENDIAN
#define ARCHITECTURE AUDIT_ARCH_PPC64LE
#endif

#ifndef ARCHITECTURE
int confine_calls(bool names)
{
	(void)names;
	return -ENOSYS;
}
#else

/* Sanitizers make calls of their own, mostly when the process ends. */
#if defined(__SANITIZE_ADDRESS__)
#define OTHERWISE	 SECCOMP_RET_ALLOW
#define REFUSED_OF_FILES 0
#else
#define OTHERWISE	 (SECCOMP_RET_ERRNO | ENOSYS)
#define REFUSED_OF_FILES (O_ACCMODE | O_CREAT | O_TRUNC)
#endif
#define REFUSED (SECCOMP_RET_ERRNO | EPERM)

#ifndef PR_SET_VMA /* glibc uses it to name its memory */
#define PR_SET_VMA 0x53564d41
#endif
#ifndef SECCOMP_FILTER_FLAG_SPEC_ALLOW
#define SECCOMP_FILTER_FLAG_SPEC_ALLOW (1UL << 2)
#endif

/* Calls that are allowed with any argument, the most frequent ones first. Old architectures also
 * have older calls, and 32-bit architectures also have calls for 64-bit times and offsets. */
static const int calls[] = {
	__NR_read,
	__NR_write,
	__NR_bpf,
#ifdef __NR_poll
	__NR_poll,
#endif
	__NR_ppoll,
#ifdef __NR_ppoll_time64
	__NR_ppoll_time64,
#endif
	__NR_perf_event_open,
	__NR_close,
	__NR_munmap,
	__NR_brk,
	__NR_madvise,
	__NR_mremap,
	/* Files; the calls that open them are in checked[]. */
	__NR_pread64,
	__NR_readv,
	__NR_writev,
	__NR_lseek,
#ifdef __NR__llseek
	__NR__llseek,
#endif
	__NR_dup,
	__NR_fstat,
#ifdef __NR_fstat64
	__NR_fstat64,
#endif
#ifdef __NR_stat
	__NR_stat,
	__NR_lstat,
#endif
#ifdef __NR_stat64
	__NR_stat64,
	__NR_lstat64,
#endif
#ifdef __NR_newfstatat
	__NR_newfstatat,
#endif
#ifdef __NR_fstatat64
	__NR_fstatat64,
#endif
#ifdef __NR_statx
	__NR_statx,
#endif
	__NR_statfs,
	__NR_fstatfs,
#ifdef __NR_statfs64
	__NR_statfs64,
	__NR_fstatfs64,
#endif
#ifdef __NR_access
	__NR_access,
#endif
	__NR_faccessat,
#ifdef __NR_faccessat2
	__NR_faccessat2,
#endif
#ifdef __NR_readlink
	__NR_readlink,
#endif
	__NR_readlinkat,
#ifdef __NR_getdents
	__NR_getdents,
#endif
	__NR_getdents64,
	__NR_getcwd,
	/* Time */
	__NR_clock_gettime,
#ifdef __NR_clock_gettime64
	__NR_clock_gettime64,
#endif
	__NR_gettimeofday,
#ifdef __NR_time
	__NR_time,
#endif
	__NR_nanosleep,
	__NR_clock_nanosleep,
#ifdef __NR_clock_nanosleep_time64
	__NR_clock_nanosleep_time64,
#endif
	__NR_setitimer,
	/* Signals, the process itself */
	__NR_rt_sigaction,
	__NR_rt_sigprocmask,
	__NR_rt_sigreturn,
#ifdef __NR_sigreturn
	__NR_sigreturn,
#endif
	__NR_restart_syscall,
	__NR_futex,
#ifdef __NR_futex_time64
	__NR_futex_time64,
#endif
	__NR_getrandom,
	__NR_getpid,
	__NR_gettid,
	__NR_getuid,
	__NR_geteuid,
	__NR_getgid,
	__NR_getegid,
#ifdef __NR_getuid32
	__NR_getuid32,
	__NR_geteuid32,
	__NR_getgid32,
	__NR_getegid32,
#endif
	__NR_uname,
	__NR_sysinfo,
	__NR_sched_getaffinity,
	__NR_sched_yield,
#ifdef __NR_getrlimit
	__NR_getrlimit,
#endif
#ifdef __NR_ugetrlimit
	__NR_ugetrlimit,
#endif
#ifdef __NR_setrlimit
	__NR_setrlimit,
#endif
	__NR_exit,
	__NR_exit_group,
};

/* Calls that change names in directories. */
static const int name_calls[] = {__NR_unlinkat, __NR_mkdirat, __NR_renameat2};

enum check {
	NO_BITS, /* none of these bits is set */
	VALUE,	 /* it is one of these values */
	SELF,	 /* it is 0 or this process's id */
};

#define VALUES_MAX 12

#ifdef TCGETS2 /* tcgetattr(3) and tcsetattr(3) of glibc 2.42 call these; powerpc has none */
#define TERMIOS2 TCGETS2, TCSETS2, TCSETSW2, TCSETSF2
#else
#define TERMIOS2 0
#endif

/* A call that is allowed if one of its arguments passes a check. The kernel uses only the lower 32
 * bits of each argument that is checked here. */
struct allowed_call {
	int number, argument; /* arguments count from 0 */
	enum check check;
	uint32_t values[VALUES_MAX]; /* 0 ends the list */
};

static const struct allowed_call checked[] = {
	{__NR_openat, 2, NO_BITS, {REFUSED_OF_FILES}},
#ifdef __NR_open
	{__NR_open, 1, NO_BITS, {REFUSED_OF_FILES}},
#endif
#ifdef __NR_mmap2
	{__NR_mmap2, 2, NO_BITS, {PROT_EXEC}},
#else
	{__NR_mmap, 2, NO_BITS, {PROT_EXEC}},
#endif
	{__NR_mprotect, 2, NO_BITS, {PROT_EXEC}},
	/* The terminal's modes; put_checked() allows those of perf events. */
	{__NR_ioctl, 1, VALUE, {TCGETS, TCSETS, TCSETSW, TCSETSF, TIOCGWINSZ, TERMIOS2}},
	/* Not F_SETOWN: the owner would receive signals. */
	{__NR_fcntl, 1, VALUE, {F_DUPFD_CLOEXEC, F_GETFD, F_SETFD, F_GETFL, F_SETFL}},
#ifdef __NR_fcntl64
	{__NR_fcntl64, 1, VALUE, {F_DUPFD_CLOEXEC, F_GETFD, F_SETFD, F_GETFL, F_SETFL}},
#endif
	{__NR_prctl, 0, VALUE, {PR_GET_NAME, PR_SET_NAME, PR_SET_VMA}},
	{__NR_sched_setaffinity, 0, SELF, {0}},
	{__NR_prlimit64, 0, SELF, {0}},
	/* raise(3) and abort(3) */
	{__NR_tgkill, 0, SELF, {0}},
	{__NR_tkill, 0, SELF, {0}},
};

#define CALL_COUNT    (sizeof(calls) / sizeof(calls[0]))
#define NAME_COUNT    (sizeof(name_calls) / sizeof(name_calls[0]))
#define CHECKED_COUNT (sizeof(checked) / sizeof(checked[0]))

/* A checked call takes two instructions for each value and up to 8 more. */
#define CODE_MAX      (8 + 2 * (CALL_COUNT + NAME_COUNT) + CHECKED_COUNT * (2 * VALUES_MAX + 8))

struct code {
	struct sock_filter at[CODE_MAX];
	unsigned short count;
};

static void put(struct code *code, unsigned int instruction, uint32_t value, unsigned int yes,
	unsigned int no)
{
	code->at[code->count++] = (struct sock_filter){
		(unsigned short)instruction, (unsigned char)yes, (unsigned char)no, value};
}

static void put_load(struct code *code, size_t offset)
{
	put(code, BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset, 0, 0);
}

static void put_return(struct code *code, uint32_t action)
{
	put(code, BPF_RET | BPF_K, action, 0, 0);
}

static void put_allow_value(struct code *code, uint32_t value)
{
	put(code, BPF_JMP | BPF_JEQ | BPF_K, value, 0, 1);
	put_return(code, SECCOMP_RET_ALLOW);
}

static size_t argument_offset(int argument)
{
	size_t low = __BYTE_ORDER == __LITTLE_ENDIAN ? 0 : 4;

	return offsetof(struct seccomp_data, args) + 8 * (size_t)argument + low;
}

/* Expects the number of the call in the accumulator, and leaves it there if it is another call. */
static void put_checked(struct code *code, const struct allowed_call *call)
{
	unsigned short skip = code->count;

	put(code, BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)call->number, 0, 0);
	put_load(code, argument_offset(call->argument));
	if (call->check == NO_BITS) {
		put(code, BPF_JMP | BPF_JSET | BPF_K, call->values[0], 1, 0);
		put_return(code, SECCOMP_RET_ALLOW);
	} else if (call->check == SELF) {
		put_allow_value(code, 0);
		put_allow_value(code, (uint32_t)getpid());
	} else {
		for (int i = 0; i < VALUES_MAX && call->values[i]; i++)
			put_allow_value(code, call->values[i]);
	}
	if (call->number == __NR_ioctl) { /* all ioctls of perf events: _IO('$', ...) */
		put(code, BPF_ALU | BPF_AND | BPF_K, 0xff00, 0, 0);
		put_allow_value(code, '$' << 8);
	}
	put_return(code, REFUSED);
	code->at[skip].jf = (unsigned char)(code->count - skip - 1);
}

static void make_code(struct code *code, bool names)
{
	code->count = 0;
	put_load(code, offsetof(struct seccomp_data, arch));
	put(code, BPF_JMP | BPF_JEQ | BPF_K, ARCHITECTURE, 1, 0);
	put_return(code, REFUSED); /* numbers of another architecture */
	put_load(code, offsetof(struct seccomp_data, nr));
	for (size_t i = 0; i < CALL_COUNT; i++)
		put_allow_value(code, (uint32_t)calls[i]);
	for (size_t i = 0; names && i < NAME_COUNT; i++)
		put_allow_value(code, (uint32_t)name_calls[i]);
	for (size_t i = 0; i < CHECKED_COUNT; i++)
		put_checked(code, &checked[i]);
	put_return(code, OTHERWISE);
}

/* SPEC_ALLOW (Linux 4.17) stops kernels before 5.16 from enabling costly Spectre mitigations for
 * the process, which are meant for untrusted code. */
static int install(const struct code *code)
{
	struct sock_fprog program = {code->count, (struct sock_filter *)code->at};

#ifdef __NR_seccomp
	if (!syscall(__NR_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_SPEC_ALLOW,
		    &program))
		return 0;
#endif
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0 ? -errno : 0;
}

int confine_calls(bool names)
{
	struct code code;

	make_code(&code, names);
	return install(&code);
}

#endif

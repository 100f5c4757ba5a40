/* SPDX-License-Identifier: Apache-2.0 */
/* Library of the benchmarks: rows, input for a program, programs that answer over pipes.
 *
 * Any error ends the program with a message. */
#ifndef TESTS_BENCH_BENCH_H
#define TESTS_BENCH_BENCH_H

#include <linux/bpf.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/types.h>

#define ROUNDS 7

void fail(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

/* Returns seconds since an unspecified start. */
double now(void);

/* Binds this process and those that it starts to the first processor, or unbinds them. */
void one_processor(bool on);

struct samples {
	double value[ROUNDS];
};

/* Returns samples that are all the same value. */
struct samples always(double value);

/* Sorts the samples and returns their median. */
double median(struct samples *s);

/* Prints a row: a JSON object. Its ratio is the median of ours divided by that of the base; aim
 * says what the ratio should be, or is empty. */
void row(const char *name, const char *unit, struct samples *ours, const char *base_name,
	struct samples *base, const char *aim);

/* Prints a point of a series. */
void point(const char *series, double x, double y, const char *unit);

/* Returns a file without a name, as input that a program can read at full speed. */
FILE *input_new(void);

/* Returns the seconds that the program takes for all of its input, with its output in a file. */
double run(const char *program, FILE *input);

/* Returns memory in KiB from /proc/PID/status; `what` is VmRSS or VmHWM. */
long memory_of(pid_t pid, const char *what);

/* Encodes at most 700 bytes. The result is valid until the call after the next. */
const char *base64(const void *data, size_t size);

/* Calls bpf(2). sys_bpf returns -1 with errno, must_bpf exits on errors. */
int sys_bpf(int command, union bpf_attr *attr);
int must_bpf(int command, union bpf_attr *attr);

/* A program at the other end of two pipes. */
struct peer {
	pid_t pid;
	int in, out; /* the program's stdin and stdout */
};

/* Starts the program, or with NULL a process that sends its input back. */
struct peer peer_start(const char *program);
/* Starts bpfd and reads its first line. */
struct peer bpfd_start(const char *program);
void peer_stop(struct peer *peer);

void peer_send(struct peer *peer, const char *text, size_t size);

/* Reads until the data ends with `end`. Returns the data, of long data its end, valid until the
 * next call. Adds the number of lines to *lines unless that is NULL. */
const char *peer_until(struct peer *peer, const char *end, unsigned int *lines);

/* Sends a command and returns the number in its reply, which must not be negative. */
int peer_ask(struct peer *peer, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Returns the seconds of processor time that the peer has used. */
double peer_cpu(const struct peer *peer);

/* Sends a file of commands and reads all replies. */
void peer_feed(struct peer *peer, FILE *input);

/* The end of a reply. */
extern const char reply_end[];

/* Sends the line `count` times, each after the previous reply. Returns the seconds per line. */
double round_trips(struct peer *peer, const char *line, const char *end, unsigned int count);

#endif

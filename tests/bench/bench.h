/* SPDX-License-Identifier: Apache-2.0 */
/* What benchmarks share: rows, input for a program, programs that answer over pipes. Whatever fails
 * ends the program with a message. */
#ifndef TESTS_BENCH_BENCH_H
#define TESTS_BENCH_BENCH_H

#include <linux/bpf.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/types.h>

#define ROUNDS 7

void fail(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

/* Seconds, from some start. */
double now(void);

/* Keeps this process and those that it starts on the first processor, or lets them go again. */
void one_processor(bool on);

struct samples {
	double value[ROUNDS];
};

/* The same each time, as what a row aims at. */
struct samples always(double value);

/* Sorts them. */
double median(struct samples *s);

/* Prints a row: a JSON object. Its ratio is that of the medians, ours to the base's; aim says what
 * it should be, or is empty. */
void row(const char *name, const char *unit, struct samples *ours, const char *base_name,
	struct samples *base, const char *aim);

/* Prints a point of a series, as how cost grows with size. */
void point(const char *series, double x, double y, const char *unit);

/* A file without a name, as input for a program: it is read as fast as it goes. */
FILE *input_new(void);

/* Seconds that the program takes for all of its input, with its output going into a file. */
double run(const char *program, FILE *input);

/* KiB, of /proc/PID/status: `what` is VmRSS or VmHWM. */
long memory_of(pid_t pid, const char *what);

/* At most 700 bytes. Valid until the call after the next. */
const char *base64(const void *data, size_t size);

/* bpf(2): the first returns -1 with errno. */
int sys_bpf(int command, union bpf_attr *attr);
int must_bpf(int command, union bpf_attr *attr);

/* A program at the other end of two pipes. */
struct peer {
	pid_t pid;
	int in, out; /* its standard input and output */
};

/* program NULL: one that sends back what it gets. */
struct peer peer_start(const char *program);
/* The same, after bpfd's first line. */
struct peer bpfd_start(const char *program);
void peer_stop(struct peer *peer);

void peer_send(struct peer *peer, const char *text, size_t size);

/* Reads until what has come ends with `end`. Returns it, or if it is long its end, until the next
 * call; adds its lines to *lines unless that is NULL. */
const char *peer_until(struct peer *peer, const char *end, unsigned int *lines);

/* Sends a command and takes the number that its reply returns, which must not be negative. */
int peer_ask(struct peer *peer, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Seconds of processor time that it has used. */
double peer_cpu(const struct peer *peer);

/* Sends all of a file of commands, and reads the replies to the last of them. */
void peer_feed(struct peer *peer, FILE *input);

/* What a reply ends with. */
extern const char reply_end[];

/* Sends the line `count` times, each after the reply to the one before. Returns the seconds of one.
 */
double round_trips(struct peer *peer, const char *line, const char *end, unsigned int count);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* Causes events to count: rare system calls, and calls of its own function. */
#define TRIGGER_SLOW_NS 1000000
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int trigger_point(int n);
int trigger_wait(void);

/* The function for uprobes. */
__attribute__((noinline)) int trigger_point(int n)
{
	__asm__ volatile("" : "+r"(n));
	return n + 1;
}

__attribute__((noinline)) int trigger_wait(void)
{
	char c;

	return read(STDIN_FILENO, &c, 1) == 1;
}

/* Advances *next by the time of `done` events and waits until then. */
static void trigger_pace(struct timespec *next, long done, long per_second)
{
	next->tv_nsec += done * (1000000000 / per_second);
	next->tv_sec += next->tv_nsec / 1000000000;
	next->tv_nsec %= 1000000000;
	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, next, NULL);
}

int main(int argc, char **argv)
{
	long count = argc > 2 ? strtol(argv[2], NULL, 10) : 1;
	long rate = argc > 3 ? strtol(argv[3], NULL, 10) : 0;
	struct timespec slow = {0, TRIGGER_SLOW_NS}, next;
	unsigned int sum = 0;

	if (argc < 2) {
		fputs("Usage: trigger syscall|slow|call|spin|wait [COUNT [PER_SECOND]]\n", stderr);
		return 2;
	}
	if (strcmp(argv[1], "wait") == 0) {
		printf("%d\n", (int)getpid());
		fflush(stdout);
		return !trigger_wait();
	}
	clock_gettime(CLOCK_MONOTONIC, &next);
	for (long i = 0; i < count; i++) {
		if (rate && i % (rate / 100 + 1) == 0)
			trigger_pace(&next, i ? rate / 100 + 1 : 0, rate);
		if (strcmp(argv[1], "call") == 0)
			sum = (unsigned int)trigger_point((int)sum);
		else if (strcmp(argv[1], "spin") == 0)
			for (volatile int j = 0; j < 100000; j++)
				sum += (unsigned int)j;
		else
			syscall(SYS_getpgid, 0);
		if (strcmp(argv[1], "slow") == 0)
			nanosleep(&slow, NULL);
	}
	return sum == 0xffffffff;
}

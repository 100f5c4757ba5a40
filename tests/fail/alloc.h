/* SPDX-License-Identifier: Apache-2.0 */
/* What fail_nth and the library that counts allocations share. */
#ifndef TESTS_FAIL_ALLOC_H
#define TESTS_FAIL_ALLOC_H

#define FAIL_ALLOC_FILE "FAIL_ALLOC_FILE" /* environment: a file with struct fail_alloc */
#define FAIL_ALLOC_PROGRAM \
	"FAIL_ALLOC_PROGRAM" /* environment: start of the paths of programs to count */

struct fail_alloc {
	unsigned long nth;   /* which one fails; 0: none */
	unsigned long count; /* allocations so far, of all processes */
	unsigned long size;  /* bytes that the failed one asked for */
	unsigned long at;    /* its caller, as an offset in the program, or an address */
	int pid;	     /* process of the failed one; 0: none has failed */
	char call[16];
};

#endif

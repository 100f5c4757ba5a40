/* SPDX-License-Identifier: Apache-2.0 */
/* Reduces the memory of a program that waits most of the time. */
#ifndef CORE_BASE_RESIDENT_H
#define CORE_BASE_RESIDENT_H

/* Releases the resident code and constants of the program and its libraries: start-up needs most of
 * a static program, waiting little of it. Pages that are used again are read again, from the page
 * cache or the file. */
void resident_trim(void);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* Memory of a program that waits most of its life. */
#ifndef CORE_BASE_RESIDENT_H
#define CORE_BASE_RESIDENT_H

/* Unmaps what was read of the program and its libraries: start-up needs most of a static program,
 * waiting little of it. What is needed again comes back from the page cache, or from the file. */
void resident_trim(void);

#endif

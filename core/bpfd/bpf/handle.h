/* SPDX-License-Identifier: Apache-2.0 */
/* The handles of a session: numbers that clients use as descriptors, and their objects. */
#ifndef CORE_BPFD_BPF_HANDLE_H
#define CORE_BPFD_BPF_HANDLE_H

#include <stdint.h>

#define HANDLE_FIRST 3 /* clients know 0 to 2 as the standard streams */

struct handles;

/* A kind of object. Handles are compared by its address. */
struct handle_class {
	const char *name;
	/* Frees the object and closes fd, also if it fails. Returns 0 or a negative errno. */
	int (*close)(void *object, int fd);
};

struct handle {
	const struct handle_class *class;
	void *object; /* may be NULL */
	int fd;	      /* the descriptor in this process */
};

/* Makes an empty table for at most max handles. Returns 0, -ENOMEM. */
int handles_new(struct handles **handles, unsigned int max);

/* Closes all handles, the highest number first, and frees the table. NULL is fine. */
void handles_free(struct handles *handles);

/* Gives the smallest free number to an object, which the table then owns. Returns the number;
 * -EMFILE: the table is full; -ENOMEM. After an error the object is still the caller's. */
int handle_add(struct handles *handles, const struct handle_class *class, void *object, int fd);

/* The handle of that number if it is of that class, else NULL, for which callers return -EBADF. It
 * is valid until the next call of handle_add or handle_close. */
const struct handle *handle_get(
	const struct handles *handles, int64_t number, const struct handle_class *class);

/* The handle of that number, of any class, or NULL. */
const struct handle *handle_any(const struct handles *handles, int64_t number);

/* The number of an object. Returns -ENOENT if the table does not own it. */
int handle_find(
	const struct handles *handles, const struct handle_class *class, const void *object);

/* Closes the object and frees its number. Returns the result of the class's close; -EBADF: there is
 * no such handle of that class. */
int handle_close(struct handles *handles, int64_t number, const struct handle_class *class);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* A FunctionFS instance: events of ep0, and two bulk endpoints with several transfers in flight.
 *
 * Endpoints are driven with Linux AIO: a blocking read cannot be interrupted safely, and one
 * transfer at a time reaches a third of the speed. Nothing here blocks. */
#ifndef GADGET_FFS_H
#define GADGET_FFS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FFS_DEPTH 4 /* transfers in flight each way; more gains nothing measurable */

/* Events of ep0: FUNCTIONFS_* of linux/usb/functionfs.h. */
enum ffs_event { FFS_NONE, FFS_ENABLE, FFS_DISABLE, FFS_SUSPEND, FFS_BIND, FFS_UNBIND, FFS_OTHER };

/* A transfer from the host. */
struct ffs_transfer {
	const uint8_t *data;
	size_t len;
	unsigned int generation; /* ffs_generation() at its start */
};

struct ffs;

/* Opens the endpoints of the instance mounted on `dir`, which another process may have served
 * before. `ep0` comes from ep0_open() and remains the caller's. The sizes are those of buffers for
 * transfers from and to the host, in bytes, multiples of 1024. Returns 0 and *ffs, to be closed by
 * the caller, or a negative errno, logged. */
int ffs_open(int ep0, const char *dir, size_t receive_size, size_t send_size, struct ffs **ffs);

/* Cancels the transfers in flight, closes the endpoints and frees *ffs. NULL is allowed. */
void ffs_close(struct ffs *ffs);

/* Descriptors to poll for POLLIN. When ep0 is readable, call ffs_next_event(); when the completion
 * descriptor is, ffs_complete(). */
int ffs_ep0_fd(const struct ffs *ffs);
int ffs_completion_fd(const struct ffs *ffs);

/* Takes the next event of ep0 without waiting. Control requests to the interface are stalled.
 * ENABLE and DISABLE have taken effect when it returns. Returns an enum ffs_event, or a negative
 * errno, not logged, if ep0 failed. */
int ffs_next_event(struct ffs *ffs);

/* True from ENABLE until DISABLE, UNBIND, or a transfer error which means that the link is down. */
bool ffs_enabled(const struct ffs *ffs);

/* The number of ENABLE events. A transfer of an older generation may belong to an older session. */
unsigned int ffs_generation(const struct ffs *ffs);

/* Collects completed transfers. */
void ffs_complete(struct ffs *ffs);

/* Takes the oldest transfer that has arrived, in the order sent. Returns 1 with *t, which is valid
 * until ffs_release(); 0 if there is none; or a negative errno if the transfer was lost
 * (-EOVERFLOW: it was longer than the buffer), which must be released, too. */
int ffs_receive(struct ffs *ffs, struct ffs_transfer *t);
void ffs_release(struct ffs *ffs);

/* A free buffer to build a transfer in; NULL if all are in flight or the link is not enabled. */
uint8_t *ffs_send_buffer(struct ffs *ffs);

/* Sends the first `len` bytes of the last ffs_send_buffer(). Returns 0 or a negative errno. */
int ffs_send(struct ffs *ffs, size_t len);

/* True while transfers to the host are in flight. */
bool ffs_sending(const struct ffs *ffs);

/* The error of a transfer to the host that failed since the last call, 0 if none did. */
int ffs_send_error(struct ffs *ffs);

/* The addresses that the controller gave the endpoints. Returns 0, or a negative errno, not logged,
 * if the link is not enabled. */
int ffs_addresses(const struct ffs *ffs, uint8_t *out, uint8_t *in);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* One FunctionFS instance: its events and its two bulk endpoints with several transfers in flight.
 *
 * Endpoints are driven with Linux AIO: a blocking read cannot be interrupted safely, and one
 * transfer at a time reaches a third of the speed. Nothing here blocks. */
#ifndef GADGET_FFS_H
#define GADGET_FFS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FFS_DEPTH 4 /* transfers in flight each way; more gains nothing measurable */

/* What happened on ep0, by FUNCTIONFS_* of linux/usb/functionfs.h. */
enum ffs_event { FFS_NONE, FFS_ENABLE, FFS_DISABLE, FFS_SUSPEND, FFS_BIND, FFS_UNBIND, FFS_OTHER };

/* A transfer from the host. */
struct ffs_transfer {
	const uint8_t *data;
	size_t len;
	unsigned int generation; /* of the link when it was started, see ffs_generation */
};

struct ffs;

/* Serves the instance mounted on `dir` whose `ep0` was opened by ep0_open() and stays the caller's:
 * opens the endpoints, which another process may have served before. The sizes are those of the
 * buffers of transfers from and to the host in bytes, multiples of 1024. Returns 0 and *ffs, owned
 * by the caller, or a negative errno, having logged what failed. */
int ffs_open(int ep0, const char *dir, size_t receive_size, size_t send_size, struct ffs **ffs);

/* Closes the endpoints. */
void ffs_close(struct ffs *ffs);

/* To poll for POLLIN: ep0 (then call ffs_next_event), and completions (then ffs_complete). */
int ffs_ep0_fd(const struct ffs *ffs);
int ffs_completion_fd(const struct ffs *ffs);

/* Takes the next ep0 event without waiting; requests to the interface are refused with a stall.
 * ENABLE and DISABLE are acted on before it returns. Returns a negative errno when ep0 fails. */
int ffs_next_event(struct ffs *ffs);

/* True between ENABLE and DISABLE (or the first transfer that ended with ESHUTDOWN). */
bool ffs_enabled(const struct ffs *ffs);

/* Counts the ENABLEs. A transfer of an older generation may belong to an older session. */
unsigned int ffs_generation(const struct ffs *ffs);

/* Collects what has completed. */
void ffs_complete(struct ffs *ffs);

/* Takes the oldest transfer that has arrived, in the order sent. Returns 1 with *t, which is valid
 * until ffs_release; 0 if there is none; a negative errno for a transfer that was lost
 * (-EOVERFLOW: it was longer than the buffer), to be released too. */
int ffs_receive(struct ffs *ffs, struct ffs_transfer *t);
void ffs_release(struct ffs *ffs);

/* A free buffer to build a transfer in, NULL when all are in flight or the link is not enabled. */
uint8_t *ffs_send_buffer(struct ffs *ffs);

/* Sends the transfer built in the last ffs_send_buffer. Returns 0 or a negative errno. */
int ffs_send(struct ffs *ffs, size_t len);

/* True while transfers to the host are in flight. */
bool ffs_sending(const struct ffs *ffs);

/* The error of a transfer to the host that failed since last asked, 0 if none did. */
int ffs_send_error(struct ffs *ffs);

/* The addresses that the controller gave the endpoints (valid while enabled). Returns 0, or a
 * negative errno. */
int ffs_addresses(const struct ffs *ffs, uint8_t *out, uint8_t *in);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* FunctionFS: ep0 events, and bulk endpoints through Linux AIO. */
#include "gadget/ffs.h"

#include "core/base/log.h"
#include "gadget/ep0.h"

#include <errno.h>
#include <linux/aio_abi.h>
#include <linux/usb/ch9.h>
#include <linux/usb/functionfs.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* After this many failed transfers in a row, wait for the host to reset the link instead of
 * spinning. */
#define ERRORS_MAX 16

enum slot_state { SLOT_IDLE, SLOT_IN_FLIGHT, SLOT_DONE };

struct ffs_slot {
	struct iocb iocb;
	uint8_t *buffer;
	enum slot_state state;
	unsigned int generation; /* of the link at the start of the transfer */
	int64_t result;		 /* bytes or a negative errno */
};

/* Transfers of an endpoint complete in the order in which they were started, but old kernels may
 * report them out of order. So the slots are a ring and are taken from its head. */
struct endpoint {
	int fd;
	size_t size; /* of a buffer, bytes */
	struct ffs_slot slots[FFS_DEPTH];
	unsigned int head;   /* the oldest slot that is in flight or done */
	unsigned int used;   /* slots from head on that are in flight or done */
	unsigned int errors; /* failed transfers in a row */
};

struct ffs {
	int ep0, completion;
	aio_context_t aio;
	struct endpoint out, in;
	bool enabled;
	unsigned int generation;
	int send_error;
};

static int aio_setup(unsigned int depth, aio_context_t *context)
{
	return syscall(SYS_io_setup, depth, context) < 0 ? -errno : 0;
}

static int aio_submit(aio_context_t context, struct iocb *iocb)
{
	long n = syscall(SYS_io_submit, context, 1L, &iocb);

	return n == 1 ? 0 : n < 0 ? -errno : -EAGAIN;
}

static long aio_take(aio_context_t context, struct io_event *events, long max)
{
	struct timespec now = {0, 0};
	long n;

	/* Completions that were announced and not taken are not announced again. */
	do {
		n = syscall(SYS_io_getevents, context, 0L, max, events, &now);
	} while (n < 0 && errno == EINTR);
	return n;
}

static int open_endpoint(struct endpoint *ep, const char *dir, const char *name)
{
	ep->fd = ep0_open_file(dir, name);
	if (ep->fd < 0)
		return ep->fd;
	for (unsigned int i = 0; i < FFS_DEPTH; i++) {
		ep->slots[i].buffer = malloc(ep->size);
		if (!ep->slots[i].buffer) {
			log_error("%s/%s: %s", dir, name, strerror(ENOMEM));
			return -ENOMEM;
		}
	}
	return 0;
}

static void close_endpoint(struct endpoint *ep)
{
	if (ep->fd >= 0)
		close(ep->fd);
	for (unsigned int i = 0; i < FFS_DEPTH; i++)
		free(ep->slots[i].buffer);
}

/* io_destroy cancels the transfers in flight and waits for them: free the buffers only after it. */
void ffs_close(struct ffs *ffs)
{
	if (!ffs)
		return;
	if (ffs->aio)
		syscall(SYS_io_destroy, ffs->aio);
	close_endpoint(&ffs->out);
	close_endpoint(&ffs->in);
	if (ffs->completion >= 0)
		close(ffs->completion);
	free(ffs);
}

int ffs_ep0_fd(const struct ffs *ffs)
{
	return ffs->ep0;
}

int ffs_completion_fd(const struct ffs *ffs)
{
	return ffs->completion;
}

bool ffs_enabled(const struct ffs *ffs)
{
	return ffs->enabled;
}

unsigned int ffs_generation(const struct ffs *ffs)
{
	return ffs->generation;
}

static int slot_submit(
	struct ffs *ffs, struct endpoint *ep, struct ffs_slot *slot, int op, size_t len)
{
	int err;

	memset(&slot->iocb, 0, sizeof(slot->iocb));
	slot->iocb.aio_data = (uintptr_t)slot;
	slot->iocb.aio_lio_opcode = (uint16_t)op;
	slot->iocb.aio_fildes = (uint32_t)ep->fd;
	slot->iocb.aio_buf = (uintptr_t)slot->buffer;
	slot->iocb.aio_nbytes = len;
	slot->iocb.aio_flags = IOCB_FLAG_RESFD;
	slot->iocb.aio_resfd = (uint32_t)ffs->completion;
	slot->generation = ffs->generation;
	err = aio_submit(ffs->aio, &slot->iocb);
	if (err == 0) {
		slot->state = SLOT_IN_FLIGHT;
		ep->used++;
	}
	return err;
}

/* Starts a read on each idle slot. If the kernel refuses one, reads wait for the next ENABLE. */
static void start_reads(struct ffs *ffs)
{
	struct endpoint *ep = &ffs->out;
	int err;

	while (ffs->enabled && ep->used < FFS_DEPTH) {
		err = slot_submit(ffs, ep, &ep->slots[(ep->head + ep->used) % FFS_DEPTH],
			IOCB_CMD_PREAD, ep->size);
		if (err < 0) {
			log_debug("ep1: read: %s", strerror(-err));
			ffs->enabled = false;
		}
	}
}

/* Stalls a control request: FunctionFS does so for a read or write in the wrong direction. */
static void refuse_setup(struct ffs *ffs, const struct usb_ctrlrequest *setup)
{
	ssize_t n;

	if (setup->bRequestType & USB_DIR_IN)
		n = read(ffs->ep0, NULL, 0);
	else
		n = write(ffs->ep0, NULL, 0);
	if (n < 0 && errno != EL2HLT && errno != EIDRM)
		log_debug("ep0: stall: %s", strerror(errno));
}

static int act_on_event(struct ffs *ffs, const struct usb_functionfs_event *event)
{
	switch (event->type) {
	case FUNCTIONFS_ENABLE:
		/* It may come without a DISABLE before it. Transfers of the old generation end with
		 * ESHUTDOWN some time later; reads on idle slots need not wait for them. */
		ffs->enabled = true;
		ffs->generation++;
		ffs->send_error = 0;
		ffs->out.errors = ffs->in.errors = 0;
		start_reads(ffs);
		return FFS_ENABLE;
	case FUNCTIONFS_DISABLE:
		ffs->enabled = false;
		return FFS_DISABLE;
	case FUNCTIONFS_UNBIND: /* comes without a DISABLE */
		ffs->enabled = false;
		return FFS_UNBIND;
	case FUNCTIONFS_BIND:
		return FFS_BIND;
	case FUNCTIONFS_SUSPEND:
		return FFS_SUSPEND;
	case FUNCTIONFS_SETUP:
		refuse_setup(ffs, &event->u.setup);
		return FFS_OTHER;
	default:
		return FFS_OTHER;
	}
}

int ffs_next_event(struct ffs *ffs)
{
	struct usb_functionfs_event event;
	struct pollfd p = {.fd = ffs->ep0, .events = POLLIN};
	ssize_t n;

	/* In some states of ep0, kernels ignore O_NONBLOCK: never read without poll. */
	if (poll(&p, 1, 0) != 1 || !(p.revents & POLLIN))
		return FFS_NONE;
	n = read(ffs->ep0, &event, sizeof(event));
	if (n == (ssize_t)sizeof(event))
		return act_on_event(ffs, &event);
	if (n < 0 && (errno == EAGAIN || errno == EINTR || errno == EIDRM))
		return FFS_NONE;
	return n < 0 ? -errno : -EIO;
}

void ffs_complete(struct ffs *ffs)
{
	struct io_event events[2 * FFS_DEPTH];
	struct ffs_slot *slot;
	uint64_t count;
	long n;

	if (read(ffs->completion, &count, sizeof(count)) < 0 && errno != EAGAIN)
		log_debug("eventfd: %s", strerror(errno));
	n = aio_take(ffs->aio, events, 2 * FFS_DEPTH);
	for (long i = 0; i < n; i++) {
		slot = (struct ffs_slot *)(uintptr_t)events[i].data;
		slot->state = SLOT_DONE;
		slot->result = events[i].res;
	}
}

static void pop(struct endpoint *ep)
{
	ep->slots[ep->head].state = SLOT_IDLE;
	ep->head = (ep->head + 1) % FFS_DEPTH;
	ep->used--;
}

/* Handles a failed transfer of the current generation. ESHUTDOWN, or EAGAIN from an endpoint that
 * no longer exists, means that the link is down until ENABLE. */
static void note_failure(struct ffs *ffs, struct endpoint *ep, const char *name, int64_t error)
{
	if (error == -ESHUTDOWN || error == -EAGAIN || ++ep->errors >= ERRORS_MAX)
		ffs->enabled = false;
	if (error != -ESHUTDOWN)
		log_warning("%s: transfer failed: %s", name, strerror((int)-error));
}

int ffs_receive(struct ffs *ffs, struct ffs_transfer *t)
{
	struct endpoint *ep = &ffs->out;
	struct ffs_slot *slot;

	for (; ep->used; ffs_release(ffs)) {
		slot = &ep->slots[ep->head];
		if (slot->state != SLOT_DONE)
			break;
		t->generation = slot->generation;
		if (slot->result >= 0) {
			ep->errors = 0;
			t->data = slot->buffer;
			t->len = (size_t)slot->result;
			return 1;
		}
		if (slot->generation != ffs->generation)
			continue;
		note_failure(ffs, ep, "ep1", slot->result);
		if (slot->result != -ESHUTDOWN && slot->result != -EAGAIN)
			return (int)slot->result;
	}
	return 0;
}

void ffs_release(struct ffs *ffs)
{
	pop(&ffs->out);
	start_reads(ffs);
}

static void collect_sent(struct ffs *ffs)
{
	struct endpoint *ep = &ffs->in;
	struct ffs_slot *slot;

	for (; ep->used; pop(ep)) {
		slot = &ep->slots[ep->head];
		if (slot->state != SLOT_DONE)
			break;
		if (slot->result >= 0) {
			ep->errors = 0;
		} else if (slot->generation == ffs->generation) {
			note_failure(ffs, ep, "ep2", slot->result);
			ffs->send_error = (int)slot->result;
		}
	}
}

uint8_t *ffs_send_buffer(struct ffs *ffs)
{
	struct endpoint *ep = &ffs->in;

	collect_sent(ffs);
	if (!ffs->enabled || ep->used == FFS_DEPTH)
		return NULL;
	return ep->slots[(ep->head + ep->used) % FFS_DEPTH].buffer;
}

int ffs_send(struct ffs *ffs, size_t len)
{
	struct endpoint *ep = &ffs->in;
	int err = slot_submit(
		ffs, ep, &ep->slots[(ep->head + ep->used) % FFS_DEPTH], IOCB_CMD_PWRITE, len);

	if (err < 0) {
		log_debug("ep2: write: %s", strerror(-err));
		ffs->enabled = false;
		ffs->send_error = err;
	}
	return err;
}

bool ffs_sending(const struct ffs *ffs)
{
	return ffs->in.used > 0;
}

int ffs_send_error(struct ffs *ffs)
{
	int err = ffs->send_error;

	ffs->send_error = 0;
	return err;
}

int ffs_addresses(const struct ffs *ffs, uint8_t *out, uint8_t *in)
{
	struct usb_endpoint_descriptor desc;

	if (ioctl(ffs->out.fd, FUNCTIONFS_ENDPOINT_DESC, &desc) < 0)
		return -errno;
	*out = desc.bEndpointAddress;
	if (ioctl(ffs->in.fd, FUNCTIONFS_ENDPOINT_DESC, &desc) < 0)
		return -errno;
	*in = desc.bEndpointAddress;
	return 0;
}

/* Takes over from a process that served the lane before and died. That process may have read
 * ENABLE, so the state comes from the endpoints. The event that it died on comes again or is
 * harmless. A control request that it read but did not answer is stalled. */
static void take_over(struct ffs *ffs)
{
	struct pollfd p = {.fd = ffs->ep0, .events = POLLOUT};
	uint8_t out, in;

	/* Only such a request makes ep0 writable. Reading zero bytes stalls a request for data; any
	 * other request ends when the host has sent its data or gives up. */
	if (poll(&p, 1, 0) == 1 && (p.revents & POLLOUT) && read(ffs->ep0, NULL, 0) < 0)
		log_debug("ep0: stalled the control request of the previous worker: %s",
			strerror(errno));
	if (ffs_addresses(ffs, &out, &in) < 0)
		return;
	ffs->enabled = true;
	start_reads(ffs);
}

/* Opens what completed transfers are reported through. */
static int open_completion(struct ffs *ffs, const char *dir)
{
	int err = aio_setup(2 * FFS_DEPTH, &ffs->aio);

	if (err < 0) {
		log_error("AIO: %s (%s)", strerror(-err),
			err == -EAGAIN ? "see the sysctl fs.aio-max-nr"
				       : "the kernel needs CONFIG_AIO");
		return err;
	}
	ffs->completion = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (ffs->completion < 0) {
		err = -errno;
		log_error("%s: eventfd: %s", dir, strerror(-err));
		return err;
	}
	return 0;
}

int ffs_open(int ep0, const char *dir, size_t receive_size, size_t send_size, struct ffs **result)
{
	struct ffs *ffs = calloc(1, sizeof(*ffs));
	int err;

	if (!ffs) {
		log_error("%s: %s", dir, strerror(ENOMEM));
		return -ENOMEM;
	}
	ffs->ep0 = ep0;
	ffs->out.size = receive_size;
	ffs->in.size = send_size;
	ffs->completion = ffs->out.fd = ffs->in.fd = -1;
	err = open_completion(ffs, dir);
	if (err == 0)
		err = open_endpoint(&ffs->out, dir, "ep1");
	if (err == 0)
		err = open_endpoint(&ffs->in, dir, "ep2");
	if (err < 0) {
		ffs_close(ffs);
		return err;
	}
	take_over(ffs);
	*result = ffs;
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Builds the descriptors of a lane.
 *
 * Their layout comes from linux/usb/functionfs.h, chapter 9 of the USB 3 specification, and
 * Microsoft's OS descriptors 1.0. */
#include "gadget/descriptors.h"

#include "core/link/link.h"

#include <linux/usb/ch9.h>
#include <linux/usb/functionfs.h>
#include <string.h>

#define OUT_ADDRESS 0x01
#define IN_ADDRESS  (0x02 | USB_DIR_IN)

#define OS_EXT_COMPAT	4 /* wIndex of an extended compatible ID descriptor */
#define OS_EXT_PROPERTY 5 /* wIndex of an extended properties descriptor */
#define OS_REG_SZ	1 /* type of a property: text */

/* Windows programs find the interface by it. It was generated for this project. */
static const char guid_name[] = "DeviceInterfaceGUID";
static const char guid_value[] = "{5A6B1C0E-2F7D-4E39-9C41-B7D8F00BF3A2}";

struct builder {
	uint8_t *at;
	size_t len;
};

static void put(struct builder *b, const void *data, size_t len)
{
	memcpy(b->at + b->len, data, len);
	b->len += len;
}

static void put8(struct builder *b, unsigned int value)
{
	b->at[b->len++] = (uint8_t)value;
}

static void put16(struct builder *b, unsigned int value)
{
	put8(b, value & 0xff);
	put8(b, value >> 8);
}

static void put32(struct builder *b, uint32_t value)
{
	put16(b, value & 0xffff);
	put16(b, value >> 16);
}

static void set32(struct builder *b, size_t offset, uint32_t value)
{
	struct builder at = {b->at, offset};

	put32(&at, value);
}

static void put_endpoint(struct builder *b, unsigned int address, unsigned int packet, int super)
{
	put8(b, USB_DT_ENDPOINT_SIZE);
	put8(b, USB_DT_ENDPOINT);
	put8(b, address);
	put8(b, USB_ENDPOINT_XFER_BULK);
	put16(b, packet);
	put8(b, 0); /* bInterval */
	if (!super)
		return;
	put8(b, USB_DT_SS_EP_COMP_SIZE);
	put8(b, USB_DT_SS_ENDPOINT_COMP);
	put8(b, 0); /* bMaxBurst: some UDCs have no FIFO for more than one packet */
	put8(b, 0); /* bmAttributes: no streams */
	put16(b, 0);
}

static void put_speed(struct builder *b, unsigned int packet, int super)
{
	put8(b, USB_DT_INTERFACE_SIZE);
	put8(b, USB_DT_INTERFACE);
	put8(b, 0); /* bInterfaceNumber: the kernel fills it in */
	put8(b, 0); /* bAlternateSetting */
	put8(b, 2); /* bNumEndpoints */
	put8(b, LANE_CLASS);
	put8(b, LANE_SUBCLASS);
	put8(b, LANE_PROTOCOL);
	put8(b, 1); /* iInterface: the first of our strings */
	put_endpoint(b, OUT_ADDRESS, packet, super);
	put_endpoint(b, IN_ADDRESS, packet, super);
}

static void put_os_header(struct builder *b, uint32_t len, unsigned int version, unsigned int index)
{
	put8(b, 0); /* interface */
	put32(b, len);
	put16(b, version);
	put16(b, index);
	put16(b, 1); /* one descriptor follows */
}

#define OS_HEADER_SIZE	 11
#define OS_COMPAT_SIZE	 24
#define OS_PROPERTY_SIZE (14 + sizeof(guid_name) + sizeof(guid_value))

static void put_os_descriptors(struct builder *b, unsigned int version)
{
	static const char compatible[8] = "WINUSB", sub_compatible[8];

	put_os_header(b, OS_HEADER_SIZE + OS_COMPAT_SIZE, version, OS_EXT_COMPAT);
	put8(b, 0); /* bFirstInterfaceNumber */
	put8(b, 1); /* reserved, must be 1 */
	put(b, compatible, sizeof(compatible));
	put(b, sub_compatible, sizeof(sub_compatible));
	put32(b, 0);
	put16(b, 0);
	put_os_header(b, OS_HEADER_SIZE + OS_PROPERTY_SIZE, version, OS_EXT_PROPERTY);
	put32(b, OS_PROPERTY_SIZE);
	put32(b, OS_REG_SZ);
	put16(b, sizeof(guid_name));
	put(b, guid_name, sizeof(guid_name));
	put32(b, sizeof(guid_value));
	put(b, guid_value, sizeof(guid_value));
}

size_t descriptors_build(uint8_t out[static DESCRIPTORS_MAX], enum os_descriptors os)
{
	struct builder b = {out, 0};
	uint32_t flags = FUNCTIONFS_HAS_FS_DESC | FUNCTIONFS_HAS_HS_DESC | FUNCTIONFS_HAS_SS_DESC;

	if (os != OS_DESC_NONE)
		flags |= FUNCTIONFS_HAS_MS_OS_DESC;
	put32(&b, FUNCTIONFS_DESCRIPTORS_MAGIC_V2);
	put32(&b, 0); /* length, set below */
	put32(&b, flags);
	put32(&b, 3); /* full speed: interface, two endpoints */
	put32(&b, 3); /* high speed: the same */
	put32(&b, 5); /* super speed: with two companions */
	if (os != OS_DESC_NONE)
		put32(&b, 2);
	put_speed(&b, 64, 0);
	put_speed(&b, 512, 0);
	put_speed(&b, 1024, 1);
	if (os != OS_DESC_NONE)
		put_os_descriptors(&b, os == OS_DESC_0100 ? 0x0100 : 0x0001);
	set32(&b, 4, (uint32_t)b.len);
	return b.len;
}

size_t descriptors_build_strings(uint8_t out[static DESCRIPTORS_MAX])
{
	static const char name[] = "bpfd";
	struct builder b = {out, 0};

	put32(&b, FUNCTIONFS_STRINGS_MAGIC);
	put32(&b, 0);	   /* length, set below */
	put32(&b, 1);	   /* strings */
	put32(&b, 1);	   /* languages */
	put16(&b, 0x0409); /* English (United States) */
	put(&b, name, sizeof(name));
	set32(&b, 4, (uint32_t)b.len);
	return b.len;
}

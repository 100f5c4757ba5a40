/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzzes finding lanes in the descriptors of a USB device, as libusb returns them.
 *
 * Each interface is a number, the count of its settings, and the settings. A setting is a byte that
 * says what differs from a lane, and the endpoints. */
#include "host-usb/lane.h"

#include "core/link/link.h"
#include "core/messages/rpc.h"
#include "tests/fuzz/fuzz.h"

#include <errno.h>
#include <libusb.h>
#include <string.h>

#define INTERFACES 20
#define SETTINGS   3
#define ENDPOINTS  5

static void make_setting(
	struct bytes_in *in, struct libusb_interface_descriptor *alt, uint8_t number)
{
	unsigned int kind = bytes_get_u8(in);
	struct libusb_endpoint_descriptor *endpoints;

	alt->bInterfaceNumber = number;
	alt->bInterfaceClass = kind & 1 ? 0x08 : LANE_CLASS;
	alt->bInterfaceSubClass = kind & 2 ? 0x06 : LANE_SUBCLASS;
	alt->bInterfaceProtocol = kind & 4 ? 0x50 : LANE_PROTOCOL;
	alt->bAlternateSetting = kind & 8 ? 1 : 0;
	alt->bNumEndpoints = bytes_get_u8(in) % (ENDPOINTS + 1);
	endpoints = calloc(alt->bNumEndpoints, sizeof(*endpoints));
	for (unsigned int i = 0; i < alt->bNumEndpoints; i++) {
		endpoints[i].bEndpointAddress = bytes_get_u8(in);
		endpoints[i].bmAttributes = bytes_get_u8(in);
	}
	alt->endpoint = endpoints;
}

static void make_interface(struct bytes_in *in, struct libusb_interface *interface)
{
	uint8_t number = bytes_get_u8(in);
	struct libusb_interface_descriptor *settings;

	interface->num_altsetting = bytes_get_u8(in) % (SETTINGS + 1);
	settings = calloc((size_t)interface->num_altsetting, sizeof(*settings));
	for (int i = 0; i < interface->num_altsetting; i++)
		make_setting(in, &settings[i], number);
	interface->altsetting = settings;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes_in in = {data, size, false};
	struct libusb_config_descriptor config = {.bNumInterfaces = bytes_get_u8(&in) % INTERFACES};
	struct libusb_interface *interfaces = calloc(config.bNumInterfaces, sizeof(*interfaces));
	struct lane_place places[LANES_MAX];
	int count;

	for (unsigned int i = 0; i < config.bNumInterfaces; i++)
		make_interface(&in, &interfaces[i]);
	config.interface = interfaces;
	count = usb_lane_places(&config, places);
	MUST(count == -EEXIST || (count >= 0 && count <= LANES_MAX));
	for (int i = 0; i < count; i++)
		MUST(places[i].in & 0x80 && places[i].out && !(places[i].out & 0x80));
	for (unsigned int i = 0; i < config.bNumInterfaces; i++) {
		for (int j = 0; j < interfaces[i].num_altsetting; j++)
			free((void *)interfaces[i].altsetting[j].endpoint);
		free((void *)interfaces[i].altsetting);
	}
	free(interfaces);
	return 0;
}

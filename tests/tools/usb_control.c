/* SPDX-License-Identifier: Apache-2.0 */
/* Reads from a USB device with one control request; prints the data in hexadecimal.
 *
 * usage: usb_control /dev/bus/usb/BBB/DDD TYPE REQUEST VALUE INDEX LENGTH */
#include <errno.h>
#include <fcntl.h>
#include <linux/usbdevice_fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#define TIMEOUT_MS 2000

static unsigned int number(const char *text)
{
	return (unsigned int)strtoul(text, NULL, 0);
}

int main(int argc, char **argv)
{
	unsigned char data[4096];
	struct usbdevfs_ctrltransfer request;
	int fd, n;

	if (argc != 7 || number(argv[6]) > sizeof(data))
		return 2;
	fd = open(argv[1], O_RDWR);
	if (fd < 0) {
		fprintf(stderr, "%s: %s\n", argv[1], strerror(errno));
		return 1;
	}
	request = (struct usbdevfs_ctrltransfer){
		.bRequestType = (unsigned char)number(argv[2]),
		.bRequest = (unsigned char)number(argv[3]),
		.wValue = (unsigned short)number(argv[4]),
		.wIndex = (unsigned short)number(argv[5]),
		.wLength = (unsigned short)number(argv[6]),
		.timeout = TIMEOUT_MS,
		.data = data,
	};
	n = ioctl(fd, USBDEVFS_CONTROL, &request);
	if (n < 0) {
		fprintf(stderr, "%s: control request: %s\n", argv[1], strerror(errno));
		return 1;
	}
	for (int i = 0; i < n; i++)
		printf("%02x", data[i]);
	putchar('\n');
	return 0;
}

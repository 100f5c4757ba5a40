/* SPDX-License-Identifier: Apache-2.0 */
/* Sockets and ioctls that would reach this workstation's network interfaces.
 *
 * The tool sees the board's interfaces in /sys/class/net, and the board's BPF programs use their
 * indexes. The workstation's interfaces have the same names and other indexes. */
#include "core/base/log.h"
#include "core/messages/bpf_abi.h"
#include "host-usb/run/calls/memory.h"
#include "host-usb/run/calls/process.h"
#include "host-usb/run/files/open.h"
#include "host-usb/run/files/remote.h"
#include "host-usb/run/objects/objects.h"
#include "host-usb/run/run.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define INTERFACES    "/sys/class/net"
#define INDEX_AT      offsetof(struct ifreq, ifr_ifindex)
#define STATE_LAST    0x890a /* up to here requests are about the socket itself */
#define PROTOCOL_LAST 0x89ef /* from SIOCPROTOPRIVATE on, requests of the socket's protocol */

/* Netlink families that have nothing to do with network or processes: messages between processes,
 * decisions about their permissions, events of devices (libusb waits for them), and ciphers. */
static bool is_harmless(int family)
{
	return family == NETLINK_USERSOCK || family == NETLINK_SELINUX ||
	       family == NETLINK_KOBJECT_UEVENT || family == NETLINK_CRYPTO;
}

/* socket(domain, type, protocol). The errors are those of kernels that lack the protocol: without
 * rtnetlink getaddrinfo(3) assumes that there are addresses of both IPv4 and IPv6. */
int64_t sys_socket(const struct call *call)
{
	switch ((int)call->args[0]) {
	case AF_NETLINK:
		if (is_harmless((int)call->args[2]))
			return CALL_CONTINUE;
		if (call->args[2] == NETLINK_ROUTE)
			run_unsupported(call, "rtnetlink, which would list and change this "
					      "workstation's network interfaces");
		else
			run_unsupported(call, "a netlink family of this workstation's kernel");
		return -EPROTONOSUPPORT;
	case AF_PACKET:
		run_unsupported(call, "packet sockets, which are on this workstation's network");
		return -EAFNOSUPPORT;
	case AF_XDP:
		run_unsupported(call, "XDP sockets, which are on this workstation's network");
		return -EAFNOSUPPORT;
	default:
		return CALL_CONTINUE;
	}
}

/* setsockopt(fd, level, option, value, size) of an option whose value is a BPF program. */
int64_t sys_setsockopt(const struct call *call)
{
	int fd;

	if (call->args[1] != SOL_SOCKET || memory_read(call, call->args[3], &fd, sizeof(fd)) ||
		!object_of(call, fd, BPF_ABI_PROG))
		return CALL_CONTINUE;
	run_unsupported(call, "a program of the board on a socket of this workstation");
	return -EOPNOTSUPP;
}

/* Returns the index of the board's interface, or a negative errno; -ENODEV: there is none. */
static int index_of(const struct call *call, const char *name)
{
	char path[sizeof(INTERFACES) + IFNAMSIZ + 16], text[32] = "";
	ssize_t n;
	int fd, index;

	if (!*name || *name == '.' || strchr(name, '/'))
		return -ENODEV;
	snprintf(path, sizeof(path), INTERFACES "/%s/ifindex", name);
	fd = open_file(call->run->opener, path);
	if (fd < 0)
		return fd == -ENOENT || fd == -ENOTDIR ? -ENODEV : fd;
	n = pread(fd, text, sizeof(text) - 1, 0);
	close(fd);
	index = n > 0 ? atoi(text) : 0;
	return index > 0 ? index : -EIO;
}

/* SIOCGIFINDEX, which if_nametoindex(3) uses. */
static int64_t give_index(const struct call *call)
{
	char name[IFNAMSIZ];
	int err = memory_read(call, call->args[2], name, sizeof(name)), index;

	if (err)
		return err;
	name[IFNAMSIZ - 1] = 0;
	index = index_of(call, name);
	return index < 0 ? index
			 : memory_write(call, call->args[2] + INDEX_AT, &index, sizeof(index));
}

/* SIOCGIFNAME, which if_indextoname(3) uses. */
static int64_t give_name(const struct call *call)
{
	char name[IFNAMSIZ] = "";
	struct listing *listing;
	int wanted, index = 0;
	int64_t ret = memory_read(call, call->args[2] + INDEX_AT, &wanted, sizeof(wanted));

	if (!ret)
		ret = remote_list(call->run->remote, INTERFACES, &listing);
	if (ret)
		return ret;
	ret = -ENODEV;
	for (size_t i = 0; ret == -ENODEV && i < listing->count; i++) {
		if (strlen(listing->entries[i].name) >= IFNAMSIZ)
			continue;
		index = index_of(call, listing->entries[i].name);
		if (index == wanted) {
			strcpy(name, listing->entries[i].name);
			ret = memory_write(call, call->args[2], name, sizeof(name));
		} else if (index < 0 && index != -ENODEV) {
			ret = index;
		}
	}
	listing_put(listing);
	return ret;
}

/* ioctl(fd, request, arg) of a socket: of the numbers from 0x8900 to 0x89ff. */
int64_t sys_socket_ioctl(const struct call *call)
{
	uint32_t request = (uint32_t)call->args[1];
	int owner;

	switch (request) {
	case FIOSETOWN:
	case SIOCSPGRP:
		if (memory_read(call, call->args[2], &owner, sizeof(owner)))
			return CALL_CONTINUE; /* the kernel reports the error */
		return process_check_owner(call, owner);
	case SIOCGIFINDEX:
		return give_index(call);
	case SIOCGIFNAME:
		return give_name(call);
	default:
		if (request <= STATE_LAST ||
			(request >= SIOCPROTOPRIVATE && request <= PROTOCOL_LAST))
			return CALL_CONTINUE;
		run_unsupported(call, "requests about network interfaces, which are this "
				      "workstation's");
		return -EOPNOTSUPP;
	}
}

# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# Several boards on one host: a gadget of one lane on each controller of dummy_hcd, each with a daemon
# of its own and a serial that the suite has put into SERIAL[N]. The gadgets are prepared ones, so
# that it is the suite that plugs and unplugs.

declare -a DAEMON SERIAL

# board_make N [OPTION]...: it is not on the bus yet. The daemon inherits the environment.
board_make()
{
	local n=$1 gadget=$CONFIGFS/${SERIAL[$1]} function=ffs.lane$1
	shift
	mkdir -p "/run/ffs/$n"
	mkdir "$gadget" "$gadget/strings/0x409" "$gadget/configs/c.1" "$gadget/functions/$function"
	echo 0x1d6b >"$gadget/idVendor"
	echo 0x0104 >"$gadget/idProduct"
	echo "${SERIAL[n]}" >"$gadget/strings/0x409/serialnumber"
	ln -s "$gadget/functions/$function" "$gadget/configs/c.1"
	mount -t functionfs "lane$n" "/run/ffs/$n"
	bpfd-gadget --ffs-dir "/run/ffs/$n" "$@" 2>"/run/gadget.$n" &
	DAEMON[n]=$!
}

# board_remove N: returns the status of its daemon.
board_remove()
{
	local gadget=$CONFIGFS/${SERIAL[$1]} status
	kill "${DAEMON[$1]}"
	wait "${DAEMON[$1]}"
	status=$?
	umount "/run/ffs/$1"
	rm "$gadget"/configs/c.1/ffs.*
	rmdir "$gadget/configs/c.1" "$gadget"/functions/* "$gadget/strings/0x409" "$gadget"
	return $status
}

# boards_ready: the daemons have described their lanes, so that all can be plugged.
boards_ready()
{
	[ "$(find /run/ffs -name ep2 | wc -l)" = ${#DAEMON[@]} ]
}

# What plugging and unplugging is to the host.
plug()
{
	echo "dummy_udc.$1" >"$CONFIGFS/${SERIAL[$1]}/UDC"
}
unplug()
{
	echo '' >"$CONFIGFS/${SERIAL[$1]}/UDC"
}

# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# Several boards on one host: each controller of dummy_hcd has a gadget with one lane and its own
# daemon. The suite sets the serials in SERIAL[N]. The gadgets are prepared, so the suite plugs and
# unplugs them.

declare -a DAEMON SERIAL

# board_make N [OPTION]...: makes gadget N and starts its daemon, which inherits the environment. The
# gadget is not plugged.
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

# board_remove N: stops the daemon, removes the gadget, and returns the daemon's status.
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

# boards_ready: all daemons have written their lanes' descriptors, so all boards can be plugged.
boards_ready()
{
	[ "$(find /run/ffs -name ep2 | wc -l)" = ${#DAEMON[@]} ]
}

# plug N, unplug N: bind and unbind gadget N; the host sees its cable plugged and unplugged.
plug()
{
	echo "dummy_udc.$1" >"$CONFIGFS/${SERIAL[$1]}/UDC"
}
unplug()
{
	echo '' >"$CONFIGFS/${SERIAL[$1]}/UDC"
}

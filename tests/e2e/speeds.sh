#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Sessions at full, high and super speed, and over a network instead of a cable: USB/IP.
#
# The USB/IP tools are those of the distribution.
# vm: --cpus 1
set -u
here=$(dirname "$0")
# shellcheck source=tests/e2e/lib.sh
. "$here/lib.sh"
work=$(mktemp -d)
head -c 300000 /dev/urandom >"$work/random"

echoes()
{
	bpfd-usb "$@" <"$work/random" 2>"$work/err" | cmp - "$work/random"
	[ "${PIPESTATUS[*]}" = "0 0" ]
}

# speed NAME MBIT PARAMETER...: at that speed, with these parameters of dummy_hcd, bytes come back.
speed()
{
	local name=$1 mbit=$2
	shift 2
	load_udc "$@" || { not_ok "$name: load dummy_hcd"; return; }
	gadget_start --bpfd /bin/cat || { not_ok "$name: start the gadget"; return; }
	until_true 10 device_present 2
	check "$name: bpfd-usb -l shows the speed" sh -c "bpfd-usb -l | grep -q ' $mbit Mb/s '"
	check "$name: bytes come back" echoes
	check "$name: bytes come back in the next session" echoes
	check "$name: the daemon exits with status 0" gadget_stop
	until_true 10 device_absent
	rmmod dummy_hcd
}
speed "full speed" 12 is_high_speed=0
speed "high speed" 480
speed "super speed" 5000 is_super_speed=1

# The board's bus is on one side of a TCP connection, the workstation's on the other.
load_udc || not_ok "load dummy_hcd"
gadget_start --bpfd /bin/cat || { not_ok "start the gadget"; finish; }
until_true 10 device_present 2
bus=$(bpfd-usb -l | awk '/testboard/ {print $2}')
modprobe usbip-host && modprobe vhci-hcd || not_ok "load the modules of USB/IP"
usbipd >"$work/usbipd" 2>&1 &
usbipd=$!
until_true 10 sh -c "usbip list -r 127.0.0.1 >/dev/null 2>&1"
usbip bind -b "$bus" >"$work/usbip" 2>&1
# "usbip attach" may succeed without a device, or fail while the server is not ready.
attached()
{
	grep -q -v -E '(hub|sta| 004 )' /sys/devices/platform/vhci_hcd.0/status &&
		awk '$3 == "006" {found = 1} END {exit !found}' /sys/devices/platform/vhci_hcd.0/status
}
for _ in 1 2 3; do
	usbip attach -r 127.0.0.1 -b "$bus" >>"$work/usbip" 2>&1
	until_true 10 attached && break
done
if check "USB/IP: the device is attached" attached; then
	until_true 10 sh -c 'bpfd-usb -l | grep -q testboard'
	bpfd-usb -l | sed 's/^/# /'
	check "USB/IP: bytes come back" echoes
	check "USB/IP: bytes come back in the next session" echoes
	bpfd-usb <"$work/random" >"$work/out" 2>"$work/err" &
	pid=$!
	until_true 10 test -s "$work/out"
	usbip detach -p 0 >/dev/null 2>&1
	wait $pid
	status=$?
	check "USB/IP, detached in a session: the output is a prefix of the input" \
		cmp -n "$(stat -c %s "$work/out")" "$work/out" "$work/random"
	check "USB/IP, detached in a session: status 255, or 0 if all was sent ($status)" test "$status" = 255 -o "$status" = 0
fi
usbip unbind -b "$bus" >/dev/null 2>&1
kill $usbipd
wait $usbipd 2>/dev/null
until_true 10 sh -c 'bpfd-usb -l | grep -q testboard'
check "without USB/IP again: bytes come back" echoes
check "the daemon exits with status 0" gadget_stop
check_no_leftovers
finish

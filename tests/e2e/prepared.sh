#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# --ffs-dir: FunctionFS instances that another program has made and mounted.
#
# The daemon serves them while the gadget is unbound and bound, and leaves the gadget alone.
# vm: --cpus 1
set -u
here=$(dirname "$0")
# shellcheck source=tests/e2e/lib.sh
. "$here/lib.sh"
work=$(mktemp -d)
gadget=$CONFIGFS/other
lanes=(--ffs-dir /run/ffs/a --ffs-dir /run/ffs/b)

load_udc is_super_speed=1 || { not_ok "load dummy_hcd"; finish; }
modprobe libcomposite

gadget_make()
{
	local lane

	mkdir $gadget $gadget/strings/0x409 $gadget/configs/c.1
	echo 0x1d6b >$gadget/idVendor
	echo 0x0104 >$gadget/idProduct
	echo prepared >$gadget/strings/0x409/serialnumber
	for lane in a b; do
		mkdir -p $gadget/functions/ffs.$lane /run/ffs/$lane
		ln -s $gadget/functions/ffs.$lane $gadget/configs/c.1
		mount -t functionfs $lane /run/ffs/$lane
	done
}
gadget_remove()
{
	umount /run/ffs/a /run/ffs/b
	rm $gadget/configs/c.1/ffs.*
	rmdir $gadget/configs/c.1 $gadget/functions/* $gadget/strings/0x409 $gadget
}
daemon_start()
{
	: >"$GADGET_LOG"
	bpfd-gadget -v "$@" >>"$GADGET_LOG" 2>&1 &
	GADGET_PID=$!
	until_true 10 test -e /run/ffs/a/ep2
}
udc_bind()
{
	until_true 10 sh -c "echo dummy_udc.0 >$gadget/UDC" && until_true 10 device_present 2
}
session()
{
	echo 'BPF_CREATE_MAP 1 count 8 40 10240 0' |
		bpfd-usb -w=10 -s prepared "$@" 2>"$work/err" | grep -q 'bpf_create_map: ret=3'
}
# refused [OPTION]...: the board refuses the session, so bpfd-usb exits with status 251.
refused()
{
	HOME=$work bpfd-usb -w=10 -s prepared "$@" </dev/null >"$work/out" 2>"$work/err"
	[ $? = 251 ] && [ ! -s "$work/out" ]
}
# fails NAME TEXT OPTION...: the daemon exits with status 1 and logs TEXT.
fails()
{
	local name=$1 text=$2 status=0
	shift 2
	timeout $((10 * PATIENCE)) bpfd-gadget "$@" >"$work/log" 2>&1 || status=$?
	check "$name: the daemon exits with status 1 ($status)" test $status = 1
	check "$name: it logs the cause" grep -q -e "$text" "$work/log"
}

gadget_make
check "prepared gadget: the daemon starts" daemon_start "${lanes[@]}"
check "prepared gadget: it can be bound" udc_bind
check "prepared gadget: a session works" session
mkfifo "$work/in"
bpfd-usb -s prepared <"$work/in" >"$work/out" 2>&1 &
pid=$!
exec 8>"$work/in"
until_true 10 grep -q STARTED_BPFD "$work/out"
check "two lanes: a second session works at the same time" session
fails "in use" "ep0: .* busy" --ffs-dir /run/ffs/b
check "in use: the lanes still work" session
echo '' >$gadget/UDC
wait $pid
check "unbound: the session ends with status 255" test $? = 255
exec 8>&-
check "unbound: no process is left" until_true 5 no_process
check "bound again: the host sees it" udc_bind
check "bound again: a session works" session
gadget_stop
check "stopped: the daemon exits with status 0" test $? = 0
check "stopped: the gadget and the mounts stay" test -d $gadget/functions/ffs.b -a \
	-e /run/ffs/a/ep0
check "next daemon: it starts" daemon_start "${lanes[@]}"
check "next daemon: the gadget can be bound" udc_bind
check "next daemon: a session works" session
gadget_kill
check "killed: the next daemon starts" daemon_start "${lanes[@]}"
check "killed: the gadget can be bound" udc_bind
check "killed: a session works" session
old=$GADGET_PID
bpfd-gadget -v "${lanes[@]}" >>"$GADGET_LOG" 2>&1 &
GADGET_PID=$!
sleep 0.3
kill -9 "$old"
wait "$old" 2>/dev/null
check "killed while the next daemon waits: the gadget can be bound" udc_bind
check "killed while the next daemon waits: a session works" session
gadget_stop
fails "no directory" "/nonexistent/ep0: No such file" --ffs-dir /nonexistent
fails "one of two" "/nonexistent/ep0: No such file" --ffs-dir /run/ffs/a --ffs-dir /nonexistent
check "one of two: the other instance is released" daemon_start "${lanes[@]}"
gadget_stop

# Stopping a service calls --remove. It must not unmount the instances of another program, even
# where a daemon mounts its own.
mkdir -p /run/bpfd-gadget/a
mount --bind /run/ffs/a /run/bpfd-gadget/a
echo 'ffs-dir = /run/bpfd-gadget/a' >"$work/conf"
check "--remove succeeds with --ffs-dir in the file" bpfd-gadget --config "$work/conf" --remove
check "--remove succeeds with --ffs-dir on the command line" \
	bpfd-gadget --ffs-dir /run/bpfd-gadget/a --remove
check "--remove leaves the instance mounted" grep -q ' /run/bpfd-gadget/a functionfs' /proc/mounts
umount /run/bpfd-gadget/a
rmdir /run/bpfd-gadget/a /run/bpfd-gadget

# A key is used for the serial number that the host sees. Here the daemon needs --serial to know it.
bpfd-usb --keygen "$work/key" >/dev/null
cp "$work/key.pub" "$work/list"
check "keys: the daemon starts" daemon_start "${lanes[@]}" --authorized-keys "$work/list" --serial prepared
check "keys: the gadget can be bound" udc_bind
check "keys: a session without a key is refused" refused
check "keys: a session with the key works" session --key "$work/key"
gadget_stop
check "keys, other serial number: the daemon starts" daemon_start "${lanes[@]}" \
	--authorized-keys "$work/list" --serial other
check "keys, other serial number: the gadget can be bound" udc_bind
check "keys, other serial number: the host does not sign" refused --key "$work/key"
check "keys, other serial number: the host reports the name" grep -q 'in the name of other' "$work/err"
gadget_stop
gadget_remove
check_no_leftovers
finish

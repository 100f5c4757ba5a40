#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The daemon's gadget in configfs: a bare kernel, the choice of a controller, leftovers, foreign
# gadgets, and failures half-way.
# after: build with ASan and UBSan
# vm: --cpus 1
set -u
here=$(dirname "$0")
# shellcheck source=tests/e2e/lib.sh
. "$here/lib.sh"
MOUNT=/sys/kernel/config
OURS=$CONFIGFS/bpfd
RUN=/run/bpfd-gadget
UDCS=/sys/class/udc

# gadget_fails NAME TEXT [OPTION]...: the daemon exits by itself with status 1, and its messages
# contain TEXT.
gadget_fails()
{
	local name=$1 text=$2 status=0
	shift 2
	timeout $((20 * PATIENCE)) bpfd-gadget --serial testboard "$@" >/run/fails.log 2>&1 || status=$?
	check "$name: the daemon exits with status 1 ($status)" test $status = 1
	if grep -q -- "$text" /run/fails.log; then
		ok "$name: it logs the cause"
	else
		not_ok "$name: it logs the cause" "no \"$text\" in: $(cat /run/fails.log)"
	fi
}
nothing_left()
{
	check "$1: no gadget is left" test ! -e $OURS
	check "$1: no mount is left" sh -c '! grep -q functionfs /proc/mounts'
	check "$1: no directory is left" test ! -e $RUN
}
udc_of()
{
	cat "$CONFIGFS/$1/UDC" 2>/dev/null
}
# bound_to GADGET UDC
bound_to()
{
	[ "$(udc_of "$1")" = "$2" ]
}
log_has()
{
	grep -q -- "$1" "$GADGET_LOG"
}
# shellcheck disable=SC2120
# daemon [OPTION]...: starts the daemon in the background, without waiting for the host to see it.
daemon()
{
	: >$GADGET_LOG
	bpfd-gadget -v --serial testboard "$@" >>$GADGET_LOG 2>&1 &
	GADGET_PID=$!
}
# shellcheck disable=SC2120
daemon_bound()
{
	daemon "$@"
	until_true 20 log_has 'bound to' || { sed 's/^/# /' $GADGET_LOG; return 1; }
}
# foreign NAME FUNCTION: makes a gadget of another owner.
foreign()
{
	mkdir "$CONFIGFS/$1" "$CONFIGFS/$1/configs/x.1" "$CONFIGFS/$1/strings/0x409" &&
		mkdir "$CONFIGFS/$1/functions/$2" &&
		ln -s "$CONFIGFS/$1/functions/$2" "$CONFIGFS/$1/configs/x.1/"
}
foreign_remove()
{
	{ echo >"$CONFIGFS/$1/UDC"; } 2>/dev/null
	rm -f "$CONFIGFS/$1"/configs/x.1/*.*
	rmdir "$CONFIGFS/$1/configs/x.1" "$CONFIGFS/$1"/functions/*.* \
		"$CONFIGFS/$1/strings/0x409" "$CONFIGFS/$1"
}

bare_kernel()
{
	umount $MOUNT
	check "bare: --check exits with status 1" sh -c 'bpfd-gadget --check >/run/check; test $? = 1'
	check "bare: configfs will be mounted" grep -q '^ok *configfs: will be mounted' /run/check
	check "bare: libcomposite will be loaded" grep -q '^ok *libcomposite: will be' /run/check
	check "bare: FunctionFS will be loaded" grep -q '^ok *FunctionFS: will be' /run/check
	check "bare: a controller is missing" grep -q '^missing *controller: none' /run/check
	check "bare: --check changes nothing" sh -c "! grep -q configfs /proc/mounts &&
		test ! -e /sys/module/libcomposite"
	check "bare: --remove succeeds without leftovers" bpfd-gadget --remove
	nothing_left "bare, removed"

	daemon
	check "bare: the daemon waits for a controller" until_true 20 log_has 'waiting for a USB device'
	check "bare: configfs is mounted" grep -q "$MOUNT configfs" /proc/mounts
	check "bare: the gadget is made" test -d $OURS/functions/ffs.bpfd1
	load_udc num=2
	check "bare: the daemon binds to the late controller" until_true 20 bound_to bpfd dummy_udc.0
	check "bare: the host sees two lanes" until_true 20 device_present 2
	check "bare: the daemon exits with status 0" gadget_stop
	nothing_left bare
}

identity()
{
	local device node
	gadget_start --vendor-id 0x1209 --product-id 0x0001 || { not_ok "identity: the daemon starts"; return; }
	device=$(grep -l '^testboard$' /sys/bus/usb/devices/*/serial)
	device=${device%/serial}
	check "identity: vendor ID" test "$(cat "$device/idVendor")" = 1209
	check "identity: product ID" test "$(cat "$device/idProduct")" = 0001
	check "identity: maximum power" test "$(cat "$device/bMaxPower")" = 500mA
	check "identity: interface string" grep -q '^bpfd$' "$device"/*:1.0/interface
	node=$(printf '/dev/bus/usb/%03d/%03d' "$(cat "$device/busnum")" "$(cat "$device/devnum")")
	# "MSFT100" in UTF-16, followed by the vendor code b7.
	check "identity: Microsoft OS string" test \
		"$("$BPFD_BUILD/tools/usb_control" "$node" 0x80 6 0x03ee 0 18)" = \
		12034d00530046005400310030003000b700
	check "identity: compatible ID of each lane" test \
		"$("$BPFD_BUILD/tools/usb_control" "$node" 0xc0 0xb7 0 4 4096 | grep -o 57494e555342 |
			wc -l)" = 2
	check "identity: the daemon exits with status 0" gadget_stop
	nothing_left identity
}

# Two controllers.
controllers()
{
	foreign other Loopback.0
	echo dummy_udc.0 >$CONFIGFS/other/UDC
	gadget_fails "named and taken" "dummy_udc.0: taken by gadget other" --udc dummy_udc.0
	nothing_left "named and taken"
	check "named and taken: the other gadget stays bound" bound_to other dummy_udc.0
	check "first free: the daemon starts" daemon_bound
	check "first free: it binds to the second controller" bound_to bpfd dummy_udc.1
	check "first free: the other gadget stays bound" bound_to other dummy_udc.0
	bpfd-gadget --check >/run/check
	check "first free: --check names the gadget of the first controller" \
		grep -q 'dummy_udc.0: taken by gadget other' /run/check
	check "first free: --check names the gadget of the second controller" \
		grep -q 'dummy_udc.1: serves gadget bpfd' /run/check
	gadget_fails "second daemon" "another bpfd-gadget is running"
	check "second daemon: --remove is refused" sh -c '! bpfd-gadget --remove 2>/dev/null'
	check "second daemon: the first daemon stays bound" bound_to bpfd dummy_udc.1
	check "first free: the daemon exits with status 0" gadget_stop

	foreign third Loopback.1
	echo dummy_udc.1 >$CONFIGFS/third/UDC
	gadget_fails "all taken" "dummy_udc.1: taken by gadget third"
	nothing_left "all taken"
	foreign_remove third
	foreign_remove other

	modprobe g_ether
	check "old driver: g_ether has the first controller" test "$(cat $UDCS/dummy_udc.0/function)" != ""
	gadget_fails "old driver" "dummy_udc.0: taken by gadget" --udc dummy_udc.0
	rmmod g_ether
	check "named: the daemon starts" daemon_bound --udc dummy_udc.1
	check "named: it binds to the controller" bound_to bpfd dummy_udc.1
	gadget_stop
}

# A foreign gadget with a function that libusbgx does not know must not disturb the daemon.
unknown_function()
{
	modprobe usb_f_printer
	foreign printer printer.0 || { skip "unknown function" "no usb_f_printer"; return; }
	check "unknown function: the daemon starts" daemon_bound
	check "unknown function: the daemon exits with status 0" gadget_stop
	nothing_left "unknown function"
	check "unknown function: the other gadget stays" test -e $CONFIGFS/printer/configs/x.1/printer.0
	foreign_remove printer
}

killed()
{
	daemon_bound
	gadget_kill
	check "killed: the kernel unbinds the gadget" until_true 5 bound_to bpfd ""
	check "killed: mounts are left" grep -q functionfs /proc/mounts
	check "killed: --remove succeeds" bpfd-gadget --remove
	nothing_left "killed, removed"
	for _ in 1 2 3; do
		daemon_bound
		gadget_kill
	done
	check "killed three times: the next daemon starts" daemon_bound --lanes 1
	check "killed three times: it has one lane" test ! -e $OURS/functions/ffs.bpfd1
	check "killed three times: the host sees it" until_true 20 device_present 1
	check "killed three times: it exits with status 0" gadget_stop
	nothing_left "killed three times"
}

leftovers()
{
	mkdir $OURS
	check "empty leftover: the daemon starts" daemon_bound
	gadget_stop
	nothing_left "empty leftover"

	mkdir $OURS $OURS/functions/ffs.bpfd0 $OURS/configs/c.1 /run/elsewhere $RUN $RUN/usb_gadget
	ln -s $OURS $RUN/usb_gadget/bpfd
	mount -t functionfs bpfd0 /run/elsewhere
	check "half leftover: the daemon starts" daemon_bound
	check "half leftover: the instance is unmounted from its other place" \
		sh -c '! grep -q /run/elsewhere /proc/mounts'
	gadget_stop
	nothing_left "half leftover"

	mkdir $OURS $OURS/functions/ffs.bpfd0 $OURS/configs/c.1 /run/elsewhere
	mount -t functionfs bpfd0 /run/elsewhere
	exec 8<>/run/elsewhere/ep0
	gadget_fails "living owner" "a process has its files open"
	check "living owner: the gadget is not changed" test -e $OURS/configs/c.1
	exec 8>&-
	check "living owner: --remove succeeds after its exit" bpfd-gadget --remove
	nothing_left "living owner"

	foreign bpfd Loopback.0
	gadget_fails "name taken" "has function Loopback.0, so it is not ours"
	check "name taken: --remove is refused" sh -c '! bpfd-gadget --remove 2>/dev/null'
	check "name taken: the gadget is not changed" test -e $OURS/configs/x.1/Loopback.0
	foreign_remove bpfd
}

# Each step of making the gadget fails once.
half_way()
{
	foreign other ffs.bpfd1
	gadget_fails "instance taken" "another gadget has a FunctionFS instance bpfd1"
	nothing_left "instance taken"
	check "instance taken: the other gadget is not changed" \
		test -e $CONFIGFS/other/configs/x.1/ffs.bpfd1
	foreign_remove other

	mkdir $RUN
	: >$RUN/bpfd1
	gadget_fails "mount fails" "cannot mount FunctionFS instance bpfd1"
	rm $RUN/bpfd1
	rmdir $RUN
	nothing_left "mount fails"

	: >$RUN
	gadget_fails "no directory" "$RUN: cannot make and lock"
	rm $RUN
	nothing_left "no directory"

	mount --bind $MOUNT $MOUNT
	mount -o remount,bind,ro $MOUNT
	gadget_fails "read-only" "mounted read-only"
	umount $MOUNT
	nothing_left "read-only"

	setpriv --reuid 65534 --regid 65534 --clear-groups bpfd-gadget --serial x >/run/fails.log 2>&1
	check "not root: the message names root" grep -q root /run/fails.log
	nothing_left "not root"
	daemon --udc nonsense
	check "no such controller: the daemon waits" until_true 20 log_has 'waiting for.*nonsense'
	gadget_stop
	nothing_left "no such controller"
}

# The tests of configfs/gadget.h, also with sanitizers.
interface()
{
	check "interface: its tests pass" env CMOCKA_MESSAGE_OUTPUT=TAP "$BPFD_BUILD/tools/gadget_api"
	if [ -x "${BPFD_SAN_BUILD:-}/tools/gadget_api" ]; then
		check "interface: its tests pass with sanitizers" env CMOCKA_MESSAGE_OUTPUT=TAP \
			"$BPFD_SAN_BUILD/tools/gadget_api"
	else
		skip "interface: its tests pass with sanitizers" "no sanitized programs"
	fi
	nothing_left interface
}

few_endpoints()
{
	check "eight lanes: the daemon starts" daemon_bound --lanes 8
	check "eight lanes: it keeps four" until_true 20 test ! -e $OURS/functions/ffs.bpfd4
	check "eight lanes: it logs that it goes on with four" log_has 'going on with 4 lanes'
	check "eight lanes: the dropped lanes are removed" test ! -e $OURS/configs/c.1/ffs.bpfd4 -a \
		! -e $RUN/bpfd4
	check "eight lanes: the host sees four" until_true 20 device_present 4
	check "eight lanes: the first lane stays" test -e $OURS/configs/c.1/ffs.bpfd0 -a \
		-e $RUN/bpfd0/ep2
	check "eight lanes: the daemon exits with status 0" gadget_stop
	nothing_left "eight lanes"
}

# The controller comes back with too few endpoints for the lanes that are served. The test fills
# the gadget with loopback functions, each of which takes as many endpoints as a lane.
fewer_endpoints()
{
	local old room=0
	foreign other Loopback.0
	while echo dummy_udc.0 2>/dev/null >$CONFIGFS/other/UDC; do
		echo >$CONFIGFS/other/UDC
		room=$((room + 1))
		mkdir $CONFIGFS/other/functions/Loopback.$room &&
			ln -s $CONFIGFS/other/functions/Loopback.$room $CONFIGFS/other/configs/x.1
	done
	foreign_remove other
	check "fewer endpoints: the daemon starts" daemon_bound --lanes 3
	check "fewer endpoints: the host sees three lanes" until_true 20 device_present 3
	old=$(worker_pid)
	rmmod dummy_hcd
	echo >$OURS/UDC
	while [ $room -gt 2 ]; do
		mkdir $OURS/functions/Loopback.$room
		ln -s $OURS/functions/Loopback.$room $OURS/configs/c.1
		room=$((room - 1))
	done
	load_udc
	check "fewer endpoints: the daemon logs that it goes on with two" until_true 20 \
		log_has 'going on with 2 lanes'
	check "fewer endpoints: it binds again" until_true 20 bound_to bpfd dummy_udc.0
	check "fewer endpoints: the host sees two lanes" until_true 20 device_present 2
	check "fewer endpoints: the third lane is removed" test ! -e $OURS/functions/ffs.bpfd2 -a \
		! -e $RUN/bpfd2
	check "fewer endpoints: a new worker runs" until_true 10 sh -c "pid=\$(pgrep -P '$GADGET_PID' \
		-x bpfd-worker) && [ \$pid != '$old' ]"
	check "fewer endpoints: the host enables its lanes" until_true 10 sh -c \
		"[ \$(grep -c 'lane 1: enabled' $GADGET_LOG) = 2 ]"
	check "fewer endpoints: the daemon exits with status 0" gadget_stop
	nothing_left "fewer endpoints"
}

controller_goes()
{
	check "vanishing controller: the daemon starts" daemon_bound
	until_true 20 device_present
	rmmod dummy_hcd
	check "vanishing controller: the daemon keeps running" kill -0 "$GADGET_PID"
	sleep 2
	load_udc
	check "vanishing controller: the host sees two lanes again" until_true 20 device_present 2
	check "vanishing controller: the daemon exits with status 0" gadget_stop
	nothing_left "vanishing controller"
}

# Another controller has the name before the daemon looks. The name in UDC is cleared, because recent
# kernels would bind the gadget by themselves.
controller_replaced()
{
	check "replaced controller: the daemon starts" daemon_bound
	until_true 20 device_present 2
	kill -STOP "$GADGET_PID"
	rmmod dummy_hcd
	echo >$OURS/UDC
	load_udc
	kill -CONT "$GADGET_PID"
	check "replaced controller: the host sees two lanes again" until_true 20 device_present 2
	check "replaced controller: the daemon exits with status 0" gadget_stop
	nothing_left "replaced controller"
}

# A daemon is killed while its controller is away. The kernel keeps the controller's name in UDC.
killed_without_controller()
{
	daemon_bound
	rmmod dummy_hcd
	gadget_kill
	check "killed without its controller: the name stays in UDC" bound_to bpfd dummy_udc.0
	check "killed without its controller: --remove succeeds" bpfd-gadget --remove
	nothing_left "killed without its controller, removed"
	load_udc
	daemon_bound
	rmmod dummy_hcd
	gadget_kill
	load_udc
	daemon_bound
	check "killed, controller back: the host sees the next daemon" until_true 20 device_present 2
	check "killed, controller back: it exits with status 0" gadget_stop
	nothing_left "killed, controller back"
}

bare_kernel
identity
controllers
unknown_function
killed
leftovers
half_way
interface
few_endpoints
fewer_endpoints
controller_goes
controller_replaced
killed_without_controller
check_no_leftovers
finish

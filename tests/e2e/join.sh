#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Lanes beside a function of somebody else: a serial line (ACM) whose gadget a script has made. The
# daemon joins that gadget, and whatever becomes of the daemon the line works in the end, and the
# gadget is as it was.
set -u
here=$(dirname "$0")
# shellcheck source=tests/e2e/lib.sh
. "$here/lib.sh"
work=$(mktemp -d)
gadget=$CONFIGFS/g1
run=/run/bpfd-gadget

# acm_make NAME: what a board's own script does.
acm_make()
{
	local g=$CONFIGFS/$1

	mkdir "$g" "$g/strings/0x409" "$g/configs/c.1" "$g/configs/c.1/strings/0x409" \
		"$g/functions/acm.$1"
	echo 0x1d6b >"$g/idVendor"
	echo 0x0106 >"$g/idProduct"
	echo serial-line >"$g/strings/0x409/serialnumber"
	echo line >"$g/configs/c.1/strings/0x409/configuration"
	ln -s "$g/functions/acm.$1" "$g/configs/c.1"
}
acm_remove()
{
	local g=$CONFIGFS/$1

	{ echo '' >"$g/UDC"; } 2>/dev/null
	rm -f "$g"/configs/c.1/*.*
	rmdir "$g"/functions/*.* "$g/configs/c.1/strings/0x409" "$g/configs/c.1" "$g/strings/0x409" "$g"
}
# line_works: bytes go both ways through the line.
line_works()
{
	until_true 10 test -c /dev/ttyACM0 &&
		timeout 40 python3 "$here/serial_line.py" 50000 20 /dev/ttyACM0 /dev/ttyGS0
}
session()
{
	echo 'BPF_CREATE_MAP 1 count 8 40 10240 0' |
		bpfd-usb -w=10 -s serial-line "$@" 2>"$work/err" | grep -q 'bpf_create_map: ret=3'
}
# session_open: one that stays open, on descriptor 8; session_asks: it answers.
session_open()
{
	rm -f "$work/in"
	mkfifo "$work/in"
	bpfd-usb --lease 3 -s serial-line <"$work/in" >"$work/out" 2>&1 &
	SESSION=$!
	exec 8>"$work/in"
	session_asks
}
session_asks()
{
	local before
	before=$(grep -c 'ret=' "$work/out")
	echo 'BPF_CREATE_MAP 1 count 8 40 10240 0' >&8
	until_true 10 sh -c "[ \$(grep -c 'ret=' '$work/out') -gt $before ]"
}
# session_ends STATUS
session_ends()
{
	local status=0
	timeout 20 tail --pid="$SESSION" -f /dev/null || kill -9 "$SESSION"
	wait "$SESSION" || status=$?
	exec 8>&-
	[ $status = "$1" ]
}
# The whole gadget: entries, where links lead, values. What is signed is not given back by the kernel.
tree_of()
{
	(cd "$1" && find . -printf '%y %p %l\n' | sort &&
		find . -type f ! -name qw_sign | sort | xargs grep -s . -)
}
remember()
{
	tree_of $gadget >"$work/before"
}
# as_before: the gadget is what it was, nothing of ours is there, the line works.
as_before()
{
	tree_of $gadget | diff "$work/before" - && ! grep -q functionfs /proc/mounts && test ! -e $run
}
check_as_before()
{
	check "$1: the gadget is as it was" as_before
	check "$1: the line works" line_works
}
udc_of()
{
	cat "$CONFIGFS/$1/UDC" 2>/dev/null
}
bound()
{
	[ "$(udc_of g1)" = dummy_udc.0 ]
}
unbound()
{
	[ "$(udc_of g1)" = "" ]
}
device()
{
	dirname "$(grep -l '^serial-line$' /sys/bus/usb/devices/*/serial)"
}
device_number()
{
	cat "$(device)/devnum"
}
log_has()
{
	grep -q -- "$1" $GADGET_LOG
}
# shellcheck disable=SC2120
# join [OPTION]...: until the gadget is bound with lanes.
join()
{
	: >$GADGET_LOG
	bpfd-gadget -v --join g1 "$@" >>$GADGET_LOG 2>&1 &
	GADGET_PID=$!
	until_true 20 log_has 'bound to' && until_true 20 device_present
}
# fails NAME STATUS TEXT OPTION...: a daemon that ends by itself and says TEXT.
fails()
{
	local name=$1 wanted=$2 text=$3 status=0
	shift 3
	timeout 20 bpfd-gadget "$@" >"$work/log" 2>&1 || status=$?
	check "$name: status $wanted ($status)" test $status = "$wanted"
	check "$name: it says so" grep -q -e "$text" "$work/log"
}

refused()
{
	remember
	number=$(device_number)
	fails "no such gadget" 1 'gadget g2: not found; there is g1' --join g2
	fails "no such configuration" 1 'gadget g1: has no configuration c.2' --join g1/c.2
	fails "another controller" 1 'gadget g1: bound to dummy_udc.0, not to dummy_udc.1' \
		--join g1 --udc dummy_udc.1
	mkdir $CONFIGFS/empty
	fails "no configuration" 1 'gadget empty: has no configuration' --join empty
	rmdir $CONFIGFS/empty
	mkdir $CONFIGFS/other $CONFIGFS/other/functions/ffs.bpfd1
	fails "instance taken" 1 'another gadget has a FunctionFS instance bpfd1' --join g1
	rmdir $CONFIGFS/other/functions/ffs.bpfd1 $CONFIGFS/other
	mkdir $run
	: >$run/bpfd1
	fails "mount fails" 1 'cannot mount FunctionFS instance bpfd1' --join g1
	rm -r $run
	fails "two ways" 2 'one of them' --join g1 --ffs-dir /run/x
	fails "three names" 2 'not GADGET or GADGET/CONFIGURATION' --join g1/c.1/x
	fails "no name" 2 'not GADGET or GADGET/CONFIGURATION' --join ..
	check "refused: the device was left alone" test "$(device_number)" = "$number"
	check_as_before refused
}

# kill_worker NAME: beside an open session; all but that goes on.
kill_worker()
{
	local number
	number=$(device_number)
	kill -9 "$(worker_pid)"
	check "$1: the line works at once" line_works
	check "$1: the session ends" session_ends 255
	check "$1: a session" session
	check "$1: the device has stayed" test "$(device_number)" = "$number"
}

beside()
{
	local compatible
	bpfd-gadget --check --join g1 >"$work/check" 2>&1
	check "the check sees it" grep -q '^ok *gadget g1: present, configuration c.1, bound to dummy' "$work/check"
	check "joined" join --serial mine
	check "joined: the other function is named" log_has 'adding 2 lanes: .* interrupts acm.g1$'
	check "joined: a serial number is not taken" log_has '--serial.*: not used'
	check "joined: a session" session
	check "joined: the ids stay" test "$(cat "$(device)/idProduct")" = 0106
	check "joined: the host sees two lanes" device_present 2
	compatible=$(printf '/dev/bus/usb/%03d/%03d' "$(cat "$(device)/busnum")" "$(device_number)")
	compatible=$("$BPFD_BUILD/tools/usb_control" "$compatible" 0xc0 0xb7 0 4 4096 |
		grep -o 57494e555342 | wc -l)
	check "joined: compatible ID of each lane" test "$compatible" = 2
	check "joined: the line works" line_works
	session_open
	check "joined: the line works beside a session" line_works
	check "joined: the session beside it" session_asks
	fails "joined already" 1 'another bpfd-gadget is running' --join g1
	check "joined already: --remove is refused" sh -c '! bpfd-gadget --remove 2>/dev/null'
	check "joined already: the session goes on" session_asks

	kill_worker "worker killed"
	check "worker killed: the line works" line_works
	session_open
	check "ended: status 0" gadget_stop
	check "ended: the session hears it" session_ends 255
	check_as_before ended
}

killed()
{
	check "killed: joined" join
	session_open
	gadget_kill
	check "killed: the session ends" session_ends 255
	check "killed: the kernel has unbound the gadget" until_true 10 unbound
	check "killed: --remove" bpfd-gadget --remove
	check_as_before "killed, removed"
	join
	gadget_kill
	check "killed: the next start" join
	check "killed: a session" session
	check "killed: the line works" line_works
	gadget_kill
	check "killed: one that makes a gadget of its own" sh -c '
		timeout 2 bpfd-gadget --serial x --udc nonsense 2>/dev/null; [ $? = 124 ]'
	check_as_before "killed, another one"
	join
	gadget_kill
	rm $run/joined
	check "killed, no note of it: the next start" join
	check "killed, no note of it: the line works" line_works
	gadget_stop
	check "killed, no note of it: unbound, as it was found" unbound
	# Who had set the OS descriptors cannot be told without the note.
	rm $gadget/os_desc/c.1
	echo 0 >$gadget/os_desc/use
	echo 0 >$gadget/os_desc/b_vendor_code
	echo dummy_udc.0 >$gadget/UDC
	check_as_before "killed, no note of it, and bound"
	join
	gadget_kill
	fails "killed, configuration gone" 1 'has no configuration c.2' --join g1/c.2
	check_as_before "killed, configuration gone"
}

# A gadget that its script has not bound, with and without a controller that is free.
not_bound()
{
	echo '' >$gadget/UDC
	remember
	check "not bound: joined" join
	check "not bound: the line works" line_works
	check "not bound: it ends" gadget_stop
	check "not bound: as it was" as_before

	acm_make g2
	echo dummy_udc.0 >$CONFIGFS/g2/UDC
	fails "controller taken" 1 'dummy_udc.0: taken by gadget g2' --join g1
	check "controller taken: as it was" as_before
	acm_remove g2
	: >$GADGET_LOG
	bpfd-gadget --join g1 --udc dummy_udc.1 >$GADGET_LOG 2>&1 &
	GADGET_PID=$!
	check "no controller: it waits" until_true 10 log_has 'waiting for a USB device controller'
	echo dummy_udc.0 >$gadget/UDC
	check "no controller: the script may bind the gadget meanwhile" line_works
	gadget_stop
	remember
	check_as_before "no controller"

	echo '' >$gadget/UDC
	rmmod dummy_hcd
	: >$GADGET_LOG
	bpfd-gadget --join g1 >>$GADGET_LOG 2>&1 &
	GADGET_PID=$!
	check "bound late: it waits" until_true 10 log_has 'waiting for a USB device controller'
	kill -STOP $GADGET_PID
	load_udc is_super_speed=1
	check "bound late: the script is first" sh -c "echo dummy_udc.0 >$gadget/UDC"
	kill -CONT $GADGET_PID
	check "bound late: then it joins" until_true 20 log_has 'bound to'
	check "bound late: a session" session
	gadget_kill
	check "bound late, killed: --remove" bpfd-gadget --remove
	check "bound late, killed: bound again" bound
	check_as_before "bound late, killed"
}

# The administrator unbinds a gadget with lanes: so it stays.
by_hand()
{
	join
	echo '' >$gadget/UDC
	sleep 2
	check "unbound by hand: it stays" unbound
	check "unbound by hand: it ends" gadget_stop
	check "unbound by hand: and stays" unbound
	join
	echo '' >$gadget/UDC
	until_true 10 device_absent
	echo dummy_udc.0 >$gadget/UDC
	check "bound by hand: a session" session
	check "bound by hand: the line works" line_works
	check "bound by hand: it ends" gadget_stop
	check "bound by hand: it was unbound when it was joined" unbound
	echo dummy_udc.0 >$gadget/UDC
	check_as_before "bound by hand"
}

# Two configurations, of which hosts take the one with OS descriptors, if there is one.
configurations()
{
	echo '' >$gadget/UDC
	mkdir $gadget/configs/b.2
	ln -s $gadget/functions/acm.g1 $gadget/configs/b.2
	echo dummy_udc.0 >$gadget/UDC
	remember
	check "two configurations: joined" join
	check "two configurations: the lower one has the lanes" test \
		-e $gadget/configs/c.1/ffs.bpfd0 -a ! -e $gadget/configs/b.2/ffs.bpfd0
	check "two configurations: a session" session
	check "two configurations: the line works" line_works
	check "two configurations: it ends" gadget_stop
	check_as_before "two configurations"

	echo '' >$gadget/UDC
	echo 1 >$gadget/os_desc/use
	echo 0x42 >$gadget/os_desc/b_vendor_code
	echo MSFT100 >$gadget/os_desc/qw_sign
	ln -s $gadget/configs/b.2 $gadget/os_desc
	echo dummy_udc.0 >$gadget/UDC
	remember
	check "its OS descriptors: joined" join
	check "its OS descriptors: they stay" test "$(cat $gadget/os_desc/b_vendor_code)" = 0x42
	check "its OS descriptors: where they are the lanes are" test \
		-e $gadget/configs/b.2/ffs.bpfd0 -a ! -e $gadget/configs/c.1/ffs.bpfd0
	check "its OS descriptors: a session" session
	check "its OS descriptors: it ends" gadget_stop
	check_as_before "its OS descriptors"
	bpfd-gadget -q --join g1/c.1 &
	GADGET_PID=$!
	check "a configuration that is named" until_true 10 test -e $gadget/configs/c.1/ffs.bpfd0
	check "a configuration that is named: it ends" gadget_stop
	check_as_before "a configuration that is named"

	echo '' >$gadget/UDC
	rm $gadget/os_desc/b.2 $gadget/configs/b.2/acm.g1
	rmdir $gadget/configs/b.2
	echo 0 >$gadget/os_desc/use
	echo 0 >$gadget/os_desc/b_vendor_code
	echo dummy_udc.0 >$gadget/UDC
	remember
}

# Keys hold for the gadget's own serial number, whatever --serial says.
keys()
{
	bpfd-usb --keygen "$work/key" >/dev/null
	cp "$work/key.pub" "$work/list"
	check "keys: joined" join --authorized-keys "$work/list" --serial mine
	check "keys: no session without one" sh -c "HOME=$work bpfd-usb -w=10 -s serial-line </dev/null 2>'$work/err'; test \$? = 251"
	check "keys: a session" session --key "$work/key"
	check "keys: it ends" gadget_stop
	check_as_before keys
}

few_endpoints()
{
	local loop=0
	check "eight lanes: joined" join --lanes 8
	check "eight lanes: fewer are left" until_true 20 test ! -e $gadget/functions/ffs.bpfd3
	check "eight lanes: it says so" log_has 'going on with 3 lanes'
	check "eight lanes: the host sees three" until_true 20 device_present 3
	check "eight lanes: a session" session
	check "eight lanes: the line works" line_works
	check "eight lanes: it ends" gadget_stop
	check_as_before "eight lanes"

	# Fill it up: each of these takes as many endpoints as a lane does.
	echo '' >$gadget/UDC
	while mkdir $gadget/functions/Loopback.$loop &&
		ln -s $gadget/functions/Loopback.$loop $gadget/configs/c.1 &&
		echo dummy_udc.0 2>/dev/null >$gadget/UDC; do
		echo '' >$gadget/UDC
		loop=$((loop + 1))
	done
	rm $gadget/configs/c.1/Loopback.$loop
	rmdir $gadget/functions/Loopback.$loop
	check "no endpoint is left: $loop functions fill it" test $loop -gt 3
	echo dummy_udc.0 >$gadget/UDC
	remember
	fails "no endpoint is left" 1 'dummy_udc.0: refuses gadget g1 with 1 lane: too few' --join g1
	check "no endpoint is left: bound again" bound
	check_as_before "no endpoint is left"
	echo '' >$gadget/UDC
	while [ $loop -gt 0 ]; do
		loop=$((loop - 1))
		rm $gadget/configs/c.1/Loopback.$loop
		rmdir $gadget/functions/Loopback.$loop
	done
	echo dummy_udc.0 >$gadget/UDC
	remember
}

# The settings' file, and what a killed daemon with a gadget of its own has left.
settings()
{
	echo 'join = g1/c.1' >"$work/conf"
	echo '' >$gadget/UDC
	bpfd-gadget -q --serial own &
	GADGET_PID=$!
	until_true 20 device_present
	gadget_kill
	until_true 10 sh -c "echo dummy_udc.0 2>/dev/null >$gadget/UDC"
	: >$GADGET_LOG
	bpfd-gadget --config "$work/conf" >>$GADGET_LOG 2>&1 &
	GADGET_PID=$!
	check "settings: joined" until_true 20 log_has 'gadget g1: bound to'
	check "settings: the own gadget is gone" test ! -e $CONFIGFS/bpfd
	check "settings: a session" session
	gadget_kill
	check "settings: --remove" bpfd-gadget --config "$work/conf" --remove
	check_as_before settings
	fails "settings: an instance instead" 1 '/run/x/ep0: No such' --config "$work/conf" --ffs-dir /run/x
}

controller_goes()
{
	check "vanishing controller: joined" join
	rmmod dummy_hcd
	sleep 2
	check "vanishing controller: the daemon lives" kill -0 "$GADGET_PID"
	load_udc is_super_speed=1
	check "vanishing controller: a session" session
	check "vanishing controller: the line works" line_works
	check "vanishing controller: it ends" gadget_stop
	check_as_before "vanishing controller"

	join
	rmmod dummy_hcd
	gadget_kill
	check "killed without its controller: its name is left" bound
	load_udc is_super_speed=1
	check "killed without its controller: the next start" join
	check "killed without its controller: a session" session
	rmmod dummy_hcd
	gadget_kill
	load_udc is_super_speed=1
	check "killed without its controller: --remove" bpfd-gadget --remove
	check_as_before "killed without its controller, removed"
}

# A gadget that a script has made with a line and a lane.
prepared()
{
	echo '' >$gadget/UDC
	mkdir $gadget/functions/ffs.lane /run/lane
	mount -t functionfs lane /run/lane
	ln -s $gadget/functions/ffs.lane $gadget/configs/c.1
	bpfd-gadget --ffs-dir /run/lane >$GADGET_LOG 2>&1 &
	GADGET_PID=$!
	until_true 10 test -e /run/lane/ep2
	echo dummy_udc.0 >$gadget/UDC
	check "prepared: a session" session
	check "prepared: the line works" line_works
	session_open
	kill_worker "prepared, worker killed"
	check "prepared: it ends" gadget_stop
	umount /run/lane
	rmdir /run/lane
}

load_udc is_super_speed=1 || { not_ok "load dummy_hcd"; finish; }
modprobe -a libcomposite cdc_acm
acm_make g1
echo dummy_udc.0 >$gadget/UDC
check "a serial line" line_works
refused
beside
killed
not_bound
by_hand
configurations
keys
few_endpoints
settings
controller_goes
prepared
acm_remove g1
check_no_leftovers
finish

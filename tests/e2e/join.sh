#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# --join: lanes in the gadget of another owner, a serial line (ACM) that a script has made.
#
# However the daemon ends, the line works afterwards and the gadget is as it was before.
# vm: --cpus 1
set -u
here=$(dirname "$0")
# shellcheck source=tests/e2e/lib.sh
. "$here/lib.sh"
work=$(mktemp -d)
gadget=$CONFIGFS/g1
run=/run/bpfd-gadget

# acm_make NAME: makes the gadget of a serial line, like a board's own script.
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
# line_works: bytes pass through the line in both directions.
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
# session_open: opens a session that stays open, on descriptor 8.
# session_asks: that session answers a command.
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
# session_ends STATUS: the session ends with that status.
session_ends()
{
	local status=0
	timeout $((20 * PATIENCE)) tail --pid="$SESSION" -f /dev/null || kill -9 "$SESSION"
	wait "$SESSION" || status=$?
	exec 8>&-
	[ $status = "$1" ]
}
# tree_of DIRECTORY: prints the whole gadget: entries, targets of links, values. The kernel cannot
# clear qw_sign, so it is left out.
tree_of()
{
	(cd "$1" && find . -printf '%y %p %l\n' | sort &&
		find . -type f ! -name qw_sign | sort | xargs grep -s . -)
}
remember()
{
	tree_of $gadget >"$work/before"
}
# as_before: the gadget is as it was, and no mount or directory of ours is left.
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
# join [OPTION]...: starts a daemon that joins g1, and waits until the host sees a lane.
join()
{
	: >$GADGET_LOG
	bpfd-gadget -v --join g1 "$@" >>$GADGET_LOG 2>&1 &
	GADGET_PID=$!
	until_true 20 log_has 'bound to' && until_true 20 device_present
}
# fails NAME STATUS TEXT OPTION...: the daemon exits by itself with that status and logs TEXT.
fails()
{
	local name=$1 wanted=$2 text=$3 status=0
	shift 3
	timeout $((20 * PATIENCE)) bpfd-gadget "$@" >"$work/log" 2>&1 || status=$?
	check "$name: the daemon exits with status $wanted ($status)" test $status = "$wanted"
	check "$name: it logs the cause" grep -q -e "$text" "$work/log"
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
	fails "--join and --ffs-dir" 2 'one of them' --join g1 --ffs-dir /run/x
	fails "three names" 2 'not GADGET or GADGET/CONFIGURATION' --join g1/c.1/x
	fails "no name" 2 'not GADGET or GADGET/CONFIGURATION' --join ..
	check "refused: the device stayed on the bus" test "$(device_number)" = "$number"
	check_as_before refused
}

# kill_worker NAME: kills the worker of an open session. Only that session ends.
kill_worker()
{
	local number
	number=$(device_number)
	kill -9 "$(worker_pid)"
	check "$1: the line works at once" line_works
	check "$1: the session ends with status 255" session_ends 255
	check "$1: a new session works" session
	check "$1: the device stayed on the bus" test "$(device_number)" = "$number"
}

beside()
{
	local compatible
	bpfd-gadget --check --join g1 >"$work/check" 2>&1
	check "--check finds the gadget" grep -q '^ok *gadget g1: present, configuration c.1, bound to dummy' "$work/check"
	check "joined: the daemon starts" join --serial mine
	check "joined: the log names the other function" log_has 'adding 2 lanes: .* interrupts acm.g1$'
	check "joined: the log says that --serial is ignored" log_has '--serial.*: not used'
	check "joined: a session works" session
	check "joined: the product ID stays" test "$(cat "$(device)/idProduct")" = 0106
	check "joined: the host sees two lanes" device_present 2
	compatible=$(printf '/dev/bus/usb/%03d/%03d' "$(cat "$(device)/busnum")" "$(device_number)")
	compatible=$("$BPFD_BUILD/tools/usb_control" "$compatible" 0xc0 0xb7 0 4 4096 |
		grep -o 57494e555342 | wc -l)
	check "joined: each lane has a compatible ID" test "$compatible" = 2
	check "joined: the line works" line_works
	session_open
	check "joined: the line works during a session" line_works
	check "joined: the session works too" session_asks
	fails "joined already" 1 'another bpfd-gadget is running' --join g1
	check "joined already: --remove is refused" sh -c '! bpfd-gadget --remove 2>/dev/null'
	check "joined already: the session still works" session_asks

	kill_worker "worker killed"
	check "worker killed: the line works" line_works
	session_open
	check "stopped: the daemon exits with status 0" gadget_stop
	check "stopped: the session ends with status 255" session_ends 255
	check_as_before stopped
}

killed()
{
	check "killed: the daemon joins" join
	session_open
	gadget_kill
	check "killed: the session ends with status 255" session_ends 255
	check "killed: the kernel unbinds the gadget" until_true 10 unbound
	check "killed: --remove succeeds" bpfd-gadget --remove
	check_as_before "killed, removed"
	join
	gadget_kill
	check "killed: the next daemon joins" join
	check "killed: a session works" session
	check "killed: the line works" line_works
	gadget_kill
	check "killed: a daemon with a gadget of its own starts" sh -c '
		timeout 2 bpfd-gadget --serial x --udc nonsense 2>/dev/null; [ $? = 124 ]'
	check_as_before "killed, another kind of daemon"
	join
	gadget_kill
	rm $run/joined
	check "killed, note lost: the next daemon joins" join
	check "killed, note lost: the line works" line_works
	gadget_stop
	check "killed, note lost: the gadget is unbound, as it was found" unbound
	# Without the note the daemon does not know who set the OS descriptors, and leaves them.
	rm $gadget/os_desc/c.1
	echo 0 >$gadget/os_desc/use
	echo 0 >$gadget/os_desc/b_vendor_code
	echo dummy_udc.0 >$gadget/UDC
	check_as_before "killed, note lost, bound again"
	join
	gadget_kill
	fails "killed, configuration gone" 1 'has no configuration c.2' --join g1/c.2
	check_as_before "killed, configuration gone"
}

# The script has not bound the gadget; a controller is free, taken, missing, or comes late.
not_bound()
{
	echo '' >$gadget/UDC
	remember
	check "not bound: the daemon joins" join
	check "not bound: the line works" line_works
	check "not bound: the daemon exits with status 0" gadget_stop
	check "not bound: the gadget is as it was" as_before

	acm_make g2
	echo dummy_udc.0 >$CONFIGFS/g2/UDC
	fails "controller taken" 1 'dummy_udc.0: taken by gadget g2' --join g1
	check "controller taken: the gadget is as it was" as_before
	acm_remove g2
	: >$GADGET_LOG
	bpfd-gadget --join g1 --udc dummy_udc.1 >$GADGET_LOG 2>&1 &
	GADGET_PID=$!
	check "no controller: the daemon waits" until_true 10 log_has 'waiting for a USB device controller'
	echo dummy_udc.0 >$gadget/UDC
	check "no controller: the script can bind the gadget meanwhile" line_works
	gadget_stop
	remember
	check_as_before "no controller"

	echo '' >$gadget/UDC
	rmmod dummy_hcd
	: >$GADGET_LOG
	bpfd-gadget --join g1 >>$GADGET_LOG 2>&1 &
	GADGET_PID=$!
	check "bound late: the daemon waits" until_true 10 log_has 'waiting for a USB device controller'
	kill -STOP $GADGET_PID
	load_udc is_super_speed=1
	check "bound late: the script binds the gadget first" sh -c "echo dummy_udc.0 >$gadget/UDC"
	kill -CONT $GADGET_PID
	check "bound late: the daemon then joins" until_true 20 log_has 'bound to'
	check "bound late: a session works" session
	gadget_kill
	check "bound late, killed: --remove succeeds" bpfd-gadget --remove
	check "bound late, killed: the gadget is bound again" bound
	check_as_before "bound late, killed"
}

# A gadget with lanes that the administrator unbinds stays unbound.
by_hand()
{
	join
	echo '' >$gadget/UDC
	sleep 2
	check "unbound by hand: it stays unbound" unbound
	check "unbound by hand: the daemon exits with status 0" gadget_stop
	check "unbound by hand: the gadget still stays unbound" unbound
	join
	echo '' >$gadget/UDC
	until_true 10 device_absent
	echo dummy_udc.0 >$gadget/UDC
	check "bound by hand: a session works" session
	check "bound by hand: the line works" line_works
	check "bound by hand: the daemon exits with status 0" gadget_stop
	check "bound by hand: the gadget is unbound, as it was found" unbound
	echo dummy_udc.0 >$gadget/UDC
	check_as_before "bound by hand"
}

# Two configurations: hosts take the one with OS descriptors, if there is one.
configurations()
{
	echo '' >$gadget/UDC
	mkdir $gadget/configs/b.2
	ln -s $gadget/functions/acm.g1 $gadget/configs/b.2
	echo dummy_udc.0 >$gadget/UDC
	remember
	check "two configurations: the daemon joins" join
	check "two configurations: the one with the lower number has the lanes" test \
		-e $gadget/configs/c.1/ffs.bpfd0 -a ! -e $gadget/configs/b.2/ffs.bpfd0
	check "two configurations: a session works" session
	check "two configurations: the line works" line_works
	check "two configurations: the daemon exits with status 0" gadget_stop
	check_as_before "two configurations"

	echo '' >$gadget/UDC
	echo 1 >$gadget/os_desc/use
	echo 0x42 >$gadget/os_desc/b_vendor_code
	echo MSFT100 >$gadget/os_desc/qw_sign
	ln -s $gadget/configs/b.2 $gadget/os_desc
	echo dummy_udc.0 >$gadget/UDC
	remember
	check "its OS descriptors: the daemon joins" join
	check "its OS descriptors: they stay" test "$(cat $gadget/os_desc/b_vendor_code)" = 0x42
	check "its OS descriptors: their configuration has the lanes" test \
		-e $gadget/configs/b.2/ffs.bpfd0 -a ! -e $gadget/configs/c.1/ffs.bpfd0
	check "its OS descriptors: a session works" session
	check "its OS descriptors: the daemon exits with status 0" gadget_stop
	check_as_before "its OS descriptors"
	bpfd-gadget -q --join g1/c.1 &
	GADGET_PID=$!
	check "named configuration: it has the lanes" until_true 10 test \
		-e $gadget/configs/c.1/ffs.bpfd0
	check "named configuration: the daemon exits with status 0" gadget_stop
	check_as_before "named configuration"

	echo '' >$gadget/UDC
	rm $gadget/os_desc/b.2 $gadget/configs/b.2/acm.g1
	rmdir $gadget/configs/b.2
	echo 0 >$gadget/os_desc/use
	echo 0 >$gadget/os_desc/b_vendor_code
	echo dummy_udc.0 >$gadget/UDC
	remember
}

# A key is used for the gadget's own serial number, whatever --serial says.
keys()
{
	bpfd-usb --keygen "$work/key" >/dev/null
	cp "$work/key.pub" "$work/list"
	check "keys: the daemon joins" join --authorized-keys "$work/list" --serial mine
	check "keys: a session without a key is refused" sh -c "HOME=$work bpfd-usb -w=10 -s serial-line </dev/null 2>'$work/err'; test \$? = 251"
	check "keys: a session with the key works" session --key "$work/key"
	check "keys: the daemon exits with status 0" gadget_stop
	check_as_before keys
}

few_endpoints()
{
	local loop=0
	check "eight lanes: the daemon joins" join --lanes 8
	check "eight lanes: it keeps three" until_true 20 test ! -e $gadget/functions/ffs.bpfd3
	check "eight lanes: it logs that it goes on with three" log_has 'going on with 3 lanes'
	check "eight lanes: the host sees three" until_true 20 device_present 3
	check "eight lanes: a session works" session
	check "eight lanes: the line works" line_works
	check "eight lanes: the daemon exits with status 0" gadget_stop
	check_as_before "eight lanes"

	# Use up the endpoints: each loopback function takes as many as a lane.
	echo '' >$gadget/UDC
	while mkdir $gadget/functions/Loopback.$loop &&
		ln -s $gadget/functions/Loopback.$loop $gadget/configs/c.1 &&
		echo dummy_udc.0 2>/dev/null >$gadget/UDC; do
		echo '' >$gadget/UDC
		loop=$((loop + 1))
	done
	rm $gadget/configs/c.1/Loopback.$loop
	rmdir $gadget/functions/Loopback.$loop
	check "no endpoint is left: $loop functions use all" test $loop -gt 3
	echo dummy_udc.0 >$gadget/UDC
	remember
	fails "no endpoint is left" 1 'dummy_udc.0: refuses gadget g1 with 1 lane: too few' --join g1
	check "no endpoint is left: the gadget is bound again" bound
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

# join in the settings file, after a killed daemon with a gadget of its own.
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
	check "settings: the daemon joins" until_true 20 log_has 'gadget g1: bound to'
	check "settings: the gadget of the killed daemon is removed" test ! -e $CONFIGFS/bpfd
	check "settings: a session works" session
	gadget_kill
	check "settings: --remove succeeds" bpfd-gadget --config "$work/conf" --remove
	check_as_before settings
	fails "settings: --ffs-dir overrides join" 1 '/run/x/ep0: No such' --config "$work/conf" --ffs-dir /run/x
}

controller_goes()
{
	check "vanishing controller: the daemon joins" join
	rmmod dummy_hcd
	sleep 2
	check "vanishing controller: the daemon keeps running" kill -0 "$GADGET_PID"
	load_udc is_super_speed=1
	check "vanishing controller: a session works" session
	check "vanishing controller: the line works" line_works
	check "vanishing controller: the daemon exits with status 0" gadget_stop
	check_as_before "vanishing controller"

	join
	rmmod dummy_hcd
	gadget_kill
	check "killed without its controller: the name stays in UDC" bound
	load_udc is_super_speed=1
	check "killed without its controller: the next daemon joins" join
	check "killed without its controller: a session works" session
	rmmod dummy_hcd
	gadget_kill
	load_udc is_super_speed=1
	check "killed without its controller: --remove succeeds" bpfd-gadget --remove
	check_as_before "killed without its controller, removed"
}

# The gadget has a FunctionFS function of another program, as of adbd, that starts later.
unready()
{
	local other
	echo '' >$gadget/UDC
	mkdir $gadget/functions/ffs.other /run/other
	mount -t functionfs other /run/other
	ln -s $gadget/functions/ffs.other $gadget/configs/c.1
	bpfd-gadget --join g1 --lanes 1 >$GADGET_LOG 2>&1 &
	GADGET_PID=$!
	check "other function not ready: the daemon names it" until_true 20 \
		log_has 'until the program of its function ffs.other is ready'
	sleep 2
	check "other function not ready: the daemon keeps running" kill -0 "$GADGET_PID"
	check "other function not ready: it says so once" test "$(grep -c ffs.other $GADGET_LOG)" = 1
	bpfd-gadget --ffs-dir /run/other >"$work/other.log" 2>&1 &
	other=$!
	check "other function ready: the gadget is bound" until_true 20 bound
	check "other function ready: the host sees both" until_true 20 device_present 2
	check "other function ready: the daemon exits with status 0" gadget_stop
	kill $other
	wait $other
	{ echo '' >$gadget/UDC; } 2>/dev/null
	rm $gadget/configs/c.1/ffs.other
	umount /run/other
	rmdir $gadget/functions/ffs.other /run/other
	echo dummy_udc.0 >$gadget/UDC
}

# A script has made a gadget with a line and a lane.
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
	check "prepared: a session works" session
	check "prepared: the line works" line_works
	session_open
	kill_worker "prepared, worker killed"
	check "prepared: the daemon exits with status 0" gadget_stop
	umount /run/lane
	rmdir /run/lane
}

load_udc is_super_speed=1 || { not_ok "load dummy_hcd"; finish; }
modprobe -a libcomposite cdc_acm
acm_make g1
echo dummy_udc.0 >$gadget/UDC
check "alone: the line works" line_works
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
unready
prepared
acm_remove g1
check_no_leftovers
finish

# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# Library of the end-to-end suites: TAP output, the gadget on dummy_hcd, checks for leftovers.
# Runs as root inside the VM (tests/vm/run); $BPFD_BUILD is the build directory.

if [ -z "${BPFD_IN_VM:-}" ]; then
	echo "1..0 # SKIP only inside the VM"
	exit 0
fi
: "${BPFD_BUILD:?is not set}"
PATH=$BPFD_BUILD:$PATH
export BPFD_BUILD PATH

TESTS=0 FAILED=0
GADGET_PID=${GADGET_PID:-} WAIT_PID=''
GADGET_LOG=/run/bpfd-gadget.log
CONFIGFS=/sys/kernel/config/usb_gadget

# The board is this machine and dummy_hcd is its cable. With $BPFD_BOARD_SHELL it is another machine:
# remote.sh, sourced at the end, then sets these again.
SYSCALL=__x64_sys_                  # prefix of the kernel's system call functions
TRIGGER=$BPFD_BUILD/tools/trigger   # a program to trace: its path on the board
TRIGGER_FILE=$TRIGGER               # its path on this machine
MODULE=overlay                      # a module that the board's kernel has loaded
BOARD_SHELL=/bin/bash               # a shell on the board, started instead of bpfd
PATIENCE=5                          # factor for all timeouts: other VMs may take most of the time

# on_board COMMAND...: runs the command on the machine that is traced.
on_board()
{
	"$@"
}

ok()
{
	TESTS=$((TESTS + 1))
	echo "ok $TESTS - $1"
}

# not_ok NAME [WHY]
not_ok()
{
	TESTS=$((TESTS + 1))
	FAILED=$((FAILED + 1))
	echo "not ok $TESTS - $1"
	[ -z "${2:-}" ] || printf '%s\n' "$2" | sed 's/^/# /'
}

# skip NAME REASON
skip()
{
	TESTS=$((TESTS + 1))
	echo "ok $TESTS - $1 # SKIP $2"
}

# check NAME COMMAND...: ok if the command succeeds. The command runs in this shell, so it can wait
# for the shell's background processes.
check()
{
	local name=$1
	shift
	if "$@" >/run/check.out 2>&1; then
		ok "$name"
	else
		not_ok "$name" "$*
$(head -c 1000 /run/check.out)"
	fi
}

# needs_kernel MAJOR MINOR WHY: skips the whole suite on an older kernel.
needs_kernel()
{
	local major minor
	IFS=.- read -r major minor _ < <(uname -r)
	if [ "$major" -lt "$1" ] || { [ "$major" = "$1" ] && [ "$minor" -lt "$2" ]; }; then
		echo "1..0 # SKIP $3 needs Linux $1.$2, this is $(uname -r)"
		exit 0
	fi
}

finish()
{
	[ -z "$GADGET_PID" ] || gadget_stop
	echo "1..$TESTS"
	[ "$FAILED" = 0 ]
	exit
}

# pause: sleeps for 0.1 s without starting a process. Under emulation the start of one would add
# 0.05 s.
[ -p /run/pause ] || mkfifo /run/pause
pause()
{
	read -rt 0.1 <>/run/pause || :
}

# until_true SECONDS COMMAND...: repeats the command until it succeeds, for at most
# SECONDS * $PATIENCE.
until_true()
{
	local end=$((SECONDS + $1 * PATIENCE))
	shift
	while ! "$@"; do
		[ $SECONDS -lt $end ] || return 1
		pause
	done
}

# shellcheck disable=SC2120
# device_present [COUNT]: the bus has at least that many of our interfaces (default 1), and the host
# has read their descriptors.
device_present()
{
	[ "$(cat /sys/bus/usb/devices/*/bInterfaceSubClass 2>/dev/null | grep -c '^b7$')" -ge "${1:-1}" ]
}
device_absent()
{
	! device_present
}

# load_udc [PARAMETER...]: loads dummy_hcd, both ends of a USB cable in one kernel.
load_udc()
{
	modprobe dummy_hcd "$@" && until_true 10 test -e /sys/class/udc/dummy_udc.0
}

# gadget_start [OPTION]...: starts the daemon and waits until the host sees its lanes.
gadget_start()
{
	bpfd-gadget -v --serial testboard "$@" >>$GADGET_LOG 2>&1 &
	GADGET_PID=$!
	if ! until_true 20 device_present; then
		echo "# no device; the daemon's log:"
		sed 's/^/# /' $GADGET_LOG
		return 1
	fi
}

# gadget_stop: sends SIGTERM to the daemon and returns its status.
gadget_stop()
{
	local pid=$GADGET_PID
	GADGET_PID=''
	kill "$pid" 2>/dev/null
	wait "$pid" 2>/dev/null
}

# worker_pid: prints the pid of the daemon's process that serves the lanes.
worker_pid()
{
	on_board pgrep -P "$GADGET_PID" -x bpfd-worker
}
# no_process: the worker has no child: each session's process has ended and was reaped.
no_process()
{
	local worker
	worker=$(worker_pid) && ! on_board pgrep -P "$worker"
}

# is_dead PID: the process has ended and its descriptors are closed. It may still be a zombie.
is_dead()
{
	! grep -q '^State:[[:space:]]*[^Z[:space:]]' "/proc/$1/status" 2>/dev/null
}

# gadget_kill: kills the daemon with SIGKILL and waits for the worker, which dies with its parent
# slightly later. Until then the FunctionFS instances are busy.
gadget_kill()
{
	local pid=$GADGET_PID worker
	worker=$(worker_pid)
	GADGET_PID=''
	kill -9 "$pid"
	wait "$pid" 2>/dev/null
	[ -z "$worker" ] || until_true 10 is_dead "$worker"
}

# cable_unplug and cable_plug: unbind and bind the gadgets, which looks the same to the host.
# dummy_hcd does not come back after a disconnect by soft_connect.
cable_unplug()
{
	# shellcheck disable=SC2016 # the board's shell
	on_board sh -c 'for udc in /sys/kernel/config/usb_gadget/*/UDC; do echo "" >$udc; done'
}
cable_plug()
{
	# shellcheck disable=SC2016
	on_board sh -c 'for udc in /sys/kernel/config/usb_gadget/*/UDC; do echo dummy_udc.0 >$udc; done'
}

# start_wait TRIGGER: starts a process to trace, WAIT_PID, that waits until end_wait.
start_wait()
{
	rm -f /run/wait.in /run/wait.out
	mkfifo /run/wait.in
	"$1" wait </run/wait.in >/run/wait.out &
	WAIT_PID=$!
	exec 7>/run/wait.in
	until_true 10 test -s /run/wait.out
}
end_wait()
{
	exec 7>&-
	wait "$WAIT_PID"
}

# elf_offset FILE ADDRESS: prints the file offset of a virtual address.
elf_offset()
{
	local offset vaddr size
	while read -r offset vaddr size; do
		if [ $(($2)) -ge $((vaddr)) ] && [ $(($2)) -lt $((vaddr + size)) ]; then
			printf '0x%x' $(($2 - vaddr + offset))
			return
		fi
	done < <(readelf -lW "$1" | awk '$1 == "LOAD" {print $2, $3, $5}')
}

no_probes()
{
	! on_board grep -q . /sys/kernel/tracing/kprobe_events /sys/kernel/tracing/uprobe_events
}
no_programs()
{
	! on_board bpftool prog show | grep -q -E 'name (test|emit|count|stack)'
}

# check_no_leftovers: checks that no probe and no program of the tests is left and, if no daemon
# runs, no gadget and no mount.
check_no_leftovers()
{
	check "no probe is left" until_true 5 no_probes
	check "no program is left" until_true 5 no_programs
	if [ -z "$GADGET_PID" ]; then
		check "no gadget is left" test -z "$(on_board ls $CONFIGFS 2>/dev/null)"
		check "no FunctionFS mount is left" on_board sh -c '! grep -q functionfs /proc/mounts'
	fi
}

if [ -n "${BPFD_BOARD_SHELL:-}" ]; then
	# shellcheck source=tests/e2e/remote.sh
	. "${BASH_SOURCE%/*}/remote.sh"
fi

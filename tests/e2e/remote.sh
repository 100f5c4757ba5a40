# shellcheck shell=bash disable=SC2034,SC2154 # sourced by lib.sh, whose functions these are
# SPDX-License-Identifier: Apache-2.0
# Functions of lib.sh for a board that is another machine, an emulated ARM one (see tests/crossing).
# USB/IP is its cable. $BPFD_BOARD_SHELL is the TCP port of a shell on the board. In the emulated
# network 10.0.2.2 is the machine that both run on.

SYSCALL=$BPFD_BOARD_SYSCALL
TRIGGER=/bin/trigger
TRIGGER_FILE=$BPFD_BOARD_TRIGGER
MODULE=libcomposite
BOARD_SHELL=/bin/bash

# board_connect NAME: connects to a new shell of the board and sets the variable to the descriptor.
board_connect()
{
	local -n connection=$1
	exec {connection}<>"/dev/tcp/10.0.2.2/$BPFD_BOARD_SHELL"
}

# on_board COMMAND...: prints the command's stdout and returns its status. Its stderr goes to the
# board's console.
on_board()
{
	local shell status reply
	reply=$(mktemp /run/on_board.XXXXXX)
	board_connect shell || return 255
	printf '{ %s; } </dev/null\necho "\n$?"\nexit\n' "$(printf '%q ' "$@")" >&"$shell"
	cat <&"$shell" >"$reply"
	exec {shell}>&-
	status=$(tail -n 1 "$reply")
	head -c -$((${#status} + 2)) "$reply"
	rm "$reply"
	return "${status:-255}"
}

load_udc()
{
	on_board board-gadget load "$@"
}

cable_plug()
{
	# shellcheck disable=SC2016 # the board's shell
	on_board sh -c 'for udc in /sys/kernel/config/usb_gadget/*/UDC; do echo dummy_udc.0 >$udc; done'
	cable_attach
}
# cable_attach: attaches the device of a bound gadget to the workstation. It repeats `usbip attach`,
# which can succeed without a device.
cable_attach()
{
	local bus_id
	bus_id=$(on_board board-gadget export) || return
	until_true 20 board_attached "$bus_id"
}
board_attached()
{
	device_present && return
	usbip --tcp-port "$BPFD_BOARD_USBIP" attach -r 10.0.2.2 -b "$1" >>/run/usbip.log 2>&1
	until_true 3 device_present
}

gadget_start()
{
	GADGET_PID=$(on_board board-gadget start -v --serial testboard "$@") && cable_attach && return
	echo "# no device; the daemon's log:"
	on_board tail -n 30 $GADGET_LOG | sed 's/^/# /'
	sed 's/^/# /' /run/usbip.log
	return 1
}

gadget_stop()
{
	local pid=$GADGET_PID
	GADGET_PID=''
	on_board kill "$pid"
	on_board board-gadget status
}

gadget_kill()
{
	local pid=$GADGET_PID
	GADGET_PID=''
	on_board kill -9 "$pid"
	on_board board-gadget status
}

start_wait()
{
	board_connect WAIT_SHELL
	echo "exec $1 wait" >&"$WAIT_SHELL"
	read -r -t 10 WAIT_PID <&"$WAIT_SHELL"
}
end_wait()
{
	echo >&"$WAIT_SHELL"
	cat <&"$WAIT_SHELL" >/dev/null
	exec {WAIT_SHELL}>&-
}

#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Runs each tool of the table in the VM, with and without bpfd-run, and keeps the output.
#
# usage: guest.sh DIRECTORY HALF...     HALF is local (without bpfd-run) or remote (with it)
#
# DIRECTORY/NAME/HALF gets the files out, err, status (exit status, cause of the end, duration in
# seconds) and, for remote, trace. A half that has a directory is not run again.
# $BPFD_TOOLS_LIMIT: seconds after which a tool that prints nothing is interrupted. Under emulation
# BCC compiles its program in 25 s if the machine is idle.
set -u
here=$(dirname "$0")
results=$1
shift
halves=$*
: "${BPFD_TOOLS_LIMIT:=90}"
# shellcheck source=tests/e2e/lib.sh
. "$here/../e2e/lib.sh"
# shellcheck source=tests/tools-suite/table.sh
. "$here/table.sh"
# Without a terminal Python would buffer a tool's output until the end.
export PYTHONUNBUFFERED=1

ended()
{
	[ ! -e "/proc/$1" ]
}

# compiled PID: true if the tool has called the kernel's BPF, here or on the board.
compiled()
{
	if [ -e "$run/trace" ]; then
		grep -qE ' (BPF|PERF_OPEN) ' "$run/trace"
	else
		[ -n "$(find "/proc/$1/fd" -lname 'anon_inode:*bpf*' 2>/dev/null)" ]
	fi
}

# interrupted_when PID READY AFTER LOAD: waits for the tool's end, interrupts it when it is due, and
# prints what ended it: itself, SIGINT or SIGKILL. The processes of the group LOAD are stopped until
# the tool has compiled its programs. Running, they would make that take three times as long, because
# emulation discards its translated code at each exec.
interrupted_when()
{
	local end=$((SECONDS + BPFD_TOOLS_LIMIT)) seen='' stopped=1
	local latest=$((SECONDS + BPFD_TOOLS_LIMIT / 2))
	while [ $SECONDS -lt $end ]; do
		sleep 0.3
		if [ -n "$stopped" ] && { [ $SECONDS -ge $latest ] || compiled "$1"; }; then
			kill -CONT -- "-$4"
			stopped=''
		fi
		if ended "$1"; then
			echo itself
			return
		fi
		if [ -z "$seen" ] && grep -aqE -e "$2" "$run/out" "$run/err"; then
			seen=1
			[ $((SECONDS + $3)) -ge $end ] || end=$((SECONDS + $3))
		fi
	done
	# Signal the process group, like Ctrl-C. A Python program loses a signal while it handles an event,
	# so a busy one may lose several.
	for _ in 1 2 3 4; do
		kill -INT -- "-$1"
		if until_true 10 ended "$1"; then
			echo SIGINT
			return
		fi
	done
	kill -KILL -- "-$1"
	echo SIGKILL
}

# run_half NAME HALF LOAD READY AFTER COMMAND...: runs one tool and keeps its results.
run_half()
{
	local dir=$results/$1/$2 name=$1 half=$2 load=$3 ready=$4 after=$5
	local pid load_pid why status begin word
	local -a command=()
	shift 5
	rm -rf "$run"
	mkdir "$run"

	setsid "$here/load.sh" "$load" "$run.pid" >"$run.log" 2>&1 &
	load_pid=$!
	until_true 30 test -s "$run.pid" || sed "s/^/# load $load: /" "$run.log"
	kill -STOP -- -$load_pid
	for word; do
		[ "$word" = PID ] && word=$(cat "$run.pid")
		command+=("$word")
	done
	[ "$half" = local ] ||
		command=(bpfd-run --via 'bpfd-usb -s testboard' --trace "$run/trace" "${command[@]}")

	begin=$SECONDS
	# The shell's background processes ignore SIGINT, and a tool would inherit that.
	setsid env --default-signal=INT,QUIT "${command[@]}" </dev/null >"$run/out" 2>"$run/err" &
	pid=$!
	why=$(interrupted_when $pid "$ready" "$after" $load_pid)
	wait $pid 2>/dev/null
	status=$?
	echo "$status $why $((SECONDS - begin))" >"$run/status"

	kill -TERM -- -$load_pid
	kill -CONT -- -$load_pid
	wait $load_pid 2>/dev/null
	rm -f "$run.pid"
	# Rename at the end, so results are complete or missing.
	mkdir -p "$dir.new"
	cp "$run"/* "$dir.new/" && mv "$dir.new" "$dir"
	echo "# $(date +%T) $name $half: $(cat "$run/status")"
}

# Most of the time a tool compiles on one processor, so two workers run; each takes the next tool that
# is free. Only one worker at a time uses a load that needs a port, a disk or a control group.
take()
{
	mkdir "$claims/$1" 2>/dev/null
}
each()
{
	local name=$1 load=$2 ready=$5 after=$6 half lock
	shift 7
	take "$name" || return
	case $load in
	tcp | drop | tls | disk | oom | bpf) lock=load-$load ;;
	*) lock=load-$worker ;;
	esac
	for half in $halves; do
		[ ! -d "$results/$name/$half" ] || continue
		until take "$lock"; do
			sleep 1
		done
		run_half "$name" "$half" "$load" "$ready" "$after" "$@"
		rmdir "$claims/$lock"
	done
}

load_udc && gadget_start || exit 1
claims=$(mktemp -d)
for worker in 1 2; do
	run=/run/tool.$worker
	all_tools &
	workers="${workers:-} $!"
done
# shellcheck disable=SC2086 # numbers
wait $workers
gadget_stop

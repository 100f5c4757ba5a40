#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The cost of bpfd-run: time to a tool's first event, and events through a perf buffer, with and
# without bpfd-run in one VM. Started by `make bench`.
# Usage: guest.sh [idle] [starts] [events]
set -u
: "${BPFD_BENCH_HEADERS:?is not set}"
here=$(dirname "$0")
# shellcheck source=tests/e2e/lib.sh
. "$here/../e2e/lib.sh"
# shellcheck source=tests/bench/rows.sh
. "$here/rows.sh"

load_udc is_super_speed=1 && gadget_start || exit 1
export HOME=/run/home
mkdir -p $HOME
mkfifo /run/idle
repeat=${BPFD_BENCH_REPEAT:-5}
export BCC_KERNEL_SOURCE=$BPFD_BENCH_HEADERS BPFTRACE_KERNEL_SOURCE=$BPFD_BENCH_HEADERS
trigger=$BPFD_BUILD/tools/trigger
remote=(bpfd-run --via 'bpfd-usb -s testboard')

# first_event COMMAND...: prints the milliseconds until the command prints the marker's name.
first_event()
{
	local begin end
	: >/run/bench.out # the background shell may create it late
	begin=$(date +%s%N)
	setsid env --default-signal=INT,QUIT "$@" >/run/bench.out 2>/run/bench.err &
	local pid=$!
	until grep -q marker /run/bench.out; do
		kill -0 $pid 2>/dev/null || { cat /run/bench.err >&2; return 1; }
		sleep 0.05
	done
	end=$(date +%s%N)
	# A Python program loses a signal while it handles an event, so repeat it.
	while kill -INT -- -$pid 2>/dev/null; do
		sleep 1
	done
	wait $pid
	echo $(((end - begin) / 1000000))
}

# link_up, link_down: start and end an idle session. While a transfer is pending, the simulated
# cable polls 8,000 times a second, which slows an emulated machine down. Real controllers do not poll.
link_up()
{
	bpfd-usb -s testboard <>/run/idle >/run/idle.out 2>&1 &
	bridge=$!
	until_true 10 grep -q STARTED /run/idle.out
}
link_down()
{
	kill "$bridge"
	wait "$bridge"
}

# start_row NAME COMMAND...
start_row()
{
	local name=$1 i
	shift
	"${remote[@]}" true
	first_event "${remote[@]}" "$@" >/dev/null # the first run fills bpfd-run's cache
	first_event "$@" >/dev/null
	: >/run/local
	: >/run/beside
	: >/run/remote
	for ((i = 0; i < repeat; i++)); do
		first_event "$@" >>/run/local
		if [ -z "$clock" ]; then
			link_up
			first_event "$@" >>/run/beside
			link_down
		fi
		first_event "${remote[@]}" "$@" >>/run/remote
	done
	read -r l _ < <(median </run/local)
	read -r b _ < <(median </run/beside)
	read -r r r1 r2 < <(median </run/remote)
	row "start of $name" ms "$r" "$r1" "$r2" local "$l" '<=1.5'
	# Counted in instructions an idle link costs nothing, as the row of part_idle shows.
	[ -n "$clock" ] || row "start of $name" ms "$r" "$r1" "$r2" 'beside an idle link' "$b"
}

# events NAME COUNT RATE PAGES: measures the events a second that reach BCC, and those that are
# neither delivered nor reported as lost.
events()
{
	local way sent delivered lost seconds rate local_rate=0
	for way in local remote; do
		set -- "$1" "$2" "$3" "$4" /usr/bin/python3 "$here/events.py" "$trigger" "$2" "$3" "$4"
		[ $way = local ] || set -- "$1" "$2" "$3" "$4" "${remote[@]}" "${@:5}"
		read -r sent delivered lost seconds < <("${@:5}" 2>/run/bench.err) ||
			{ cat /run/bench.err >&2; return 1; }
		rate=$(awk "BEGIN { printf \"%.0f\", $delivered / $seconds }")
		printf '# events %-16s %-6s sent %7d delivered %7d lost %7d unaccounted %d\n' "$1" $way \
			"$sent" "$delivered" "$lost" $((sent - delivered - lost))
		[ $way = remote ] || local_rate=$rate
	done
	row "events, $1, $4 pages" 1/s "$rate" "$rate" "$rate" local "$local_rate" '>=0.5'
}

# Measures how much an idle link slows down a program that only computes.
part_idle()
{
	local work='i=0; while [ $i -lt 200000 ]; do i=$((i + 1)); done' i alone=0 beside=0 begin
	for ((i = 0; i < repeat; i++)); do
		begin=$(date +%s%N)
		sh -c "$work"
		alone=$((alone + $(date +%s%N) - begin))
		link_up
		begin=$(date +%s%N)
		sh -c "$work"
		beside=$((beside + $(date +%s%N) - begin))
		link_down
	done
	alone=$((alone / repeat / 1000000)) beside=$((beside / repeat / 1000000))
	row 'a loop beside an idle link' ms $beside $beside $beside 'a loop' $alone
}
part_starts()
{
	local load
	(while :; do cat /no/such/marker 2>/dev/null; sleep 0.05; done) &
	load=$!
	start_row opensnoop opensnoop
	start_row 'bpftrace tracepoint' bpftrace -e \
		'tracepoint:syscalls:sys_enter_openat { printf("%s\n", str(args->filename)); }'
	# With a clock that counts instructions each compilation of BCC takes minutes, so skip them.
	[ -n "$clock" ] || start_row opensnoop-bpfcc opensnoop-bpfcc
	kill $load
}
part_events()
{
	local rate
	for rate in 5000 20000 80000; do
		events "$rate/s" $((rate * 3)) $rate 64
	done
	events 'flat out' 300000 0 64
	events 'flat out, small' 300000 0 8
}

printf '# kernel %s, %s CPUs, load %s, %d starts each\n' "$(uname -r)" "$(nproc)" \
	"$(cut -d' ' -f1-3 /proc/loadavg)" "$repeat"
[ $# -gt 0 ] || set -- idle starts events
for part; do
	"part_$part"
done
gadget_stop

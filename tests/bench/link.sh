#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Compares the USB link with a bare FunctionFS function with AIO and with the kernel's SourceSink,
# in one VM. Prints a JSON object a line. Started by `make bench`.
# Usage: link.sh [throughput] [fullspeed] [roundtrip] [sessions] [sizes] [events] [memory]
#
# Each row is the median of BPFD_BENCH_REPEAT runs (default 5) after a run to warm up. Compared
# programs alternate. measure.h explains processor times. With `vm/run --icount` the clock counts
# instructions, one each 2 ns, so microseconds of a processor are printed as instructions.
# shellcheck disable=SC2015,SC2016 # "A && B || die" is intended; $1 in quotes is a column of awk
set -u
here=$(dirname "$0")
# shellcheck source=tests/e2e/lib.sh
. "$here/../e2e/lib.sh"
# shellcheck source=tests/bench/rows.sh
. "$here/rows.sh"

repeat=${BPFD_BENCH_REPEAT:-5}
tools=$BPFD_BUILD/bench
depth=4         # LANE_DEPTH and FFS_DEPTH
in_size=32768   # largest transfer that the board sends, LANE_SEND
out_size=32768  # largest transfer that the board receives, LANE_RECEIVE
amount=$((16 * 1024 * 1024))
vendor=1d6b
declare -A product=([source]=f001 [sink]=f002 [echo]=f003 [kernel]=f004)
line=$(printf '%063d' 0) # 64 bytes with its newline
RAW_PIDS=()

die()
{
	echo "link.sh: $*" >&2
	exit 1
}

# in_group NAME COMMAND...: replaces the shell, a subshell, by the command in that control group.
in_group()
{
	local name=$1
	shift
	echo 0 >/sys/fs/cgroup/"$name"/cgroup.procs && exec "$@"
}

# raw_start MODE UDC SIZE DEPTH: starts ffs_raw and waits until the host has its device.
raw_start()
{
	: >/run/raw."$1"
	in_group "$1" "$tools/ffs_raw" "$1" "$4" "$3" "$1" "$2" "${product[$1]}" >/run/raw."$1" 2>&1 &
	RAW_PIDS+=($!)
	until_true 20 grep -q ready /run/raw."$1" || die "ffs_raw: $(cat /run/raw."$1")"
	until_true 20 device_of "${product[$1]}"
}
raw_stop()
{
	kill "${RAW_PIDS[@]}"
	wait "${RAW_PIDS[@]}"
	RAW_PIDS=()
}
device_of()
{
	grep -qx "$1" /sys/bus/usb/devices/*/idProduct
}

# kernel_start UDC SIZE: starts the kernel's SourceSink. Pattern 2 leaves the contents alone, which
# costs no time.
kernel_start()
{
	local g=$CONFIGFS/kernel
	modprobe usb_f_ss_lb && mkdir -p $g/strings/0x409 $g/configs/c.1 $g/functions/SourceSink.0 || die SourceSink
	echo 0x$vendor >$g/idVendor
	echo "0x${product[kernel]}" >$g/idProduct
	echo 2 >$g/functions/SourceSink.0/pattern
	echo "$2" >$g/functions/SourceSink.0/bulk_buflen
	echo $depth >$g/functions/SourceSink.0/bulk_qlen
	ln -s $g/functions/SourceSink.0 $g/configs/c.1
	echo "$1" >$g/UDC && until_true 20 device_of "${product[kernel]}" || die "SourceSink on $1"
}
kernel_stop()
{
	local g=$CONFIGFS/kernel
	echo '' >$g/UDC
	rm $g/configs/c.1/SourceSink.0
	rmdir $g/configs/c.1 $g/functions/SourceSink.0 $g/strings/0x409 $g
}

# link_gadget [OPTION]...: starts the daemon in the group "board".
link_gadget()
{
	in_group board bpfd-gadget --udc dummy_udc.0 --serial testboard "$@" >>$GADGET_LOG 2>&1 &
	GADGET_PID=$!
	until_true 20 device_of 0104 || die "the gadget: $(cat $GADGET_LOG)"
}
link_stop()
{
	gadget_stop
	until_true 20 sh -c '! grep -qx 0104 /sys/bus/usb/devices/*/idProduct'
}

# sample FILE GROUPS COMMAND...: appends the line that the command prints.
sample()
{
	local file=/run/samples/$1 groups=$2
	shift 2
	(BENCH_GROUPS=$groups in_group host timeout 300 "$@") >>"$file" 2>/run/bench.err ||
		die "$*: $(cat /run/bench.err)"
}

# The first line of each file is the run to warm up.
warmed()
{
	local file
	for file in /run/samples/*; do
		[ "$(wc -l <"$file")" -le "$repeat" ] || sed -i 1d "$file"
	done
}

# values FILE EXPRESSION: prints median, lowest and highest of an awk expression of the columns: $1
# the value, $2 and $3 begin and end, $4 the kernel's workers, $5 and on the groups.
values()
{
	awk "{ print $2 }" /run/samples/"$1" | median
}

# The session runs a shell, which moves to its own group and then executes its input.
child='echo 0 >/sys/fs/cgroup/child/cgroup.procs'
source_of() # source_of BYTES [WRITE]
{
	echo "$child; exec dd if=/dev/zero bs=${2:-65536} count=$1 iflag=count_bytes status=none"
}
sink_of()
{
	echo "$child; echo ready; dd of=/dev/null bs=65536 count=$1 iflag=count_bytes,fullblock status=none; echo done"
}
bridge=(bpfd-usb -s testboard)
link_in() # link_in FILE [OPTION]...
{
	local file=$1
	shift
	sample "$file" 'board child host' "$tools/session_load" in "$amount" "$(source_of "$amount")" "${bridge[@]}" "$@"
}
link_out()
{
	local file=$1
	shift
	sample "$file" 'board child host' "$tools/session_load" out "$amount" "$(sink_of "$amount")" "${bridge[@]}" "$@"
}
raw() # raw FILE MODE SIZE PRODUCT
{
	sample "$1" "${5:-host} host" "$tools/usb_raw" "$2" $depth "$3" $((amount / $3)) "$vendor:$4"
}

# Thousands of instructions per megabyte.
per_mb()
{
	values "$1" "($2) * 1e6 / $amount * $per_us / 1000"
}
cpu_rows() # cpu_rows DIRECTION COMMAND
{
	local v b
	read -ra v < <(per_mb "$1" '$4 + $5')
	read -ra b < <(per_mb "$1.raw" '$4 + $5')
	row "board CPU, link $1, bpfd-gadget" kinstr/MB "${v[@]}" 'bare FunctionFS function' "${b[0]}" '<=2' "$2"
	read -ra v < <(per_mb "$1" '$4 + $5 + $6')
	row "board CPU, link $1, bpfd-gadget and dd" kinstr/MB "${v[@]}" 'bare FunctionFS function' "${b[0]}" '' "$2"
	read -ra v < <(per_mb "$1" '$4')
	read -ra b < <(per_mb "$1.raw" '$4')
	row "board CPU, link $1, workers of the kernel" kinstr/MB "${v[@]}" 'bare FunctionFS function' "${b[0]}" '' "$2"
	read -ra v < <(per_mb "$1" '$7')
	read -ra b < <(per_mb "$1.raw" '$6')
	row "host CPU, link $1, bpfd-usb and its reader or writer" kinstr/MB "${v[@]}" usb_raw "${b[0]}" '' "$2"
}

throughput_rows() # throughput_rows SPEED DIRECTION SIZE
{
	local kib="$(($3 / 1024)) KiB" v b k p
	local command="session_load $2 $amount <dd> bpfd-usb; usb_raw $2 $depth $3"
	read -ra v < <(values "$2" '$1')
	read -ra b < <(values "$2.raw" '$1')
	read -ra k < <(values "$2.kernel" '$1')
	row "link $2, $kib, $1 speed" MB/s "${v[@]}" 'raw FunctionFS AIO' "${b[0]}" '>=0.85' "$command"
	row "link $2, $kib, $1 speed" MB/s "${v[@]}" 'SourceSink of the kernel' "${k[0]}" '>=0.60' "$command"
	row "raw FunctionFS AIO $2, $kib, $1 speed" MB/s "${b[@]}" 'SourceSink of the kernel' "${k[0]}" '' "$command"
	[ -n "$per_us" ] && [ "$1" = super ] || return
	# There is one processor, so the times of the parts add up.
	read -ra p < <(values "$2.pipe" '$1')
	row "one pipe, $2" MB/s "${p[@]}" '' '' '' "session_load $2 $amount <dd> sh"
	row "link $2, $kib, $1 speed" MB/s "${v[@]}" 'raw FunctionFS AIO and two pipes' \
		"$(awk "BEGIN { print 1 / (1 / ${b[0]} + 2 / ${p[0]}) }")" '>=0.85' "$command"
	cpu_rows "$2" "$command"
}

# streams SPEED: sends the same amount through the link, a bare function, and SourceSink.
streams()
{
	local i
	link_gadget --bpfd /bin/sh
	raw_start source dummy_udc.1 $in_size $depth
	raw_start sink dummy_udc.2 $out_size $depth
	for ((i = 0; i <= repeat; i++)); do
		link_in in
		raw in.raw in $in_size "${product[source]}" source
		sample in.pipe host "$tools/session_load" in "$amount" "$(source_of "$amount")" /bin/sh
		link_out out
		raw out.raw out $out_size "${product[sink]}" sink
		sample out.pipe host "$tools/session_load" out "$amount" "$(sink_of "$amount")" /bin/sh
	done
	raw_stop
	for i in in out; do
		kernel_stream $i "$([ $i = in ] && echo $in_size || echo $out_size)"
	done
	link_stop
	warmed
	throughput_rows "$1" in $in_size
	throughput_rows "$1" out $out_size
}
kernel_stream() # kernel_stream DIRECTION SIZE
{
	local i
	kernel_start dummy_udc.1 "$2"
	for ((i = 0; i <= repeat; i++)); do
		raw "$1.kernel" "$1" "$2" "${product[kernel]}"
	done
	kernel_stop
}
part_throughput()
{
	streams super
}
# The simulated cable allows at most 10 MB/s, so the cable is the limit and not the processors, like
# on most boards.
part_fullspeed()
{
	local amount=$((4 * 1024 * 1024))
	rmmod dummy_hcd && load_udc is_high_speed=0 num=3 || die "dummy_hcd"
	streams full
	rmmod dummy_hcd && load_udc is_super_speed=1 num=3 || die "dummy_hcd"
}

part_roundtrip()
{
	local i count=300 v r h l command
	local lookup='BPF_LOOKUP_ELEM 3 AAAAAA== 4 8' setup='BPF_CREATE_MAP 2 counts 4 8 8 0'
	raw_start echo dummy_udc.1 64 $depth
	link_gadget --bpfd /bin/sh
	for ((i = 0; i <= repeat; i++)); do
		sample ping.raw 'echo host' "$tools/usb_raw" ping $depth 64 $count "$vendor:${product[echo]}"
		sample ping.hops host "$tools/session_load" hops $count 64
		sample ping 'board child host' "$tools/session_load" ping $count "echo $line; exec cat" "$line" "$line" "${bridge[@]}"
	done
	link_stop
	link_gadget
	for ((i = 0; i <= repeat; i++)); do
		sample ping.bpfd host "$tools/session_load" ping $count "$setup" "$lookup" END_BPFD_OUTPUT "${bridge[@]}"
		sample ping.local host "$tools/session_load" ping $count "$setup" "$lookup" END_BPFD_OUTPUT bpfd
	done
	link_stop
	raw_stop
	warmed
	read -ra r < <(values ping.raw '$1')
	read -ra h < <(values ping.hops '$1')
	read -ra l < <(values ping.local '$1')
	command="session_load ping $count <cat> bpfd-usb; usb_raw ping $depth 64; session_load hops $count 64"
	row 'raw ping-pong, 64 bytes' us "${r[@]}" '' '' '' "$command"
	row 'two pipe hops, 64 bytes' us "${h[@]}" '' '' '' "$command"
	read -ra v < <(values ping '$1')
	row 'round trip of a line of 64 bytes' us "${v[@]}" 'raw ping-pong' "${r[0]}" '<=1.25' "$command"
	row 'round trip of a line of 64 bytes' us "${v[@]}" '1.25 raw ping-pongs and four pipe hops' \
		"$(awk "BEGIN { print 1.25 * ${r[0]} + 2 * ${h[0]} }")" '<=1.00' "$command"
	if [ -n "$per_us" ]; then
		read -ra v < <(values ping "(\$4 + \$5) * $per_us / $count")
		read -ra i < <(values ping.raw "(\$4 + \$5) * $per_us / $count")
		row 'board CPU of a round trip, bpfd-gadget' instructions "${v[@]}" 'bare FunctionFS function' \
			"${i[0]}" '' "$command"
	fi
	command="session_load ping $count <BPF_LOOKUP_ELEM> bpfd-usb; the same with bpfd"
	read -ra v < <(values ping.bpfd '$1')
	row 'round trip of a command' us "${v[@]}" 'the same command to a local bpfd' "${l[0]}" '' "$command"
	row 'round trip of a command' us "${v[@]}" '1.25 raw ping-pongs, two pipe hops, a local bpfd' \
		"$(awk "BEGIN { print 1.25 * ${r[0]} + ${h[0]} + ${l[0]} }")" '<=1.00' "$command"
}

# Several sessions at once: the bytes of all of them, from the first begin to the last end.
part_sessions()
{
	local n i direction pids v command
	link_gadget --lanes 4 --bpfd /bin/sh
	for direction in in out; do
		for n in 1 2 3 4; do
			for ((i = 0; i <= repeat; i++)); do
				pids=()
				: >/run/samples/one
				for ((v = 0; v < n; v++)); do
					"link_$direction" one &
					pids+=($!)
				done
				wait "${pids[@]}"
				[ "$(wc -l </run/samples/one)" = "$n" ] || die "$n sessions at once"
				sort -g -k2,2 /run/samples/one | awk "NR == 1 { begin = \$2 } \$3 > end { end = \$3 }
					END { print $n * $amount * 1e3 / (end - begin) }" >>/run/samples/"sessions.$direction.$n"
				rm /run/samples/one
			done
		done
	done
	link_stop
	warmed
	for direction in in out; do
		for n in 1 2 3 4; do
			read -ra v < <(values "sessions.$direction.$n" '$1')
			point "sessions at once, $direction" $n "${v[0]}" MB/s
			[ $n = 1 ] && read -ra command < <(values "sessions.$direction.1" '$1')
		done
		row "four sessions at once, $direction" MB/s "${v[@]}" 'one session' "${command[0]}" '' \
			"session_load $direction $amount <dd> bpfd-usb, four times"
	done
}

# Throughput by the size of transfers and by the size of the process's writes.
part_sizes()
{
	local size i v amount=$((2 * 1024 * 1024))
	link_gadget --bpfd /bin/sh
	for size in 1024 4096 16384 32768 65536; do
		raw_start source dummy_udc.1 $size $depth
		raw_start sink dummy_udc.2 $size $depth
		for ((i = 0; i <= repeat; i++)); do
			link_in "in.$size" --transfer $size
			link_out "out.$size" --transfer $size
			raw "in.raw.$size" in $size "${product[source]}" source
			raw "out.raw.$size" out $size "${product[sink]}" sink
		done
		raw_stop
	done
	for size in 64 256 1024 4096 16384 65536; do
		for ((i = 0; i <= repeat; i++)); do
			sample "line.$size" 'board child host' "$tools/session_load" in $amount \
				"$(source_of "$amount" $size)" "${bridge[@]}"
		done
	done
	link_stop
	warmed
	for size in 1024 4096 16384 32768 65536; do
		for i in in out in.raw out.raw; do
			read -ra v < <(values "$i.$size" '$1')
			point "transfer size, ${i/./ }" $size "${v[0]}" MB/s
		done
	done
	for size in 64 256 1024 4096 16384 65536; do
		read -ra v < <(values "line.$size" '$1')
		point 'size of a write of the process' $size "${v[0]}" MB/s
	done
}

# From the ring to the wire: the board's cost per event, by the number of events at once.
part_events()
{
	local object=$BPFD_BUILD/tools/probe.bpf.o id batch way i v r count=4000 rate
	id=$(cat /sys/kernel/tracing/events/syscalls/sys_enter_getpgid/id)
	{
		echo "BPF_CREATE_MAP 2 counts 4 8 8 0"
		echo "BPF_CREATE_MAP 4 events 4 4 1 0"
		"$BPFD_BUILD/tools/bpf_line" "$object" test/emit 5 GPL 0 counts=3 events=4
		echo "BPF_OPEN_PERF_BUFFER -1 0 64"
		echo "BPF_UPDATE_ELEM 4 AAAAAA== 4 BgAAAA== 4 0"
		echo "BPF_ATTACH_TRACEPOINT 5 syscalls sys_enter_getpgid"
	} >/run/setup
	link_gadget
	for batch in 1 10 100 1000; do
		for ((i = 0; i <= repeat; i++)); do
			sample "text.$batch" 'board host' "$tools/event_load" text /run/setup $count $batch "${bridge[@]}"
			sample "rpc.$batch" 'board host' "$tools/event_load" rpc "$id" $count $batch "${bridge[@]}"
		done
	done
	for rate in 1000 4000 16000 64000; do
		for ((i = 0; i <= repeat; i++)); do
			sample "rate.$rate" 'board host' "$tools/event_load" rate "$id" $((rate / 4)) $rate "${bridge[@]}"
		done
	done
	link_stop
	warmed
	for way in text rpc; do
		for batch in 1 10 100 1000; do
			read -ra v < <(values $way.$batch "(\$4 + \$5) * ${per_us:-1} / \$1")
			point "board CPU per event, $way, by events at once" $batch "${v[0]}" "$cpu_unit"
			row "board CPU per event, $way, $batch at once" "$cpu_unit" "${v[@]}" '' '' '' \
				"event_load $way <setup> $count $batch bpfd-usb"
			read -ra r < <(values $way.$batch "\$1 * 1e9 / (\$3 - \$2)")
			point "events, $way, by events at once" $batch "${r[0]}" 1/s
		done
	done
	for rate in 1000 4000 16000 64000; do
		read -ra v < <(values rate.$rate "(\$4 + \$5) * ${per_us:-1} / \$1")
		point "board CPU per event, rpc, by events a second" $rate "${v[0]}" "$cpu_unit"
	done
}

# Resident memory of the idle static programs in KiB, after a session that has dumped a map, and
# with the next session open. Shared pages count for each process.
rss() # rss PID
{
	sed -n 's/^VmRSS:[^0-9]*\([0-9]*\) kB/\1/p' "/proc/$1/status"
}
part_memory()
{
	local i n=0 v worker bridge_pid closed
	printf 'BPF_CREATE_MAP 2 counts 4 8 1000 0\nBPF_GET_FIRST_KEY 3 4 8 1\n' >/run/setup
	mkfifo /run/idle
	for ((i = 0; i <= repeat; i++)); do
		"${BPFD_BENCH_STATIC%/*}/bpfd-gadget" --udc dummy_udc.0 --serial testboard \
			--bpfd "$BPFD_BENCH_STATIC" >>$GADGET_LOG 2>&1 &
		GADGET_PID=$!
		until_true 20 device_of 0104 || die "the static gadget: $(cat $GADGET_LOG)"
		"${bridge[@]}" </run/setup >/run/answers || die 'a session of the static programs'
		worker=$(worker_pid)
		until_true 10 no_process || die 'the session does not end'
		closed="$(rss $GADGET_PID) $(rss "$worker")"
		"${bridge[@]}" <>/run/idle >/run/answers &
		bridge_pid=$!
		until_true 10 grep -q STARTED /run/answers || die 'the next session'
		echo "$closed $(rss "$(pgrep -P "$worker")") $(rss "$worker")" >>/run/samples/memory
		kill $bridge_pid
		wait $bridge_pid
		link_stop
	done
	warmed
	for v in 'bpfd-gadget, after a session' 'bpfd-gadget, its worker, after a session' \
		'bpfd, a session that is open' 'bpfd-gadget, its worker, a session that is open'; do
		n=$((n + 1))
		read -ra i < <(values memory "\$$n")
		row "resident memory, static $v" KiB "${i[@]}" '' '' '<=700' 'bpfd-usb </run/setup'
	done
}

if [ "${BPFD_BENCH_CLOCK:-}" = icount ]; then
	per_us=500 cpu_unit=instructions
else
	per_us='' cpu_unit=us
fi
mkdir -p /run/samples
for group in board child host source sink echo; do
	mkdir -p /sys/fs/cgroup/$group
done
load_udc is_super_speed=1 num=3 || die "dummy_hcd"
[ $# -gt 0 ] || set -- throughput fullspeed roundtrip sessions sizes events memory
for part; do
	rm -f /run/samples/*
	"part_$part"
done

#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A board that lies (tests/tools/lying_board.c) under the sanitized bpfd-run and stock tools: neither
# crashes, and a message says what is wrong.
# vm: --cpus 1
set -u
here=$(dirname "$0")
# shellcheck source=tests/e2e/lib.sh
. "$here/lib.sh"
needs_kernel 5 14 'bpfd-run'

export ASAN_OPTIONS=detect_leaks=1:abort_on_error=0:exitcode=99 UBSAN_OPTIONS=halt_on_error=1:exitcode=99
export HOME=/run/home PYTHONDONTWRITEBYTECODE=1
mkdir -p $HOME
run=${BPFD_SAN_BUILD:-$BPFD_BUILD}/bpfd-run
[ -x "$run" ] || run=$BPFD_BUILD/bpfd-run
board=$BPFD_BUILD/tools/lying_board
python=/usr/bin/python3
out=/run/lying.out
err=/run/lying.err

# lies CASE TOOL [ARGUMENT]...: runs the tool against that board. Status, $out and $err are kept.
lies()
{
	local case=$1
	shift
	timeout -k 5 $((120 * PATIENCE)) "$run" --via "$board $case" "$@" >$out 2>$err
	status=$?
}
# unharmed: nothing was killed by a signal, and no sanitizer has reported.
unharmed()
{
	case $status in
	99 | 124 | 13[2-9] | 159) ;; # a sanitizer, too long, or a signal of a crash
	*)
		grep -qE 'Sanitizer|runtime error|stack smashing' $err || return 0
		;;
	esac
	echo "status $status"
	head -c 2000 $err
	return 1
}
# says PATTERN: a message of the last run has it.
says()
{
	grep -qE -- "$1" $err || {
		echo "not found: $1"
		head -c 1000 $err
		return 1
	}
}
# refused NAME CASE PATTERN TOOL [ARGUMENT]...: the lie is reported, and nothing crashes.
refused()
{
	local name=$1 case=$2 pattern=$3
	shift 3
	lies "$case" "$@"
	check "$name: nothing crashes" unharmed
	check "$name: the message says why" says "$pattern"
}

# bpfd-run waits for half a minute, in the meantime the suite goes on; see the end.
timeout -k 5 $((60 * PATIENCE)) "$run" --via 'sh -c "echo hello; sleep 100"' true \
	>/dev/null 2>/run/silent.err &
silent=$!

# The same board without a lie: the tools work with it.
lies honest bpftool prog show
check "an honest board: bpftool lists its program" sh -c "grep -q 'name honest' $out && [ $status = 0 ]"
lies honest timeout -s INT 5 bpftool map event_pipe id 5
check "an honest board: bpftool prints a record" grep -q '73 61 6d 70' $out

# Records, lists of CPUs, counts and names.
refused "a record of 300,000 bytes" "raw 300000" 'malformed records' bpftool map event_pipe id 5
refused "a record of 4 GiB" "raw 4294967292" 'malformed records' bpftool map event_pipe id 5
refused "CPUs in descending order" "online 100,3-5" 'not a list of CPUs' bpftool map event_pipe id 5
refused "more CPUs online than possible" "online 0-7" 'not a list of CPUs' bpftool map event_pipe id 5
refused "a billion possible CPUs" "cpus 1000000000" 'reports 1000000000 possible CPUs' true
refused "no possible CPU" "cpus 0" 'reports 0 possible CPUs' true
refused "a program with five million maps" "counts 5000000" 'description is malformed' bpftool prog show
lies "grows 1000" bpftool prog show
check "a count that grows between two calls: nothing crashes" unharmed
check "a count that grows between two calls: the first one holds" grep -q 'map_ids 0,0,0$' $out
refused "a name with escape sequences" name 'description is malformed' bpftool prog show
check "a name with escape sequences: no escape sequence is printed" sh -c \
	"! grep -q \"\$(printf '\\033')\" $out $err"

# Types of a map: bpftool reads as many bytes of a value as its type has.
lies "map_types 2" bpftool map dump id 5
check "a map with types: bpftool uses them" grep -q '"value": .2,3' $out
refused "a map whose type is longer than its values" "map_types 3" 'do not have the sizes of their types' \
	bpftool map dump id 5
check "a map whose type is longer than its values: bpftool prints bytes" grep -q '02 00 00 00 03' $out
refused "a map whose type does not exist" "map_types 77" 'do not have the sizes of their types' \
	bpftool map dump id 5

# Lines of /proc/PID/maps, as BCC reads them.
resolve='from bcc import SymbolCache
print(SymbolCache(4000000).resolve(0x55e0c0000010, False))'
if $python -c 'import bcc' 2>/dev/null; then
	refused "a path of 20,000 bytes in maps, BCC" "maps 20000" 'too long or malformed' \
		$python -c "$resolve"
	refused "a path of 4,100 bytes in maps, BCC" "maps 4100" 'too long or malformed' \
		$python -c "$resolve"
	lies "maps 100" $python -c "$resolve"
	check "a path of 100 bytes in maps, BCC: it is kept" grep -q AAAA $out
else
	skip "a long path in maps, BCC" "BCC is not installed"
fi

# Directories.
refused "a directory of a million entries" "list 1000000" 'longer than any directory' \
	ls -f /sys/kernel/tracing/events
refused "the name of a file with escape sequences" "list 1" 'bpfd-run: .*x[?]]0;title' \
	sh -c 'echo 1 >"$(ls -d /sys/kernel/tracing/events/x*)"'

# The cache: a board states the hash of a program of another board, and sends something else.
program=/proc/4000000/root/usr/lib/program
lies "program hostile" cat $program
check "a hash of other contents: the tool gets what the board has sent" grep -qx hostile $out
lies "program honest" cat $program
check "a hash of other contents: another board's tool gets the right program" grep -qx honest $out
check "a hash of other contents: only the right program is kept" sh -c \
	"grep -qx honest $HOME/.cache/bpfd/* && ! grep -qx hostile $HOME/.cache/bpfd/*"
lies "program elsewhere" --trace /run/trace cat $program
check "a program that is kept: it is not fetched again" sh -c \
	"grep -q FILE_HASH /run/trace && ! grep -q FILE_READ /run/trace"

# Descriptions of events. bpftrace puts them into source code, perf parses how to print them.
export LYING_BOARD_FILES=/run/files
event=/sys/kernel/tracing/events/sched/sched_process_exec
mkdir -p $LYING_BOARD_FILES$event
# describes FIELD [PRINT]: the fields of the event, and how it is printed.
describes()
{
	cat >$LYING_BOARD_FILES$event/format <<-END
		name: sched_process_exec
		ID: 278
		format:
		$(field 'unsigned short common_type' 0 2)
		$(field 'int common_pid' 4 4)

		$(field 'int pid' 8 4)
		$1

		print fmt: "pid=%d", ${2:-REC->pid}
	END
}
field()
{
	printf '\tfield:%s;\toffset:%s;\tsize:%s;\tsigned:1;\n' "$@"
}
echo sched:sched_process_exec >$LYING_BOARD_FILES/sys/kernel/tracing/available_events
echo 278 >$LYING_BOARD_FILES$event/id
many()
{
	head -c "$2" /dev/zero | tr '\0' "$1"
}
traced='tracepoint:sched:sched_process_exec { printf("%d\n", args->pid); }'
if command -v bpftrace >/dev/null; then
	describes "$(field 'int last' 12 4)"
	lies printf bpftrace -e "$traced"
	check "an honest board: bpftrace prints a record" grep -qx 77 $out
	describes "$(field 'int far' 99999999999 4)
$(field 'int away' 2000000000 4)
$(field '#include "/etc/passwd"' 12 4)
$(field 'int last' 16 4)"
	refused "fields of an event that no kernel has, bpftrace" printf 'malformed were .* dropped: 3$' \
		bpftrace -d -e "$traced"
	check "fields of an event that no kernel has, bpftrace: the others are kept" \
		grep -q 'tracepoint:sched:sched_process_exec' $out
	describes ""
	refused "a record of 300,000 bytes, bpftrace" "raw 300000" 'malformed records' \
		bpftrace -e "$traced"
	{
		echo vfs_read
		many n 20000
	} >$LYING_BOARD_FILES/sys/kernel/tracing/available_filter_functions
	refused "a function with a name of 20,000 bytes, bpftrace" honest 'malformed were .* dropped: 1$' \
		bpftrace -l 'kprobe:*'
	check "a function with a name of 20,000 bytes, bpftrace: the others are kept" \
		grep -qx kprobe:vfs_read $out
else
	skip "bpftrace" "it is not installed"
fi
if perf --version >$out 2>&1; then
	describes "" "$(many '(' 100000)"
	refused "a text of 100,000 parentheses, perf" honest 'malformed were .* dropped: 1$' \
		perf stat -e sched:sched_process_exec true
else
	skip "a text of 100,000 parentheses, perf" "perf is not installed"
fi
unset LYING_BOARD_FILES

# Types: words of them are changed at random. Each is either refused, or harmless for bpftool.
read -r offset size < <(readelf -SW "$BPFD_BUILD"/tools/probe.bpf.o 2>/dev/null |
	sed -n 's/.* \.BTF  *PROGBITS  *[0-9a-f]* \([0-9a-f]*\) \([0-9a-f]*\) .*/\1 \2/p')
export LYING_BOARD_TYPES=/run/types
dump()
{
	lies "types $1" bpftool btf dump file /sys/kernel/btf/vmlinux format c
}
all_harmless()
{
	local seed
	dropped=0
	for seed in {1..40}; do
		dump "$seed"
		unharmed || { echo "seed $seed"; return 1; }
		says 'types are malformed' >/run/said && dropped=$((dropped + 1))
	done
	:
}
if [ -n "${size:-}" ]; then
	tail -c +$((0x$offset + 1)) "$BPFD_BUILD"/tools/probe.bpf.o | head -c $((0x$size)) >/run/types
	dump 0
	check "types without a lie: bpftool prints them" sh -c "[ $status = 0 ] && grep -q 'typedef' $out"
	check "types with random changes: nothing crashes" all_harmless
	check "types with random changes: most are refused" test "$dropped" -gt 20
	if command -v bpftrace >/dev/null; then
		refused "types with random changes, bpftrace" "types 1" 'the tool gets none of these types' \
			bpftrace -d -e 'kfunc:vfs_read { exit(); }'
	fi
else
	skip "types with random changes" "the test program has no types"
fi

# Commands that are not bpfd, and set-ups that lack something. $err is a pipe's, because ulimit -f also
# limits files of the shell.
tries()
{
	timeout -k 5 $((60 * PATIENCE)) "$@" 2>&1 >$out | cat >$err
	status=${PIPESTATUS[0]}
}
tries "$run" --via cat true
check "--via cat: nothing crashes" unharmed
check "--via cat: the message says why" says 'cat: this is not bpfd; it repeats its input'
wait $silent
check "--via of a program that stops after a line: bpfd-run ends" test $? = 125
check "--via of a program that stops after a line: the message says why" \
	grep -q 'it does not answer' /run/silent.err
tries bash -c "ulimit -f 0; exec $run --via '$board honest' cat /proc/kallsyms"
check "ulimit -f 0: nothing crashes" unharmed
check "ulimit -f 0: the message names it" says 'see ulimit -f'
tries bash -c "ulimit -S -f 0; exec $run --via '$board honest' grep -q _text /proc/kallsyms"
check "ulimit -S -f 0: the soft limit does not matter to bpfd-run" test $status = 0
tries env TMPDIR=/no/such "$run" --via "$board honest" ls /sys/kernel/tracing/events
check "TMPDIR is missing: another place is used" grep -q 000001 $out
# shellcheck disable=SC2016
tries unshare -m sh -c 'mount -t tmpfs none /dev && exec "$0" --via "$1" true <&-' "$run" "$board honest"
check "no /dev/null: nothing crashes" unharmed
check "no /dev/null: the message names it" says '/dev/null: No such file'
finish

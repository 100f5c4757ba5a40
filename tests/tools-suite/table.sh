# shellcheck shell=bash disable=SC2034 # sourced; other scripts use the variables
# SPDX-License-Identifier: Apache-2.0
# The tools of the suite: each command line is a call of `tool`. Sourced.
#
# tool LOAD HEADER ROW COMMAND [ARGUMENT]...
#   LOAD     the kind of work that load.sh does during the run
#   HEADER   the number of lines of output, from the first, that must be the same except for numbers
#   ROW      extended regular expression of a line of data; without such a line the tool fails
#   COMMAND  PID in it stands for the pid of the load's process
# These may be set before a call, for this tool only:
#   ready    expression of a line on stdout or stderr that shows that the tool works (default: ROW)
#   after    seconds from then until the tool is interrupted (default: 2)
#   rows     the minimal number of lines of data (default: 1)
#
# The first 73 command lines are those of the smoke test of BCC 0.26, with Debian's names.

time='[0-9]{2}:[0-9]{2}:[0-9]{2}'
addr='[0-9a-f.:]+'
# A line of a histogram: of BCC, and of bpftrace.
hist='^ +[0-9]+ +-> [0-9]+ +: [1-9][0-9]* +\|'
bt_hist='^[[(][0-9KMG]+, [0-9KMG]+[])] +[1-9][0-9]* \|'

all_tools()
{
	tool files 0 '^[[:space:]]+COUNT +EVENT' argdist-bpfcc -v -C 'p::do_sys_open()' -n 1 -i 1
	ready='^TIME' after=4
	tool shell 1 "^$time +[0-9]+ +echo a line for the shell" bashreadline-bpfcc
	tool tcp 2 '^ *[0-9]+ load +TCP +127\.0\.0\.1 +8081' bindsnoop-bpfcc
	tool disk 1 "$hist" biolatency-bpfcc 1 1
	tool disk 1 '^[0-9]+\.[0-9]+ +[^ ]+ +[0-9]+ +nullb0 +[RW] +[0-9]+ +[0-9]+ +[0-9.]+' biosnoop-bpfcc
	tool disk 1 '^[0-9]+ +[^ ]+ +[RW] +[0-9]+ +[0-9]+ +nullb0 +[0-9]+' biotop-bpfcc 1 1
	tool disk 1 '^[0-9]+ +[^ ]+ +[RW] +[0-9]+ +[0-9]+ +nullb0 +[0-9]+' biotop-bpfcc
	tool bpf 1 '^[0-9]+ +bpftrace +(prog|map) +[0-9]+' bpflist-bpfcc
	ready='Tracing'
	tool modules:btrfs 1 "^$time" btrfsdist-bpfcc 1 1
	tool modules:btrfs 2 '^TIME +COMM +PID +T' btrfsslower-bpfcc
	tool disk 1 '^ +[0-9]+ +[0-9]+ +[0-9]+ +[0-9.]+%' cachestat-bpfcc 1 1
	tool files 1 "^$time +[0-9]+ +[0-9]+ +[^ ]+ +[0-9]+ +CAP_[A-Z_]+ +[0-9]+" capable-bpfcc
	tool files 1 "$hist" cpudist-bpfcc 1 1
	tool cpu 1 "^$time +%CPU +[0-9.]+%, unclaimed idle [0-9.]+%" cpuunclaimed-bpfcc 1 1
	tool compaction 1 '^[^ ]+ +[0-9]+ +[0-9]+ +.*[0-9]+\.[0-9]+ +[a-z_]+$' compactsnoop-bpfcc
	tool files 1 '^[0-9.]+ +[0-9]+ +[^ ]+ +[MR] +' dcsnoop-bpfcc
	tool files 1 "^$time: +[1-9][0-9]* +[0-9]+ +[0-9]+ +[0-9.]+" dcstat-bpfcc 1 1
	after=4 tool files 1 '^COMM +PID +LAT' drsnoop-bpfcc
	tool exec 1 '^true +[0-9]+ +[0-9]+ +0 /bin/true' execsnoop-bpfcc
	tool disk 1 "$hist" ext4dist-bpfcc 1 1
	tool disk 2 "^$time +[^ ]+ +[0-9]+ +[RWSO] +[0-9]+ +[0-9]+ +[0-9.]+ " ext4slower-bpfcc
	tool files 1 "^$time +[0-9]+ +rm +[0-9.]+ +short-lived" filelife-bpfcc
	tool disk 2 '^[0-9.]+ +[^ ]+ +[0-9]+ +[RW] +[0-9]+ +[0-9.]+ data' fileslower-bpfcc
	tool files 1 '^[0-9]+ +[^ ]+ +[0-9]+ +[0-9]+ +[0-9]+ +[0-9]+ +[RO] ' filetop-bpfcc 1 1
	rows=2 tool files 1 '^__kmalloc +[0-9]+|^b.__kmalloc. +[0-9]+' funccount-bpfcc __kmalloc -i 1
	tool files 1 "$hist" funclatency-bpfcc __kmalloc -i 1
	after=5 ready='Tracing'
	tool files 1 '^COMM +PID +LAT' funcslower-bpfcc __kmalloc
	tool names 1 "^$time +[0-9]+ +getent +[0-9.]+ localhost" gethostlatency-bpfcc
	tool files 1 '^[^ ]+ +[0-9]+$' hardirqs-bpfcc 1 1
	tool signals 1 "^$time +[0-9]+ +load.sh +0 +[0-9]+ +0" killsnoop-bpfcc
	ready='Tracing' after=4
	tool files 1 '[a-z_]+\+?[^ ]* +[0-9]+ +[0-9]+ +[0-9]+ +[0-9]+' klockstat-bpfcc
	tool modules:md_mod 2 '^TIME +PID +COMM +DEVICE' mdflush-bpfcc
	after=60 tool files 1 '[0-9]+ bytes in [0-9]+ allocations from stack' memleak-bpfcc 1 1
	tool mounts 1 '^mount +[0-9]+ +[0-9]+ +[0-9]+ +mount\("load", "/run/mountpoint", "tmpfs"' mountsnoop-bpfcc
	tool modules:nfs,nfsv4 2 '^TIME +COMM +PID +T' nfsslower-bpfcc
	tool modules:nfs,nfsv4 1 "^$time" nfsdist-bpfcc 1 1
	after=60 tool files 1 '^ +__schedule$|^ +schedule$' offcputime-bpfcc 1
	after=60 tool files 1 '^ +__schedule$|^ +schedule$' offwaketime-bpfcc 1
	tool oom 1 "^$time Triggered by PID [0-9]+ \(\"tail\"\), OOM kill of PID [0-9]+ \(\"tail\"\)" oomkill-bpfcc
	tool files 1 '^[0-9]+ +[^ ]+ +[0-9]+ +[0-9]+ /etc/hostname$' opensnoop-bpfcc
	tool files 1 "^$time: PIDs/sec: [1-9]" pidpersec-bpfcc
	tool files 1 'H_[A-Z]+' ppchcalls-bpfcc -i 1
	after=60 tool cpu 1 '^ +burn_cycles$' profile-bpfcc 1
	tool files 1 "$hist" runqlat-bpfcc 1 1
	tool cpu 1 '^ +[0-9]+ +: [0-9]+ +\|' runqlen-bpfcc 1 1
	tool shm 1 '^[0-9]+ +load +SHMGET +[0-9a-f]+ key: ' shmsnoop-bpfcc
	tool sofd 1 '^(SEND|RECV) +[0-9]+ +load ' sofdsnoop-bpfcc
	tool files 1 '^[^ ]+ +[0-9]+ +[0-9]+$' slabratetop-bpfcc 1 1
	tool files 1 '^[a-z_]+ +[0-9]+$' softirqs-bpfcc 1 1
	tool tcp 1 '^[0-9]+ +load +TCPv4 +8 +8081 +127.0.0.1' solisten-bpfcc
	after=4
	tool tls 1 '^(READ/RECV|WRITE/SEND) +[0-9.]+ +openssl +[0-9]+ +[0-9]+' sslsniff-bpfcc
	tool files 1 '^ +__kmalloc$|^ +b.__kmalloc' stackcount-bpfcc __kmalloc -i 1
	tool files 1 '^[0-9]+ +stat +-?[0-9]+ +[0-9]+ /etc/hostname' statsnoop-bpfcc
	tool sync 1 '^[0-9]+\.[0-9]+ +sync\(\)' syncsnoop-bpfcc
	tool files 1 '^(openat|read|close|newfstatat|mmap) +[0-9]+' syscount-bpfcc -i 1
	tool tcp 1 '^[0-9]+ +load +4 +127.0.0.1 +[0-9]+ +127.0.0.1 +8081' tcpaccept-bpfcc
	tool tcp 2 '^[0-9]+ +load +4 +127.0.0.1 +127.0.0.1 +8081' tcpconnect-bpfcc
	tool tcp 1 '^[0-9]+ +load +4 +127.0.0.1 +127.0.0.1 +8081 +[0-9.]+' tcpconnlat-bpfcc
	tool tcp 1 '^[0-9]+ +load +127.0.0.1 +[0-9]+ +127.0.0.1 +[0-9]+ +[0-9]+ +[0-9]+ +[0-9.]+' tcplife-bpfcc
	tool retransmit 2 "^$time +[0-9]+ +4 +192.0.2.2:[0-9]+ +R> 192.0.2.1:9 +SYN_SENT" tcpretrans-bpfcc
	tool drop 0 "^$time +[0-9]+ +4 +127.0.0.1:[0-9]+ +> 127.0.0.1:[0-9]+" tcpdrop-bpfcc
	tool tcp 1 "^[0-9]+ +(b')?load'? +127.0.0.1:[0-9]+ +127.0.0.1:[0-9]+ +[0-9]+" tcptop-bpfcc 1 1
	tool tcp 1 '^LAddrPort +RAddrPort' tcpcong-bpfcc 1 1
	tool python 0 'python3.* b?.?python:gc__start' tplist-bpfcc -p PID
	ready='^PID'
	tool files 1 '^PID +TID +COMM' trace-bpfcc do_sys_open
	tool console 0 'a line for the console' ttysnoop-bpfcc /dev/console
	ready='Tracing' after=3
	tool threads 1 '^(clone3|mmap|munmap|clock_nanosleep|futex) +.*\[?[0-9]+' ucalls -l none -S PID
	ready='Tracing' after=3
	tool threads 1 '^<unknown> |^ +[0-9]+ +[0-9]+$|[^ ]+ +[0-9]+ +[0-9]+$' cobjnew-bpfcc PID
	tool python 1 '^[0-9]+ +/usr/bin/python3' ustat 1 1
	tool threads 2 '^[0-9.]+ +[0-9]+ +pthread +' uthreads PID
	ready='Tracing' after=2
	tool files 1 '^[0-9a-f]+ +(b.)?vfs_read.? +[0-9]+' vfscount-bpfcc
	tool files 1 "^$time: +[0-9]+ +[0-9]+" vfsstat-bpfcc 1 1
	after=60 tool files 1 '^ +(__wake_up|try_to_wake_up|ttwu_|hrtimer_wakeup)|^ +waker: ' wakeuptime-bpfcc 1

	# More of BCC: tools that Ctrl-C ends, options, languages.
	tool cpu 1 "$hist" runqlat-bpfcc -m 1 1
	ready='Tracing'
	tool files 1 "$hist" funclatency-bpfcc vfs_read
	tool files 1 '^COMM +PID +LAT' funcslower-bpfcc -u 1 vfs_open
	tool disk 2 "^$time +[^ ]+ +[0-9]+ +[RWSO] +[0-9]+ +[0-9]+ +[0-9.]+ data" ext4slower-bpfcc 1
	tool python 0 'function__entry' tplist-bpfcc -l /usr/bin/python3
	tool files 0 'syscalls:sys_enter_openat' tplist-bpfcc 'syscalls:*openat*'
	tool files 1 'sys_enter_openat +[0-9]+' trace-bpfcc 't:syscalls:sys_enter_openat "%d", args->flags'
	tool threads 1 'malloc' trace-bpfcc -p PID 'c:malloc "size %d", arg1'
	tool threads 0 '[0-9]+ +size = 100$' argdist-bpfcc -p PID -n 2 -i 1 -C 'p:c:malloc(size_t size):size_t:size' 
	tool python 2 '^[0-9.]+ +[0-9.]+ +gen 2' pythongc-bpfcc PID

	tool files 1 'pid [0-9]+ opens' bpftrace -e 'kprobe:do_sys_openat2 { printf("pid %d opens %s\n", pid, str(arg1)); }'
	tool files 1 "$bt_hist" bpftrace -e 'kprobe:vfs_read { @start[tid] = nsecs; } kretprobe:vfs_read /@start[tid]/ { @ns = hist(nsecs - @start[tid]); delete(@start[tid]); } interval:s:3 { exit(); } END { clear(@start); }'
	tool files 1 '^@opens\[[a-z]+\]: [1-9]' bpftrace -e 'tracepoint:syscalls:sys_enter_openat { @opens[comm] = count(); } interval:s:3 { exit(); }'
	tool files 2 '^the end$' bpftrace -e 'BEGIN { printf("the beginning\n"); exit(); } END { printf("the end\n"); }'
	tool shell 1 '^read: echo a line for the shell' bpftrace -e 'uretprobe:/bin/bash:readline { printf("read: %s\n", str(retval)); }'
	tool cpu 1 '^ +burn_cycles\+[0-9]+$' bpftrace -e 'profile:hz:49 /comm == "load"/ { @[ustack] = count(); } interval:s:3 { exit(); }'
	tool files 1 '^ +do_sys_openat2\+[0-9]+' bpftrace -e 'kprobe:do_filp_open { @[kstack(4)] = count(); } interval:s:3 { exit(); }'
	tool files 1 '^\[[0-9]+, [0-9]+\) +[1-9][0-9]* \|' bpftrace -e 'kretprobe:vfs_read { @bytes = lhist(retval, 0, 1000, 100); } interval:s:3 { exit(); }'
	tool python 1 '^generation 2$' bpftrace -p PID -e 'usdt:/usr/bin/python3:python:gc__start { printf("generation %d\n", arg0); }'
	tool none 0 '^tracepoint:syscalls:sys_enter_openat$' bpftrace -l 'tracepoint:syscalls:sys_*_openat'
	tool none 0 '^kprobe:vfs_read$' bpftrace -l 'kprobe:vfs_*'
	tool none 1 '^ +const char \* filename' bpftrace -lv tracepoint:syscalls:sys_enter_openat
	tool files 0 '^opensnoop|^[0-9]+ +[^ ]+ +[0-9]+ +[0-9]+ /etc/hostname' opensnoop.bt
	ready='Tracing'
	tool files 1 "$bt_hist" runqlat.bt

	tool bpf 0 '^[0-9]+: kprobe .*name vfs_open' bpftool prog list
	tool bpf 0 '^[0-9]+: .*name AT_opens' bpftool map list
	tool bpf 0 '"key"|^key: |Found [1-9][0-9]* element' bpftool map dump name AT_opens
	tool bpf 0 'tracing|perf_event' bpftool link list
	tool bpf 0 '^pid [0-9]+ +fd [0-9]+: +prog_id [0-9]+ +kprobe +func ' bpftool perf list
	tool bpf 0 'vfs_open|exit$' bpftool prog dump xlated name vfs_open
	after=60 tool none 1 "STRUCT 'task_struct' size=[0-9]+" bpftool btf dump file /sys/kernel/btf/vmlinux
	after=60 tool none 1 'eBPF program_type kprobe is available' bpftool feature probe

	ready='^PID'
	after=6 tool files 1 '^[0-9]+ +[^ ]+ +-?[0-9]+ +[0-9]+ +/' opensnoop -d 5
	tool exec 1 '^true +[0-9]+ +[0-9]+ +0 /bin/true' execsnoop
	tool files 1 "$hist" runqlat 1 1
	tool files 1 "^$time: +[0-9]+" vfsstat 1 1
	after=60 tool files 0 '^ +#?[0-9]* *0x[0-9a-f]+ +__?schedule|^ +__?schedule' offcputime 1
	tool disk 1 "$hist" biolatency 1 1
	tool tcp 1 '^[0-9]+ +load +4 +127.0.0.1' tcpconnect
	tool files 1 '^(openat|read|close|newfstatat|mmap) +[0-9]+' syscount -d 3
	tool files 1 '^[0-9]+ +[^ ]+ +[0-9]+ +[0-9]+ +[0-9]+ +[0-9]+ +[RO] ' filetop -C 1 1
	tool cpu 1 "$hist" cpudist 1 1
	tool files 1 "$hist" funclatency -d 3 vfs_read
	tool shell 1 "^$time +[0-9]+ +echo a line for the shell" bashreadline
}

# Calls `each NAME LOAD HEADER ROW READY AFTER ROWS COMMAND...` if a pattern in $BPFD_TOOLS selects
# the tool. If $BPFD_SHARD is I/N, only for every N-th selected tool, beginning with the I-th.
tool()
{
	local load=$1 header=$2 row=$3 name
	shift 3
	name=$(printf '%s' "$*" | tr -cs 'A-Za-z0-9_.' - | cut -c 1-60)
	name=${name%-}
	if selected "$name"; then
		each "$name" "$load" "$header" "$row" "${ready:-$row}" "${after:-2}" "${rows:-1}" "$@"
	fi
	ready='' after='' rows=''
}
selected()
{
	local pattern any=''
	set -f
	for pattern in ${BPFD_TOOLS:-*}; do
		# shellcheck disable=SC2254 # a pattern
		case $1 in
		$pattern) any=1 ;;
		esac
	done
	set +f
	[ -n "$any" ] || return
	number=$((number + 1))
	[ -z "${BPFD_SHARD:-}" ] || [ $(((number - 1) % ${BPFD_SHARD#*/} + 1)) -eq "${BPFD_SHARD%/*}" ]
}
number=0

#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A load for tools to trace, in the VM: repeats one kind of work until its process group is killed.
#
# usage: load.sh KIND FILE
#
# FILE is created when the work has begun. It has the pid of the process to trace, for tools that need
# one.
set -u

# forever COMMAND...: creates the file, then repeats the command every 0.3 s.
forever()
{
	echo "${pid:-$$}" >"$pid_file"
	while :; do
		"$@"
		sleep 0.3
	done >/dev/null 2>&1
}

# program NAME: starts the load NAME of load.c.
program()
{
	"$BPFD_BUILD/tools/load" "$1" &
	pid=$!
}

# disk: makes a disk on which each request takes 15 ms. It stays for the next tools.
disk()
{
	[ -d /run/disk ] && return
	modprobe null_blk nr_devices=1 gb=1 memory_backed=1 irqmode=2 completion_nsec=15000000 &&
		mkfs.ext4 -q -O ^has_journal /dev/nullb0 64m && mkdir /run/disk &&
		mount -t ext4 /dev/nullb0 /run/disk
}
disk_io()
{
	dd if=/dev/zero of=/run/disk/data bs=64k count=1 oflag=direct
	dd if=/run/disk/data of=/dev/null bs=64k iflag=direct
	cat /run/disk/missing
	echo x >/run/disk/new
	sync -f /run/disk
}

files()
{
	cat /etc/hostname /no/such/file
	stat -f /etc/hostname /no/such/file
	echo x >/run/short-lived
	rm /run/short-lived
}

mounts()
{
	mkdir -p /run/mountpoint
	mount -t tmpfs load /run/mountpoint
	umount /run/mountpoint
}

# oom: exceeds the memory of a control group, so the kernel kills this program and no other.
oom()
{
	sh -c 'echo $$ >/sys/fs/cgroup/load/cgroup.procs; exec tail /dev/zero'
}

# compaction: moves pages. Reclaim would need a shortage of memory, in which processes are killed.
compaction()
{
	echo 1 >/proc/sys/vm/compact_memory
}

one_tls_session()
{
	echo "a line for TLS" | openssl s_client -quiet -no_ign_eof -connect 127.0.0.1:8443
}

one_shell_line()
{
	echo "echo a line for the shell" >&9
}

kind=$1
pid_file=$2
case $kind in
none)
	echo $$ >"$pid_file"
	;;
files) forever files ;;
exec) forever /bin/true ;;
names) forever getent ahosts localhost ;;
signals) forever kill -0 $$ ;;
sync) forever sync ;;
console) forever sh -c 'echo a line for the console >/dev/console' ;;
disk) disk && forever disk_io ;;
mounts) forever mounts ;;
compaction) forever compaction ;;
oom)
	# The kernel logs each kill. These are no faults, so keep them out of the VM's log.
	trap 'echo 6 >/proc/sys/kernel/printk; exit' TERM
	echo 1 >/proc/sys/kernel/printk
	echo +memory >/sys/fs/cgroup/cgroup.subtree_control
	mkdir -p /sys/fs/cgroup/load
	echo 8M >/sys/fs/cgroup/load/memory.max
	forever oom
	;;
modules:*)
	for module in $(echo "${kind#modules:}" | tr , ' '); do
		modprobe "$module"
	done
	forever files
	;;
retransmit)
	modprobe dummy numdummies=1
	ip link set dummy0 up
	ip addr replace 192.0.2.2/24 dev dummy0
	program retransmit
	forever sleep 1
	;;
shell)
	mkfifo /run/shell.$$
	exec 9<>/run/shell.$$
	script -q -c 'bash --norc --noprofile -i' /dev/null </run/shell.$$ >/dev/null 2>&1 &
	forever one_shell_line
	;;
tls)
	openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=load -keyout /run/load.key \
		-out /run/load.crt 2>/dev/null
	openssl s_server -quiet -rev -accept 8443 -key /run/load.key -cert /run/load.crt \
		>/dev/null 2>&1 &
	forever one_tls_session
	;;
python)
	# Only the probes of the garbage collector fire: in Python 3.11 those of calls do not.
	/usr/bin/python3 -c 'import gc, time
while True:
    gc.collect()
    time.sleep(0.1)' &
	pid=$!
	forever sleep 1
	;;
bpf)
	# Programs, maps and links for bpftool and bpflist.
	bpftrace -q -e 'kprobe:vfs_open { @opens[comm] = count(); } kfunc:vfs_read { @reads = count(); }' >/dev/null 2>&1 &
	pid=$!
	until bpftool link list | grep -q tracing; do
		sleep 0.5
	done
	forever files
	;;
*)
	program "$kind"
	forever sleep 1
	;;
esac

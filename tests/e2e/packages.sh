#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The Debian packages: installed, used, upgraded, removed and purged. A systemd runs as the first
# process of new namespaces. Its root is an overlay of the VM's files, whose upper layer shows what
# a purge leaves.
# vm: --cpus 1 --mem 1536
# after: Debian packages
set -u
here=$(dirname "$0")
# shellcheck source=tests/e2e/lib.sh
. "$here/lib.sh"
needs_kernel 5 14 'bpfd-run'
# shellcheck source=tests/e2e/client.sh
. "$here/client.sh"

root=/run/layer/root
changes=/run/layer/changes
packages=("$BPFD_BUILD"/deb/bpfd-target_*.deb "$BPFD_BUILD"/deb/bpfd-usb_*.deb)
version=$(dpkg-deb -f "${packages[0]}" Version) ||
	{ not_ok "packages" "there are none: make deb"; finish; }
load_udc is_super_speed=1 || { not_ok "load dummy_hcd"; finish; }

mkdir -p /run/layer
mount -t tmpfs -o mode=755 tmpfs /run/layer
mkdir $root $changes /run/layer/work
mount -t overlay -o "lowerdir=/,upperdir=$changes,workdir=/run/layer/work" overlay $root
mount --rbind /dev $root/dev
mount --rbind /sys $root/sys
mount --bind "/lib/modules/$(uname -r)" "$root/lib/modules/$(uname -r)"
mount -t tmpfs -o mode=755 tmpfs $root/run
# Start only the units that systemd requires, and do not index all manual pages.
for wants in $root/{etc,lib}/systemd/system/{sysinit,basic,sockets,timers,local-fs}.target.wants; do
	[ ! -d "$wants" ] || mount -t tmpfs tmpfs "$wants"
done
rm -f $root/var/lib/man-db/auto-update
# In images of containers policy-rc.d forbids packages to start and stop services.
rm -f $root/usr/sbin/policy-rc.d
# No journal runs, so the service logs to a file.
mkdir -p $root/run/systemd/system/bpfd-gadget.service.d
printf '[Service]\nStandardError=append:/run/bpfd-gadget.log\n' \
	>$root/run/systemd/system/bpfd-gadget.service.d/log.conf
cat >$root/run/boot <<-'BOOT'
	mount -t proc proc /proc
	exec /lib/systemd/systemd --system --unit=basic.target --log-target=console --show-status=no
BOOT
unshare --mount --pid --cgroup --uts --ipc --fork chroot $root env -i container=test \
	PATH=/usr/sbin:/usr/bin:/sbin:/bin sh /run/boot </dev/null >/run/systemd.log 2>&1 &
unshare=$!

# inside COMMAND...: runs the command in the namespaces, with the programs of the packages.
inside()
{
	nsenter -t "$first" -m -p -C -u -i -r -w -- env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/run/home \
		DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 "$@"
}
booted()
{
	first=$(pgrep -P $unshare) && inside systemctl is-active -q basic.target
}
# left: lists the files that the layer adds to the VM's, without records and caches of dpkg.
left()
{
	(cd $changes && find . -mindepth 1 | while read -r path; do
		[ -d "$path" ] && [ -d "/$path" ] || echo "$path"
	done) | grep -vE '^\./var/(lib/dpkg|log|cache)/|^\./etc/ld.so.cache$' | LC_ALL=C sort
}
installed()
{
	[ "$(inside dpkg-query -W -f '${db:Status-Status} ${Version},' bpfd-target bpfd-usb)" = \
		"installed $1,installed $1," ]
}
# newer SCRIPT: makes a newer version of bpfd-target, whose files the script has changed.
newer()
{
	rm -rf /run/new
	dpkg-deb -R "${packages[0]}" /run/new &&
		sed -i "s/^Version: .*/Version: $version+test/" /run/new/DEBIAN/control &&
		(cd /run/new && sh -ec "$1") &&
		dpkg-deb --root-owner-group -Znone -b /run/new $root/run/new.deb
}
unit()
{
	inside systemctl show -p "$1" --value bpfd-gadget
}
unit_is() # unit_is LOAD ACTIVE ENABLED
{
	[ "$(unit LoadState) $(unit ActiveState) $(unit UnitFileState)" = "$1 $2 $3" ] || {
		unit LoadState
		unit ActiveState
		unit UnitFileState
		return 1
	}
}
answers()
{
	printf 'BPFD_VERSION\n' | inside bpfd-usb -w=20 -s "$1" | grep -E "^${version%-*} 2 .* kprobe_pmu"
}
no_gadget()
{
	[ -z "$(ls -A $CONFIGFS 2>/dev/null)" ]
}
kept()
{
	grep -qx 'serial = a package' $root/etc/bpfd/gadget.conf
}
started()
{
	inside systemctl "$@" bpfd-gadget || {
		cat $root/run/bpfd-gadget.log
		return 1
	}
}
# traces: a kprobe of a session with the service counts.
traces()
{
	client_open 1 inside bpfd-usb -s 'a package' &&
		client_command 1 'BPF_CREATE_MAP 2 counts 4 8 8 0' &&
		client_command 1 "$("$BPFD_BUILD/tools/bpf_line" "$BPFD_BUILD/tools/probe.bpf.o" \
			test/count0 2 GPL 0 counts=3)" &&
		client_command 1 'BPF_ATTACH_KPROBE 4 0 p_getpgid __x64_sys_getpgid' &&
		"$BPFD_BUILD/tools/trigger" syscall 100 && [ "$(count_of 1 3 0)" = 100 ]
	local status=$?
	client_close 1
	cat "$CLIENT_DIR/err.1"
	return $status
}

check "start: systemd runs" until_true 90 booted || { sed 's/^/# /' /run/systemd.log; finish; }
left >/run/before

# Installed: the service runs only after the user has started it.
cp "${packages[@]}" $root/run/
check "install: dpkg succeeds" inside sh -c 'dpkg -i /run/bpfd-*.deb'
check "install: both packages are configured" installed "$version"
check "install: the service is neither enabled nor started" unit_is loaded inactive disabled
check "install: there is no gadget" no_gadget
check "install: systemd accepts the unit" inside systemd-analyze verify --man=yes bpfd-gadget.service
for file in /etc/bpfd/gadget.conf /usr/lib/udev/rules.d/70-bpfd-usb.rules \
	/usr/share/man/man8/bpfd-gadget.8.gz /usr/share/man/man1/bpfd-run.1.gz \
	/usr/share/bash-completion/completions/bpfd-gadget /usr/share/zsh/vendor-completions/_bpfd-usb; do
	check "install: has $file" test -f $root$file
done

# Used.
check "use: bpfd-usb is the package's program" test "$(inside sh -c 'command -v bpfd-usb')" = /usr/bin/bpfd-usb
check "use: bpfd-gadget --check succeeds" inside bpfd-gadget --check
echo 'serial = a package' >>$root/etc/bpfd/gadget.conf
check "use: the service can be enabled and started" started enable -q --now
check "use: the service is active once it is ready" unit_is loaded active enabled
check "use: bpfd answers" answers 'a package'
check "use: bpfd can trace in the unit's sandbox" traces
check "use: bpfd-run runs a tool" inside bpfd-run --via 'bpfd-usb -s "a package"' bpftool map
daemon=$(unit MainPID)
pkill -9 -x bpfd-worker
check "use, worker killed: bpfd answers" answers 'a package'
check "use, worker killed: the daemon is the same" test "$(unit MainPID)" = "$daemon"
pkill -9 -x bpfd-gadget
check "use, daemon killed: bpfd answers" until_true 30 answers 'a package'
check "use, daemon killed: the daemon is a new one" test "$(unit MainPID)" != "$daemon"
daemon=$(unit MainPID)

# Upgraded: the user's settings stay, the service is restarted.
check "upgrade: a newer package is made" newer :
check "upgrade: dpkg succeeds" inside dpkg -i /run/new.deb
check "upgrade: the changed settings are kept" kept
check "upgrade: the daemon is a new one" test "$(unit MainPID)" != "$daemon"
check "upgrade: the service is enabled and active" unit_is loaded active enabled
check "upgrade: bpfd answers" answers 'a package'
check "reinstall: a package with new settings is made" newer 'echo "# new" >>etc/bpfd/gadget.conf'
check "reinstall: the service can be stopped" inside systemctl stop bpfd-gadget
check "reinstall: dpkg succeeds" inside dpkg --force-confdef --force-confold -i /run/new.deb
check "reinstall: the changed settings are kept" kept
check "reinstall: the new settings are in gadget.conf.dpkg-dist" grep -qx '# new' $root/etc/bpfd/gadget.conf.dpkg-dist
check "reinstall: the stopped service is not started" unit_is loaded inactive enabled
check "reinstall: the service can be started" started start

# Removed, with the service running.
check "remove: dpkg succeeds" inside dpkg -r bpfd-target bpfd-usb
check "remove: the service is gone" unit_is not-found inactive ''
check "remove: the gadget is gone" no_gadget
check "remove: the daemon has ended" sh -c '! pgrep -x bpfd-gadget'
check "remove: the programs are gone" sh -c "! ls $root/usr/sbin/bpfd* $root/usr/bin/bpfd*"
check "remove: the settings are kept" kept
check "purge: dpkg succeeds" inside dpkg -P bpfd-target bpfd-usb
left >/run/after
check "purge: no file is left" diff /run/before /run/after
finish

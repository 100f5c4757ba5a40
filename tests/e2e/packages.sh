#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The Debian packages: installed, used, upgraded, removed, purged, under a systemd that runs as the first
# process of namespaces of its own. Its root is a layer over this VM's files, which shows what is left
# behind.
# vm: --mem 1536
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
# Only what this machine's systemd cannot do without, and no index of all manual pages.
for wants in $root/{etc,lib}/systemd/system/{sysinit,basic,sockets,timers,local-fs}.target.wants; do
	[ ! -d "$wants" ] || mount -t tmpfs tmpfs "$wants"
done
rm -f $root/var/lib/man-db/auto-update
# Images of containers forbid packages to start and stop services.
rm -f $root/usr/sbin/policy-rc.d
# There is no journal.
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

# inside COMMAND...: the programs are those of the packages.
inside()
{
	nsenter -t "$first" -m -p -C -u -i -r -w -- env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/run/home \
		DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 "$@"
}
booted()
{
	first=$(pgrep -P $unshare) && inside systemctl is-active -q basic.target
}
# What the layer has that this VM's files have not, but for the package manager's records and caches.
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
# newer SCRIPT: bpfd-target under another version, after the script has changed its files.
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
# A kprobe of the service's bpfd counts.
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

check "systemd comes up" until_true 90 booted || { sed 's/^/# /' /run/systemd.log; finish; }
left >/run/before

# Installed: nothing runs before it has been asked for.
cp "${packages[@]}" $root/run/
check "install" inside sh -c 'dpkg -i /run/bpfd-*.deb'
check "both are configured" installed "$version"
check "the service is there, neither enabled nor started" unit_is loaded inactive disabled
check "there is no gadget" no_gadget
check "the unit has what it names" inside systemd-analyze verify --man=yes bpfd-gadget.service
for file in /etc/bpfd/gadget.conf /usr/lib/udev/rules.d/70-bpfd-usb.rules \
	/usr/share/man/man8/bpfd-gadget.8.gz /usr/share/man/man1/bpfd-run.1.gz \
	/usr/share/bash-completion/completions/bpfd-gadget /usr/share/zsh/vendor-completions/_bpfd-usb; do
	check "$file" test -f $root$file
done

# Used.
check "the program is the package's" test "$(inside sh -c 'command -v bpfd-usb')" = /usr/bin/bpfd-usb
check "--check" inside bpfd-gadget --check
echo 'serial = a package' >>$root/etc/bpfd/gadget.conf
check "enable and start" started enable -q --now
check "it is active once it is ready" unit_is loaded active enabled
check "bpfd answers" answers 'a package'
check "and traces, with what the unit leaves it" traces
check "bpfd-run runs a tool" inside bpfd-run --via 'bpfd-usb -s "a package"' bpftool map
daemon=$(unit MainPID)
pkill -9 -x bpfd-worker
check "its worker is killed: bpfd answers" answers 'a package'
check "it is the same process" test "$(unit MainPID)" = "$daemon"
pkill -9 -x bpfd-gadget
check "it is killed: it is started again" until_true 30 answers 'a package'
check "it is another process" test "$(unit MainPID)" != "$daemon"
daemon=$(unit MainPID)

# Upgraded: the user's settings stay, the service is restarted.
check "a newer package" newer :
check "upgrade" inside dpkg -i /run/new.deb
check "the changed settings are kept" kept
check "the service is another process" test "$(unit MainPID)" != "$daemon"
check "it is still enabled and runs" unit_is loaded active enabled
check "bpfd answers again" answers 'a package'
check "a newer one with new settings" newer 'echo "# new" >>etc/bpfd/gadget.conf'
check "stop" inside systemctl stop bpfd-gadget
check "reinstall" inside dpkg --force-confdef --force-confold -i /run/new.deb
check "the changed settings are kept again" kept
check "the new ones are beside them" grep -qx '# new' $root/etc/bpfd/gadget.conf.dpkg-dist
check "a stopped service is not started" unit_is loaded inactive enabled
check "start" started start

# Removed, with the service running.
check "remove" inside dpkg -r bpfd-target bpfd-usb
check "the service is gone" unit_is not-found inactive ''
check "so is the gadget" no_gadget
check "and the daemon" sh -c '! pgrep -x bpfd-gadget'
check "the programs are gone" sh -c "! ls $root/usr/sbin/bpfd* $root/usr/bin/bpfd*"
check "the settings are kept" kept
check "purge" inside dpkg -P bpfd-target bpfd-usb
left >/run/after
check "nothing is left" diff /run/before /run/after
finish

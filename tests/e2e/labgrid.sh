#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# labgrid's resource and driver in board/labgrid, with the samples there: a local board and, over
# ssh, an exporter's board, as an unprivileged user. udevd runs in the VM. labgrid's coordinator is
# not tested, because it needs crossbar, which Debian does not have.
# vm: --cpus 1 --mem 1024
set -u
here=$(dirname "$0")
# shellcheck source=tests/e2e/lib.sh
. "$here/lib.sh"
needs_kernel 5 14 'bpfd-run'
# shellcheck source=tests/e2e/boards.sh
. "$here/boards.sh"

/usr/bin/python3 -c 'import labgrid' 2>/dev/null || { skip "labgrid" "labgrid is not installed"; finish; }
for program in dropbear udevadm; do
	command -v "$program" >/dev/null || { skip "labgrid" "$program is not installed"; finish; }
done

# lab_make: sets up the lab's machine: udev with our rules, programs in the path of remote commands,
# a user, and an ssh server under the exporter's name, labhost.
lab_make()
{
	cp "$BPFD_BUILD/bpfd-usb" "$BPFD_BUILD/bpfd-run" /usr/bin
	cp "$here/../../board/70-bpfd-usb.rules" /etc/udev/rules.d
	/lib/systemd/systemd-udevd --daemon
	useradd --create-home --groups plugdev labuser
	cp -r "$here/../../board/labgrid" "$here/labgrid_test.py" /home/labuser
	dropbearkey -t ed25519 -f /run/hostkey
	install -d -m 700 -o labuser /home/labuser/.ssh
	ssh-keygen -q -t ed25519 -N '' -f /home/labuser/.ssh/id_ed25519
	cp /home/labuser/.ssh/id_ed25519.pub /home/labuser/.ssh/authorized_keys
	printf 'labhost %s\n' "$(dropbearkey -y -f /run/hostkey | grep ^ssh-)" \
		>/home/labuser/.ssh/known_hosts
	printf 'Host labhost\n HostName 127.0.0.1\n Port 2222\n HostKeyAlias labhost\n' \
		>/home/labuser/.ssh/config
	chown -R labuser: /home/labuser
	dropbear -E -F -r /run/hostkey -p 127.0.0.1:2222 -P /run/dropbear.pid 2>/run/dropbear.log &
	dropbear=$!
}

SERIAL=(board-7 board-8)
# labgrid_test.py plugs and unplugs boards by writing lines to a pipe.
mkfifo -m 666 /run/plugs
while read -r word n; do
	$word "$n"
done <>/run/plugs &
plugs=$!

load_udc num=2 && modprobe libcomposite || { not_ok "load dummy_hcd"; finish; }
lab_make >/run/lab.log 2>&1
board_make 0
board_make 1
until_true 20 boards_ready
plug 0
plug 1
check "start: both boards are on the bus" until_true 10 device_present 2
udevadm trigger --action=add --subsystem-match=usb
udevadm settle
cd /home/labuser/labgrid || exit
env HOME=/home/labuser setpriv --reuid labuser --regid labuser --init-groups timeout 900 \
	/usr/bin/python3 /home/labuser/labgrid_test.py >/run/tests 2>/run/tests.err
check "labgrid_test.py has run to its end" test $? = 0
while read -r word rest; do
	case $word in
	pass) ok "$rest" ;;
	fail) not_ok "$rest" "$(tail -n 20 /run/tests.err)" ;;
	*) echo "# $word $rest" ;;
	esac
done </run/tests
[ $FAILED = 0 ] || sed 's/^/# /' /run/lab.log /run/dropbear.log
kill $plugs $dropbear
cd /
check "end: the first daemon has status 0" board_remove 0
check "end: the second daemon has status 0" board_remove 1
check_no_leftovers
finish

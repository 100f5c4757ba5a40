#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Tests OpenWrt's init script against stand-ins for rc.common and procd, which write down their calls.
set -u
script=$(cd "$(dirname "$0")/.." && pwd)/board/openwrt/bpfd-gadget
log=$(mktemp)
trap 'rm -f "$log"' EXIT

n=0
check() { # check NAME COMMAND...
	name=$1
	shift
	n=$((n + 1))
	if "$@"; then
		echo "ok $n - $name"
	else
		echo "not ok $n - $name"
		sed 's/^/# /' "$log"
	fi
}
# The calls that an action leads to, a line each, arguments in brackets.
calls() { # calls ACTION
	sh -uc '
		call() { printf "%s" "$1"; shift; printf " [%s]" "$@"; echo; }
		for name in open_instance set_param append_param close_instance; do
			eval "procd_$name() { call $name \"\$@\"; }"
		done
		. "$0"
		[ "$USE_PROCD" = 1 ] || exit 1
		start() { start_service; }
		echo "order $START $STOP"
		"$1"' "$script" "$1" >"$log" 2>&1
}
param() { # param NAME VALUE...: it is given once, with these values
	line="set_param$(printf ' [%s]' "$@")"
	[ "$(grep -c "^set_param \[$1\]" "$log")" = 1 ] && grep -qxF -- "$line" "$log"
}
known() { # the parameters are those that procd.sh passes on; others it drops without a word
	! sed -n 's/^set_param \[\([a-z_]*\)\].*/\1/p' "$log" |
		grep -vxE 'env|data|limits|command|netdev|file|respawn|watch|watchdog|error|nice|term_timeout|reload_signal|pidfile|user|group|seccomp|capabilities|facility|stdout|stderr|no_new_privs'
}
line() { # line N TEXT
	sed -n "$1s/ *\[*\]*$//p" "$log" | grep -qx -- "$2"
}

echo 1..13
check 'rc.common runs it' grep -qx '#!/bin/sh /etc/rc.common' "$script"
check 'start' calls start_service
check 'early to end, late to begin' line 1 'order 90 10'
check 'an instance is opened' line 2 open_instance
check 'and closed at the end' line '$' close_instance
check 'the daemon' param command /usr/sbin/bpfd-gadget
check 'its settings are watched' param file /etc/bpfd/gadget.conf
check 'respawn' param respawn 60 2 5
check 'the log' param stderr 1
check 'time to end sessions' param term_timeout 10
check 'parameters that procd knows' known
cp "$log" "$log.start"
check 'reload' calls reload_service
check 'is a start, which procd compares' cmp -s "$log" "$log.start"
rm -f "$log.start"

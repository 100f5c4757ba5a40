#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Tests OpenWrt's init script against stand-ins for rc.common and procd, which record their calls.
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
# Writes the calls of an action to $log, one per line, with arguments in brackets.
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
param() { # param NAME VALUE...: the parameter is set once, to these values
	line="set_param$(printf ' [%s]' "$@")"
	[ "$(grep -c "^set_param \[$1\]" "$log")" = 1 ] && grep -qxF -- "$line" "$log"
}
known() { # all parameters are ones that procd.sh passes on; it drops others silently
	! sed -n 's/^set_param \[\([a-z_]*\)\].*/\1/p' "$log" |
		grep -vxE 'env|data|limits|command|netdev|file|respawn|watch|watchdog|error|nice|term_timeout|reload_signal|pidfile|user|group|seccomp|capabilities|facility|stdout|stderr|no_new_privs'
}
line() { # line N TEXT
	sed -n "$1s/ *\[*\]*$//p" "$log" | grep -qx -- "$2"
}

echo 1..13
check 'rc.common is the interpreter' grep -qx '#!/bin/sh /etc/rc.common' "$script"
check 'start succeeds' calls start_service
check 'START is 90, STOP is 10' line 1 'order 90 10'
check 'start opens an instance first' line 2 open_instance
check 'start closes the instance last' line '$' close_instance
check 'the command is the daemon' param command /usr/sbin/bpfd-gadget
check 'procd watches the settings file' param file /etc/bpfd/gadget.conf
check 'procd restarts after 2 s, at most 5 times after short runs' param respawn 60 2 5
check 'stderr goes to the log' param stderr 1
check 'the daemon gets 10 s to end' param term_timeout 10
check 'procd knows all parameters' known
cp "$log" "$log.start"
check 'reload succeeds' calls reload_service
check 'reload makes the calls of start, which procd compares' cmp -s "$log" "$log.start"
rm -f "$log.start"

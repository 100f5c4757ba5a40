#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Tests the test runner: what must count as failed, the queue, and the search for include circles.
set -u
here=$(cd "$(dirname "$0")" && pwd)
logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT
export logs

n=0
is() { # is NAME EXPECTED GOT
	n=$((n + 1))
	if [ "$3" = "$2" ]; then
		echo "ok $n - $1"
	else
		echo "not ok $n - $1"
		echo "# $3 instead of $2"
	fi
}
# counts NAME EXPECTED CALL: checks the totals after a call of the harness.
counts() {
	is "$1" "$2" "$(sh -c ". '$here/harness.sh'; suite_seconds=2; V=0; $3 >/dev/null; totals" | tail -n 1)"
}

echo 1..23
counts 'passed' '2 passed, 0 failed, 0 skipped' \
	"suite a printf '1..2\nok 1 - a\nok 2 - b\n'"
counts 'skipped, the usual way' '1 passed, 0 failed, 1 skipped' \
	"suite a printf '1..2\nok 1 - a\nok 2 - b # SKIP why\n'"
counts 'skipped, the way of cmocka 1.1' '1 passed, 0 failed, 1 skipped' \
	"suite a printf '1..2\nok 1 - a\nnot ok 2 # SKIP b\n'"
counts 'skipped as a whole' '0 passed, 0 failed, 1 skipped' \
	"suite a printf '1..0 # SKIP why\n'"
counts 'failed' '1 passed, 1 failed, 0 skipped' \
	"suite a printf '1..2\nok 1 - a\nnot ok 2 - b\n'"
counts 'two plans in one output' '2 passed, 0 failed, 0 skipped' \
	"suite a printf '1..1\nok 1 - a\n1..1\nok 1 - b\n'"
counts 'no plan' '1 passed, 1 failed, 0 skipped' \
	"suite a printf 'ok 1 - a\n'"
counts 'fewer tests than planned' '1 passed, 1 failed, 0 skipped' \
	"suite a printf '1..3\nok 1 - a\n'"
counts 'a crash after the last test' '1 passed, 1 failed, 0 skipped' \
	"suite a sh -c 'echo 1..1; echo ok 1 - a; kill -KILL \$\$'"
counts 'silence' '0 passed, 1 failed, 0 skipped' \
	"suite a true"
counts 'a program that hangs' '0 passed, 1 failed, 0 skipped' \
	"suite a sh -c 'echo 1..1; exec sleep 60'"
counts 'bailing out' '1 passed, 1 failed, 0 skipped' \
	"suite a printf '1..1\nok 1 - a\nBail out! no board\n'"
counts 'steps' '1 passed, 1 failed, 1 skipped' \
	"step yes true; step no false; skip maybe why"

# The queue.
counts 'queued suites and steps' '3 passed, 2 failed, 1 skipped' \
	"queue suite a printf '1..2\nok 1 - a\nok 2 - b # SKIP why\n'
	queue vm suite 'b 2' printf '1..2\nok 1 - it'\''s\nnot ok 2 - b\n'
	queue step c true; queue vm step d false; run_queue"
counts 'a queue after another one' '2 passed, 0 failed, 0 skipped' \
	'queue step a true; run_queue; queue step a true; run_queue'
counts 'a queued program that hangs' '1 passed, 1 failed, 0 skipped' \
	"queue suite a sh -c 'echo 1..1; exec sleep 60'; queue step b true; run_queue"
counts 'what waits for a job runs after it' '2 passed, 0 failed, 0 skipped' \
	"queue step a sh -c 'sleep 0.5; touch $logs/made'
	queue vm after a step b rm $logs/made; run_queue"
counts 'what waits for a failed job does not run, nor what waits for that' '0 passed, 1 failed, 2 skipped' \
	'queue step a false; queue vm after a step b true; queue after b step c true; run_queue'
counts 'a job waits only for what is queued' '1 passed, 0 failed, 0 skipped' \
	'queue after a step b true; run_queue'
# Each of the two ends only when the other one runs.
counts 'two jobs run at once' '2 passed, 0 failed, 0 skipped' \
	"meet() { touch $logs/\$1; timeout 20 sh -c \"until [ -e $logs/\$2 ]; do sleep 0.1; done\"; }
	queue vm step a meet here there; queue vm step b meet there here; run_queue"

# An interrupt ends the workers and what they run. Here they run two suites with a child each.
sh -c ". '$here/harness.sh'; trap 'interrupted 143' TERM
	for name in a b; do
		queue vm suite \$name sh -c 'sleep 1000 & echo \$! >$logs/child.'\$name'; wait'
	done
	run_queue" &
pid=$!
tries=100
until { [ -s "$logs/child.a" ] && [ -s "$logs/child.b" ]; } || [ $tries -eq 0 ]; do
	sleep 0.1
	tries=$((tries - 1))
done
kill "$pid"
status=0
wait "$pid" || status=$?
# They have got the signal, but on a busy machine they need time to die.
tries=100
while
	alive=0
	for child in $(cat "$logs"/child.?); do
		! kill -0 "$child" 2>/dev/null || alive=$((alive + 1))
	done
	[ $alive -gt 0 ] && [ $tries -gt 0 ]
do
	sleep 0.1
	tries=$((tries - 1))
done
is 'an interrupt ends everything' '143, 0 left' "$status, $alive left"

# include FROM TO: a line in the header of a module of a made-up tree.
include() {
	mkdir -p "$logs/tree/core"
	echo "#include \"core/$2.h\"" >>"$logs/tree/core/$1.h"
}
circles() {
	"$here/include_circles" "$logs/tree" >/dev/null
	echo $?
}
include a b
include b a
include b c
is 'two modules that include each other are no circle' 0 "$(circles)"
include c a
is 'three modules that include each other are a circle' 1 "$(circles)"

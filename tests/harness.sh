# shellcheck shell=sh
# SPDX-License-Identifier: Apache-2.0
# Runs test programs, several at a time, counts their results and prints the totals. Sourced.
#
# suite NAME COMMAND...   runs a program that prints TAP, the Test Anything Protocol, also in the form
#                         of cmocka 1.1 (a skipped test is "not ok N # SKIP name")
# step NAME COMMAND...    runs a command that counts as one test: it passes with exit status 0
# skip NAME REASON        counts one test that cannot run here
# queue [vm] [after NAME] suite|step NAME COMMAND...
#                         keeps a suite or step for run_queue. "vm": it boots a VM. "after": it runs after
#                         the suite or step of that name, if that one is queued before, and only if that
#                         one has passed.
# run_queue               runs what is queued, in this order if "after" allows it, and reports each when
#                         it ends
# totals                  prints the last line, also into $logs/totals; fails if anything failed or
#                         nothing was run
#
# The output of a program goes to $logs and is shown if something in it failed; V=1 shows it always.
# An interrupt ends all that runs. A name is used once in a run, because it names the log.

passed=0
failed=0
skipped=0
queued=0
queued_logs=' '
workers=
: "${logs:?is not set}"
: "${suite_seconds:=300}"
mkdir -p "$logs"

# Prints "passed failed skipped", then the reasons of failed and skipped tests.
tap_count() { # tap_count EXIT_STATUS < OUTPUT
	awk -v status="$1" '
	function note(text) { notes = notes text "\n" }
	/^1\.\.[0-9]+/ {
		plan += substr($1, 4)
		plans++
		if ($1 == "1..0") {
			skipped++
			note("skipped: " $0)
		}
		next
	}
	/^(not )?ok( |$)/ {
		ran++
		if (toupper($0) ~ /# SKIP/) {
			skipped++
			note("skipped: " $0 (last ~ /^#/ ? " (" last ")" : ""))
		} else if ($1 == "ok") {
			passed++
		} else {
			failed++
			note("failed: " $0)
		}
	}
	/^Bail out!/ {
		failed++
		note("failed: " $0)
	}
	{ last = $0 }
	END {
		if (!plans || plan != ran) {
			failed++
			note("failed: " (plans ? plan : "no number of") " tests planned, " ran + 0 " run")
		} else if (status != 0 && !failed) {
			failed++
			note("failed: every test passed and yet the exit status is " status)
		}
		printf "%d %d %d\n%s", passed, failed, skipped, notes
	}'
}

# report NAME LOG SECONDS PASSED FAILED SKIPPED
report() {
	passed=$((passed + $4))
	failed=$((failed + $5))
	skipped=$((skipped + $6))
	if [ "$5" -gt 0 ]; then
		printf 'FAILED  %s: %d of %d (%d s)\n' "$1" "$5" "$(($4 + $5))" "$3"
	else
		printf 'ok      %s: %d (%d s)\n' "$1" "$4" "$3"
	fi
	if [ "$5" -gt 0 ] || [ "${V:-0}" = 1 ]; then
		tail -n 400 "$2" | sed 's/^/    | /'
	fi
}

# Prints the name of the log of a suite or step, without separators and blanks.
log_of() {
	printf '%s/%s.log' "$logs" "$(printf '%s' "$1" | tr -c 'A-Za-z0-9_.-' '-')"
}

# Sends SIGTERM to processes and their descendants, parents first: they start no others instead.
end_trees() { # end_trees PID...
	while [ $# -gt 0 ]; do
		# shellcheck disable=SC2046 # words
		set -- "$@" $(pgrep -P "$1")
		kill "$1" 2>/dev/null || :
		shift
	done
}

# For traps: ends what this shell has started and then the shell. More than once, because a process that
# is just being started may miss the signal or start another one.
interrupted() { # interrupted STATUS
	trap '' INT TERM HUP
	for _ in 1 2 3; do
		# shellcheck disable=SC2086 # words
		end_trees $workers ${!:-}
		sleep 0.2
	done
	wait
	exit "$1"
}

# Runs a command in the background, so that a trap interrupts the wait, and keeps its output, status
# and seconds for report_of.
run_logged() { # run_logged suite|step NAME COMMAND...
	kind=$1
	log=$(log_of "$2")
	shift 2
	begin=$(date +%s)
	status=0
	{
		set +e
		"$@"
	} </dev/null >"$log" 2>&1 8>&- 9>&- &
	wait "$!" || status=$?
	echo "$kind $status $(($(date +%s) - begin))" >"$log.status"
}

# The shell ignores SIGINT in background processes; tests expect the default.
suite_run() { # suite_run NAME COMMAND...
	name=$1
	shift
	run_logged suite "$name" env --default-signal=INT,QUIT CMOCKA_MESSAGE_OUTPUT=TAP \
		timeout -k 5 "$suite_seconds" "$@"
}

step_run() { # step_run NAME COMMAND...
	run_logged step "$@"
}

# Counts and prints what run_logged kept. Fails if a step failed.
report_of() { # report_of NAME
	log=$(log_of "$1")
	read -r kind status seconds <"$log.status"
	rm "$log.status"
	if [ "$kind" = dropped ]; then
		skip "$1" 'what it needs has failed'
		return
	elif [ "$kind" = step ]; then
		report "$1" "$log" "$seconds" $((status == 0)) $((status != 0)) 0
		return $((status != 0))
	fi
	counted=$(tap_count "$status" <"$log")
	# shellcheck disable=SC2046 # three numbers
	report "$1" "$log" "$seconds" $(printf '%s\n' "$counted" | head -n 1)
	printf '%s\n' "$counted" | sed -n '2,$s/^/        /p'
}

suite() {
	suite_run "$@"
	report_of "$1"
}

step() {
	step_run "$@"
	report_of "$1"
}

skip() {
	skipped=$((skipped + 1))
	printf 'skipped %s: %s\n' "$1" "$2"
}

quote() { # quote WORD...: for eval
	for word; do
		case $word in
		*\'*) word=$(printf '%s' "$word" | sed "s/'/'\\\\''/g") ;;
		esac
		printf "'%s' " "$word"
	done
}

# Job N of the queue is in the variables lane_N (vm or host), log_N (the name of its log), after_N (that of
# the job that it waits for), limit_N ($suite_seconds) and job_N (quoted words).
queue() {
	queued=$((queued + 1))
	eval "lane_$queued=host after_$queued= limit_$queued=$suite_seconds"
	while :; do
		case $1 in
		vm) eval "lane_$queued=vm" ;;
		after)
			log=$(log_of "$2")
			case $queued_logs in
			*" $log "*) eval "after_$queued=\${log##*/}" ;;
			esac
			shift
			;;
		*) break ;;
		esac
		shift
	done
	log=$(log_of "$2")
	queued_logs="$queued_logs$log "
	eval "log_$queued=\${log##*/} job_$queued=\$(quote \"\$@\")"
}

# Runs job $number, or only notes that it cannot run. The main process reads from descriptor 8 which jobs
# have ended, since only it can count. The directory LOG.passed or LOG.failed is for the jobs that wait.
run_job() { # run_job run|drop suite|step NAME COMMAND...
	how=$1
	runner=$2_run
	shift 2
	if [ "$how" = run ]; then
		eval "suite_seconds=\$limit_$number"
		"$runner" "$@"
	else
		status=1
		echo "dropped 1 0" >"$(log_of "$1").status"
	fi
	eval "log=\$log_$number"
	if [ "$status" -eq 0 ]; then
		mkdir "$taken/$log.passed"
	else
		mkdir "$taken/$log.failed"
	fi
	echo "$1" >&8
}

# Runs the first job of a lane that is not taken and need not wait. Of two workers that try to take a job
# one succeeds, because only one can make its directory. Returns 1 if there was nothing to run; then
# $waiting is set if a job still waits for another one.
work_once() { # work_once LANE
	number=0
	of='' after=''
	while [ "$number" -lt "$queued" ]; do
		number=$((number + 1))
		how=run
		eval "of=\$lane_$number after=\$after_$number"
		if [ "$of" != "$1" ] || [ -e "$taken/$number" ]; then
			continue
		elif [ -n "$after" ] && [ -e "$taken/$after.failed" ]; then
			how=drop
		elif [ -n "$after" ] && [ ! -e "$taken/$after.passed" ]; then
			waiting=1
			continue
		fi
		if mkdir "$taken/$number" 2>/dev/null; then
			eval "eval \"run_job $how \$job_$number\""
			return 0
		fi
	done
	return 1
}
# Lanes that come first have priority.
work() { # work LANE...
	trap 'interrupted 143' INT TERM HUP
	workers=
	while :; do
		waiting=
		for lane; do
			work_once "$lane" && continue 2
		done
		[ -n "$waiting" ] || return 0
		sleep 0.2
	done
}

# As many workers as $BPFD_WORKERS (default 2) do everything. One more does what boots no VM, in the time
# that the others leave.
run_queue() {
	taken=$(mktemp -d)
	mkfifo "$taken/ended"
	# Opened for both first: the end of the file comes when all workers have ended, and not before.
	exec 8<>"$taken/ended" 9<"$taken/ended"
	worker=0
	while [ "$worker" -lt "${BPFD_WORKERS:-2}" ]; do
		worker=$((worker + 1))
		work vm host &
		workers="$workers $!"
	done
	work host &
	workers="$workers $!"
	renice -n 10 -p "$!" >/dev/null 2>&1 || :
	exec 8>&-
	while read -r name <&9; do
		report_of "$name" || :
	done
	exec 9<&-
	wait
	rm -r "$taken"
	workers=
	queued=0
	queued_logs=' '
}

totals() {
	printf '%d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped" |
		tee "$logs/totals"
	[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
}

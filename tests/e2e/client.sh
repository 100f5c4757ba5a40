# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# A client of bpfd for tests in bash. A session runs over any command that connects to bpfd.
# Several sessions may be open; each has a small number.

CLIENT_DIR=$(mktemp -d)
declare -A CLIENT_PID CLIENT_IN CLIENT_OUT
CLIENT_TIMEOUT=${CLIENT_TIMEOUT:-60} # seconds for a reply; TCG under load is slow
BODY=() # lines of the last reply

# client_start N COMMAND...: starts the command as session N, without waiting for the banner.
client_start()
{
	local n=$1 fd
	shift
	rm -f "$CLIENT_DIR/in.$n" "$CLIENT_DIR/out.$n"
	mkfifo "$CLIENT_DIR/in.$n" "$CLIENT_DIR/out.$n"
	"$@" <"$CLIENT_DIR/in.$n" >"$CLIENT_DIR/out.$n" 2>"$CLIENT_DIR/err.$n" &
	CLIENT_PID[$n]=$!
	exec {fd}>"$CLIENT_DIR/in.$n"
	CLIENT_IN[$n]=$fd
	exec {fd}<"$CLIENT_DIR/out.$n"
	CLIENT_OUT[$n]=$fd
}

# client_open N COMMAND...: starts the command as session N and waits for the banner.
client_open()
{
	local line
	client_start "$@"
	IFS= read -r -t "$CLIENT_TIMEOUT" -u "${CLIENT_OUT[$1]}" line || line="nothing"
	[ "$line" = STARTED_BPFD ] && return 0
	echo "# client $1: no banner; got: $line"
	sed 's/^/# /' "$CLIENT_DIR/err.$1"
	return 1
}

# client_send N LINE: sends the line, without waiting for the reply.
client_send()
{
	printf '%s\n' "$2" >&"${CLIENT_IN[$1]}"
}

# client_reply N: reads one reply into BODY.
client_reply()
{
	local line
	BODY=()
	IFS= read -r -t "$CLIENT_TIMEOUT" -u "${CLIENT_OUT[$1]}" line || return 1
	if [ "$line" != START_BPFD_OUTPUT ]; then
		echo "# client $1: START_BPFD_OUTPUT expected, got: ${line:0:200}"
		return 1
	fi
	while IFS= read -r -t "$CLIENT_TIMEOUT" -u "${CLIENT_OUT[$1]}" line; do
		[ "$line" = END_BPFD_OUTPUT ] && return 0
		BODY+=("$line")
	done
	echo "# client $1: reply cut after ${#BODY[@]} lines"
	return 1
}

# client_command N LINE: sends the line and reads the reply.
client_command()
{
	client_send "$1" "$2" && client_reply "$1"
}

# client_send_file N FILE: sends the lines of a file.
client_send_file()
{
	cat "$2" >&"${CLIENT_IN[$1]}"
}

# client_close N: closes the input, reads the output to its end, waits for the process and returns
# its status.
client_close()
{
	local n=$1 fd status=0
	fd=${CLIENT_IN[$n]}
	exec {fd}>&-
	fd=${CLIENT_OUT[$n]}
	cat <&"$fd" >"$CLIENT_DIR/rest.$n"
	wait "${CLIENT_PID[$n]}" || status=$?
	exec {fd}<&-
	unset "CLIENT_PID[$n]" "CLIENT_IN[$n]" "CLIENT_OUT[$n]"
	return "$status"
}

# result: prints the number after ret= in the first line of the last reply, or "none".
result()
{
	if [[ ${BODY[0]:-} =~ ret=(-?[0-9]+) ]]; then
		echo "${BASH_REMATCH[1]}"
	else
		echo none
	fi
}

# le WIDTH NUMBER: prints the number as WIDTH little-endian bytes in base64.
le()
{
	local i n=$2 hex=''
	for ((i = 0; i < $1; i++)); do
		printf -v hex '%s\\x%02x' "$hex" $((n >> (8 * i) & 255))
	done
	# shellcheck disable=SC2059
	printf "$hex" | base64 -w 0
}

# number BASE64: prints the number that le encoded.
number()
{
	local hex
	hex=$(printf '%s' "$1" | base64 -d | od -An -v -tx1 | tr -d ' \n')
	hex=$(echo "$hex" | fold -w 2 | tac | tr -d '\n')
	echo $((16#${hex:-0}))
}

# count_of N FD SLOT: prints an element of the test programs' map counts, read in session N.
count_of()
{
	client_command "$1" "BPF_LOOKUP_ELEM $2 $(le 4 "$3") 4 8" || return 1
	number "${BODY[0]}"
}

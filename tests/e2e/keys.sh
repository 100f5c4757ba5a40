#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Authentication: the board's list of keys, keys from files and from ssh-agent, keys removed from the
# list, and read-only sessions.
# vm: --cpus 1
set -u
here=$(dirname "$0")
# shellcheck source=tests/e2e/lib.sh
. "$here/lib.sh"
# shellcheck source=tests/e2e/client.sh
. "$here/client.sh"

list=/etc/bpfd/authorized_keys
export HOME=/run/home
unset SSH_AUTH_SOCK XDG_CONFIG_HOME
mkdir -p /etc/bpfd $HOME/.ssh /run/keys
rm -f $list /etc/bpfd/gadget.conf
cd /run/keys || exit

# connects STATUS WORDS OPTION...: a session with empty input exits with that status and prints the
# words.
connects()
{
	local wanted=$1 words=$2 got
	shift 2
	timeout -k 1 60 bpfd-usb "$@" </dev/null >/run/out 2>/run/err
	got=$?
	[ $got = "$wanted" ] && { [ -z "$words" ] || grep -qF -- "$words" /run/err; } && return
	echo "status $got"
	cat /run/out /run/err
	return 1
}
# opens OPTION...: a session succeeds, and the board has started its bpfd.
opens()
{
	connects 0 "" "$@" && [ "$(cat /run/out)" = STARTED_BPFD ]
}
# refuses STATUS WORDS COMMAND...: the command exits with that status and prints the words.
refuses()
{
	local wanted=$1 words=$2 got
	shift 2
	timeout -k 1 20 "$@" >/run/refused 2>&1
	got=$?
	[ $got = "$wanted" ] && grep -qF -- "$words" /run/refused && return
	echo "status $got"
	cat /run/refused
	return 1
}
logged()
{
	until_true 5 grep -qF -- "$1" $GADGET_LOG || { tail -n 20 $GADGET_LOG; return 1; }
}

# Keys.
check "keygen: makes a key" sh -c 'bpfd-usb --keygen mine >line'
check "keygen: prints the line for the list" cmp line mine.pub
check "keygen: only its owner can read the key" test "$(stat -c %a mine) $(stat -c %a mine.pub)" = '600 644'
check "keygen: does not overwrite a key" refuses 255 'mine: File exists' bpfd-usb --keygen mine
check "keygen: leaves no file if it cannot create the public one" sh -c \
	'mkdir half.pub; ! bpfd-usb --keygen half 2>/dev/null && ! test -e half'
check "keygen: ssh-keygen reads the key" test "$(ssh-keygen -y -f mine)" = "$(cat mine.pub)"
check "keygen: ssh-keygen prints its fingerprint" sh -c 'ssh-keygen -lf mine.pub | grep -q ED25519'
ssh-keygen -q -t ed25519 -N '' -C 'from ssh-keygen' -f theirs
ssh-keygen -q -t ed25519 -N '' -f stranger
ssh-keygen -q -t ed25519 -N secret -f locked
ssh-keygen -q -t rsa -b 2048 -N '' -f rsa
check "key: an encrypted one is rejected" connects 250 'locked: the key is encrypted; add it to ssh-agent' --key locked
check "key: an RSA key is rejected" connects 250 'rsa: not an Ed25519 key' --key rsa
check "key: a truncated one is made" sh -c 'head -c 250 theirs >cut; chmod 600 cut'
check "key: a truncated one is rejected" connects 250 'cut: not a complete key' --key cut
check "key: a file that others can read is made" sh -c 'cp theirs open; chmod 644 open'
check "key: a file that others can read is rejected" connects 250 'open: other users can access' --key open

# The board has no list.
load_udc is_super_speed=1 || { not_ok "load dummy_hcd"; finish; }
check "no list: --require-key is an error" refuses 1 "$list: No such file" bpfd-gadget --require-key
check "no list: --authorized-keys is an error" refuses 1 '/no/keys: No such file' \
	bpfd-gadget --authorized-keys /no/keys
gadget_start || { not_ok "start the gadget"; finish; }
check "no list: the daemon logs that any host may connect" \
	test "$(grep -c 'any USB host may connect' $GADGET_LOG)" = 1
check "no list: a host without a key connects" opens
check "no list: a host with a key connects" opens --key mine

# The list appears while the daemon runs.
{
	echo "# who may trace this board"
	echo
	cat mine.pub
	cat rsa.pub
	cut -c 1-60 theirs.pub
	echo "read-only $(cat theirs.pub)"
	echo "no-pty $(cat stranger.pub)"
} >$list
check "new list: a host without a key is refused" connects 251 'it asks for a key, and this host has no Ed25519 key'
check "new list: an RSA key is logged" logged "$list:4: not an ssh-ed25519 key, skipped"
check "new list: a truncated key is logged" logged "$list:5: not a complete ssh-ed25519 key"
check "new list: an unknown option is logged" logged "$list:7: unknown option"
check "new list: a host without a key prints what to do" grep -q 'see --key and --keygen' /run/err
check "new list: no bpfd is started for a refused host" sh -c "! pgrep -x bpfd"
check "new list: a key in it connects" opens --key mine
check "new list: the daemon logs the key that connects" logged "lane 0: admitted: key $(ssh-keygen -lf mine.pub | awk '{print $2}')"
check "new list: another key is refused" connects 251 "key $(ssh-keygen -lf stranger.pub | awk '{print $2}') of stranger" \
	--key stranger
check "new list: the daemon logs the key that is refused" logged "key refused: $(ssh-keygen -lf stranger.pub | awk '{print $2}'): not in"
check "new list: a ping with a key in it connects" sh -c 'bpfd-usb --key mine --ping=2 >/run/out 2>&1'
check "new list: a ping with another key is refused" connects 251 'this host has no other one' --ping=2 --key stranger

# Keys in the default places.
check "default key: none exists" connects 251 'has no Ed25519 key'
cp theirs $HOME/.ssh/id_ed25519
check "default key: .ssh/id_ed25519" opens
mkdir -p $HOME/.config/bpfd
cp mine $HOME/.config/bpfd/id_ed25519
rm $HOME/.ssh/id_ed25519
check "default key: .config/bpfd/id_ed25519" opens
rm $HOME/.config/bpfd/id_ed25519

# ssh-agent.
eval "$(ssh-agent -a /run/keys/agent)" >/dev/null
check "agent: one without keys" connects 251 'has no Ed25519 key'
ssh-add -q rsa stranger mine 2>/dev/null
check "agent: its second Ed25519 key connects" opens
check "agent: the refused first key is logged" logged "not in the list"
check "agent: --key with a public key chooses the agent's key" opens --key mine.pub
check "agent: --key with another public key is refused" connects 251 'does not accept it' --key stranger.pub
ssh-add -q -D 2>/dev/null
SSH_ASKPASS_REQUIRE=force SSH_ASKPASS=/run/keys/askpass DISPLAY=:0
export SSH_ASKPASS_REQUIRE SSH_ASKPASS DISPLAY
printf '#!/bin/sh\necho secret\n' >askpass
chmod 755 askpass
ssh-add -q locked </dev/null
cat locked.pub >>$list
check "agent: an encrypted key connects" opens
# More keys than a host may offer in one session.
ssh-add -q -D 2>/dev/null
for n in 1 2 3 4 5 6 7; do
	ssh-keygen -q -t ed25519 -N '' -f "many$n"
	ssh-add -q "many$n" 2>/dev/null
done
check "agent: seven wrong keys are refused" connects 251 'it refused all keys that the host showed'
check "agent: six keys are offered and reported" test "$(grep -c 'key SHA256:.*does not accept it' /run/err)" = 6
kill "$SSH_AGENT_PID"
check "agent: an agent that has ended is reported" connects 251 'ssh-agent: /run/keys/agent:'
unset SSH_AUTH_SOCK SSH_AGENT_PID

# A signal while an agent does not answer. It is SIGTERM, because bash makes background processes
# ignore SIGINT.
mkfifo hang
python3 - hang <<-'EOF' &
	import socket, sys
	s = socket.socket(socket.AF_UNIX)
	s.bind("/run/keys/deaf")
	s.listen()
	open(sys.argv[1], "w").close()
	c = s.accept()
	c[0].recv(1000)
	s.accept()
EOF
deaf=$!
cat hang
SSH_AUTH_SOCK=/run/keys/deaf bpfd-usb </dev/null >/run/out 2>/run/err &
bridge=$!
sleep 2
kill $bridge
wait $bridge
check "agent: SIGTERM kills a bpfd-usb that waits for one" test $? = 143
kill $deaf

# A key is removed from the list while it has a session.
client_open 1 bpfd-usb --key mine || not_ok "a session"
grep -v "$(cut -d ' ' -f 2 mine.pub)" $list >/run/list
cat /run/list >$list
check "removed key: a new session is refused" connects 251 'does not accept it' --key mine
client_command 1 "BPF_CREATE_MAP 2 counts 4 8 8 0"
check "removed key: the open session goes on" test "$(result)" = 3
client_close 1
check "removed key: the open session ends with status 0" test $? = 0

# An unusable or deleted list refuses every host.
chmod 666 $list
check "bad list, others can write it: a key in it is refused" connects 251 'its list of keys cannot be used' --key theirs
check "bad list, others can write it: logged" logged "$list: not used: others than root can write it"
chmod 600 $list
chmod 777 /etc/bpfd
check "bad list, others can write its directory: a key in it is refused" connects 251 'its list of keys cannot be used' --key theirs
chmod 755 /etc/bpfd
check "bad list: it works again when repaired" opens --key theirs
mv $list /run/list
check "deleted list: a key is refused" connects 251 'its list of keys cannot be used' --key theirs
check "deleted list: a host without a key is refused" connects 251 'its list of keys cannot be used'
kill -9 "$(worker_pid)"
until_true 10 worker_pid >/dev/null
check "deleted list: a new worker refuses a key" connects 251 'its list of keys cannot be used' --key theirs
mv /run/list $list
check "list: the daemon ends with status 0" gadget_stop

# Read-only sessions: by the option of the key, then by the option of the daemon.
: >$GADGET_LOG
gadget_start --require-key || { not_ok "start the gadget"; finish; }
check "read-only key: the daemon logs the number of keys" logged "hosts with one of its 2 keys may connect"
# looks OPTION...: a session answers queries and refuses changes.
looks()
{
	local line
	client_open 1 bpfd-usb "$@" || return
	client_command 1 BPFD_VERSION
	[[ ${BODY[0]} == *" read_only" ]] || { echo "${BODY[*]}"; return 1; }
	while read -r line; do
		client_command 1 "$line"
		[ "$(result)" = -1 ] || { echo "$line: ${BODY[*]}"; return 1; }
	done <<-'EOF'
		BPF_CREATE_MAP 2 counts 4 8 8 0
		BPF_UPDATE_ELEM 3 AAAAAA== 4 AAAAAAAAAAA= 8 0
		BPF_DELETE_ELEM 3 AAAAAA== 4
		BPF_CLEAR_MAP 3 4
		BPF_PROG_LOAD 1 p 8 GPL 0 lQAAAAAAAAA=
		BPF_ATTACH_KPROBE 3 0 e do_exit
		BPF_DETACH_KPROBE e
		BPF_ATTACH_UPROBE 3 0 e /bin/true 0 -1
		BPF_DETACH_UPROBE e
		BPF_ATTACH_TRACEPOINT 3 sched sched_switch
		BPF_DETACH_TRACEPOINT sched sched_switch
		BPF_ATTACH_PERF_EVENT 3 1 0 1 0 -1 0 -1
		BPF_OPEN_PERF_BUFFER -1 0 8
	EOF
	client_command 1 "COMM_FOR_PID 1"
	[[ ${BODY[0]} != *ret=* ]] || { echo "${BODY[*]}"; return 1; }
	client_command 1 "GET_KSYM_ADDR do_exit"
	[ "$(result)" = 0 ] || { echo "${BODY[*]}"; return 1; }
	client_command 1 "PERF_READER_POLL 0 0"
	client_close 1
}
check "read-only key: text commands change nothing" looks --key theirs
check "read-only key: the daemon logs the option" logged "from ssh-keygen, line 5, read-only"
before=$(bpftool -j map show | wc -c)

# The binary protocol: an existing map can be read but not changed.
bpftool map create /sys/fs/bpf/shown type hash key 4 value 8 entries 8 name shown
bpftool map update pinned /sys/fs/bpf/shown key 1 0 0 0 value 42 0 0 0 0 0 0 0
id=$(bpftool map show pinned /sys/fs/bpf/shown | sed -n '1s/:.*//p')
afar()
{
	timeout -k 1 120 bpfd-run --via 'bpfd-usb --key /run/keys/theirs' bpftool "$@" >/run/out 2>&1
}
says()
{
	afar "${@:2}"
	grep -q -- "$1" /run/out || { cat /run/out; return 1; }
}
unchanged()
{
	[ "$(bpftool -j map dump pinned /sys/fs/bpf/shown | grep -c '"0x2a"')" = 1 ] &&
		[ "$(bpftool -j map dump pinned /sys/fs/bpf/shown | grep -o '"key"' | wc -l)" = 1 ]
}
check "read-only key: bpftool lists a map" says "name shown" map show id "$id"
check "read-only key: bpftool dumps a map by id" says '2a 00 00 00 00 00 00 00' map dump id "$id"
check "read-only key: bpftool dumps a map by path" says '2a 00 00 00 00 00 00 00' map dump pinned /sys/fs/bpf/shown
check "read-only key: bpftool cannot update a map" says 'Operation not permitted' map update id "$id" key 1 0 0 0 value 7 0 0 0 0 0 0 0
check "read-only key: bpftool cannot delete an element" says 'Operation not permitted' map delete id "$id" key 1 0 0 0
check "read-only key: bpftool cannot create a map" says 'Operation not permitted' map create /sys/fs/bpf/more type hash key 4 value 8 \
	entries 8 name more
check "read-only key: the map is unchanged" unchanged
rm /sys/fs/bpf/shown
check "read-only key: no map is left" until_true 5 test "$(bpftool -j map show | wc -c)" = "$before"
check "read-only key: the daemon ends with status 0" gadget_stop

# A host that shows an unknown key again and again is slowed down; the other lane works.
gadget_start || { not_ok "start the gadget"; finish; }
interface=$(dirname "$(grep -l '^b7$' /sys/bus/usb/devices/*:1.0/bInterfaceSubClass | head -n 1)")
device=${interface%:*}
node=$(printf '/dev/bus/usb/%03d/%03d' "$(cat "$device/busnum")" "$(cat "$device/devnum")")
out=$(grep -h '^0' "$interface"/ep_*/bEndpointAddress)
lines=$(grep -c 'key refused' $GADGET_LOG)
"$BPFD_BUILD/tools/rude_host" "$node" 0 "$out" key 6 >tried 2>&1 &
sleep 3
check "flood of keys: the other lane opens" opens --key theirs
wait $!
check "flood of keys: the board receives some" test "$(cat tried)" -gt 10
check "flood of keys: the board checks some" logged 'key refused'
lines=$(($(grep -c 'key refused' $GADGET_LOG) - lines))
check "flood of keys: the board checks few of them: $lines" test $lines -le 20
check "flood of keys: the same lane opens afterwards" opens --key theirs
check "flood of keys: the daemon ends with status 0" gadget_stop

rm $list
printf 'read-only = yes\n' >/etc/bpfd/gadget.conf
gadget_start || { not_ok "start the gadget"; finish; }
check "read-only daemon: set in the configuration file" looks
check "read-only daemon: it ends with status 0" gadget_stop
gadget_start --read-only=no || { not_ok "start the gadget"; finish; }
client_open 1 bpfd-usb
client_command 1 "BPF_CREATE_MAP 2 counts 4 8 8 0"
check "read-only daemon: the command line overrides the file" test "$(result)" = 3
client_close 1
check "read-only daemon: the other one ends with status 0" gadget_stop
check_no_leftovers
finish

# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# Completes bpfd-usb, bpfd-run, bpfd-gadget and bpfd in bash. The options and their arguments are
# read from the program's own --help. The package bash-completion is needed only to complete the
# arguments of a tool under bpfd-run.

# __bpfd_options PROGRAM: prints a line "--long|-s|ARGUMENT|OPTIONAL ARGUMENT" for each option.
__bpfd_options()
{
	"$1" --help 2>/dev/null </dev/null |
		sed -nE 's/^ +((-.), )?(--[a-z][a-z-]*)( ([A-Z-]+)|\[=([A-Z-]+)\])? .*/\3|\2|\5|\6/p'
}

# __bpfd_argument PROGRAM OPTION: prints the name of the argument that the option takes as its next
# word, or nothing.
__bpfd_argument()
{
	local option=$2 long short argument
	# If a word has several short options, the last one may take the next word.
	[[ $option == -[!-]* ]] && option=-${option: -1}
	while IFS='|' read -r long short argument _; do
		if [[ $option == "$long" || $option == "$short" ]]; then
			printf '%s\n' "$argument"
			return
		fi
	done < <(__bpfd_options "$1")
}

# __bpfd_boards BPFD-USB: prints a name of each board. A board chooses its own serial number. If
# that is not a plain word, the bus path is printed.
__bpfd_boards()
{
	"$1" --json 2>/dev/null </dev/null | sed -nE \
		-e 's/^ *\{"serial": "([A-Za-z0-9][A-Za-z0-9._+-]*)", "path": .*/\1/p; t' \
		-e 's/^ *\{"serial": ".*", "path": "([0-9.-]+)", "bus": .*/\1/p'
}

# __bpfd_offer PREFIX: offers the lines of stdin that begin with PREFIX, unchanged. compgen -W would
# expand them like the shell.
__bpfd_offer()
{
	local word
	while IFS= read -r word; do
		[[ $word != "$1"* ]] || COMPREPLY+=("$word")
	done
}

# __bpfd_files CURRENT COMPGEN-OPTION: offers names of files, directories or commands.
__bpfd_files()
{
	compopt -o filenames 2>/dev/null
	__bpfd_offer "$1" < <(compgen "$2" -- "$1")
}

# __bpfd_value PROGRAM OPTION ARGUMENT CURRENT: offers values of an option.
__bpfd_value()
{
	local bridge=$1
	if [[ ${1##*/} == bpfd-run ]]; then
		bridge=bpfd-usb
		[[ $1 != */* || ! -x ${1%/*}/bpfd-usb ]] || bridge=${1%/*}/bpfd-usb
	fi
	case $2:$3 in
	*:SERIAL) __bpfd_offer "$4" < <(__bpfd_boards "$bridge") ;;
	*:FILE | *:PATH) __bpfd_files "$4" -f ;;
	*:DIR) __bpfd_files "$4" -d ;;
	*:COMMAND) __bpfd_files "$4" -c ;;
	--profile:*) __bpfd_offer "$4" < <(printf '%s\n' trace minimal) ;;
	--udc:*) __bpfd_offer "$4" < <(ls /sys/class/udc 2>/dev/null) ;;
	esac
}

# __bpfd_tool PROGRAM: prints the index of the tool's name on the command line of bpfd-run. Fails if
# the cursor is before it.
__bpfd_tool()
{
	local i=1 word
	while ((i <= COMP_CWORD)); do
		word=${COMP_WORDS[i]}
		if [[ $word == -- ]]; then
			i=$((i + 1))
			break
		elif [[ $word != -* || $word == - ]]; then
			break
		elif [[ ${COMP_WORDS[i + 1]-} == = ]]; then # "--option=value" is three words
			i=$((i + 3))
		elif [[ $word != *=* && -n $(__bpfd_argument "$1" "$word") ]]; then
			i=$((i + 2))
		else
			i=$((i + 1))
		fi
	done
	((i <= COMP_CWORD)) && echo "$i"
}

# __bpfd_delegate INDEX: completes the tool and its arguments like a command line of their own.
__bpfd_delegate()
{
	if declare -F _comp_command_offset >/dev/null; then
		_comp_command_offset "$1"
	elif declare -F _command_offset >/dev/null; then
		_command_offset "$1"
	elif ((COMP_CWORD == $1)); then
		__bpfd_files "${COMP_WORDS[COMP_CWORD]}" -c
	else
		__bpfd_files "${COMP_WORDS[COMP_CWORD]}" -f
	fi
}

_bpfd()
{
	local program=${1/#\~\//$HOME/} current=${COMP_WORDS[COMP_CWORD]}
	local option=${COMP_WORDS[COMP_CWORD - 1]} argument tool
	COMPREPLY=()
	if [[ ${program##*/} == bpfd-run ]] && tool=$(__bpfd_tool "$program"); then
		__bpfd_delegate "$tool"
		return
	fi
	# "=" is a word of its own: "--serial", "=", "x".
	if [[ $current == = ]]; then
		current=
	elif [[ $option == = ]]; then
		option=${COMP_WORDS[COMP_CWORD - 2]}
	fi
	argument=
	[[ $option != -* ]] || argument=$(__bpfd_argument "$program" "$option")
	if [[ -n $argument ]]; then
		__bpfd_value "$program" "$option" "$argument" "$current"
	elif [[ $current == -* ]]; then
		__bpfd_offer "$current" < <(__bpfd_options "$program" | sed -E 's/^([^|]*)\|([^|]*).*/\1\n\2/; s/\n$//')
	fi
}

complete -F _bpfd bpfd-usb bpfd-run bpfd-gadget bpfd

# SPDX-License-Identifier: Apache-2.0
# Prints what zsh offers after a line, one offer per line. An interactive zsh on a pseudo-terminal
# receives the line and a completion key, and writes what its completion adds to a file.
#
# usage: zsh -f offers.zsh DIRECTORY-OF-COMPLETIONS SCRATCH-DIRECTORY LINE
zmodload zsh/zpty || exit 1
hits=$2/hits
: >$hits
rm -f $hits.done

cat >$2/zshrc <<EOF
PROMPT= RPS1=
setopt no_beep
fpath=(${(q)1} \$fpath)
autoload -Uz compinit
compinit -u -d ${(q)2}/zcompdump
zstyle ':completion:*' list-prompt ''
LISTMAX=100000
compadd () {
	if [[ \${@[1,(i)(-|--)]} == *-(O|A|D)\ * ]]; then
		builtin compadd "\$@"
		return
	fi
	local -a offered
	builtin compadd -A offered "\$@"
	print -rl -- \$offered >>${(q)hits}
	builtin compadd "\$@"
}
complete_line () {
	zle list-choices
	: >${(q)hits}.done
}
zle -N complete_line
bindkey '^T' complete_line
: >${(q)hits}.ready
EOF
zpty shell zsh -f -i
zpty -w shell "source ${(q)2}/zshrc"
for (( i = 0; i < 300; i++ )); do
	[[ -e $hits.ready ]] && break
	sleep 0.1
done
rm -f $hits.ready
zpty -w -n shell "$3"$'\x14'
for (( i = 0; i < 300; i++ )); do
	[[ -e $hits.done ]] && break
	zpty -r -t shell >/dev/null
	sleep 0.1
done
zpty -d shell
[[ -e $hits.done ]] || print "no answer"
grep . $hits

# Tries to connect to $@ (ADDRESS:PORT), all at once, and prints ADDRESS:PORT and what came of it. A refusal comes from the
# other host itself, so the way there is open; a firewall that refuses in its name cannot be told from it.
try() {
	text=$(timeout 4 bash -c 'exec 3<>"/dev/tcp/$1/$2"' bash "${1%:*}" "${1##*:}" 2>&1)
	case $?:$text in
		0:*) echo "$1 open" ;;
		124:*) echo "$1 no answer" ;;
		*"Connection refused"*) echo "$1 refused" ;;
		*) echo "$1 ${text##*: }" ;;
	esac
}
for target in "$@"; do try "$target" & done
wait

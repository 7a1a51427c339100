# Tries to connect to $@ (ADDRESS:PORT), all at once, and prints ADDRESS:PORT and what came of it. A refusal comes from the
# other host itself, so the way there is open; a firewall that refuses in its name cannot be told from it.
export LC_ALL=C
# The shell that tries them all is the only program that is started: a host has many ways.
# shellcheck disable=SC2016 # it is bash that expands them
results=$(timeout 4 bash -c 'for target; do
	(exec 2>&1 3<>"/dev/tcp/${target%:*}/${target##*:}" && echo "$target open") &
done
wait' bash "$@" | sed -n -e '/ open$/p' -e 's,.*/dev/tcp/\(.*\)/\([0-9]*\): Connection refused$,\1:\2 refused,p' -e t \
	-e 's,.*/dev/tcp/\(.*\)/\([0-9]*\): \(.*\),\1:\2 \3,p')
[ -z "$results" ] || printf '%s\n' "$results"
for target in "$@"; do
	case "
$results
" in *"
$target "*) ;; *) echo "$target no answer" ;; esac
done

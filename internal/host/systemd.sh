# Shows units to parseStates: for each one the properties, then the files as far as they matter. Arguments are names
# without jomctl- and .service; without any, all units are shown.
TZ=UTC
export TZ
cd /etc/systemd/system || exit 1
if [ $# -eq 0 ]; then
	for file in jomctl-*.service; do
		if [ -e "$file" ] || [ -L "$file" ]; then
			name=${file#jomctl-}
			set -- "$@" "${name%.service}"
		fi
	done
fi
for name; do
	service=jomctl-$name.service
	echo "=== unit $name"
	properties=$(systemctl show --no-pager -p LoadState -p LoadError -p ActiveState -p SubState -p Result -p MainPID -p NRestarts -p Job \
		-p ExecMainStartTimestamp -p ExecMainExitTimestamp -p ExecMainCode -p ExecMainStatus -p UnitFileState -p FragmentPath \
		-p DropInPaths -p NeedDaemonReload "$service") || exit 1
	printf '%s\n' "$properties"
	pid=$(printf '%s\n' "$properties" | sed -n 's/^MainPID=//p')
	if [ "${pid:-0}" != 0 ] && [ -r "/proc/$pid/environ" ]; then
		tr '\0' '\n' 2>/dev/null <"/proc/$pid/environ" | sed -n 's/^JOMCTL_UNIT_DIGEST=\([0-9a-f]*\)$/Digest=\1/p'
	fi
	job=$(printf '%s\n' "$properties" | sed -n 's/^Job=//p')
	if [ "${job:-0}" != 0 ]; then
		echo "JobType=$(systemctl list-jobs --no-legend --no-pager 2>/dev/null | awk -v id="$job" '$1 == id {print $3}')"
	fi
	if [ -f "/run/jomctl/$name.exit" ]; then
		sed -n '1s/^/Exit=/p' "/run/jomctl/$name.exit"
	fi
	if [ -f "/etc/jomctl/$name.env" ]; then
		echo "EnvSum=$(sha256sum <"/etc/jomctl/$name.env" | cut -d ' ' -f 1)"
		echo "EnvMode=$(stat -c %a "/etc/jomctl/$name.env")"
	fi
	if [ -f "$service" ]; then
		echo "=== file"
		cat "$service"
	fi
done
echo "=== end"

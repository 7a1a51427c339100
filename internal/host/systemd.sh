# Shows units to parseStates: for each one the properties, then the files as far as they matter. Arguments are names
# without jomctl- and .service; without any, all units are shown.
TZ=UTC
export TZ
cd /etc/systemd/system || exit 1
if [ $# -eq 0 ]; then
	for file in jomctl-*.service; do
		# What a timer starts is not kept running, and no unit of those that are shown here.
		if { [ -e "$file" ] || [ -L "$file" ]; } && ! grep -q '^Type=oneshot$' "$file" 2>/dev/null; then
			name=${file#jomctl-}
			set -- "$@" "${name%.service}"
		fi
	done
fi
# value sets found to that of a property.
value() {
	found=${2#*"
$1="}
	[ "$found" != "$2" ] || found=
	found=${found%%"
"*}
}
for name; do
	service=jomctl-$name.service
	echo "=== unit $name"
	properties="
$(systemctl show --no-pager -p LoadState -p LoadError -p ActiveState -p SubState -p Result -p MainPID -p NRestarts -p Job \
		-p ExecMainStartTimestamp -p ExecMainExitTimestamp -p ExecMainCode -p ExecMainStatus -p UnitFileState -p FragmentPath \
		-p DropInPaths -p NeedDaemonReload "$service")" || exit 1
	printf '%s\n' "${properties#?}"
	value MainPID "$properties"
	if [ "${found:-0}" != 0 ] && [ -r "/proc/$found/environ" ]; then
		digest=$(grep -az '^JOMCTL_UNIT_DIGEST=[0-9a-f]*$' "/proc/$found/environ" 2>/dev/null | tr -d '\0')
		[ -z "$digest" ] || echo "Digest=${digest#*=}"
	fi
	value Job "$properties"
	if [ "${found:-0}" != 0 ]; then
		echo "JobType=$(systemctl list-jobs --no-legend --no-pager 2>/dev/null | awk -v id="$found" '$1 == id {print $3}')"
	fi
	if [ -f "/run/jomctl/$name.exit" ] && read -r ended <"/run/jomctl/$name.exit"; then
		echo "Exit=$ended"
	fi
	if [ -f "/etc/jomctl/$name.env" ]; then
		sum=$(sha256sum <"/etc/jomctl/$name.env")
		echo "EnvSum=${sum%% *}"
		stat -c EnvMode=%a "/etc/jomctl/$name.env"
	fi
	if [ -f "$service" ]; then
		echo "=== file"
		cat "$service"
	fi
done
echo "=== end"

# Prints where programs and libraries of the roles are on this host, in lines KEY=VALUE.
for program in docker haproxy docker-registry registry restic bash; do
	path=$(command -v "$program") && echo "program=$program $path"
done
haproxy=$(command -v haproxy) && echo "haproxy=$("$haproxy" -v 2>/dev/null | sed -n '1s/.*version \([0-9.]*\).*/\1/p')"
for jar in /usr/share/java/zookeeper.jar /usr/share/java/slf4j-simple.jar; do [ -r "$jar" ] && echo "jar=$jar"; done
echo end=yes

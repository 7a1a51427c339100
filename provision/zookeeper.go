package provision

import (
	"fmt"
	"strings"
	"time"

	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/host"
)

// ZooKeeper is the ZooKeeper server of a control host.
func (f *Fleet) ZooKeeper(h config.Host) Service {
	f = f.at(h)
	z := f.programs.ZooKeeper
	s := f.service(h, RoleZooKeeper, nil)
	dir, conf := s.Dirs[0], host.Path(s.Host, RoleZooKeeper, "conf")
	data, config := dir+"/data", dir+"/zoo.cfg"
	s.Unit.Argv = []string{z.Java.Program(), fmt.Sprintf("-Xmx%dm", f.zooKeeperHeap(h)), "-XX:+ExitOnOutOfMemoryError",
		"-Djava.net.preferIPv4Stack=true", "-Dzookeeper.log.dir=" + dir,
		// A server that was chosen by a vote that others have taken back, as happens when several come back at once, would wait for
		// them for initLimit (20 s) before the next vote: longer than the controller's lock bears. Known since ZooKeeper 3.6.
		"-Dzookeeper.leader.maxTimeToWaitForEpoch=2000",
		"-Dorg.slf4j.simpleLogger.showDateTime=true", "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSSZ",
		"-cp", conf + ":" + z.Classpath, "org.apache.zookeeper.server.quorum.QuorumPeerMain", config}
	s.Dirs = append(s.Dirs, data, conf)
	s.Files = []File{
		text(config, f.zooCfg(h, data)...),
		// Whichever logging library the installation has writes to its output, which is the unit's log.
		text(conf+"/log4j.properties", "log4j.rootLogger=INFO, OUT", "log4j.appender.OUT=org.apache.log4j.ConsoleAppender",
			"log4j.appender.OUT.layout=org.apache.log4j.PatternLayout", "log4j.appender.OUT.layout.ConversionPattern=%d{ISO8601} %-5p [%t:%C{1}] %m%n"),
		text(conf+"/logback.xml", `<configuration><appender name="OUT" class="ch.qos.logback.core.ConsoleAppender">`+
			`<encoder><pattern>%d{ISO8601} %-5p [%t:%C{1}] %m%n</pattern></encoder></appender>`+
			`<root level="INFO"><appender-ref ref="OUT"/></root></configuration>`),
	}
	if id := f.serverID(h); id > 0 {
		s.Files = append(s.Files, text(data+"/myid", fmt.Sprint(id)))
	}
	s.Unit.RestartDelay, s.edition = time.Second, f.edition(z.Version)
	return s.seal()
}

// serverID is the number of the host's server in the ensemble, 0 where it is alone.
func (f *Fleet) serverID(h config.Host) int {
	control := f.config.HostsWith(config.RoleControl)
	if len(control) == 1 {
		return 0
	}
	for i, other := range control {
		if other.Name == h.Name {
			return i + 1
		}
	}
	return 0
}

func (f *Fleet) zooCfg(h config.Host, data string) []string {
	lines := []string{
		// Sessions are 2 ticks at least: the owner lock's must be able to end before Mesos gives a host up.
		"tickTime=1000", "minSessionTimeout=2000", "maxSessionTimeout=60000", "initLimit=20", "syncLimit=10",
		"dataDir=" + data,
		fmt.Sprintf("clientPort=%d", ZooKeeperPort), "clientPortAddress=" + f.ip(h),
		"maxClientCnxns=" + f.zooKeeperClients(),
		"autopurge.snapRetainCount=3", "autopurge.purgeInterval=1",
		"admin.enableServer=false", "4lw.commands.whitelist=srvr,mntr,ruok,stat,conf",
	}
	control := f.config.HostsWith(config.RoleControl)
	if len(control) == 1 {
		return lines
	}
	for i, other := range control {
		address := other.Address
		if strings.Contains(address, ":") {
			address = "[" + address + "]"
		}
		lines = append(lines, fmt.Sprintf("server.%d=%s:%d:%d", i+1, address, ZooKeeperPeerPort, ZooKeeperElectionPort))
	}
	return lines
}

// zooKeeperClients is the number of connections from one address, 0 without limit: all clients of a local cluster come
// from one, and a host of its own has no use for so many.
func (f *Fleet) zooKeeperClients() string {
	if f.ownHosts() {
		return "200"
	}
	return "0"
}

package provision

import (
	"fmt"
	"path/filepath"
	"time"

	"github.com/jomctl/jomctl/internal/config"
)

// Marathon is the Marathon of a control host. Its environment holds no MARATHON_* variable, as each would be taken for
// a flag.
func (f *Fleet) Marathon(h config.Host) Service {
	f = f.at(h)
	p := f.programs.Marathon
	s := f.service(h, RoleMarathon, []string{f.programs.Standin, RoleMarathon})
	switch {
	case p.Standin:
	case p.Image != "":
		s.Unit.Argv = f.marathonContainer(h)
	default:
		s.Unit.Argv = []string{p.Start}
		s.Unit.Env["JAVA_HOME"] = p.Java.Home
		s.Unit.Env["JAVA_OPTS"] = fmt.Sprintf("-Xmx%dm", f.marathonHeap(h))
		s.Unit.Env["PATH"] = filepath.Join(p.Java.Home, "bin") + ":" + systemPath
		s.Unit.Env["MESOS_NATIVE_JAVA_LIBRARY"] = p.Library
		f.mesosEnv(s.Unit.Env)
		if path := searchPath(p.Library); path != "" {
			s.Unit.Env["LD_LIBRARY_PATH"] = path
		}
	}
	s.Unit.Env["LIBPROCESS_IP"] = f.ip(h)
	if f.ownHosts() {
		// The masters connect back to it, so firewalls must know it.
		s.Unit.Env["LIBPROCESS_PORT"] = fmt.Sprint(MarathonMesosPort)
	}
	// Each flag once: a flag given twice ends Marathon at once.
	s.Unit.Argv = append(s.Unit.Argv,
		"--hostname", h.Address, "--http_address", f.ip(h), "--http_port", fmt.Sprint(MarathonPort),
		"--master", ZooKeeperURL(f.config, MastersPath), "--zk", ZooKeeperURL(f.config, MarathonPath),
		// The default of 5000 ms is a wait of up to 5 s for every task that is started again.
		"--min_revive_offers_interval", "1000")
	s.Unit.RestartDelay, s.Unit.StopTimeout = sessionDelay, 15*time.Second
	return s.seal()
}

// MarathonContainer is the name of the container of a Marathon that comes as an image.
const MarathonContainer = "jomctl-marathon"

// marathonContainer runs Marathon in the foreground in a container, which has a Java and a libmesos of its own. A container
// that was left behind by a client that was killed has the name still.
func (f *Fleet) marathonContainer(h config.Host) []string {
	p := f.programs.Marathon
	start := `docker=$1; shift; "$docker" rm -f ` + MarathonContainer + ` >/dev/null 2>&1; exec "$docker" run "$@"`
	argv := []string{"/bin/sh", "-c", start, RoleMarathon, p.Docker, "--rm", "--name", MarathonContainer, "--network=host",
		"--env=LIBPROCESS_IP=" + f.ip(h), fmt.Sprintf("--env=LIBPROCESS_PORT=%d", MarathonMesosPort),
		fmt.Sprintf("--env=JAVA_OPTS=-Xmx%dm", f.marathonHeap(h))}
	if p.Start != "" {
		argv = append(argv, "--entrypoint="+p.Start)
	}
	return append(argv, p.Image)
}

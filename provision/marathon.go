package provision

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"time"

	"github.com/jomctl/jomctl/internal/config"
)

// Marathon is the Marathon of a control host. Its environment holds no MARATHON_* variable but one that is meant, as each is
// taken for a flag.
func (f *Fleet) Marathon(h config.Host) Service {
	f = f.at(h)
	p := f.programs.Marathon
	s := f.service(h, RoleMarathon, []string{f.programs.Standin, RoleMarathon})
	auth := f.marathonAuth(s.Host)
	s.Files, s.Gone, s.fault = auth.files, auth.gone, auth.fault
	log, hasLog := auth.logback(s.Host)
	if hasLog = hasLog && !p.Standin; hasLog {
		s.Files = append(s.Files, log)
	}
	maps.Copy(s.Unit.Env, auth.env)
	switch {
	case p.Standin:
	case p.Image != "":
		s.Unit.Argv = f.marathonContainer(h, auth, log.Path)
	default:
		s.Unit.Argv = []string{p.Start}
		s.Unit.Env["JAVA_HOME"] = p.Java.Home
		s.Unit.Env["JAVA_OPTS"] = fmt.Sprintf("-Xmx%dm", f.marathonHeap(h))
		if hasLog {
			s.Unit.Env["JAVA_OPTS"] += " " + logbackOption(log.Path)
		}
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
	if session := f.config.Tuned().ZooKeeperSession; session != config.DefaultTuning().ZooKeeperSession {
		s.Unit.Argv = append(s.Unit.Argv, "--zk_session_timeout", fmt.Sprint(session.Duration().Milliseconds()))
	}
	s.Unit.Argv = append(s.Unit.Argv, auth.args...)
	s.Unit.RestartDelay, s.Unit.StopTimeout, s.edition = f.sessionDelay(), 15*time.Second, f.edition(p.Version)
	if p.Library != "" && p.Image == "" { // it is the Mesos of its host that it loads
		s.edition = f.edition(p.Version, f.programs.Mesos.Version)
	}
	return s.seal()
}

// MarathonContainer is the name of the container of a Marathon that comes as an image.
const MarathonContainer = "jomctl-marathon"

// marathonContainer runs Marathon in the foreground in a container, which has a Java and a libmesos of its own. A container
// that was left behind by a client that was killed has the name still. Secrets are taken from the client's environment by name.
func (f *Fleet) marathonContainer(h config.Host, auth marathonAuth, log string) []string {
	p := f.programs.Marathon
	start := `docker=$1; shift; "$docker" rm -f ` + MarathonContainer + ` >/dev/null 2>&1; exec "$docker" run "$@"`
	argv := []string{"/bin/sh", "-c", start, RoleMarathon, p.Docker, "--rm", "--name", MarathonContainer, "--network=host",
		"--env=LIBPROCESS_IP=" + f.ip(h), fmt.Sprintf("--env=LIBPROCESS_PORT=%d", MarathonMesosPort)}
	options := fmt.Sprintf("-Xmx%dm", f.marathonHeap(h))
	for _, name := range slices.Sorted(maps.Keys(auth.env)) {
		argv = append(argv, "--env="+name)
	}
	if log != "" {
		const inside = "/etc/jomctl-logback.xml"
		argv = append(argv, "--volume="+log+":"+inside+":ro")
		options += " " + logbackOption(inside)
	}
	argv = append(argv, "--env=JAVA_OPTS="+options)
	if p.Start != "" {
		argv = append(argv, "--entrypoint="+p.Start)
	}
	return append(argv, p.Image)
}

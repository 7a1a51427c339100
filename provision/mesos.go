package provision

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/host"
)

// MesosMaster is the Mesos master of a control host.
func (f *Fleet) MesosMaster(h config.Host) Service {
	f = f.at(h)
	m, t := f.programs.Mesos, f.config.Tuned()
	s := f.service(h, RoleMesosMaster, nil)
	work := s.Dirs[0] + "/work"
	s.Dirs = append(s.Dirs, work)
	s.Unit.Argv = append(f.mesosProgram(m.Master, RoleMesosMaster),
		"--ip="+f.ip(h), "--hostname="+h.Address, fmt.Sprintf("--port=%d", MasterPort),
		"--zk="+ZooKeeperURL(f.config, MastersPath),
		fmt.Sprintf("--quorum=%d", len(f.config.HostsWith(config.RoleControl))/2+1),
		"--work_dir="+work, "--cluster="+f.config.Name,
		// How long the masters wait for an agent before they give its tasks up. A controller on it cannot be doubled by that: the next one
		// waits for the owner lock of the home.
		fmt.Sprintf("--agent_ping_timeout=%dsecs", whole(t.AgentPing)), fmt.Sprintf("--max_agent_ping_timeouts=%d", t.AgentPings))
	if t.ZooKeeperSession != config.DefaultTuning().ZooKeeperSession {
		s.Unit.Argv = append(s.Unit.Argv, fmt.Sprintf("--zk_session_timeout=%dsecs", whole(t.ZooKeeperSession)))
	}
	if m.WebUI != "" {
		s.Unit.Argv = append(s.Unit.Argv, "--webui_dir="+m.WebUI)
	}
	f.authenticateMaster(&s)
	f.mesosEnv(s.Unit.Env)
	s.Unit.RestartDelay, s.edition = f.sessionDelay(), f.edition(m.Version)
	return s.seal()
}

// mesosProgram is how a program of Mesos is called.
func (f *Fleet) mesosProgram(path, role string) []string {
	if f.programs.Mesos.Standin {
		return []string{f.programs.Standin, role}
	}
	return []string{path}
}

func (f *Fleet) mesosEnv(env map[string]string) {
	if path := f.programs.Mesos.LibraryPath; path != "" {
		env["LD_LIBRARY_PATH"] = path
	}
}

// MesosAgent is the Mesos agent of a host. A stop or restart of it leaves its executors alone.
func (f *Fleet) MesosAgent(h config.Host) Service {
	f = f.at(h)
	m := f.programs.Mesos
	s := f.service(h, RoleMesosAgent, nil)
	dir := s.Dirs[0]
	work, run, fetch, home := dir+"/work", dir+"/run", dir+"/fetch", dir+"/home"
	s.Dirs = append(s.Dirs, work, run, fetch, home)
	o := f.offer(h)
	s.identity = &identity{host: s.Host, unit: s.Unit.Name, offer: o, record: dir + "/offer.json", latest: work + "/meta/slaves/latest"}
	s.Files = append(f.taskPrograms(s.Host), o.file(s.identity.record))
	s.Unit.Argv = append(f.mesosProgram(m.Agent, RoleMesosAgent),
		"--ip="+f.ip(h), "--hostname="+h.Address, fmt.Sprintf("--port=%d", AgentPort),
		"--master="+ZooKeeperURL(f.config, MastersPath),
		"--work_dir="+work, "--runtime_dir="+run, "--fetcher_cache_dir="+fetch,
		"--resources="+o.resources())
	s.Unit.Argv = append(s.Unit.Argv, f.taskFlags(h)...)
	s.Unit.Argv = append(s.Unit.Argv,
		// Once started with `additive` an agent must stay with it, so it is there from the first start.
		"--reconfiguration_policy=additive",
		"--gc_delay=1days",
		"--executor_environment_variables="+f.taskEnv(s.Host, home))
	if len(o.Attributes) > 0 {
		s.Unit.Argv = append(s.Unit.Argv, "--attributes="+strings.Join(pairs(o.Attributes, ":"), ";"))
	}
	if m.LauncherDir != "" {
		s.Unit.Argv = append(s.Unit.Argv, "--launcher_dir="+m.LauncherDir)
	}
	if os.Geteuid() != 0 && !f.ownHosts() {
		s.Unit.Argv = append(s.Unit.Argv, "--no-switch_user")
	}
	f.authenticateAgent(&s)
	f.mesosEnv(s.Unit.Env)
	s.Unit.KillMode, s.edition = host.KillProcess, f.edition(m.Version)
	return s.seal()
}

// offer is what the host offers without its reserve.
func (f *Fleet) offer(h config.Host) offer {
	var r config.Resources
	if f.ownHosts() {
		r = f.hostOffer(h)
	} else if r = f.config.Local.Resources; h.Reserve != nil {
		r.CPUs, r.Mem = r.CPUs-h.Reserve.CPUs, r.Mem-h.Reserve.Mem
	}
	return offer{Address: h.Address, CPUs: max(r.CPUs, 0), Mem: max(r.Mem.MiB(), 0), Disk: r.Disk.MiB(),
		Ports: taskPorts(f.config.Jenkins.App), Attributes: h.Attributes}
}

// resources is the --resources flag. The controller's fixed ports are in it, as no offer would ever have them otherwise.
func (o offer) resources() string {
	return fmt.Sprintf("cpus:%s;mem:%d;disk:%d;ports:%s", strconv.FormatFloat(o.CPUs, 'f', -1, 64), o.Mem, o.Disk, o.Ports)
}

// taskEnv is the environment of all tasks. They do not inherit the agent's: without a PATH here, `java` would be
// whatever the machine has. It can be read by everybody who can see the agent, so there is nothing secret in it.
func (f *Fleet) taskEnv(m host.Machine, home string) string {
	env := map[string]string{"PATH": systemPath, "LANG": "C.UTF-8", "HOME": home}
	if f.programs.Jenkins.Standin {
		env["PATH"] = host.Path(m, RoleMesosAgent, "bin") + ":" + systemPath
	} else if java := f.programs.Jenkins.Java; java.Home != "" {
		env["PATH"] = filepath.Join(java.Home, "bin") + ":" + systemPath
		env["JAVA_HOME"] = java.Home
	}
	f.mesosEnv(env)
	data, err := json.Marshal(env)
	if err != nil { // a map of strings always marshals
		panic(err)
	}
	return string(data)
}

// taskPrograms are the programs that only tasks see: where the controller is a stand-in, so is the `java` that its plugin
// starts build agents with.
func (f *Fleet) taskPrograms(m host.Machine) []File {
	if !f.programs.Jenkins.Standin {
		return nil
	}
	java := text(host.Path(m, RoleMesosAgent, "bin", "java"), "#!/bin/sh", "exec "+shellQuote(f.programs.Standin)+` java "$@"`)
	java.Mode = 0o755
	return []File{java}
}

func shellQuote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

package lifecycle

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/home"
	"github.com/jomctl/jomctl/internal/host"
	"github.com/jomctl/jomctl/internal/jenkins"
	"github.com/jomctl/jomctl/internal/lifecycle/war"
	"github.com/jomctl/jomctl/internal/wholefile"
	"github.com/jomctl/jomctl/provision"
)

// provisionerClock is the interval (ms) in which Jenkins looks whether it needs more build agents. Its default of 10 s
// makes the first build after a start wait 80 s longer.
const provisionerClock = 2000

// heapShare is how much of the app's memory the controller's heap may take; the rest is the JVM's own.
const heapShare = 0.6

// controller is everything of the controller that lies on disk beside its home.
type controller struct {
	env *Env
	war war.War
	// dir is the folder of all this, home JENKINS_HOME.
	dir, home string
	// on are the hosts that the controller may run on, which have all this under the same paths. On target local they share
	// this machine's disk, so that one of them stands for all.
	on []host.Machine
}

func (e *Env) controller() controller {
	c := controller{env: e, war: war.Of(e.Cluster, e.Release), dir: filepath.Join(controllerBase(e.Cluster), "controller"), home: homePath(e.Cluster)}
	if h, ok := provision.HomeHost(e.Cluster); ok {
		c.on = []host.Machine{e.Fleet.Machine(h.Name)}
		return c
	}
	for _, h := range e.Cluster.HostsWith(config.RoleMesosAgent) {
		c.on = append(c.on, e.Fleet.Machine(h.Name))
	}
	if e.own == nil {
		c.on = c.on[:1]
	}
	return c
}

// controllerBase is the folder, on the controller's hosts, of its files, and of its home unless the file says another.
func controllerBase(c *config.Cluster) string {
	if c.Target != config.TargetLocal {
		return host.RemoteDir
	}
	if h, ok := provision.HomeHost(c); ok {
		return filepath.Join(c.StateDir(), "hosts", h.Name)
	}
	return filepath.Join(c.StateDir(), "shared")
}

func homePath(c *config.Cluster) string {
	if c.Jenkins.Home.Path != "" {
		return c.Jenkins.Home.Path
	}
	return filepath.Join(controllerBase(c), "jenkins_home")
}

// version is the core that must come up; empty while a war that is not fetched yet is a release's own.
func (c controller) version() string {
	if !c.war.Real() {
		return c.env.Release.Core.Version
	}
	if version, err := provision.WarVersion(c.war.Path()); err == nil {
		return version
	}
	return ""
}

// files are all files of the controller with their content. The hash of the password stays the same as long as it
// belongs to the password, because each hashing gives another one.
func (c controller) files() ([]provision.File, error) {
	cloud, err := c.env.cloud()
	if err != nil {
		return nil, err
	}
	password, err := c.env.Cluster.Jenkins.Admin.Password.Resolve(c.env.Cluster)
	if err != nil {
		return nil, fmt.Errorf("reading the admin's password: %w", err)
	}
	hash, err := c.passwordHash(password)
	if err != nil {
		return nil, err
	}
	seed, err := jenkins.HomeFiles(jenkins.Home{Version: c.version(), User: c.env.Cluster.Jenkins.Admin.User, PasswordHash: hash,
		Cloud: cloud, Casc: c.hasPlugin(pluginCasc)})
	if err != nil {
		return nil, err
	}
	var files []provision.File
	if c.env.own == nil { // its folder is that of the other files
		files = append(files, provision.File{Path: c.hashFile(), Data: []byte(hash + "\n"), Mode: 0o600})
	}
	for _, file := range seed {
		files = append(files, provision.File{Path: c.beside(file.Path), Data: file.Data, Mode: file.Mode})
	}
	files = append(files, c.cascFiles()...)
	scm, err := c.scmFiles()
	if err != nil {
		return nil, err
	}
	files = append(files, scm...)
	if path := c.masterKey(); path != "" && c.env.own != nil {
		key, err := c.env.Cluster.Jenkins.Home.MasterKey.Resolve(c.env.Cluster)
		if err != nil {
			return nil, fmt.Errorf("reading jenkins.home.masterKey: %w", err)
		}
		files = append(files, provision.File{Path: path, Data: []byte(key + "\n"), Mode: 0o600})
	}
	run, err := json.MarshalIndent(c.run(), "", "  ")
	if err != nil {
		return nil, fmt.Errorf("writing the controller file: %w", err)
	}
	if list, err := c.standinPlugins(); err != nil {
		return nil, err
	} else if list != nil {
		files = append(files, provision.File{Path: c.standinPluginsFile(), Data: list, Mode: 0o644})
	}
	return append(files, provision.File{Path: c.runFile(), Data: append(run, '\n'), Mode: 0o644}), nil
}

// masterKey is where the controller finds Jenkins' master key, empty where that is in the home.
func (c controller) masterKey() string {
	key := c.env.Cluster.Jenkins.Home.MasterKey
	if key == "" {
		return ""
	}
	if path, isFile := key.Path(c.env.Cluster); isFile && c.env.own == nil {
		return path
	}
	return filepath.Join(c.dir, "secrets", "master.key")
}

func (c controller) runFile() string  { return filepath.Join(c.dir, "controller.json") }
func (c controller) cascFile() string { return filepath.Join(c.dir, jenkins.CascFile) }

// hashFile is on this machine. It is no secret of the kind that opens a door, and is kept as if it were one.
func (c controller) hashFile() string {
	if c.env.own != nil {
		return filepath.Join(c.env.Cluster.StateDir(), "secrets", "admin.hash")
	}
	return filepath.Join(c.dir, "admin.hash")
}

func (c controller) passwordHash(password string) (string, error) {
	old, err := os.ReadFile(c.hashFile())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("reading the admin's password hash: %w", err)
	}
	if hash := strings.TrimSpace(string(old)); jenkins.PasswordMatches(hash, password) {
		return hash, nil
	}
	return jenkins.HashPassword(password)
}

// hashKept says whether the hash that every look must find again is on this machine.
func (c controller) hashKept() bool {
	password, err := c.env.Cluster.Jenkins.Admin.Password.Resolve(c.env.Cluster)
	if err != nil {
		return false
	}
	old, err := os.ReadFile(c.hashFile())
	return err == nil && jenkins.PasswordMatches(strings.TrimSpace(string(old)), password)
}

// keepHash hashes the password once and for all, where that is not done.
func (c controller) keepHash() error {
	password, err := c.env.Cluster.Jenkins.Admin.Password.Resolve(c.env.Cluster)
	if err != nil || c.hashKept() {
		return err
	}
	hash, err := jenkins.HashPassword(password)
	if err != nil {
		return err
	}
	return wholefile.Put(c.hashFile(), []byte(hash+"\n"), 0o600)
}

// run is what jomhome is told.
func (c controller) run() home.Controller {
	properties := []string{
		"-Djenkins.install.runSetupWizard=false",
		// A restart from within ends the process, and Marathon starts it again with everything prepared anew.
		"-Dhudson.lifecycle=hudson.lifecycle.ExitLifecycle",
		"-Dhudson.TcpSlaveAgentListener.hostName=$HOST",
		"-Dhudson.model.LoadStatistics.clock=" + strconv.Itoa(provisionerClock),
	}
	if c.env.libmesos() { // whose plugin leaves it to Jenkins when to start a build agent
		properties = append(properties, "-Dhudson.slaves.NodeProvisioner.MARGIN=50", "-Dhudson.slaves.NodeProvisioner.MARGIN0=0.85")
	} else {
		// Otherwise the plugin gives a master up for good that was away for half a minute, and doubles the time between its tries up to
		// 30 s, so that it is away again for as long as the master was.
		properties = append(properties, "-Dusi.jenkins.connection-retries=-1", "-Dusi.jenkins.connection-max-backoff=1s")
	}
	if key := c.masterKey(); key != "" {
		properties = append(properties, "-Djenkins.security.DefaultConfidentialStore.file="+key, "-Djenkins.security.DefaultConfidentialStore.readOnly=true")
	}
	arguments := []string{"--httpListenAddress=$HOST", "--httpPort=$PORT0", "--webroot=" + c.webroot()}
	argv := []string{c.program("standin"), "jenkins"}
	if c.war.Real() {
		heap := int(math.Floor(float64(c.env.Cluster.Jenkins.App.Mem.MiB()) * heapShare))
		argv = []string{c.java(), fmt.Sprintf("-Xmx%dm", heap), "-Djava.awt.headless=true"}
		arguments = append([]string{"-jar", c.warThere()}, arguments...)
	} else {
		idle := c.env.Cluster.Jenkins.Cloud.Templates[0].Idle.Duration()
		properties = append(properties, fmt.Sprintf("-Djomctl.standin.idleSeconds=%d", int(math.Ceil(idle.Seconds()))),
			"-Djomctl.standin.version="+c.env.Release.Core.Version, "-Djomctl.standin.agentListenAddress=$HOST")
		if c.standinHasPlugins() {
			properties = append(properties, "-Djomctl.standin.plugins="+c.standinPluginsFile())
		}
	}
	out := home.Controller{Home: c.home, Seed: filepath.Join(c.dir, "seed"), Plugins: c.pluginsThere(),
		Argv: append(append(argv, properties...), arguments...), URL: "http://$HOST:$PORT0", Owner: "$HOST:" + strconv.Itoa(provision.OwnerPort), AgentPort: true, BootSeconds: 60, MasterKey: c.masterKey(), History: c.history()}
	switch {
	case !c.war.Real():
	case c.selfContained():
		out.PluginLockFile = filepath.Join(imageFiles, "plugins.json")
	default:
		out.PluginLock = c.pluginLock()
	}
	out.Env = c.startEnv()
	if !c.byCasc() {
		out.Clouds = c.cloudsFile()
	}
	return out
}

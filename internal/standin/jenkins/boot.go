package jenkins

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/jomctl/jomctl/internal/standin/jenkins/agent"
	"github.com/jomctl/jomctl/internal/standin/jenkins/casc"
	"github.com/jomctl/jomctl/internal/standin/jenkins/cloud"
	"github.com/jomctl/jomctl/internal/standin/jenkins/core"
	"github.com/jomctl/jomctl/internal/standin/jenkins/home"
	"github.com/jomctl/jomctl/internal/standin/jenkins/plugins"
	"github.com/jomctl/jomctl/internal/standin/jenkins/rest"
	"github.com/jomctl/jomctl/internal/standin/jenkins/xmltree"
)

const (
	// bootPause makes the 503 of a start visible.
	bootPause = 300 * time.Millisecond
	// restartPause is how long "Restarting Jenkins" is shown (the real one: 5 and 10 s).
	restartPause = time.Second
)

// app is a controller that is up.
type app struct {
	o   *options
	log io.Writer
	c   *core.Controller
	// plugins are those that were loaded, nil where nobody has said which there are.
	plugins []plugins.Plugin

	mu       sync.Mutex
	cloud    *cloud.Cloud
	former   []*cloud.Cloud // sessions of former framework ids live on, as in the real one
	listener *agent.Listener
}

func (p *process) boot() {
	time.Sleep(bootPause)
	a, err := start(p.o, p.log)
	if err != nil {
		fmt.Fprintf(p.log, "SEVERE\thudson.util.BootFailure#publish: Failed to initialize Jenkins: %v\n", err)
		p.rest.SetPhase(rest.Failed, err.Error())
		return
	}
	p.mu.Lock()
	p.app = a
	p.mu.Unlock()
	p.rest.SetUp(a.c)
	fmt.Fprintln(p.log, "INFO\thudson.lifecycle.Lifecycle#onReady: Jenkins is fully up and running")
}

func start(o *options, log io.Writer) (*app, error) {
	if err := os.MkdirAll(o.home, 0o755); err != nil {
		return nil, fmt.Errorf("make JENKINS_HOME: %w", err)
	}
	attempts := filepath.Join(o.home, "failed-boot-attempts.txt")
	_ = os.WriteFile(attempts, []byte(time.Now().Format(time.UnixDate)+"\n"), 0o644)
	cfg, err := home.LoadConfig(o.home)
	if err != nil {
		return nil, err
	}
	users, warnings, err := home.LoadUsers(o.home)
	if err != nil {
		return nil, err
	}
	for _, w := range warnings {
		fmt.Fprintln(log, "WARNING\thudson.model.User:", w)
	}
	if err := wizard(o, cfg, users, log); err != nil {
		return nil, err
	}
	loaded, err := loadPlugins(o, cfg, log)
	if err != nil {
		return nil, err
	}
	if err := applyCasc(o, cfg, users); err != nil {
		return nil, err
	}
	warnGroovy(o.home, log)
	c, err := core.New(core.Options{Home: o.home, Version: o.version, Clock: o.clock, Tick: o.queueTick, Log: log}, cfg, users)
	if err != nil {
		return nil, err
	}
	a := &app{o: o, log: log, c: c, plugins: loaded}
	a.openAgentPort()
	a.useCloud()
	c.Locked(func() { err = c.SaveConfig() })
	if err = errors.Join(err, home.BootFiles(o.home, o.version, !o.wizard)); err != nil {
		a.stop(false)
		return nil, err
	}
	_ = os.Remove(attempts)
	c.Start()
	return a, nil
}

// The plugins that the stand-in imitates, and goes without where they are not loaded.
const (
	pluginMesos = "mesos"
	pluginCasc  = "configuration-as-code"
)

// loadPlugins loads what a core of this version would load. Without the Mesos plugin the next save drops the cloud, as with the real one.
func loadPlugins(o *options, cfg *home.Config, log io.Writer) ([]plugins.Plugin, error) {
	if o.plugins == "" {
		return nil, nil
	}
	all, err := plugins.Read(o.plugins)
	if err != nil {
		return nil, err
	}
	loaded, failed := plugins.Load(all, o.version)
	for _, f := range failed {
		fmt.Fprintf(log, "SEVERE\tjenkins.InitReactorRunner$1#onTaskFailed: Failed Loading plugin %s v%s: %s\n", f.Name, f.Version, f.Why)
	}
	o.lacks = map[string]bool{pluginMesos: true, pluginCasc: true}
	for _, p := range loaded {
		delete(o.lacks, p.Name)
	}
	if o.lacks[pluginMesos] {
		cfg.SetMesosCloud(nil)
	}
	return append([]plugins.Plugin{}, loaded...), nil
}

// wizard secures an empty home with a one-time password, as the setup wizard does before anybody has seen it.
func wizard(o *options, cfg *home.Config, users *home.Users, log io.Writer) error {
	_, err := os.Stat(filepath.Join(o.home, "config.xml"))
	if !o.wizard || err == nil || len(users.List()) > 0 {
		return nil
	}
	password := home.RandomHex(16)
	cfg.UseSecurity = true
	fmt.Fprintf(log, "\nJenkins initial setup is required. An admin user has been created and a password generated.\n\n%s\n\n", password)
	return errors.Join(users.Put("admin", "admin", password),
		home.WriteFile(filepath.Join(o.home, "secrets", "initialAdminPassword"), []byte(password+"\n"), 0o640))
}

func cascFiles(o *options) ([]string, error) {
	return casc.Files(o.casc, filepath.Join(o.home, "jenkins.yaml"))
}

// applyCasc reads the configured documents; any problem aborts the boot.
func applyCasc(o *options, cfg *home.Config, users *home.Users) error {
	files, err := cascFiles(o)
	if err != nil || len(files) == 0 || o.lacks[pluginCasc] {
		return err
	}
	doc, problems := casc.Load(files)
	if len(problems) > 0 {
		return fmt.Errorf("configuration as code: %s", strings.Join(problems, "; "))
	}
	return applyDocument(o, doc, cfg, users)
}

func applyDocument(o *options, doc *casc.Document, cfg *home.Config, users *home.Users) error {
	if o.lacks[pluginMesos] && len(doc.Clouds) > 0 {
		return errors.New("configuration as code: No hudson.slaves.Cloud implementation found for mesos")
	}
	if err := doc.Apply(cfg, users); err != nil {
		return fmt.Errorf("configuration as code: %w", err)
	}
	if doc.RootURL != nil {
		return home.SaveRootURL(o.home, *doc.RootURL)
	}
	return nil
}

func warnGroovy(dir string, log io.Writer) {
	hooks, _ := filepath.Glob(filepath.Join(dir, "init.groovy.d", "*.groovy"))
	if _, err := os.Stat(filepath.Join(dir, "init.groovy")); err == nil {
		hooks = append(hooks, "init.groovy")
	}
	for _, h := range hooks {
		fmt.Fprintf(log, "WARNING\tjenkins.util.groovy.GroovyHookScript: %s was not run: the stand-in has no Groovy\n", h)
	}
}

// openAgentPort opens the port of config.xml; the property counts only for a config.xml without one, or when it is enforced.
// A port that is taken leaves the controller without one, as the real one.
func (a *app) openAgentPort() {
	port := 0
	a.c.Locked(func() {
		cfg := a.c.Config()
		if a.o.agentPort != "" && (a.o.agentPortEnforced || !cfg.HasAgentPort) {
			cfg.AgentPort, _ = strconv.Atoi(a.o.agentPort)
		} else if !cfg.HasAgentPort {
			cfg.AgentPort = 0
		}
		cfg.HasAgentPort = true
		port = cfg.AgentPort
	})
	if port < 0 {
		return
	}
	l, err := agent.Listen(net.JoinHostPort(a.o.agentBind, strconv.Itoa(port)), a.c.AgentHooks())
	if err != nil {
		fmt.Fprintf(a.log, "WARNING\thudson.TcpSlaveAgentListener: Failed to listen to incoming agent connections through port %d. Change the port number: %v\n", port, err)
		return
	}
	a.mu.Lock()
	a.listener = l
	a.mu.Unlock()
}

func (a *app) agentPort() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.listener == nil {
		return 0
	}
	return a.listener.Port()
}

// useCloud takes the configured cloud. The session stays while the framework id stays.
func (a *app) useCloud() {
	var cfg cloud.Config
	found := false
	a.c.Locked(func() {
		if cfg, found = casc.CloudOf(a.c.Config()); found && cfg.FrameworkID == "" {
			// A random one, written with the next save, as the real one.
			_ = cfg.Normalize()
			a.c.Config().SetMesosCloud(cfg.XML())
		}
	})
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case !found:
		a.retire()
		a.c.SetCloud(nil)
	case a.cloud != nil && a.cloud.Same(cfg):
		a.cloud.Update(cfg)
	default:
		a.retire()
		a.cloud = cloud.New(cfg, a.o.cloud, a.c)
		a.c.SetCloud(a.cloud)
	}
}

func (a *app) retire() {
	if a.cloud != nil {
		a.former = append(a.former, a.cloud)
		a.cloud = nil
	}
}

func (a *app) stop(aborted bool) {
	end := core.Lost
	if aborted {
		end = core.Aborted
	}
	a.mu.Lock()
	clouds := append([]*cloud.Cloud(nil), a.former...)
	if a.cloud != nil {
		clouds = append(clouds, a.cloud)
	}
	listener := a.listener
	a.mu.Unlock()
	for _, c := range clouds {
		c.Stop()
	}
	a.c.Stop(end)
	if listener != nil {
		listener.Close()
	}
}

// reloadCasc reads the configured documents again.
func (a *app) reloadCasc() error {
	files, err := cascFiles(a.o)
	if err != nil {
		return err
	}
	doc, problems := casc.Load(files)
	if len(problems) > 0 {
		return fmt.Errorf("configuration as code: %s", strings.Join(problems, "; "))
	}
	return a.apply(doc)
}

func (a *app) apply(doc *casc.Document) error {
	var err error
	before, after := 0, 0
	a.c.Locked(func() {
		cfg := a.c.Config()
		before = cfg.AgentPort
		err = applyDocument(a.o, doc, cfg, a.c.Users)
		after = cfg.AgentPort
		if doc.RootURL != nil && err == nil {
			err = a.c.SetRootURL(*doc.RootURL)
		}
	})
	if err != nil {
		return err
	}
	a.useCloud()
	a.c.Locked(func() { err = a.c.SaveConfig() })
	if before != after {
		a.mu.Lock()
		old := a.listener
		a.listener = nil
		a.mu.Unlock()
		if old != nil {
			old.Close()
		}
		a.openAgentPort()
	}
	return err
}

// emptyQueue is what a boot that did not end leaves of queue.xml.
func emptyQueue(dir string) {
	_ = home.Save(filepath.Join(dir, "queue.xml"), xmltree.Elem("hudson.model.Queue_-State", xmltree.Elem("items"), xmltree.Elem("properties",
		xmltree.Elem("entry", xmltree.Text("string", "jenkins.model.queue.QueueIdStrategy$DefaultStrategy"), xmltree.Text("long", 0)))))
}

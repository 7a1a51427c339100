// Package home is JENKINS_HOME and the process that owns it: it lays down what must be there before the first start, runs
// the controller as its child, and proves after every start that the controller refuses strangers.
package home

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/jomctl/jomctl/internal/home/history"
)

// Controller is the file that `jomhome run --config FILE` is given. Every path in it is absolute.
type Controller struct {
	// Home is JENKINS_HOME.
	Home string `json:"home"`
	// Seed is a folder whose files are copied into an empty place of the home: a file that is there stays as it is.
	Seed string `json:"seed"`
	// Plugins, where set, is a folder of plugin files that the home must hold exactly so, byte for byte.
	Plugins string `json:"plugins,omitempty"`
	// Argv is the controller's command. $HOST, $PORT0, $PORT1 and $MESOS_SANDBOX in it are filled from the environment.
	Argv []string `json:"argv"`
	// Env are variables (NAME=value) added to the inherited environment, filled as Argv is.
	Env []string `json:"env,omitempty"`
	// URL is where the controller itself answers, with the same variables as Argv.
	URL string `json:"url"`
	// Owner, where set, is HOST:PORT at which OwnerPath is answered, with the same variables as Argv.
	Owner string `json:"owner,omitempty"`
	// AgentPort says that a controller without an open agent port is useless and must be ended.
	AgentPort bool `json:"agentPort"`
	// BootSeconds is how long a boot may take before a missing agent port counts.
	BootSeconds int `json:"bootSeconds"`
	// Clouds, where set, is a file with the element <clouds> that the home's config.xml must have at each start.
	Clouds string `json:"clouds,omitempty"`
	// PluginLock are plugins that the home must hold in exactly these versions before Jenkins starts: one boot without a
	// plugin, or with one that does not load, makes Jenkins drop its settings from config.xml.
	PluginLock []LockedPlugin `json:"pluginLock,omitempty"`
	// PluginLockFile, where set, has more of them, as JSON: the lock of an image that brings its plugins itself.
	PluginLockFile string `json:"pluginLockFile,omitempty"`
	// MasterKey, where set, is the file with the key that Jenkins encrypts its secrets with.
	MasterKey string `json:"masterKey,omitempty"`
	// History, where set, is how the home is locked, and kept in git.
	History *history.Config `json:"history,omitempty"`
}

// LockedPlugin is a plugin by its short name, in one version, and where SHA256 is set as exactly this file.
type LockedPlugin struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	SHA256  string `json:"sha256,omitempty"`
}

// LoadController reads and checks the file.
func LoadController(path string) (Controller, error) {
	var c Controller
	data, err := os.ReadFile(path)
	if err != nil {
		return c, fmt.Errorf("reading the controller file: %w", err)
	}
	if err := json.Unmarshal(data, &c); err != nil {
		return c, fmt.Errorf("reading the controller file %s: %w", path, err)
	}
	var problems []error
	for name, value := range map[string]string{"home": c.Home, "seed": c.Seed} {
		if !filepath.IsAbs(value) {
			problems = append(problems, fmt.Errorf("%s: %q: want an absolute path", name, value))
		}
	}
	if len(c.Argv) == 0 {
		problems = append(problems, errors.New("argv: empty, want the controller's command"))
	}
	if c.URL == "" {
		problems = append(problems, errors.New("url: missing"))
	}
	if c.BootSeconds <= 0 {
		problems = append(problems, fmt.Errorf("bootSeconds: %d: want more than 0", c.BootSeconds))
	}
	if c.History != nil {
		problems = append(problems, c.History.Check())
	}
	if c.PluginLockFile != "" {
		problems = append(problems, c.readLock())
	}
	if err := errors.Join(problems...); err != nil {
		return c, fmt.Errorf("controller file %s: %w", path, err)
	}
	return c, nil
}

// readLock adds the lock of the file.
func (c *Controller) readLock() error {
	data, err := os.ReadFile(c.PluginLockFile)
	if err != nil {
		return fmt.Errorf("pluginLockFile: %w", err)
	}
	var lock []LockedPlugin
	if err := json.Unmarshal(data, &lock); err != nil {
		return fmt.Errorf("pluginLockFile: %s: %w", c.PluginLockFile, err)
	}
	c.PluginLock = append(c.PluginLock, lock...)
	return nil
}

// expanded fills $HOST, $PORT0, $PORT1 and $MESOS_SANDBOX. A missing one is an error, because a controller on the wrong
// address would be one that nobody watches.
func (c Controller) expanded(getenv func(string) string) (Controller, error) {
	missing := map[string]bool{}
	fill := func(text string) string {
		return os.Expand(text, func(name string) string {
			switch name {
			case "HOST", "PORT0", "PORT1", "MESOS_SANDBOX":
				value := getenv(name)
				if value == "" {
					missing[name] = true
				}
				return value
			}
			return "$" + name
		})
	}
	out := c
	out.Argv = make([]string, len(c.Argv))
	for i, arg := range c.Argv {
		out.Argv[i] = fill(arg)
	}
	out.Env = make([]string, len(c.Env))
	for i, variable := range c.Env {
		out.Env[i] = fill(variable)
	}
	out.URL, out.Owner = fill(c.URL), fill(c.Owner)
	for name := range missing {
		return out, fmt.Errorf("the controller's command needs $%s, which is not set: is this a Marathon task?", name)
	}
	return out, nil
}

func (c Controller) bootTime() time.Duration { return time.Duration(c.BootSeconds) * time.Second }

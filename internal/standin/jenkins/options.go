package jenkins

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/jomctl/jomctl/internal/standin/jenkins/cloud"
)

const defaultVersion = "2.568.3"

// options are the arguments of `java [-Dkey=value ...] -jar jenkins.war [--option=value ...]` and the environment.
type options struct {
	home     string
	casc     string // CASC_JENKINS_CONFIG
	address  string
	prefix   string
	version  string
	wizard   bool
	exitOnly bool // ExitLifecycle: a restart ends the process with 5

	agentPort         string // property, "" = not set
	agentPortEnforced bool
	agentHost         string // advertised
	agentBind         string

	clock time.Duration
	// queueTick is the pause between two looks at the queue; 0 = the real one's 5 s.
	queueTick time.Duration
	cloud     cloud.Options
	// plugins is a file with the list of plugins that it has; empty for those that it imitates.
	plugins string
	// lacks are the imitated plugins that were not loaded.
	lacks map[string]bool
	// unknown are arguments that mean nothing to the stand-in; they are named in the log.
	unknown []string
}

func parseOptions(args []string, env func(string) string, log io.Writer) (*options, error) {
	o := &options{version: defaultVersion, wizard: true, clock: 10 * time.Second, cloud: cloud.Defaults(), home: env("JENKINS_HOME"), casc: env("CASC_JENKINS_CONFIG")}
	o.cloud.Log = log
	if o.home == "" {
		base, err := os.UserHomeDir()
		if err != nil {
			return nil, fmt.Errorf("find JENKINS_HOME: %w", err)
		}
		o.home = filepath.Join(base, ".jenkins")
	}
	home, err := filepath.Abs(o.home)
	if err != nil {
		return nil, fmt.Errorf("find JENKINS_HOME: %w", err)
	}
	o.home = home
	host, port := "", "8080"
	for i := 0; i < len(args); i++ {
		key, value, _ := strings.Cut(args[i], "=")
		switch {
		case strings.HasPrefix(key, "-D"):
			if err := o.property(strings.TrimPrefix(key, "-D"), value); err != nil {
				return nil, err
			}
		case key == "-jar":
			i++
		case key == "--httpListenAddress":
			host = value
		case key == "--httpPort":
			port = value
		case key == "--prefix":
			o.prefix = strings.TrimSuffix("/"+strings.Trim(value, "/"), "/")
		case key == "--webroot", strings.HasPrefix(key, "-X"), strings.HasPrefix(key, "--add-opens"):
		default:
			o.unknown = append(o.unknown, args[i])
		}
	}
	if _, err := strconv.Atoi(port); err != nil {
		return nil, fmt.Errorf("--httpPort=%s is not a number", port)
	}
	o.address = host + ":" + port
	if strings.Contains(host, ":") {
		o.address = "[" + host + "]:" + port
	}
	return o, nil
}

// property sets one system property. Those of other programs are nobody's business.
func (o *options) property(key, value string) error {
	number := func() (int, error) {
		n, err := strconv.Atoi(value)
		if err != nil {
			return 0, fmt.Errorf("-D%s=%s is not a number", key, value)
		}
		return n, nil
	}
	var n int
	var err error
	switch key {
	case "hudson.model.LoadStatistics.clock":
		n, err = number()
		o.clock = time.Duration(n) * time.Millisecond
	case "hudson.TcpSlaveAgentListener.hostName":
		o.agentHost = value
	case "jenkins.model.Jenkins.slaveAgentPort":
		_, err = number()
		o.agentPort = value
	case "jenkins.model.Jenkins.slaveAgentPortEnforce":
		o.agentPortEnforced = value == "true"
	case "jenkins.install.runSetupWizard":
		o.wizard = value != "false"
	case "hudson.lifecycle":
		o.exitOnly = value == "hudson.lifecycle.ExitLifecycle"
	case "casc.jenkins.config":
		o.casc = value
	case "usi.jenkins.connection-retries":
		o.cloud.ConnectionRetries, err = number()
	case "usi.jenkins.connection-min-backoff":
		o.cloud.MinBackoff, err = period(key, value)
	case "usi.jenkins.connection-max-backoff":
		o.cloud.MaxBackoff, err = period(key, value)
	case "jomctl.standin.agentListenAddress":
		o.agentBind = value
	case "jomctl.standin.idleSeconds":
		n, err = number()
		o.cloud.Idle = time.Duration(n) * time.Second
	case "jomctl.standin.reviveMillis":
		n, err = number()
		o.cloud.Throttle = time.Duration(n) * time.Millisecond
	case "jomctl.standin.queueTickMillis":
		n, err = number()
		o.queueTick = time.Duration(n) * time.Millisecond
	case "jomctl.standin.plugins":
		o.plugins = value
	case "jomctl.standin.version":
		o.version = value
	}
	return err
}

// period reads a time of the plugin's settings. Of the ways in which those may be written it knows 1s and 500ms, and a number of milliseconds.
func period(key, value string) (time.Duration, error) {
	if n, err := strconv.Atoi(value); err == nil {
		value = strconv.Itoa(n) + "ms"
	}
	d, err := time.ParseDuration(value)
	if err != nil || d <= 0 {
		return 0, fmt.Errorf("-D%s=%s is not a time that this stand-in knows: 1s, 500ms, 500", key, value)
	}
	return d, nil
}

package cli

import (
	"errors"
	"slices"
	"strconv"

	"github.com/jomctl/jomctl/internal/config"
)

// installFlags is the table of InstallFlags, in the order of OneLine.
func installFlags() []installFlag {
	all := []installFlag{
		word("name", "NAME", "name of the cluster, a DNS label", func(c *config.Cluster) *string { return &c.Name }),
		{"target", "TARGET", "where the machines come from: local, hosts, docker, aws or openstack",
			func(c *config.Cluster) []string { return some(string(c.Target)) },
			func(c *config.Cluster, v string) error { c.Target = config.Target(v); return filled(v) }},
		count("control", "number of control hosts, 1, 3 or 5; not on target hosts", controlOf, onNumbers),
		count("agents", "number of Mesos agents; not on target hosts", agentsOf, onNumbers),
		{"base-address", "127.X.Y.0", "target local: network of the hosts", func(c *config.Cluster) []string {
			if !hasLocal(c) {
				return nil
			}
			return some(c.Local.Address)
		}, func(c *config.Cluster, v string) error { localOf(c).Address = v; return filled(v) }},
		amount("host-cpus", "target local: CPUs that each Mesos agent offers", func(c *config.Cluster) *float64 { return &localOf(c).Resources.CPUs }, hasLocal),
		size("host-mem", "target local: memory that each Mesos agent offers", func(c *config.Cluster) *config.Size { return &localOf(c).Resources.Mem }, hasLocal),
		{"host", "NAME=ADDRESS:ROLES", "a machine, for example a1=10.0.0.2:mesos-agent; may be given again",
			func(c *config.Cluster) []string {
				var all []string
				for _, h := range c.Hosts {
					if !onTerraform(c) {
						all = append(all, formatHost(h))
					}
				}
				return all
			},
			func(c *config.Cluster, v string) error {
				h, err := parseHost(v)
				c.Hosts = append(c.Hosts, h)
				return err
			}},
		optional("ssh-user", "USER", "account on the machines of target hosts", func(c *config.Cluster) *string { return &sshOf(c).User }, hasSSH),
		optional("ssh-key", "FILE", "private key for the machines of target hosts", func(c *config.Cluster) *string { return &sshOf(c).IdentityFile }, hasSSH),
	}
	return slices.Concat(all, machineFlags(), programFlags(), jenkinsFlags())
}

func programFlags() []installFlag {
	return []installFlag{
		word("release", "NAME|DIR", "release to install", func(c *config.Cluster) *string { return &c.Release }),
		program("mesos-path", "Mesos", func(c *config.Cluster) *config.Source { return &c.Components.Mesos.Source }),
		program("marathon-path", "Marathon", func(c *config.Cluster) *config.Source { return &c.Components.Marathon.Source }),
		word("war", "FILE|URL", "a real jenkins.war, or the word standin", func(c *config.Cluster) *string { return &c.Jenkins.War }),
		word("war-sha256", "SUM", "checksum of the war", func(c *config.Cluster) *string { return &c.Jenkins.SHA256 }),
		word("plugins", "DIR", "folder of plugins for a real war", func(c *config.Cluster) *string { return &c.Jenkins.Plugins }),
		word("java", "DIR", "folder of the Java installation for a real war", func(c *config.Cluster) *string { return &c.Jenkins.Java }),
	}
}

func jenkinsFlags() []installFlag {
	always := func(*config.Cluster) bool { return true }
	hasSCM := func(c *config.Cluster) bool { return c.Jenkins.SCM != nil }
	hasTemplate := func(c *config.Cluster) bool { return len(c.Jenkins.Cloud.Templates) > 0 }
	return []installFlag{
		amount("app-cpus", "CPUs of the controller", func(c *config.Cluster) *float64 { return &c.Jenkins.App.CPUs }, always),
		size("app-mem", "memory of the controller", func(c *config.Cluster) *config.Size { return &c.Jenkins.App.Mem }, always),
		{"home-type", "host|shared", "where the home is: on one host's disk, or on a path that all hosts share",
			func(c *config.Cluster) []string { return some(string(c.Jenkins.Home.Type)) },
			func(c *config.Cluster, v string) error { c.Jenkins.Home.Type = config.HomeType(v); return filled(v) }},
		word("home-path", "PATH", "absolute path of JENKINS_HOME", func(c *config.Cluster) *string { return &c.Jenkins.Home.Path }),
		optional("scm-repository", "URL|PATH", "git repository that keeps the home's configuration", func(c *config.Cluster) *string { return &scmOf(c).Repository }, hasSCM),
		optional("scm-branch", "BRANCH", "branch of that repository", func(c *config.Cluster) *string { return &scmOf(c).Branch }, hasSCM),
		{"scm-key", "file:PATH|env:NAME", "private key for that repository", func(c *config.Cluster) []string {
			if !hasSCM(c) {
				return nil
			}
			return some(string(c.Jenkins.SCM.Key))
		}, func(c *config.Cluster, v string) error { scmOf(c).Key = config.Secret(v); return filled(v) }},
		word("admin-user", "USER", "name of the first account", func(c *config.Cluster) *string { return &c.Jenkins.Admin.User }),
		optional("label", "LABEL", "label of the build agents", func(c *config.Cluster) *string { return &templateOf(c).Label }, hasTemplate),
		amount("agent-cpus", "CPUs of a build agent", func(c *config.Cluster) *float64 { return &templateOf(c).CPUs }, hasTemplate),
		size("agent-mem", "memory of a build agent", func(c *config.Cluster) *config.Size { return &templateOf(c).Mem }, hasTemplate),
		{"idle", "TIME", "how long a build agent without work is kept, for example 3m", func(c *config.Cluster) []string {
			if !hasTemplate(c) {
				return nil
			}
			return some(templateOf(c).Idle.String())
		}, func(c *config.Cluster, v string) error {
			d, err := config.ParseDuration(v)
			if err == nil && d == 0 {
				err = errors.New("must be more than 0")
			}
			templateOf(c).Idle = d
			return err
		}},
	}
}

func hasLocal(c *config.Cluster) bool { return c.Target == config.TargetLocal && c.Local != nil }
func hasSSH(c *config.Cluster) bool   { return c.SSH != nil }

func localOf(c *config.Cluster) *config.Local {
	if c.Local == nil {
		c.Local = &config.Local{}
	}
	return c.Local
}

func sshOf(c *config.Cluster) *config.SSH {
	if c.SSH == nil {
		c.SSH = &config.SSH{}
	}
	return c.SSH
}

func scmOf(c *config.Cluster) *config.SCM {
	if c.Jenkins.SCM == nil {
		c.Jenkins.SCM = &config.SCM{}
	}
	return c.Jenkins.SCM
}

// templateOf is the first kind of build agent, the one that flags and wizard know.
func templateOf(c *config.Cluster) *config.Template {
	if len(c.Jenkins.Cloud.Templates) == 0 {
		c.Jenkins.Cloud.Templates = []config.Template{{}}
	}
	return &c.Jenkins.Cloud.Templates[0]
}

func some(value string) []string {
	if value == "" {
		return nil
	}
	return []string{value}
}

func filled(value string) error {
	if value == "" {
		return errors.New("must not be empty")
	}
	return nil
}

func word(name, kind, usage string, at func(*config.Cluster) *string) installFlag {
	return optional(name, kind, usage, at, func(*config.Cluster) bool { return true })
}

// optional is a text in a section that the cluster may not have.
func optional(name, kind, usage string, at func(*config.Cluster) *string, has func(*config.Cluster) bool) installFlag {
	return installFlag{name, kind, usage, func(c *config.Cluster) []string {
		if !has(c) {
			return nil
		}
		return some(*at(c))
	}, func(c *config.Cluster, v string) error {
		*at(c) = v
		return filled(v)
	}}
}

func count(name, usage string, at func(*config.Cluster) *int, has func(*config.Cluster) bool) installFlag {
	return installFlag{name, "N", usage, func(c *config.Cluster) []string {
		if !has(c) {
			return nil
		}
		return some(strconv.Itoa(*at(c)))
	}, func(c *config.Cluster, v string) error {
		n, err := positive(v)
		*at(c) = n
		return err
	}}
}

func amount(name, usage string, at func(*config.Cluster) *float64, has func(*config.Cluster) bool) installFlag {
	return installFlag{name, "CPUS", usage, func(c *config.Cluster) []string {
		if !has(c) {
			return nil
		}
		return some(strconv.FormatFloat(*at(c), 'f', -1, 64))
	}, func(c *config.Cluster, v string) error {
		n, err := cpus(v)
		*at(c) = n
		return err
	}}
}

func size(name, usage string, at func(*config.Cluster) *config.Size, has func(*config.Cluster) bool) installFlag {
	return installFlag{name, "SIZE", usage + ", for example 512MiB", func(c *config.Cluster) []string {
		if !has(c) {
			return nil
		}
		return some(at(c).String())
	}, func(c *config.Cluster, v string) error {
		s, err := config.ParseSize(v)
		if err == nil && s == 0 {
			err = errors.New("must be more than 0")
		}
		*at(c) = s
		return err
	}}
}

// program is where Mesos or Marathon come from, as far as a flag can say it.
func program(name, title string, at func(*config.Cluster) *config.Source) installFlag {
	return installFlag{name, "DIR", "folder with the programs of a real " + title + ", or the word standin", func(c *config.Cluster) []string {
		if at(c).Standin {
			return []string{"standin"}
		}
		return some(at(c).Path)
	}, func(c *config.Cluster, v string) error {
		*at(c) = config.Source{Path: v}
		if v == "standin" {
			*at(c) = config.Source{Standin: true}
		}
		return filled(v)
	}}
}

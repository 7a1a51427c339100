package cli

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/ui"
)

// topics are the questions of the wizard in their order.
func topics() []topic {
	return []topic{
		ofField("Name", nil, field{label: "Name of the cluster", help: "It names the framework and the app: lower-case letters, digits and dashes.",
			current: func(c *config.Cluster) string { return c.Name },
			set:     func(c *config.Cluster, v string) error { c.Name = v; return nil }, paths: []string{"name"}}),
		{"Target", nil, askTarget, func(c *config.Cluster) string { return targetTitle(c.Target) }},
		numberTopic("Control hosts", "control", "How many ZooKeeper, Mesos master and Marathon: 1 for trying out, 3 or 5 to survive the loss of one or two.", controlOf),
		numberTopic("Mesos agents", "agents", "How many hosts run the controller and the build agents: with two or more, builds survive the loss of one; the controller stays with its home.", agentsOf),
		{"Machines", onTerraform, (*wizard).askMachines, showMachines},
		{"Hosts", onHosts, askHosts, func(c *config.Cluster) string {
			var all []string
			for _, h := range c.Hosts {
				all = append(all, formatHost(h))
			}
			return strings.Join(all, "  ")
		}},
		{"SSH", onHosts, (*wizard).askSSH, func(c *config.Cluster) string {
			return c.SSH.User + ", key: " + or(c.SSH.IdentityFile, "of the SSH agent or one of the usual files")
		}},
		programTopic("Mesos", func(c *config.Cluster) *config.Source { return &c.Components.Mesos.Source }, func(f Found) []string { return f.Mesos }, "components.mesos.source"),
		programTopic("Marathon", func(c *config.Cluster) *config.Source { return &c.Components.Marathon.Source }, func(f Found) []string { return f.Marathon }, "components.marathon.source"),
		{"Jenkins", nil, askWar, func(c *config.Cluster) string { return warTitle(c) }},
		ofField("Git repository", nil, field{label: "Git repository for the configuration in the home, or none", none: "none",
			help:    "Kept in the file for the configuration's history; this version does not push to it yet. git@HOST:PATH, https://, or a path.",
			current: func(c *config.Cluster) string { return or(repository(c), "none") },
			set:     setRepository, paths: []string{"jenkins.scm.repository", "jenkins.scm"}}),
		ofField("Admin user", nil, field{label: "First account of Jenkins", help: "Its password is generated and kept in a file that only you may read.",
			current: func(c *config.Cluster) string { return c.Jenkins.Admin.User },
			set:     func(c *config.Cluster, v string) error { c.Jenkins.Admin.User = v; return nil }, paths: []string{"jenkins.admin.user"}}),
		{"Controller", nil, (*wizard).askController, func(c *config.Cluster) string {
			return fmt.Sprintf("%s, %v", cpuText(c.Jenkins.App.CPUs), c.Jenkins.App.Mem)
		}},
		{"Build agents", nil, (*wizard).askTemplate, func(c *config.Cluster) string {
			t := templateOf(c)
			return fmt.Sprintf("label %s, %s, %v, kept %v without work", t.Label, cpuText(t.CPUs), t.Mem, t.Idle)
		}},
		{"Each Mesos agent", onLocal, (*wizard).askResources, func(c *config.Cluster) string {
			return fmt.Sprintf("offers %s, %v", cpuText(c.Local.Resources.CPUs), c.Local.Resources.Mem)
		}},
	}
}

func onLocal(c *config.Cluster) bool { return c.Target == config.TargetLocal }
func onHosts(c *config.Cluster) bool { return c.Target == config.TargetHosts }

func or(value, fallback string) string {
	if value == "" {
		return fallback
	}
	return value
}

// ofField is a topic of one field.
func ofField(title string, when func(*config.Cluster) bool, f field) topic {
	return topic{title, when, func(w *wizard) error { return w.text(f) }, f.current}
}

// several asks fields one after the other; back goes to the field before.
func (w *wizard) several(fields ...field) error {
	for i := 0; i < len(fields); i++ {
		switch err := w.text(fields[i]); {
		case errors.Is(err, ui.ErrBack) && i > 0:
			i -= 2
		case err != nil:
			return err
		}
	}
	return nil
}

func targetTitle(t config.Target) string {
	switch t {
	case config.TargetLocal:
		return "local: this machine alone, every host is a loopback address and a folder"
	case config.TargetHosts:
		return "hosts: existing machines over SSH, Debian or Ubuntu with systemd"
	case config.TargetDocker:
		return "docker: a lab on this machine, containers with systemd made by Terraform"
	}
	return string(t) + ": machines made by Terraform; nobody has run this yet"
}

func askTarget(w *wizard) error {
	var options []string
	for _, t := range w.options.Targets {
		options = append(options, targetTitle(t))
	}
	i, err := w.pick(ui.Question{Label: "Target", Help: "Where Jenkins on Mesos runs.", Default: targetTitle(w.answers.Target)}, options)
	if err != nil {
		return err
	}
	if chosen := w.options.Targets[i]; chosen != w.answers.Target {
		// What was answered for other machines and their programs means nothing here.
		w.answers.Target, w.answers.Hosts, w.answers.Local, w.answers.Machines, w.answers.SSH, w.answers.Registry = chosen, nil, nil, nil, nil, nil
		w.answers.Components, w.answers.Jenkins.War = config.Components{}, ""
	}
	return nil
}

func repository(c *config.Cluster) string {
	if c.Jenkins.SCM == nil {
		return ""
	}
	return c.Jenkins.SCM.Repository
}

func setRepository(c *config.Cluster, v string) error {
	if v == "" {
		c.Jenkins.SCM = nil
		return nil
	}
	scmOf(c).Repository = v
	return nil
}

const (
	standinTitle = "stand-in (not the real program)"
	otherFolder  = "real: from another folder on this machine"
	otherWar     = "real: another jenkins.war (a file or a URL)"
	releaseWar   = "real: the jenkins.war of the release"
)

func sourceTitle(s config.Source) string {
	switch {
	case s.Standin:
		return standinTitle
	case s.Path != "":
		return "real: " + s.Path
	}
	return "real: " + s.Title()
}

// programTopic asks where Mesos or Marathon come from.
func programTopic(title string, at func(*config.Cluster) *config.Source, found func(Found) []string, path string) topic {
	return topic{title, nil, func(w *wizard) error {
		var sources []config.Source
		if fallback := defaultSource(w.answers, at); !fallback.Standin {
			sources = append(sources, fallback)
		}
		for _, dir := range found(w.options.Found) {
			sources = append(sources, config.Source{Path: dir})
		}
		sources = append(sources, config.Source{Standin: true})
		now := *at(w.complete())
		known := false
		var options []string
		for _, s := range sources {
			options = append(options, sourceTitle(s))
			known = known || s == now
		}
		if !known {
			sources, options = append(sources, now), append(options, sourceTitle(now))
		}
		i, err := w.pick(ui.Question{Label: title, Help: "Where the programs of " + title + " come from.", Default: sourceTitle(now)}, append(options, otherFolder))
		if err != nil {
			return err
		}
		if i < len(sources) {
			*at(w.answers) = sources[i]
			return nil
		}
		return w.text(field{label: "Folder with the programs of " + title, current: func(c *config.Cluster) string { return at(c).Path },
			set: func(c *config.Cluster, v string) error { *at(c) = config.Source{Path: v}; return filled(v) }, paths: []string{path}})
	}, func(c *config.Cluster) string { return sourceTitle(*at(c)) }}
}

// defaultSource is where a program comes from when nothing is said about it.
func defaultSource(answers *config.Cluster, at func(*config.Cluster) *config.Source) config.Source {
	c := answers.Clone()
	c.Components = config.Components{}
	config.Default(c)
	return *at(c)
}

func warTitle(c *config.Cluster) string {
	switch c.Jenkins.War {
	case "standin":
		return standinTitle
	case "":
		return releaseWar
	}
	return "real: " + c.Jenkins.War
}

func askWar(w *wizard) error {
	var wars []string
	if w.answers.Target != config.TargetLocal {
		wars = append(wars, "")
	}
	wars = append(append(wars, w.options.Found.Wars...), "standin")
	now := w.complete()
	known := false
	var options []string
	for _, war := range wars {
		options = append(options, warTitle(&config.Cluster{Jenkins: config.Jenkins{War: war}}))
		known = known || war == now.Jenkins.War
	}
	if !known {
		wars, options = append(wars, now.Jenkins.War), append(options, warTitle(now))
	}
	i, err := w.pick(ui.Question{Label: "Jenkins", Help: "A real jenkins.war runs plugins and pipelines; the stand-in runs freestyle shell builds only.", Default: warTitle(now)},
		append(options, otherWar))
	if err != nil {
		return err
	}
	if i < len(wars) {
		w.answers.Jenkins.War = wars[i]
		return nil
	}
	return w.text(field{label: "File or URL of jenkins.war", current: func(c *config.Cluster) string { return strings.TrimPrefix(c.Jenkins.War, "standin") },
		set: func(c *config.Cluster, v string) error { c.Jenkins.War = v; return filled(v) }, paths: []string{"jenkins.war"}})
}

// fitting are the paths at which it shows that something is too large for the Mesos agents.
func fitting(first string) []string { return []string{first, "jenkins.app", "jenkins.cloud.templates"} }

func (w *wizard) askController() error {
	return w.several(
		field{label: "CPUs of the controller", current: func(c *config.Cluster) string { return decimal(c.Jenkins.App.CPUs) },
			set: func(c *config.Cluster, v string) (err error) { c.Jenkins.App.CPUs, err = cpus(v); return err }, paths: fitting("jenkins.app.cpus")},
		field{label: "Memory of the controller", current: func(c *config.Cluster) string { return c.Jenkins.App.Mem.String() },
			set: func(c *config.Cluster, v string) error { return setSize(&c.Jenkins.App.Mem, v) }, paths: fitting("jenkins.app.mem")})
}

func (w *wizard) askTemplate() error {
	const at = "jenkins.cloud.templates[0]."
	return w.several(
		field{label: "Label of the build agents", help: "Builds ask for build agents by this label.", current: func(c *config.Cluster) string { return templateOf(c).Label },
			set: func(c *config.Cluster, v string) error { templateOf(c).Label = v; return filled(v) }, paths: []string{at + "label"}},
		field{label: "CPUs of a build agent", current: func(c *config.Cluster) string { return decimal(templateOf(c).CPUs) },
			set: func(c *config.Cluster, v string) (err error) { templateOf(c).CPUs, err = cpus(v); return err }, paths: fitting(at + "cpus")},
		field{label: "Memory of a build agent", current: func(c *config.Cluster) string { return templateOf(c).Mem.String() },
			set: func(c *config.Cluster, v string) error { return setSize(&templateOf(c).Mem, v) }, paths: fitting(at + "mem")},
		field{label: "How long a build agent without work is kept", current: func(c *config.Cluster) string { return templateOf(c).Idle.String() },
			set: func(c *config.Cluster, v string) error { return setIdle(c, v) }, paths: []string{at + "idle"}})
}

func (w *wizard) askResources() error {
	return w.several(
		field{label: "CPUs that each Mesos agent offers", help: "What the Mesos agents offer is a promise, not a limit: this machine shares what it has.",
			current: func(c *config.Cluster) string { return decimal(c.Local.Resources.CPUs) },
			set:     func(c *config.Cluster, v string) (err error) { localOf(c).Resources.CPUs, err = cpus(v); return err }, paths: fitting("local.resources.cpus")},
		field{label: "Memory that each Mesos agent offers", current: func(c *config.Cluster) string { return c.Local.Resources.Mem.String() },
			set: func(c *config.Cluster, v string) error { return setSize(&localOf(c).Resources.Mem, v) }, paths: fitting("local.resources.mem")})
}

func decimal(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }

func cpuText(cpus float64) string {
	if cpus == 1 {
		return "1 CPU"
	}
	return decimal(cpus) + " CPUs"
}

func setSize(to *config.Size, answer string) error {
	s, err := config.ParseSize(answer)
	if err == nil && s == 0 {
		err = errors.New("must be more than 0")
	}
	*to = s
	return err
}

func setIdle(c *config.Cluster, answer string) error {
	d, err := config.ParseDuration(answer)
	if err == nil && d == 0 {
		err = errors.New("must be more than 0")
	}
	templateOf(c).Idle = d
	return err
}

package config

import (
	"fmt"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"
)

var (
	checksum  = regexp.MustCompile(`^[0-9a-fA-F]{64}$`)
	nodeLabel = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]*$`)
	gitSSH    = regexp.MustCompile(`^([A-Za-z0-9_][A-Za-z0-9_.-]*@)?[A-Za-z0-9][A-Za-z0-9.-]*:[^\s]+$`)
	branch    = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.#+-]*(/[A-Za-z0-9_][A-Za-z0-9_.#+-]*)*$`)
)

func (k *checker) jenkins(c *Cluster) {
	j := c.Jenkins
	k.filePath("jenkins.war", j.War)
	k.download("jenkins.war", j.War)
	if j.SHA256 != "" && !checksum.MatchString(j.SHA256) {
		k.add("jenkins.sha256", j.SHA256, "must be 64 hexadecimal digits", "sha256sum FILE prints it")
	}
	k.filePath("jenkins.plugins", j.Plugins)
	k.filePath("jenkins.java", j.Java)
	k.image("jenkins.image", j.Image)
	k.app(c)
	k.home(c)
	k.scm(j.SCM)
	if !plainWord(j.Admin.User) {
		k.add("jenkins.admin.user", j.Admin.User, "must be a user name without spaces, slashes, colons and quotes", "")
	}
	if j.Admin.Password == "" {
		k.add("jenkins.admin.password", nil, "is required", "env:NAME or file:PATH; a missing file is made with a new password")
	}
	k.secret("jenkins.admin.password", j.Admin.Password)
	k.cloud(j.Cloud)
	k.images(c.Images)
}

var debianPackage = regexp.MustCompile(`^[a-z0-9][a-z0-9+.-]+$`)

// userNumbers are those that a user of an image may have; 0 is root, 65534 and 65535 are nobody's.
const userNumbers = 65533

func (k *checker) images(i *Images) {
	if i == nil {
		return
	}
	if i.Base == "" || strings.HasPrefix(i.Base, "-") {
		k.add("images.base", i.Base, "must be the name of an image", "")
	}
	k.image("images.base", i.Base)
	const rule = "must be the name of a Debian package"
	if i.Java != "" && !debianPackage.MatchString(i.Java) {
		k.add("images.java", i.Java, rule, "for example openjdk-21-jre-headless")
	}
	for n, name := range i.Packages {
		if !debianPackage.MatchString(name) {
			k.add(fmt.Sprintf("images.packages[%d]", n), name, rule, "")
		}
	}
	if i.UserID < 1 || i.UserID > userNumbers {
		k.add("images.userID", i.UserID, fmt.Sprintf("must be from 1 to %d: the controller does not run as root", userNumbers), "")
	}
}

func (k *checker) app(c *Cluster) {
	a := c.Jenkins.App
	k.amount("jenkins.app.cpus", a.CPUs, 0.01)
	k.size("jenkins.app.mem", a.Mem)
	k.atLeast("jenkins.app.grace", a.Grace, time.Second)
	k.port("jenkins.app.httpPort", a.HTTPPort)
	k.port("jenkins.app.agentPort", a.AgentPort)
	if a.HTTPPort == a.AgentPort {
		k.add("jenkins.app.agentPort", a.AgentPort, "is the httpPort already", "")
	}
	taken := map[int]string{5051: "the Mesos agent", 8093: "the owner of the home"}
	if c.SSH != nil && c.Target != TargetLocal {
		taken[c.SSH.Port] = "SSH"
	}
	for _, h := range c.HostsWith(RoleMesosAgent) {
		if h.Is(RoleControl) {
			for port, who := range map[int]string{2181: "ZooKeeper", 2888: "ZooKeeper", 3888: "ZooKeeper", 5050: "the Mesos master", 8080: "Marathon", 5000: "the registry"} {
				taken[port] = who + " of a host with both roles"
			}
		}
	}
	for _, p := range []struct {
		path string
		port int
	}{{"jenkins.app.httpPort", a.HTTPPort}, {"jenkins.app.agentPort", a.AgentPort}} {
		if who := taken[p.port]; who != "" {
			k.add(p.path, p.port, "is used by "+who, "take another one, for example "+strconv.Itoa(p.port+8))
		}
	}
	for i, con := range a.Constraints {
		k.constraint(fmt.Sprintf("jenkins.app.constraints[%d]", i), con)
	}
}

// constraint checks one constraint as Marathon reads it.
func (k *checker) constraint(at string, con []string) {
	if len(con) < 2 || len(con) > 3 || con[0] == "" {
		k.add(at, strings.Join(con, " "), "must be [field, operator] or [field, operator, value]", `for example [rack, CLUSTER, r1]`)
		return
	}
	needs := map[string]bool{"UNIQUE": false, "CLUSTER": true, "GROUP_BY": false, "LIKE": true, "UNLIKE": true, "MAX_PER": true, "IS": true}
	if !k.oneOf(at+"[1]", con[1], []string{"UNIQUE", "CLUSTER", "GROUP_BY", "LIKE", "UNLIKE", "MAX_PER", "IS"}) {
		return
	}
	switch {
	case needs[con[1]] && (len(con) == 2 || con[2] == ""):
		k.add(at, strings.Join(con, " "), con[1]+" needs a value", "")
		return
	case con[1] == "UNIQUE" && len(con) == 3:
		k.add(at, strings.Join(con, " "), "UNIQUE takes no value", "")
		return
	}
	if len(con) == 2 {
		return
	}
	switch con[1] {
	case "LIKE", "UNLIKE":
		if _, err := regexp.Compile(con[2]); err != nil {
			k.add(at+"[2]", con[2], "must be a regular expression", "")
		}
	case "MAX_PER", "GROUP_BY":
		if n, err := strconv.Atoi(con[2]); err != nil || n < 1 {
			k.add(at+"[2]", con[2], "must be a number from 1", "")
		}
	}
}

func (k *checker) home(c *Cluster) {
	h := c.Jenkins.Home
	k.oneOf("jenkins.home.type", string(h.Type), []string{string(HomeHost), string(HomeShared)})
	k.secret("jenkins.home.masterKey", h.MasterKey)
	switch {
	case h.Path != "":
		k.absolute("jenkins.home.path", h.Path)
	case h.Type == HomeShared:
		k.add("jenkins.home.path", nil, "is required for a shared home", "the path that is mounted on every Mesos agent host")
	case c.Target != TargetLocal && c.Target != "":
		k.add("jenkins.home.path", nil, "is required", "")
	}
}

func (k *checker) scm(s *SCM) {
	if s == nil {
		return
	}
	k.repository("jenkins.scm.repository", s.Repository)
	if !branch.MatchString(s.Branch) || strings.Contains(s.Branch, "..") || strings.HasSuffix(s.Branch, ".lock") || strings.HasSuffix(s.Branch, ".") {
		k.add("jenkins.scm.branch", s.Branch, "must be the name of a git branch", "")
	}
	k.secret("jenkins.scm.key", s.Key)
	k.atLeast("jenkins.scm.debounce", s.Debounce, time.Millisecond)
	k.atLeast("jenkins.scm.maxDelay", s.MaxDelay, time.Millisecond)
	if s.MaxDelay < s.Debounce {
		k.add("jenkins.scm.maxDelay", s.MaxDelay, "must not be shorter than debounce, "+s.Debounce.String(), "")
	}
}

// repository checks where a git repository is that can be pushed to.
func (k *checker) repository(at, value string) {
	const rule = "must be a git repository that can be pushed to: git@HOST:PATH, ssh://, https://, http://, file:// or a path"
	scheme, _, hasScheme := strings.Cut(value, "://")
	switch {
	case value == "":
		k.add(at, nil, "is required", "leave out the whole of scm to keep no history")
	case strings.ContainsFunc(value, func(r rune) bool { return r <= ' ' || r == 0x7f }) || strings.HasPrefix(value, "-"):
		k.add(at, redacted(value), rule, "")
	case hasScheme:
		u, err := url.Parse(value)
		if scheme == "git" {
			k.add(at, redacted(value), "git:// cannot be pushed to", "use ssh:// or https://")
			return
		}
		known := scheme == "ssh" || scheme == "https" || scheme == "http" || scheme == "file"
		if !known || err != nil || (u.Host == "" && scheme != "file") || u.Path == "" || u.Path == "/" {
			k.add(at, redacted(value), rule, "")
		}
		k.noPassword(at, value)
	case strings.HasPrefix(value, "/"), strings.HasPrefix(value, "./"), strings.HasPrefix(value, "../"), strings.HasPrefix(value, "~/"):
	case !gitSSH.MatchString(value):
		k.add(at, value, rule, "begin a path with / or ./")
	}
}

// noPassword refuses a URL that carries a password.
func (k *checker) noPassword(at, value string) {
	u, err := url.Parse(value)
	if err != nil || u.User == nil {
		return
	}
	if _, has := u.User.Password(); has {
		k.add(at, redacted(value), "must not contain a password: a secret itself must not be in this file", "use a key, or a credential helper of git")
	}
}

// redacted is a URL without what stands before its @.
func redacted(value string) string {
	scheme, rest, ok := strings.Cut(value, "://")
	authority, path, slash := strings.Cut(rest, "/")
	if at := strings.LastIndexByte(authority, '@'); ok && at >= 0 {
		value = scheme + "://..." + authority[at:]
		if slash {
			value += "/" + path
		}
	}
	return value
}

func (k *checker) atLeast(at string, d Duration, least time.Duration) {
	if d.Duration() < least {
		k.add(at, d, "must be at least "+Duration(least).String(), "")
	}
}

func (k *checker) cloud(c Cloud) {
	k.oneOf("jenkins.cloud.line", string(c.Line), []string{string(LineHTTP), string(LineLibmesos)})
	labels := map[string]int{}
	for i, t := range c.Templates {
		at := fmt.Sprintf("jenkins.cloud.templates[%d]", i)
		switch first, twice := labels[t.Label]; {
		case t.Label == "":
			k.add(at+".label", nil, "is required", "builds ask for build agents by this label")
		case !nodeLabel.MatchString(t.Label):
			k.add(at+".label", t.Label, "must be one label of letters, digits, dots, dashes and underscores", "")
		case twice:
			k.add(at+".label", t.Label, fmt.Sprintf("is the label of templates[%d] already", first), "")
		default:
			labels[t.Label] = i
		}
		k.amount(at+".cpus", t.CPUs, 0.01)
		k.size(at+".mem", t.Mem)
		k.atLeast(at+".idle", t.Idle, time.Second)
		k.oneOf(at+".docker", string(t.Docker), []string{string(DockerNone), string(DockerSocket), string(DockerDind)})
		k.image(at+".image", t.Image)
		k.template(at, t, c.Line)
	}
}

func (k *checker) image(at, name string) {
	if strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
		k.add(at, name, "must be the name of an image", "")
	}
}

// fit refuses what no Mesos agent of target local could ever run.
func (k *checker) fit(c *Cluster) {
	if c.Target != TargetLocal || c.Local == nil || c.Local.Resources.CPUs <= 0 || c.Local.Resources.Mem <= 0 {
		return
	}
	var most Resources
	for _, h := range c.HostsWith(RoleMesosAgent) {
		have := c.Local.Resources
		if h.Reserve != nil {
			have.CPUs, have.Mem = have.CPUs-h.Reserve.CPUs, have.Mem-h.Reserve.Mem
		}
		most.CPUs, most.Mem = max(most.CPUs, have.CPUs), max(most.Mem, have.Mem)
	}
	if most == (Resources{}) {
		return // reported elsewhere
	}
	ask := func(at string, cpus float64, mem, extra Size) {
		if cpus > most.CPUs {
			k.add(at+".cpus", cpus, fmt.Sprintf("no Mesos agent has so many: the largest offers %v", most.CPUs), "lower it or raise local.resources.cpus")
		}
		if mem+extra > most.Mem {
			what := mem.String()
			if extra > 0 {
				what = fmt.Sprintf("%v and %v for its JVM", mem, extra)
			}
			k.add(at+".mem", what, fmt.Sprintf("no Mesos agent has so much: the largest offers %v", most.Mem), "lower it or raise local.resources.mem")
		}
	}
	ask("jenkins.app", c.Jenkins.App.CPUs, c.Jenkins.App.Mem, 0)
	for i, t := range c.Jenkins.Cloud.Templates {
		ask(fmt.Sprintf("jenkins.cloud.templates[%d]", i), t.CPUs, t.Mem, buildAgentOverhead)
	}
}

func (k *checker) backup(b *Backup) {
	if b == nil {
		return
	}
	switch {
	case strings.TrimSpace(b.Repository) == "" || strings.ContainsFunc(b.Repository, unprintable):
		k.add("backup.repository", nil, "is required", "a path, or sftp:USER@HOST:PATH")
	case strings.Contains(b.Repository, "://"):
		_, address, _ := strings.Cut(b.Repository, ":")
		if strings.Contains(b.Repository[:strings.Index(b.Repository, "://")], ":") {
			k.noPassword("backup.repository", address) // rest:https://..., s3:https://...
		} else {
			k.noPassword("backup.repository", b.Repository)
		}
	}
	if b.Password == "" {
		k.add("backup.password", nil, "is required", "env:NAME or file:PATH")
	}
	k.secret("backup.password", b.Password)
	k.secret("backup.key", b.Key)
	k.secret("backup.environment", b.Environment)
	if _, _, err := b.Calendar(); err != nil {
		k.add("backup.schedule", b.Schedule, "must be HH:MM, a day and HH:MM as in `sat 02:30`, hourly or off", "")
	}
	if b.Keep.Last < 0 || b.Keep.Weekly < 0 || b.Keep.Last+b.Keep.Weekly == 0 {
		k.add("backup.keep", fmt.Sprintf("last %d, weekly %d", b.Keep.Last, b.Keep.Weekly), "must keep at least one backup", "")
	}
}

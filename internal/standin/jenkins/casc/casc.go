// Package casc reads the part of Configuration as Code that the project writes: jenkins.{numExecutors, mode, labelString,
// slaveAgentPort, quietPeriod, systemMessage, securityRealm.local, authorizationStrategy, clouds[].mesos} and
// unclassified.location. Everything else is reported as unknown.
package casc

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"sort"
	"strings"

	"github.com/goccy/go-yaml"

	"github.com/jomctl/jomctl/internal/standin/jenkins/cloud"
)

// Document is what a configuration says; nil fields are not mentioned.
type Document struct {
	NumExecutors, AgentPort, QuietPeriod *int
	Mode, LabelString, SystemMessage     *string
	LocalRealm                           *Realm
	// Strategy is "loggedIn" or "unsecured", "" when not mentioned.
	Strategy      string
	AnonymousRead bool
	// Clouds is set when clouds are mentioned; it replaces all clouds.
	HasClouds bool
	Clouds    []cloud.Config
	RootURL   *string
}

// Realm is securityRealm.local.
type Realm struct {
	AllowsSignup bool
	Users        []User
}

// User is one account; Password is plain or begins with `#jbcrypt:`.
type User struct{ ID, Name, Password string }

// Files gives the documents that CASC_JENKINS_CONFIG names: a comma list of files and folders. A default that does not exist
// is no error.
func Files(setting, def string) ([]string, error) {
	if setting == "" {
		if _, err := os.Stat(def); err != nil {
			return nil, nil
		}
		return []string{def}, nil
	}
	var out []string
	for _, part := range strings.Split(setting, ",") {
		part = strings.TrimSpace(part)
		if strings.Contains(part, "://") {
			return nil, fmt.Errorf("CASC_JENKINS_CONFIG: the stand-in reads no URLs (%s)", part)
		}
		info, err := os.Stat(part)
		if err != nil {
			return nil, fmt.Errorf("CASC_JENKINS_CONFIG: %w", err)
		}
		if !info.IsDir() {
			out = append(out, part)
			continue
		}
		err = filepath.WalkDir(part, func(path string, d os.DirEntry, err error) error {
			if ext := filepath.Ext(path); err == nil && !d.IsDir() && (ext == ".yaml" || ext == ".yml") {
				out = append(out, path)
			}
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("CASC_JENKINS_CONFIG: %w", err)
		}
	}
	sort.Strings(out)
	return out, nil
}

// Load reads and merges files: what a later one mentions wins, which is merge strategy override. All problems come together.
func Load(files []string) (*Document, []string) {
	out := &Document{}
	var problems []string
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			problems = append(problems, err.Error())
			continue
		}
		problems = append(problems, out.parse(data)...)
	}
	return out, problems
}

// Parse reads one document and says everything that is wrong with it.
func Parse(data []byte) (*Document, []string) {
	d := &Document{}
	return d, d.parse(data)
}

func (d *Document) parse(data []byte) []string {
	var root map[string]any
	if err := yaml.Unmarshal(data, &root); err != nil {
		return []string{"YAML: " + err.Error()}
	}
	r := &reader{}
	m := r.mapping("", root, "jenkins", "unclassified")
	if j, ok := m["jenkins"]; ok {
		d.jenkins(r, j)
	}
	if u, ok := m["unclassified"]; ok {
		um := r.mapping("unclassified", u, "location")
		if l, ok := um["location"]; ok {
			lm := r.mapping("location", l, "url", "adminAddress")
			d.RootURL = r.text(lm, "url")
		}
	}
	return r.problems
}

func (d *Document) jenkins(r *reader, value any) {
	m := r.mapping("jenkins", value, "numExecutors", "mode", "labelString", "slaveAgentPort", "quietPeriod", "systemMessage", "securityRealm",
		"authorizationStrategy", "clouds", "nodeName")
	d.NumExecutors = r.intp(m, "numExecutors", d.NumExecutors)
	d.AgentPort = r.intp(m, "slaveAgentPort", d.AgentPort)
	d.QuietPeriod = r.intp(m, "quietPeriod", d.QuietPeriod)
	for name, target := range map[string]**string{"mode": &d.Mode, "labelString": &d.LabelString, "systemMessage": &d.SystemMessage} {
		if v := r.text(m, name); v != nil {
			*target = v
		}
	}
	if v, ok := m["securityRealm"]; ok {
		d.realm(r, v)
	}
	if v, ok := m["authorizationStrategy"]; ok {
		d.strategy(r, v)
	}
	if v, ok := m["clouds"]; ok {
		d.HasClouds, d.Clouds = true, nil
		for _, item := range r.list("clouds", v) {
			cm := r.mapping("clouds", item, "mesos")
			if mesos, ok := cm["mesos"]; ok {
				d.Clouds = append(d.Clouds, readCloud(r, mesos))
			}
		}
	}
}

func (d *Document) realm(r *reader, value any) {
	m := r.mapping("securityRealm", value, "local")
	local, ok := m["local"]
	if !ok {
		return
	}
	lm := r.mapping("local", local, "allowsSignup", "enableCaptcha", "users")
	realm := &Realm{AllowsSignup: r.boolean(lm, "allowsSignup", false)}
	for _, item := range r.list("users", lm["users"]) {
		um := r.mapping("users", item, "id", "name", "description", "password", "properties")
		u := User{ID: r.str(um, "id", ""), Name: r.str(um, "name", ""), Password: r.str(um, "password", "")}
		if u.ID == "" {
			r.fail("users: id is required")
			continue
		}
		realm.Users = append(realm.Users, u)
	}
	d.LocalRealm = realm
}

func (d *Document) strategy(r *reader, value any) {
	if s, ok := value.(string); ok {
		switch s {
		case "unsecured":
			d.Strategy = s
		case "loggedInUsersCanDoAnything":
			// The constructor's default, as written without attributes.
			d.Strategy, d.AnonymousRead = "loggedIn", true
		default:
			r.fail("authorizationStrategy: no implementation named " + s)
		}
		return
	}
	m := r.mapping("authorizationStrategy", value, "loggedInUsersCanDoAnything", "unsecured")
	if v, ok := m["loggedInUsersCanDoAnything"]; ok {
		lm := r.mapping("loggedInUsersCanDoAnything", v, "allowAnonymousRead")
		d.Strategy, d.AnonymousRead = "loggedIn", r.boolean(lm, "allowAnonymousRead", true)
	} else if _, ok := m["unsecured"]; ok {
		d.Strategy = "unsecured"
	}
}

var variable = regexp.MustCompile(`\^?\$\{([^}]*)\}`)

// expand replaces ${VAR} and ${VAR:-default} by the environment; ^${x} stays as ${x}. An unknown one leaves the empty string.
func expand(text string) string {
	return variable.ReplaceAllStringFunc(text, func(m string) string {
		if strings.HasPrefix(m, "^") {
			return m[1:]
		}
		name, def, _ := strings.Cut(m[2:len(m)-1], ":-")
		if v, ok := os.LookupEnv(name); ok {
			return v
		}
		return def
	})
}

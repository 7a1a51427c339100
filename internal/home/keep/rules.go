// Package keep says what of a JENKINS_HOME its history keeps: which files, under which names, and whether a content may be
// kept at all. It reads files whole or not at all, and knows nothing of git.
package keep

import (
	"path"
	"strings"
)

// Rule is one line of the table: files (or whole folders) and whether they are kept, with the reason.
type Rule struct {
	// Pattern is a path relative to its scope in the form of path.Match; one that ends in /** is a folder with all in it.
	Pattern string
	Keep    bool
	Why     string
}

// Rules returns the table in the order in which it is read: the first rule that matches decides, and what no rule names is
// not kept. A job scope is jobs/NAME, at any depth of folders.
func Rules() (home, job []Rule) { return homeRules(), jobRules() }

func homeRules() []Rule {
	never := func(why string, patterns ...string) []Rule { return rules(false, why, patterns) }
	kept := func(why string, patterns ...string) []Rule { return rules(true, why, patterns) }
	return join(
		never("half-written", "*-atomic*tmp", "*.tmp", ".*"),
		never("the queue changes all the time", "queue.xml*"),
		never("a copy that Jenkins makes", "*.bak", "*.xml.bak"),
		never("a secret, which only the encrypted backup may hold", "credentials.xml", "secret.key*", "identity.key*", "*.key", "*.pem", "*.p12", "*.jks"),
		never("belongs to the identity of one controller", "jenkins.telemetry.Correlator.xml"),
		never("lists running builds", "org.jenkinsci.plugins.workflow.flow.FlowExecutionList.xml"),
		kept("the settings of Jenkins and its plugins", "*.xml"),
		kept("configuration as code", "jenkins.yaml", "jenkins.yml", "casc_configs/**", "casc/**"),
		kept("served to browsers", "userContent/**"),
		kept("run at the start", "init.groovy.d/**"),
		kept("a build agent that is not from a cloud", "nodes/*/config.xml"),
		kept("an account", "users/*/config.xml"),
	)
}

func jobRules() []Rule {
	return join(
		rules(false, "a secret of a folder", []string{"credentials.xml"}),
		rules(true, "a job", []string{"config.xml"}),
		rules(true, "a promotion of a job", []string{"promotions/*/config.xml"}),
	)
}

func rules(keep bool, why string, patterns []string) []Rule {
	var all []Rule
	for _, pattern := range patterns {
		all = append(all, Rule{Pattern: pattern, Keep: keep, Why: why})
	}
	return all
}

func join(parts ...[]Rule) []Rule {
	var all []Rule
	for _, part := range parts {
		all = append(all, part...)
	}
	return all
}

// Table decides about paths.
type Table struct{ home, job []Rule }

// NewTable returns the table of Rules.
func NewTable() *Table {
	home, job := Rules()
	return &Table{home, job}
}

// File says whether a file of the home is kept; name is relative to the home, with slashes.
func (t *Table) File(name string) bool { return t.file(name) && !reserved(name) }

func (t *Table) file(name string) bool {
	scope, rest := t.scope(name)
	base := path.Base(rest)
	if strings.HasSuffix(base, "tmp") && strings.Contains(base, "-atomic") { // in every folder: what a save has not finished
		return false
	}
	for _, rule := range scope {
		if rule.matches(rest) {
			return rule.Keep
		}
	}
	return false
}

// Folder says whether a folder may hold kept files at any depth, and so must be looked into and watched.
func (t *Table) Folder(name string) bool { return t.folder(name) && !reserved(name) }

func (t *Table) folder(name string) bool {
	if name == "" || name == "." {
		return true
	}
	scope, rest := t.scope(name)
	if rest == "" || rest == "jobs" {
		return true
	}
	for _, rule := range scope {
		if rule.Keep && rule.leadsThrough(rest) {
			return true
		}
	}
	return false
}

// scope takes jobs/NAME off the front as often as it is there.
func (t *Table) scope(name string) ([]Rule, string) {
	scope := t.home
	for {
		rest, ok := strings.CutPrefix(name, "jobs/")
		if !ok || rest == "" {
			return scope, name
		}
		scope = t.job
		_, name, _ = strings.Cut(rest, "/")
	}
}

func (r Rule) matches(name string) bool {
	if folder, ok := strings.CutSuffix(r.Pattern, "/**"); ok {
		return strings.HasPrefix(name, folder+"/")
	}
	ok, err := path.Match(r.Pattern, name)
	return err == nil && ok
}

// leadsThrough says whether files below the folder can match.
func (r Rule) leadsThrough(folder string) bool {
	if tree, ok := strings.CutSuffix(r.Pattern, "/**"); ok {
		return folder == tree || strings.HasPrefix(folder, tree+"/")
	}
	parts := strings.Split(r.Pattern, "/")
	depth := strings.Count(folder, "/") + 1
	if depth >= len(parts) {
		return false
	}
	ok, err := path.Match(strings.Join(parts[:depth], "/"), folder)
	return err == nil && ok
}

// JobOfNumber returns the job (jobs/a/jobs/b) whose nextBuildNumber file this is.
func JobOfNumber(name string) (job string, ok bool) {
	job, ok = strings.CutSuffix(name, "/nextBuildNumber")
	if !ok || !strings.HasPrefix(job, "jobs/") {
		return "", false
	}
	parts := strings.Split(job, "/")
	for i := 0; i < len(parts); i += 2 {
		if parts[i] != "jobs" {
			return "", false
		}
	}
	return job, len(parts)%2 == 0
}

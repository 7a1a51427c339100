package backup

import (
	"path"
	"strings"
)

// LeftOut returns what of a home no backup holds, as path.Match patterns relative to the home; with a folder goes all that is below
// it. It is what Jenkins makes again by itself, and what belongs to one run. Everything else is in: a backup that knows what is
// needed would be wrong about the next plugin.
func LeftOut() []string {
	patterns := []string{
		"war", "updates", "caches", ".cache", ".java", "logs", // made again
		"plugins/*/*", // unpacked from the .jpi beside it
		"workspace",   // of builds on the controller
		"support", "monitoring",
		".jomctl/owner", ".jomctl/restore", // the run's own
	}
	// A job's own workspace; a job may itself be named workspace, so that its place in the tree decides.
	for job, depth := "jobs/*", 0; depth < 10; job, depth = job+"/jobs/*", depth+1 {
		patterns = append(patterns, job+"/workspace", job+"/workspace@*")
	}
	return patterns
}

// resticExcludes are the lines of restic's exclude file for a home: restic reads patterns and $VARIABLES in them, and matches
// absolute paths.
func resticExcludes(home string) string {
	var text strings.Builder
	for _, pattern := range LeftOut() {
		text.WriteString(path.Join(literal(home), pattern) + "\n")
	}
	return text.String()
}

// literal keeps restic from reading patterns and variables into a path.
func literal(name string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`, `$`, `$$`).Replace(name)
}

// leftOut says whether no backup holds the file or folder; its parents are known to be in.
func leftOut(patterns []string, name string) bool {
	for _, pattern := range patterns {
		if ok, err := path.Match(pattern, name); err == nil && ok {
			return true
		}
	}
	return false
}

// busy are files that change while nobody changes anything, and whose state at any moment is as good as at any other.
var busy = map[string]bool{"queue.xml": true, "apiTokenStats.xml": true, "nodeMonitors.xml": true,
	"org.jenkinsci.plugins.workflow.flow.FlowExecutionList.xml": true}

// still says whether a file must not change while a backup is taken: settings, jobs, accounts, secrets and credentials fit together
// only as they were at one moment.
func still(name string) bool {
	base := path.Base(name)
	switch {
	case busy[base] || strings.HasSuffix(base, "tmp"):
		return false
	case strings.HasPrefix(name, "secrets/"), strings.HasPrefix(name, ".jomctl/"), strings.HasSuffix(name, ".xml"):
		return true
	}
	return !strings.Contains(name, "/") && (strings.HasPrefix(base, "secret.key") || strings.HasPrefix(base, "identity.key"))
}

// moves says whether a folder may change while a backup is taken: builds go on.
func moves(name string) bool {
	switch path.Base(name) {
	case "builds", "indexing", "computation":
		return strings.HasPrefix(name, "jobs/") && !strings.HasSuffix(path.Dir(name), "/jobs") && path.Dir(name) != "jobs"
	}
	return name == "fingerprints" || name == "userContent"
}

package backup

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// Verdict is what was found in a restored home. Without problems it can be started.
type Verdict struct {
	// Files are all, XML those that were read from beginning to end, Bytes the size of all.
	Files int   `json:"files"`
	XML   int   `json:"xml"`
	Bytes int64 `json:"bytes"`
	Jobs  int   `json:"jobs"`
	Users int   `json:"users"`
	// Problems keep the backup from counting, Warnings do not: damaged records of builds, which cost these builds.
	Problems []string `json:"problems,omitempty"`
	Warnings []string `json:"warnings,omitempty"`
}

// Counts says whether a home can be made of it.
func (v Verdict) Counts() bool { return len(v.Problems) == 0 }

// most is how many problems or warnings are listed; a disk that is broken breaks everything.
const most = 50

func (v *Verdict) problem(format string, args ...any) { note(&v.Problems, format, args) }
func (v *Verdict) warning(format string, args ...any) { note(&v.Warnings, format, args) }

func note(to *[]string, format string, args []any) {
	switch {
	case len(*to) < most:
		*to = append(*to, fmt.Sprintf(format, args...))
	case len(*to) == most:
		*to = append(*to, "and more")
	}
}

// hashedUser is a folder of users/ that Jenkins finds only with a key in secrets/.
var hashedUser = regexp.MustCompile(`^users/[^/]*_[0-9a-f]{64}$`)

// noMasterKey is no trouble where the key is kept elsewhere.
const noMasterKey = "secrets/master.key is missing: encrypted values can be read only where it is kept elsewhere (jenkins.home.masterKey)"

// inspection is what a look at a restored home gathers.
type inspection struct {
	Verdict
	root              string
	encrypted, hashed bool
	realm             string
	folders           map[string]bool
}

// Inspect looks into a restored home: it reads every XML file that is Jenkins' own, and looks whether what Jenkins needs to start
// with the same jobs, accounts and credentials is there.
func Inspect(root string) (Verdict, error) {
	i := inspection{root: root, folders: map[string]bool{}}
	err := filepath.WalkDir(root, func(full string, entry fs.DirEntry, err error) error {
		name, relErr := filepath.Rel(root, full)
		if err = errors.Join(err, relErr); err != nil {
			return err
		}
		if entry.IsDir() {
			i.folder(filepath.ToSlash(name))
			return nil
		}
		return i.file(filepath.ToSlash(name), entry)
	})
	if err != nil {
		return i.Verdict, fmt.Errorf("looking into the restored home: %w", err)
	}
	i.conclude()
	return i.Verdict, nil
}

func (i *inspection) folder(name string) {
	i.hashed = i.hashed || hashedUser.MatchString(name)
	if isJob(name) {
		i.folders[name] = true
	}
}

// isJob says whether a folder is jobs/NAME, at any depth of jobs.
func isJob(name string) bool {
	parts := strings.Split(name, "/")
	for at := 0; at < len(parts); at += 2 {
		if parts[at] != "jobs" {
			return false
		}
	}
	return len(parts)%2 == 0
}

func (i *inspection) file(name string, entry fs.DirEntry) error {
	info, err := entry.Info()
	if err != nil {
		return err
	}
	i.Files, i.Bytes = i.Files+1, i.Bytes+info.Size()
	if !entry.Type().IsRegular() || !strings.HasSuffix(name, ".xml") {
		return nil
	}
	what := kindOf(name)
	if what == others {
		return nil
	}
	dir, base := path.Split(name)
	ofJob := base == "config.xml" && isJob(path.Clean(dir))
	if ofJob {
		i.folders[path.Clean(dir)] = false
	}
	doc, err := readXML(filepath.Join(i.root, filepath.FromSlash(name)))
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrPermission):
		return err
	case err != nil && what == ofBuild:
		i.warning("%s cannot be read: %v", name, err)
		return nil
	case err != nil:
		i.problem("%s cannot be read: %v", name, err)
		return nil
	}
	i.XML++
	i.encrypted = i.encrypted || doc.encrypted
	switch {
	case name == "config.xml":
		i.realm = doc.realm
		if doc.root != "hudson" {
			i.problem("config.xml is <%s>, and not that of Jenkins, <hudson>", doc.root)
		}
	case ofJob:
		i.Jobs++
	case base == "config.xml" && strings.Count(name, "/") == 2 && strings.HasPrefix(name, "users/"):
		i.Users++
	}
	return nil
}

// kind is whose an XML file is.
type kind int

const (
	ofJenkins kind = iota
	ofBuild
	others
)

// kindOf tells Jenkins' own files from those of builds, and from what builds and people have put there. changelog.xml is XML only
// in name for some of the plugins that write it.
func kindOf(name string) kind {
	if strings.HasPrefix(name, "userContent/") || strings.HasPrefix(name, "workspace/") || strings.HasPrefix(name, ".") {
		return others
	}
	inBuild, ok := belowBuilds(name)
	if !ok {
		return ofJenkins
	}
	parts := strings.Split(inBuild, "/")
	switch {
	case len(parts) == 2 && !strings.HasPrefix(parts[1], "changelog"),
		len(parts) == 3 && strings.HasPrefix(parts[1], "workflow"):
		return ofBuild
	}
	return others
}

// belowBuilds is what of a path lies below a builds folder of a job, a branch or a part of a job; a job may itself be named builds.
func belowBuilds(name string) (string, bool) {
	if !strings.HasPrefix(name, "jobs/") {
		return "", false
	}
	parts := strings.Split(name, "/")
	for len(parts) > 2 && (parts[0] == "jobs" || parts[0] == "branches") {
		parts = parts[2:]
	}
	at := slices.Index(parts, "builds")
	return strings.Join(parts[at+1:], "/"), at >= 0
}

// conclude looks for what is missing.
func (i *inspection) conclude() {
	missing := func(name string) bool {
		info, err := os.Stat(filepath.Join(i.root, name))
		return err != nil || info.Mode().IsRegular() && info.Size() == 0
	}
	if missing("config.xml") {
		i.problem("config.xml is missing: Jenkins would start without security")
	}
	if missing("secrets") {
		i.warning("secrets is missing: agents and accounts that Jenkins has given secrets to would need new ones")
	}
	for name, without := range i.folders {
		if without {
			i.warning("%s has no config.xml: Jenkins ignores it", name)
		}
	}
	if i.Users == 0 && strings.Contains(i.realm, "HudsonPrivateSecurityRealm") {
		i.problem("no account is there, and Jenkins keeps its accounts itself: nobody could log in")
	}
	if i.hashed && missing("secrets/hudson.model.User.DIRNAMES") {
		i.problem("secrets/hudson.model.User.DIRNAMES is missing: without it Jenkins finds none of its accounts")
	}
	if i.encrypted && missing("secrets/hudson.util.Secret") {
		i.problem("secrets/hudson.util.Secret is missing: the passwords and credentials that are encrypted with it cannot be read")
	}
	if i.encrypted && missing("secrets/master.key") {
		i.warning(noMasterKey)
	}
}

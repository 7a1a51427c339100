// Package images makes the container images of a cluster: a controller with the war, the plugins and the configuration of a
// release, and build agents. An image is a chain of links, each a small Dockerfile on the one before, from what seldom changes to
// what often does. The tag of a link is the digest of all that goes into it, so that what is there need not be built again.
package images

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
)

//go:embed contexts
var contexts embed.FS

// Repository is what the names of all links begin with, in the engine and in a registry.
const Repository = "jomctl/"

// Link is one image of a chain.
type Link struct {
	Name   string            // mesos-base, runtime, core, controller or agent; a rehearsal's begin with rehearsal-
	Folder string            // in contexts; empty: as Name
	Args   map[string]string // of the Dockerfile; BASE is given by the chain
	Files  []File            // in addition to those of the folder, or instead of one of the same path
}

// File is a file of a build context. It has a Source on disk or Content.
type File struct {
	Path    string // in the context, with slashes
	Source  string
	Content []byte
	SHA256  string // hex digits that a Source must have; empty where nothing is known
	Mode    int64
	Version string // of a plugin, for the lock in the image; empty where it is not known
}

// Release is what a controller's image is made of.
type Release struct {
	Content string // what it is, for people
	War     File   // SHA256 is required
	Plugins []File
	Seed    []File // configuration that an empty home begins with, paths as in the home
	Jomhome string // path of the program on disk
	Standin string // path of the stand-in, for a rehearsal, which has neither war nor plugins
}

// Runtime is what controller and build agents have in common.
type Runtime struct {
	Base     string   // image reference, best with its digest
	Java     string   // Debian package
	Packages []string // more Debian packages
	UserID   int      // of the user jenkins
	Mesos    []File   // packages of Mesos; none for the HTTP line of the plugin
}

func (r Runtime) links() []Link {
	var chain []Link
	if len(r.Mesos) > 0 {
		chain = append(chain, Link{Name: "mesos-base", Files: inFolder("packages", r.Mesos)})
	}
	args := map[string]string{"JAVA": r.Java, "PACKAGES": strings.Join(r.Packages, " "), "USER_ID": fmt.Sprint(r.UserID)}
	return append(chain, Link{Name: "runtime", Args: args})
}

// The names of the images that are run; those of a rehearsal have names of their own, so that none is taken for a real one.
const (
	ControllerName = "controller"
	AgentName      = "agent"
	Rehearsal      = "rehearsal-"
)

// Controller is the chain of a controller's image: a change of the configuration alone makes only the last link anew.
func Controller(runtime Runtime, release Release) ([]Link, error) {
	last := Link{Name: ControllerName, Args: map[string]string{"CONTENT": release.Content, "USER_ID": fmt.Sprint(runtime.UserID)},
		Files: append([]File{{Path: "jomhome", Source: release.Jomhome, Mode: 0o755}}, inFolder("seed", release.Seed)...)}
	if release.Standin != "" {
		last.Name, last.Folder = Rehearsal+ControllerName, ControllerName
		return append(runtime.links(), Link{Name: Rehearsal + "core", Files: standin(release.Standin)}, last), nil
	}
	release.War.Path = "jenkins.war"
	for _, f := range append([]File{release.War}, release.Plugins...) {
		if f.SHA256 == "" {
			return nil, fmt.Errorf("make the controller's image: no sha256 is known for %s", f.Source)
		}
	}
	lock, err := pluginLock(release.Plugins)
	if err != nil {
		return nil, err
	}
	return append(runtime.links(), Link{Name: "core", Files: append([]File{release.War, lock}, inFolder("plugins", release.Plugins)...)}, last), nil
}

// pluginLock is the file that the first process compares the plugins with before each start.
func pluginLock(plugins []File) (File, error) {
	type locked struct {
		Name    string `json:"name"`
		Version string `json:"version"`
		SHA256  string `json:"sha256"`
	}
	all := []locked{}
	for _, f := range plugins {
		if f.Version != "" {
			all = append(all, locked{strings.TrimSuffix(f.Path, path.Ext(f.Path)), f.Version, f.SHA256})
		}
	}
	text, err := json.MarshalIndent(all, "", "  ")
	if err != nil {
		return File{}, fmt.Errorf("make the lock of the plugins: %w", err)
	}
	return File{Path: "plugins.json", Content: append(text, '\n')}, nil
}

// Access is the Docker Engine that builds have.
type Access string

// The kinds of access: none, that of the host, or one of the build agent's own.
const (
	AccessNone   Access = ""
	AccessSocket Access = "socket"
	AccessDind   Access = "dind"
)

// Agent is the chain of a build agent's image. With the path of the stand-in it is that of a rehearsal, as no other Java runs the
// agent.jar of a stand-in. Docker lies on top, so that all kinds share the rest.
func Agent(runtime Runtime, rehearsal string, access Access) []Link {
	args := map[string]string{"CONTENT": runtime.Java}
	last := Link{Name: AgentName, Args: args}
	if rehearsal != "" {
		args["CONTENT"] = "the stand-in as java"
		last = Link{Name: Rehearsal + AgentName, Args: args, Files: standin(rehearsal)}
	}
	chain := append(runtime.links(), last)
	if access == AccessNone {
		return chain
	}
	folder := AgentName + "-" + string(access)
	name := strings.TrimSuffix(last.Name, AgentName) + folder
	return append(chain, Link{Name: name, Folder: folder, Args: map[string]string{"CONTENT": args["CONTENT"] + ", docker: " + string(access)}})
}

// Contexts is the digest of all Dockerfiles and files that this program makes images with.
func Contexts() string {
	h := sha256.New()
	_ = fs.WalkDir(contexts, ".", func(name string, entry fs.DirEntry, err error) error { // an embedded folder can always be read
		if err == nil && !entry.IsDir() {
			text, _ := contexts.ReadFile(name)
			_, _ = fmt.Fprintf(h, "%q %d\n%s", name, len(text), text)
		}
		return err
	})
	return hex.EncodeToString(h.Sum(nil))[:20]
}

func standin(source string) []File { return []File{{Path: "standin", Source: source, Mode: 0o755}} }

func inFolder(folder string, files []File) []File {
	out := slices.Clone(files)
	for i := range out {
		out[i].Path = path.Join(folder, out[i].Path)
	}
	return out
}

// context gives all files of a link in order of their paths, each with its sha256, which is checked where one is expected.
func (l Link) context() ([]File, error) {
	files, err := l.embedded()
	if err != nil {
		return nil, err
	}
	files = append(files, l.Files...)
	slices.SortFunc(files, func(a, b File) int { return strings.Compare(a.Path, b.Path) })
	for i := range files {
		if err := files[i].seal(); err != nil {
			return nil, fmt.Errorf("make the image %s: %w", l.Name, err)
		}
		if i > 0 && files[i].Path == files[i-1].Path {
			return nil, fmt.Errorf("make the image %s: %s is there twice", l.Name, files[i].Path)
		}
	}
	return files, nil
}

// embedded are the files of the link's folder, but those that the link brings itself.
func (l Link) embedded() (files []File, err error) {
	folder := path.Join("contexts", l.Name)
	if l.Folder != "" {
		folder = path.Join("contexts", l.Folder)
	}
	err = fs.WalkDir(contexts, folder, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := contexts.ReadFile(name)
		file := File{Path: strings.TrimPrefix(name, folder+"/"), Content: text, Mode: 0o644}
		if bytes.HasPrefix(text, []byte("#!")) {
			file.Mode = 0o755
		}
		if !slices.ContainsFunc(l.Files, func(own File) bool { return own.Path == file.Path }) {
			files = append(files, file)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("make the image %q: %w", l.Name, err)
	}
	return files, nil
}

// MismatchError is a file that is another one than it must be. Nothing is built with it.
type MismatchError struct{ Place, Got, Want string }

// Error shows both checksums.
func (e *MismatchError) Error() string {
	return fmt.Sprintf("%s has the sha256 %s, and must have %s", e.Place, e.Got, e.Want)
}

// ExitCode is that of a refusal.
func (e *MismatchError) ExitCode() int { return 3 }

// Hint is the fix.
func (e *MismatchError) Hint() string {
	return "the file is damaged, or another one: take it again from where it came, or correct the sha256 that it must have"
}

// seal finds the file's sha256 and compares it with the one that is expected.
func (f *File) seal() error {
	if clean := path.Clean(f.Path); clean != f.Path || path.IsAbs(clean) || strings.HasPrefix(clean, "..") {
		return fmt.Errorf("%q is no path within a context", f.Path)
	}
	if f.Mode == 0 {
		f.Mode = 0o644
	}
	sum, err := f.sum()
	if err != nil {
		return err
	}
	if f.SHA256 != "" && f.SHA256 != sum {
		return &MismatchError{f.Source, sum, f.SHA256}
	}
	f.SHA256 = sum
	return nil
}

func (f *File) sum() (string, error) {
	h := sha256.New()
	if f.Source == "" {
		h.Write(f.Content)
		return hex.EncodeToString(h.Sum(nil)), nil
	}
	file, err := os.Open(f.Source)
	if err != nil {
		return "", fmt.Errorf("read a file of an image: %w", err)
	}
	defer func() { _ = file.Close() }()
	if _, err := io.Copy(h, file); err != nil {
		return "", fmt.Errorf("read a file of an image: %w", err)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// tag is the digest of all that goes into a link: what it stands on, its arguments and its files.
func tag(base string, args map[string]string, files []File) string {
	h := sha256.New()
	_, _ = fmt.Fprintf(h, "base %q\n", base) // a hash takes everything
	for _, key := range slices.Sorted(maps.Keys(args)) {
		_, _ = fmt.Fprintf(h, "arg %q %q\n", key, args[key])
	}
	for _, f := range files {
		_, _ = fmt.Fprintf(h, "file %q %o %s\n", f.Path, f.Mode, f.SHA256)
	}
	return hex.EncodeToString(h.Sum(nil))[:20]
}

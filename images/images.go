// Package images makes the container images of a cluster: a controller with the war, the plugins and the configuration of a
// release, and build agents. An image is a chain of links, each a small Dockerfile on the one before, from what seldom changes to
// what often does. The tag of a link is the digest of all that goes into it, so that what is there need not be built again.
package images

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io"
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
	Name  string            // mesos-base, runtime, core, controller or agent
	Args  map[string]string // of the Dockerfile; BASE is given by the chain
	Files []File            // besides those of the link's folder in contexts
}

// File is a file of a build context. It has a Source on disk or Content.
type File struct {
	Path    string // in the context, with slashes
	Source  string
	Content []byte
	SHA256  string // hex digits that a Source must have; empty where nothing is known
	Mode    int64
}

// Release is what a controller's image is made of.
type Release struct {
	War     File // SHA256 is required
	Plugins []File
	Seed    []File // configuration that an empty home begins with, paths as in the home
	Jomhome string // path of the program on disk
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

// Controller is the chain of a controller's image: a change of the configuration alone makes only the last link anew.
func Controller(runtime Runtime, release Release) ([]Link, error) {
	release.War.Path = "jenkins.war"
	for _, f := range append([]File{release.War}, release.Plugins...) {
		if f.SHA256 == "" {
			return nil, fmt.Errorf("make the controller's image: no sha256 is known for %s", f.Source)
		}
	}
	return append(runtime.links(),
		Link{Name: "core", Files: append([]File{release.War}, inFolder("plugins", release.Plugins)...)},
		Link{Name: "controller", Files: append([]File{{Path: "jomhome", Source: release.Jomhome, Mode: 0o755}}, inFolder("seed", release.Seed)...)},
	), nil
}

// Agent is the chain of a build agent's image.
func Agent(runtime Runtime) []Link {
	return append(runtime.links(), Link{Name: "agent"})
}

func inFolder(folder string, files []File) []File {
	out := slices.Clone(files)
	for i := range out {
		out[i].Path = path.Join(folder, out[i].Path)
	}
	return out
}

// context gives all files of a link in order of their paths, each with its sha256, which is checked where one is expected.
func (l Link) context() ([]File, error) {
	folder := path.Join("contexts", l.Name)
	entries, err := contexts.ReadDir(folder)
	if err != nil {
		return nil, fmt.Errorf("there is no image %q: %w", l.Name, err)
	}
	files := slices.Clone(l.Files)
	for _, entry := range entries {
		text, err := contexts.ReadFile(path.Join(folder, entry.Name()))
		if err != nil {
			return nil, err
		}
		file := File{Path: entry.Name(), Content: text, Mode: 0o755}
		if entry.Name() == "Dockerfile" {
			file.Mode = 0o644
		}
		files = append(files, file)
	}
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
		return fmt.Errorf("%s has the sha256 %s, expected is %s: remove the file, so that it is fetched again", f.Source, sum, f.SHA256)
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

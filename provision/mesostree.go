package provision

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
)

// launcher is the program that an agent starts every task with.
const launcher = "mesos-containerizer"

// launcherDefault is where the help of mesos-agent names the folder that it was built for.
var launcherDefault = regexp.MustCompile(`(?s)--launcher_dir=VALUE.*?\(default: ([^)\s]+)\)`)

// mesosTree is the folders in which a Mesos lies: a prefix, an unpacked package, a built source tree, or one folder with
// all programs. The first is what the user named.
type mesosTree []string

// newMesosTree looks around a folder: in the only folder below it (an archive's own top folder), above it where it is a
// bin or sbin itself, and where links lead to.
func newMesosTree(dir string) mesosTree {
	if dir == "" {
		return nil
	}
	tree := mesosTree(unpacked(dir))
	if base := filepath.Base(dir); base == "bin" || base == "sbin" {
		tree = append(tree, filepath.Dir(dir))
	}
	if agent := tree.program("mesos-agent"); agent != "" {
		if real, err := filepath.EvalSymlinks(agent); err == nil && real != agent {
			tree = append(tree, filepath.Dir(filepath.Dir(real)))
		}
	}
	return tree
}

// String is the folder that the user named.
func (t mesosTree) String() string { return t[0] }

// unpacked is a folder, and the folder in it where it has only one: what unpacking an archive gives.
func unpacked(dir string) []string {
	all := []string{dir}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return all
	}
	entries = slices.DeleteFunc(entries, func(e os.DirEntry) bool { return e.Name()[0] == '.' || !e.IsDir() })
	if len(entries) == 1 {
		all = append(all, filepath.Join(dir, entries[0].Name()))
	}
	return all
}

// find is the first path that suits, folder by folder.
func (t mesosTree) find(suits func(string) bool, rels ...string) string {
	for _, dir := range t {
		for _, rel := range rels {
			if path := filepath.Join(dir, rel); suits(path) {
				return path
			}
		}
	}
	return ""
}

func (t mesosTree) program(name string) string {
	// In a built tree the wrapper scripts come first, as only they know where the rest of the tree is.
	return t.find(executable, "sbin/"+name, "bin/"+name, "usr/sbin/"+name, "usr/bin/"+name, "usr/local/sbin/"+name, name,
		"bin/"+name+".sh", "build/bin/"+name+".sh", "src/"+name, "build/src/"+name, "build/bin/"+name)
}

// launcherDir is the folder for --launcher_dir, or empty. An installation has it in libexec, a build beside the agent.
func (t mesosTree) launcherDir() string {
	path := t.find(executable, "libexec/mesos/"+launcher, "usr/libexec/mesos/"+launcher, "usr/local/libexec/mesos/"+launcher,
		"lib/mesos/"+launcher, "usr/lib/mesos/"+launcher, "src/"+launcher, "build/src/"+launcher, "bin/"+launcher, "sbin/"+launcher,
		"usr/bin/"+launcher, "build/bin/"+launcher, launcher)
	if path == "" {
		return ""
	}
	return filepath.Dir(path)
}

func (t mesosTree) webUI() string {
	index := t.find(readable, "share/mesos/webui/index.html", "usr/share/mesos/webui/index.html", "src/webui/index.html", "../src/webui/index.html")
	if index == "" {
		return ""
	}
	return filepath.Dir(index)
}

// libraries are all libmesos of the tree, the likeliest first.
func (t mesosTree) libraries() []string {
	var all []string
	for _, root := range t {
		for _, folder := range []string{"lib", "lib64", "lib/*-linux-gnu*", "usr/lib", "usr/lib64", "usr/lib/*-linux-gnu*", "usr/local/lib",
			"src/.libs", "build/src/.libs", "src", "build/src", "build/lib", "."} {
			// Without the link of a development package there is only libmesos-1.11.0.so or libmesos.so.1.11.0.
			for _, pattern := range []string{"libmesos.so", "libmesos-*.so", "libmesos.so.*"} {
				found, _ := filepath.Glob(filepath.Join(root, folder, pattern))
				all = append(all, slices.DeleteFunc(found, func(path string) bool { return !readable(path) })...)
			}
		}
	}
	return all
}

// LibraryPath is the folder of a library that the dynamic linker would not find by itself, else empty.
func LibraryPath(library string) string { return searchPath(library) }

// searchPath is the folder of a library that the dynamic linker would not find by itself, else empty.
func searchPath(library string) string {
	dir := filepath.Dir(library)
	if library == "" || slices.Contains([]string{"/usr/lib", "/usr/local/lib", "/lib", "/lib64", "/usr/lib64"}, dir) {
		return ""
	}
	return dir
}

package provision

import (
	"debug/elf"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

var marathonJar = regexp.MustCompile(`(?i)marathon[-_.](\d+\.\d+\.\d+)[^/]*\.jar$`)

func (f *finder) marathon() {
	source := f.config.Components.Marathon.Source
	m := &f.found.Marathon
	if m.Standin = source.Standin; m.Standin {
		return
	}
	if !f.onlyPath("marathon", source) {
		return
	}
	dir := f.config.Resolve(source.Path)
	start := marathonStart(dir)
	switch {
	case start == "":
		f.add("marathon", "there is no program bin/marathon in "+dir, "set components.marathon.source.path to an unpacked Marathon")
		return
	case !executable(start):
		f.add("marathon", start+" may not be executed", "chmod +x "+start)
		return
	}
	m.Start = start
	jars, _ := filepath.Glob(filepath.Join(filepath.Dir(m.Start), "..", "lib", "*.jar"))
	for _, jar := range jars {
		if match := marathonJar.FindStringSubmatch(jar); match != nil {
			m.Version = match[1]
		}
	}
	if m.Version != "" && older(m.Version, minimumMarathon) {
		f.add("marathon", start+" is "+m.Version+", and jomctl knows how to work with "+minimumMarathon+" and newer", "use Marathon 1.11")
	}
	f.marathonJava()
	f.marathonLibrary()
}

// marathonStart is the start script of an unpacked Marathon, also where the folder holds the archive's own top folder.
func marathonStart(dir string) string {
	rels := []string{"bin/marathon", "usr/share/marathon/bin/marathon", "marathon/bin/marathon", "bin/start", "start"}
	for _, root := range unpacked(dir) {
		for _, rel := range rels {
			if path := filepath.Join(root, rel); regular(path) {
				return path
			}
		}
		if path := filepath.Join(root, "marathon"); filepath.Base(root) == "bin" && regular(path) {
			return path
		}
	}
	return ""
}

// marathonJava picks the Java: Marathon 1.11 was made for 8 and has been seen to run on 17; of newer ones nothing is known.
func (f *finder) marathonJava() {
	java, ok := NewestJava(f.javas, []int{8, 11, 17})
	if !ok {
		f.add("marathon", "needs Java 8, 11 or 17, and the machine has "+javaList(f.javas), "sudo apt-get install -y openjdk-17-jre-headless")
	}
	f.found.Marathon.Java = java
}

// marathonLibrary picks the libmesos that Marathon loads: the tree's own, else another one of this machine that has Java's
// part: it need not be the one that the masters use.
func (f *finder) marathonLibrary() {
	if f.found.Mesos.Standin {
		f.add("marathon", "a real Marathon speaks to real masters only, through libmesos", "give components.mesos a source path too, or use `standin` for Marathon")
		return
	}
	source := f.config.Resolve(f.config.Components.Mesos.Source.Path)
	if source == "" {
		return // what Mesos is has been said to be wrong
	}
	candidates := newMesosTree(source).libraries()
	if named := os.Getenv("MESOS_NATIVE_JAVA_LIBRARY"); filepath.IsAbs(named) && readable(named) {
		candidates = append(candidates, named)
	}
	candidates = append(candidates, newMesosTree(f.config.Resolve(f.config.Components.Marathon.Source.Path)).libraries()...)
	candidates = append(candidates, newMesosTree("/").libraries()...)
	for _, library := range candidates {
		if hasJNI(library) {
			f.found.Marathon.Library = library
			return
		}
	}
	if len(candidates) == 0 {
		f.add("marathon", "there is no libmesos.so in "+source+", in /usr/lib or in /usr/local/lib", "use a Mesos with its library, or set MESOS_NATIVE_JAVA_LIBRARY to its path")
		return
	}
	f.add("marathon", candidates[0]+" was built without Java, so Marathon cannot load it", "use a Mesos built with Java (the Apache release, or AVENTER's packages before 0.4.0), or set MESOS_NATIVE_JAVA_LIBRARY to a libmesos.so that was")
}

// hasJNI says whether the library has Java's native methods. One that cannot be parsed gets the benefit of the doubt.
func hasJNI(library string) bool {
	file, err := elf.Open(library)
	if err != nil {
		return true
	}
	defer file.Close()
	symbols, err := file.DynamicSymbols()
	if err != nil {
		return true
	}
	return slices.ContainsFunc(symbols, func(s elf.Symbol) bool { return strings.HasPrefix(s.Name, "Java_org_apache_mesos") })
}

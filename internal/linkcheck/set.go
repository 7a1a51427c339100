package linkcheck

import (
	"context"
	"fmt"
	"path"
	"runtime"
	"slices"
	"sort"
	"strings"

	"golang.org/x/sync/errgroup"
)

// set is everything that one controller loads.
type set struct {
	java    int
	core    string
	war     *space
	servlet *space
	jdk     *space
	plugins []*plugin // in order of their names
	split   detached

	open   []*archive
	faults faults
	jobs   []func(context.Context) error
}

// plugin is one plugin with its class loader.
type plugin struct {
	identity
	file     string
	space    *space
	jars     []*jar
	detached bool
	implied  []string

	absent, absentOptional []string
}

// jar is one jar of the war or of a plugin, or its WEB-INF/classes.
type jar struct {
	file   string // of the outermost archive
	inWar  string // the detached plugin's entry in the war, or empty
	entry  string // WEB-INF/lib/x.jar or WEB-INF/classes/
	plugin *plugin

	classes []*class
	refs    []ref
	starts  map[string]bool // classes that Jenkins loads when it starts
	tooNew  *class          // the first class that is for a later Java

	shadowed int // classes that are never loaded

	scratch []uint32 // for the links of one class while it is read
}

// readSet opens all archives and reads the header of every class in them.
func readSet(ctx context.Context, in Input) (*set, error) {
	s := &set{java: in.Java}
	defer func() {
		for _, a := range s.open {
			a.close()
		}
	}()
	war, err := openArchive(in.War)
	if err != nil {
		return nil, err
	}
	s.open = append(s.open, war)
	if err := s.addWar(war); err != nil {
		return nil, err
	}
	for _, file := range in.Plugins {
		a, err := openArchive(file)
		if err != nil {
			return nil, err
		}
		s.open = append(s.open, a)
		if err := s.addPlugin(a, jar{file: file}); err != nil {
			return nil, err
		}
	}
	if err := s.addDetached(war); err != nil {
		return nil, err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for _, job := range s.jobs {
		group.Go(func() error { return job(ctx) })
	}
	err = group.Wait()
	s.jobs = nil // they hold archives in memory
	return s, err
}

// addWar takes the core's jars, the servlet classes of the container within the war, and the core's list of detached plugins.
func (s *set) addWar(war *archive) error {
	text, err := war.text("META-INF/MANIFEST.MF")
	if err != nil {
		return err
	}
	manifest := parseManifest(text)
	if s.core = manifest["jenkins-version"]; s.core == "" {
		s.core = manifest["hudson-version"]
	}
	lib := war.within("WEB-INF/lib/", ".jar")
	if s.core == "" || len(lib) == 0 {
		return fmt.Errorf("%s is no jenkins.war: it names no Jenkins-Version or has no WEB-INF/lib", war.name)
	}
	s.war, s.servlet = newSpace("core"), newSpace("servlet container")
	for _, f := range lib {
		if base := path.Base(f.Name); strings.HasPrefix(base, "jenkins-core-") || strings.HasPrefix(base, "hudson-core-") {
			core, err := war.open(f)
			if err != nil {
				return err
			}
			if err = s.readSplit(core); err != nil {
				return err
			}
		}
	}
	s.addJars(war, jar{file: war.name}, s.war)
	for _, name := range []string{"executable/winstone.jar", "winstone.jar", "WEB-INF/winstone.jar"} {
		if f := war.find(name); f != nil {
			j := &jar{file: war.name, entry: f.Name}
			s.servlet.jars = append(s.servlet.jars, j)
			s.jobs = append(s.jobs, func(ctx context.Context) error { return s.readJar(ctx, war, f.Name, j, s.servlet) })
		}
	}
	return nil
}

func (s *set) readSplit(core *archive) error {
	splits, err := core.text("jenkins/split-plugins.txt")
	if err != nil {
		return err
	}
	cycles, err := core.text("jenkins/split-plugin-cycles.txt")
	if splits == "" {
		splits, cycles = oldSplits, oldCycles
	}
	s.split = parseDetached(splits, cycles)
	s.split.split = slices.DeleteFunc(s.split.split, func(name string) bool { return newerCore(s.split.when[name], s.core) })
	return err
}

// addJars plans the reading of an archive's WEB-INF/classes and WEB-INF/lib/*.jar into a space.
func (s *set) addJars(a *archive, like jar, into *space) []*jar {
	entries := []string{classesFolder}
	for _, f := range a.within("WEB-INF/lib/", ".jar") {
		entries = append(entries, f.Name)
	}
	var jars []*jar
	for _, entry := range entries {
		j := like
		j.entry = entry
		jars = append(jars, &j)
		s.jobs = append(s.jobs, func(ctx context.Context) error { return s.readJar(ctx, a, entry, &j, into) })
	}
	into.jars = append(into.jars, jars...)
	return jars
}

func (s *set) addPlugin(a *archive, like jar) error {
	text, err := a.text("META-INF/MANIFEST.MF")
	if err != nil {
		return err
	}
	if text == "" {
		return fmt.Errorf("%s is no Jenkins plugin: it has no META-INF/MANIFEST.MF", a.name)
	}
	p := &plugin{identity: identify(text, a.name), file: like.file, detached: like.inWar != ""}
	if twice := s.plugin(p.name); twice != nil {
		return fmt.Errorf("%s and %s are both the plugin %s: give one of them", twice.file, p.file, p.name)
	}
	p.implied = s.split.implied(p.identity)
	p.space = newSpace(p.name)
	p.space.masks, p.space.first = p.masks, p.first
	like.plugin = p
	p.jars = s.addJars(a, like, p.space)
	at := sort.Search(len(s.plugins), func(i int) bool { return s.plugins[i].name >= p.name })
	s.plugins = slices.Insert(s.plugins, at, p)
	return nil
}

func (s *set) plugin(name string) *plugin {
	i := sort.Search(len(s.plugins), func(i int) bool { return s.plugins[i].name >= name })
	if i < len(s.plugins) && s.plugins[i].name == name {
		return s.plugins[i]
	}
	return nil
}

// addDetached adds the war's own copies of plugins that are implied and were not given, as Jenkins does, and what those need.
func (s *set) addDetached(war *archive) error {
	for again := true; again; {
		again = false
		for _, p := range slices.Clone(s.plugins) {
			wanted := p.implied
			for _, d := range p.dependencies {
				if p.detached && !d.optional {
					wanted = append(slices.Clone(wanted), d.name)
				}
			}
			for _, name := range wanted {
				f := war.find("WEB-INF/detached-plugins/" + name + ".hpi")
				if f == nil || s.plugin(name) != nil {
					continue
				}
				a, err := war.open(f)
				if err != nil {
					return err
				}
				if err := s.addPlugin(a, jar{file: war.name, inWar: f.Name}); err != nil {
					return err
				}
				again = true
			}
		}
	}
	return nil
}

// arrange connects the class loaders as Jenkins does, and puts the classes of each in place.
func (s *set) arrange(jdk *space) {
	s.jdk = jdk
	s.servlet.outer = []*space{jdk}
	s.war.outer = []*space{jdk, s.servlet}
	s.servlet.fill()
	s.war.fill()
	if !s.war.knows("javax/servlet") && !s.war.knows("jakarta/servlet") { // a war for a container of somebody else's
		s.servlet.unlisted = []string{"javax/servlet/", "jakarta/servlet/"}
	}
	for _, p := range s.plugins {
		p.space.fill()
		p.space.outer = []*space{jdk, s.servlet, s.war}
		seen := map[string]bool{p.name: true}
		s.follow(p, seen, &p.space.outer)
		for _, d := range p.dependencies {
			switch {
			case s.plugin(d.name) != nil:
			case d.optional:
				p.absentOptional = append(p.absentOptional, d.name)
			default:
				p.absent = append(p.absent, d.name)
			}
		}
		for _, name := range p.implied {
			if s.plugin(name) == nil && !slices.Contains(p.absentOptional, name) {
				p.absentOptional = append(p.absentOptional, name)
			}
		}
		sort.Strings(p.absent)
		sort.Strings(p.absentOptional)
	}
}

// follow collects the plugins that one depends on, through all levels: an optional dependency that is there counts as any other.
func (s *set) follow(p *plugin, seen map[string]bool, outer *[]*space) {
	names := slices.Clone(p.implied)
	for _, d := range p.dependencies {
		names = append(names, d.name)
	}
	for _, name := range names {
		next := s.plugin(name)
		if next == nil || seen[name] {
			continue
		}
		seen[name] = true
		*outer = append(*outer, next.space)
		s.follow(next, seen, outer)
	}
}

package linkcheck

import (
	"bytes"
	"context"
	"fmt"
	"path"
	"slices"
	"sort"
	"strings"
)

// set is everything that one controller loads.
type set struct {
	java    int
	names   *names
	core    string
	war     *space
	servlet *space
	jdk     *space
	plugins []*plugin // in order of their names
	split   detached

	open      []*archive
	unpackers unpackers
	faults    faults
	// jobs read the plugins, coreJobs what lies in the war: by then it is known what plugins link to.
	jobs, coreJobs []job
	wanted         map[symbol]bool
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
	late    *late // of a jar of the core
	links   []link
	starts  map[string]bool // classes that Jenkins loads when it starts
	tooNew  *class          // the first class that is for a later Java

	shadowed int // classes that are never loaded
}

// read opens all archives and reads the headers of classes: of the plugins all, of the core those that are linked to.
func (s *set) read(ctx context.Context, in Input) error {
	defer func() {
		for _, a := range s.open {
			a.close()
		}
	}()
	war, err := s.openFile(in.War)
	if err != nil {
		return err
	}
	if err := s.addWar(war); err != nil {
		return err
	}
	for _, file := range in.Plugins {
		a, err := s.openFile(file)
		if err != nil {
			return err
		}
		if err := s.addPlugin(a, jar{file: file}); err != nil {
			return err
		}
	}
	if err := s.addDetached(war); err != nil {
		return err
	}
	workers := newWorkers(s.names)
	if err := do(ctx, s.jobs, workers); err != nil {
		return err
	}
	s.jobs = nil // they hold archives in memory
	s.want()
	return do(ctx, s.coreJobs, workers)
}

// openFile opens an archive until all are read.
func (s *set) openFile(file string) (*archive, error) {
	a, err := openArchive(file)
	if err == nil {
		a.unpackers = &s.unpackers
		s.open = append(s.open, a)
	}
	return a, err
}

// want notes the names of the classes that plugins link to, and that their classes and those of the war itself stand on.
func (s *set) want() {
	s.wanted = map[symbol]bool{s.names.known("java/lang/Object"): true}
	jars := slices.Clone(s.war.jars)
	for _, p := range s.plugins {
		jars = append(jars, p.jars...)
	}
	for _, j := range jars {
		for _, l := range j.links {
			if !l.array {
				s.wanted[l.owner] = true
			}
		}
		for _, c := range j.classes {
			s.wanted[c.super] = true
			for _, name := range c.interfaces {
				s.wanted[name] = true
			}
		}
	}
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
	s.war, s.servlet = newSpace("core", s.names), newSpace("servlet container", s.names)
	for _, f := range lib {
		if base := path.Base(f.Name); strings.HasPrefix(base, "jenkins-core-") || strings.HasPrefix(base, "hudson-core-") {
			core, err := war.open(f, &bytes.Buffer{})
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
			s.coreJobs = append(s.coreJobs, func(ctx context.Context, w *worker) error { return s.readLater(ctx, w, war, j, s.servlet) })
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
		if j.plugin == nil && entry != classesFolder {
			s.coreJobs = append(s.coreJobs, func(ctx context.Context, w *worker) error { return s.readLater(ctx, w, a, &j, into) })
			continue
		}
		s.jobs = append(s.jobs, func(ctx context.Context, w *worker) error { return s.readJar(ctx, w, a, &j, into) })
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
	p.space = newSpace(p.name, s.names)
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
				a, err := war.open(f, &bytes.Buffer{})
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

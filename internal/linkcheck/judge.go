package linkcheck

import (
	"cmp"
	"context"
	"fmt"
	"path"
	"slices"
	"strconv"

	"golang.org/x/sync/errgroup"
)

// judge resolves every link of every plugin and reports what failed.
func (s *set) judge(ctx context.Context, workers int) (Report, error) {
	report := Report{Java: s.java, Core: s.core, Plugins: []Plugin{}, Links: []Link{}}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(workers)
	var all []*findings
	for _, p := range s.plugins {
		report.Plugins = append(report.Plugins, Plugin{
			Name: p.name, Version: p.version, File: p.file, Core: p.core, Detached: p.detached, Absent: p.absent, AbsentOptional: p.absentOptional,
		})
		found := &findings{plugin: p, links: map[linkKey]*Link{}}
		all = append(all, found)
		group.Go(func() error { return found.collect(ctx, s) })
	}
	if err := group.Wait(); err != nil {
		return Report{}, err
	}
	if err := s.faults.first(); err != nil {
		return Report{}, err
	}
	for _, found := range all {
		report.Links = append(report.Links, found.rank()...)
		for _, j := range found.plugin.jars {
			report.Classes += len(j.classes)
			report.References += len(j.links)
		}
	}
	slices.SortStableFunc(report.Links, compare)
	return report, nil
}

// linkKey tells the links of one plugin apart.
type linkKey struct {
	ref
	problem Problem
}

// findings are the failed links of one plugin.
type findings struct {
	plugin *plugin
	links  map[linkKey]*Link
	starts map[string]bool // classes that Jenkins loads when it starts, with their ancestors in the plugin
}

func (f *findings) collect(ctx context.Context, s *set) error {
	f.starts = map[string]bool{}
	for _, j := range f.plugin.jars {
		for name := range j.starts {
			for c := f.plugin.space.own[s.names.known(name)]; c != nil && !f.starts[c.name]; c = f.plugin.space.own[c.super] {
				f.starts[c.name] = true
			}
		}
	}
	for _, j := range f.plugin.jars {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := f.collectJar(j, s); err != nil {
			return err
		}
	}
	return nil
}

// collectJar resolves the links of one jar, then reads the classes with failed links again to see where they are.
func (f *findings) collectJar(j *jar, s *set) error {
	if c := j.tooNew; c != nil {
		f.links[linkKey{ref{kind: 'c', owner: c.name}, TooNew}] = &Link{
			Plugin: f.plugin.name, Problem: TooNew, Kind: "class", Class: c.name,
			Why:  fmt.Sprintf("%s has class files for Java %d", path.Base(j.entry), c.major-44),
			Uses: []Use{{Jar: j.entry, Class: c.name, How: "code", Extension: f.starts[c.name]}},
		}
	}
	outcomes := make([]outcome, len(j.links))
	for i, l := range j.links {
		outcomes[i] = f.plugin.space.resolve(l)
	}
	failed := map[string]map[link]outcome{} // by the name of the class that links
	for _, c := range j.classes {
		if f.shadowed(c) {
			j.shadowed++
			continue
		}
		for _, n := range c.refs {
			o := outcomes[n]
			if o.problem == "" {
				if o.why = o.denied(c, j.links[n]); o.why == "" {
					continue
				}
				o.problem = Inaccessible
			}
			if failed[c.name] == nil {
				failed[c.name] = map[link]outcome{}
			}
			failed[c.name][j.links[n]] = o
		}
	}
	if len(failed) == 0 {
		return nil
	}
	return f.locate(j, failed, s)
}

// shadowed says whether a class is never loaded, as the class loader finds another of its name, or of the name of the class around it,
// first: a plugin's copy of a library that the core has too is dead.
func (f *findings) shadowed(c *class) bool {
	elsewhere := func(name symbol) bool {
		found := f.plugin.space.place(name)
		return found != nil && found.jar != c.jar
	}
	outer := outermost(c.name)
	return elsewhere(c.id) || len(outer) < len(c.name) && elsewhere(c.space.names.known(outer))
}

// locate finds the places of failed links. One that is only in a table for reflection (inner classes, exceptions) is none.
func (f *findings) locate(j *jar, failed map[string]map[link]outcome, s *set) error {
	names := map[string]bool{}
	for name := range failed {
		names[name] = true
	}
	in := &classReader{names: s.names}
	return j.reread(names, s.java, func(name string, b []byte) error {
		seen := map[Use]map[link]bool{}
		return in.uses(b, func(l link, use Use) {
			o, ok := failed[name][l]
			if !ok || seen[use][l] {
				return
			}
			if seen[use] == nil {
				seen[use] = map[link]bool{}
			}
			seen[use][l] = true
			use.Jar, use.Extension = j.entry, f.starts[name]
			f.add(s.names.ref(l), o, use)
		})
	})
}

// add notes a use. A class that is named in a signature and linked to by code is one link.
func (f *findings) add(r ref, o outcome, use Use) {
	if r.kind == 's' {
		r.kind = 'c'
	}
	key := linkKey{r, o.problem}
	l := f.links[key]
	if l == nil {
		kinds := map[byte]string{'c': "class", 'f': "field", 'm': "method", 'i': "method"}
		l = &Link{Plugin: f.plugin.name, Problem: o.problem, Kind: kinds[r.kind], Class: r.owner, Member: r.name, Descriptor: r.desc, Why: o.why}
		f.links[key] = l
	}
	l.Uses = append(l.Uses, use)
}

// compare orders links: the worst first, then by plugin and name.
func compare(a, b Link) int {
	ranks := []Rank{Breaks, Doubtful, Note}
	return cmp.Or(
		slices.Index(ranks, a.Rank)-slices.Index(ranks, b.Rank),
		cmp.Compare(a.Plugin, b.Plugin), cmp.Compare(a.Class, b.Class), cmp.Compare(a.Member, b.Member),
		cmp.Compare(a.Descriptor, b.Descriptor), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Problem, b.Problem),
	)
}

// Breaking gives the links that break the code that has them.
func (r Report) Breaking() []Link {
	n, _ := slices.BinarySearchFunc(r.Links, Breaks, func(l Link, rank Rank) int {
		if l.Rank == rank {
			return -1
		}
		return 1
	})
	return r.Links[:n]
}

// Since gives the links that are not in an earlier report, as of the release that runs now: whatever their rank, they are what a change
// of the core, of Java or of plugins would break.
func (r Report) Since(before Report) []Link {
	old := map[string]bool{}
	for _, l := range before.Links {
		old[l.String()] = true
	}
	fresh := []Link{}
	for _, l := range r.Links {
		if !old[l.String()] {
			fresh = append(fresh, l)
		}
	}
	return fresh
}

// Name is the class, field or method as Java programmers write it: hudson.model.Hudson.getInstance()hudson.model.Hudson is
// "hudson.model.Hudson hudson.model.Hudson.getInstance()".
func (l Link) Name() string {
	switch l.Kind {
	case "field":
		t, _ := javaType(l.Descriptor)
		return t + " " + dotted(l.Class) + "." + l.Member
	case "method":
		return methodName(l.Class, l.Member, l.Descriptor)
	}
	return dotted(l.Class)
}

func methodName(class, name, desc string) string {
	if len(desc) == 0 || desc[0] != '(' {
		return dotted(class) + "." + name + strconv.Quote(desc)
	}
	text, rest := dotted(class)+"."+name+"(", desc[1:]
	for first := true; len(rest) > 0 && rest[0] != ')'; first = false {
		var t string
		if t, rest = javaType(rest); !first {
			text += ", "
		}
		text += t
	}
	if len(rest) > 0 {
		result, _ := javaType(rest[1:])
		return result + " " + text + ")"
	}
	return text + ")"
}

// javaType gives the first type of a descriptor as Java writes it, and what follows it.
func javaType(desc string) (name, rest string) {
	dimensions := 0
	for dimensions < len(desc) && desc[dimensions] == '[' {
		dimensions++
	}
	kind := desc[dimensions:]
	switch {
	case kind == "":
		return desc, ""
	case kind[0] == 'L':
		end := slices.Index([]byte(kind), ';')
		if end < 0 {
			return desc, ""
		}
		name, rest = dotted(kind[1:end]), kind[end+1:]
	default:
		names := map[byte]string{'B': "byte", 'C': "char", 'D': "double", 'F': "float", 'I': "int", 'J': "long", 'S': "short", 'Z': "boolean", 'V': "void"}
		if name = names[kind[0]]; name == "" {
			return desc, ""
		}
		rest = kind[1:]
	}
	for range dimensions {
		name += "[]"
	}
	return name, rest
}

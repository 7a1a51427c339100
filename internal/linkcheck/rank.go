package linkcheck

import (
	"cmp"
	"path"
	"slices"
	"strings"
)

// formerly are packages that some Jenkins core provided and a later one does not, or that are the core's own: a library that a
// plugin bundles may count on them as the plugin itself may.
var formerly = []string{
	"hudson/", "jenkins/", "org/kohsuke/", "org/apache/commons/lang/", "org/acegisecurity/",
	"com/google/common/", "com/trilead/ssh2/", "org/apache/commons/httpclient/", "net/sf/json/", "org/apache/commons/jelly/", "org/dom4j/",
}

// rank finishes the links of a plugin: their order, uses, ranks and reasons.
func (f *findings) rank() []Link {
	jars := map[string]*jar{}
	for _, j := range f.plugin.jars {
		jars[j.entry] = j
	}
	links := make([]Link, 0, len(f.links))
	for _, l := range f.links {
		slices.SortFunc(l.Uses, func(a, b Use) int {
			return cmp.Or(cmp.Compare(a.Jar, b.Jar), cmp.Compare(a.Class, b.Class), cmp.Compare(a.Member, b.Member), cmp.Compare(a.How, b.How))
		})
		for _, u := range l.Uses {
			l.AtStart = l.AtStart || u.Extension && !u.Guarded && u.How != "signature"
		}
		rank, why := f.grade(l, jars)
		l.Rank = rank
		if l.Why = strings.TrimPrefix(l.Why+"; "+why, "; "); why == "" {
			l.Why = strings.TrimSuffix(l.Why, "; ")
		}
		links = append(links, *l)
	}
	slices.SortFunc(links, compare)
	return links
}

// grade says how much a link matters.
func (f *findings) grade(l *Link, jars map[string]*jar) (Rank, string) {
	every := func(is func(Use) bool) bool { return !slices.ContainsFunc(l.Uses, func(u Use) bool { return !is(u) }) }
	own := !every(func(u Use) bool { return !jars[u.Jar].own() })
	switch {
	case l.Problem == TooNew && !own:
		return Doubtful, "a library of the plugin, which may choose its classes by the Java it runs on"
	case l.Problem == TooNew:
		return Breaks, ""
	case every(func(u Use) bool { return u.Guarded }):
		return Note, "every use catches the error"
	case every(func(u Use) bool { return f.optional(u.Class) }):
		return Note, "only in extensions that Jenkins may leave out"
	}
	if l.Kind == "class" && l.Problem == Missing {
		if name := looksLike(l.Class, f.plugin.absentDeclared()); name != "" {
			return Note, "looks like a class of the optional dependency " + name + ", which is absent"
		}
	}
	if every(func(u Use) bool { return u.How == "signature" }) {
		if !own {
			return Note, "named in signatures of a bundled library only"
		}
		return Doubtful, "named in signatures only: it fails where reflection reads the members of the class"
	}
	if own {
		return f.gradeOwn(l)
	}
	switch {
	case every(func(u Use) bool { return jars[u.Jar].superseded() }):
		return Note, "in what is left of a library of which another version comes first"
	case every(func(u Use) bool { return jars[u.Jar].has(l.Class) && f.plugin.space.named(l.Class).jar != jars[u.Jar] }):
		return Doubtful, "the library has its own version of the class, but another one comes first"
	}
	return f.gradeLibrary(l)
}

// gradeOwn grades a link of the plugin's own classes.
func (f *findings) gradeOwn(l *Link) (Rank, string) {
	if l.Kind != "class" || l.Problem != Missing || hadOnce(l.Class) || f.plugin.space.knows(path.Dir(l.Class)) {
		return Breaks, f.nobody(l)
	}
	if name := looksLike(l.Class, f.plugin.implied); name != "" {
		return Breaks, "looks like a class of the plugin " + name + ", which was part of the core that this was built for: add it"
	}
	if absent := f.plugin.absentDeclared(); len(absent) > 0 {
		return Doubtful, "nobody provides it, unless it is of an optional dependency that is absent: " + strings.Join(absent, ", ")
	}
	return Breaks, f.nobody(l)
}

// absentDeclared are the absent dependencies that the plugin itself calls optional; it is prepared to do without them.
func (p *plugin) absentDeclared() []string {
	var names []string
	for _, d := range p.dependencies {
		if d.optional && slices.Contains(p.absentOptional, d.name) {
			names = append(names, d.name)
		}
	}
	return names
}

// gradeLibrary grades a link that only libraries bundled by the plugin have.
func (f *findings) gradeLibrary(l *Link) (Rank, string) {
	provider := f.plugin.space.named(l.Class)
	switch {
	case hadOnce(l.Class):
		return Breaks, f.nobody(l)
	case provider != nil && servletClass(l.Class):
		return Doubtful, "a bundled library is written for several versions of servlets"
	case provider != nil && provider.jar != nil && provider.jar.plugin != f.plugin:
		return Breaks, "a bundled library needs another version"
	case provider != nil:
		return Doubtful, "among the libraries of the plugin and Java"
	case f.plugin.space.knows(path.Dir(l.Class)):
		return Doubtful, "in a bundled library; other classes of the package are there"
	}
	return Note, "in an optional part of a bundled library: nothing of the package is there"
}

// nobody says where a missing class was looked for.
func (f *findings) nobody(l *Link) string {
	if l.Kind != "class" || l.Problem != Missing {
		return ""
	}
	for _, prefix := range []string{"java/", "sun/", "com/sun/", "jdk/"} {
		if strings.HasPrefix(l.Class, prefix) {
			return "not among the exported classes of Java"
		}
	}
	if f.plugin.space.knows(path.Dir(l.Class)) {
		return "nobody provides it, though other classes of its package are there"
	}
	return "nobody provides it, nor anything of its package"
}

// optional says whether a class, or one that it is nested in, is an extension that may fail to load.
func (f *findings) optional(name string) bool {
	for {
		if c := f.plugin.space.own[f.plugin.space.names.known(name)]; c != nil && c.optional {
			return true
		}
		cut := strings.LastIndexByte(name, '$')
		if cut < 0 {
			return false
		}
		name = name[:cut]
	}
}

// commonWords are parts of plugin names that say nothing about their packages.
var commonWords = []string{"plugin", "plugins", "jenkins", "hudson", "core", "common", "commons", "support", "client", "java", "javax", "utils", "library", "api", "cloud"}

// looksLike names the plugin that a missing class looks like: the plugin's name or one of its words is in the name of the class. The
// plugin itself is not there to look into.
func looksLike(class string, names []string) string {
	class = strings.ToLower(class)
	segments := strings.FieldsFunc(class, func(r rune) bool { return strings.ContainsRune("/$_", r) })
	for _, name := range names {
		words := strings.Split(strings.ToLower(name), "-")
		for _, word := range append(words, strings.Join(words, "")) {
			switch {
			case slices.Contains(commonWords, word):
			case len(word) >= 4 && strings.Contains(class, word), slices.Contains(segments, word):
				return name
			}
		}
	}
	return ""
}

// hadOnce says whether a class is of a package that some core provided.
func hadOnce(class string) bool {
	return slices.ContainsFunc(formerly, func(prefix string) bool { return strings.HasPrefix(class, prefix) })
}

package source

import (
	"fmt"
	"slices"
	"strings"

	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/provision/catalogue"
)

// Resolver turns the sources of a cluster.yaml into plans.
type Resolver struct {
	Catalogue *catalogue.Catalogue
	// Abs makes a path of cluster.yaml absolute (config.Cluster.Resolve).
	Abs func(string) string
	// Local says that hosts are folders of this machine, where a path can be looked at.
	Local bool
}

// NewResolver is the resolver for a cluster, with the catalogue of this program.
func NewResolver(c *config.Cluster) (*Resolver, error) {
	known, err := catalogue.Load()
	if err != nil {
		return nil, err
	}
	return &Resolver{Catalogue: known, Abs: c.Resolve, Local: c.Target == config.TargetLocal}, nil
}

// Resolve says what a host with these facts needs for a component. Findings say what cannot work; the plan is filled as far as
// possible all the same.
func (r *Resolver) Resolve(component string, s config.Source, f Facts) (Plan, Findings) {
	p := Plan{Component: component, Title: s.Title(), Facts: f, JavaBinding: catalogue.BindingUnknown}
	if component == Marathon {
		// From 1.7 on, master and libmesos are both checked at the start.
		p.MinimumMesos, p.NeedsJavaBinding, p.Java = "1.5.0", true, 8
	}
	var found Findings
	switch {
	case s.Standin:
		p.Kind, p.NeedsJavaBinding, p.Java, p.MinimumMesos = KindStandin, false, 0, ""
		p.JavaBinding = catalogue.BindingNo
		p.Limits = append(p.Limits, "a stand-in: for one machine, for tests and rehearsals")
	case s.Apt != "":
		found = r.apt(&p, s)
	case s.Yum != "":
		found = r.yum(&p, s)
	case s.Deb != "":
		found = r.file(&p, KindDeb, s.Deb, s.SHA256)
	case s.RPM != "":
		found = r.file(&p, KindRPM, s.RPM, s.SHA256)
	case s.Archive != "":
		found = r.file(&p, KindArchive, s.Archive, s.SHA256)
	case s.Image != "":
		p.Kind, p.Image, p.Java = KindImage, s.Image, 0
		p.NeedsJavaBinding = false
	case s.Path != "":
		p.Kind, p.Path = KindPath, r.Abs(s.Path)
	case s.Catalog != "":
		found = r.entry(&p, s.Catalog)
	default:
		found = Findings{{component, "has no source", "name one in components." + component + ".source"}}
	}
	return p, append(found, systemFits(p)...)
}

func (r *Resolver) apt(p *Plan, s config.Source) Findings {
	p.Kind = KindApt
	p.Package, p.Version, _ = strings.Cut(s.Apt, "=")
	if s.Repository == "" {
		p.Limits = append(p.Limits, "comes from the package sources of the hosts, which must reach them")
		return nil
	}
	repository, err := ParseRepository(s.Repository, r.Abs)
	if err != nil {
		return Findings{{p.subject(), "repository: " + err.Error(), `write "deb [signed-by=KEYFILE] URL SUITE main"`}}
	}
	p.Repository = repository
	if a := repository.Arch; len(a) > 0 && p.Facts.Arch != "" && !slices.Contains(a, p.Facts.Arch) {
		return Findings{{p.subject(), fmt.Sprintf("the repository line is for %s, and the host is %s", strings.Join(a, ","), p.Facts.Arch), "name a repository for that architecture"}}
	}
	return r.gone(p.subject(), repository.bases()...)
}

func (r *Resolver) yum(p *Plan, s config.Source) Findings {
	p.Kind = KindYum
	p.Package, p.Version, _ = strings.Cut(s.Yum, "=")
	if s.Repository == "" {
		p.Limits = append(p.Limits, "comes from the repositories of the hosts, which must reach them")
		return nil
	}
	p.Yum = newYumRepository(s.Repository, nil, keyOf(s.GPGKey, r.Abs), p.Facts)
	return r.gone(p.subject(), p.Yum.URL)
}

func (r *Resolver) file(p *Plan, kind Kind, place, sha256 string) Findings {
	p.Kind = kind
	p.Artefact = &Artefact{SHA256: strings.ToLower(sha256)}
	if !strings.Contains(place, "://") {
		p.Artefact.File = r.Abs(place)
		return nil
	}
	p.Artefact.URL = place
	return r.gone(p.subject(), place)
}

// gone finds addresses on hosts that no longer exist.
func (r *Resolver) gone(subject string, addresses ...string) Findings {
	var found Findings
	for _, address := range addresses {
		if dead, gone := r.Catalogue.Gone(address); gone {
			found = append(found, Finding{subject, fmt.Sprintf("%s is on %s, which is gone since %s (%s)", address, dead.Host, dead.Since, dead.Seen), "instead: " + dead.Instead})
		}
	}
	return found
}

func (r *Resolver) entry(p *Plan, name string) Findings {
	e, ok := r.Catalogue.Entry(name)
	if !ok {
		return Findings{{p.subject(), fmt.Sprintf("there is no entry %q in the catalogue", name),
			"one of " + strings.Join(r.Catalogue.Names(p.Component), ", ") + "; `jomctl sources list` describes them"}}
	}
	if e.Component != p.Component {
		return Findings{{p.subject(), fmt.Sprintf("%s is a source of %s", name, e.Component), "one of " + strings.Join(r.Catalogue.Names(p.Component), ", ")}}
	}
	supports, notes, broken := e.At("")
	if repo, ok := e.For(p.Facts.System, p.Facts.Suite); ok && repo.Seen != "" {
		// What the repository has by now is found by the check, which looks again (refine).
		supports, notes, broken = e.Supports, nil, ""
	}
	p.Entry, p.Layout, p.ExtraPackages = name, e.Layout, e.ExtraPackages
	p.Cgroups, p.JavaBinding, p.NeedsJavaBinding = supports.Cgroups, supports.JavaBinding, e.NeedsJavaBinding
	p.DockerMinimum, p.Java, p.MesosVersion, p.MinimumMesos = supports.DockerMinimum, e.Java, e.Mesos, e.MinimumMesos
	for _, use := range e.NotFor {
		p.Limits = append(p.Limits, "not for "+use)
	}
	p.Limits = append(p.Limits, notes...)
	if k := e.Key; k != nil && len(e.Repositories) > 0 {
		p.Limits = append(p.Limits, fmt.Sprintf("its key %s ends on %s in the copies that were seen; after that day only a prolonged key, or {deb: URL, sha256: ...}, will do", spaced(k.Fingerprint), k.Expires))
	}
	var found Findings
	if broken != "" {
		found = append(found, Finding{p.subject(), broken, ""})
	}
	if a := e.Arch; len(a) > 0 && p.Facts.Arch != "" && !slices.Contains(a, p.Facts.Arch) {
		found = append(found, Finding{p.subject(), fmt.Sprintf("is for %s, and the host is %s", strings.Join(a, " and "), p.Facts.Arch), ""})
	}
	return append(found, r.entryKind(p, e)...)
}

func (r *Resolver) entryKind(p *Plan, e catalogue.Entry) Findings {
	switch e.Kind {
	case catalogue.KindApt:
		p.Kind, p.Package = KindApt, e.Package
		if len(e.Repositories) == 0 {
			p.Limits = append(p.Limits, "comes from the package sources of the hosts, which must reach them")
			return nil
		}
		return aptEntry(p, e)
	case catalogue.KindImage:
		p.Kind, p.Image = KindImage, e.Image
	case catalogue.KindArchive:
		d := e.Downloads[0]
		p.Kind, p.Version = KindArchive, d.Version
		p.Artefact = &Artefact{URL: d.URL, Mirrors: d.Mirrors, SHA256: d.SHA256, SHA1: d.SHA1, Size: d.Size}
	case catalogue.KindYum:
		p.Kind, p.Package = KindYum, e.Package
		repo, found := repositoryOf(p, e)
		if len(found) > 0 {
			return found
		}
		p.Yum = newYumRepository(repo.URI, repo.Mirrors, KeyRef{URL: e.Key.URL, Mirrors: e.Key.Mirrors, Fingerprint: e.Key.Fingerprint}, p.Facts)
	case catalogue.KindSource:
		return Findings{{p.subject(), "is source code", "build it, and name the result as {path: DIR} or {archive: FILE, sha256: ...}"}}
	default:
		return Findings{{p.subject(), fmt.Sprintf("a source of kind %s is nothing that a host runs", e.Kind), ""}}
	}
	return nil
}

func aptEntry(p *Plan, e catalogue.Entry) Findings {
	repo, found := repositoryOf(p, e)
	if len(found) > 0 {
		return found
	}
	p.Repository = &Repository{URI: strings.TrimSuffix(repo.URI, "/"), Mirrors: repo.Mirrors, Suite: repo.Suite, Components: repo.Components, Arch: repo.Arch,
		Key: KeyRef{URL: e.Key.URL, Mirrors: e.Key.Mirrors, Fingerprint: e.Key.Fingerprint}}
	return nil
}

// repositoryOf is the repository of an entry that fits the host.
func repositoryOf(p *Plan, e catalogue.Entry) (catalogue.Repository, Findings) {
	f := p.Facts
	repo, ok := e.For(f.System, f.Suite)
	if !ok {
		var names []string
		for _, one := range e.Repositories {
			names = append(names, one.System+" "+one.Suite)
		}
		return repo, Findings{{p.subject(), fmt.Sprintf("has no packages for %s %s", orUnknown(f.System), orUnknown(f.Suite)),
			"there are packages for " + strings.Join(names, ", ") + "; for others use an image or your own package"}}
	}
	if f.Arch != "" && !slices.Contains(repo.Arch, f.Arch) {
		return repo, Findings{{p.subject(), fmt.Sprintf("its packages are for %s, and the host is %s", strings.Join(repo.Arch, " and "), f.Arch), ""}}
	}
	return repo, nil
}

func orUnknown(text string) string {
	if text == "" {
		return "(unknown)"
	}
	return text
}

// elsewhere is what takes the place of a Debian package on other systems.
func elsewhere(component string) string {
	switch component {
	case ZooKeeper:
		return "RHEL-like systems have no package of it: name the project's archive, {archive: FILE|URL of apache-zookeeper-VERSION-bin.tar.gz, sha256: ...}"
	case Mesos:
		return "use {yum: NAME, repository: URL, gpgkey: FILE}, an rpm or an archive"
	}
	return "use an rpm, an archive or an image"
}

// systemFits refuses what the host's system, cgroups and Java cannot run.
func systemFits(p Plan) Findings {
	var found Findings
	add := func(problem, fix string) { found = append(found, Finding{p.subject(), problem, fix}) }
	f := p.Facts
	if p.Component == Mesos && p.Kind == KindImage {
		// With the host's process ids and control groups, too: Docker ends what is in the container's own.
		add("is an image, and in a container an agent takes its tasks along: their executors are in the agent's container, so that each of its restarts would end all builds and the controller",
			"name a package, an archive or {path: DIR}; the programs of masters and agents come from one source")
	}
	if f.System != "" {
		if (p.Kind == KindApt || p.Kind == KindDeb) && !f.Debian() {
			add("is a Debian package, and the host runs "+f.System, elsewhere(p.Component))
		}
		if (p.Kind == KindRPM || p.Kind == KindYum) && !f.RedHat() {
			add("is an RPM package, and the host runs "+f.System, "use a Debian package, an archive or an image")
		}
	}
	if p.Component == Mesos && f.Cgroup != 0 && len(p.Cgroups) > 0 && !slices.Contains(p.Cgroups, f.Cgroup) {
		fix := "use {catalog: clusterd}, which needs cgroup v2, or boot the host with systemd.unified_cgroup_hierarchy=0"
		if f.Cgroup == 1 {
			fix = "boot the host with systemd.unified_cgroup_hierarchy=1, or use a build for cgroup v1"
		}
		add(fmt.Sprintf("this build works with cgroup v%d, and the host has cgroup v%d", p.Cgroups[0], f.Cgroup), fix)
	}
	if p.Component == Marathon && p.Java > 0 && f.Java != 0 && f.Java < p.Java {
		have := "there is none"
		if f.Java > 0 {
			have = fmt.Sprintf("the host has Java %d", f.Java)
		}
		add(fmt.Sprintf("wants Java %d, and %s", p.Java, have), "install a Java, or use {catalog: marathon-image}, which brings its own")
	}
	return found
}

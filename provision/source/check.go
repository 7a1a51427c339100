package source

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"time"

	"github.com/jomctl/jomctl/provision/catalogue"
)

// Checker resolves and verifies sources from this machine, before a host is touched.
type Checker struct {
	Cache *Cache
	Lock  *Lock
	// Catalogue knows what differs between the versions of a package; nil leaves that out.
	Catalogue *catalogue.Catalogue
	// Client is for HTTP; nil means one that honours HTTPS_PROXY.
	Client *http.Client
	// Now is the clock; nil means the machine's.
	Now func() time.Time
	// Offline looks at the lock and the cache alone.
	Offline bool
	// Update takes what is new instead of what is locked.
	Update bool
	// Say gets what is going on; nil means nobody listens.
	Say func(text string)
}

// Result is what became of one source.
type Result struct {
	Plan Plan `json:"plan"`
	// Locked is what the source is now; its Got is empty as long as nothing was fetched.
	Locked Locked `json:"locked"`
	// Artefact is the file with its checksum; nil where the host fetches for itself, or nothing is to be fetched.
	Artefact *Artefact `json:"artefact,omitempty"`
	// Notes are for people: what was verified how.
	Notes    []string `json:"notes,omitempty"`
	Findings Findings `json:"findings,omitempty"`

	key []byte
}

func (r *Result) find(problem, fix string) {
	r.Findings = append(r.Findings, Finding{r.Plan.subject(), problem, fix})
}

func (r *Result) note(format string, args ...any) {
	r.Notes = append(r.Notes, fmt.Sprintf(format, args...))
}

// fail turns an error of fetching into a finding.
func (r *Result) fail(err error) {
	var (
		fetch    *FetchError
		mismatch *MismatchError
	)
	switch {
	case errors.As(err, &fetch):
		r.find(err.Error(), fetch.fix())
	case errors.As(err, &mismatch):
		r.find(err.Error(), "somebody changed the file: compare with another copy before you trust either; jomctl uses neither")
	default:
		r.find(err.Error(), "")
	}
}

func (c *Checker) now() time.Time {
	if c.Now == nil {
		return time.Now()
	}
	return c.Now()
}

func (c *Checker) web() web {
	if c.Client == nil {
		return web{newClient()}
	}
	return web{c.Client}
}

func (c *Checker) say(format string, args ...any) {
	if c.Say != nil {
		c.Say(fmt.Sprintf(format, args...))
	}
}

// Check verifies one source: addresses, signatures, checksums. Nothing large is fetched.
func (c *Checker) Check(ctx context.Context, p Plan) Result {
	r := Result{Plan: p, Locked: Locked{Component: p.Component, Source: p.Title, For: p.Facts.String(), Kind: p.Kind, Version: p.Version}}
	locked, known := c.Lock.Find(p)
	if c.Offline {
		c.offline(&r, locked, known)
		return r
	}
	switch p.Kind {
	case KindApt:
		if p.Repository == nil {
			r.note("package %s comes from the hosts' own package sources and is verified by apt there", p.Package)
			break
		}
		c.repository(ctx, &r, locked)
	case KindYum:
		if p.Yum == nil {
			r.note("package %s comes from the hosts' own repositories and is verified by dnf there", p.Package)
			break
		}
		c.yum(ctx, &r, locked)
	case KindDeb, KindRPM, KindArchive, KindWar:
		c.file(ctx, &r, locked)
	case KindPlugin:
		c.plugin(ctx, &r, locked)
	case KindImage:
		c.image(ctx, &r, locked)
	case KindPath:
		r.note("the folder %s is looked at on the hosts", p.Path)
	case KindStandin:
		r.note("the stand-in is part of jomctl")
	}
	if known && !c.Update && (p.pinned() == "" || p.pinned() == locked.SHA256) {
		c.same(&r, locked)
	}
	c.refine(&r)
	return r
}

// refine looks again at what the source can do, now that its version is known.
func (c *Checker) refine(r *Result) {
	if c.Catalogue == nil || r.Plan.Kind != KindApt || r.Locked.Version == "" {
		return
	}
	e, ok := c.Catalogue.Entry(r.Plan.Entry)
	if !ok {
		return
	}
	supports, notes, broken := e.At(r.Locked.Version)
	r.Plan.Cgroups, r.Plan.JavaBinding = supports.Cgroups, supports.JavaBinding
	r.Notes = append(r.Notes, notes...)
	if broken != "" {
		r.find(r.Locked.Version+": "+broken, "name another version")
	}
	r.Findings = append(r.Findings, systemFits(r.Plan)...)
}

// fetched says whether jomctl itself fetches something for a plan.
func (p Plan) fetched() bool {
	return p.Kind == KindApt && p.Repository != nil || p.Kind == KindYum && p.Yum != nil || p.Kind == KindDeb || p.Kind == KindRPM || p.Kind == KindArchive || p.Kind == KindImage ||
		p.Kind == KindWar || p.Kind == KindPlugin
}

// pinned is the checksum that a release has for its war and plugins, or the cluster file for its war. What is new there is wanted, and no
// change behind the lock's back.
func (p Plan) pinned() string {
	if p.Kind != KindWar && p.Kind != KindPlugin || p.Artefact == nil {
		return ""
	}
	return p.Artefact.SHA256
}

// offline asks the lock and the cache alone.
func (c *Checker) offline(r *Result, locked Locked, known bool) {
	const fix = "run `jomctl sources pack` where there is internet, and `jomctl sources unpack` here"
	if !r.Plan.fetched() {
		r.note("nothing is fetched for it by jomctl")
		return
	}
	if !known || locked.SHA256 == "" || r.Plan.pinned() != "" && r.Plan.pinned() != locked.SHA256 {
		r.find("nothing is locked for "+r.Plan.Facts.String(), fix)
		return
	}
	r.Locked = locked
	if _, err := c.Cache.File(locked.SHA256); err != nil {
		r.find(err.Error(), fix)
		return
	}
	r.Artefact = &Artefact{URL: locked.URL, SHA256: locked.SHA256, Size: locked.Size}
	r.note("in the cache, sha256 %s", locked.SHA256)
	c.refine(r)
}

// same compares what is there now with what is locked.
func (c *Checker) same(r *Result, locked Locked) {
	const fix = "compare with another copy; when the change is wanted, `jomctl sources lock --update` takes it"
	differ := func(what, was, is string) {
		if was != "" && is != "" && was != is {
			r.find(fmt.Sprintf("the %s was %s when it was locked on %s, and is %s now", what, was, locked.Got, is), fix)
		}
	}
	differ("version", locked.Version, r.Locked.Version)
	differ("sha256", locked.SHA256, r.Locked.SHA256)
	differ("image", locked.Image, r.Locked.Image)
	if len(r.Findings) > 0 {
		return
	}
	merged := locked
	merged.URL = r.Locked.URL
	r.Locked = merged
}

// file verifies a file by URL or path.
func (c *Checker) file(ctx context.Context, r *Result, locked Locked) {
	a := *r.Plan.Artefact
	if a.SHA256 == "" && !c.Update && a.File == "" {
		a.SHA256 = locked.SHA256
	}
	if a.File != "" {
		c.local(r, &a)
		return
	}
	size, at, err := first(append([]string{a.URL}, a.Mirrors...), func(address string) (int64, error) { return c.web().size(ctx, address) })
	if err != nil {
		r.fail(err)
		return
	}
	if a.Size > 0 && size > 0 && size != a.Size {
		r.fail(&MismatchError{at, "size", fmt.Sprint(a.Size), fmt.Sprint(size)})
		return
	}
	if size > 0 {
		a.Size = size
	}
	if at != a.URL {
		r.note("%s does not answer, its mirror %s does", a.URL, at)
		a.URL, a.Mirrors = at, append([]string{a.URL}, a.Mirrors...)
	}
	r.note("%s answers, %d bytes", at, size)
	if a.SHA256 == "" {
		r.note("the sha256 is not known before the first download, which `jomctl sources lock` makes")
	}
	r.Artefact = &a
	r.Locked.URL, r.Locked.SHA256, r.Locked.Size = at, a.SHA256, a.Size
}

// plugin takes a plugin of a release as it is locked there, so that no hundred addresses are asked; one in a folder is read.
func (c *Checker) plugin(ctx context.Context, r *Result, locked Locked) {
	if a := *r.Plan.Artefact; a.URL != "" && a.SHA256 != "" {
		r.Artefact = &a
		r.Locked.URL, r.Locked.SHA256, r.Locked.Size = a.URL, a.SHA256, a.Size
		r.note("locked by the release, sha256 %s", a.SHA256)
		return
	}
	c.file(ctx, r, locked)
}

func (c *Checker) local(r *Result, a *Artefact) {
	sum, size, err := sumFile(a.File)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		r.find("there is no file "+a.File, "correct "+r.Plan.key())
		return
	case err != nil:
		r.fail(err)
		return
	}
	if a.SHA256 != "" && a.SHA256 != sum {
		r.fail(&MismatchError{a.File, "sha256", a.SHA256, sum})
		return
	}
	a.SHA256, a.Size = sum, size
	r.Artefact = a
	r.Locked.SHA256, r.Locked.Size = sum, size
	r.note("%s is there, sha256 %s", a.File, sum)
}

// readPlace reads something small from a URL, one of its mirrors, or a file.
func (c *Checker) readPlace(ctx context.Context, file, address string, mirrors []string) ([]byte, string, error) {
	if file != "" {
		data, err := os.ReadFile(file)
		return data, file, err
	}
	return first(append([]string{address}, mirrors...), func(at string) ([]byte, error) { return c.web().get(ctx, at) })
}

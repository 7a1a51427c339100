package source

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
)

// repository verifies an apt repository as apt does: key, signature, dates, index by its checksum, package.
func (c *Checker) repository(ctx context.Context, r *Result, locked Locked) {
	repo := r.Plan.Repository
	arch := r.Plan.Facts.Arch
	if arch == "" {
		r.find("the architecture of the hosts is not known", "say it with --for SYSTEM/SUITE/ARCH")
		return
	}
	keys, ok := c.key(ctx, r, repo.Key, locked)
	if !ok {
		return
	}
	found, base, err := first(repo.bases(), func(base string) (signedRelease, error) { return c.release(ctx, repo, base, keys) })
	var bad *SignatureError
	switch {
	case errors.As(err, &bad):
		r.find(repo.dist(repo.URI)+": "+bad.Problem, "get the repository's key anew and compare its fingerprint with what its owner publishes; or name the package by its checksum, {deb: URL, sha256: ...}")
		return
	case err != nil:
		r.fail(err)
		return
	}
	if base != repo.URI {
		r.note("%s does not answer, its mirror %s does", repo.URI, base)
		// The host must go the way that was seen to work.
		own := *repo
		own.URI, own.Mirrors = base, nil
		r.Plan.Repository = &own
	}
	r.keyFacts(found.signer)
	p, ok := c.indexed(ctx, r, found.release, base, arch)
	if !ok {
		return
	}
	url := join(base, p.file)
	r.dates(found, url, p, c.now())
	if len(r.Findings) > 0 {
		return
	}
	if size, err := c.web().size(ctx, url); err != nil {
		r.fail(err)
		return
	} else if size >= 0 && size != p.size {
		r.fail(&MismatchError{url, "size", fmt.Sprint(p.size), fmt.Sprint(size)})
		return
	}
	r.Plan.Version = p.version
	r.Artefact = &Artefact{URL: url, SHA256: p.sha256, Size: p.size}
	r.Locked.URL, r.Locked.Version, r.Locked.SHA256, r.Locked.Size = url, p.version, p.sha256, p.size
	r.note("signed by %s; %s %s, sha256 %s", spaced(r.Locked.KeyFingerprint), p.name, p.version, p.sha256)
}

// key reads the repository's key and leaves only the one that is wanted.
func (c *Checker) key(ctx context.Context, r *Result, key KeyRef, locked Locked) (keyring, bool) {
	text, at, err := c.readPlace(ctx, key.File, key.URL, key.Mirrors)
	if err != nil {
		fix := "put the key into a file and name it in signed-by (apt) or gpgkey (yum)"
		if fetch := (*FetchError)(nil); errors.As(err, &fetch) {
			fix = fetch.fix()
		}
		r.find("the repository's key: "+err.Error(), fix)
		return keyring{}, false
	}
	keys, err := readKeys(text)
	if err != nil {
		r.find(at+": "+err.Error(), "the file must be an OpenPGP public key, armoured or not")
		return keyring{}, false
	}
	want, who := key.Fingerprint, "the catalogue"
	if want == "" && !c.Update {
		want, who = locked.KeyFingerprint, "the lock"
	}
	if want != "" {
		all := keys.fingerprints()
		keys.keys = slices.DeleteFunc(slices.Clone(keys.keys), func(k *openpgp.Entity) bool { return !slices.Contains(strings.Split(want, ", "), fingerprintOf(k)) })
		if len(keys.keys) == 0 {
			r.find(fmt.Sprintf("the key changed: %s has %s, and %s says %s", at, spaced(strings.Join(all, ", ")), who, spaced(want)),
				"ask the owner whether the key was replaced; until then name the package by its checksum, {deb: URL, sha256: ...} or {rpm: URL, sha256: ...}")
			return keyring{}, false
		}
	}
	if r.key, err = keys.armoured(); err != nil {
		r.fail(err)
		return keyring{}, false
	}
	return keys, true
}

func (r *Result) keyFacts(signer *openpgp.Entity) {
	if signer == nil {
		return
	}
	r.Locked.KeyFingerprint = fingerprintOf(signer)
	if end, ok := expiry(signer); ok {
		r.Locked.KeyExpires = day(end)
	}
}

// signedRelease is a Release file whose signature is good; expired where it is good but for the end of its key.
type signedRelease struct {
	release
	signer  *openpgp.Entity
	expired *SignatureError
}

func (c *Checker) release(ctx context.Context, repo *Repository, base string, keys keyring) (signedRelease, error) {
	var (
		found signedRelease
		text  []byte
		fail  *FetchError
	)
	inline, err := c.web().get(ctx, join(repo.dist(base), "InRelease"))
	switch {
	case err == nil:
		text, found.signer, err = keys.verifyInline(inline, c.now())
	case errors.As(err, &fail) && fail.Missing():
		text, found.signer, err = c.detached(ctx, repo.dist(base), keys)
	}
	var bad *SignatureError
	if errors.As(err, &bad) && bad.Expired {
		found.expired, err = bad, nil
	}
	if err != nil {
		return found, err
	}
	found.release, err = parseRelease(text)
	return found, err
}

func (c *Checker) detached(ctx context.Context, dist string, keys keyring) ([]byte, *openpgp.Entity, error) {
	text, err := c.web().get(ctx, join(dist, "Release"))
	if err != nil {
		return nil, nil, err
	}
	signature, err := c.web().get(ctx, join(dist, "Release.gpg"))
	if err != nil {
		return nil, nil, err
	}
	signer, err := keys.verifyDetached(text, signature, c.now())
	return text, signer, err
}

// indexed finds the package in the repository's indexes.
func (c *Checker) indexed(ctx context.Context, r *Result, rel release, base, arch string) (debPackage, bool) {
	repo, name, version := r.Plan.Repository, r.Plan.Package, r.Plan.Version
	if locked, known := c.Lock.Find(r.Plan); version == "" && known && !c.Update {
		version = locked.Version
	}
	var versions []string
	for _, path := range repo.indexes(arch) {
		f, ok := rel.index(path)
		if !ok {
			r.find(fmt.Sprintf("%s has no index %s", repo.dist(base), path), "check the components and the architecture of the repository line")
			return debPackage{}, false
		}
		p, all, err := c.readIndex(ctx, repo.dist(base), rel, f, name, version, arch)
		if err != nil {
			r.fail(err)
			return debPackage{}, false
		}
		if versions = append(versions, all...); p.name != "" {
			return p, true
		}
	}
	if len(versions) == 0 {
		r.find(fmt.Sprintf("%s has no package %s for %s", repo.dist(base), name, arch), "check the name of the package")
	} else {
		r.find(fmt.Sprintf("%s has no %s %s", repo.dist(base), name, version), "it has "+strings.Join(versions, ", ")+
			"; name one of them as "+name+"=VERSION, or take the newest by `jomctl sources lock --update`")
	}
	return debPackage{}, false
}

func (c *Checker) readIndex(ctx context.Context, dist string, rel release, f indexFile, name, version, arch string) (debPackage, []string, error) {
	address := join(dist, f.path)
	if rel.byHash {
		address = join(dist, f.path[:strings.LastIndex(f.path, "/")+1], "by-hash/SHA256", f.sha256)
	}
	data, err := c.web().get(ctx, address)
	if err != nil {
		return debPackage{}, nil, err
	}
	sum := sha256.Sum256(data)
	if err := compare(address, Artefact{SHA256: f.sha256, Size: f.size}, hex.EncodeToString(sum[:]), "", int64(len(data))); err != nil {
		return debPackage{}, nil, err
	}
	index, err := unpackIndex(f.path, data)
	if err != nil {
		return debPackage{}, nil, err
	}
	index = &newlines{r: index}
	p, all, err := find(index, name, version, arch)
	return p, all, err
}

// newlines takes the carriage returns out, which some tools write.
type newlines struct {
	r interface{ Read([]byte) (int, error) }
}

// Read reads without carriage returns.
func (n *newlines) Read(p []byte) (int, error) {
	got, err := n.r.Read(p)
	return copy(p, bytes.ReplaceAll(p[:got], []byte("\r"), nil)), err
}

// dates explains a key, a signature or a Release file that is too old or too new. The package's own checksum is offered instead: it was
// signed while the key lived.
func (r *Result) dates(found signedRelease, url string, p debPackage, now time.Time) {
	locked := fmt.Sprintf("ask the owner for a prolonged key, or lock the package by its checksum: components.%s.source: {deb: %q, sha256: %s} (the checksum is that of the index, which the key signed)",
		r.Plan.Component, url, p.sha256)
	if found.expired != nil {
		r.find(r.Plan.Repository.dist(r.Plan.Repository.URI)+": "+found.expired.Problem+", so that apt refuses the repository", locked)
	}
	if until := found.validUntil; !until.IsZero() && now.After(until) {
		r.find(fmt.Sprintf("%s: its Release file was valid until %s (today is %s): the repository is no longer kept, or an old copy is shown",
			r.Plan.Repository.dist(r.Plan.Repository.URI), day(until), day(now)), locked)
	}
	if found.date.After(now.Add(24 * time.Hour)) {
		r.find(fmt.Sprintf("%s: its Release file is of %s, which is in the future (today is %s)", r.Plan.Repository.dist(r.Plan.Repository.URI), day(found.date), day(now)),
			"set the clock of this machine")
	}
}

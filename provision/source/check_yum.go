package source

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/ProtonMail/go-crypto/openpgp"
)

// The words of Locked.Signed.
const (
	signedIndex   = "index"
	signedPackage = "package"
)

// yum verifies a repository of RPM packages: key, signature of the index of indexes, index by its checksum, package. An index that nobody
// signed is let pass, as most are, because the package's own signature is verified when it is fetched (signature).
func (c *Checker) yum(ctx context.Context, r *Result, locked Locked) {
	repo := r.Plan.Yum
	if r.Plan.Facts.Arch == "" {
		r.find("the architecture of the hosts is not known", "say it with --for SYSTEM/SUITE/ARCH")
		return
	}
	keys, ok := c.key(ctx, r, repo.Key, locked)
	if !ok {
		return
	}
	found, base, err := first(repo.bases(), func(base string) (signedRepomd, error) { return c.repomd(ctx, base, keys) })
	var bad *SignatureError
	switch {
	case errors.As(err, &bad):
		r.find(join(repo.URL, "repodata/repomd.xml")+": "+bad.Problem, "get the repository's key anew and compare its fingerprint with what its owner publishes; or name the package by its checksum, {rpm: URL, sha256: ...}")
		return
	case err != nil:
		r.fail(err)
		return
	}
	if base != repo.URL {
		r.note("%s does not answer, its mirror %s does", repo.URL, base)
		own := *repo
		own.URL, own.Mirrors = base, nil
		r.Plan.Yum = &own
	}
	p, sum, ok := c.indexedRPM(ctx, r, found.repomd, base)
	if !ok {
		return
	}
	r.keyFacts(found.signer)
	place, err := p.Location.place()
	if err != nil {
		r.fail(err)
		return
	}
	url := join(base, place)
	if c.trusted(r, found, locked, url, sum); len(r.Findings) > 0 {
		return
	}
	c.sized(ctx, r, url, p.Size.Package)
	r.Plan.Version = p.version()
	r.Artefact = &Artefact{URL: url, SHA256: sum, Size: p.Size.Package}
	r.Locked.URL, r.Locked.Version, r.Locked.SHA256, r.Locked.Size = url, p.version(), sum, p.Size.Package
	r.note("%s %s, sha256 %s", p.Name, p.version(), sum)
}

// signedRepomd is an index of indexes; signer is nil where nobody signed it, expired is set where the signature is good but for the end
// of its key.
type signedRepomd struct {
	repomd
	signer  *openpgp.Entity
	expired *SignatureError
}

func (c *Checker) repomd(ctx context.Context, base string, keys keyring) (found signedRepomd, err error) {
	at := join(base, "repodata/repomd.xml")
	text, err := c.web().get(ctx, at)
	if err != nil {
		return found, err
	}
	if found.repomd, err = parseRepomd(text); err != nil {
		return found, err
	}
	signature, err := c.web().get(ctx, at+".asc")
	var fail *FetchError
	if errors.As(err, &fail) && fail.Missing() {
		return found, nil
	}
	if err != nil {
		return found, err
	}
	found.signer, err = keys.verifyDetached(text, signature, c.now())
	var bad *SignatureError
	if errors.As(err, &bad) && bad.Expired {
		found.expired, err = bad, nil
	}
	return found, err
}

// trusted explains a signature of the index that has ended, or that is gone since the lock was made.
func (c *Checker) trusted(r *Result, found signedRepomd, locked Locked, url, sum string) {
	at := join(r.Plan.Yum.URL, "repodata/repomd.xml")
	switch {
	case found.expired != nil:
		r.find(at+": "+found.expired.Problem+", so that dnf refuses the repository", byChecksum(r.Plan.Component, url, sum))
	case found.signer != nil:
		r.Locked.Signed = signedIndex
		r.note("its index is signed by %s", spaced(r.Locked.KeyFingerprint))
	case strings.Contains(locked.Signed, signedIndex) && !c.Update:
		r.find(at+".asc is not there, and it was when the source was locked on "+locked.Got,
			"ask the owner; when the change is wanted, `jomctl sources lock --update` takes the package by its own signature")
	default:
		r.note("its index is not signed; the signature of the package itself is verified when it is fetched")
	}
}

func byChecksum(component, url, sum string) string {
	return fmt.Sprintf("ask the owner for a prolonged key, or lock the package by its checksum: components.%s.source: {rpm: %q, sha256: %s}", component, url, sum)
}

// sized compares the size of a file with that of the index.
func (c *Checker) sized(ctx context.Context, r *Result, url string, want int64) {
	size, err := c.web().size(ctx, url)
	switch {
	case err != nil:
		r.fail(err)
	case size >= 0 && size != want:
		r.fail(&MismatchError{url, "size", fmt.Sprint(want), fmt.Sprint(size)})
	}
}

// indexedRPM finds the package in the repository's index, with its sha256.
func (c *Checker) indexedRPM(ctx context.Context, r *Result, m repomd, base string) (p rpmPackage, sum string, ok bool) {
	name, version := r.Plan.Package, r.Plan.Version
	if locked, known := c.Lock.Find(r.Plan); version == "" && known && !c.Update {
		version = locked.Version
	}
	p, versions, err := c.readPrimary(ctx, m, base, name, version, rpmArch(r.Plan.Facts.Arch))
	if err == nil && p.Name != "" {
		sum, err = p.Checksum.sha256("the index's entry of " + name)
	}
	switch {
	case err != nil:
		r.fail(err)
	case p.Name != "":
		return p, sum, true
	case len(versions) == 0:
		r.find(fmt.Sprintf("%s has no package %s for %s", base, name, rpmArch(r.Plan.Facts.Arch)), "check the name of the package")
	default:
		r.find(fmt.Sprintf("%s has no %s %s", base, name, version), "it has "+strings.Join(versions, ", ")+
			"; name one of them as "+name+"=VERSION-RELEASE, or take the newest by `jomctl sources lock --update`")
	}
	return p, "", false
}

func (c *Checker) readPrimary(ctx context.Context, m repomd, base, name, version, arch string) (rpmPackage, []string, error) {
	f, err := m.primary()
	if err != nil {
		return rpmPackage{}, nil, err
	}
	address := join(base, f.path)
	data, err := c.web().get(ctx, address)
	if err != nil {
		return rpmPackage{}, nil, err
	}
	sum := sha256.Sum256(data)
	if err := compare(address, Artefact{SHA256: f.sha256, Size: f.size}, hex.EncodeToString(sum[:]), "", int64(len(data))); err != nil {
		return rpmPackage{}, nil, err
	}
	plain, err := decompress(newBytes(data))
	if err != nil {
		return rpmPackage{}, nil, fmt.Errorf("unpack %s: %w", address, err)
	}
	return findRPM(io.LimitReader(plain, maxIndexBytes), name, version, arch)
}

// signature verifies the signature inside a package that was fetched from a yum repository. A package without one is good enough where its
// checksum is in a signed index.
func (c *Checker) signature(r *Result, got *Fetched) {
	keys, err := readKeys(got.Key)
	if err != nil {
		r.fail(err)
		return
	}
	signer, err := rpmSigner(got.File, keys, c.now())
	var bad *SignatureError
	switch {
	case errors.As(err, &bad) && bad.Expired:
		r.find(got.Locked.URL+": "+bad.Problem, byChecksum(r.Plan.Component, got.Locked.URL, got.Locked.SHA256))
	case errors.As(err, &bad):
		r.find(got.Locked.URL+": "+bad.Problem, "get the repository's key anew and compare its fingerprint with what its owner publishes; or name the package by its checksum, {rpm: URL, sha256: ...}")
	case err != nil:
		r.fail(err)
	case signer == nil && got.Locked.Signed == "":
		r.find(got.Locked.URL+": neither the package nor the index of its repository is signed, so that anybody on the way could change it",
			"compare the file with another copy, and name it by its checksum: {rpm: URL, sha256: ...}")
	case signer != nil:
		got.Locked.signedBy(signer)
		if !strings.Contains(got.Locked.Signed, signedPackage) {
			got.Locked.Signed = strings.TrimPrefix(got.Locked.Signed+", "+signedPackage, ", ")
		}
		r.note("the package is signed by %s", spaced(fingerprintOf(signer)))
	}
}

// signedBy adds the key of a package to that of the index, which may be another one. The end is that of the key that ends first.
func (l *Locked) signedBy(signer *openpgp.Entity) {
	fingerprint := fingerprintOf(signer)
	if strings.Contains(l.KeyFingerprint, fingerprint) {
		return
	}
	l.KeyFingerprint = strings.TrimPrefix(l.KeyFingerprint+", "+fingerprint, ", ")
	if end, ok := expiry(signer); ok && (l.KeyExpires == "" || day(end) < l.KeyExpires) {
		l.KeyExpires = day(end)
	}
}

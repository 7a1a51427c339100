package repo

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/go-crypto/openpgp/clearsign"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
	"github.com/blakesmith/ar"
)

// KeyFile is the path of the armoured public key below the repository.
const KeyFile = "key.asc"

// Fault is a way in which a repository is spoiled.
type Fault string

// The faults; the empty one is none.
const (
	// ExpiredKey signs with a key that has ended since.
	ExpiredKey Fault = "expired key"
	// WrongKey signs with another key than the published one.
	WrongKey Fault = "wrong key"
	// WrongHash serves packages that are not those of the signed index.
	WrongHash Fault = "wrong hash"
	// Stale has a Valid-Until that has passed.
	Stale Fault = "stale"
)

// Repo is a signed apt repository in a folder, for one suite with the component main.
type Repo struct {
	dir, suite string
	now        time.Time
	keys       map[Fault]*openpgp.Entity
	packages   []string
}

// New makes an empty repository in dir; its signatures are of now.
func New(dir, suite string, now time.Time) (*Repo, error) {
	r := &Repo{dir: dir, suite: suite, now: now, keys: map[Fault]*openpgp.Entity{}}
	born := now.AddDate(-1, 0, 0)
	for fault, days := range map[Fault]uint32{"": 0, WrongKey: 0, ExpiredKey: 100} {
		key, err := openpgp.NewEntity("jomctl lab", string(fault), "lab@example.org", &packet.Config{Algorithm: packet.PubKeyAlgoEdDSA,
			Time: func() time.Time { return born }, KeyLifetimeSecs: days * 24 * 3600})
		if err != nil {
			return nil, fmt.Errorf("make a key of the repository: %w", err)
		}
		r.keys[fault] = key
	}
	return r, os.MkdirAll(filepath.Join(dir, "pool"), 0o755)
}

// Fingerprint is that of the published key in the state of a fault.
func (r *Repo) Fingerprint(fault Fault) string {
	return fmt.Sprintf("%X", r.published(fault).PrimaryKey.Fingerprint)
}

func (r *Repo) published(fault Fault) *openpgp.Entity {
	if fault == ExpiredKey {
		return r.keys[ExpiredKey]
	}
	return r.keys[""]
}

// Add copies a package into the pool. Publish makes it known.
func (r *Repo) Add(deb string) error {
	control, err := controlOf(deb)
	if err != nil {
		return fmt.Errorf("add %s to the repository: %w", deb, err)
	}
	data, err := os.ReadFile(deb)
	if err != nil {
		return err
	}
	file := path.Join("pool", filepath.Base(deb))
	sum := sha256.Sum256(data)
	r.packages = append(r.packages, fmt.Sprintf("%s\nFilename: %s\nSize: %d\nSHA256: %s\n", strings.TrimSpace(control), file, len(data), hex.EncodeToString(sum[:])))
	return os.WriteFile(filepath.Join(r.dir, file), data, 0o644)
}

// Publish writes index, Release, InRelease, Release.gpg and the key, spoiled by fault.
func (r *Repo) Publish(fault Fault, arch string) error {
	index := []byte(strings.Join(r.packages, "\n"))
	if fault == WrongHash {
		index = bytes.ReplaceAll(index, []byte("\nSHA256: "), []byte("\nSHA256: 00"))
		index = shortened(index)
	}
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	if _, err := w.Write(index); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	at := "main/binary-" + arch + "/Packages"
	files := map[string][]byte{at: index, at + ".gz": packed.Bytes()}
	signed, until, signer := r.now, r.now.AddDate(0, 0, 7), r.keys[""]
	switch fault {
	case ExpiredKey:
		// The signature itself is of a day on which the key lived.
		signed, until, signer = r.now.AddDate(-1, 0, 50), r.now.AddDate(1, 0, 0), r.keys[ExpiredKey]
	case WrongKey:
		signer = r.keys[WrongKey]
	case Stale:
		signed, until = r.now.AddDate(0, 0, -9), r.now.AddDate(0, 0, -2)
	}
	release := r.release(arch, signed, until, files)
	if err := sign(release, signer, signed, files); err != nil {
		return fmt.Errorf("sign the repository: %w", err)
	}
	key, err := public(r.published(fault))
	if err != nil {
		return err
	}
	for name, data := range files {
		if err := put(filepath.Join(r.dir, "dists", r.suite, name), data); err != nil {
			return err
		}
	}
	return put(filepath.Join(r.dir, KeyFile), key)
}

// shortened cuts checksums to their length again.
func shortened(index []byte) []byte {
	lines := bytes.Split(index, []byte("\n"))
	for i, line := range lines {
		if bytes.HasPrefix(line, []byte("SHA256: ")) {
			lines[i] = line[:len("SHA256: ")+64]
		}
	}
	return bytes.Join(lines, []byte("\n"))
}

func (r *Repo) release(arch string, date, until time.Time, files map[string][]byte) []byte {
	var text strings.Builder
	stamp := func(t time.Time) string { return t.UTC().Format("Mon, 02 Jan 2006 15:04:05 UTC") }
	fmt.Fprintf(&text, "Origin: jomctl lab\nLabel: jomctl lab\nSuite: %s\nCodename: %s\nDate: %s\nValid-Until: %s\nArchitectures: %s\nComponents: main\nSHA256:\n",
		r.suite, r.suite, stamp(date), stamp(until), arch)
	for name, data := range files {
		sum := sha256.Sum256(data)
		fmt.Fprintf(&text, " %s %d %s\n", hex.EncodeToString(sum[:]), len(data), name)
	}
	return []byte(text.String())
}

func sign(release []byte, key *openpgp.Entity, at time.Time, files map[string][]byte) error {
	config := &packet.Config{Time: func() time.Time { return at }}
	var inline, detached bytes.Buffer
	w, err := clearsign.Encode(&inline, key.PrivateKey, config)
	if err != nil {
		return err
	}
	if _, err := w.Write(release); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	if err := openpgp.ArmoredDetachSign(&detached, key, bytes.NewReader(release), config); err != nil {
		return err
	}
	files["Release"], files["InRelease"], files["Release.gpg"] = release, inline.Bytes(), detached.Bytes()
	return nil
}

func public(key *openpgp.Entity) ([]byte, error) {
	var out bytes.Buffer
	w, err := armor.Encode(&out, openpgp.PublicKeyType, nil)
	if err != nil {
		return nil, err
	}
	if err := key.Serialize(w); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return append(out.Bytes(), '\n'), nil
}

func put(path string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, data, 0o644)
}

// controlOf is the control file of a package.
func controlOf(deb string) (string, error) {
	f, err := os.Open(deb)
	if err != nil {
		return "", err
	}
	defer f.Close()
	for archive := ar.NewReader(f); ; {
		header, err := archive.Next()
		if err != nil {
			return "", errors.Join(errors.New("there is no control file in it"), err)
		}
		if !strings.HasPrefix(header.Name, "control.tar.gz") {
			continue
		}
		unzipped, err := gzip.NewReader(archive)
		if err != nil {
			return "", err
		}
		for control := tar.NewReader(unzipped); ; {
			header, err := control.Next()
			if err != nil {
				return "", errors.Join(errors.New("there is no control file in it"), err)
			}
			if path.Base(header.Name) == "control" {
				text, err := io.ReadAll(control)
				return string(text), err
			}
		}
	}
}

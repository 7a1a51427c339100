package source

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/go-crypto/openpgp/clearsign"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
	"github.com/blakesmith/ar"
	"github.com/stretchr/testify/require"
	"github.com/ulikunitz/xz"
)

var today = time.Date(2026, 8, 31, 12, 0, 0, 0, time.UTC)

func digest(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// newKey makes a key that was born a year before today and lives so many days.
func newKey(t *testing.T, days int) *openpgp.Entity {
	t.Helper()
	born := today.AddDate(-1, 0, 0)
	key, err := openpgp.NewEntity("tests", "", "tests@example.org", &packet.Config{Algorithm: packet.PubKeyAlgoEdDSA,
		Time: func() time.Time { return born }, KeyLifetimeSecs: uint32(days) * 24 * 3600})
	require.NoError(t, err)
	return key
}

func publicKey(t *testing.T, keys ...*openpgp.Entity) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := armor.Encode(&out, openpgp.PublicKeyType, nil)
	require.NoError(t, err)
	for _, key := range keys {
		require.NoError(t, key.Serialize(w))
	}
	require.NoError(t, w.Close())
	return out.Bytes()
}

// fakeRepo is a signed apt repository behind HTTP, kept in memory.
type fakeRepo struct {
	t      *testing.T
	server *httptest.Server
	key    *openpgp.Entity
	date   time.Time
	// valid is Valid-Until.
	valid    time.Time
	detached bool
	byHash   bool
	xz       bool
	packages string

	mu    sync.Mutex
	files map[string][]byte
	asked []string
}

func newFakeRepo(t *testing.T) *fakeRepo {
	r := &fakeRepo{t: t, key: newKey(t, 800), date: today, valid: today.AddDate(0, 0, 7), files: map[string][]byte{}}
	r.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		r.mu.Lock()
		data, ok := r.files[strings.TrimPrefix(q.URL.Path, "/")]
		r.asked = append(r.asked, q.Method+" "+q.URL.Path)
		r.mu.Unlock()
		if !ok {
			http.NotFound(w, q)
			return
		}
		http.ServeContent(w, q, "", time.Time{}, bytes.NewReader(data))
	}))
	t.Cleanup(r.server.Close)
	return r
}

func (r *fakeRepo) put(path string, data []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.files[path] = data
}

// add puts a package into the pool.
func (r *fakeRepo) add(name, version, arch string, deb []byte) {
	path := fmt.Sprintf("pool/%s_%s_%s.deb", name, version, arch)
	r.put(path, deb)
	r.packages += fmt.Sprintf("Package: %s\nVersion: %s\nArchitecture: %s\nFilename: %s\nSize: %d\nSHA256: %s\nDescription: x\n y\n\n",
		name, version, arch, path, len(deb), digest(deb))
}

// publish writes index, Release and signature.
func (r *fakeRepo) publish() *fakeRepo {
	index, suffix := []byte(r.packages), ".gz"
	var packed bytes.Buffer
	if r.xz {
		suffix = ".xz"
		w, err := xz.NewWriter(&packed)
		require.NoError(r.t, err)
		_, _ = w.Write(index)
		require.NoError(r.t, w.Close())
	} else {
		w := gzip.NewWriter(&packed)
		_, _ = w.Write(index)
		require.NoError(r.t, w.Close())
	}
	path := "main/binary-amd64/Packages" + suffix
	at := path
	release := fmt.Sprintf("Origin: tests\nSuite: stable\nCodename: bookworm\nDate: %s\nValid-Until: %s\n", r.date.Format(time.RFC1123), r.valid.UTC().Format(time.RFC1123))
	if r.byHash {
		release += "Acquire-By-Hash: yes\n"
		at = "main/binary-amd64/by-hash/SHA256/" + digest(packed.Bytes())
	}
	r.put("dists/bookworm/"+at, packed.Bytes())
	r.sign(release + fmt.Sprintf("SHA256:\n %s %d %s\n", digest(packed.Bytes()), packed.Len(), path))
	return r
}

func (r *fakeRepo) sign(release string) {
	config := &packet.Config{Time: func() time.Time { return r.date }}
	var out bytes.Buffer
	if r.detached {
		require.NoError(r.t, openpgp.ArmoredDetachSign(&out, r.key, strings.NewReader(release), config))
		r.put("dists/bookworm/Release", []byte(release))
		r.put("dists/bookworm/Release.gpg", out.Bytes())
		return
	}
	w, err := clearsign.Encode(&out, r.key.PrivateKey, config)
	require.NoError(r.t, err)
	_, _ = w.Write([]byte(release))
	require.NoError(r.t, w.Close())
	r.put("dists/bookworm/InRelease", out.Bytes())
}

// plan is a plan for the package mesos of this repository.
func (r *fakeRepo) plan() Plan {
	file := filepath.Join(r.t.TempDir(), "key.asc")
	require.NoError(r.t, os.WriteFile(file, publicKey(r.t, r.key), 0o600))
	return Plan{Component: Mesos, Kind: KindApt, Title: "apt mesos", Package: "mesos", Facts: bookworm,
		Repository: &Repository{URI: r.server.URL, Suite: "bookworm", Components: []string{"main"}, Key: KeyRef{File: file}}}
}

func checker(t *testing.T) *Checker {
	return &Checker{Cache: &Cache{Dir: filepath.Join(t.TempDir(), "cache")}, Lock: &Lock{APIVersion: lockVersion}, Client: &http.Client{},
		Now: func() time.Time { return today }}
}

// tarOf is a tar.gz of files.
func tarOf(t *testing.T, files map[string]string) []byte {
	t.Helper()
	var out bytes.Buffer
	zipped := gzip.NewWriter(&out)
	w := tar.NewWriter(zipped)
	for name, text := range files {
		require.NoError(t, w.WriteHeader(&tar.Header{Name: name, Mode: 0o755, Size: int64(len(text))}))
		_, err := w.Write([]byte(text))
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
	require.NoError(t, zipped.Close())
	return out.Bytes()
}

// debOf is a Debian package with files.
func debOf(t *testing.T, name, version string, files map[string]string) []byte {
	t.Helper()
	var out bytes.Buffer
	w := ar.NewWriter(&out)
	require.NoError(t, w.WriteGlobalHeader())
	for _, part := range []struct {
		name string
		data []byte
	}{
		{"debian-binary", []byte("2.0\n")},
		{"control.tar.gz", tarOf(t, map[string]string{"./control": "Package: " + name + "\nVersion: " + version + "\nArchitecture: amd64\n"})},
		{"data.tar.gz", tarOf(t, files)},
	} {
		require.NoError(t, w.WriteHeader(&ar.Header{Name: part.name, Size: int64(len(part.data)), Mode: 0o644, ModTime: today}))
		_, err := w.Write(part.data)
		require.NoError(t, err)
	}
	return out.Bytes()
}

// mesosDeb is a package as the vendor's; binding is whether its library is for Java.
func mesosDeb(t *testing.T, version string, binding bool) []byte {
	library := "\x7fELF" + strings.Repeat("x", 1<<20-10)
	if binding {
		library += "Java_org_apache_mesos_MesosSchedulerDriver_start"
	}
	return debOf(t, "mesos", version, map[string]string{"./usr/sbin/mesos-master": "m", "./usr/sbin/mesos-agent": "a", "./usr/lib/libmesos-1.11.0.so": library, "./usr/lib/libmesos.so": ""})
}

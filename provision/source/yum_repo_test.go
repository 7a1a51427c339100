package source

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
	"github.com/goreleaser/nfpm/v2"
	"github.com/goreleaser/nfpm/v2/files"
	"github.com/goreleaser/nfpm/v2/rpm"
	"github.com/stretchr/testify/require"
)

// newRSAKey is a key as RPM packages are signed with by most; making one takes a while.
func newRSAKey(t *testing.T, days int, born time.Time) *openpgp.Entity {
	t.Helper()
	key, err := openpgp.NewEntity("tests", "", "tests@example.org", &packet.Config{Algorithm: packet.PubKeyAlgoRSA, RSABits: 2048,
		Time: func() time.Time { return born }, KeyLifetimeSecs: uint32(days) * 24 * 3600})
	require.NoError(t, err)
	return key
}

// signatureOf is a detached signature made on a day.
func signatureOf(t *testing.T, key *openpgp.Entity, data []byte, at time.Time) []byte {
	t.Helper()
	var out bytes.Buffer
	require.NoError(t, openpgp.DetachSign(&out, key, bytes.NewReader(data), &packet.Config{Time: func() time.Time { return at }}))
	return out.Bytes()
}

func armoured(t *testing.T, signature []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := armor.Encode(&out, openpgp.SignatureType, nil)
	require.NoError(t, err)
	_, _ = w.Write(signature)
	require.NoError(t, w.Close())
	return out.Bytes()
}

// rpmOf is an RPM package with files, signed at a time where there is a key.
func rpmOf(t *testing.T, name, version, release string, contents map[string]string, key *openpgp.Entity, at time.Time, needs ...string) []byte {
	t.Helper()
	dir := t.TempDir()
	info := nfpm.WithDefaults(&nfpm.Info{Name: name, Arch: "amd64", Version: version, Release: release, VersionSchema: "none", Maintainer: "tests <tests@example.org>", Description: "of a test", License: "none"})
	for dst, text := range contents {
		src := filepath.Join(dir, strings.ReplaceAll(dst, "/", "+"))
		require.NoError(t, os.WriteFile(src, []byte(text), 0o644))
		info.Contents = append(info.Contents, &files.Content{Source: src, Destination: dst, FileInfo: &files.ContentFileInfo{Mode: 0o755}})
	}
	info.Depends = needs
	if key != nil {
		info.RPM.Signature.SignFn = func(data io.Reader) ([]byte, error) {
			all, err := io.ReadAll(data)
			return signatureOf(t, key, all, at), err
		}
	}
	require.NoError(t, nfpm.PrepareForPackager(info, "rpm"))
	var out bytes.Buffer
	require.NoError(t, rpm.DefaultRPM.Package(info, &out))
	return out.Bytes()
}

// mesosRPM is a Mesos for RHEL-like systems.
func mesosRPM(t *testing.T, version, release string, key *openpgp.Entity) []byte {
	return rpmOf(t, "mesos", version, release, map[string]string{"/usr/bin/mesos-master": "m", "/usr/bin/mesos-agent": "a",
		"/usr/lib64/libmesos.so": "\x7fELF Java_org_apache_mesos_MesosSchedulerDriver", "/usr/lib/systemd/system/mesos-agent.service": "[Service]\n"}, key, today)
}

// fakeYum is a repository of RPM packages behind HTTP, kept in memory.
type fakeYum struct {
	*fakeRepo
	// index and packages sign; nil signs nothing.
	index, published *openpgp.Entity
	// also are further keys in the file.
	also     []*openpgp.Entity
	signed   time.Time
	checksum string
	entries  string
}

func newFakeYum(t *testing.T) *fakeYum {
	y := &fakeYum{fakeRepo: newFakeRepo(t), signed: today, checksum: "sha256"}
	y.index = newKey(t, 800)
	y.published = y.index
	return y
}

// add puts a package into the repository.
func (y *fakeYum) add(version, release, arch string, data []byte) {
	path := fmt.Sprintf("Packages/mesos-%s-%s.%s.rpm", version, release, arch)
	y.put(path, data)
	y.entries += fmt.Sprintf(`<package type="rpm"><name>mesos</name><arch>%s</arch><version epoch="0" ver="%s" rel="%s"/><checksum type="%s" pkgid="YES">%s</checksum>`+
		`<summary>of a test</summary><size package="%d" installed="1" archive="1"/><location href="%s"/></package>`, arch, version, release, y.checksum, digest(data), len(data), path)
}

// publish writes the indexes and their signature.
func (y *fakeYum) publish() *fakeYum {
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	_, _ = w.Write([]byte(`<?xml version="1.0"?><metadata xmlns="http://linux.duke.edu/metadata/common" packages="1">` + y.entries + `</metadata>`))
	require.NoError(y.t, w.Close())
	path := "repodata/" + digest(packed.Bytes()) + "-primary.xml.gz"
	y.put(path, packed.Bytes())
	index := fmt.Sprintf(`<?xml version="1.0"?><repomd xmlns="http://linux.duke.edu/metadata/repo"><revision>1</revision><data type="filelists"><location href="x"/></data><data type="primary">`+
		`<checksum type="sha256">%s</checksum><location href="%s"/><size>%d</size></data></repomd>`, digest(packed.Bytes()), path, packed.Len())
	y.put("repodata/repomd.xml", []byte(index))
	if y.index != nil {
		y.put("repodata/repomd.xml.asc", signatureOf(y.t, y.index, []byte(index), y.signed))
	}
	return y
}

// plan is a plan for the package mesos of this repository.
func (y *fakeYum) plan() Plan {
	file := filepath.Join(y.t.TempDir(), "key.asc")
	require.NoError(y.t, os.WriteFile(file, publicKey(y.t, append([]*openpgp.Entity{y.published}, y.also...)...), 0o600))
	return Plan{Component: Mesos, Kind: KindYum, Title: "yum mesos", Package: "mesos", Facts: alma,
		Yum: newYumRepository(y.server.URL+"/", nil, KeyRef{File: file}, alma)}
}

// gone is a server that answers nothing.
func gone() string {
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close()
	return server.URL
}

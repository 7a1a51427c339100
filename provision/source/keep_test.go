package source

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"log"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/provision/catalogue"
)

func TestCache(t *testing.T) {
	c, ctx := &Cache{Dir: filepath.Join(t.TempDir(), "a", "cache")}, context.Background()
	text := []byte("programs")
	_, err := c.File(digest(text))
	require.ErrorIs(t, err, fs.ErrNotExist)
	got, size, err := c.Add(ctx, "here", bytes.NewReader(text), Artefact{SHA256: digest(text), SHA1: "4cb3df2d6abf4f34c2bf0fdd5a1d8bd3c1e32e47", Size: 8})
	require.Error(t, err, "another sha1")
	require.Empty(t, got)
	got, size, err = c.Add(ctx, "here", bytes.NewReader(text), Artefact{SHA256: digest(text), Size: 8})
	require.NoError(t, err)
	require.Equal(t, digest(text), got)
	require.EqualValues(t, 8, size)
	path, err := c.File(got)
	require.NoError(t, err)

	require.NoError(t, os.WriteFile(path, []byte("damaged"), 0o600))
	var mismatch *MismatchError
	_, err = c.File(got)
	require.ErrorAs(t, err, &mismatch)
	require.NoFileExists(t, path, "what is damaged is not used again")

	_, _, err = c.Add(ctx, "here", bytes.NewReader(text), Artefact{Size: 9})
	require.EqualError(t, err, "here: the size is 8, but must be 9")
	stopped, stop := context.WithCancel(ctx)
	stop()
	_, _, err = c.Add(stopped, "here", bytes.NewReader(text), Artefact{})
	require.ErrorIs(t, err, context.Canceled)
	left, err := os.ReadDir(c.Dir)
	require.NoError(t, err)
	require.Empty(t, left, "nothing half written stays")
}

func TestLockFile(t *testing.T) {
	dir := t.TempDir()
	path := LockFile(&config.Cluster{File: filepath.Join(dir, "blue.yaml")})
	require.Equal(t, filepath.Join(dir, "blue.lock.yaml"), path)
	l, err := ReadLock(path)
	require.NoError(t, err)
	p := Plan{Component: Mesos, Title: "apt mesos", Facts: bookworm}
	_, ok := l.Find(p)
	require.False(t, ok)
	_, ok = (*Lock)(nil).Find(p)
	require.False(t, ok)
	one := Locked{Component: Mesos, Source: "apt mesos", For: bookworm.String(), Kind: KindApt, Version: "1.10", SHA256: sum, Got: "2026-08-31"}
	l.Set(one)
	l.Set(Locked{Component: Marathon, Source: "image x", For: bookworm.String(), Kind: KindImage, Got: "2026-08-31"})
	require.NoError(t, l.Write(path))
	first, err := os.ReadFile(path)
	require.NoError(t, err)

	l, err = ReadLock(path)
	require.NoError(t, err)
	got, ok := l.Find(p)
	require.True(t, ok)
	require.Equal(t, one, got)
	require.NoError(t, l.Write(path))
	second, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, string(first), string(second), "always in the same order")
	p.Title = "deb mesos.deb"
	_, ok = l.Find(p)
	require.False(t, ok, "another source is not locked by this one")
	one.Source = "deb mesos.deb"
	l.Set(one)
	require.Len(t, l.Sources, 2, "one for a component and kind of host")

	for text, want := range map[string]string{"apiVersion: other\n": `"other": must be`, "apiVersion: jomctl/lock/v1\nsource: []\n": "source", "{": "read the lock"} {
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		_, err = ReadLock(path)
		require.ErrorContains(t, err, want)
	}
	require.Error(t, l.Write(filepath.Join(dir, "gone", "x.yaml")))
}

// packed is a pack of one package of a repository, with the checker that made it.
func packed(t *testing.T) (*Checker, Plan, []byte) {
	repo, c := newFakeRepo(t), checker(t)
	repo.add("mesos", "1.11.0-2", "amd64", mesosDeb(t, "1.11.0-2", false))
	p := repo.publish().plan()
	got, _, err := c.Fetch(context.Background(), p, true)
	require.NoError(t, err)
	c.Lock.Set(got.Locked)
	var out bytes.Buffer
	manifest, err := Pack(context.Background(), &out, c.Lock, c.Cache)
	require.NoError(t, err)
	require.Len(t, manifest.Files, 2, "the package and the key")
	return c, p, out.Bytes()
}

func TestPackTravelsToAMachineWithoutInternet(t *testing.T) {
	c, p, pack := packed(t)
	var again bytes.Buffer
	_, err := Pack(context.Background(), &again, c.Lock, c.Cache)
	require.NoError(t, err)
	require.Equal(t, digest(pack), digest(again.Bytes()), "the same sources give the same archive")

	away := checker(t)
	away.Offline = true
	require.Contains(t, away.Check(context.Background(), p).Findings.Error(), "nothing is locked for debian/bookworm/amd64")
	_, err = Unpack(context.Background(), bytes.NewReader(pack), away.Lock, away.Cache)
	require.NoError(t, err)
	require.Empty(t, away.Check(context.Background(), p).Findings)
	got, r, err := away.Fetch(context.Background(), p, true)
	require.NoError(t, err)
	require.Contains(t, string(got.Key), "BEGIN PGP PUBLIC KEY")
	require.Equal(t, "mesos", got.Inside.Package)
	require.Equal(t, catalogue.BindingNo, r.Plan.JavaBinding)

	require.NoError(t, os.Remove(away.Cache.path(got.Locked.SHA256)))
	require.Contains(t, away.Check(context.Background(), p).Findings.Error(), "is not in the cache")
	_, err = Pack(context.Background(), &again, away.Lock, away.Cache)
	require.ErrorIs(t, err, fs.ErrNotExist)
}

func TestUnpackRefuses(t *testing.T) {
	_, _, pack := packed(t)
	stray := func(name string) []byte {
		var out bytes.Buffer
		w := tar.NewWriter(&out)
		r := tar.NewReader(bytes.NewReader(pack))
		header, err := r.Next()
		require.NoError(t, err)
		require.NoError(t, w.WriteHeader(header))
		_, _ = out.ReadFrom(strings.NewReader(""))
		text := make([]byte, header.Size)
		_, _ = r.Read(text)
		_, err = w.Write(text)
		require.NoError(t, err)
		require.NoError(t, w.WriteHeader(&tar.Header{Name: name, Mode: 0o644}))
		require.NoError(t, w.Close())
		return out.Bytes()
	}
	for name, test := range map[string]struct {
		pack []byte
		want string
	}{
		"another archive":  {tarOf(t, map[string]string{"x": "y"}), "no archive of `jomctl sources pack`"},
		"nothing":          {nil, "no archive of `jomctl sources pack`"},
		"cut off":          {pack[:len(pack)/2], "pack"},
		"changed":          {bytes.Replace(pack, []byte("!<arch>"), []byte("!<ARCH>"), 1), "the sha256 is "},
		"stray file":       {stray("../../etc/passwd"), "does not belong there"},
		"file of no entry": {stray("files/sha256-" + sum), "is not in its manifest"},
	} {
		t.Run(name, func(t *testing.T) {
			c := checker(t)
			_, err := Unpack(context.Background(), bytes.NewReader(test.pack), c.Lock, c.Cache)
			require.ErrorContains(t, err, test.want)
			require.Empty(t, c.Lock.Sources)
		})
	}
}

func TestInspect(t *testing.T) {
	dir := t.TempDir()
	inspect := func(data []byte) (Contents, error) {
		file := filepath.Join(dir, "artefact")
		require.NoError(t, os.WriteFile(file, data, 0o600))
		return Inspect(file)
	}
	c, err := inspect(mesosDeb(t, "1.9.0-2", true))
	require.NoError(t, err)
	require.Equal(t, Contents{Package: "mesos", Version: "1.9.0-2", Arch: "amd64", JavaBinding: catalogue.BindingYes,
		Programs: []string{"usr/lib/libmesos-1.11.0.so", "usr/lib/libmesos.so", "usr/sbin/mesos-agent", "usr/sbin/mesos-master"}}, c)
	c, err = inspect(tarOf(t, map[string]string{"x/lib/libmesos.so": "ELF"}))
	require.NoError(t, err)
	require.Equal(t, catalogue.BindingNo, c.JavaBinding)
	c, err = inspect(nil)
	require.NoError(t, err)
	require.Equal(t, catalogue.BindingUnknown, c.JavaBinding)
	_, err = inspect([]byte("\xed\xab\xee\xdb cut off"))
	require.ErrorContains(t, err, "is damaged or no archive")
	_, err = inspect([]byte("<html>404 not found</html>"))
	require.ErrorContains(t, err, "is damaged or no archive")
	_, err = Inspect(filepath.Join(dir, "gone"))
	require.ErrorIs(t, err, fs.ErrNotExist)
}

func TestContainsAcrossReads(t *testing.T) {
	text := strings.Repeat("a", 1<<20-3) + "needle" + strings.Repeat("b", 1<<20)
	found, empty, err := contains(strings.NewReader(text), []byte("needle"))
	require.NoError(t, err)
	require.True(t, found)
	require.False(t, empty)
	found, _, err = contains(strings.NewReader(text), []byte("nail"))
	require.NoError(t, err)
	require.False(t, found)
}

// pushed is a registry with one image, and a plan for it by its tag.
func pushed(t *testing.T) (*httptest.Server, name.Tag, v1.Image, Plan) {
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(server.Close)
	tag, err := name.NewTag(strings.TrimPrefix(server.URL, "http://") + "/marathon:v1")
	require.NoError(t, err)
	image, err := random.Image(2000, 2)
	require.NoError(t, err)
	require.NoError(t, remote.Write(tag, image))
	return server, tag, image, Plan{Component: Marathon, Kind: KindImage, Title: "image " + tag.String(), Image: tag.String(), Facts: Facts{System: "debian", Suite: "bookworm"}}
}

func TestImagesAreLockedByTheirDigest(t *testing.T) {
	server, tag, image, p := pushed(t)
	c, ctx := checker(t), context.Background()
	digest, err := image.Digest()
	require.NoError(t, err)
	got, r, err := c.Fetch(ctx, p, false)
	require.NoError(t, err)
	require.Equal(t, tag.Repository.Digest(digest.String()).String(), got.Locked.Image)
	require.Equal(t, got.Locked.Image, r.Plan.Image)
	require.Empty(t, got.File, "hosts pull it for themselves")
	c.Lock.Set(got.Locked)

	got, _, err = c.Fetch(ctx, p, true)
	require.NoError(t, err)
	loaded, err := tarball.ImageFromPath(got.File, nil)
	require.NoError(t, err)
	id, err := loaded.ConfigName()
	require.NoError(t, err)
	require.Equal(t, id.String(), got.Locked.ImageID)
	c.Lock.Set(got.Locked)
	again, _, err := c.Fetch(ctx, p, true)
	require.NoError(t, err)
	require.Equal(t, got, again)

	moved, err := random.Image(2000, 2)
	require.NoError(t, err)
	require.NoError(t, remote.Write(tag, moved))
	_, _, err = c.Fetch(ctx, p, false)
	require.ErrorContains(t, err, "the image was "+got.Locked.Image+" when it was locked on 2026-08-31, and is ")

	p.Image = tag.Repository.Tag("v2").String()
	require.Contains(t, c.Check(ctx, p).Findings.Error(), "the registry answers 404")
	p.Image = "A:B:C"
	require.Contains(t, c.Check(ctx, p).Findings.Error(), "repository:tag or repository@sha256:DIGEST")
	server.Close()
	p.Image = tag.String()
	require.Contains(t, c.Check(ctx, p).Findings.Error(), "cannot be reached: connection refused")
}

func TestFindingsSayWhatWhereAndHow(t *testing.T) {
	found := Findings{{"mesos", "is gone", "use another"}, {"marathon", "is old", ""}}
	require.EqualError(t, found, "mesos: is gone (use another)\nmarathon: is old")
	inner := errors.New("inner")
	require.ErrorIs(t, &FetchError{cause: inner}, inner)
	require.ErrorIs(t, &SignatureError{cause: inner}, inner)
}

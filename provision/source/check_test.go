package source

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/provision/catalogue"
)

func TestCheckAptVerifiesEverything(t *testing.T) {
	for name, shape := range map[string]func(*fakeRepo){
		"InRelease, gz":        func(*fakeRepo) {},
		"Release.gpg":          func(r *fakeRepo) { r.detached = true },
		"by hash, xz":          func(r *fakeRepo) { r.byHash, r.xz = true, true },
		"key without an end":   func(r *fakeRepo) { r.key = newKey(r.t, 0) },
		"more than one ending": func(r *fakeRepo) { r.valid = today.AddDate(1, 0, 0) },
	} {
		t.Run(name, func(t *testing.T) {
			repo, c := newFakeRepo(t), checker(t)
			shape(repo)
			old, deb := mesosDeb(t, "1.9.0-1", false), mesosDeb(t, "1.11.0-2", false)
			repo.add("mesos", "1.9.0-1", "amd64", old)
			repo.add("mesos", "1.11.0-2", "amd64", deb)
			repo.add("mesos", "2.0", "arm64", []byte("other"))
			repo.add("mesos-dns", "9", "amd64", []byte("other"))
			repo.publish()
			r := c.Check(context.Background(), repo.plan())
			require.Empty(t, r.Findings)
			require.Equal(t, "1.11.0-2", r.Locked.Version, "the newest")
			require.Equal(t, digest(deb), r.Artefact.SHA256)
			require.Equal(t, int64(len(deb)), r.Locked.Size)
			require.Equal(t, fingerprintOf(repo.key), r.Locked.KeyFingerprint)
			require.Contains(t, string(r.key), "BEGIN PGP PUBLIC KEY")
			p := repo.plan()
			p.Version = "1.9.0-1"
			require.Equal(t, digest(old), c.Check(context.Background(), p).Locked.SHA256, "the wanted one")
		})
	}
}

func TestCheckAptFindings(t *testing.T) {
	for name, test := range map[string]struct {
		shape func(*fakeRepo, *Plan, *Checker)
		want  []string
	}{
		"expired key": {func(r *fakeRepo, p *Plan, _ *Checker) {
			r.key = newKey(r.t, 100)
			r.date = today.AddDate(-1, 0, 10)
			r.valid = today.AddDate(1, 0, 0)
			r.publish()
			require.NoError(r.t, os.WriteFile(p.Repository.Key.File, publicKey(r.t, r.key), 0o600))
		}, []string{"has expired on 2025-12-09 (today is 2026-08-31)", "{deb: ", "sha256: "}},
		"other key": {func(r *fakeRepo, p *Plan, _ *Checker) {
			require.NoError(r.t, os.WriteFile(p.Repository.Key.File, publicKey(r.t, newKey(r.t, 800)), 0o600))
		}, []string{"is signed by key ", "but the key here is", "{deb: URL, sha256: ...}"}},
		"changed key": {func(r *fakeRepo, p *Plan, _ *Checker) {
			p.Repository.Key.Fingerprint = "BA227EBC312D2E43498A533963F8CEE149ACA59E"
		}, []string{"the key changed: ", "the catalogue says BA22 7EBC 312D"}},
		"changed since the lock": {func(r *fakeRepo, p *Plan, c *Checker) {
			c.Lock.Set(Locked{Component: Mesos, Source: p.Title, For: p.Facts.String(), KeyFingerprint: "BA227EBC312D2E43498A533963F8CEE149ACA59E"})
		}, []string{"the lock says BA22"}},
		"a second key in the file does not count": {func(r *fakeRepo, p *Plan, _ *Checker) {
			other := newKey(r.t, 800)
			require.NoError(r.t, os.WriteFile(p.Repository.Key.File, publicKey(r.t, other, r.key), 0o600))
			p.Repository.Key.Fingerprint = fingerprintOf(other)
		}, []string{"is signed by key "}},
		"key on a server that is down": {func(r *fakeRepo, p *Plan, _ *Checker) {
			p.Repository.Key = KeyRef{URL: "http://127.0.0.1:1/key.asc"}
		}, []string{"the repository's key: http://127.0.0.1:1/key.asc: cannot be reached", "check this machine's network"}},
		"no key": {func(r *fakeRepo, p *Plan, _ *Checker) { p.Repository.Key.File += ".gone" }, []string{"the repository's key: ", "no such file"}},
		"a key that is none": {func(r *fakeRepo, p *Plan, _ *Checker) {
			require.NoError(r.t, os.WriteFile(p.Repository.Key.File, []byte("<html>"), 0o600))
		}, []string{"must be an OpenPGP public key"}},
		"not signed": {func(r *fakeRepo, p *Plan, _ *Checker) { r.put("dists/bookworm/InRelease", []byte("Suite: x\n")) }, []string{"is not signed at all"}},
		"text behind the signature": {func(r *fakeRepo, p *Plan, _ *Checker) {
			r.put("dists/bookworm/InRelease", append(r.files["dists/bookworm/InRelease"], "Suite: evil\n"...))
		}, []string{"which nobody signed"}},
		"changed after signing": {func(r *fakeRepo, p *Plan, _ *Checker) {
			r.put("dists/bookworm/InRelease", bytes.Replace(r.files["dists/bookworm/InRelease"], []byte("Suite: stable"), []byte("Suite: steble"), 1))
		}, []string{"the signature is wrong"}},
		"too old": {func(r *fakeRepo, p *Plan, _ *Checker) { r.valid = today.AddDate(0, 0, -3); r.publish() }, []string{"was valid until 2026-08-28 (today is 2026-08-31)", "{deb: "}},
		"from the future": {func(r *fakeRepo, p *Plan, _ *Checker) {
			r.date, r.valid = today.AddDate(0, 0, 3), today.AddDate(0, 0, 9)
			r.publish()
		}, []string{""}},
		"wrong index": {func(r *fakeRepo, p *Plan, _ *Checker) {
			r.put("dists/bookworm/main/binary-amd64/Packages.gz", []byte("x"))
		}, []string{"the sha256 is ", "but must be "}},
		"package gone": {func(r *fakeRepo, p *Plan, _ *Checker) {
			r.mu.Lock()
			defer r.mu.Unlock()
			delete(r.files, "pool/mesos_1.11.0-2_amd64.deb")
		}, []string{"answers 404", "the host is there, the file is not"}},
		"package of another size": {func(r *fakeRepo, p *Plan, _ *Checker) { r.put("pool/mesos_1.11.0-2_amd64.deb", []byte("x")) }, []string{"the size is 1, but must be "}},
		"no such package":         {func(r *fakeRepo, p *Plan, _ *Checker) { p.Package = "mesosphere" }, []string{"has no package mesosphere for amd64"}},
		"no such version":         {func(r *fakeRepo, p *Plan, _ *Checker) { p.Version = "3" }, []string{"has no mesos 3", "it has 1.11.0-2"}},
		"no such component":       {func(r *fakeRepo, p *Plan, _ *Checker) { p.Repository.Components = []string{"contrib"} }, []string{"has no index contrib/binary-amd64"}},
		"no such suite":           {func(r *fakeRepo, p *Plan, _ *Checker) { p.Repository.Suite = "trixie" }, []string{"answers 404"}},
		"no arch":                 {func(r *fakeRepo, p *Plan, _ *Checker) { p.Facts.Arch = "" }, []string{"--for SYSTEM/SUITE/ARCH"}},
		"server down":             {func(r *fakeRepo, p *Plan, _ *Checker) { r.server.Close() }, []string{"cannot be reached: connection refused", "check this machine's network"}},
	} {
		t.Run(name, func(t *testing.T) {
			repo, c := newFakeRepo(t), checker(t)
			repo.add("mesos", "1.11.0-2", "amd64", mesosDeb(t, "1.11.0-2", false))
			repo.publish()
			p := repo.plan()
			test.shape(repo, &p, c)
			r := c.Check(context.Background(), p)
			require.NotEmpty(t, r.Findings)
			for _, want := range test.want {
				require.Contains(t, r.Findings.Error(), want)
			}
			require.Nil(t, r.Artefact)
			_, _, err := c.Fetch(context.Background(), p, false)
			var found Findings
			require.ErrorAs(t, err, &found)
		})
	}
}

func TestCheckAptTakesTheMirror(t *testing.T) {
	repo, c := newFakeRepo(t), checker(t)
	repo.add("mesos", "1.11.0-2", "amd64", mesosDeb(t, "1.11.0-2", false))
	p := repo.publish().plan()
	p.Repository.URI, p.Repository.Mirrors = "http://127.0.0.1:1", []string{repo.server.URL}
	r := c.Check(context.Background(), p)
	require.Empty(t, r.Findings)
	require.Equal(t, repo.server.URL, r.Plan.Repository.URI, "the host takes the mirror too")
	require.Equal(t, "http://127.0.0.1:1", p.Repository.URI, "what was given is not changed")
	require.Contains(t, r.Notes[0], "its mirror")
}

func TestCheckLooksAgainWhenTheVersionIsKnown(t *testing.T) {
	for version, want := range map[string]string{
		"1.11.0-0.4.0.ubuntu2204": "works with cgroup v1, and the host has cgroup v2",
		"1.11.0-0.7.0.ubuntu2204": "1.11.0-0.7.0.ubuntu2204: the web UI's path is wrong",
		"1.11.0-0.7.1.ubuntu2204": "",
	} {
		repo, c := newFakeRepo(t), checker(t)
		c.Catalogue = resolver(t).Catalogue
		jammy := noble
		jammy.Suite = "jammy"
		p, found := resolver(t).Resolve(Mesos, config.Source{Catalog: "clusterd"}, jammy)
		require.Empty(t, found, "what is there now is not known yet")
		repo.add(p.Package, version, "amd64", mesosDeb(t, version, false))
		p.Repository = repo.publish().plan().Repository
		r := c.Check(context.Background(), p)
		if want == "" {
			require.Empty(t, r.Findings)
			require.Equal(t, []int{2}, r.Plan.Cgroups)
			continue
		}
		require.Len(t, r.Findings, 1)
		require.Contains(t, r.Findings.Error(), want)
	}
}

func TestCheckKeysOverHTTP(t *testing.T) {
	repo, c := newFakeRepo(t), checker(t)
	repo.add("mesos", "1", "amd64", mesosDeb(t, "1", false))
	p := repo.publish().plan()
	var binary bytes.Buffer
	require.NoError(t, repo.key.Serialize(&binary))
	repo.put("key.gpg", binary.Bytes())
	p.Repository.Key = KeyRef{URL: repo.server.URL + "/gone.asc", Mirrors: []string{repo.server.URL + "/key.gpg"}, Fingerprint: fingerprintOf(repo.key)}
	r := c.Check(context.Background(), p)
	require.Empty(t, r.Findings)
	keys, err := openpgp.ReadArmoredKeyRing(bytes.NewReader(r.key))
	require.NoError(t, err, "apt reads a key in .asc only when it is armoured")
	require.Len(t, keys, 1)
}

func filePlan(kind Kind, a Artefact) Plan {
	return Plan{Component: Mesos, Kind: kind, Title: string(kind) + " " + a.Place(), Artefact: &a, Facts: bookworm, JavaBinding: catalogue.BindingUnknown}
}

func TestCheckFiles(t *testing.T) {
	deb := mesosDeb(t, "1.11.0-2", true)
	head := http.StatusOK
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		switch {
		case q.URL.Path == "/teapot":
			w.WriteHeader(http.StatusTeapot)
		case q.URL.Path != "/mesos.deb":
			w.WriteHeader(http.StatusNotFound)
		case q.Method == http.MethodHead && head != http.StatusOK:
			w.WriteHeader(head)
		default:
			http.ServeContent(w, q, "", today, bytes.NewReader(deb))
		}
	}))
	defer server.Close()
	c, ctx := checker(t), context.Background()
	url := server.URL + "/mesos.deb"
	for _, head = range []int{http.StatusOK, http.StatusForbidden, http.StatusMethodNotAllowed} {
		r := c.Check(ctx, filePlan(KindDeb, Artefact{URL: url, SHA256: digest(deb)}))
		require.Empty(t, r.Findings)
		require.Equal(t, int64(len(deb)), r.Locked.Size, "HEAD answers %d", head)
	}
	r := c.Check(ctx, filePlan(KindDeb, Artefact{URL: server.URL + "/gone", Mirrors: []string{url}, SHA256: digest(deb)}))
	require.Empty(t, r.Findings)
	require.Equal(t, url, r.Artefact.URL)
	require.Contains(t, c.Check(ctx, filePlan(KindDeb, Artefact{URL: url, Size: 5, SHA256: digest(deb)})).Findings.Error(), "must be 5")
	require.Contains(t, c.Check(ctx, filePlan(KindDeb, Artefact{URL: server.URL + "/gone"})).Findings.Error(), "answers 404 Not Found (the host is there")
	require.Contains(t, c.Check(ctx, filePlan(KindDeb, Artefact{URL: server.URL + "/teapot"})).Findings.Error(), "try again later")

	own := filepath.Join(t.TempDir(), "own.deb")
	require.NoError(t, os.WriteFile(own, deb, 0o600))
	require.Equal(t, digest(deb), c.Check(ctx, filePlan(KindDeb, Artefact{File: own})).Locked.SHA256)
	require.Contains(t, c.Check(ctx, filePlan(KindDeb, Artefact{File: own, SHA256: sum})).Findings.Error(), "the sha256 is "+digest(deb)+", but must be "+sum)
	require.Contains(t, c.Check(ctx, filePlan(KindDeb, Artefact{File: own + "x"})).Findings.Error(), "there is no file")

	got, r, err := c.Fetch(ctx, filePlan(KindDeb, Artefact{URL: url}), false)
	require.NoError(t, err)
	require.Equal(t, digest(deb), got.Locked.SHA256, "learnt at the first download")
	require.Equal(t, "2026-08-31", got.Locked.Got)
	require.Equal(t, catalogue.BindingYes, r.Plan.JavaBinding, "seen in its library")
	require.Equal(t, []string{"mesos", "1.11.0-2", "1.11.0"}, []string{r.Plan.Package, r.Plan.Version, r.Plan.MesosVersion})
	require.FileExists(t, got.File)

	_, _, err = c.Fetch(ctx, filePlan(KindDeb, Artefact{URL: url, SHA256: sum}), false)
	require.ErrorContains(t, err, "the sha256 is "+digest(deb)+", but must be "+sum)
	_, err = os.Stat(c.Cache.path(sum))
	require.True(t, errors.Is(err, os.ErrNotExist))
}

func TestLaterFetchesMatchTheLock(t *testing.T) {
	repo, c, ctx := newFakeRepo(t), checker(t), context.Background()
	repo.add("mesos", "1.11.0-2", "amd64", mesosDeb(t, "1.11.0-2", false))
	p := repo.publish().plan()
	got, _, err := c.Fetch(ctx, p, false)
	require.NoError(t, err)
	c.Lock.Set(got.Locked)

	repo.add("mesos", "1.11.0-3", "amd64", mesosDeb(t, "1.11.0-3", false))
	repo.publish()
	again, _, err := c.Fetch(ctx, p, false)
	require.NoError(t, err)
	require.Equal(t, got.Locked, again.Locked, "a newer version changes nothing")
	c.Update = true
	newer, _, err := c.Fetch(ctx, p, false)
	require.NoError(t, err)
	require.Equal(t, "1.11.0-3", newer.Locked.Version)
	c.Update = false

	repo.packages = ""
	repo.add("mesos", "1.11.0-2", "amd64", mesosDeb(t, "1.11.0-2", true))
	repo.publish()
	_, _, err = c.Fetch(ctx, p, false)
	require.ErrorContains(t, err, "the sha256 was "+got.Locked.SHA256+" when it was locked on 2026-08-31, and is ")

	repo.packages = ""
	repo.add("mesos", "1.11.0-4", "amd64", mesosDeb(t, "1.11.0-4", true))
	repo.publish()
	_, _, err = c.Fetch(ctx, p, false)
	require.ErrorContains(t, err, "has no mesos 1.11.0-2 (it has 1.11.0-4")
}

func TestCheckWhatIsNotFetched(t *testing.T) {
	c := checker(t)
	for _, p := range []Plan{{Component: ZooKeeper, Kind: KindApt, Package: "zookeeper"}, {Component: Mesos, Kind: KindPath, Path: "/opt/mesos"}, {Component: Mesos, Kind: KindStandin}} {
		for _, c.Offline = range []bool{false, true} {
			r := c.Check(context.Background(), p)
			require.Empty(t, r.Findings)
			require.Len(t, r.Notes, 1)
			got, _, err := c.Fetch(context.Background(), p, true)
			require.NoError(t, err)
			require.Empty(t, got.Locked.Got)
		}
	}
}

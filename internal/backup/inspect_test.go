package backup

import (
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestXMLIsReadAsJenkinsWritesIt(t *testing.T) {
	for text, good := range map[string]bool{
		declared + "<a>&#x1b;[0m &amp; &#27;</a>":                        true,
		"\xef\xbb\xbf<a/>":                                               true,
		"<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><a>\xe9\xfc</a>": true,
		"<?xml version=\"1.0\" encoding=\"UTF-8\"?><a>\xe9\xfc</a>":      false,
		declared:                           false,
		"":                                 false,
		declared + "<a>":                   false,
		declared + "<a></b>":               false,
		declared + "<a/><":                 false,
		declared + "<a>" + "\x00" + "</a>": false,
	} {
		_, err := parseXML(strings.NewReader(text))
		require.Equal(t, good, err == nil, "%q: %v", text, err)
		_, err = parseXML(iotest.OneByteReader(strings.NewReader(text)))
		require.Equal(t, good, err == nil, "byte by byte: %q: %v", text, err)
	}
	doc, err := parseXML(strings.NewReader(declared + "<hudson><securityRealm class=\"x\"/><p>{AQAAABAAAAAQ0aGVzZSBhcmUgbm90IHNlY3JldHM=}</p></hudson>"))
	require.NoError(t, err)
	require.Equal(t, document{root: "hudson", encrypted: true, realm: "x"}, doc)
}

func TestWhatIsWrongWithARestoredHome(t *testing.T) {
	home := func(name string) func(string) string {
		return func(root string) string { return filepath.Join(root, name) }
	}
	remove := func(name string) func(*testing.T, string) {
		return func(t *testing.T, root string) { require.NoError(t, os.RemoveAll(home(name)(root))) }
	}
	replace := func(name, text string) func(*testing.T, string) {
		return func(t *testing.T, root string) { put(t, root, name, text) }
	}
	for name, c := range map[string]struct {
		spoil            func(*testing.T, string)
		problem, warning string
	}{
		"nothing":             {func(*testing.T, string) {}, "", ""},
		"no config.xml":       {remove("config.xml"), "config.xml is missing", ""},
		"another's config":    {replace("config.xml", "<project/>"), "is <project>", ""},
		"a torn job":          {replace("jobs/f/jobs/workspace/config.xml", declared+"<project>"), "jobs/f/jobs/workspace/config.xml cannot be read", ""},
		"an empty setting":    {replace("hudson.x.xml", ""), "hudson.x.xml cannot be read: it is empty", ""},
		"an empty key":        {replace("secrets/hudson.util.Secret", ""), "secrets/hudson.util.Secret is missing", ""},
		"no key of users":     {remove("secrets/hudson.model.User.DIRNAMES"), "finds none of its accounts", ""},
		"no accounts":         {remove(hashed), "nobody could log in", ""},
		"a torn build":        {replace("jobs/a/builds/1/build.xml", "<a>"), "", "jobs/a/builds/1/build.xml cannot be read"},
		"a torn step":         {replace("jobs/a/builds/1/workflow/3.xml", "<a>"), "", "workflow/3.xml cannot be read"},
		"what a build made":   {replace("jobs/a/builds/1/archive/x.xml", "<a>"), "", ""},
		"a job without":       {remove("jobs/a/config.xml"), "", "jobs/a has no config.xml"},
		"a master key abroad": {remove("secrets/master.key"), "", "secrets/master.key is missing"},
		"a job named builds":  {replace("jobs/builds/config.xml", "<a>"), "jobs/builds/config.xml cannot be read", ""},
	} {
		t.Run(name, func(t *testing.T) {
			root := newHome(t)
			c.spoil(t, root)
			verdict, err := Inspect(root)
			require.NoError(t, err)
			require.Equal(t, c.problem == "", verdict.Counts())
			require.Contains(t, strings.Join(verdict.Problems, "\n"), c.problem)
			require.Contains(t, strings.Join(verdict.Warnings, "\n"), c.warning)
			if c.warning == "" {
				require.Empty(t, verdict.Warnings)
			}
		})
	}
	broken := newHome(t)
	for i := range 2 * most {
		put(t, broken, path.Join("jobs", strings.Repeat("x", i+1), "config.xml"), "<")
	}
	verdict, err := Inspect(broken)
	require.NoError(t, err)
	require.Len(t, verdict.Problems, most+1)
	_, err = Inspect(filepath.Join(broken, "none"))
	require.Error(t, err)
}

func TestWhatMustBeStill(t *testing.T) {
	for name, want := range map[string]bool{"config.xml": true, "jobs/a/config.xml": true, "secrets/x": true, "secret.key": true, "identity.key.enc": true, ".jomctl/home.json": true,
		"queue.xml": false, "jobs/a/nextBuildNumber": false, "config.xml-atomic1tmp": false, "jobs/secret.key": false, "secrets/x-atomic1tmp": false} {
		require.Equal(t, want, still(name), name)
	}
	for name, want := range map[string]bool{"jobs/a/builds": true, "jobs/f/jobs/a/builds": true, "jobs/m/branches/x/builds": true, "fingerprints": true, "jobs/builds": false,
		"jobs/f/jobs/builds": false, "builds": false, "jobs/a": false} {
		require.Equal(t, want, moves(name), name)
	}
	for name, want := range map[string]bool{"war": true, "plugins/git/WEB-INF": true, "plugins/git.jpi": false, "jobs/a/workspace": true, "jobs/workspace": false, "log": false,
		"jobs/f/jobs/a/workspace@2": true, "jobs/f/jobs/workspace": false, "secrets": false} {
		require.Equal(t, want, leftOut(LeftOut(), name), name)
	}
}

func TestAHomeIsExchangedAndTheOldOneKept(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for name, exchange := range map[string]func(string, string) error{"in one step": swap, "by renames": swapByRenames} {
		dir := t.TempDir()
		put(t, dir, "a/x", "a", "b/x", "b")
		require.NoError(t, exchange(filepath.Join(dir, "a"), filepath.Join(dir, "b")), name)
		require.Equal(t, []string{"a/x", "b/x"}, files(t, dir))
		text, err := os.ReadFile(filepath.Join(dir, "a/x"))
		require.NoError(t, err)
		require.Equal(t, "b", string(text))
		require.Error(t, exchange(filepath.Join(dir, "none"), filepath.Join(dir, "b")))
		require.FileExists(t, filepath.Join(dir, "b/x"))
	}
	dir := t.TempDir()
	put(t, dir, "home/old", "", "restored/new", "")
	kept, err := Exchange(filepath.Join(dir, "home"), filepath.Join(dir, "restored"), now)
	require.NoError(t, err)
	require.Equal(t, filepath.Join(dir, "home.before-restore-20260102T030405Z"), kept)
	require.Equal(t, []string{"home/new", "home.before-restore-20260102T030405Z/old"}, files(t, dir))
	put(t, dir, "restored/newer", "")
	_, err = Exchange(filepath.Join(dir, "home"), filepath.Join(dir, "restored"), now)
	require.ErrorIs(t, err, ErrOccupied)
	_, err = Exchange(filepath.Join(dir, "home"), filepath.Join(dir, "none"), now.Add(time.Hour))
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.FileExists(t, filepath.Join(dir, "home/new"))
	kept, err = Exchange(filepath.Join(dir, "gone"), filepath.Join(dir, "restored"), now)
	require.NoError(t, err)
	require.Empty(t, kept)
	require.FileExists(t, filepath.Join(dir, "gone/newer"))
}

func TestThereMustBeRoom(t *testing.T) {
	require.NoError(t, room(filepath.Join(t.TempDir(), "not", "there"), 1))
	require.ErrorIs(t, room(t.TempDir(), 1<<60), ErrNoRoom)
}

func TestRecordsAreKept(t *testing.T) {
	records := Records(filepath.Join(t.TempDir(), "backups"))
	record, err := records.Read("x")
	require.NoError(t, err)
	require.False(t, record.Counts())
	record.Proof = &Proof{Time: time.Unix(1, 0).UTC(), Verdict: Verdict{XML: 3}}
	require.NoError(t, records.Write(record))
	again, err := records.Read("x")
	require.NoError(t, err)
	require.Equal(t, record, again)
	require.True(t, again.Counts())
	again.Proof.Problems = []string{"bad"}
	require.False(t, again.Counts())
	require.NoError(t, records.Remove("x"))
	require.NoError(t, records.Remove("x"))
	put(t, string(records), "y.json", "{")
	torn, err := records.Read("y")
	require.NoError(t, err)
	require.Contains(t, torn.Torn, "y.json")
	require.False(t, torn.Counts())
}

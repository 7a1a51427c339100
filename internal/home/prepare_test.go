package home

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/filesum"
)

func write(t *testing.T, path, text string) {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
}

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(data)
}

func TestSeedNeverOverwrites(t *testing.T) {
	dir := t.TempDir()
	c := Controller{Home: filepath.Join(dir, "home"), Seed: makeSeed(t, dir)}
	require.NoError(t, Prepare(c))
	require.Equal(t, "<user/>", read(t, filepath.Join(c.Home, "users/admin/config.xml")))

	write(t, filepath.Join(c.Home, "config.xml"), "<hudson>mine</hudson>")
	// Jenkins renames the users' folders at its first boot.
	require.NoError(t, os.Rename(filepath.Join(c.Home, "users/admin"), filepath.Join(c.Home, "users/admin_0a1b")))
	require.NoError(t, Prepare(c))
	require.Equal(t, "<hudson>mine</hudson>", read(t, filepath.Join(c.Home, "config.xml")))
	require.NoDirExists(t, filepath.Join(c.Home, "users/admin"), "the admin would exist twice")
}

// A first start that is cut off, by a full disk or a loss of power, must not leave a home into which nobody can ever log in.
func TestASeedThatWasCutOffIsLaidDownAtTheNextStart(t *testing.T) {
	dir := t.TempDir()
	c := Controller{Home: filepath.Join(dir, "home"), Seed: makeSeed(t, dir)}
	late := filepath.Join(c.Seed, "users/late/config.xml")
	write(t, late, "<user/>")
	require.NoError(t, os.Rename(late, late+".away"))
	require.NoError(t, os.Symlink("nowhere", late)) // which cannot be copied
	require.ErrorContains(t, Prepare(c), "laying down the home's first files")
	require.NoError(t, os.Rename(late+".away", late))
	require.NoError(t, os.MkdirAll(filepath.Join(c.Home, "users/admin"), 0o755)) // as far as an earlier version came
	require.NoError(t, Prepare(c))
	for _, user := range []string{"admin", "late"} {
		require.Equal(t, "<user/>", read(t, filepath.Join(c.Home, "users", user, "config.xml")), user)
	}
}

func TestPluginsAreExactlyTheGivenOnes(t *testing.T) {
	dir := t.TempDir()
	c := Controller{Home: filepath.Join(dir, "home"), Seed: makeSeed(t, dir), Plugins: filepath.Join(dir, "plugins")}
	write(t, filepath.Join(c.Plugins, "mesos.hpi"), "two")
	write(t, filepath.Join(c.Plugins, "README.txt"), "no plugin")
	write(t, filepath.Join(c.Home, "plugins/mesos.jpi"), "one")
	write(t, filepath.Join(c.Home, "plugins/mesos/WEB-INF/old.jar"), "unpacked from one")
	write(t, filepath.Join(c.Home, "plugins/git.jpi"), "the user's own")
	require.NoError(t, Prepare(c))
	require.Equal(t, "two", read(t, filepath.Join(c.Home, "plugins/mesos.jpi")))
	require.NoDirExists(t, filepath.Join(c.Home, "plugins/mesos"))
	require.NoFileExists(t, filepath.Join(c.Home, "plugins/README.txt.jpi"))
	require.Equal(t, "the user's own", read(t, filepath.Join(c.Home, "plugins/git.jpi")))

	write(t, filepath.Join(c.Home, "plugins/mesos/WEB-INF/new.jar"), "unpacked from two")
	require.NoError(t, Prepare(c))
	require.FileExists(t, filepath.Join(c.Home, "plugins/mesos/WEB-INF/new.jar"), "an unchanged plugin stays unpacked")
}

func TestTheFilesABadBootDestroysAreKept(t *testing.T) {
	dir := t.TempDir()
	c := Controller{Home: filepath.Join(dir, "home"), Seed: makeSeed(t, dir)}
	queue, kept := filepath.Join(c.Home, "queue.xml"), filepath.Join(c.Home, beforeStart, "queue.xml")
	write(t, queue, "<queue>three items</queue>")
	require.NoError(t, Prepare(c))
	write(t, queue, "")
	require.NoError(t, Prepare(c))
	require.Equal(t, "<queue>three items</queue>", read(t, kept), "the empty file of a failed boot must not replace the copy")
}

func TestAConfigXMLWithoutContentIsNamedWithItsFix(t *testing.T) {
	dir := t.TempDir()
	c := Controller{Home: filepath.Join(dir, "home"), Seed: makeSeed(t, dir)}
	config := filepath.Join(c.Home, "config.xml")
	for _, nothing := range []string{"", "\x00\x00\x00\x00", "\n"} {
		write(t, config, nothing)
		require.ErrorContains(t, Prepare(c), config+" holds nothing")
		require.Equal(t, nothing, read(t, config))
	}
	write(t, config, "<hudson/>")
	require.NoError(t, Prepare(c))
	write(t, config, "")
	require.ErrorContains(t, Prepare(c), "put "+filepath.Join(c.Home, beforeStart, "config.xml"))
}

func TestABadBootThatIsTriedAgainDestroysNoCopy(t *testing.T) {
	dir := t.TempDir()
	c := Controller{Home: filepath.Join(dir, "home"), Seed: makeSeed(t, dir)}
	config, kept := filepath.Join(c.Home, "config.xml"), filepath.Join(c.Home, beforeStart, "config.xml")
	for _, text := range []string{"<hudson>with the cloud</hudson>", "<hudson/>", "<hudson/>", "<hudson/>", "<hudson>2</hudson>"} {
		write(t, config, text)
		require.NoError(t, Prepare(c))
	}
	require.Equal(t, "<hudson>2</hudson>", read(t, kept))
	require.Equal(t, "<hudson/>", read(t, kept+".1"))
	require.Equal(t, "<hudson>with the cloud</hudson>", read(t, kept+".2"))
	for i := range 2 * generations {
		write(t, config, fmt.Sprintf("<hudson>%d</hudson>", 10+i))
		require.NoError(t, Prepare(c))
	}
	copies, err := filepath.Glob(kept + "*")
	require.NoError(t, err)
	require.Len(t, copies, generations)
}

func TestAStartWithOtherPluginsThanTheLocksIsRefused(t *testing.T) {
	dir := t.TempDir()
	c := Controller{Home: filepath.Join(dir, "home"), Seed: makeSeed(t, dir), PluginLock: []LockedPlugin{{Name: "mesos", Version: "2.0"}, {Name: "git", Version: "5.7.0"}}}
	plugin := func(name, version string) {
		pluginFile(t, filepath.Join(c.Home, "plugins", name+".jpi"), "Short-Name: "+name+"\nPlugin-Version: "+version+"\n")
	}
	plugin("mesos", "1.0.0")
	err := Prepare(c)
	require.NoFileExists(t, filepath.Join(c.Home, "config.xml"), "nothing was laid down")
	require.ErrorContains(t, err, "mesos is 1.0.0 instead of 2.0")
	require.ErrorContains(t, err, "git 5.7.0 is not there")
	plugin("mesos", "2.0")
	plugin("git", "5.7.0")
	plugin("other", "1")
	require.NoError(t, Prepare(c))
	write(t, filepath.Join(c.Home, "plugins/git.jpi.disabled"), "")
	require.ErrorContains(t, Prepare(c), "git is disabled")
}

// tree is all files and folders below a folder, with sizes and times.
func tree(t *testing.T, dir string) (all []string) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		all = append(all, fmt.Sprint(path, " ", info.Mode(), info.Size(), info.ModTime()))
		return err
	}))
	return all
}

func TestAStartThatIsRefusedForItsPluginsTouchesNothing(t *testing.T) {
	dir := t.TempDir()
	brought := filepath.Join(dir, "brought")
	plugin := func(version string) {
		pluginFile(t, filepath.Join(brought, "git-plugin.hpi"), "Short-Name: git\nPlugin-Version: "+version+"\n")
	}
	plugin("5.7.0")
	sum, err := filesum.SHA256(filepath.Join(brought, "git-plugin.hpi"))
	require.NoError(t, err)
	c := Controller{Home: filepath.Join(dir, "home"), Seed: makeSeed(t, dir), Plugins: brought, Argv: []string{"touch", filepath.Join(dir, "started")},
		URL: "http://127.0.0.1:1", BootSeconds: 1}
	lock := filepath.Join(dir, "plugins.json")
	write(t, lock, `[{"name": "git", "version": "5.7.0", "sha256": "`+sum+`"}]`)
	c.PluginLockFile = lock
	require.NoError(t, c.readLock())
	require.NoError(t, Prepare(c))
	write(t, filepath.Join(c.Home, "config.xml"), "<hudson>with git's settings</hudson>")
	before := tree(t, c.Home)

	refused := func(want string) {
		t.Helper()
		code, err := Run(t.Context(), c, Streams{Out: io.Discard, Err: io.Discard})
		require.Equal(t, ExitPrepare, code)
		require.ErrorContains(t, err, want)
		require.ErrorContains(t, err, "the home, which was not touched")
		require.Equal(t, before, tree(t, c.Home))
		require.NoFileExists(t, filepath.Join(dir, "started"))
	}
	plugin("5.8.0")
	refused("git is 5.8.0 instead of 5.7.0 (" + filepath.Join(brought, "git-plugin.hpi") + ")")
	pluginFile(t, filepath.Join(brought, "git-plugin.hpi"), "Short-Name: git\nPlugin-Version: 5.7.0\nBuilt-By: somebody\n")
	refused("git 5.7.0 is another file than the locked one")
	require.NoError(t, os.Remove(filepath.Join(brought, "git-plugin.hpi")))
	require.NoError(t, os.Remove(filepath.Join(c.Home, "plugins", "git.jpi")))
	before = tree(t, c.Home)
	refused("git 5.7.0 is not there")
}

func TestLoadControllerNamesEveryProblem(t *testing.T) {
	path := filepath.Join(t.TempDir(), "controller.json")
	_, err := LoadController(path)
	require.ErrorContains(t, err, "reading the controller file")
	write(t, path, `{"home": "relative", "seed": "/s"}`)
	_, err = LoadController(path)
	for _, want := range []string{`home: "relative": want an absolute path`, "argv: empty", "url: missing", "bootSeconds: 0"} {
		require.ErrorContains(t, err, want)
	}
	write(t, path, `{"home": `)
	_, err = LoadController(path)
	require.ErrorContains(t, err, path)
}

func TestAMasterKeyOutsideOfTheHomeIsTheHomesOwn(t *testing.T) {
	dir := t.TempDir()
	c := Controller{Home: filepath.Join(dir, "home"), MasterKey: filepath.Join(dir, "key")}
	require.NoError(t, checkMasterKey(Controller{}))
	require.ErrorContains(t, checkMasterKey(c), "looking for the master key")
	write(t, c.MasterKey, "abc\n")
	require.NoError(t, os.Chmod(c.MasterKey, 0o644))
	require.ErrorContains(t, checkMasterKey(c), "0644")
	require.NoError(t, os.Chmod(c.MasterKey, 0o600))
	require.NoError(t, checkMasterKey(c), "the home has none")
	write(t, filepath.Join(c.Home, "secrets", "master.key"), "abc")
	require.NoError(t, checkMasterKey(c))
	write(t, filepath.Join(c.Home, "secrets", "master.key"), "another")
	require.ErrorContains(t, Prepare(c), "another one than secrets/master.key")
	require.NoError(t, os.WriteFile(c.MasterKey, []byte("\n"), 0o600))
	require.ErrorContains(t, checkMasterKey(c), "empty")
}

func TestAHomeOfAnotherUserStaysItsWhenRootLooks(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root gives files away")
	}
	home := t.TempDir()
	require.NoError(t, os.Chown(home, 1500, 1500))
	release, err := Own(home)
	require.NoError(t, err)
	release()
	for _, name := range []string{".jomctl", ".jomctl/owner"} {
		info, err := os.Stat(filepath.Join(home, name))
		require.NoError(t, err)
		require.EqualValues(t, 1500, info.Sys().(*syscall.Stat_t).Uid, "the controller, which is not root, has to open it")
	}
}

package lifecycle

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/lifecycle/lifecycletest"
	"github.com/jomctl/jomctl/internal/lifecycle/platform"
	runprogress "github.com/jomctl/jomctl/internal/lifecycle/progress"
	"github.com/jomctl/jomctl/internal/lifecycle/upgrade"
	"github.com/jomctl/jomctl/internal/op"
)

// TestDestroyLeavesNoEmptyFolderOfSecrets also keeps what somebody has put there.
func TestDestroyLeavesNoEmptyFolderOfSecrets(t *testing.T) {
	for name, foreign := range map[string]bool{"ours alone": false, "a file of the user": true} {
		t.Run(name, func(t *testing.T) {
			c := &config.Cluster{APIVersion: config.APIVersion, Name: "ci", Target: config.TargetLocal, File: filepath.Join(t.TempDir(), "cluster.yaml")}
			c.Components.Mesos.Authentication, c.Components.Marathon.BasicAuth = true, &config.BasicAuth{}
			config.Default(c)
			env := environment(t, c)
			secrets := filepath.Join(c.StateDir(), "secrets")
			require.NoError(t, os.MkdirAll(secrets, 0o700))
			for _, file := range []string{"admin", "admin.hash", "mesos-agent", "mesos-marathon", "marathon"} {
				require.NoError(t, os.WriteFile(filepath.Join(secrets, file), []byte("x"), 0o600))
			}
			if foreign {
				require.NoError(t, os.WriteFile(filepath.Join(secrets, "backup"), []byte("x"), 0o600))
			}
			step := env.filesGoneStep(DestroyOptions{})
			state, err := step.Probe(t.Context())
			require.NoError(t, err)
			require.Equal(t, op.Needed, state)
			require.NoError(t, step.Do(t.Context(), lifecycletest.Quiet))
			state, err = step.Probe(t.Context())
			require.NoError(t, err)
			require.Equal(t, op.Done, state)
			if foreign {
				require.FileExists(t, filepath.Join(secrets, "backup"))
				require.NoFileExists(t, filepath.Join(secrets, "admin"))
				return
			}
			require.NoDirExists(t, secrets)

			require.NoError(t, os.Mkdir(secrets, 0o700)) // as a destroy that was cut off leaves it
			state, err = step.Probe(t.Context())
			require.NoError(t, err)
			require.Equal(t, op.Needed, state)
			require.NoError(t, step.Do(t.Context(), lifecycletest.Quiet))
			require.NoDirExists(t, secrets)
		})
	}
}

func TestThePasswordStaysWithAHomeThatStays(t *testing.T) {
	kept := filepath.Join(t.TempDir(), "home")
	for name, c := range map[string]struct {
		home    string
		opts    DestroyOptions
		remains bool
	}{
		"a home outside":                  {kept, DestroyOptions{}, true},
		"a home outside, which was named": {kept, DestroyOptions{Home: kept}, false},
		"a home in the state folder":      {"", DestroyOptions{}, false},
	} {
		t.Run(name, func(t *testing.T) {
			cluster := lifecycletest.Local(t, "")
			cluster.Jenkins.Home.Path = c.home
			env := environment(t, cluster)
			password, _ := cluster.Jenkins.Admin.Password.Path(cluster)
			require.FileExists(t, password)
			require.NoError(t, env.filesGoneStep(c.opts).Do(t.Context(), lifecycletest.Quiet))
			if c.remains {
				require.FileExists(t, password)
			} else {
				require.NoFileExists(t, password)
			}
		})
	}
}

func TestAHomeOutsideGoesWhenItIsNamedAndWhatWasKeptOfItToo(t *testing.T) {
	for name, named := range map[string]bool{"named": true, "not named": false} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			home := filepath.Join(dir, "home")
			copied, part, other := home+".before-restore-20261101T020304Z", home+".restoring-0123abcd", filepath.Join(dir, "homework")
			for _, folder := range []string{home, copied, part, other} {
				require.NoError(t, os.MkdirAll(filepath.Join(folder, "jobs"), 0o700))
			}
			c := lifecycletest.Local(t, "")
			c.Jenkins.Home.Path = home
			var opts DestroyOptions
			if named {
				opts.Home = home
			}
			step := environment(t, c).filesGoneStep(opts)
			require.Equal(t, named, slices.Contains(step.Changes(t.Context()), "remove "+home))
			require.NoError(t, step.Do(t.Context(), lifecycletest.Quiet))
			require.DirExists(t, filepath.Join(other, "jobs"))
			if named {
				require.NoDirExists(t, home)
				require.NoDirExists(t, copied)
				require.NoDirExists(t, part, "a restore that was cut off is a home, too")
				return
			}
			require.DirExists(t, filepath.Join(home, "jobs"))
			require.DirExists(t, filepath.Join(copied, "jobs"))
		})
	}
}

func TestAHomeBehindALinkGoesWithItsJobs(t *testing.T) {
	dir := t.TempDir()
	disk, home := filepath.Join(dir, "disk"), filepath.Join(dir, "home")
	require.NoError(t, os.MkdirAll(filepath.Join(disk, "jobs", "a"), 0o700))
	require.NoError(t, os.Symlink(disk, home))
	c := lifecycletest.Local(t, "")
	c.Jenkins.Home.Path = home
	step := environment(t, c).filesGoneStep(DestroyOptions{Home: home})
	require.NoError(t, step.Do(t.Context(), lifecycletest.Quiet))
	_, err := os.Lstat(home)
	require.ErrorIs(t, err, fs.ErrNotExist)
	left, err := os.ReadDir(disk)
	require.NoError(t, err)
	require.Empty(t, left)
	require.NoError(t, os.Symlink(filepath.Join(dir, "nowhere"), home))
	require.NoError(t, step.Do(t.Context(), lifecycletest.Quiet), "a link that leads nowhere")
}

// TestANewClusterIsNotHalfWayThroughAnUpgradeOfTheLastOne also looks for copies of files of the home, which may hold secrets.
func TestANewClusterIsNotHalfWayThroughAnUpgradeOfTheLastOne(t *testing.T) {
	for name, outside := range map[string]bool{"the home goes": false, "the home stays": true} {
		t.Run(name, func(t *testing.T) {
			c := lifecycletest.Local(t, "")
			if outside {
				c.Jenkins.Home.Path = filepath.Join(t.TempDir(), "home")
			}
			store := &upgrade.Store{Dir: UpgradeDir(c)}
			store.Begin(upgrade.State{Run: "run-1"})
			store.State.Begun["announce"] = time.Now()
			require.True(t, store.State.Windowed())
			require.NoError(t, store.Save())
			require.NoError(t, runprogress.Write(PlatformDir(c), platform.State{Run: "run-2"}))
			kept := map[string]bool{"run-1/delta/credentials.xml": outside, "run-1/aside/config.xml": outside, "run-1/left.json": outside, "run-1/report.html": true, "history.jsonl": true}
			for file := range kept {
				path := filepath.Join(store.Dir, file)
				require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
				require.NoError(t, os.WriteFile(path, []byte("x"), 0o600))
			}
			step := environment(t, c).filesGoneStep(DestroyOptions{})
			require.Contains(t, step.Changes(t.Context()), "remove "+filepath.Join(store.Dir, "run.json"))
			require.NoError(t, step.Do(t.Context(), lifecycletest.Quiet))
			again, err := upgrade.Open(store.Dir)
			require.NoError(t, err)
			require.False(t, again.State.Windowed(), "every install would be refused, and nothing could be resumed")
			none, err := platform.Open(PlatformDir(c))
			require.NoError(t, err)
			require.Empty(t, none.State.Run)
			for file, stays := range kept {
				if path := filepath.Join(store.Dir, file); stays {
					require.FileExists(t, path)
				} else {
					require.NoFileExists(t, path)
				}
			}
		})
	}
}

package lifecycle

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/backup"
	"github.com/jomctl/jomctl/internal/home"
	"github.com/jomctl/jomctl/internal/home/claim"
	"github.com/jomctl/jomctl/internal/lifecycle/lifecycletest"
	"github.com/jomctl/jomctl/internal/lifecycle/upgrade"
	"github.com/jomctl/jomctl/internal/op"
	"github.com/jomctl/jomctl/internal/testkit"
)

// backedUp is a cluster with `backup:` whose home holds a little.
func backedUp(t *testing.T, more string) *Backups {
	t.Helper()
	if _, err := exec.LookPath("restic"); err != nil {
		testkit.Missing(t, "restic (apt-get install restic)")
	}
	// Nothing listens on these addresses, so that Marathon is away.
	env := environment(t, lifecycletest.Local(t, "local: {address: 127.97.7.0}\nbackup: {repository: ./backups, keep: {last: 1}}\n"+more))
	b, err := env.Backups()
	require.NoError(t, err)
	for name, text := range map[string]string{"config.xml": "<hudson/>", "jobs/a/config.xml": "<project/>", "secrets/master.key": "x"} {
		name = filepath.Join(b.Home, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(name), 0o755))
		require.NoError(t, os.WriteFile(name, []byte(text), 0o644))
	}
	return b
}

func refused(t *testing.T, err error, text string) {
	t.Helper()
	var refusal *Refusal
	require.ErrorAs(t, err, &refusal)
	require.Contains(t, refusal.Problem, text)
	require.NotEmpty(t, refusal.Fix)
}

func TestABackupCountsWhenItWasRestoredAndRead(t *testing.T) {
	b := backedUp(t, "")
	require.Equal(t, filepath.Join(b.env.Cluster.Dir(), "backups"), b.Repository.Location)
	require.NoError(t, claim.WriteMarker(b.Home, claim.Marker{Home: "h", Epoch: 7}))
	said := ""
	say := func(format string, args ...any) { said += fmt.Sprintf(format, args...) }
	first, err := b.Make(t.Context(), say)
	require.NoError(t, err)
	require.Contains(t, said, "keep a copy of it elsewhere")
	info, err := os.Stat(b.Repository.PasswordFile)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	_, err = b.Choose(t.Context(), "")
	refused(t, err, "none of the 1 backups counts")
	record, err := b.Prove(t.Context(), first.ID)
	require.NoError(t, err)
	require.True(t, record.Counts())

	require.NoError(t, os.WriteFile(filepath.Join(b.Home, "jobs/a/config.xml"), []byte("<torn>"), 0o644))
	second, err := b.Make(t.Context(), say)
	require.NoError(t, err)
	record, err = b.Prove(t.Context(), second.ID)
	require.NoError(t, err)
	require.False(t, record.Counts())
	removed, err := b.Tidy(t.Context())
	require.NoError(t, err)
	require.Empty(t, removed, "the only one that counts stays, although newer ones are asked for")
	all, err := b.List(t.Context())
	require.NoError(t, err)
	require.Len(t, all, 2)
	require.Equal(t, []string{second.ID, first.ID}, []string{all[0].Snapshot.ID, all[1].Snapshot.ID})
	require.Equal(t, backup.Tags{Cluster: "ci", Release: "default", Epoch: 7}, all[1].Tags)
	chosen, err := b.Choose(t.Context(), "")
	require.NoError(t, err)
	require.Equal(t, first.ID, chosen.Snapshot.ID)
	chosen, err = b.Choose(t.Context(), second.ID[:12])
	require.NoError(t, err)

	restore, err := b.InPlace(t.Context(), chosen, false)
	require.NoError(t, err)
	_, err = op.Run(t.Context(), restore.Plan(), op.Options{})
	require.ErrorContains(t, err, "jobs/a/config.xml cannot be read")
	left, err := filepath.Glob(b.Home + ".*")
	require.NoError(t, err)
	require.Empty(t, left, "what is not whole goes, and the home stays")
}

func TestABackupInTheMiddleOfAnUpgradeLeavesItTheWayBack(t *testing.T) {
	b := backedUp(t, "")
	last, err := b.Make(t.Context(), lifecycletest.Quiet)
	require.NoError(t, err)
	store := &upgrade.Store{Dir: UpgradeDir(b.env.Cluster)}
	store.Begin(upgrade.State{Run: "run-1", Backup: last.ID})
	store.State.Begun["announce"] = time.Now()
	require.NoError(t, store.Save())
	said := ""
	r, err := b.Run(t.Context(), false, func(format string, args ...any) { said += fmt.Sprintf(format, args...) })
	require.NoError(t, err)
	require.Empty(t, r.Removed)
	require.Contains(t, said, "an upgrade is half-way")
	store.State.Outcome = upgrade.RolledBack
	require.NoError(t, store.Save())
	r, err = b.Run(t.Context(), false, lifecycletest.Quiet)
	require.NoError(t, err)
	require.Len(t, r.Removed, 2)
	require.Contains(t, r.Removed, last.ID)
}

func TestARestoreInPlaceKeepsTheHomeThatWasThere(t *testing.T) {
	b := backedUp(t, "jenkins: {scm: {repository: ./history.git}}\n")
	_, err := b.Make(t.Context(), lifecycletest.Quiet)
	require.NoError(t, err)
	all, err := b.List(t.Context())
	require.NoError(t, err)
	_, err = b.InPlace(t.Context(), all[0], false)
	refused(t, err, "is not the home of the history")
	require.NoError(t, claim.WriteMarker(b.Home, claim.Marker{Home: "h", Epoch: 9}))
	job := filepath.Join(b.Home, "jobs/a/config.xml")
	require.NoError(t, os.WriteFile(job, []byte("<later/>"), 0o644))

	release, err := home.Own(b.Home)
	require.NoError(t, err)
	_, err = b.InPlace(t.Context(), all[0], false)
	refused(t, err, "in use by another controller")
	release()
	restore, err := b.InPlace(t.Context(), all[0], false)
	require.NoError(t, err)
	release, err = home.Own(b.Home) // one that comes between the preview and the exchange
	require.NoError(t, err)
	_, err = op.Run(t.Context(), restore.Plan(), op.Options{})
	require.ErrorContains(t, err, "in use by another controller")
	text, err := os.ReadFile(job)
	require.NoError(t, err)
	require.Equal(t, "<later/>", string(text))
	release()

	_, err = op.Run(t.Context(), restore.Plan(), op.Options{})
	require.NoError(t, err)
	text, err = os.ReadFile(job)
	require.NoError(t, err)
	require.Equal(t, "<project/>", string(text))
	text, err = os.ReadFile(filepath.Join(restore.Kept, "jobs/a/config.xml"))
	require.NoError(t, err)
	require.Equal(t, "<later/>", string(text))
	marker, _, err := claim.ReadMarker(b.Home)
	require.NoError(t, err)
	require.EqualValues(t, 9, marker.Epoch, "the history goes on from the home that was there")
}

func TestNeitherPasswordNorRepositoryIsMadeTwice(t *testing.T) {
	b := backedUp(t, "")
	_, err := b.Make(t.Context(), lifecycletest.Quiet)
	require.NoError(t, err)
	require.NoError(t, os.Rename(b.Repository.PasswordFile, b.Repository.PasswordFile+".lost"))
	_, err = b.Make(t.Context(), lifecycletest.Quiet)
	refused(t, err, "is missing, and the repository")
	require.NoFileExists(t, b.Repository.PasswordFile)
	require.NoError(t, os.Rename(b.Repository.PasswordFile+".lost", b.Repository.PasswordFile))
	require.NoError(t, os.Rename(b.Repository.Location, b.Repository.Location+".unmounted"))
	_, err = b.Make(t.Context(), lifecycletest.Quiet)
	refused(t, err, "1 backups were made to one")
	require.NoDirExists(t, b.Repository.Location)
}

func TestWhereNoBackupsAre(t *testing.T) {
	_, err := environment(t, lifecycletest.Local(t, "")).Backups()
	refused(t, err, "says nothing of backups")
	_, err = environment(t, lifecycletest.Local(t, "backup: {repository: ./b, password: \"env:JOMCTL_NONESUCH\"}\n")).Backups()
	refused(t, err, "JOMCTL_NONESUCH")
	t.Setenv("JOMCTL_SUCH", "pw")
	b, err := environment(t, lifecycletest.Local(t, "backup: {repository: \"sftp:me@host:b\", password: \"env:JOMCTL_SUCH\"}\n")).Backups()
	require.NoError(t, err)
	require.Equal(t, []string{"sftp:me@host:b", "pw", ""}, []string{b.Repository.Location, b.Repository.Password, b.Repository.PasswordFile})
	_, err = environment(t, lifecycletest.Local(t, "backup: {repository: ./b, key: \"env:JOMCTL_SUCH\"}\n")).Backups()
	refused(t, err, "restic reads a file")
}

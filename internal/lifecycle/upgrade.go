package lifecycle

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"path/filepath"
	"time"

	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/jenkins"
	"github.com/jomctl/jomctl/internal/lifecycle/inventory"
	"github.com/jomctl/jomctl/internal/lifecycle/upgrade"
)

// Upgrade is a cluster whose controller is to get another release, or is on the way there.
type Upgrade struct {
	Old, New *Env
	Store    *upgrade.Store

	backups *Backups
	// starts are how the versions are started, as far as it was worked out.
	starts map[upgrade.Side]start
	// canaries are the builds that proved the new version.
	canaries []jenkins.ProofBuild
	// startLimit is how long a controller may take to be ready.
	startLimit time.Duration
}

var _ upgrade.Cluster = (*Upgrade)(nil)

// UpgradeDir is where the state of upgrades is kept.
func UpgradeDir(c *config.Cluster) string { return filepath.Join(c.StateDir(), "upgrade") }

// OpenUpgrade looks at both sides of an upgrade from one release to another, which are names or folders as the cluster file has them.
func OpenUpgrade(ctx context.Context, c *config.Cluster, store *upgrade.Store, from, to string, access inventory.Access) (*Upgrade, error) {
	side := func(release string) (*Env, error) {
		other := c.Clone()
		other.Release = release
		return Open(ctx, other, access)
	}
	before, err := side(from)
	if err != nil {
		return nil, err
	}
	after, err := side(to)
	if err != nil {
		return nil, err
	}
	backups, err := before.Backups()
	if err != nil {
		return nil, err
	}
	u := &Upgrade{Old: before, New: after, Store: store, backups: backups, startLimit: after.controllerBudget(0)}
	return u, nil
}

// VersionOf is what a side of the upgrade runs.
func (e *Env) VersionOf() upgrade.Version {
	v := upgrade.Version{Release: e.Cluster.Release, Core: e.Release.Core.Version, Image: e.Cluster.Jenkins.Image}
	if image, err := e.runs(e.wantsController()); err == nil && image.Ref != "" {
		v.Image = image.Ref
	}
	if e.Release.Lock != nil {
		sum := sha256.Sum256([]byte(e.Release.Lock.String()))
		v.Lock, v.Plugins = hex.EncodeToString(sum[:]), len(e.Release.Lock.Plugins)
	}
	return v
}

// StartLimit is how long a controller may take to be ready.
func (u *Upgrade) StartLimit() time.Duration { return u.startLimit }

func (u *Upgrade) env(side upgrade.Side) *Env {
	if side == upgrade.New {
		return u.New
	}
	return u.Old
}

// client is one of whichever controller serves.
func (u *Upgrade) client() (*jenkins.Client, error) { return u.Old.Jenkins() }

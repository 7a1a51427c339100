package config

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestAHomeCopyIsOneThatWasKeptBesideTheHome(t *testing.T) {
	for path, is := range map[string]bool{
		"/srv/home.before-restore-20261101T020304Z":  true,
		"/srv/home.before-rollback-20261101T020304Z": true,
		"/srv/home.failed-upgrade-20261101T020304Z":  true,
		"/srv/home":          false,
		"/srv/home.upgrades": false,
		"/srv/home.before-restore-20261101T020304Z/jobs":  false,
		"/srv/home.before-restore-yesterday":              false,
		"/srv/home2.before-restore-20261101T020304Z":      false,
		"/srv/other/home.failed-upgrade-20261101T020304Z": false,
	} {
		assert.Equal(t, is, IsHomeCopy("/srv/home", path), path)
	}
	assert.False(t, IsHomeCopy("", ".failed-upgrade-20261101T020304Z"))
}

func TestWhatGoesWithAHome(t *testing.T) {
	for path, does := range map[string]bool{
		"/srv/home.before-restore-20261101T020304Z": true, "/srv/home.restoring-0123abcd": true, "/srv/home.upgrades": true,
		"/srv/home": false, "/srv/home.restoring-": false, "/srv/home.restoring-0123abcd5": false, "/srv/home.restoring-somewhat": false, "/srv/home2.restoring-0123abcd": false, "/srv/home.upgrades2": false,
	} {
		assert.Equal(t, does, GoesWithHome("/srv/home", path), path)
	}
	assert.False(t, GoesWithHome("", ".restoring-0123abcd"))
}

package config

import (
	"regexp"
	"strings"
)

var (
	homeCopy = regexp.MustCompile(`^\.(before-restore|before-rollback|failed-upgrade)-\d{8}T\d{6}Z$`)
	homePart = regexp.MustCompile(`^\.restoring-[0-9a-f]{8}$`)
)

// IsHomeCopy says whether path is a home that a restore, a rollback or a failed upgrade has kept beside the home.
func IsHomeCopy(home, path string) bool {
	rest, beside := strings.CutPrefix(path, home)
	return beside && home != "" && homeCopy.MatchString(rest)
}

// GoesWithHome says whether path is something that jomctl has put beside the home: a copy of it, a restore of it that was cut off, or what upgrades keep there.
func GoesWithHome(home, path string) bool {
	rest, beside := strings.CutPrefix(path, home)
	return beside && home != "" && homePart.MatchString(rest) || path == UpgradesOf(home) || IsHomeCopy(home, path)
}

// UpgradesOf is the folder beside a home on hosts of their own in which upgrades keep what a way back needs.
func UpgradesOf(home string) string { return home + ".upgrades" }

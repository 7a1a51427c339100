package config

import (
	"regexp"
	"strings"
)

var homeCopy = regexp.MustCompile(`^\.(before-restore|before-rollback|failed-upgrade)-\d{8}T\d{6}Z$`)

// IsHomeCopy says whether path is a home that a restore, a rollback or a failed upgrade has kept beside the home.
func IsHomeCopy(home, path string) bool {
	rest, beside := strings.CutPrefix(path, home)
	return beside && home != "" && homeCopy.MatchString(rest)
}

// UpgradesOf is the folder beside a home on hosts of their own in which upgrades keep what a way back needs.
func UpgradesOf(home string) string { return home + ".upgrades" }

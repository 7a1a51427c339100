//go:build !linux

package host

// untilDead is for Linux alone. Elsewhere jomctl has no local hosts, which the preflight says.
func untilDead(int) {}

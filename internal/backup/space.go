package backup

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
)

// laterShare is the part of the home that a backup beside earlier ones is taken to need.
const laterShare = 10

// diskNeed is how much a folder will get, which need not be there yet.
type diskNeed struct {
	place string
	bytes int64
}

// roomFor asks for room for what an upgrade writes beside a home of so many bytes: a backup, its test restore, the rehearsal, and the restored
// home beside the failed one. What lies on one disk is asked for together.
func (l Left) roomFor(set Set, home int64) error {
	needs := []diskNeed{{l.Home, 2 * home}, {set.Scratch, home}}
	if at := set.Repository.Location; filepath.IsAbs(at) {
		need := home
		if _, err := os.Stat(filepath.Join(at, "config")); err == nil {
			need /= laterShare
		}
		needs = append(needs, diskNeed{at, need})
	}
	var problems []error
	for _, need := range together(needs, device) {
		problems = append(problems, Room(need.place, need.bytes))
	}
	return errors.Join(problems...)
}

// together adds up what lies on one device; it is asked for by its first place.
func together(needs []diskNeed, device func(string) (uint64, bool)) (all []diskNeed) {
	on := map[uint64]int{}
	for _, need := range needs {
		id, known := device(need.place)
		if at, there := on[id]; known && there {
			all[at].bytes += need.bytes
			continue
		}
		if known {
			on[id] = len(all)
		}
		all = append(all, need)
	}
	return all
}

// device is that of the nearest folder that is there.
func device(path string) (uint64, bool) {
	for {
		var stat syscall.Stat_t
		if syscall.Stat(path, &stat) == nil {
			return uint64(stat.Dev), true //nolint:unconvert // another type elsewhere
		}
		if path == filepath.Dir(path) {
			return 0, false
		}
		path = filepath.Dir(path)
	}
}

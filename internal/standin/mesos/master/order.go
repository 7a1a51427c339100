package master

import (
	"cmp"
	"maps"
	"slices"

	mesos "github.com/mesos/mesos-go/api/v1/lib"
)

// The state is kept in maps; what is shown is sorted so that two answers can be compared.

func sortedAgents(m map[string]*agent) []*agent {
	return slices.SortedFunc(maps.Values(m), func(x, y *agent) int { return compareIDs(x.id, y.id) })
}

func sortedInfos(m map[string]mesos.AgentInfo) []mesos.AgentInfo {
	return slices.SortedFunc(maps.Values(m), func(x, y mesos.AgentInfo) int { return compareIDs(x.GetID().GetValue(), y.GetID().GetValue()) })
}

func sortedFrameworks(m map[string]*framework) []*framework {
	return slices.SortedFunc(maps.Values(m), func(x, y *framework) int { return cmp.Compare(x.id, y.id) })
}

func (c *core) allFrameworks() []*framework {
	return append(sortedFrameworks(c.frameworks), c.completed...)
}

func sortedTasks(m map[string]*task) []*task {
	return slices.SortedFunc(maps.Values(m), func(x, y *task) int { return cmp.Compare(x.TaskID.Value, y.TaskID.Value) })
}

func (fw *framework) sortedOffers() []*offer {
	return slices.SortedFunc(maps.Values(fw.offers), func(x, y *offer) int { return compareIDs(x.id, y.id) })
}

// compareIDs puts -S2 before -S10.
func compareIDs(x, y string) int {
	return cmp.Or(cmp.Compare(len(x), len(y)), cmp.Compare(x, y))
}

func sortByStart(tasks []*task, ascending bool) {
	slices.SortStableFunc(tasks, func(x, y *task) int {
		d := cmp.Or(cmp.Compare(startOf(x), startOf(y)), cmp.Compare(x.TaskID.Value, y.TaskID.Value))
		if ascending {
			return d
		}
		return -d
	})
}

func keysOfMap[T any](m map[string]T) []string { return slices.Sorted(maps.Keys(m)) }

// keysOf is never nil, so that it renders as a list.
func keysOf(m map[string]bool) []string { return append([]string{}, keysOfMap(m)...) }

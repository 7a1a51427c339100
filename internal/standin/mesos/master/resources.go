package master

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	mesos "github.com/mesos/mesos-go/api/v1/lib"
)

// anyRole is the role of resources that nobody has reserved.
const anyRole = "*"

// bag is an amount of resources, by name and reserving role. Scalars are counted in thousandths, as the real allocator does,
// so that sums of 0.1 do not drift.
type bag map[bagKey]amount

type bagKey struct{ name, role string }

// amount is either a scalar, or ranges (sorted, not touching each other), or a set (sorted).
type amount struct {
	milli  int64
	ranges []span
	set    []string
}

type span struct{ begin, end uint64 }

func newBag(resources []mesos.Resource) bag {
	b := bag{}
	for _, r := range resources {
		key := bagKey{r.Name, roleOf(r)}
		b[key] = b[key].plus(amountOf(r))
	}
	return b
}

// roleOf is the role that has reserved the resource, in the old form (role) or the refined one (reservations).
func roleOf(r mesos.Resource) string {
	if n := len(r.Reservations); n > 0 {
		return r.Reservations[n-1].GetRole()
	}
	return r.GetRole()
}

func amountOf(r mesos.Resource) amount {
	switch r.GetType() {
	case mesos.RANGES:
		spans := make([]span, 0, len(r.GetRanges().GetRange()))
		for _, one := range r.GetRanges().GetRange() {
			if one.Begin <= one.End {
				spans = append(spans, span{one.Begin, one.End})
			}
		}
		return amount{ranges: merge(spans)}
	case mesos.SET:
		set := slices.Clone(r.GetSet().GetItem())
		slices.Sort(set)
		return amount{set: slices.Compact(set)}
	default:
		return amount{milli: int64(math.Round(r.GetScalar().GetValue() * 1000))}
	}
}

func merge(spans []span) []span {
	slices.SortFunc(spans, func(a, b span) int {
		if a.begin < b.begin {
			return -1
		}
		return 1
	})
	var out []span
	for _, s := range spans {
		if n := len(out); n > 0 && s.begin <= out[n-1].end+1 {
			out[n-1].end = max(out[n-1].end, s.end)
			continue
		}
		out = append(out, s)
	}
	return out
}

func (a amount) plus(b amount) amount {
	out := amount{milli: a.milli + b.milli}
	if len(a.ranges)+len(b.ranges) > 0 {
		out.ranges = merge(slices.Concat(a.ranges, b.ranges))
	}
	if len(a.set)+len(b.set) > 0 {
		out.set = slices.Concat(a.set, b.set)
		slices.Sort(out.set)
		out.set = slices.Compact(out.set)
	}
	return out
}

func (a amount) minus(b amount) amount {
	out := amount{milli: a.milli - b.milli, ranges: a.ranges}
	for _, cut := range b.ranges {
		out.ranges = cutSpan(out.ranges, cut)
	}
	for _, item := range a.set {
		if !slices.Contains(b.set, item) {
			out.set = append(out.set, item)
		}
	}
	return out
}

func cutSpan(spans []span, cut span) []span {
	var out []span
	for _, s := range spans {
		if s.end < cut.begin || s.begin > cut.end {
			out = append(out, s)
			continue
		}
		if s.begin < cut.begin {
			out = append(out, span{s.begin, cut.begin - 1})
		}
		if s.end > cut.end {
			out = append(out, span{cut.end + 1, s.end})
		}
	}
	return out
}

func (a amount) contains(b amount) bool {
	if a.milli < b.milli {
		return false
	}
	for _, want := range b.ranges {
		if !slices.ContainsFunc(a.ranges, func(have span) bool { return have.begin <= want.begin && want.end <= have.end }) {
			return false
		}
	}
	for _, want := range b.set {
		if !slices.Contains(a.set, want) {
			return false
		}
	}
	return true
}

func (a amount) empty() bool { return a.milli <= 0 && len(a.ranges) == 0 && len(a.set) == 0 }

func (b bag) clone() bag {
	out := make(bag, len(b))
	for key, a := range b {
		out[key] = a
	}
	return out
}

func (b bag) add(other bag) {
	for key, a := range other {
		b[key] = b[key].plus(a)
	}
}

func (b bag) subtract(other bag) {
	for key, a := range other {
		rest := b[key].minus(a)
		if rest.empty() {
			delete(b, key)
			continue
		}
		b[key] = rest
	}
}

func (b bag) contains(other bag) bool {
	for key, a := range other {
		if !a.empty() && !b[key].contains(a) {
			return false
		}
	}
	return true
}

func (b bag) empty() bool {
	for _, a := range b {
		if !a.empty() {
			return false
		}
	}
	return true
}

// forRole is the part that a framework in role may use: what nobody has reserved, and what the role has.
func (b bag) forRole(role string) bag {
	out := bag{}
	for key, a := range b {
		if key.role == anyRole || key.role == role {
			out[key] = a
		}
	}
	return out
}

// scalar is the sum of the named scalar over all roles, in the resource's own unit.
func (b bag) scalar(name string) float64 {
	var sum int64
	for key, a := range b {
		if key.name == name {
			sum += a.milli
		}
	}
	return float64(sum) / 1000
}

func (b bag) keys() []bagKey {
	keys := make([]bagKey, 0, len(b))
	for key, a := range b {
		if !a.empty() {
			keys = append(keys, key)
		}
	}
	order := map[string]int{"ports": 1, "cpus": 2, "mem": 3, "disk": 4}
	slices.SortFunc(keys, func(x, y bagKey) int {
		if d := cmpOrder(order, x.name, y.name); d != 0 {
			return d
		}
		return strings.Compare(x.name+"\x00"+x.role, y.name+"\x00"+y.role)
	})
	return keys
}

// cmpOrder sorts the names that order has first, in its order, then all others.
func cmpOrder(order map[string]int, x, y string) int {
	rank := func(name string) int {
		if n := order[name]; n > 0 {
			return n
		}
		return len(order) + 1
	}
	return rank(x) - rank(y)
}

// list renders the bag as messages. allocated is the role they are given to, empty for none.
func (b bag) list(allocated string) []mesos.Resource {
	out := []mesos.Resource{}
	for _, key := range b.keys() {
		role := key.role
		r := b[key].resource(key.name)
		r.Role = &role
		if allocated != "" {
			r.AllocationInfo = &mesos.Resource_AllocationInfo{Role: &allocated}
		}
		out = append(out, r)
	}
	return out
}

func (a amount) resource(name string) mesos.Resource {
	kind := mesos.SCALAR
	r := mesos.Resource{Name: name, Type: &kind}
	switch {
	case len(a.ranges) > 0:
		kind = mesos.RANGES
		r.Ranges = &mesos.Value_Ranges{}
		for _, s := range a.ranges {
			r.Ranges.Range = append(r.Ranges.Range, mesos.Value_Range{Begin: s.begin, End: s.end})
		}
	case len(a.set) > 0:
		kind = mesos.SET
		r.Set = &mesos.Value_Set{Item: a.set}
	default:
		r.Scalar = &mesos.Value_Scalar{Value: float64(a.milli) / 1000}
	}
	return r
}

// text renders the bag as the real programs' messages do: `cpus(allocated: jenkins):0.1; ports(allocated: jenkins):[1-2]`.
func (b bag) text(allocated string) string {
	var parts []string
	for _, key := range b.keys() {
		label := key.name
		if key.role != anyRole {
			label += "(" + key.role + ")"
		}
		if allocated != "" {
			label += "(allocated: " + allocated + ")"
		}
		parts = append(parts, label+":"+b[key].text())
	}
	return strings.Join(parts, "; ")
}

func (a amount) text() string {
	switch {
	case len(a.ranges) > 0:
		parts := make([]string, len(a.ranges))
		for i, s := range a.ranges {
			parts[i] = fmt.Sprintf("%d-%d", s.begin, s.end)
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case len(a.set) > 0:
		return "{" + strings.Join(a.set, ", ") + "}"
	}
	return strconv.FormatFloat(float64(a.milli)/1000, 'f', -1, 64)
}

package core

import (
	"math/rand/v2"
	"sort"

	mesos "github.com/mesos/mesos-go/api/v1/lib"
)

// pool is what is left of an offer.
type pool struct {
	offer     mesos.Offer
	resources []mesos.Resource
}

type taken struct {
	resources []mesos.Resource
	ports     []int // host ports in the order of the app's ports
	allPorts  []int // the port that the task sees, per port
}

func newPool(offer mesos.Offer) *pool {
	p := &pool{offer: offer}
	for _, r := range offer.Resources {
		if r.Revocable != nil || (r.Disk != nil && r.Disk.Persistence != nil) {
			continue
		}
		if r.Scalar != nil {
			r.Scalar = &mesos.Value_Scalar{Value: r.Scalar.Value}
		}
		if r.Ranges != nil {
			r.Ranges = &mesos.Value_Ranges{Range: append([]mesos.Value_Range(nil), r.Ranges.Range...)}
		}
		p.resources = append(p.resources, r)
	}
	return p
}

func roleOf(r mesos.Resource) string {
	if n := len(r.Reservations); n > 0 && r.Reservations[n-1].Role != nil {
		return *r.Reservations[n-1].Role
	}
	if r.Role != nil && *r.Role != "" {
		return *r.Role
	}
	return "*"
}

const tiny = 1e-6

// scalar takes an amount from resources of the roles; ok is false, and nothing is taken, when there is not enough.
func (p *pool) scalar(name string, amount float64, roles []string, dry bool) (out []mesos.Resource, ok bool) {
	if amount <= 0 {
		return nil, true
	}
	left := amount
	for n := range p.resources {
		r := &p.resources[n]
		if r.Name != name || r.Scalar == nil || r.Scalar.Value <= tiny || !contains(roles, roleOf(*r)) || left <= tiny {
			continue
		}
		part := min(left, r.Scalar.Value)
		left -= part
		if !dry {
			r.Scalar.Value -= part
			piece := *r
			piece.Scalar = &mesos.Value_Scalar{Value: part}
			out = append(out, piece)
		}
	}
	return out, left <= tiny
}

// pickPorts finds host ports: wanted numbers above zero have to be there, zeros are chosen at random, in a row if possible.
func (p *pool) pickPorts(wanted []int, roles []string) ([]int, bool) {
	free := map[int]bool{}
	var order []int
	for _, r := range p.resources {
		if r.Name != "ports" || r.Ranges == nil || !contains(roles, roleOf(r)) {
			continue
		}
		for _, span := range r.Ranges.Range {
			for n := int(span.Begin); n <= int(span.End); n++ {
				free[n] = true
				order = append(order, n)
			}
		}
	}
	out := make([]int, len(wanted))
	for n, port := range wanted {
		if port <= 0 {
			continue
		}
		if !free[port] {
			return nil, false
		}
		free[port] = false
		out[n] = port
	}
	at := 0
	if len(order) > 0 {
		at = rand.IntN(len(order))
	}
	for n, port := range wanted {
		if port != 0 {
			continue
		}
		for tried := 0; ; tried++ {
			if tried >= len(order) {
				return nil, false
			}
			candidate := order[(at+tried)%len(order)]
			if free[candidate] {
				free[candidate], out[n] = false, candidate
				break
			}
		}
	}
	return out, true
}

func (p *pool) takePorts(ports []int, roles []string) []mesos.Resource {
	var out []mesos.Resource
	for n := range p.resources {
		r := &p.resources[n]
		if r.Name != "ports" || r.Ranges == nil || !contains(roles, roleOf(*r)) {
			continue
		}
		piece := *r
		piece.Ranges = &mesos.Value_Ranges{}
		for _, port := range ports {
			if port > 0 && without(r.Ranges, uint64(port)) {
				piece.Ranges.Range = append(piece.Ranges.Range, mesos.Value_Range{Begin: uint64(port), End: uint64(port)})
			}
		}
		if len(piece.Ranges.Range) > 0 {
			sort.Slice(piece.Ranges.Range, func(a, b int) bool { return piece.Ranges.Range[a].Begin < piece.Ranges.Range[b].Begin })
			out = append(out, piece)
		}
	}
	return out
}

// without takes one port out of ranges and says whether it was there.
func without(ranges *mesos.Value_Ranges, port uint64) bool {
	for n, span := range ranges.Range {
		if port < span.Begin || port > span.End {
			continue
		}
		var parts []mesos.Value_Range
		if span.Begin < port {
			parts = append(parts, mesos.Value_Range{Begin: span.Begin, End: port - 1})
		}
		if port < span.End {
			parts = append(parts, mesos.Value_Range{Begin: port + 1, End: span.End})
		}
		ranges.Range = append(append(append([]mesos.Value_Range(nil), ranges.Range[:n]...), parts...), ranges.Range[n+1:]...)
		return true
	}
	return false
}

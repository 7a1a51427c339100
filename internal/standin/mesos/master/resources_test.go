package master

import (
	"testing"

	"github.com/stretchr/testify/require"

	mesos "github.com/mesos/mesos-go/api/v1/lib"
)

func ranges(name string, pairs ...uint64) mesos.Resource {
	kind := mesos.RANGES
	r := mesos.Resource{Name: name, Type: &kind, Ranges: &mesos.Value_Ranges{}}
	for i := 0; i < len(pairs); i += 2 {
		r.Ranges.Range = append(r.Ranges.Range, mesos.Value_Range{Begin: pairs[i], End: pairs[i+1]})
	}
	return r
}

func scalarOf(name string, value float64, role string) mesos.Resource {
	kind := mesos.SCALAR
	return mesos.Resource{Name: name, Type: &kind, Scalar: &mesos.Value_Scalar{Value: value}, Role: &role}
}

func TestBagArithmetic(t *testing.T) {
	total := newBag([]mesos.Resource{scalarOf("cpus", 2, "*"), scalarOf("cpus", 1, "ci"), scalarOf("mem", 1024, "*"), ranges("ports", 31003, 31009, 31000, 31002, 8080, 8080)})
	require.Equal(t, "ports:[8080-8080, 31000-31009]; cpus:2; cpus(ci):1; mem:1024", total.text(""))
	require.InDelta(t, 3.0, total.scalar("cpus"), 0)
	require.Equal(t, "cpus:2; mem:1024", newBag([]mesos.Resource{scalarOf("cpus", 2, "*"), scalarOf("mem", 1024, "*")}).forRole("other").text(""))
	require.Equal(t, "ports(allocated: ci):[8080-8080, 31000-31009]; cpus(allocated: ci):2; cpus(ci)(allocated: ci):1; mem(allocated: ci):1024", total.forRole("ci").text("ci"))

	use := newBag([]mesos.Resource{scalarOf("cpus", 0.1, "*"), ranges("ports", 31001, 31001, 31005, 31009)})
	require.True(t, total.contains(use))
	rest := total.clone()
	for range 20 {
		rest.subtract(newBag([]mesos.Resource{scalarOf("cpus", 0.1, "*")}))
	}
	require.Equal(t, "ports:[8080-8080, 31000-31009]; cpus(ci):1; mem:1024", rest.text(""), "twenty times 0.1 is exactly 2")
	require.False(t, rest.contains(use))
	rest = total.clone()
	rest.subtract(use)
	require.Equal(t, "ports:[8080-8080, 31000-31000, 31002-31004]; cpus:1.9; cpus(ci):1; mem:1024", rest.text(""))
	require.False(t, rest.contains(newBag([]mesos.Resource{ranges("ports", 31000, 31002)})))
	rest.add(use)
	require.Equal(t, total, rest)
	rest.subtract(total)
	require.True(t, rest.empty())
	require.Equal(t, total, newBag(total.list("")), "a list reads back")
}

func TestBagOfSets(t *testing.T) {
	kind := mesos.SET
	disks := newBag([]mesos.Resource{{Name: "disks", Type: &kind, Set: &mesos.Value_Set{Item: []string{"b", "a", "b"}}}})
	require.Equal(t, "disks:{a, b}", disks.text(""))
	one := newBag([]mesos.Resource{{Name: "disks", Type: &kind, Set: &mesos.Value_Set{Item: []string{"a"}}}})
	require.True(t, disks.contains(one))
	disks.subtract(one)
	require.Equal(t, "disks:{b}", disks.text(""))
	require.False(t, disks.contains(one))
	require.Equal(t, object{"disks": double(1)}, disks.quantities())
}

func TestBagObject(t *testing.T) {
	b := newBag([]mesos.Resource{scalarOf("cpus", 0.5, "*"), scalarOf("cpus", 1, "ci"), ranges("ports", 1, 2, 4, 4)})
	require.Equal(t, object{"cpus": double(1.5), "mem": double(0), "disk": double(0), "gpus": double(0), "ports": "[1-2, 4-4]"}, b.object())
	require.Equal(t, object{"cpus": double(1.5), "ports": double(3)}, b.quantities())
}

func TestReservationsCountAsRoles(t *testing.T) {
	kind := mesos.SCALAR
	refined := mesos.Resource{Name: "cpus", Type: &kind, Scalar: &mesos.Value_Scalar{Value: 1}, Reservations: []mesos.Resource_ReservationInfo{{Role: ptr("ci")}}}
	require.Equal(t, "cpus(ci):1", newBag([]mesos.Resource{refined}).text(""))
}

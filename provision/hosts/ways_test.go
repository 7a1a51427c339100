package hosts

import (
	"context"
	"net/netip"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/host/hostfake"
)

func TestEveryPortOfARoleIsTriedFromWhoNeedsIt(t *testing.T) {
	c := cluster(t, 3, 1)
	c1, _ := c.Host("c1")
	c2, _ := c.Host("c2")
	a1, _ := c.Host("a1")
	assert.Equal(t, []int{2181, 2888, 3888, 5000, 5050, 5055, 8080, 8090, 8091, 8092, 50000}, needs(c, c2, c1))
	assert.Equal(t, []int{2181, 5050, 5055, 8080, 8090, 8091, 50000}, needs(c, a1, c2))
	assert.Equal(t, []int{5051, 8080, 8093, 50000}, needs(c, c1, a1))
	for _, ports := range [][]Port{PortsOf(c, c1), PortsOf(c, a1)} {
		seen := map[string]bool{}
		for _, p := range ports {
			key := strconv.Itoa(p.Number)
			assert.False(t, seen[key], key)
			seen[key] = true
		}
	}
	assert.Equal(t, "ufw allow proto tcp from ADDRESS to any port 1,2", openPorts("ufw active", []int{1, 2}))
	assert.Equal(t, "firewall-cmd --permanent --add-port=1/tcp && firewall-cmd --reload", openPorts("firewalld running", []int{1}))
	assert.Contains(t, openPorts("", []int{1}), "security group")
	_, err := reachable(context.Background(), c, c.Hosts, c1, hostfake.New("c1", "10.0.0.1"))
	require.ErrorContains(t, err, "try the ways from host c1")
}

func TestTheWaysToTheControlHostsAreToldInWords(t *testing.T) {
	w := newWorld(t, 1, 2)
	a1, _ := w.c.Host("a1")
	c1, a2 := w.c.Hosts[0], w.c.Hosts[2]
	found, err := Blocked(t.Context(), w.c, a1, w.machines["a1"])
	require.NoError(t, err)
	require.Empty(t, found)
	w.blocked["a1 "+c1.Address+":5050"] = "no answer"
	w.blocked["a1 "+c1.Address+":2181"] = "no answer"
	w.blocked["a1 "+c1.Address+":8090"] = "No route to host"
	w.blocked["a1 "+a2.Address+":5051"] = "no answer"
	found, err = Blocked(t.Context(), w.c, a1, w.machines["a1"])
	require.NoError(t, err)
	require.Equal(t, []string{"a1 cannot reach TCP 8090 of c1 (No route to host)", "a1 cannot reach TCP 2181, 5050 of c1 (no answer)"}, found)
	_, err = Blocked(t.Context(), w.c, a1, hostfake.New("a1", a1.Address))
	require.Error(t, err)
}

func TestNamesMustBeOneAddressEverywhere(t *testing.T) {
	named := func(c *config.Cluster) { c.Hosts[0].Address = "c1.example" }
	w := newWorld(t, 1, 2, func(c *config.Cluster) { c.Registry = &config.Registry{Address: "r.example:5000"} })
	named(w.c)
	set := func(host string, all ...string) {
		f := w.facts[host]
		f.Names = map[string][]netip.Addr{"c1.example": nil}
		for _, text := range all {
			f.Names["c1.example"] = append(f.Names["c1.example"], addr(text))
		}
		w.facts[host] = f
	}
	set("c1", "10.0.0.1")
	set("a1", "10.0.0.1")
	set("a2", "10.0.0.1")
	findings, _ := w.preflight(t)
	assert.Empty(t, findings)
	assert.Equal(t, "10.0.0.1", w.facts["c1"].IP(w.c.Hosts[0]))

	set("c1", "127.0.1.1")
	set("a1")
	set("a2", "10.9.9.9")
	findings, _ = w.preflight(t)
	require.Len(t, findings, 2)
	assert.Contains(t, findings[0], "c1: name c1.example: is the loopback address 127.0.1.1 here")
	assert.Contains(t, findings[1], "a1: name c1.example: cannot be resolved")

	set("c1", "10.0.0.1")
	set("a1", "10.0.0.1")
	findings, _ = w.preflight(t)
	require.Len(t, findings, 1)
	assert.Contains(t, findings[0], "is not the same address everywhere: 10.0.0.1 on c1, a1; 10.9.9.9 on a2")
}

package core

import (
	"math"
	"regexp"
	"strconv"
	"strings"

	mesos "github.com/mesos/mesos-go/api/v1/lib"

	"github.com/jomctl/jomctl/internal/standin/marathon/spec"
)

// fit takes an instance's resources from the pool, or says every reason why they are not there.
func (c *Core) fit(app *spec.App, i *Instance, p *pool) (taken, []string) {
	var reasons []string
	roles := []string{"*"}
	if app.Role != "*" {
		roles = []string{app.Role, "*"}
	}
	if len(app.AcceptedResourceRoles) > 0 {
		roles = app.AcceptedResourceRoles
	}
	if !p.hasRole(roles) {
		reasons = append(reasons, "UnfulfilledRole")
	}
	if !c.constraintsMet(app, i, p.offer) || c.inMaintenance(p.offer) {
		reasons = append(reasons, "UnfulfilledConstraint")
	}
	for _, want := range []struct {
		name, reason string
		amount       float64
	}{{"cpus", "InsufficientCpus", float64(app.Cpus)}, {"mem", "InsufficientMemory", float64(app.Mem)}, {"disk", "InsufficientDisk", float64(app.Disk)},
		{"gpus", "InsufficientGpus", float64(app.Gpus)}} {
		if _, ok := p.scalar(want.name, want.amount, roles, true); !ok {
			reasons = append(reasons, want.reason)
		}
	}
	ports, ok := p.pickPorts(hostPorts(app), roles)
	if !ok {
		reasons = append(reasons, "InsufficientPorts")
	}
	if len(reasons) > 0 {
		return taken{}, reasons
	}
	var t taken
	for name, amount := range map[string]float64{"cpus": float64(app.Cpus), "mem": float64(app.Mem), "disk": float64(app.Disk), "gpus": float64(app.Gpus)} {
		pieces, _ := p.scalar(name, amount, roles, false)
		t.resources = append(t.resources, pieces...)
	}
	t.resources = append(t.resources, p.takePorts(ports, roles)...)
	t.allPorts = visiblePorts(app, ports)
	for n, port := range ports {
		if hostPorts(app)[n] >= 0 {
			t.ports = append(t.ports, port)
		}
	}
	return t, nil
}

func (p *pool) hasRole(roles []string) bool {
	for _, r := range p.resources {
		if contains(roles, roleOf(r)) {
			return true
		}
	}
	return false
}

// hostPorts lists the wanted host port of each port: a number, 0 for any, -1 for none.
func hostPorts(app *spec.App) []int {
	var out []int
	if app.PortDefinitions != nil {
		for _, p := range *app.PortDefinitions {
			if app.RequirePorts {
				out = append(out, p.Port)
			} else {
				out = append(out, 0)
			}
		}
		return out
	}
	if app.Container != nil && app.Container.PortMappings != nil {
		for _, m := range *app.Container.PortMappings {
			if m.HostPort == nil {
				out = append(out, -1)
			} else {
				out = append(out, *m.HostPort)
			}
		}
	}
	return out
}

// visiblePorts are the ports as PORTn shows them: the host port, or the container port where there is no host port.
func visiblePorts(app *spec.App, ports []int) []int {
	out := append([]int(nil), ports...)
	if app.PortDefinitions == nil && app.Container != nil && app.Container.PortMappings != nil {
		for n, m := range *app.Container.PortMappings {
			if m.HostPort == nil {
				out[n] = m.ContainerPort
			}
		}
	}
	return out
}

func (c *Core) inMaintenance(offer mesos.Offer) bool {
	u := offer.Unavailability
	return u != nil && u.Start.Nanoseconds <= c.now().UnixNano() &&
		(u.Duration == nil || c.now().UnixNano() < u.Start.Nanoseconds+u.Duration.Nanoseconds)
}

func attributes(offer mesos.Offer) map[string]string {
	out := map[string]string{}
	for _, a := range offer.Attributes {
		switch {
		case a.Text != nil:
			out[a.Name] = a.Text.Value
		case a.Scalar != nil:
			out[a.Name] = strconv.FormatFloat(math.Round(a.Scalar.Value*1000)/1000, 'f', -1, 64)
		case a.Set != nil:
			out[a.Name] = "{" + strings.Join(a.Set.Item, ",") + "}"
		case a.Ranges != nil:
			var spans []string
			for _, r := range a.Ranges.Range {
				spans = append(spans, strconv.FormatUint(r.Begin, 10)+"-"+strconv.FormatUint(r.End, 10))
			}
			out[a.Name] = "[" + strings.Join(spans, ",") + "]"
		}
	}
	return out
}

type place struct {
	host, region, zone string
	attributes         map[string]string
}

func (p place) value(field string) (string, bool) {
	switch field {
	case "hostname", "@hostname":
		return p.host, true
	case "@region":
		return p.region, p.region != ""
	case "@zone":
		return p.zone, p.zone != ""
	}
	v, ok := p.attributes[field]
	return v, ok
}

func (c *Core) constraintsMet(app *spec.App, self *Instance, offer mesos.Offer) bool {
	here := place{host: offer.Hostname, attributes: attributes(offer)}
	if offer.Domain != nil && offer.Domain.FaultDomain != nil {
		here.region, here.zone = offer.Domain.FaultDomain.Region.Name, offer.Domain.FaultDomain.Zone.Name
	}
	regional := false
	for _, con := range app.Constraints {
		regional = regional || con[0] == "@region"
	}
	if !regional && here.region != "" && here.region != c.mesos.region {
		return false
	}
	var others []place
	for _, i := range c.insts {
		if i.App == app.ID && i != self && i.active() && i.Goal == goalRunning && i.ConfigVersion == self.ConfigVersion {
			others = append(others, place{host: i.Host, region: i.Region, zone: i.Zone, attributes: i.Attributes})
		}
	}
	for _, con := range app.Constraints {
		if con[1] == "GROUP_BY" && len(con) == 2 {
			c.logf("app %s has GROUP_BY without a number: the launch queue ends, as in the real program", app.ID)
			c.queueDead = true
			return false
		}
		if !met(con, here, others) {
			return false
		}
	}
	return true
}

func met(con []string, here place, others []place) bool {
	field, op, arg := con[0], con[1], ""
	if len(con) > 2 {
		arg = con[2]
	}
	value, ok := here.value(field)
	if !ok {
		return op == "UNLIKE"
	}
	same := 0
	groups := map[string]int{}
	for _, other := range others {
		v, _ := other.value(field)
		groups[v]++
		if v == value {
			same++
		}
	}
	switch op {
	case "UNIQUE":
		return same == 0
	case "CLUSTER":
		return (arg == "" || value == arg) && same == len(others)
	case "MAX_PER":
		n, err := strconv.Atoi(arg)
		return err == nil && same < n
	case "GROUP_BY":
		n, _ := strconv.Atoi(arg)
		return spread(groups, value, n)
	case "LIKE", "UNLIKE":
		re, err := regexp.Compile("^(?:" + arg + ")$")
		return err == nil && re.MatchString(value) == (op == "LIKE")
	case "IS":
		a, errA := strconv.ParseFloat(value, 64)
		b, errB := strconv.ParseFloat(arg, 64)
		return value == arg || (errA == nil && errB == nil && a == b)
	}
	return false
}

// spread says whether the group of value is among the smallest when at least n groups are expected.
func spread(groups map[string]int, value string, n int) bool {
	smallest := math.MaxInt
	for _, size := range groups {
		smallest = min(smallest, size)
	}
	if len(groups) < n || len(groups) == 0 {
		smallest = 0
	}
	return groups[value] <= smallest
}

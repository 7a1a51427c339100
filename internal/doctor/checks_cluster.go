package doctor

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"

	"github.com/jomctl/jomctl/internal/cluster"
	"github.com/jomctl/jomctl/internal/status"
)

func joined(faults []error) error { return errors.Join(faults...) }

func checkStatus(_ context.Context, f *facts) ([]Finding, error) {
	var found []Finding
	for _, one := range f.report().Findings {
		found = append(found, Finding{Finding: one})
	}
	return found, nil
}

func checkMasters(ctx context.Context, f *facts) ([]Finding, error) {
	health := f.in.Mesos.Health(ctx)
	there, leads, recovered := 0, 0, false
	var evidence []string
	for _, master := range health {
		switch {
		case master.Err != nil:
			evidence = append(evidence, master.Addr+": "+master.Err.Error())
			continue
		case master.Elected:
			leads++
			recovered = recovered || master.Recovered
		}
		there++
		evidence = append(evidence, fmt.Sprintf("%s: answers, leads: %t, registry recovered: %t", master.Addr, master.Elected, master.Recovered))
	}
	need := len(health)/2 + 1
	var found []Finding
	if there < need {
		found = append(found, finding(status.Error, "mesos masters", fmt.Sprintf("%d of %d answer, and the registry needs %d: no Mesos agent can be admitted or removed", there, len(health), need),
			"start the missing masters (`jomctl install` starts what is not running); never lower the quorum", evidence...))
	}
	if there >= need && leads == 1 && !recovered {
		found = append(found, finding(status.Warning, "mesos masters", "the elected one has not recovered its registry: it ends itself after a minute if it cannot",
			"wait a minute; if it ends with `Failed to perform fetch`, the masters do not reach each other or the quorum is wrong", evidence...))
	}
	if leads > 1 {
		found = append(found, finding(status.Error, "mesos masters", fmt.Sprintf("%d of them lead at the same time", leads),
			"compare --zk and --quorum of all masters: they must be the same", evidence...))
	}
	return found, nil
}

// advertised is an address that a part tells others to use.
type advertised struct {
	subject, addr, where, fix string
}

func checkAddresses(ctx context.Context, f *facts) ([]Finding, error) {
	var all []advertised
	var faults []error
	if leader, err := f.in.ZooKeeper.MesosLeader(ctx, "/mesos"); err == nil {
		all = append(all, advertised{"mesos-master", leader.Addr, "ZooKeeper, /mesos/json.info_*", "set --ip and --hostname (or --advertise_ip) of the master"})
	} else if !errors.Is(err, cluster.ErrNoLeader) {
		faults = append(faults, could("the address of the leading master", err))
	}
	if leader, err := f.in.ZooKeeper.MarathonLeader(ctx, "/marathon"); err == nil {
		all = append(all, advertised{"marathon", leader, "ZooKeeper, /marathon/leader", "set --hostname of Marathon, and LIBPROCESS_IP for its scheduler"})
	} else if !errors.Is(err, cluster.ErrNoLeader) {
		faults = append(faults, could("the address of the leading Marathon", err))
	}
	state, err := f.state()
	faults = append(faults, could("the addresses of the Mesos agents", err))
	for _, agent := range state.Agents {
		if agent.Active || agent.Deactivated {
			all = append(all, advertised{"mesos-agent " + f.hostName(agent.Hostname), agent.Addr, "/state of the leading master", "set --ip and --hostname (or --advertise_ip) of the Mesos agent"})
		}
	}
	found := make([]*Finding, len(all))
	var group sync.WaitGroup
	for i, one := range all {
		group.Go(func() { found[i] = f.judgeAddress(ctx, one) })
	}
	group.Wait()
	var out []Finding
	for _, one := range found {
		if one != nil {
			out = append(out, *one)
		}
	}
	return out, joined(faults)
}

func (f *facts) judgeAddress(ctx context.Context, a advertised) *Finding {
	name, _, err := net.SplitHostPort(a.addr)
	evidence := fmt.Sprintf("%s says %q", a.where, a.addr)
	if err != nil {
		one := finding(status.Error, a.subject, "advertises an address without a port", a.fix, evidence)
		return &one
	}
	known := slices.ContainsFunc(f.in.Cluster.Hosts, func(h hostOf) bool { return h.Address == name || h.Name == name })
	if !known && loopback(name) {
		one := finding(status.Error, a.subject, "advertises "+name+", which on every other host means that host itself", a.fix, evidence)
		return &one
	}
	if err := f.in.Dial(ctx, a.addr); err != nil {
		if f.knownDown(a.subject, name) {
			return nil // status says so, and the address may be right
		}
		one := finding(status.Error, a.subject, "advertises "+a.addr+", where nobody answers", a.fix+"; else open the port in the firewall", evidence, err.Error())
		return &one
	}
	if !known && net.ParseIP(name) != nil {
		one := finding(status.Warning, a.subject, "advertises "+name+", which is the address of no host in the cluster file", a.fix, evidence)
		return &one
	}
	return nil
}

// knownDown says that the part is a unit that does not run on the host with the address.
func (f *facts) knownDown(subject, address string) bool {
	name, _, _ := strings.Cut(subject, " ")
	units, _ := f.units()
	return slices.ContainsFunc(units, func(u unit) bool { return u.Name == name && !u.Running && u.machine.Address() == address })
}

func loopback(name string) bool {
	ip := net.ParseIP(name)
	return ip != nil && (ip.IsLoopback() || ip.IsUnspecified()) || name == "localhost" || strings.HasPrefix(name, "localhost.")
}

// manyEnded is how many frameworks of one name that have ended are no accident any more.
const manyEnded = 3

func checkFrameworks(ctx context.Context, f *facts) ([]Finding, error) {
	state, err := f.state()
	if err != nil {
		return nil, could("the frameworks", err)
	}
	var found []Finding
	for _, one := range state.Frameworks {
		if one.Connected || one.Active {
			continue
		}
		held := fmt.Sprintf("holds %.1f cpus and %.0f MiB for %d tasks", one.Used.CPUs, one.Used.Mem, len(one.Tasks))
		found = append(found, finding(status.Warning, "framework "+one.Name, "has no scheduler (any more) and "+held,
			"if its scheduler should live, look whether the leading master can connect back to it (fixed, open LIBPROCESS_PORT and right LIBPROCESS_IP); "+
				"if it never comes back, tear it down, which kills its tasks: POST /teardown with frameworkId="+one.ID, "id "+one.ID))
	}
	ended := map[string]int{}
	for _, one := range state.CompletedFrameworks {
		ended[one.Name]++
	}
	for name, count := range ended {
		if count >= manyEnded {
			found = append(found, finding(status.Warning, "framework "+name, fmt.Sprintf("has registered and ended %d times: its scheduler is refused or not reached again and again", count),
				"check the way back from the leading master to the scheduler (LIBPROCESS_IP, LIBPROCESS_PORT, firewall, bridge network of a container), and that it keeps its framework id over restarts"))
		}
	}
	again, err := f.reregistering(ctx, state)
	return append(found, again...), could("whether frameworks register again and again", err)
}

// reregistering compares with a second look: two schedulers with one id throw each other out.
func (f *facts) reregistering(ctx context.Context, before cluster.State) ([]Finding, error) {
	after, err := f.in.Mesos.State(ctx)
	if err != nil {
		return nil, err
	}
	var found []Finding
	for _, old := range before.Frameworks {
		if now, ok := after.Framework(old.ID); ok && now.ID == old.ID && now.Reregistered != old.Reregistered && old.Reregistered != 0 {
			found = append(found, finding(status.Warning, "framework "+old.Name, "has just registered again: if it goes on so, two schedulers use one id, or the master loses its connection",
				"look for a second controller with the same framework id, and at the leading master's log", fmt.Sprintf("reregistered_time %.3f, then %.3f", old.Reregistered, now.Reregistered)))
		}
	}
	return found, nil
}

func checkDrained(_ context.Context, f *facts) ([]Finding, error) {
	state, err := f.state()
	if err != nil {
		return nil, could("the Mesos agents", err)
	}
	var found []Finding
	for _, agent := range state.Agents {
		if agent.Deactivated {
			found = append(found, finding(status.Warning, "mesos-agent "+f.hostName(agent.Hostname), "is out of service: nothing new is placed on it",
				"if no maintenance is going on: `jomctl agents undrain "+f.hostName(agent.Hostname)+"`", "agent "+agent.ID+" is deactivated"))
		}
	}
	return found, nil
}

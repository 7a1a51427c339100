package status

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/host"
)

// collectHosts asks all hosts at the same time: one that hangs keeps none of the others from answering.
func collectHosts(ctx context.Context, s Sources) []Host {
	hosts := make([]Host, len(s.Machines))
	var group sync.WaitGroup
	disks := disks{asked: map[any]func() *Disk{}}
	for i, machine := range s.Machines {
		group.Go(func() { hosts[i] = collectHost(ctx, s.Cluster, machine, &disks) })
	}
	group.Wait()
	return hosts
}

func collectHost(ctx context.Context, c *config.Cluster, machine host.Machine, disks *disks) Host {
	out := Host{Name: machine.Name(), Address: machine.Address(), Roles: []string{}, Units: []Unit{}}
	if h, ok := c.Host(machine.Name()); ok {
		for _, role := range h.Roles {
			out.Roles = append(out.Roles, string(role))
		}
	}
	var disk sync.WaitGroup
	if _, here := machine.(*host.Local); here {
		out.Disk = disks.of(ctx, machine)
	} else {
		disk.Go(func() { out.Disk = disks.of(ctx, machine) })
	}
	units, err := machine.Units().List(ctx)
	disk.Wait()
	if err != nil {
		out.Error = err.Error()
	}
	if errors.Is(err, context.DeadlineExceeded) {
		out.Error, out.Silent = fmt.Sprintf("%v (no answer within %s)", err, patience), true
	}
	for _, unit := range units {
		out.Units = append(out.Units, unitOf(unit))
	}
	return out
}

// disks are those of one look. Hosts on this machine share its disks, and each disk is asked once: a hundred hosts would take as many programs.
type disks struct {
	mu sync.Mutex
	// asked are the answers by device.
	asked map[any]func() *Disk
}

func (d *disks) of(ctx context.Context, machine host.Machine) *Disk {
	local, is := machine.(*host.Local)
	if !is {
		return collectDisk(ctx, machine)
	}
	var stat syscall.Stat_t
	if err := syscall.Stat(local.Dir(), &stat); err != nil {
		return nil
	}
	d.mu.Lock()
	ask, known := d.asked[stat.Dev]
	if !known {
		ask = sync.OnceValue(func() *Disk {
			if disk := diskHere(local.Dir()); disk != nil {
				return disk
			}
			return collectDisk(ctx, machine)
		})
		d.asked[stat.Dev] = ask
	}
	d.mu.Unlock()
	return ask()
}

// collectDisk asks for the disk of jomctl's files; what cannot be asked is left out, as the units say why.
func collectDisk(ctx context.Context, machine host.Machine) *Disk {
	out, err := machine.Run(ctx, "df", "-Pk", machine.Dir())
	lines := strings.Split(strings.TrimSpace(out.Stdout), "\n")
	fields := strings.Fields(lines[len(lines)-1])
	if err != nil || len(fields) < 6 {
		return nil
	}
	var kib [3]int64
	for i := range kib {
		if kib[i], err = strconv.ParseInt(fields[i+1], 10, 64); err != nil {
			return nil
		}
	}
	return &Disk{Mount: strings.Join(fields[5:], " "), Total: kib[0] >> 10, Used: kib[1] >> 10, Free: kib[2] >> 10}
}

func unitOf(status host.Status) Unit {
	unit := Unit{Name: status.Name, State: "stopped", PID: status.PID, Restarts: status.Restarts, Log: status.LogFile, Problem: status.Problem}
	switch {
	case status.Running:
		unit.State, unit.Since = "running", &status.Since
	case status.Active:
		unit.State = "waiting"
	}
	if status.LastExit != nil {
		unit.LastExit = status.LastExit.String()
	}
	return unit
}

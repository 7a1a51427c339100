package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/jomctl/jomctl/internal/pause"
)

// MachineID names a machine as Mesos does: an agent is on it when both its host name, in lower case, and its IP address
// are the same.
type MachineID struct {
	Hostname string `json:"hostname,omitempty"`
	IP       string `json:"ip,omitempty"`
}

// Machine is the machine that the agent runs on.
func (a Agent) Machine() MachineID {
	ip, _, err := net.SplitHostPort(a.Addr)
	if err != nil {
		ip = a.Addr
	}
	return MachineID{Hostname: strings.ToLower(a.Hostname), IP: ip}
}

// Window is one entry of the maintenance schedule. A Duration of 0 is without an end.
type Window struct {
	Machines []MachineID
	Start    time.Time
	Duration time.Duration
}

// ErrChanged means that somebody else changed the maintenance schedule at the same time, again and again.
var ErrChanged = errors.New("the maintenance schedule is changed by somebody else at the same time")

// scheduleTries is how often an entry is written anew when others write the schedule at the same time.
const scheduleTries = 5

// rawWindow keeps what this program does not know.
type rawWindow map[string]json.RawMessage

type nanoseconds struct {
	Nanoseconds int64 `json:"nanoseconds"`
}

func (w rawWindow) machines() []MachineID {
	var ids []MachineID
	_ = json.Unmarshal(w["machine_ids"], &ids) // the master checks it
	return ids
}

func (w rawWindow) unavailability() (start time.Time, duration time.Duration) {
	var u struct {
		Start    nanoseconds  `json:"start"`
		Duration *nanoseconds `json:"duration"`
	}
	_ = json.Unmarshal(w["unavailability"], &u)
	if u.Duration != nil {
		duration = time.Duration(u.Duration.Nanoseconds)
	}
	return time.Unix(0, u.Start.Nanoseconds), duration
}

func newWindow(w Window) rawWindow {
	times := map[string]nanoseconds{"start": {w.Start.UnixNano()}}
	if w.Duration > 0 {
		times["duration"] = nanoseconds{int64(w.Duration)}
	}
	return rawWindow{"machine_ids": marshal(w.Machines), "unavailability": marshal(times)}
}

// marshal is for texts and numbers alone, which always marshal.
func marshal(value any) json.RawMessage {
	data, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	return data
}

// Windows reads the maintenance schedule.
func (m Mesos) Windows(ctx context.Context) ([]Window, error) {
	raw, err := m.schedule(ctx)
	if err != nil {
		return nil, failed("read the maintenance schedule", m.names(), err)
	}
	var all []Window
	for _, w := range raw {
		start, duration := w.unavailability()
		all = append(all, Window{Machines: w.machines(), Start: start, Duration: duration})
	}
	return all, nil
}

func (m Mesos) schedule(ctx context.Context) ([]rawWindow, error) {
	var answer struct {
		Windows []rawWindow `json:"windows"`
	}
	err := m.call(ctx, request{method: http.MethodGet, url: "/maintenance/schedule"}, &answer)
	return answer.Windows, err
}

// Schedule adds a window for the machines; they leave whatever window they were in, and everybody else's entries stay.
//
// Mesos replaces the schedule as a whole and knows no versions, so the schedule is read again after it was written: where
// somebody else's writing has undone this one, it is done again, and after some rounds the error is ErrChanged.
func (m Mesos) Schedule(ctx context.Context, window Window) error {
	err := m.reschedule(ctx, func(others []rawWindow) []rawWindow { return append(others, newWindow(window)) }, window.Machines)
	return failed("schedule maintenance", m.names(), err)
}

// Unschedule takes machines out of the maintenance schedule. Those that are not in it are no error; one that is down is
// refused by Mesos, and is brought up first.
func (m Mesos) Unschedule(ctx context.Context, machines ...MachineID) error {
	err := m.reschedule(ctx, func(others []rawWindow) []rawWindow { return others }, machines)
	return failed("end scheduled maintenance", m.names(), err)
}

func (m Mesos) reschedule(ctx context.Context, change func(others []rawWindow) []rawWindow, machines []MachineID) error {
	for range scheduleTries {
		before, err := m.schedule(ctx)
		if err != nil {
			return err
		}
		wanted := change(without(before, machines))
		if sameSchedule(before, wanted) {
			return nil
		}
		// Read as late as possible, to see what has come in between.
		if again, err := m.schedule(ctx); err != nil {
			return err
		} else if !sameSchedule(before, again) {
			continue
		}
		body := marshal(map[string]any{"windows": wanted})
		if err := m.call(ctx, request{method: http.MethodPost, url: "/maintenance/schedule", contentType: jsonType, body: body}, nil); err != nil {
			return err
		}
		after, err := m.schedule(ctx)
		if err != nil {
			return err
		}
		if containsAll(after, wanted) && len(without(after, machines)) >= len(without(wanted, machines)) {
			return nil
		}
		if stop := pause.For(ctx, retryPause); stop != nil {
			return stop
		}
	}
	return ErrChanged
}

// without drops the machines from all windows, and windows that have none left.
func without(windows []rawWindow, machines []MachineID) []rawWindow {
	kept := []rawWindow{}
	for _, w := range windows {
		ids := w.machines()
		rest := slices.DeleteFunc(slices.Clone(ids), func(id MachineID) bool { return slices.ContainsFunc(machines, id.same) })
		switch {
		case len(rest) == len(ids):
			kept = append(kept, w)
		case len(rest) > 0:
			one := rawWindow{}
			for key, value := range w {
				one[key] = value
			}
			one["machine_ids"] = marshal(rest)
			kept = append(kept, one)
		}
	}
	return kept
}

func (id MachineID) same(other MachineID) bool {
	return strings.EqualFold(id.Hostname, other.Hostname) && id.IP == other.IP
}

func sameSchedule(a, b []rawWindow) bool { return len(a) == len(b) && containsAll(a, b) }

func containsAll(all, some []rawWindow) bool {
	for _, w := range some {
		if !slices.ContainsFunc(all, w.equal) {
			return false
		}
	}
	return true
}

// equal compares by meaning: the master writes numbers and the order of keys in its own way.
func (w rawWindow) equal(other rawWindow) bool {
	start, duration := w.unavailability()
	otherStart, otherDuration := other.unavailability()
	return start.Equal(otherStart) && duration == otherDuration && reflect.DeepEqual(lowered(w.machines()), lowered(other.machines()))
}

func lowered(ids []MachineID) []MachineID {
	for i := range ids {
		ids[i].Hostname = strings.ToLower(ids[i].Hostname)
	}
	return ids
}

// MachinesDown takes machines that are in the schedule out of the cluster at once: their agents are shut down and all
// their tasks are lost.
func (m Mesos) MachinesDown(ctx context.Context, machines ...MachineID) error {
	return failed(fmt.Sprintf("take machines %v down", machines), m.names(), m.machine(ctx, "/machine/down", machines))
}

// MachinesUp lets machines that are down in again; they leave the schedule.
func (m Mesos) MachinesUp(ctx context.Context, machines ...MachineID) error {
	return failed(fmt.Sprintf("bring machines %v up", machines), m.names(), m.machine(ctx, "/machine/up", machines))
}

func (m Mesos) machine(ctx context.Context, path string, machines []MachineID) error {
	return m.call(ctx, request{method: http.MethodPost, url: path, contentType: jsonType, body: marshal(machines)}, nil)
}

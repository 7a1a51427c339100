package provision

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"github.com/jomctl/jomctl/internal/host"
)

// offer is what a Mesos agent says about itself when it registers. An agent that comes back with less than before, or
// with other attributes, ends at once ("Incompatible agent info detected"), again and again; so does one whose old
// identity the masters know under another address.
type offer struct {
	Address    string            `json:"address"`
	CPUs       float64           `json:"cpus"`
	Mem        int               `json:"mem"`  // MiB
	Disk       int               `json:"disk"` // MiB
	Ports      string            `json:"ports"`
	Attributes map[string]string `json:"attributes,omitempty"`
}

// accepts says whether an agent that has registered with the old offer may come back with this one.
func (o offer) accepts(old offer) bool {
	for name, value := range old.Attributes {
		if o.Attributes[name] != value {
			return false
		}
	}
	for _, ports := range strings.Split(strings.Trim(old.Ports, "[]"), ",") {
		if !strings.Contains(","+strings.Trim(o.Ports, "[]")+",", ","+ports+",") {
			return false
		}
	}
	return o.Address == old.Address && o.CPUs >= old.CPUs && o.Mem >= old.Mem && o.Disk >= old.Disk
}

func (o offer) file(path string) File {
	data, err := json.Marshal(o)
	if err != nil { // strings and numbers always marshal
		panic(err)
	}
	return text(path, string(data))
}

// identity lets a Mesos agent begin a new life where its old one forbids the new offer.
type identity struct {
	host  host.Machine
	unit  string
	offer offer
	// record is the file with the last offer, latest the agent's own link to its identity.
	record, latest string
}

// mustEnd says whether the agent has registered with an offer that the new one cannot follow.
func (i identity) mustEnd(ctx context.Context) (bool, error) {
	data, err := i.host.ReadFile(ctx, i.record)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	var old offer
	if err := json.Unmarshal(data, &old); err != nil {
		return true, nil //nolint:nilerr // a record that cannot be read allows nothing
	}
	return !i.offer.accepts(old), nil
}

// Ends says what Apply ends on a Mesos agent that runs: builds, where it is started anew, because the framework of the Mesos plugin does
// not outlive that, and all tasks, the controller's too, where its last offer forbids the new one. It ends nothing of any other service.
func (s Service) Ends(ctx context.Context) (builds, all bool, err error) {
	if s.identity == nil {
		return false, false, nil
	}
	if all, err = s.identity.mustEnd(ctx); err != nil {
		return false, false, err
	}
	status, err := s.Host.Units().Status(ctx, s.Unit.Name)
	if err != nil {
		return false, false, err
	}
	anew := status.Digest != s.Unit.Digest() || len(status.Drift) > 0
	return status.Running && (all || anew), all, nil
}

// end lets the agent end its tasks and sign off, and forgets its identity.
func (i identity) end(ctx context.Context) error {
	if err := SignOff(ctx, i.host, i.unit); err != nil {
		return err
	}
	return i.host.Remove(ctx, i.latest)
}

// SignOff lets the Mesos agent of the unit end its tasks and tell the master that it goes for good, and stops it. One that
// does not run is only stopped.
func SignOff(ctx context.Context, on host.Machine, unit string) error {
	units := on.Units()
	status, err := units.Status(ctx, unit)
	if err != nil {
		return err
	}
	if status.Running {
		// SIGUSR1 ends the executors and tells the master, where SIGTERM would leave both as they are.
		if _, err := on.Run(ctx, "kill", "-USR1", fmt.Sprint(status.PID)); err != nil {
			return err
		}
	}
	limited, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	for pid := status.PID; status.Running && status.PID == pid; {
		select {
		case <-limited.Done():
			status.Running = false // Stop ends it
		case <-time.After(50 * time.Millisecond):
			if status, err = units.Status(ctx, unit); err != nil {
				return err
			}
		}
	}
	return units.Stop(ctx, unit)
}

package master

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	mesos "github.com/mesos/mesos-go/api/v1/lib"
	"github.com/mesos/mesos-go/api/v1/lib/maintenance"

	"github.com/jomctl/jomctl/internal/standin/mesos/wire"
)

// This file is the maintenance schedule and the machines that are down. Offers of a machine in the schedule carry its
// unavailability; inverse offers are left out, to which neither Marathon nor the Jenkins plugin reacts.

// machine is a MachineID as it is compared: the host name in lower case.
type machine struct{ hostname, ip string }

func machineOf(id mesos.MachineID) machine {
	return machine{strings.ToLower(id.GetHostname()), id.GetIP()}
}

func (m machine) id() mesos.MachineID {
	return mesos.MachineID{Hostname: &m.hostname, IP: &m.ip}
}

// String is the machine as the real master writes it into its complaints.
func (m machine) String() string { return fmt.Sprintf(`{"hostname":"%s","ip":"%s"}`, m.hostname, m.ip) }

func (a *agent) machine() machine { return machine{strings.ToLower(a.info.Hostname), a.ip} }

// unavailability is when the machine is in maintenance, nil when it is in no window.
func (c *core) unavailability(of machine) *mesos.Unavailability {
	for _, w := range c.schedule.Windows {
		for _, id := range w.MachineIDs {
			if machineOf(id) == of {
				return &w.Unavailability
			}
		}
	}
	return nil
}

// setSchedule replaces the schedule as a whole. It returns a refusal, empty when it was done.
func (c *core) setSchedule(schedule maintenance.Schedule) string {
	seen := map[machine]bool{}
	for _, w := range schedule.Windows {
		if len(w.MachineIDs) == 0 {
			return "List of machines in the maintenance window is empty"
		}
		if w.Unavailability.Duration != nil && w.Unavailability.Duration.Nanoseconds < 0 {
			return "Unavailability 'duration' is negative"
		}
		for i, id := range w.MachineIDs {
			one := machineOf(id)
			if one == (machine{}) {
				return "Both 'hostname' and 'ip' for a machine are empty"
			}
			if seen[one] {
				return fmt.Sprintf("Machine '%s' appears more than once in the schedule", one)
			}
			seen[one], w.MachineIDs[i] = true, one.id()
		}
	}
	for one := range c.down {
		if !seen[one] {
			return fmt.Sprintf("Machine '%s' is deactivated and cannot be removed from the schedule", one)
		}
	}
	old := c.schedule
	c.schedule = schedule
	for _, a := range c.agents {
		if inSchedule(old, a.machine()) || inSchedule(schedule, a.machine()) {
			c.dropOffers(a)
		}
	}
	c.allocate()
	return ""
}

func inSchedule(schedule maintenance.Schedule, one machine) bool {
	return slices.ContainsFunc(schedule.Windows, func(w maintenance.Window) bool {
		return slices.ContainsFunc(w.MachineIDs, func(id mesos.MachineID) bool { return machineOf(id) == one })
	})
}

// startMaintenance takes scheduled machines down: their agents are shut down and their tasks are lost.
func (c *core) startMaintenance(ids []mesos.MachineID) string {
	machines, refusal := c.listed(ids)
	for _, one := range machines {
		switch {
		case refusal != "":
		case !inSchedule(c.schedule, one):
			refusal = fmt.Sprintf("Machine '%s' is not part of a maintenance schedule", one)
		case c.down[one]:
			refusal = fmt.Sprintf("Machine '%s' is not in DRAINING mode and cannot be brought down", one)
		}
	}
	if refusal != "" {
		return refusal
	}
	for _, one := range machines {
		c.down[one] = true
		for _, a := range sortedAgents(c.agents) {
			if a.machine() == one {
				a.tell(wire.ToAgent{Shutdown: &wire.Shutdown{Message: "Operator initiated 'Machine DOWN'"}})
				c.removeAgent(a, "Operator initiated 'Machine DOWN'")
			}
		}
	}
	return ""
}

// stopMaintenance lets machines that are down in again and takes them out of the schedule.
func (c *core) stopMaintenance(ids []mesos.MachineID) string {
	machines, refusal := c.listed(ids)
	for _, one := range machines {
		switch {
		case refusal != "":
		case !inSchedule(c.schedule, one):
			refusal = fmt.Sprintf("Machine '%s' is not part of a maintenance schedule", one)
		case !c.down[one]:
			refusal = fmt.Sprintf("Machine '%s' is not in DOWN mode and cannot be brought up", one)
		}
	}
	if refusal != "" {
		return refusal
	}
	var left []maintenance.Window
	for _, w := range c.schedule.Windows {
		w.MachineIDs = slices.DeleteFunc(w.MachineIDs, func(id mesos.MachineID) bool { return slices.Contains(machines, machineOf(id)) })
		if len(w.MachineIDs) > 0 {
			left = append(left, w)
		}
	}
	c.schedule.Windows = left
	for _, one := range machines {
		delete(c.down, one)
	}
	return ""
}

func (c *core) listed(ids []mesos.MachineID) (machines []machine, refusal string) {
	if len(ids) == 0 {
		return nil, "List of machines is empty"
	}
	for _, id := range ids {
		one := machineOf(id)
		switch {
		case one == (machine{}):
			return nil, "Both 'hostname' and 'ip' for a machine are empty"
		case slices.Contains(machines, one):
			return nil, fmt.Sprintf("Machine '%s' appears more than once in the list of machines", one)
		}
		machines = append(machines, one)
	}
	return machines, ""
}

func (c *core) maintenanceStatus() maintenance.ClusterStatus {
	var out maintenance.ClusterStatus
	for _, w := range c.schedule.Windows {
		for _, id := range w.MachineIDs {
			if c.down[machineOf(id)] {
				out.DownMachines = append(out.DownMachines, id)
			} else {
				out.DrainingMachines = append(out.DrainingMachines, maintenance.ClusterStatus_DrainingMachine{ID: id})
			}
		}
	}
	return out
}

// changed answers a change by an operator, after it has been written to the registry.
func (s *server) changed(w http.ResponseWriter, change func() (refusal string)) {
	s.mu.Lock()
	refusal := change()
	doc := s.operatorDoc()
	s.mu.Unlock()
	if refusal != "" {
		answerText(w, http.StatusBadRequest, refusal)
		return
	}
	if err := s.registry.saveOperator(doc); err != nil {
		answerText(w, http.StatusInternalServerError, err.Error())
	}
}

func (s *server) maintenanceSchedule(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		s.mu.Lock()
		body := wire.EncodeJSON(&s.schedule)
		s.mu.Unlock()
		answerBody(w, r, typeJSON, body)
		return
	}
	var schedule maintenance.Schedule
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody))
	if err == nil {
		err = wire.DecodeJSON(body, "Schedule", &schedule)
	}
	if err != nil {
		answerText(w, http.StatusBadRequest, err.Error())
		return
	}
	s.changed(w, func() string { return s.setSchedule(schedule) })
}

func (s *server) getMaintenanceStatus(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	status := s.maintenanceStatus()
	body := wire.EncodeJSON(&status)
	s.mu.Unlock()
	answerBody(w, r, typeJSON, body)
}

// machines reads the list of machines of /machine/down and /machine/up.
func (s *server) machines(change func([]mesos.MachineID) string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var raw []json.RawMessage
		if err := json.NewDecoder(io.LimitReader(r.Body, maxBody)).Decode(&raw); err != nil {
			answerText(w, http.StatusBadRequest, "Failed to parse the list of machines: "+err.Error())
			return
		}
		ids := make([]mesos.MachineID, len(raw))
		for i := range raw {
			if err := wire.DecodeJSON(raw[i], "MachineID", &ids[i]); err != nil {
				answerText(w, http.StatusBadRequest, err.Error())
				return
			}
		}
		s.changed(w, func() string { return change(ids) })
	}
}

// operatorState is what operators have set, which outlives a change of the leader as the agents do. A drain that was not
// done then is only remembered as the end of offers.
type operatorState struct {
	Schedule    json.RawMessage   `json:"schedule"`
	Down        []mesos.MachineID `json:"down"`
	Deactivated []string          `json:"deactivated"`
}

func (c *core) operatorDoc() []byte {
	state := operatorState{Schedule: wire.EncodeJSON(&c.schedule), Down: []mesos.MachineID{}, Deactivated: []string{}}
	for one := range c.down {
		state.Down = append(state.Down, one.id())
	}
	for _, a := range c.agents {
		if a.deactivated {
			state.Deactivated = append(state.Deactivated, a.id)
		}
	}
	for id := range c.wasDeactivated {
		state.Deactivated = append(state.Deactivated, id)
	}
	data, err := json.Marshal(state)
	if err != nil {
		panic(fmt.Sprintf("what operators have set must marshal: %v", err)) // own values of text and numbers
	}
	return data
}

func (c *core) recoverOperator(doc []byte) error {
	if len(doc) == 0 {
		return nil
	}
	var state operatorState
	if err := json.Unmarshal(doc, &state); err != nil {
		return fmt.Errorf("read what operators have set: %w", err)
	}
	if err := wire.DecodeJSON(state.Schedule, "Schedule", &c.schedule); err != nil {
		return fmt.Errorf("read the maintenance schedule: %w", err)
	}
	for _, id := range state.Down {
		c.down[machineOf(id)] = true
	}
	for _, id := range state.Deactivated {
		c.wasDeactivated[id] = true
	}
	return nil
}

package master

import (
	"fmt"
	"net/http"
	"slices"
	"time"

	mesos "github.com/mesos/mesos-go/api/v1/lib"
	"github.com/mesos/mesos-go/api/v1/lib/master"
	"github.com/mesos/mesos-go/api/v1/lib/quota"

	"github.com/jomctl/jomctl/internal/standin/edition"
)

func (s *server) operator(w http.ResponseWriter, r *http.Request) {
	var c master.Call
	if !readCall(w, r, &c) {
		return
	}
	if why := invalidOperatorCall(&c); why != "" {
		answerText(w, http.StatusBadRequest, "Failed to validate master::Call: "+why)
		return
	}
	contentType := accepted(w, r)
	switch {
	case contentType == "":
	case c.Type == master.Call_SUBSCRIBE:
		s.operatorSubscribe(w, r, contentType)
	case s.operatorChange(w, &c):
	default:
		response := s.operatorGet(&c)
		if response == nil {
			answerText(w, http.StatusNotImplemented, fmt.Sprintf("The stand-in for mesos-master leaves out %s.", c.Type))
			return
		}
		s.mu.Lock()
		body := encoder(contentType)(response) // tasks and frameworks in it are the live ones
		s.mu.Unlock()
		answerBody(w, r, contentType, body)
	}
}

func (s *server) operatorSubscribe(w http.ResponseWriter, r *http.Request, contentType string) {
	sub := &subscriber{stream: newStream(), encode: encoder(contentType)}
	w.Header().Set("Content-Type", contentType)
	s.watch(sub)
	defer s.unwatch(sub)
	sub.serve(w, r)
}

// operatorChange does a call that changes something; it returns false for one that does not.
func (s *server) operatorChange(w http.ResponseWriter, c *master.Call) bool {
	var change func() (refusal string)
	switch c.Type {
	case master.Call_TEARDOWN:
		s.endFramework(w, c.Teardown.FrameworkID.Value)
		return true
	case master.Call_LIST_FILES:
		w.Header().Set("Content-Type", textPlain)
		w.WriteHeader(http.StatusNotFound)
		return true
	case master.Call_DRAIN_AGENT:
		var grace time.Duration
		if given := c.DrainAgent.MaxGracePeriod; given != nil {
			grace = time.Duration(given.Seconds)*time.Second + time.Duration(given.Nanos)
		}
		change = func() string {
			return s.startDrain(c.DrainAgent.AgentID.Value, grace, c.DrainAgent.GetMarkGone())
		}
	case master.Call_DEACTIVATE_AGENT:
		change = func() string { return s.deactivate(c.DeactivateAgent.AgentID.Value) }
	case master.Call_REACTIVATE_AGENT:
		change = func() string { return s.reactivate(c.ReactivateAgent.AgentID.Value) }
	case master.Call_MARK_AGENT_GONE:
		change = func() string {
			a := s.agents[c.MarkAgentGone.AgentID.Value]
			if a == nil {
				return "Unknown agent"
			}
			s.markGone(a)
			return ""
		}
	case master.Call_UPDATE_MAINTENANCE_SCHEDULE:
		change = func() string { return s.setSchedule(c.UpdateMaintenanceSchedule.Schedule) }
	case master.Call_START_MAINTENANCE:
		change = func() string { return s.startMaintenance(c.StartMaintenance.Machines) }
	case master.Call_STOP_MAINTENANCE:
		change = func() string { return s.stopMaintenance(c.StopMaintenance.Machines) }
	default:
		return false
	}
	s.changed(w, change)
	return true
}

// operatorGet is the answer to a call that asks, nil for one that is left out.
func (s *server) operatorGet(c *master.Call) *master.Response {
	out := &master.Response{}
	switch c.Type {
	case master.Call_GET_HEALTH:
		out.Type, out.GetHealth = master.Response_GET_HEALTH, &master.Response_GetHealth{Healthy: true}
	case master.Call_GET_FLAGS:
		out.Type, out.GetFlags = master.Response_GET_FLAGS, s.v1Flags()
	case master.Call_GET_VERSION:
		out.Type, out.GetVersion = master.Response_GET_VERSION, &master.Response_GetVersion{VersionInfo: mesos.VersionInfo{
			Version: edition.Version(recorded), BuildDate: ptr(buildDate), BuildTime: ptr(float64(buildTime)), BuildUser: ptr(buildUser), GitSHA: ptr(gitSHA),
		}}
	case master.Call_GET_METRICS:
		out.Type, out.GetMetrics = master.Response_GET_METRICS, s.v1Metrics()
	case master.Call_GET_LOGGING_LEVEL:
		out.Type, out.GetLoggingLevel = master.Response_GET_LOGGING_LEVEL, &master.Response_GetLoggingLevel{}
	case master.Call_GET_MASTER:
		_, elected, _ := s.standing()
		out.Type, out.GetMaster = master.Response_GET_MASTER, &master.Response_GetMaster{
			MasterInfo: &s.info, StartTime: ptr(seconds(s.started)), ElectedTime: ptr(seconds(elected)),
		}
	case master.Call_GET_OPERATIONS:
		out.Type, out.GetOperations = master.Response_GET_OPERATIONS, &master.Response_GetOperations{}
	case master.Call_GET_WEIGHTS:
		out.Type = master.Response_GET_WEIGHTS
	case master.Call_GET_QUOTA:
		out.Type, out.GetQuota = master.Response_GET_QUOTA, &master.Response_GetQuota{Status: quota.QuotaStatus{}}
	default:
		return s.operatorGetState(c, out)
	}
	return out
}

// operatorGetState is for the calls that show the cluster.
func (s *server) operatorGetState(c *master.Call, out *master.Response) *master.Response {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch c.Type {
	case master.Call_GET_MAINTENANCE_STATUS:
		out.Type, out.GetMaintenanceStatus = master.Response_GET_MAINTENANCE_STATUS, &master.Response_GetMaintenanceStatus{Status: s.maintenanceStatus()}
	case master.Call_GET_MAINTENANCE_SCHEDULE:
		out.Type, out.GetMaintenanceSchedule = master.Response_GET_MAINTENANCE_SCHEDULE, &master.Response_GetMaintenanceSchedule{Schedule: s.schedule}
	case master.Call_GET_STATE:
		out.Type, out.GetState = master.Response_GET_STATE, s.v1State()
	case master.Call_GET_AGENTS:
		out.Type, out.GetAgents = master.Response_GET_AGENTS, s.v1Agents()
	case master.Call_GET_FRAMEWORKS:
		out.Type, out.GetFrameworks = master.Response_GET_FRAMEWORKS, s.v1Frameworks()
	case master.Call_GET_TASKS:
		out.Type, out.GetTasks = master.Response_GET_TASKS, s.v1Tasks()
	case master.Call_GET_EXECUTORS:
		out.Type, out.GetExecutors = master.Response_GET_EXECUTORS, &master.Response_GetExecutors{Executors: []master.Response_GetExecutors_Executor{}}
	case master.Call_GET_ROLES:
		out.Type, out.GetRoles = master.Response_GET_ROLES, &master.Response_GetRoles{Roles: s.v1Roles()}
	default:
		return nil
	}
	return out
}

func (s *server) v1Flags() *master.Response_GetFlags {
	out := &master.Response_GetFlags{}
	for _, one := range s.flags.list {
		if one.set {
			out.Flags = append(out.Flags, mesos.Flag{Name: one.name, Value: ptr(one.value)})
		}
	}
	return out
}

func (s *server) v1Metrics() *master.Response_GetMetrics {
	out := &master.Response_GetMetrics{}
	all := s.allMetrics()
	for _, name := range keysOfMap(all) {
		out.Metrics = append(out.Metrics, mesos.Metric{Name: name, Value: ptr(all[name])})
	}
	return out
}

func (c *core) v1Roles() []mesos.Role {
	sums, frameworks := map[string]bag{}, map[string][]mesos.FrameworkID{}
	for _, fw := range sortedFrameworks(c.frameworks) {
		for _, role := range fw.roles() {
			addTo(sums, role, bag{})
			frameworks[role] = append(frameworks[role], mesos.FrameworkID{Value: fw.id})
		}
		for _, t := range fw.tasks {
			if t.counted {
				addTo(sums, t.role(), t.amount)
			}
		}
		for _, o := range fw.offers {
			addTo(sums, o.role, o.amount)
		}
	}
	var out []mesos.Role
	for _, role := range keysOfMap(sums) {
		resources := slices.DeleteFunc(sums[role].list(""), func(r mesos.Resource) bool { return r.GetType() != mesos.SCALAR })
		for i := range resources {
			resources[i].Role = nil
		}
		out = append(out, mesos.Role{Name: role, Weight: 1, Frameworks: frameworks[role], Resources: nilIfEmpty(resources)})
	}
	return out
}

// invalidOperatorCall is the real master's complaint about the shape of a call, empty when it has none.
func invalidOperatorCall(c *master.Call) string {
	if c.Type == master.Call_UNKNOWN {
		return "Expecting 'type' to be present"
	}
	missing := map[master.Call_Type]bool{
		master.Call_GET_METRICS: c.GetMetrics == nil, master.Call_SET_LOGGING_LEVEL: c.SetLoggingLevel == nil, master.Call_LIST_FILES: c.ListFiles == nil,
		master.Call_READ_FILE: c.ReadFile == nil, master.Call_TEARDOWN: c.Teardown == nil, master.Call_DRAIN_AGENT: c.DrainAgent == nil,
		master.Call_DEACTIVATE_AGENT: c.DeactivateAgent == nil, master.Call_REACTIVATE_AGENT: c.ReactivateAgent == nil, master.Call_MARK_AGENT_GONE: c.MarkAgentGone == nil,
		master.Call_UPDATE_MAINTENANCE_SCHEDULE: c.UpdateMaintenanceSchedule == nil, master.Call_START_MAINTENANCE: c.StartMaintenance == nil,
		master.Call_STOP_MAINTENANCE: c.StopMaintenance == nil,
	}
	if missing[c.Type] {
		return fmt.Sprintf("Expecting '%s' to be present", lower(c.Type.String()))
	}
	return ""
}

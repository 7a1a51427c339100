package master

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/google/uuid"

	mesos "github.com/mesos/mesos-go/api/v1/lib"
	"github.com/mesos/mesos-go/api/v1/lib/scheduler"

	"github.com/jomctl/jomctl/internal/standin/mesos/wire"
)

// heartbeatInterval is what the real master announces and keeps.
const heartbeatInterval = 15 * time.Second

// maxFailover is the longest failover_timeout in seconds that the real master can count (nanoseconds in 64 bits).
const maxFailover = 9223372036

// validate returns what the real master answers to a framework that it does not accept, empty for one that it does.
func (c *core) validate(info *mesos.FrameworkInfo) string {
	multiRole := false
	for _, capability := range info.Capabilities {
		multiRole = multiRole || capability.Type == mesos.FrameworkInfo_Capability_MULTI_ROLE
	}
	switch {
	case multiRole && info.Role != nil:
		return "'FrameworkInfo.role' must not be set when the framework is MULTI_ROLE capable"
	case !multiRole && len(info.Roles) > 0:
		return "'FrameworkInfo.roles' must not be set when the framework is not MULTI_ROLE capable"
	case !(math.Abs(info.GetFailoverTimeout()) <= maxFailover): // also not a number
		return fmt.Sprintf("The framework failover_timeout (%g) is invalid", info.GetFailoverTimeout())
	}
	seen := map[string]bool{}
	for _, role := range info.Roles {
		if seen[role] {
			return fmt.Sprintf("'FrameworkInfo.roles' contains duplicate items: { %s }", role)
		}
		seen[role] = true
		if why := badRole(role); why != "" {
			return "'FrameworkInfo.roles' contains invalid role: " + why
		}
	}
	if info.Role != nil {
		if why := badRole(*info.Role); why != "" {
			return "'FrameworkInfo.role' is not a valid role: " + why
		}
		seen[*info.Role] = true
	}
	for role := range seen {
		if len(c.set.roles) > 0 && role != anyRole && !contains(c.set.roles, role) {
			return fmt.Sprintf("Role '%s' is not present in the master's --roles", role)
		}
	}
	return ""
}

func badRole(role string) string {
	if role == anyRole {
		return ""
	}
	if role == "" {
		return "Empty role name is invalid"
	}
	if strings.HasPrefix(role, "/") || strings.HasSuffix(role, "/") {
		return fmt.Sprintf("Role '%s' cannot start or end with a slash", role)
	}
	for _, part := range strings.Split(role, "/") {
		switch {
		case part == "":
			return fmt.Sprintf("Role '%s' cannot contain two adjacent slashes", role)
		case part == "." || part == "..":
			return fmt.Sprintf("Role component '%s' is invalid", part)
		case strings.HasPrefix(part, "-"):
			return fmt.Sprintf("Role component '%s' is invalid because it starts with a dash", part)
		case strings.ContainsAny(part, "*\b\t\n\v\f\r "):
			return fmt.Sprintf("Role component '%s' is invalid because it contains slashes, stars or whitespace", part)
		}
	}
	return ""
}

func contains(list []string, item string) bool {
	for _, one := range list {
		if one == item {
			return true
		}
	}
	return false
}

// otherPrincipal is why a framework is refused for good, also one that only agents have named so far.
const otherPrincipal = "Changing framework's principal is not allowed."

// subscribe takes a framework in, on a new stream. A framework that is refused gets an ERROR event and the end of its
// stream; the framework returned is nil then.
func (c *core) subscribe(call *scheduler.Call_Subscribe, sub *subscriber, streamID string) *framework {
	c.mu.Lock()
	defer c.mu.Unlock()
	info := *call.FrameworkInfo
	id := info.GetID().GetValue()
	refuse := c.validate(&info)
	fw := c.frameworks[id]
	switch {
	case refuse != "":
	case c.isCompleted(id):
		refuse = "Framework has been removed"
	case fw != nil && fw.info.GetPrincipal() != info.GetPrincipal():
		refuse = otherPrincipal
	}
	if refuse != "" {
		sub.event(&scheduler.Event{Type: scheduler.Event_ERROR, Error: &scheduler.Event_Error{Message: refuse}})
		sub.end()
		return nil
	}
	if fw == nil {
		fw = c.newFramework(info)
		fw.registered = time.Now()
		if id != "" {
			fw.again = fw.registered
		}
	} else {
		c.resubscribe(fw, info)
	}
	c.counters["master/messages_register_framework"]++
	fw.sub, fw.streamID, fw.active, fw.recovered = sub, streamID, true, false
	fw.suppressed = setOf(call.SuppressedRoles)
	fw.event(&scheduler.Event{Type: scheduler.Event_SUBSCRIBED, Subscribed: &scheduler.Event_Subscribed{
		FrameworkID: &mesos.FrameworkID{Value: fw.id}, HeartbeatIntervalSeconds: ptr(heartbeatInterval.Seconds()), MasterInfo: &c.info,
	}})
	fw.event(&scheduler.Event{Type: scheduler.Event_HEARTBEAT})
	for _, t := range fw.tasks {
		if t.unacked != nil {
			c.sendUpdate(fw, *t.unacked)
		}
	}
	if id == "" || fw.again.Equal(fw.registered) {
		c.tellOperators(frameworkAdded(fw))
	} else {
		c.tellOperators(frameworkUpdated(fw))
		c.tellAgents(fw)
	}
	c.log("Subscribed framework %s (%s)", fw.id, fw.info.Name)
	c.allocate()
	return fw
}

func (c *core) newFramework(info mesos.FrameworkInfo) *framework {
	if info.GetID().GetValue() == "" {
		info.ID = &mesos.FrameworkID{Value: fmt.Sprintf("%s-%04d", c.info.ID, c.nextFramework)}
		c.nextFramework++
	}
	fw := &framework{
		info: info, id: info.ID.Value, tasks: map[string]*task{}, suppressed: map[string]bool{},
		offers: map[string]*offer{}, used: bag{}, offered: bag{}, counters: map[string]float64{},
	}
	c.frameworks[fw.id] = fw
	return fw
}

// resubscribe takes over a framework that is known. What the real master keeps as first given, user and checkpoint, stays.
func (c *core) resubscribe(fw *framework, info mesos.FrameworkInfo) {
	if fw.sub != nil {
		fw.event(&scheduler.Event{Type: scheduler.Event_ERROR, Error: &scheduler.Event_Error{Message: "Framework failed over"}})
		fw.sub.end()
		fw.sub = nil
	}
	c.withdraw(fw)
	if fw.failover != nil {
		fw.failover.Stop()
		fw.failover = nil
	}
	if !fw.recovered {
		info.User, info.Checkpoint = fw.info.User, fw.info.Checkpoint
	}
	fw.info, fw.filters = info, nil
	if fw.registered.IsZero() {
		fw.registered = time.Now()
	}
	fw.again = time.Now()
	c.counters["master/messages_reregister_framework"]++
}

// updateFramework changes a subscribed framework's description. It returns the refusal, empty when it is done.
func (c *core) updateFramework(fw *framework, call *scheduler.Call_UpdateFramework) string {
	info := call.FrameworkInfo
	switch why := c.validate(&info); {
	case why != "":
		return why
	case info.GetPrincipal() != fw.info.GetPrincipal():
		return otherPrincipal
	case info.User != fw.info.User:
		return "Updating 'FrameworkInfo.user' is unsupported"
	case info.GetCheckpoint() != fw.info.GetCheckpoint():
		return "Updating 'FrameworkInfo.checkpoint' is unsupported"
	}
	fw.info, fw.suppressed = info, setOf(call.SuppressedRoles)
	for _, o := range fw.offers {
		if !contains(fw.roles(), o.role) {
			c.rescind(o)
		}
	}
	c.tellOperators(frameworkUpdated(fw))
	c.tellAgents(fw)
	c.allocate()
	return ""
}

func (c *core) tellAgents(fw *framework) {
	told := map[string]bool{}
	for _, t := range fw.tasks {
		if a := c.agents[t.AgentID.Value]; a != nil && !told[a.id] {
			told[a.id] = true
			a.tell(wire.ToAgent{FrameworkUpdate: &wire.FrameworkUpdate{Framework: fw.info}})
		}
	}
}

// recoverFramework makes a framework known that only agents have named so far. Its failover time does not begin before
// the time that agents have to come back, else a change of leader would end tasks of frameworks without one.
func (c *core) recoverFramework(info mesos.FrameworkInfo) *framework {
	fw := c.newFramework(info)
	fw.recovered = true
	wait := max(failoverTimeout(fw), c.set.reregisterTimeout)
	fw.failover = time.AfterFunc(wait, func() { c.failoverOver(fw, nil) })
	c.log("Recovered framework %s (%s) from an agent", fw.id, fw.info.Name)
	return fw
}

func failoverTimeout(fw *framework) time.Duration {
	return time.Duration(max(0, fw.info.GetFailoverTimeout()) * float64(time.Second))
}

// unsubscribe is called when a framework's stream has ended; it keeps its tasks for failover_timeout.
func (c *core) unsubscribe(fw *framework, sub *subscriber) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if fw.sub != sub || c.frameworks[fw.id] != fw {
		return
	}
	fw.sub, fw.active, fw.streamID = nil, false, ""
	c.withdraw(fw)
	c.log("Framework %s disconnected, failover timeout %s", fw.id, failoverTimeout(fw))
	c.tellOperators(frameworkUpdated(fw))
	wait := failoverTimeout(fw)
	if wait == 0 {
		c.removeFramework(fw)
		return
	}
	fw.failover = time.AfterFunc(wait, func() { c.failoverOver(fw, nil) })
}

func (c *core) failoverOver(fw *framework, sub *subscriber) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.frameworks[fw.id] == fw && fw.sub == sub {
		c.removeFramework(fw)
	}
}

// removeFramework ends the framework and all its tasks for good.
func (c *core) removeFramework(fw *framework) {
	c.log("Removing framework %s (%s)", fw.id, fw.info.Name)
	c.withdraw(fw)
	for _, a := range c.agents {
		for t := range a.tasks {
			if t.fw == fw {
				a.tell(wire.ToAgent{FrameworkShutdown: &wire.FrameworkShutdown{FrameworkID: mesos.FrameworkID{Value: fw.id}}})
				break
			}
		}
	}
	for _, t := range fw.tasks {
		if !terminal(t.GetState()) {
			t.State = ptr(mesos.TASK_KILLED)
			c.note(t, statusOf(t, mesos.TASK_KILLED, mesos.SOURCE_MASTER, mesos.REASON_FRAMEWORK_REMOVED, "Framework "+fw.id+" removed"))
		}
		c.finishTask(t)
	}
	if fw.failover != nil {
		fw.failover.Stop()
	}
	if fw.sub != nil {
		fw.sub.end()
	}
	fw.sub, fw.active, fw.recovered, fw.ended = nil, false, false, time.Now()
	delete(c.frameworks, fw.id)
	c.completed = keepLast(append(c.completed, fw), c.set.completedFrames)
	c.tellOperators(frameworkRemoved(fw))
}

func (c *core) isCompleted(id string) bool {
	for _, fw := range c.completed {
		if fw.id == id {
			return true
		}
	}
	return false
}

func setOf(list []string) map[string]bool {
	set := make(map[string]bool, len(list))
	for _, one := range list {
		set[one] = true
	}
	return set
}

func newStreamID() string { return uuid.NewString() }

package core

import (
	"fmt"
	"sort"
	"strconv"
	"strings"

	mesos "github.com/mesos/mesos-go/api/v1/lib"

	"github.com/jomctl/jomctl/internal/standin/marathon/spec"
)

func taskID(i *Instance) string { return fmt.Sprintf("%s._app.%d", i.ID, i.Incarnation) }

// hostname turns /a/b into b.a, the name of tasks and of their discovery entry.
func hostname(id string) string {
	parts := strings.Split(strings.Trim(id, "/"), "/")
	for a, b := 0, len(parts)-1; a < b; a, b = a+1, b-1 {
		parts[a], parts[b] = parts[b], parts[a]
	}
	return strings.Join(parts, ".")
}

func ptr[T any](v T) *T { return &v }

func buildTask(app *spec.App, i *Instance, t taken, prefix string) mesos.TaskInfo {
	task := mesos.TaskInfo{Name: hostname(app.ID), TaskID: mesos.TaskID{Value: i.TaskID}, AgentID: mesos.AgentID{Value: i.AgentID}, Resources: t.resources,
		Command: command(app, i, t, prefix), Container: container(app, t), Discovery: discovery(app, t), Labels: labels(app.Labels)}
	if h := app.MesosHealthCheck(); h != nil {
		task.HealthCheck = healthCheck(app, h, t)
	}
	if grace := app.TaskKillGracePeriodSeconds; grace != nil {
		task.KillPolicy = &mesos.KillPolicy{GracePeriod: &mesos.DurationInfo{Nanoseconds: int64(*grace) * 1e9}}
	}
	for name, limit := range app.ResourceLimits {
		if task.Limits == nil {
			task.Limits = map[string]mesos.Value_Scalar{}
		}
		value := float64(limit.Number)
		if limit.Word != "" {
			value = infinity()
		}
		task.Limits[name] = mesos.Value_Scalar{Value: value}
	}
	return task
}

func labels(in map[string]string) *mesos.Labels {
	if len(in) == 0 {
		return nil
	}
	out := &mesos.Labels{}
	for _, key := range sortedKeys(in) {
		out.Labels = append(out.Labels, mesos.Label{Key: key, Value: ptr(in[key])})
	}
	return out
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	sort.Strings(keys)
	return keys
}

func command(app *spec.App, i *Instance, t taken, prefix string) *mesos.CommandInfo {
	out := &mesos.CommandInfo{Shell: ptr(app.Cmd != nil), Environment: &mesos.Environment{}}
	switch {
	case app.Cmd != nil:
		out.Value = app.Cmd
	case len(app.Args) > 0:
		out.Arguments = app.Args
		if app.Container == nil {
			out.Value = ptr(app.Args[0])
		}
	}
	if app.User != nil {
		out.User = app.User
	}
	for _, f := range app.Fetch {
		out.URIs = append(out.URIs, mesos.CommandInfo_URI{Value: f.URI, Executable: ptr(f.Executable), Extract: ptr(f.Extract), Cache: ptr(f.Cache), OutputFile: f.DestPath})
	}
	env := environment(app, i, t, prefix)
	for _, key := range sortedKeys(env) {
		out.Environment.Variables = append(out.Environment.Variables, mesos.Environment_Variable{Name: key, Value: ptr(env[key])})
	}
	return out
}

// environment is the app's own environment and, above it, what Marathon sets.
func environment(app *spec.App, i *Instance, t taken, prefix string) map[string]string {
	env := map[string]string{}
	for key, value := range app.Env {
		env[key] = value
	}
	decimal := func(f spec.Float) string { b, _ := f.MarshalJSON(); return string(b) }
	env["MARATHON_APP_ID"], env["MARATHON_APP_VERSION"], env["MESOS_TASK_ID"] = app.ID, i.Version, i.TaskID
	env["MARATHON_APP_RESOURCE_CPUS"], env["MARATHON_APP_RESOURCE_MEM"] = decimal(app.Cpus), decimal(app.Mem)
	env["MARATHON_APP_RESOURCE_DISK"], env["MARATHON_APP_RESOURCE_GPUS"] = decimal(app.Disk), strconv.Itoa(app.Gpus)
	env["MARATHON_APP_ENFORCE_GROUP_ROLE"] = "FALSE"
	if app.Container != nil && app.Container.Docker != nil {
		env["MARATHON_APP_DOCKER_IMAGE"] = app.Container.Docker.Image
	}
	var names []string
	for _, key := range sortedKeys(app.Labels) {
		if len(app.Labels[key]) > 512 || len(key) > 512 {
			continue
		}
		name := upperName(key)
		names = append(names, name)
		env["MARATHON_APP_LABEL_"+name] = app.Labels[key]
	}
	env["MARATHON_APP_LABELS"] = strings.Join(names, " ")
	env[prefix+"HOST"] = i.Host
	portEnvironment(env, app, t, prefix)
	return env
}

func upperName(s string) string {
	return strings.Map(func(r rune) rune {
		if (r >= 'A' && r <= 'Z') || (r >= '0' && r <= '9') || r == '_' {
			return r
		}
		return '_'
	}, strings.ToUpper(s))
}

func portEnvironment(env map[string]string, app *spec.App, t taken, prefix string) {
	if len(t.allPorts) == 0 {
		return
	}
	var all []string
	for n, port := range t.allPorts {
		text := strconv.Itoa(port)
		all = append(all, text)
		env[fmt.Sprintf("%sPORT%d", prefix, n)] = text
		number, name := requested(app, n)
		if number == 0 {
			number = port
		}
		env[fmt.Sprintf("%sPORT_%d", prefix, number)] = text
		if name != "" {
			env[prefix+"PORT_"+upperName(name)] = text
		}
	}
	env[prefix+"PORT"], env[prefix+"PORTS"] = all[0], strings.Join(all, ",")
}

func requested(app *spec.App, n int) (number int, name string) {
	if app.PortDefinitions != nil {
		p := (*app.PortDefinitions)[n]
		return p.Port, p.Name
	}
	m := (*app.Container.PortMappings)[n]
	return m.ContainerPort, m.Name
}

func discovery(app *spec.App, t taken) *mesos.DiscoveryInfo {
	d := &mesos.DiscoveryInfo{Visibility: mesos.FRAMEWORK, Name: ptr(hostname(app.ID)), Ports: &mesos.Ports{}}
	for n, port := range t.allPorts {
		_, name := requested(app, n)
		protocols, portLabels := "tcp", map[string]string(nil)
		if app.PortDefinitions != nil {
			protocols, portLabels = (*app.PortDefinitions)[n].Protocol, (*app.PortDefinitions)[n].Labels
		} else {
			protocols, portLabels = (*app.Container.PortMappings)[n].Protocol, (*app.Container.PortMappings)[n].Labels
		}
		for _, protocol := range strings.Split(protocols, ",") {
			entry := mesos.Port{Number: uint32(port), Protocol: ptr(protocol), Labels: labels(portLabels)}
			if name != "" {
				entry.Name = ptr(name)
			}
			d.Ports.Ports = append(d.Ports.Ports, entry)
		}
	}
	return d
}

func healthCheck(app *spec.App, h *spec.HealthCheck, t taken) *mesos.HealthCheck {
	out := &mesos.HealthCheck{DelaySeconds: ptr(float64(h.DelaySeconds)), IntervalSeconds: ptr(float64(h.IntervalSeconds)), TimeoutSeconds: ptr(float64(h.TimeoutSeconds)),
		GracePeriodSeconds: ptr(float64(h.GracePeriodSeconds)), ConsecutiveFailures: ptr(uint32(h.MaxConsecutiveFailures))}
	port := checkPort(app, h, t.allPorts)
	if !app.HostMode() && h.Port == nil && app.Container != nil && app.Container.PortMappings != nil {
		// The executor asks inside the container's network.
		index := 0
		if h.PortIndex != nil {
			index = *h.PortIndex
		}
		if m := (*app.Container.PortMappings)[index]; m.ContainerPort != 0 {
			port = m.ContainerPort
		}
	}
	switch h.Protocol {
	case "COMMAND":
		out.Type = mesos.HealthCheck_COMMAND
		out.Command = &mesos.CommandInfo{Shell: ptr(true), Value: ptr(h.Command.Value)}
	case "MESOS_TCP":
		out.Type = mesos.HealthCheck_TCP
		out.TCP = &mesos.HealthCheck_TCPCheckInfo{Port: uint32(port)}
	default:
		out.Type = mesos.HealthCheck_HTTP
		path := "/"
		if h.Path != nil {
			path = *h.Path
		}
		out.HTTP = &mesos.HealthCheck_HTTPCheckInfo{Scheme: ptr(strings.ToLower(strings.TrimPrefix(h.Protocol, "MESOS_"))), Port: uint32(port), Path: ptr(path)}
	}
	return out
}

// checkPort is the port that a check asks: its own number or the task's port at its index (0 if it names none).
func checkPort(app *spec.App, h *spec.HealthCheck, ports []int) int {
	if h.Port != nil {
		return *h.Port
	}
	index := 0
	if h.PortIndex != nil {
		index = *h.PortIndex
	}
	if index < len(ports) {
		return ports[index]
	}
	return 0
}

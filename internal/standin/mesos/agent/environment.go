package agent

import (
	"encoding/json"
	"os"
	"sort"
	"strings"
	"time"
)

const (
	defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
	// executorGap is what an executor gets on top of its task's grace.
	executorGap = 2 * time.Second
)

// environment is what an executor, and so its task, sees: nothing of the agent's own but what
// --executor_environment_variables gives, Mesos' variables, and the command's, which win.
func (a *Agent) environment(t *task) []string {
	env := map[string]string{"PATH": defaultPath}
	for name, value := range a.cfg.executorEnv {
		env[name] = value
	}
	grace := a.cfg.shutdownGrace
	if policy := t.info.KillPolicy; policy != nil && policy.GracePeriod != nil {
		grace = time.Duration(policy.GracePeriod.Nanoseconds) + executorGap
	}
	env["LIBPROCESS_IP"], env["LIBPROCESS_PORT"] = a.cfg.advertised, "0"
	env["MESOS_AGENT_ENDPOINT"] = a.cfg.endpoint()
	env["MESOS_SLAVE_PID"] = "slave(1)@" + a.cfg.endpoint()
	env["MESOS_SLAVE_ID"] = a.agentID()
	env["MESOS_FRAMEWORK_ID"] = t.owner.ID.GetValue()
	env["MESOS_EXECUTOR_ID"] = t.id()
	env["MESOS_DIRECTORY"], env["MESOS_SANDBOX"] = t.sandbox, t.sandbox
	env["MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD"] = formatDuration(grace)
	env["MESOS_HTTP_COMMAND_EXECUTOR"] = "0"
	env["MESOS_CHECKPOINT"] = "0"
	if checkpoints(t.owner) {
		env["MESOS_CHECKPOINT"] = "1"
		env["MESOS_RECOVERY_TIMEOUT"] = formatDuration(a.cfg.recoveryTimeout)
		env["MESOS_SUBSCRIPTION_BACKOFF_MAX"] = formatDuration(a.cfg.reregistrationTimeout)
	}
	for _, one := range t.info.Resources {
		if one.AllocationInfo != nil && one.AllocationInfo.Role != nil {
			env["MESOS_ALLOCATION_ROLE"] = *one.AllocationInfo.Role
		}
	}
	if command := t.info.Command; command.Environment != nil {
		for _, one := range command.Environment.Variables {
			if one.Value != nil {
				env[one.Name] = *one.Value
			}
		}
	}
	list := make([]string, 0, len(env))
	for name, value := range env {
		list = append(list, name+"="+value)
	}
	sort.Strings(list)
	return list
}

func (a *Agent) agentID() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.info.ID.GetValue()
}

// parseExecutorEnvironment reads the flag: a JSON object, or a file (path, or file:///path) with one.
func parseExecutorEnvironment(text string) (map[string]string, error) {
	if strings.HasPrefix(text, "file://") || strings.HasPrefix(text, "/") {
		content, err := os.ReadFile(strings.TrimPrefix(text, "file://"))
		if err != nil {
			return nil, words("Error reading file '%s': %w", text, err)
		}
		text = string(content)
	}
	var raw map[string]any
	if err := json.Unmarshal([]byte(text), &raw); err != nil {
		return nil, words("Failed to load flag 'executor_environment_variables': Failed to load value '%s': syntax error: %w", text, err)
	}
	env := map[string]string{}
	for name, value := range raw {
		word, ok := value.(string)
		if !ok {
			return nil, words("Failed to load flag 'executor_environment_variables': `executor_environment_variables` must only contain string values")
		}
		env[name] = word
	}
	return env, nil
}

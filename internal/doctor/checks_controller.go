package doctor

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jomctl/jomctl/internal/cluster"
	"github.com/jomctl/jomctl/internal/jenkins"
	"github.com/jomctl/jomctl/internal/status"
)

// causes are what the sandbox of a task that failed tells.
func causes() []trouble {
	return append(troubles(
		[3]string{`Running with Java \d+.*older than the minimum|UnsupportedClassVersionError|more recent version of the Java`, "it runs with a Java that is too old",
			"tasks do not inherit the Mesos agent's PATH: give the agents --executor_environment_variables with the right PATH, or name java absolutely in the command"},
		[3]string{`java: (command )?not found|exec: "?java"?: |No such file or directory.*java`, "it finds no Java", "put Java into the image, or give the agents --executor_environment_variables with a PATH that has it"},
		[3]string{`OutOfMemoryError|Memory limit exceeded|oom|Killed process`, "it had too little memory", "give the app or the template more memory; the JVM needs about a quarter more than its heap"},
		[3]string{`Failed to fetch|HTTP (4|5)\d\d.*\.jar|Unable to access jarfile`, "it could not fetch what it starts from", "look whether the Mesos agent reaches the URL that the line names; Jenkins' own URL must be the one that agents reach"},
		[3]string{`port \d+ is not reachable|not accepting the JNLP|provided port:\d+ is not reachable|tcpSlaveAgentListener/ (is invalid|appears to be publishing)`, "it does not reach the controller's agent port",
			"open the agent port from every Mesos agent to the host of the controller, and fix it in Jenkins"},
		[3]string{`403 Forbidden|401 Unauthorized|Incorrect (acknowledgement|secret)|Unauthorized`, "the controller refuses it", "the node may be gone from Jenkins, or its secret is of an earlier home"},
		[3]string{`Address already in use|BindException`, "its port is in use", "see who has it on that host: `ss -ltnp`; an older task may still live"},
	), symptoms()...)
}

// diagnose names the cause and the fix, both empty when nothing is known.
func diagnose(text string) (cause, fix string) {
	for _, one := range causes() {
		if one.pattern.MatchString(text) {
			return one.problem, one.fix
		}
	}
	return "", ""
}

const (
	sandboxBytes = 8 << 10
	sandboxLines = 8
)

// sandbox is the end of what a task wrote.
func (f *facts) sandbox(ctx context.Context, task string) (text string, evidence []string, err error) {
	var faults []error
	for _, file := range []string{"stderr", "stdout"} {
		log, err := f.in.Mesos.TaskLog(ctx, task, file, sandboxBytes)
		faults = append(faults, could(file+" of task "+task, err))
		text += log + "\n"
		for _, line := range lastLines(log, sandboxLines) {
			evidence = append(evidence, file+": "+line)
		}
	}
	return text, evidence, joined(faults)
}

// recent says that a moment of RFC 3339 is less than this ago.
const recent = 15 * time.Minute

func checkControllerTask(ctx context.Context, f *facts) ([]Finding, error) {
	app, err := f.app()
	if errors.Is(err, cluster.ErrNotFound) {
		return nil, nil // status says so
	}
	if err != nil {
		return nil, could("the tasks of the controller", err)
	}
	failure := app.LastFailure
	if failure == nil {
		return nil, nil
	}
	if at, err := time.Parse(time.RFC3339, failure.Timestamp); len(app.Current()) > 0 && err == nil && time.Since(at) > recent {
		return nil, nil // it has long been replaced
	}
	text, evidence, err := f.sandbox(ctx, failure.TaskID)
	cause, fix := diagnose(failure.Message + "\n" + text)
	problem := fmt.Sprintf("its last task ended on %s at %s with %s", f.hostName(failure.Host), failure.Timestamp, failure.State)
	for _, part := range []string{failure.Message, cause} {
		if part != "" {
			problem += ": " + part
		}
	}
	if fix == "" {
		fix = "read what it wrote last, shown here"
	}
	severity := status.Error
	if len(app.Current()) > 0 {
		severity = status.Warning
	}
	return []Finding{finding(severity, "controller", problem, fix, evidence...)}, err
}

// slowDeployment is how long a deployment may take before what it waits for is a finding.
const slowDeployment = 2 * time.Minute

func checkDeployment(ctx context.Context, f *facts) ([]Finding, error) {
	all, err := f.in.Marathon.Deployments(ctx)
	if err != nil {
		return nil, could("the deployments", err)
	}
	var found []Finding
	var faults []error
	for _, one := range all {
		if begun, err := time.Parse(time.RFC3339, one.Version); err == nil && time.Since(begun) < slowDeployment {
			continue // it is on its way
		}
		var why []string
		for _, id := range one.Apps {
			reason, err := f.in.Marathon.Waiting(ctx, id)
			if err != nil && !errors.Is(err, cluster.ErrNotFound) {
				faults = append(faults, could("what "+id+" waits for", err))
			}
			if reason != "" {
				why = append(why, id+": "+reason)
			}
		}
		if len(why) == 0 {
			continue // it is about to end
		}
		found = append(found, finding(status.Warning, "deployment "+one.ID, strings.Join(why, "; "),
			"give it what it lacks, or undo it: DELETE /v2/deployments/"+one.ID+" starts a rollback, which needs the old version to start; with ?force=true it is only forgotten",
			fmt.Sprintf("step %d of %d, version %s, doing %s", one.Step, one.Steps, one.Version, strings.Join(one.Doing, ", "))))
	}
	return found, joined(faults)
}

func checkAgentPort(ctx context.Context, f *facts) ([]Finding, error) {
	if state := f.in.Jenkins.State(ctx); state.Phase != jenkins.PhaseUp {
		return nil, fmt.Errorf("the agent port, because: the controller does not serve (%s)", state.Phase)
	}
	port, err := f.in.Jenkins.AgentListener(ctx)
	if err != nil || port == 0 {
		return nil, nil // status says that there is none
	}
	app, err := f.app()
	if err != nil {
		return nil, could("on which host the agent port is", err)
	}
	var found []Finding
	for _, task := range app.Current() {
		addr := net.JoinHostPort(task.Host, strconv.Itoa(port))
		if err := f.in.Dial(ctx, addr); err != nil {
			found = append(found, finding(status.Error, "controller", fmt.Sprintf("announces agent port %d, and nobody answers at %s: every build agent that is launched ends without a build", port, addr),
				"open the port between the hosts; where it is open, restart the controller: a process that held the port at its start keeps it away for good",
				fmt.Sprintf("X-Jenkins-JNLP-Port: %d", port), err.Error()))
		}
		if want := f.in.Cluster.Jenkins.App.AgentPort; want != 0 && want != port {
			found = append(found, finding(status.Warning, "controller", fmt.Sprintf("has agent port %d, and the cluster file says %d", port, want),
				"set the fixed agent port in Jenkins' security settings, or in the file", fmt.Sprintf("X-Jenkins-JNLP-Port: %d", port)))
		}
	}
	return found, nil
}

const (
	stormTasks = 5
	stormTime  = 10 * time.Minute
)

// checkStorm finds build agents that fail again and again: the plugin launches another one for as long as a build waits.
func checkStorm(ctx context.Context, f *facts) ([]Finding, error) {
	state, err := f.state()
	if err != nil {
		return nil, could("the build agents", err)
	}
	framework, known := state.Framework(f.in.Framework)
	if !known {
		return nil, nil
	}
	var failed []cluster.Task
	for _, task := range framework.Completed {
		bad := slices.Contains([]string{"TASK_FAILED", "TASK_ERROR", "TASK_LOST", "TASK_DROPPED"}, task.State)
		if bad && time.Since(time.Unix(int64(task.Since), 0)) < stormTime {
			failed = append(failed, task)
		}
	}
	if len(failed) < stormTasks {
		return nil, nil
	}
	last := slices.MaxFunc(failed, func(a, b cluster.Task) int { return int(a.Since - b.Since) })
	text, evidence, err := f.sandbox(ctx, last.ID)
	cause, fix := diagnose(text)
	problem := fmt.Sprintf("%d build agents have failed within %.0f minutes", len(failed), stormTime.Minutes())
	if cause != "" {
		problem += ", the last one because " + cause
	}
	if fix == "" {
		fix = "read what the last one wrote"
	}
	return []Finding{finding(status.Error, "build agents of "+framework.Name, problem,
		fix+"; until then put Jenkins into quiet mode, as another agent is launched for as long as a build waits", append([]string{"task " + last.ID + " on " + last.Host}, evidence...)...)}, err
}

// checkOfflineNodes finds nodes of Jenkins that have no task in Mesos any more.
func checkOfflineNodes(ctx context.Context, f *facts) ([]Finding, error) {
	if f.in.JenkinsError != nil {
		return nil, could("the nodes of Jenkins", f.in.JenkinsError)
	}
	nodes, err := f.in.Jenkins.Nodes(ctx)
	if err != nil {
		return nil, could("the nodes of Jenkins", err)
	}
	state, err := f.state()
	if err != nil {
		return nil, could("which nodes of Jenkins have a task", err)
	}
	tasks := map[string]bool{}
	for _, framework := range state.Frameworks {
		for _, task := range framework.Tasks {
			tasks[task.ID], tasks[task.Name] = true, true
		}
	}
	var left []string
	for _, node := range nodes {
		if node.Inbound && node.Offline && !tasks[node.Name] {
			left = append(left, clip(strings.TrimSuffix(node.Name+": "+node.Reason, ": ")))
		}
	}
	if len(left) == 0 {
		return nil, nil
	}
	slices.Sort(left)
	return []Finding{finding(status.Warning, "controller", fmt.Sprintf("%d offline build agents have no task in Mesos any more and are still listed", len(left)),
		"delete the nodes in Jenkins: they count as capacity, so builds may wait for them", left[:min(len(left), 20)]...)}, nil
}

package host

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// unitState is what a host says about a unit.
type unitState struct {
	status          Status
	properties      map[string]string
	unitText        string // of the file, "" when there is none
	fileDigest      string // the spec that the file was made from
	running         string // the digest with which the program that runs was started, "" when it is not known
	envSum, envMode string
	altered         bool // what runs, or would be started, is not what was written
}

// runningDigest is the digest of the spec in force.
func (s unitState) runningDigest() string {
	if s.running != "" {
		return s.running
	}
	return s.fileDigest
}

// parseStates reads what systemd.sh prints.
func parseStates(text string) ([]unitState, error) {
	body, _, whole := strings.Cut(text, "=== end\n")
	if !whole {
		return nil, fmt.Errorf("the answer is cut off: %.200q", text)
	}
	var all []unitState
	for i, part := range strings.Split("\n"+body, "\n=== unit ") {
		if i == 0 {
			continue
		}
		head, file, _ := strings.Cut(part, "\n=== file\n")
		name, lines, _ := strings.Cut(head, "\n")
		s := unitState{status: Status{Name: name}, unitText: file, properties: map[string]string{}}
		for line := range strings.Lines(lines) {
			key, value, _ := strings.Cut(strings.TrimRight(line, "\n"), "=")
			s.properties[key] = value
		}
		// What follows a unit file is the next unit's headline, whose newline was cut off.
		if file != "" && !strings.HasSuffix(file, "\n") {
			s.unitText += "\n"
		}
		if err := s.judge(); err != nil {
			return nil, fmt.Errorf("unit %s: %w", name, err)
		}
		all = append(all, s)
	}
	return all, nil
}

func (s *unitState) judge() error {
	p, status := s.properties, &s.status
	s.envSum, s.envMode, s.running = p["EnvSum"], p["EnvMode"], p["Digest"]
	s.fileDigest = lineValue(s.unitText, digestKey)
	masked := p["LoadState"] == "masked" || p["UnitFileState"] == "masked"
	if s.unitText == "" && !masked && p["LoadState"] == "not-found" {
		return nil
	}
	status.LogFile = JournalOf(status.Name)
	numbers := map[string]int{}
	for _, key := range []string{"MainPID", "NRestarts", "ExecMainCode", "ExecMainStatus"} {
		number, err := strconv.Atoi(orZero(p[key]))
		if err != nil {
			return fmt.Errorf("%s=%s is no number", key, p[key])
		}
		numbers[key] = number
	}
	// A program that ended by itself is deactivating for a moment, and then anything with a job that starts it again; a
	// stop has a job of its own. A job that is over by the time it is looked up was one of those that begin by themselves.
	between := p["ActiveState"] == "deactivating" && orZero(p["Job"]) == "0" ||
		orZero(p["Job"]) != "0" && slices.Contains([]string{"start", "restart", ""}, p["JobType"])
	status.Active = between || slices.Contains([]string{"active", "activating", "reloading"}, p["ActiveState"])
	status.Running = p["ActiveState"] == "active" && numbers["MainPID"] != 0
	status.Restarts = numbers["NRestarts"]
	if status.Running {
		status.PID, status.Since = numbers["MainPID"], stamp(p["ExecMainStartTimestamp"])
	}
	if !status.Running || status.Restarts > 0 {
		status.LastExit = lastExit(p, numbers["ExecMainCode"], numbers["ExecMainStatus"])
	}
	if !status.Running {
		status.Problem = startProblem(p, status.LastExit)
	}
	s.findDrift(masked)
	status.Digest = s.runningDigest()
	if s.altered {
		status.Digest = "altered-" + sha256Text(s.unitText+s.envSum+p["DropInPaths"]+p["FragmentPath"])
	}
	return nil
}

// findDrift compares what is there with what was written.
func (s *unitState) findDrift(masked bool) {
	p, name := s.properties, s.status.Name
	drift := func(altered bool, format string, args ...any) {
		s.status.Drift = append(s.status.Drift, fmt.Sprintf(format, args...))
		s.altered = s.altered || altered
	}
	switch {
	case masked:
		drift(true, "%s is masked", serviceName(name))
	case s.unitText == "":
		drift(true, "%s is gone", unitPath(name))
	case !intact(s.unitText):
		drift(true, "%s was changed", unitPath(name))
	case p["FragmentPath"] != "" && p["FragmentPath"] != unitPath(name):
		drift(true, "%s takes the place of %s", p["FragmentPath"], unitPath(name))
	}
	switch {
	case s.unitText == "" || masked:
	case s.envSum == "":
		drift(true, "%s is gone", envPath(name))
	case s.envSum != lineValue(s.unitText, envSumKey):
		drift(true, "%s was changed", envPath(name))
	case s.envMode != "600":
		drift(false, "%s has mode %s and must have 600", envPath(name), s.envMode)
	}
	if p["DropInPaths"] != "" {
		drift(true, "%s changes the unit", p["DropInPaths"])
	}
	if p["NeedDaemonReload"] == "yes" {
		drift(false, "systemd has not read its files again (systemctl daemon-reload)")
	}
	if !masked && s.unitText != "" && p["UnitFileState"] != "enabled" {
		drift(false, "it is not started with the host (%s)", p["UnitFileState"])
	}
}

// lineValue is the rest of the line that begins with key.
func lineValue(text, key string) string {
	for line := range strings.Lines(text) {
		if value, found := strings.CutPrefix(line, key); found {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

func orZero(text string) string {
	if text == "" {
		return "0"
	}
	return text
}

// stamp reads a time as systemctl shows it with TZ=UTC; the zero time where there is none.
func stamp(text string) time.Time {
	t, err := time.Parse("Mon 2006-01-02 15:04:05 MST", text)
	if err != nil {
		return time.Time{}
	}
	return t
}

// The codes of waitid(2) in ExecMainCode.
const (
	exitedCode = 1
	killedCode = 2
	dumpedCode = 3
)

// lastExit takes what the recorder kept, which also knows exits before the last start, and else systemd's own word.
func lastExit(p map[string]string, code, status int) *Exit {
	if fields := strings.Fields(p["Exit"]); len(fields) == 3 {
		seconds, err := strconv.ParseInt(fields[2], 10, 64)
		number, notNumber := strconv.Atoi(fields[1])
		switch {
		case err != nil:
		case fields[0] == "exited" && notNumber == nil:
			return &Exit{Code: number, Time: time.Unix(seconds, 0)}
		case fields[0] == "killed" || fields[0] == "dumped":
			return &Exit{Code: -1, Signal: signalText(fields[1]), Time: time.Unix(seconds, 0)}
		}
	}
	at := stamp(p["ExecMainExitTimestamp"])
	switch {
	case at.IsZero():
		return nil
	case code == exitedCode:
		return &Exit{Code: status, Time: at}
	case code == killedCode || code == dumpedCode:
		return &Exit{Code: -1, Signal: syscall.Signal(status).String(), Time: at}
	}
	return nil
}

// startProblem says why systemd could not start the program: its own exit codes lie above 200, see systemd.exec(5).
func startProblem(p map[string]string, last *Exit) string {
	if p["LoadState"] == "error" || p["LoadState"] == "bad-setting" {
		return "systemd does not take the unit: " + p["LoadError"]
	}
	if last == nil {
		return ""
	}
	known := map[int]string{
		200: "the working folder cannot be entered",
		202: "its input cannot be opened",
		203: "the program cannot be executed (is it there, executable, and for this processor?)",
		209: "its output cannot be opened",
		219: "its control group cannot be made",
	}
	return known[last.Code]
}

// signalText names a signal as Exit does, from its name without SIG.
func signalText(name string) string {
	if signal := unix.SignalNum("SIG" + name); signal != 0 {
		return signal.String()
	}
	return name
}

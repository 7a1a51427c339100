package doctor

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"sync"

	"github.com/jomctl/jomctl/internal/cluster"
	"github.com/jomctl/jomctl/internal/host"
	"github.com/jomctl/jomctl/internal/status"
)

// facts are read once and shared by the checks.
type facts struct {
	in     Inputs
	redact *Redactor
	state  func() (cluster.State, error)
	app    func() (cluster.App, error)
	units  func() ([]unit, error)
	report func() status.Report
}

// unit is a unit with its machine.
type unit struct {
	machine host.Machine
	host.Status
}

func (u unit) subject() string { return u.Name + " on " + u.machine.Name() }

func newFacts(ctx context.Context, in Inputs) *facts {
	if in.Dial == nil {
		in.Dial = in.Raw.try
	}
	f := &facts{in: in, redact: NewRedactor(in.Secrets...)}
	f.state = sync.OnceValues(func() (cluster.State, error) { return in.Mesos.State(ctx) })
	f.app = sync.OnceValues(func() (cluster.App, error) { return in.Marathon.App(ctx, in.AppID) })
	f.report = sync.OnceValue(func() status.Report { return in.Report(ctx) })
	f.units = sync.OnceValues(func() ([]unit, error) { return allUnits(ctx, in.Machines) })
	return f
}

func allUnits(ctx context.Context, machines []host.Machine) ([]unit, error) {
	found, faults := make([][]unit, len(machines)), make([]error, len(machines))
	var group sync.WaitGroup
	for i, machine := range machines {
		group.Go(func() {
			list, err := machine.Units().List(ctx)
			faults[i] = could("the units of "+machine.Name(), err)
			for _, one := range list {
				found[i] = append(found[i], unit{machine, one})
			}
		})
	}
	group.Wait()
	var all []unit
	for _, list := range found {
		all = append(all, list...)
	}
	return all, joined(faults)
}

// logBytes is how much of the end of a log is read.
const logBytes = 64 << 10

// logTail reads the end of a unit's log, be it a file or the journal.
func logTail(ctx context.Context, machine host.Machine, logFile string, bytes int) (string, error) {
	argv := []string{"tail", "-c", fmt.Sprint(bytes), logFile}
	switch {
	case logFile == "":
		return "", fmt.Errorf("it has no log")
	case !filepath.IsAbs(logFile):
		argv = append(strings.Fields(logFile), "--no-pager", "-o", "short-iso", "-n", fmt.Sprint(max(bytes/100, 100)))
	}
	out, err := machine.Run(ctx, argv...)
	text := out.Stdout
	if len(text) > bytes {
		text = text[len(text)-bytes:]
	}
	return text, err
}

// lastLines are the last n lines with text.
func lastLines(text string, n int) []string {
	var lines []string
	for line := range strings.Lines(text) {
		if line = strings.TrimRight(line, " \t\r\n"); line != "" {
			lines = append(lines, clip(line))
		}
	}
	return lines[max(0, len(lines)-n):]
}

func clip(line string) string {
	const most = 300
	if len(line) > most {
		return strings.ToValidUTF8(line[:most], "") + "..."
	}
	return line
}

// hostName is the name of the host in the cluster file, or the address itself.
func (f *facts) hostName(address string) string {
	for _, h := range f.in.Cluster.Hosts {
		if h.Address == address || h.Name == address {
			return h.Name
		}
	}
	return address
}

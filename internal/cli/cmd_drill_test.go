package cli

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/lifecycle/drill"
	"github.com/jomctl/jomctl/internal/ui"
)

// TestProductionIsDrilledOnlyByItsName says what is typed, and whether faults may be made.
func TestProductionIsDrilledOnlyByItsName(t *testing.T) {
	production, rehearsal := config.StageProduction, config.StageRehearsal
	for name, c := range map[string]struct {
		stage    config.Stage
		target   config.Target
		yes      bool
		confirm  string
		terminal bool
		typed    string
		code     int // 0: they may be made
	}{
		"yes is not enough":               {production, config.TargetHosts, true, "", false, "", 2},
		"hosts are production":            {"", config.TargetHosts, true, "", false, "", 2},
		"its name":                        {production, config.TargetHosts, false, "ci", false, "", 0},
		"another's name":                  {production, config.TargetHosts, true, "cl", false, "", 2},
		"its name, typed":                 {production, config.TargetHosts, false, "", true, "ci\n", 0},
		"its name, typed, and yes":        {production, config.TargetHosts, true, "", true, "ci\n", 0},
		"a yes, typed":                    {production, config.TargetHosts, true, "", true, "yes\n", exitInterrupted},
		"a part of its name":              {production, config.TargetHosts, false, "", true, "c\n", exitInterrupted},
		"nothing":                         {production, config.TargetHosts, false, "", true, "\n", exitInterrupted},
		"this machine is a rehearsal":     {"", config.TargetLocal, true, "", false, "", 0},
		"unless it says otherwise":        {production, config.TargetLocal, true, "", false, "", 2},
		"a rehearsal wants a yes":         {rehearsal, config.TargetHosts, false, "", false, "", 2},
		"a rehearsal, typed":              {rehearsal, config.TargetHosts, false, "", true, "y\n", 0},
		"a rehearsal, no":                 {rehearsal, config.TargetHosts, false, "", true, "n\n", exitInterrupted},
		"a rehearsal on hosts, with yes":  {rehearsal, config.TargetHosts, true, "", false, "", 0},
		"a rehearsal, its name is no yes": {rehearsal, config.TargetLocal, false, "ci", false, "", 2},
	} {
		t.Run(name, func(t *testing.T) {
			var shown bytes.Buffer
			streams := ui.Streams{In: strings.NewReader(c.typed), Out: &bytes.Buffer{}, Err: &shown, InTTY: c.terminal, ErrTTY: c.terminal, Env: func(string) string { return "" }}
			a := &app{streams: streams, log: &logFile{}, global: globalOptions{Yes: c.yes}}
			cluster := &config.Cluster{Name: "ci", Target: c.target, Drill: &config.Drill{Stage: c.stage}}
			err := a.confirmDrills(t.Context(), cluster, &drillOptions{confirm: c.confirm}, "blast radius: Jenkins is away\n")
			if c.code == 0 {
				require.NoError(t, err)
				return
			}
			var coder interface{ ExitCode() int }
			require.True(t, errors.As(err, &coder), "%v", err)
			require.Equal(t, c.code, coder.ExitCode(), "%v", err)
			if c.terminal {
				require.Contains(t, shown.String(), "blast radius", "who is asked sees what would be done")
			}
		})
	}
}

func TestWhatADrillSaysOfWhatItHasNotMeasured(t *testing.T) {
	text := drillText([]drill.Result{
		{Name: "edge-killed", Passed: true, Recovered: true, Recovery: drill.Recovery{Seconds: 3.04, Served: 2}, Target: drill.Target{Recovery: 45}, Lost: drill.Lost{Saved: 4, Built: 1}, Unmeasured: []string{"agent-port"}},
		{Name: "master-killed", Recovery: drill.Recovery{Seconds: -1, Served: 4}, Reasons: []string{"host a1 is away"}},
		{Name: "marathon-killed", Recovered: true, Recovery: drill.Recovery{Seconds: 99}, Target: drill.Target{Recovery: 45}, Lost: drill.Lost{Saved: 4, Configurations: 1}, Reasons: []string{"too slow"}},
	})
	lines := strings.Split(text, "\n")
	require.Regexp(t, `^edge-killed +passed +recovered in 3\.0 s \(target 45 s\)`, lines[0])
	require.Contains(t, text, "not measured, as it did not answer before the fault either: agent-port")
	require.Regexp(t, `(?m)^master-killed +NOT RECOVERED not recovered$`, text)
	require.Contains(t, text, "lost: not counted")
	require.Contains(t, text, "host a1 is away")
	require.Regexp(t, `(?m)^marathon-killed +MISSED +recovered in 99\.0 s`, text)
	require.Contains(t, text, "lost: 1 of 4 configurations")
}

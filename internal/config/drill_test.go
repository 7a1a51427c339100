package config

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestDrillsAndTuningAreChecked(t *testing.T) {
	for text, want := range map[string]string{
		"drill: {stage: prod}\n": "must be one of production, rehearsal",
		"drill: {targets: [{scenario: a, recovery: 5s}, {scenario: a}]}\n": "drill.targets[1].scenario",
		"drill: {targets: [{scenario: a, configurations: -1}]}\n":          "must not be negative",
		"drill: {power: {off: x}}\n":                                       "needs both off and on",
		"drill: {scenarios: ['']}\n":                                       "must be the path of a file",
		"tuning: {agentPing: 500ms}\n":                                     "must be 1s to 5m",
		"tuning: {backoff: 1500ms}\n":                                      "whole seconds",
		"tuning: {zookeeperSession: 2m}\n":                                 "must be 4s to 40s",
		"tuning: {backoff: 9s, maxBackoff: 5s}\n":                          "must not be shorter",
		"tuning: {agentPings: 101}\n":                                      "must be 1 to 100",
	} {
		_, err := Parse([]byte(threeLines+text), "cluster.yaml")
		require.ErrorContains(t, err, want, text)
	}
}

func TestWhatAFileLeavesOutIsTunedAsEver(t *testing.T) {
	require.Equal(t, DefaultTuning(), parse(t, threeLines).Tuned())
	tuned := parse(t, threeLines+"tuning: {agentPing: 2s}\n").Tuned()
	require.Equal(t, Duration(2*time.Second), tuned.AgentPing)
	tuned.AgentPing = DefaultTuning().AgentPing
	require.Equal(t, DefaultTuning(), tuned)
}

func TestOnlyAClusterOfOneMachineIsARehearsal(t *testing.T) {
	c := parse(t, threeLines)
	require.Equal(t, StageRehearsal, c.DrillStage())
	c.Target = TargetHosts
	require.Equal(t, StageProduction, c.DrillStage())
	c.Drill = &Drill{Stage: StageRehearsal}
	require.Equal(t, StageRehearsal, c.DrillStage())
}

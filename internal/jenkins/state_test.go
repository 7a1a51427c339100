package jenkins

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/bndr/gojenkins"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func panicking(*gojenkins.Jenkins, root) error { panic("boom") }

func TestPhases(t *testing.T) {
	f := newJenkins(t)
	c := f.client()
	for phase, want := range map[string]Phase{"starting": PhaseStarting, "restarting": PhaseRestarting, "failed": PhaseBootFailed, "": PhaseUp} {
		f.phase = phase
		assert.Equal(t, want, c.State(context.Background()).Phase, phase)
	}
	f.phase, f.standIn = "", true
	assert.Equal(t, State{Phase: PhaseUp, Version: "2.568.2", Session: "1de3d5ed", StandIn: true}, c.State(context.Background()))
	f.version = "" // a proxy's own page
	assert.Equal(t, PhaseOther, c.State(context.Background()).Phase)
}

type use struct {
	FrameworkUse
	err error
}

func (u use) Framework(context.Context) (FrameworkUse, error) { return u.FrameworkUse, u.err }

func TestReady(t *testing.T) {
	full := Want{Version: "2.568.2", NotSession: "other", AgentPort: 50000, Secured: true, Framework: use{FrameworkUse: FrameworkUse{Active: true}}}
	for name, c := range map[string]struct {
		spoil func(f *fakeJenkins, want *Want)
		text  string
	}{
		"ready":       {func(*fakeJenkins, *Want) {}, ""},
		"starting":    {func(f *fakeJenkins, _ *Want) { f.phase = "starting" }, "it is starting"},
		"boot failed": {func(f *fakeJenkins, _ *Want) { f.phase = "failed" }, "the boot has failed"},
		"own build": {func(f *fakeJenkins, w *Want) {
			f.version = "2.568.2-SNAPSHOT (private-11/21/2026 07:16 GMT-me)"
			w.Version = "2.568.2-SNAPSHOT"
		}, ""},
		"other build":    {func(f *fakeJenkins, _ *Want) { f.version = "2.568.1-SNAPSHOT (private-x)" }, "it is version 2.568.1-SNAPSHOT (private-x), want 2.568.2"},
		"other version":  {func(f *fakeJenkins, _ *Want) { f.version = "2.555.1" }, "it is version 2.555.1, want 2.568.2"},
		"same session":   {func(f *fakeJenkins, w *Want) { w.NotSession = f.session }, "still the session 1de3d5ed"},
		"no agent port":  {func(f *fakeJenkins, _ *Want) { f.listener = "" }, "listens on none"},
		"other port":     {func(f *fakeJenkins, _ *Want) { f.listener = "50055" }, "the agent port is 50055, want 50000"},
		"odd port":       {func(f *fakeJenkins, _ *Want) { f.listener = "x" }, "no header X-Jenkins-JNLP-Port"},
		"open":           {func(f *fakeJenkins, _ *Want) { f.open = true }, "the controller is not secured"},
		"no framework":   {func(_ *fakeJenkins, w *Want) { w.Framework = use{} }, "framework is not active"},
		"no mesos":       {func(_ *fakeJenkins, w *Want) { w.Framework = use{err: errors.New("no leader")} }, "look for its framework: no leader"},
		"nothing wanted": {func(f *fakeJenkins, w *Want) { *w, f.open = Want{}, true }, ""},
	} {
		f := newJenkins(t)
		want := full
		c.spoil(f, &want)
		s, err := f.client().Ready(context.Background(), want)
		if c.text == "" {
			require.NoError(t, err, name)
			assert.Equal(t, PhaseUp, s.Phase, name)
			continue
		}
		assert.ErrorContains(t, err, c.text, name)
	}
	f := newJenkins(t)
	_, err := New(f.URL, "admin", "wrong").Ready(context.Background(), Want{Secured: true})
	assert.ErrorContains(t, err, "401")
}

func TestWaitReadyTellsAndEnds(t *testing.T) {
	f := newJenkins(t)
	f.phase = "starting"
	var said []string
	say := func(text string) {
		said = append(said, text)
		f.mu.Lock()
		defer f.mu.Unlock()
		switch len(said) {
		case 1:
			f.phase, f.listener = "", ""
		case 2:
			f.listener = "50000"
		}
	}
	s, err := f.client().WaitReady(context.Background(), Want{}, time.Millisecond, say)
	require.NoError(t, err)
	assert.Equal(t, "1de3d5ed", s.Session)
	require.Len(t, said, 2)
	assert.Equal(t, "it is starting", said[0])

	f.phase = "failed"
	_, err = f.client().WaitReady(context.Background(), Want{}, time.Hour, nil)
	var boot *BootFailedError
	require.ErrorAs(t, err, &boot, "waiting is in vain")
	assert.NotEmpty(t, boot.Hint())

	f.phase = "starting"
	ctx, cancel := context.WithCancel(context.Background())
	_, err = f.client().WaitReady(ctx, Want{}, time.Millisecond, func(string) { cancel() })
	assert.ErrorContains(t, err, "it is starting")
	assert.ErrorIs(t, err, context.Canceled)
}

func TestACloudThatWasLeftOutIsNotWaitedFor(t *testing.T) {
	want := Want{FrameworkID: "jenkins-ci-e1"}
	for name, c := range map[string]struct {
		plugins  []string
		exported string
		problem  string
	}{
		"all there":          {[]string{"mesos", "configuration-as-code"}, "jenkins:\n  clouds:\n  - mesos:\n      frameworkId: \"jenkins-ci-e1\"\n", ""},
		"plugin not loaded":  {[]string{"metrics", "configuration-as-code"}, "jenkins: {}\n", "without the Mesos plugin"},
		"file not applied":   {[]string{"mesos", "configuration-as-code"}, "jenkins:\n  numExecutors: 0\n", "without the Mesos cloud of framework jenkins-ci-e1"},
		"no JCasC":           {[]string{"mesos"}, "", ""},
		"nothing to compare": {[]string{"mesos", "configuration-as-code"}, "", ""},
	} {
		f := newJenkins(t)
		f.plugins, f.exported = c.plugins, c.exported
		_, err := f.client().WaitReady(context.Background(), want, time.Hour, nil)
		if c.problem == "" {
			require.NoError(t, err, name)
			continue
		}
		var cloud *CloudError
		require.ErrorAs(t, err, &cloud, name)
		assert.Contains(t, err.Error(), c.problem)
		assert.NotEmpty(t, cloud.Hint())
	}
}

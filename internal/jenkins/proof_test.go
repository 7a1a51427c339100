package jenkins

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func options() ProofOptions {
	return ProofOptions{Name: "ci", Label: "mesos", CPUs: 0.2, MemMiB: 544, Sleep: time.Second, Tick: time.Millisecond, Start: time.Minute, Return: time.Minute}
}

func TestProofPasses(t *testing.T) {
	f := newJenkins(t)
	f.wait, f.work, f.linger = 2, 2, 3
	var said []string
	proof, err := f.client().Prove(context.Background(), options(), f, func(text string) { said = append(said, text) })
	require.NoError(t, err)
	assert.True(t, proof.Passed && proof.Returned)
	assert.Equal(t, 5, proof.AtOnce)
	assert.Len(t, proof.Agents, 5)
	assert.InDelta(t, 1.0, proof.PeakCPUs, 1e-6)
	assert.InDelta(t, 2720, proof.PeakMemMiB, 1e-6)
	require.Len(t, proof.Builds, 5)
	b := proof.Builds[4]
	assert.Equal(t, "ci-proof-5", b.Job)
	assert.Equal(t, "127.0.10.21", b.Host)
	assert.Equal(t, "SUCCESS", b.Result)
	assert.Equal(t, 20*time.Second, b.Duration)
	assert.Empty(t, f.jobs, "the jobs are deleted")
	text := strings.Join(said, "\n")
	assert.Contains(t, text, "0 of 5 builds run, 0 build agents in Mesos; ci-proof-1 waits: There are no nodes with the label ‘mesos’")
	assert.Contains(t, text, "all builds succeeded; 5 build agents still hold 1 cpus and 2720 MiB, and 5 are nodes in Jenkins")
}

func TestASpareBuildAgentIsTold(t *testing.T) {
	f := newJenkins(t)
	f.spare, f.work, f.linger = true, 2, 3
	proof, err := f.client().Prove(context.Background(), options(), f, nil)
	require.NoError(t, err)
	assert.InDelta(t, 6*544, proof.PeakMemMiB, 1e-6)
	assert.Equal(t, []string{"1 more build agents were launched than builds"}, proof.Notes)
}

func TestProofIsMadeOnceMoreWhenBuildsMissEachOther(t *testing.T) {
	f := newJenkins(t)
	f.missed, f.linger = true, 3
	proof, err := f.client().Prove(context.Background(), options(), f, nil)
	require.NoError(t, err)
	assert.True(t, proof.Passed)
	assert.Equal(t, 5, proof.AtOnce)
	require.Len(t, proof.Notes, 1)
	assert.Contains(t, proof.Notes[0], "of 5 builds ran at the same time, because their build agents came up over 2m0s")
	assert.EqualValues(t, 2, proof.Builds[0].Number)
	assert.Equal(t, 10, f.seen("POST /job/ci-proof-")-5-5, "five jobs are updated, ten builds are started, five jobs are deleted")
}

func TestProofFailsHonestly(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(f *fakeJenkins, o *ProofOptions)
		text  string
	}{
		"nothing starts": {func(f *fakeJenkins, o *ProofOptions) { f.wait, o.Start = -1, time.Millisecond }, "ci-proof-1 did not start within 1ms: There are no nodes with the label ‘mesos’"},
		"no agent":       {func(f *fakeJenkins, o *ProofOptions) { f.wait, o.Start = -1, time.Millisecond }, "no build agent was launched in Mesos"},
		"storm":          {func(f *fakeJenkins, o *ProofOptions) { f.wait, f.storm, o.Start = -1, 3, 50*time.Millisecond }, "they start and fail"},
		"endless storm":  {func(f *fakeJenkins, o *ProofOptions) { f.wait, f.storm, o.Start = -1, 60, time.Hour }, "ci-proof-1 did not start: "},
		"failed build":   {func(f *fakeJenkins, _ *ProofOptions) { f.result = "FAILURE" }, "ci-proof-1 #1 ended FAILURE"},
		"one node":       {func(f *fakeJenkins, _ *ProofOptions) { f.shared = true }, "5 builds ran on 1 build agents, want one each"},
		"wrong amount":   {func(_ *fakeJenkins, o *ProofOptions) { o.CPUs = 0.1 }, "held 1 cpus and 2720 MiB at its peak, want exactly 0.5 and 2720"},
		"not returned":   {func(f *fakeJenkins, o *ProofOptions) { f.linger, o.Return = -1, 20*time.Millisecond }, "not everything was given back within 20ms: 5 build agents still hold"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newJenkins(t)
			o := options()
			f.work = 2
			c.spoil(f, &o)
			proof, err := f.client().Prove(context.Background(), o, f, nil)
			var failed *ProofError
			require.ErrorAs(t, err, &failed)
			assert.False(t, proof.Passed)
			assert.Contains(t, err.Error(), c.text)
			assert.Equal(t, proof.Failures, failed.Failures)
			assert.Len(t, f.jobs, 5, "the jobs are kept to look at")
		})
	}
}

func TestProofCancelledItem(t *testing.T) {
	f := newJenkins(t)
	f.wait = 1000
	var once bool
	_, err := f.client().Prove(context.Background(), options(), f, func(string) {
		f.mu.Lock()
		defer f.mu.Unlock()
		for _, i := range f.items {
			i.cancelled, once = i.cancelled || !once, true
		}
	})
	assert.ErrorContains(t, err, "was cancelled in the queue")
}

func TestProofOnTheControllerItself(t *testing.T) {
	p := &proof{opt: options(), tasks: map[string]bool{}}
	p.builds = []*proofBuild{{ProofBuild: ProofBuild{Job: "a", Number: 1, Result: "SUCCESS"}}, {ProofBuild: ProofBuild{Job: "b", Number: 1, Node: "other", Result: "SUCCESS"}}}
	p.judge()
	assert.Equal(t, []string{"a ran on the controller itself", "b ran on other, which is no task of the framework"}, p.out.Failures)
}

func TestOverlapByTheControllersClock(t *testing.T) {
	at := func(start, length int) *proofBuild {
		return &proofBuild{ProofBuild: ProofBuild{Started: time.Unix(int64(start), 0), Duration: time.Duration(length) * time.Second}}
	}
	assert.Equal(t, 3, overlap([]*proofBuild{at(0, 20), at(5, 20), at(19, 1)}))
	assert.Equal(t, 1, overlap([]*proofBuild{at(0, 5), at(5, 5)}))
}

func TestProofWaitsForOthersAndEndsWithTheContext(t *testing.T) {
	f := newJenkins(t)
	f.tasks["jenkins-agent-mesos-other"] = true
	ctx, cancel := context.WithCancel(context.Background())
	_, err := f.client().Prove(ctx, options(), f, func(text string) {
		assert.Equal(t, "1 build agents of other builds are still there", text)
		cancel()
	})
	assert.ErrorIs(t, err, context.Canceled)
	assert.ErrorContains(t, err, "1 tasks of other builds")

	broken := use{err: errors.New("no master")}
	o := options()
	o.Return = time.Millisecond
	_, err = f.client().Prove(context.Background(), o, broken, nil)
	assert.ErrorContains(t, err, "no master")
}

// A change of the leading master in the middle of a proof is told and survived.
func TestProofSurvivesErrorsInPassing(t *testing.T) {
	f := newJenkins(t)
	f.wait, f.work, f.linger = 2, 2, 2
	flaky := &flakyResources{fakeJenkins: f}
	var said []string
	proof, err := f.client().Prove(context.Background(), options(), flaky, func(text string) { said = append(said, text) })
	require.NoError(t, err)
	assert.True(t, proof.Passed)
	assert.Contains(t, said, "no leader")
}

type flakyResources struct {
	*fakeJenkins
	asked int
}

func (f *flakyResources) Framework(ctx context.Context) (FrameworkUse, error) {
	if f.asked++; f.asked == 3 {
		return FrameworkUse{}, errors.New("no leader")
	}
	return f.fakeJenkins.Framework(ctx)
}

func TestProofOfABuildThatNeverEnds(t *testing.T) {
	p := &proof{opt: options()}
	p.builds = []*proofBuild{{ProofBuild: ProofBuild{Job: "a", Number: 4}}, {ProofBuild: ProofBuild{Job: "b", Number: 1, Result: "SUCCESS"}}}
	assert.Equal(t, []string{"a #4 has not ended a minute after its time"}, p.notEnded())
	assert.NotEmpty(t, (&ProofError{}).Hint())
}

package terraform

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The texts below are Terraform's own (1.5.7 and 1.11.4), shortened.
const lockText = `exit status 1
╷
│ Warning: Unable to open CLI configuration file
│ 
│ The CLI configuration file at "/root/.terraformrc" does not exist.
╵
╷
│ Error: Error acquiring the state lock
│ 
│ Error message: resource temporarily unavailable
│ Lock Info:
│   ID:        f6b8d3f1-3f3b-9c3c-1fd5-8b8b9d0b6d6e
│   Path:      terraform.tfstate
│   Operation: OperationTypePlan
│   Who:       anna@desk
│   Version:   1.5.7
│   Created:   2026-11-21 14:02:11.1 +0000 UTC
│   Info:      
╵`

func TestKnownFailuresAreTypedAndHaveAWayOut(t *testing.T) {
	own := errors.New(lockText)
	err := explain("/s", "plan", own, nil)
	var locked *LockedError
	require.ErrorAs(t, err, &locked)
	require.ErrorIs(t, err, own)
	require.Equal(t, "the Terraform state is locked by anna@desk since 2026-11-21 14:02:11.1 +0000 UTC (OperationTypePlan, lock f6b8d3f1-3f3b-9c3c-1fd5-8b8b9d0b6d6e)", err.Error())

	bare := explain("/s", "plan", errors.New("Error: Error locking state: ConflictException"), nil)
	require.ErrorAs(t, bare, &locked)
	require.Equal(t, "the Terraform state is locked by another run since an unknown time (operation not told, lock without an id)", bare.Error())

	for _, c := range []struct{ text, reason, fix string }{
		{"Error: Failed to query available provider packages\n\nCould not retrieve the list of available versions for provider hashicorp/aws: could not connect to registry.terraform.io",
			"the providers of this target cannot be downloaded", "provider_installation"},
		{`Error: state snapshot was created by Terraform v1.9.0, which is newer than current v1.5.7; upgrade to Terraform v1.9.0`, "written by a newer Terraform", "that version"},
		{"Error: Backend configuration changed", "not moved unasked", "init -migrate-state"},
	} {
		err := explain("/s", "plan", errors.New(c.text), nil)
		var state *StateError
		require.ErrorAs(t, err, &state, c.text)
		require.ErrorContains(t, err, c.reason)
		require.Contains(t, state.Hint(), c.fix)
	}
}

func TestOtherFailuresAreTerraformsWordsWithoutItsFrame(t *testing.T) {
	err := explain("/s", "initialise", errors.New("exit status 1\n\x1b[31m╷\x1b[0m\n│ Error: Invalid block\n│ \n│   on main.tf line 1\n╵\n"), nil)
	require.EqualError(t, err, "initialise with Terraform: Error: Invalid block\non main.tf line 1")

	err = explain("/s", "apply", errors.New("exit status 1"), []diagnostic{
		{Summary: "quota exceeded", Detail: " 4 of 4 instances\n", Address: "aws_instance.host"}, {Summary: "no route"}})
	require.EqualError(t, err, "apply with Terraform: quota exceeded (aws_instance.host): 4 of 4 instances\nno route")
}

func TestProgressIsWhatAPersonFollows(t *testing.T) {
	var told []string
	l := &listener{progress: func(line string) { told = append(told, line) }}
	output := strings.Join([]string{
		`{"@level":"info","@message":"Terraform 1.11.4","type":"version"}`,
		`{"@level":"info","@message":"host: Refreshing state","type":"refresh_start"}`,
		`{"@level":"info","@message":"host: Creating...","type":"apply_start"}`,
		`{"@level":"info","@message":"host: (local-exec): pulling","type":"provision_progress"}`,
		`{"@level":"warn","@message":"Warning: old","type":"diagnostic","diagnostic":{"severity":"warning","summary":"old","detail":"use new"}}`,
		`{"@level":"error","@message":"Error: broken","type":"diagnostic","diagnostic":{"severity":"error","summary":"broken"}}`,
		`plain words`,
		``,
	}, "\n")
	for i := range output { // whatever the pieces are
		fmt.Fprint(l, output[i:i+1])
	}
	require.Equal(t, []string{"host: Creating...", "host: (local-exec): pulling", "warning: old: use new", "plain words"}, told)
	require.Equal(t, []diagnostic{{Severity: "error", Summary: "broken"}}, l.errors)
}

package jenkins

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// askScript schedules a build with causes of its own, which no other way in allows: Jenkins takes the text of a cause only together with the
// token of a job. Every text of it is base64. What it prints is its answer.
const askScript = `def text = { new String(it.decodeBase64(), 'UTF-8') }
def job = jenkins.model.Jenkins.get().getItemByFullName(text('%s'))
if (job == null) { println('GONE'); return }
if (!job.buildable) { println('DISABLED'); return }
def given = [:];
[%s].each { given[text(it[0])] = text(it[1]) }
def actions = [new hudson.model.CauseAction([%s].collect { new hudson.model.Cause.RemoteCause('jomctl', text(it)) })]
def asked = job.getProperty(hudson.model.ParametersDefinitionProperty)
if (asked != null) {
  def values = asked.parameterDefinitions.collect { given.containsKey(it.name) ? it.createValue(given[it.name]) : it.defaultParameterValue }
  actions << new hudson.model.ParametersAction(values.findAll { it != null })
}
jenkins.model.ParameterizedJobMixIn.scheduleBuild2(job, 0, actions as hudson.model.Action[])
println('ASKED')
`

func scriptFor(job string, params map[string]string, causes []string) string {
	b64 := func(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }
	var given, notes []string
	for _, name := range slices.Sorted(maps.Keys(params)) {
		given = append(given, fmt.Sprintf("['%s', '%s']", b64(name), b64(params[name])))
	}
	for _, cause := range causes {
		notes = append(notes, "'"+b64(cause)+"'")
	}
	return fmt.Sprintf(askScript, b64(job), strings.Join(given, ", "), strings.Join(notes, ", "))
}

// AskAgain is Ask for a build that has been asked for before: its causes are written into the new ones, as notes by jomctl. carried is
// false where the controller does not let a script do that, as a stand-in, or where it fails: then the build is asked for as by Ask, and the
// user of the client is its cause.
func (c *Client) AskAgain(ctx context.Context, job string, params map[string]string, causes []string) (carried bool, err error) {
	if len(causes) == 0 {
		return false, c.Ask(ctx, job, params)
	}
	answer, err := c.post(ctx, "/scriptText", url.Values{"script": {scriptFor(job, params, causes)}})
	var status *StatusError
	switch {
	case errors.As(err, &status):
		return false, c.Ask(ctx, job, params)
	case err != nil:
		return false, c.failed("ask for a build of "+job, err)
	}
	switch word := strings.TrimSpace(string(answer.body)); word {
	case "ASKED":
		return true, nil
	case "GONE":
		return false, c.failed("ask for a build of "+job, &StatusError{Code: http.StatusNotFound})
	case "DISABLED":
		return false, c.failed("ask for a build of "+job, &StatusError{Code: http.StatusConflict})
	default: // an exception comes back as 200, with its stack
		return false, c.Ask(ctx, job, params)
	}
}

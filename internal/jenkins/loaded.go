package jenkins

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// CloudError means that Jenkins has come up without its Mesos cloud. Only a new start, with the reason mended, helps.
type CloudError struct {
	Problem string
}

func (e *CloudError) Error() string { return e.Problem }

// Hint says what to do next.
func (e *CloudError) Hint() string {
	return "the controller's log (the task's stderr) says why, at `Failed Loading plugin` or at `configuration-as-code`"
}

// cloudLoaded reads back what a start leaves out without a word: a plugin that cannot be loaded, and a cloud whose file
// JCasC could not apply. Whoever has no JCasC plugin has the cloud in config.xml, of which nothing tells.
func (c *Client) cloudLoaded(ctx context.Context, frameworkID string) error {
	plugins, err := c.Plugins(ctx)
	if err != nil {
		return err
	}
	active := func(name string) bool {
		return slices.ContainsFunc(plugins, func(p Plugin) bool { return p.Name == name && p.Active })
	}
	if !active("mesos") {
		return &CloudError{Problem: "it has come up without the Mesos plugin, which it could not load"}
	}
	if !active("configuration-as-code") {
		return nil
	}
	export, err := c.CascExport(ctx)
	if err != nil || !strings.Contains(export, "jenkins:") {
		return nil //nolint:nilerr // some plugins cannot be exported; the first build shows the rest
	}
	if !strings.Contains(export, frameworkID) {
		return &CloudError{Problem: fmt.Sprintf("it has come up without the Mesos cloud of framework %s: jenkins.yaml was not applied", frameworkID)}
	}
	return nil
}

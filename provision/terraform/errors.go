package terraform

import (
	"fmt"
	"regexp"
	"strings"
)

// LockedError says that another run holds the state's lock, or held it when it died.
type LockedError struct {
	// Dir is the folder to run terraform in.
	Dir string
	// ID, Who (user@machine), Operation and Created are what the other run wrote about itself; empty where the backend keeps less.
	ID, Who, Operation, Created string
	err                         error
}

func (e *LockedError) Error() string {
	return fmt.Sprintf("the Terraform state is locked by %s since %s (%s, lock %s)", or(e.Who, "another run"), or(e.Created, "an unknown time"),
		or(e.Operation, "operation not told"), or(e.ID, "without an id"))
}

// Unwrap is Terraform's own error.
func (e *LockedError) Unwrap() error { return e.err }

// Hint says what to check, and how to release the lock of a run that is dead.
func (e *LockedError) Hint() string {
	return fmt.Sprintf("wait for that run; only when it is certain that it is dead: terraform -chdir=%s force-unlock %s", e.Dir, or(e.ID, "ID"))
}

// StalePlanError says that the state changed after the plan was shown, so that the plan no longer tells what would happen.
type StalePlanError struct {
	Reason string
	err    error
}

func (e *StalePlanError) Error() string { return "the shown plan is stale: " + e.Reason }

// Unwrap is Terraform's own error; nil where it was not asked.
func (e *StalePlanError) Unwrap() error { return e.err }

// Hint says to plan again.
func (e *StalePlanError) Hint() string {
	return "nothing was changed; plan again and look at the new plan"
}

// StateError says that a state, or an output in it, cannot be worked with.
type StateError struct {
	Dir, Reason, Fix string
	err              error
}

func (e *StateError) Error() string { return fmt.Sprintf("Terraform in %s: %s", e.Dir, e.Reason) }

// Unwrap is Terraform's own error; nil where it was not asked.
func (e *StateError) Unwrap() error { return e.err }

// Hint is the way out.
func (e *StateError) Hint() string { return e.Fix }

// restore is the way out of a broken state.
const restore = "bring it back from terraform.tfstate.backup or from the backend's versions"

func or(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}

func (d *Driver) explain(what string, err error, diagnostics []diagnostic) error {
	return explain(d.options.Dir, what, err, diagnostics)
}

// explain turns a failed command into one of the errors above where its text is known. Terraform has no codes for its errors, so
// the words that its sources have had since 1.5 are looked for.
func explain(dir, what string, err error, diagnostics []diagnostic) error {
	if cancelled(err) {
		return fmt.Errorf("%s with Terraform: interrupted: %w", what, err)
	}
	text := plain(err.Error())
	if len(diagnostics) > 0 {
		var all []string
		for _, d := range diagnostics {
			all = append(all, d.text())
		}
		text = strings.Join(all, "\n")
	}
	has := func(words ...string) bool {
		for _, w := range words {
			if strings.Contains(text, w) {
				return true
			}
		}
		return false
	}
	switch {
	case has("Error acquiring the state lock", "Error locking state"):
		return &LockedError{Dir: dir, ID: field(text, "ID"), Who: field(text, "Who"), Operation: field(text, "Operation"),
			Created: field(text, "Created"), err: err}
	case has("Saved plan is stale", "Saved plan does not match the given state"):
		return &StalePlanError{Reason: "another run changed the state since", err: err}
	case has("could not be parsed as JSON"):
		return &StateError{Dir: dir, Reason: "the state cannot be read: " + oneLine(text), Fix: restore, err: err}
	case has("Unsupported state file format", "which is newer than current", "unsupported state format version", "created by a newer version"):
		return &StateError{Dir: dir, Reason: "the state was written by a newer Terraform than this one: " + oneLine(text),
			Fix: "use that version of Terraform or a newer one", err: err}
	case has("Backend configuration changed", "Backend initialization required", "Backend type changed"):
		return &StateError{Dir: dir, Reason: "the state was kept elsewhere before, and is not moved unasked",
			Fix: fmt.Sprintf("set the backend back, or move the state: terraform -chdir=%s init -migrate-state", dir), err: err}
	case has("Failed to query available provider packages", "Failed to install provider", "could not connect to registry"):
		return &StateError{Dir: dir, Reason: "the providers of this target cannot be downloaded: " + oneLine(text),
			Fix: "Terraform needs its registry once, or a mirror (provider_installation in the file that TF_CLI_CONFIG_FILE names)", err: err}
	case has("state snapshot was", "Error loading state", "Failed to load state", "Error refreshing state", "state file"):
		return &StateError{Dir: dir, Reason: "the state cannot be read: " + oneLine(text),
			Fix: restore, err: err}
	}
	return &commandError{what: what, text: text, err: err}
}

// commandError is any other failure: Terraform's own words without the frame that it draws.
type commandError struct {
	what, text string
	err        error
}

func (e *commandError) Error() string { return fmt.Sprintf("%s with Terraform: %s", e.what, e.text) }
func (e *commandError) Unwrap() error { return e.err }

func field(text, name string) string {
	m := regexp.MustCompile(`(?m)^\s*` + name + `:\s+(.+?)\s*$`).FindStringSubmatch(text)
	if m == nil {
		return ""
	}
	return m[1]
}

var colours = regexp.MustCompile("\x1b\\[[0-9;]*m")

// plain takes off colours, the exit status, warnings, and the frame that Terraform draws around each diagnostic.
func plain(text string) string {
	var lines []string
	warning, first := false, false
	for line := range strings.Lines(colours.ReplaceAllString(text, "")) {
		first = first || strings.HasPrefix(line, "╷")
		warning = warning && !strings.HasPrefix(line, "╵")
		line = strings.TrimSpace(strings.TrimLeft(line, "│╷╵ \t"))
		if first && line != "" {
			warning, first = strings.HasPrefix(line, "Warning:"), false
		}
		if line != "" && !warning && !strings.HasPrefix(line, "exit status") && !strings.HasPrefix(line, "There are some problems with the CLI") {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "\n")
}

func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }

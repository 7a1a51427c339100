package doctor

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/jomctl/jomctl/internal/status"
)

// checkDoors tries the doors that the cluster file wants closed, as a stranger would.
func checkDoors(ctx context.Context, f *facts) ([]Finding, error) {
	var found []Finding
	var faults []error
	const fix = "run `jomctl install`, which puts the file in force"
	if f.in.Cluster.Components.Marathon.BasicAuth != nil {
		for _, base := range f.in.Raw.Marathons {
			_, err := f.in.Raw.get(ctx, base+"/ping", "", "")
			switch {
			case err == nil:
				found = append(found, finding(status.Error, "marathon at "+base, "answers without a password, although components.marathon.basicAuth asks for one", fix))
			case err.Error() != "HTTP 401":
				faults = append(faults, could("whether Marathon at "+base+" asks for its password", err))
			}
		}
	}
	if f.in.Cluster.Components.Mesos.Authentication {
		for _, base := range f.in.Raw.Masters {
			open, err := openDoors(ctx, f.in.Raw, base)
			faults = append(faults, could("what the master at "+base+" asks for", err))
			if len(open) > 0 {
				found = append(found, finding(status.Error, "mesos-master at "+base, "asks "+strings.Join(open, " and ")+" for no credential, although components.mesos.authentication is true", fix))
			}
		}
	}
	return found, joined(faults)
}

// openDoors are those whom a master asks for no credential.
func openDoors(ctx context.Context, raw Raw, base string) (open []string, err error) {
	text, err := raw.get(ctx, base+"/flags", "", "")
	if err != nil {
		return nil, err
	}
	var answer struct{ Flags map[string]string }
	if err := json.Unmarshal([]byte(text), &answer); err != nil {
		return nil, fmt.Errorf("read its flags: %w", err)
	}
	for _, who := range []string{"agents", "frameworks"} {
		if answer.Flags["authenticate_"+who] != "true" {
			open = append(open, who)
		}
	}
	return open, nil
}

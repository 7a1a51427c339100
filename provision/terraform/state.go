package terraform

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
)

// resource is what of a resource in a state tells whether it is the identity. Shape: state format 4.
type resource struct {
	Mode      string `json:"mode"`
	Type      string `json:"type"`
	Name      string `json:"name"`
	Instances []struct {
		Attributes json.RawMessage `json:"attributes"`
	} `json:"instances"`
}

// identity is the input of the resource terraform_data.identity, which every module makes first and removes last.
type identity struct {
	Cluster string `json:"cluster"`
	Target  string `json:"target"`
	Layout  int    `json:"layout"`
}

// checkState refuses a state that another cluster, another target, another layout or something else wrote.
func (d *Driver) checkState(ctx context.Context) error {
	text, err := d.tf.StatePull(ctx)
	if err != nil {
		return d.explain("read the state", err, nil)
	}
	if strings.TrimSpace(text) == "" {
		return nil
	}
	is, resources, err := whose(text)
	if err != nil {
		return &StateError{Dir: d.options.Dir, Reason: fmt.Sprintf("the state cannot be read: %v", err), Fix: restore, err: err}
	}
	if resources == 0 {
		return nil
	}
	return d.refuse(is, resources)
}

// whose finds the identity in a state, and how many resources the state has.
func whose(text string) (is identity, resources int, err error) {
	var generic struct {
		Resources []json.RawMessage `json:"resources"`
	}
	if err := json.Unmarshal([]byte(text), &generic); err != nil {
		return identity{}, 0, err
	}
	for _, raw := range generic.Resources {
		var r resource
		// Other resources may have an input of any shape, so only the one that is ours is read in full.
		if json.Unmarshal(raw, &r) != nil || r.Mode != "managed" || r.Type != "terraform_data" || r.Name != "identity" {
			continue
		}
		for _, i := range r.Instances {
			var attributes struct {
				Input struct {
					Value identity `json:"value"`
				} `json:"input"`
			}
			if json.Unmarshal(i.Attributes, &attributes) == nil {
				is = attributes.Input.Value
			}
		}
	}
	return is, len(generic.Resources), nil
}

func (d *Driver) refuse(is identity, resources int) error {
	o := d.options
	const elsewhere = "use a state folder or a backend (bucket, key, path) of this cluster's own"
	switch {
	case is.Cluster == "":
		return &StateError{Dir: o.Dir, Reason: fmt.Sprintf("the state has %d resources that jomctl did not make", resources), Fix: elsewhere}
	case is.Cluster != o.Variables.Cluster || is.Target != o.Target:
		return &StateError{Dir: o.Dir, Reason: fmt.Sprintf("the state belongs to cluster %s on target %s, not to cluster %s on target %s",
			is.Cluster, is.Target, o.Variables.Cluster, o.Target), Fix: elsewhere}
	case is.Layout > layout:
		return &StateError{Dir: o.Dir, Reason: fmt.Sprintf("the state was written by a newer jomctl (layout %d, this one knows %d)", is.Layout, layout),
			Fix: "use the newer jomctl"}
	case is.Layout < layout:
		return &StateError{Dir: o.Dir, Reason: fmt.Sprintf("the state was written by an older jomctl (layout %d, this one knows %d)", is.Layout, layout),
			Fix: "destroy with the older jomctl, then install anew"}
	}
	return nil
}

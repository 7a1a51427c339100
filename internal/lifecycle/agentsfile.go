package lifecycle

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/config/edit"
)

// FileChange is a new text of a cluster file and the cluster that it describes.
type FileChange struct {
	Cluster *config.Cluster
	// Changed are the lines that come and go, for the preview; empty when the file says it already.
	Changed []string
	text    []byte
}

// change edits the text and proves that the new one means what is wanted and nothing else.
func change(c *config.Cluster, old []byte, wanted, show []config.Host, work func(*edit.File) error) (FileChange, error) {
	refuse := func(err error) (FileChange, error) {
		var lines []string
		for _, h := range show {
			lines = append(lines, "  - "+edit.HostLine(h))
		}
		return FileChange{}, &Refusal{Problem: fmt.Sprintf("%s cannot be changed without touching what you have written: %v", c.File, err),
			Fix: "write these lines yourself, then run the command again:\nhosts:\n" + strings.Join(lines, "\n")}
	}
	e, err := edit.Parse(old)
	if err == nil {
		err = work(e)
	}
	if err != nil {
		return refuse(err)
	}
	now, err := config.Parse(e.Text(), c.File)
	if err != nil {
		return FileChange{}, err
	}
	if !slices.EqualFunc(now.Hosts, wanted, sameHost) {
		return refuse(edit.ErrWritten)
	}
	return FileChange{Cluster: now, Changed: edit.Diff(old, e.Text()), text: e.Text()}, nil
}

func sameHost(a, b config.Host) bool {
	if len(a.Attributes) == 0 && len(b.Attributes) == 0 {
		a.Attributes, b.Attributes = nil, nil
	}
	return reflect.DeepEqual(a, b)
}

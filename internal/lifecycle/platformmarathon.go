package lifecycle

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"time"

	"github.com/jomctl/jomctl/internal/cluster"
	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/lifecycle/platform"
	"github.com/jomctl/jomctl/internal/wholefile"
	"github.com/jomctl/jomctl/provision"
)

// marathonState is what Marathon keeps; what is beside it belongs to the election.
const marathonState = provision.MarathonPath + "/state"

// marathonFile is a backup of Marathon's state.
type marathonFile struct {
	Root  string         `json:"root"`
	Time  time.Time      `json:"time"`
	Nodes []cluster.Node `json:"nodes"`
}

// BackUp writes Marathon's state to a file, and reads it again.
func (p *Platform) BackUp(ctx context.Context, file string) error {
	nodes, err := p.New.ZooKeeper.Tree(ctx, marathonState)
	if err != nil {
		return err
	}
	var data bytes.Buffer
	packed := gzip.NewWriter(&data)
	err = json.NewEncoder(packed).Encode(marathonFile{Root: marathonState, Time: time.Now().UTC(), Nodes: nodes})
	if err = errors.Join(err, packed.Close()); err != nil {
		return fmt.Errorf("packing Marathon's state: %w", err)
	}
	if err := wholefile.Put(file, data.Bytes(), 0o600); err != nil {
		return err
	}
	again, err := readMarathon(file)
	if err == nil && len(again.Nodes) != len(nodes) {
		err = fmt.Errorf("the backup %s has %d nodes, and Marathon's state has %d", file, len(again.Nodes), len(nodes))
	}
	return err
}

func readMarathon(file string) (marathonFile, error) {
	var kept marathonFile
	data, err := os.ReadFile(file)
	if err == nil {
		var packed *gzip.Reader
		if packed, err = gzip.NewReader(bytes.NewReader(data)); err == nil {
			if data, err = io.ReadAll(packed); err == nil {
				err = json.Unmarshal(data, &kept)
			}
		}
	}
	if err == nil && kept.Root != marathonState {
		err = fmt.Errorf("it is of %q", kept.Root)
	}
	if err != nil {
		return kept, fmt.Errorf("reading the backup of Marathon's state %s: %w", file, err)
	}
	return kept, nil
}

// Restore puts Marathon's state of a backup in the place of what is there.
func (p *Platform) Restore(ctx context.Context, file string) error {
	kept, err := readMarathon(file)
	if err != nil {
		return err
	}
	return p.New.ZooKeeper.ReplaceTree(ctx, marathonState, kept.Nodes)
}

// Migrated is nil when the Marathon of a host leads with the new version, and has migrated its state.
func (p *Platform) Migrated(ctx context.Context, name string) error {
	h, _ := p.New.Cluster.Host(name)
	info, err := p.marathonOf(h).Info(ctx)
	if err != nil {
		return err
	}
	if hostOf(info.Leader) != h.Address || info.FrameworkID == "" {
		return fmt.Errorf("marathon on %s does not lead yet, or is not registered with Mesos", name)
	}
	if err := p.Runs(ctx, provision.RoleMarathon, name, platform.New); err != nil {
		return err
	}
	flag, err := p.New.ZooKeeper.Tree(ctx, marathonState+"/migration-in-progress")
	if err == nil && len(flag) > 0 {
		err = errors.New("marathon on " + name + " still migrates its state")
	}
	return err
}

func (p *Platform) marathonOf(h config.Host) cluster.Marathon {
	_, m := p.quick()
	m.URLs = []string{"http://" + net.JoinHostPort(h.Address, strconv.Itoa(provision.MarathonPort))}
	return m
}

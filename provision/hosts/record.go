package hosts

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"sync"

	"github.com/jomctl/jomctl/internal/host"
	"github.com/jomctl/jomctl/provision"
)

// RecordPath is the file in which a host keeps what jomctl has put there.
const RecordPath = host.RemoteDir + "/host.json"

// Record is what jomctl has put on a host.
type Record struct {
	// Cluster and ID are the cluster that the host belongs to.
	Cluster string `json:"cluster"`
	ID      string `json:"id"`
	// Jomctl is the version that wrote last.
	Jomctl string `json:"jomctl"`
	// Files are what is to be found at a path.
	Files map[string]FileMark `json:"files,omitempty"`
	// Units are the digests of jomctl's own units.
	Units map[string]string `json:"units,omitempty"`
	// Packages are the versions of those that the host's roles need.
	Packages map[string]string `json:"packages,omitempty"`
	// Masked are the services of others that are masked.
	Masked []string `json:"masked,omitempty"`
	// Offered is what the machine had when its Mesos agent was first described.
	Offered *provision.HostValues `json:"offered,omitempty"`
}

// FileMark is a file's SHA-256 and permissions (octal).
type FileMark struct {
	SHA256 string `json:"sha256"`
	Mode   string `json:"mode"`
}

// ForeignError is a host that belongs to another cluster.
type ForeignError struct {
	Host, Cluster, ID string
}

func (e *ForeignError) Error() string {
	return fmt.Sprintf("host %s belongs to another cluster %s (%s), as %s says", e.Host, e.Cluster, e.ID, RecordPath)
}

// Hint says what to do.
func (e *ForeignError) Hint() string {
	return "take another host, or end the other cluster first (`jomctl destroy` with its cluster.yaml)"
}

// ReadRecord returns the record of a host, whosever it is; nil when there is none.
func ReadRecord(ctx context.Context, m host.Machine) (*Record, error) {
	data, err := m.ReadFile(ctx, RecordPath)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil //nolint:nilnil // no record is an answer
	}
	if err != nil {
		return nil, fmt.Errorf("read the record of host %s: %w", m.Name(), err)
	}
	var r Record
	if err := json.Unmarshal(data, &r); err != nil {
		return nil, fmt.Errorf("read the record of host %s: %s is damaged (move it away to have it made anew): %w", m.Name(), RecordPath, err)
	}
	return &r, nil
}

// Keeper keeps the records of a cluster's hosts. It may be used from many goroutines.
type Keeper struct {
	cluster, id, version string

	mu    sync.Mutex
	locks map[string]*sync.Mutex
}

// NewKeeper returns the keeper of a cluster. id tells two clusters of one name apart, and version is jomctl's.
func NewKeeper(cluster, id, version string) *Keeper {
	return &Keeper{cluster: cluster, id: id, version: version, locks: map[string]*sync.Mutex{}}
}

func (k *Keeper) lock(name string) *sync.Mutex {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.locks[name] == nil {
		k.locks[name] = &sync.Mutex{}
	}
	return k.locks[name]
}

// Read returns the host's record, an empty one where there is none, and a *ForeignError where it is another cluster's.
func (k *Keeper) Read(ctx context.Context, m host.Machine) (*Record, error) {
	r, err := ReadRecord(ctx, m)
	if err != nil {
		return nil, err
	}
	if r == nil {
		r = &Record{Cluster: k.cluster, ID: k.id}
	}
	if r.Cluster != k.cluster || r.ID != k.id {
		return nil, &ForeignError{Host: m.Name(), Cluster: r.Cluster, ID: r.ID}
	}
	return r, nil
}

// change writes what f makes of the record, where it makes anything of it.
func (k *Keeper) change(ctx context.Context, m host.Machine, f func(*Record)) (bool, error) {
	lock := k.lock(m.Name())
	lock.Lock()
	defer lock.Unlock()
	r, err := k.Read(ctx, m)
	if err != nil {
		return false, err
	}
	r.Jomctl = k.version
	f(r)
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return false, fmt.Errorf("record what is on host %s: %w", m.Name(), err)
	}
	changed, err := m.WriteFile(ctx, RecordPath, append(data, '\n'), 0o600)
	if err != nil {
		return false, fmt.Errorf("record what is on host %s: %w", m.Name(), err)
	}
	return changed, nil
}

// contents are what an item puts on a host.
type contents struct {
	files    map[string]FileMark
	units    map[string]string
	packages map[string]string
	masked   []string
	// gone are files that are not there any more.
	gone []string
}

// recorded is an item that knows what it puts on its host.
type recorded interface {
	// contents may be asked of the host, after Apply.
	contents(ctx context.Context) (contents, error)
}

// add puts the contents into the record.
func (r *Record) add(c contents) {
	maps.DeleteFunc(r.Files, func(path string, _ FileMark) bool { return slices.Contains(c.gone, path) })
	put(&r.Files, c.files)
	put(&r.Units, c.units)
	put(&r.Packages, c.packages)
	for _, name := range c.masked {
		if !slices.Contains(r.Masked, name) {
			r.Masked = append(r.Masked, name)
		}
	}
	slices.Sort(r.Masked)
}

func put[V any](to *map[string]V, more map[string]V) {
	if len(more) == 0 {
		return
	}
	if *to == nil {
		*to = map[string]V{}
	}
	maps.Copy(*to, more)
}

// has says whether the record knows all of the contents.
func (r *Record) has(c contents) bool {
	for path, mark := range c.files {
		if r.Files[path] != mark {
			return false
		}
	}
	for _, path := range c.gone {
		if _, known := r.Files[path]; known {
			return false
		}
	}
	for name, digest := range c.units {
		if r.Units[name] != digest {
			return false
		}
	}
	for name, version := range c.packages {
		if r.Packages[name] != version { // a newer one is taken note of, and nothing else
			return false
		}
	}
	return !slices.ContainsFunc(c.masked, func(name string) bool { return !slices.Contains(r.Masked, name) })
}
